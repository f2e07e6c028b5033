/** `/v4/alertroutes` and `/v4/destinations`: which routes there are, which one fires, and how destinations fare. */
import { z } from 'zod'
import type { Problem } from '../../config/problems.ts'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { Caller } from '../../http/endpoint/caller.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { ALWAYS, type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { invalidBody } from '../../http/endpoint/validation.ts'
import { errorText } from '../../platform/errors.ts'
import { once } from '../../platform/once.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { eventOfBody } from '../history/events.ts'
import { countRows } from '../history/summaries.ts'
import type { DestinationHealth } from '../outbox/destination-health.ts'
import type { Destination } from '../types.ts'
import { type ExplainDeps, explainEvent } from './explain.ts'
import { eventOfDatagram, type Sample, sampleFacts, sampleOf } from './sample.ts'

/** Routes that are tried out beside the configured ones. */
export interface RoutesDraft {
  /** Null when the draft has errors. */
  readonly routing: Pick<ExplainDeps, 'router' | 'listed'> | null
  readonly problems: readonly Problem[]
}

export interface AlertRouteApiDeps extends ExplainDeps {
  readonly draft: (yaml: string) => RoutesDraft
  readonly clock: Clock
  readonly qrs: Pick<QrsClient, 'taskById' | 'tasks' | 'appById' | 'owner'>
  readonly loadEvent: (id: string) => TaskEvent | null
  readonly destinations: ReadonlyMap<string, Destination>
  readonly health: Pick<DestinationHealth, 'state'>
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const QRS_TIMEOUT_MS = 10_000

const text = once(() => z.string().nullable())

const SAMPLE = once(() =>
  z.strictObject({
    type: z.enum(EVENT_TYPES).optional(),
    outcome: z.enum(EVENT_OUTCOMES).optional(),
    taskId: z.string().max(100).optional(),
    taskName: z.string().max(500).optional(),
    host: z.string().max(500).optional(),
    user: z.string().max(500).optional(),
    code: z.string().max(100).optional(),
    message: z.string().max(10_000).optional(),
    consecutiveFailures: z.int().min(0).max(1_000_000).optional(),
  }),
)

const EXPLAIN_BODY = once(() =>
  z.object({
    eventId: z.string().describe('An event of the past.').optional(),
    sample: SAMPLE().describe('Or an invented one: about a real task when `taskId` or `taskName` is given.').optional(),
    raw: z.string().max(65_535).describe('Or a datagram, as Qlik Sense sends it.').optional(),
    at: z
      .string()
      .describe('Time of the invented event, ISO 8601, in the zone of the site unless it names one; default now.')
      .optional(),
    draft: z
      .string()
      .max(65_535)
      .describe(
        'YAML of a rule, of a list of rules, or of a file with `alertRoutes`. Needs the scope `admin`. A rule of the draft takes the place of the rule with its name, others come last. It is not stored.',
      )
      .optional(),
  }),
)

const ROUTES = once(() =>
  z.object({
    alertRoutes: z.array(
      z.object({
        name: z.string(),
        origin: z.enum(['butler', 'footman']),
        enable: z.boolean(),
        to: z.array(z.string()).describe('Names of destinations.'),
        hits: z
          .int()
          .describe('Events since the time of `hits` for which it made alerts, suppressed ones included.')
          .optional(),
      }),
    ),
    partial: z.boolean().describe('With `hits`: the count took too long; older events are not counted.').optional(),
  }),
)

/** The answer of `GET /v4/alertroutes`. */
export type ListedRules = z.output<ReturnType<typeof ROUTES>>

const ROUTES_QUERY = once(() =>
  z.object({
    hits: queryField.time().describe('Also count the hits of each rule since then, like `7d`.').optional(),
  }),
)

const VERDICTS = {
  routes: z.array(
    z.object({
      name: z.string(),
      matched: z.boolean(),
      because: text().describe('Why it did not match.'),
      fields: z
        .array(
          z.object({
            field: z.string(),
            wanted: z.string(),
            found: text(),
            holds: z.union([z.boolean(), z.literal('unknown')]),
          }),
        )
        .optional(),
      deliveries: z.array(
        z.object({
          destination: z.string(),
          target: z.string(),
          wouldBe: z.enum(['pending', 'suppressed']),
          reason: text(),
          detail: text(),
          suppressedBy: z.record(z.string(), z.unknown()).nullable().describe('As of a delivery.'),
          kind: z.string().describe('Of what is no alert, like `recovery`.').optional(),
        }),
      ),
    }),
  ),
  stoppedBy: text().describe('The rule after which no other was looked at.'),
}

const EXPLANATION = once(() =>
  z.object({
    ...VERDICTS,
    draft: z
      .object(VERDICTS)
      .nullable()
      .describe('With `draft`: the same with the rules of the draft; null when it has errors.')
      .optional(),
    draftProblems: z
      .array(
        z.object({
          severity: z.enum(['error', 'warning', 'info']),
          path: z.string().describe('Like `alertRoutes[0].match`.'),
          message: z.string(),
          hint: z.string().nullable(),
          line: z.int().describe('Of the draft, from 1; 0 = not in a line.'),
          column: z.int(),
        }),
      )
      .describe('With `draft`: errors and warnings about it.')
      .optional(),
  }),
)

const DESTINATION_STATES = ['up', 'refuses', 'down'] as const

export const DESTINATION = once(() =>
  z.object({
    name: z.string(),
    type: z.string(),
    up: z.boolean().describe('False after a temporary failure, until something is delivered.'),
    state: z.enum(DESTINATION_STATES).describe('`refuses`: it answers, and refused the last message.'),
    pending: z.int(),
    dead: z.int(),
    lastDeliveredAt: text(),
    lastError: text(),
  }),
)
const DESTINATIONS = once(() => z.object({ destinations: z.array(DESTINATION()) }))

export function alertRouteApi(deps: AlertRouteApiDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/alertroutes',
      scope: 'event:read',
      summary: 'List alert rules',
      description:
        'In order of evaluation: those made of the notification sections of the configuration first, also those that are switched off, then those of `Butler.footman.alertRoutes`.',
      query: ROUTES_QUERY,
      answers: () => ({ 200: ROUTES() }),
      examples: [
        { name: 'all', status: 200, answer: { alertRoutes: [] } },
        { name: 'hits', query: { hits: '7d' }, status: 200, answer: { alertRoutes: [], partial: false } },
      ],
      async handle({ query }) {
        const routes = deps.listed.map(({ name, origin, enable, to }) => ({ name, origin, enable, to }))
        if (!query.hits) return jsonAnswer(200, { alertRoutes: routes })
        const { hits, partial } = await countHits(deps.db, query.hits(deps.clock.now()))
        return jsonAnswer(200, {
          alertRoutes: routes.map((one) => ({ ...one, hits: hits.get(one.name) ?? 0 })),
          partial,
        })
      },
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/alertroutes/explain',
      eachTime: ALWAYS,
      // Everything is taken back.
      at: 'here',
      scope: 'event:read',
      audited: 'refused',
      summary: 'Explain which alert rules fire for an event',
      description:
        'Passes the event through the rules as if it had come, and takes everything back: no message is sent, no slot of a rate limit taken. Fields whose data are not known hold in `match` and do not hold in `except`.',
      body: EXPLAIN_BODY,
      answers: () => ({ 200: EXPLANATION() }),
      examples: [
        {
          name: 'sample',
          body: { sample: { type: 'reload', outcome: 'failed', taskId: 'a8b4c123-def4-5678-9abc-def012345678' } },
          status: 200,
        },
        {
          name: 'draft',
          body: {
            sample: { type: 'reload', outcome: 'failed' },
            draft: '- name: failures\n  match: { outcome: failed }\n  to: [ops-mail]',
          },
          status: 200,
        },
      ],
      handle: ({ body, caller, times, signal }) => explain(deps, body, { caller, times, hangsUp: signal }),
    }),
    route({
      method: 'GET',
      path: '/v4/destinations',
      scope: 'event:read',
      summary: 'List destinations',
      description: 'Where messages go to, how much waits for each, and whether it works.',
      query: NO_QUERY,
      answers: () => ({ 200: DESTINATIONS() }),
      examples: [{ name: 'all', status: 200, answer: { destinations: [] } }],
      handle: () =>
        jsonAnswer(200, { destinations: [...deps.destinations.values()].map((one) => destinationNow(deps, one)) }),
    }),
  ]
}

/** The events since `from` for which each route made alerts. */
async function countHits(db: Database, from: number) {
  const hits = new Map<string, number>()
  const search = { table: 'delivery', before: null, times: { column: 'created_at', from, to: null } }
  const sql = `SELECT route, count(DISTINCT event_id) AS n FROM delivery WHERE seq < ? AND seq >= ? AND +created_at >= ?
    AND kind = 'alert' AND replay_of = '' GROUP BY 1`
  const { partial } = await countRows<{ route: string; n: number }>(db, search, sql, [from], ({ route: name, n }) => {
    hits.set(name, (hits.get(name) ?? 0) + n)
  })
  return { hits, partial }
}

async function explain(
  deps: AlertRouteApiDeps,
  { draft, ...question }: z.output<ReturnType<typeof EXPLAIN_BODY>>,
  { caller, times, hangsUp }: { readonly caller: Caller; readonly times: ZoneTimes; readonly hangsUp: AbortSignal },
): Promise<Response> {
  const refused = draft === undefined ? null : caller.refusal('admin')
  if (refused) throw refused
  const [event, time] = await askedEvent(deps, question, times, hangsUp)
  const configured = explainEvent(deps, event, time)
  if (draft === undefined) return jsonAnswer(200, configured)
  const { routing, problems } = deps.draft(draft)
  return jsonAnswer(200, {
    ...configured,
    draft: routing && explainEvent({ ...deps, ...routing }, event, time),
    draftProblems: problems.map(draftProblem),
  })
}

const draftProblem = ({ severity, path, message, hint, line, column }: Problem) => ({
  severity,
  path,
  message,
  hint: hint ?? null,
  line,
  column,
})

/** The event that is asked about, and the time at which it would be routed. */
async function askedEvent(
  deps: AlertRouteApiDeps,
  { eventId, sample, raw, at }: Omit<z.output<ReturnType<typeof EXPLAIN_BODY>>, 'draft'>,
  times: ZoneTimes,
  hangsUp: AbortSignal,
): Promise<readonly [TaskEvent, number]> {
  if ([eventId, sample, raw].filter((one) => one !== undefined).length !== 1) {
    throw invalidBody([{ path: 'eventId', message: 'or sample or raw must be given, and only one of them' }])
  }
  if (eventId !== undefined) {
    if (at !== undefined) throw invalidBody([{ path: 'at', message: 'is for samples: an event has its time' }])
    const event = eventOfBody(deps, eventId)
    return [event, event.receivedAt]
  }
  const time = at === undefined ? deps.clock.now() : timeOf(at, times)
  if (raw !== undefined) return [await announced(deps, raw, time, hangsUp), time]
  return [await invented(deps, sample as Sample, time, hangsUp), time]
}

async function invented(
  { qrs }: AlertRouteApiDeps,
  sample: Sample,
  at: number,
  hangsUp: AbortSignal,
): Promise<TaskEvent> {
  const signal = AbortSignal.any([hangsUp, AbortSignal.timeout(QRS_TIMEOUT_MS)])
  const facts = await sampleFacts(qrs, sample, signal)
  if (facts.task === null) {
    const path = sample.taskId === undefined ? 'sample.taskName' : 'sample.taskId'
    throw invalidBody([{ path, message: 'is of no task in Qlik Sense' }])
  }
  return sampleOf(sample, facts, uuidV7(at), at)
}

async function announced(
  { qrs }: AlertRouteApiDeps,
  raw: string,
  at: number,
  hangsUp: AbortSignal,
): Promise<TaskEvent> {
  const signal = AbortSignal.any([hangsUp, AbortSignal.timeout(QRS_TIMEOUT_MS)])
  return eventOfDatagram(qrs, raw, { id: uuidV7(at), at, signal }).catch((error: unknown) => {
    throw invalidBody([{ path: 'raw', message: errorText(error) }])
  })
}

function timeOf(at: string, times: ZoneTimes): number {
  const time = times.instant(at)
  if (time === null) throw invalidBody([{ path: 'at', message: 'must be an ISO 8601 time' }])
  return time
}

/** How the destination fares. */
export function destinationNow(
  { db, health }: Pick<AlertRouteApiDeps, 'db' | 'health'>,
  { name, type, ready }: Destination,
): z.output<ReturnType<typeof DESTINATION>> {
  const count = (index: string, state: string, name: string) =>
    db.get<{ n: number }>(
      `SELECT count(*) AS n FROM delivery INDEXED BY ${index} WHERE ${state} AND destination = ?`,
      name,
    )?.n ?? 0
  const last = db.get<{ at: number | null }>(
    `SELECT max(finished_at) AS at FROM delivery INDEXED BY delivery_last WHERE destination = ? AND state = 'delivered'`,
    name,
  )?.at
  const { up: answers, lastError } = health.state(name)
  const up = answers && (ready?.() ?? true)
  return {
    name,
    type,
    up,
    state: up ? (lastError === null ? 'up' : 'refuses') : 'down',
    pending: count('delivery_age', `state IN ('pending', 'sending')`, name),
    dead: count('delivery_dead', `state = 'dead'`, name),
    lastDeliveredAt: last ? new Date(last).toISOString() : null,
    lastError,
  }
}
