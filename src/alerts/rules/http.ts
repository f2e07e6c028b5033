/** `/v4/alertroutes` and `/v4/destinations`: which routes there are, which one fires, and how destinations fare. */
import type { Problem } from '../../config/problems.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { Caller } from '../../http/endpoint/caller.ts'
import { ALWAYS, type ApiRoute, route } from '../../http/endpoint/route.ts'
import { invalidBody } from '../../http/endpoint/validation.ts'
import { errorText } from '../../platform/errors.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { eventOfBody } from '../history/events.ts'
import { countRows } from '../history/summaries.ts'
import { type DestinationHealth, destinationState } from '../outbox/destination-health.ts'
import type { Destination } from '../types.ts'
import {
  ALERT_RULES,
  DESTINATIONS,
  EXPLAIN,
  type ExplainAnswer,
  type ListedDestination,
  type Question,
  type Sample,
} from './contract.ts'
import { type ExplainDeps, explainEvent } from './explain.ts'
import { eventOfDatagram, sampleFacts, sampleOf } from './sample.ts'

/** Routes that are tried out beside the configured ones. */
export interface RoutesDraft {
  /** Null when the draft has errors. */
  readonly routing: Pick<ExplainDeps, 'router' | 'listed'> | null
  readonly problems: readonly Problem[]
}

export interface AlertRouteApiDeps extends ExplainDeps {
  readonly draft: (yaml: string) => Promise<RoutesDraft>
  readonly clock: Clock
  readonly qrs: Pick<QrsClient, 'taskById' | 'tasks' | 'appById' | 'owner'>
  readonly loadEvent: (id: string) => TaskEvent | null
  readonly destinations: ReadonlyMap<string, Destination>
  readonly health: Pick<DestinationHealth, 'state'>
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const QRS_TIMEOUT_MS = 10_000

export function alertRouteApi(deps: AlertRouteApiDeps): ApiRoute[] {
  return [
    route({
      ...ALERT_RULES,
      scope: 'event:read',
      summary: 'List alert rules',
      description:
        'In order of evaluation: those made of the notification sections of the configuration first, also those that are switched off, then those of `Butler.footman.alertRoutes`.',
      examples: [
        { name: 'all', status: 200, answer: { alertRoutes: [] } },
        { name: 'hits', query: { hits: '7d' }, status: 200, answer: { alertRoutes: [], partial: false } },
      ],
      async handle({ query }, answer) {
        const routes = deps.listed.map(({ name, origin, enable, to }) => ({ name, origin, enable, to }))
        if (!query.hits) return answer(200, { alertRoutes: routes })
        const { hits, partial } = await countHits(deps.db, query.hits(deps.clock.now()))
        return answer(200, {
          alertRoutes: routes.map((one) => {
            const { n = 0, last = null } = hits.get(one.name) ?? {}
            return { ...one, hits: n, lastHitAt: last === null ? null : new Date(last).toISOString() }
          }),
          partial,
        })
      },
    }),
    route({
      ...EXPLAIN,
      eachTime: ALWAYS,
      // Everything is taken back.
      at: 'here',
      scope: 'event:read',
      audited: 'refused',
      summary: 'Explain which alert rules fire for an event',
      description:
        'Passes the event through the rules as if it had come, and takes everything back: no message is sent, no slot of a rate limit taken. Fields whose data are not known hold in `match` and do not hold in `except`.',
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
      handle: async ({ body, caller, times, signal }, answer) =>
        answer(200, await explain(deps, body, { caller, times, hangsUp: signal })),
    }),
    route({
      ...DESTINATIONS,
      scope: 'event:read',
      summary: 'List destinations',
      description: 'Where messages go to, how much waits for each, and whether it works.',
      examples: [{ name: 'all', status: 200, answer: { destinations: [] } }],
      handle: (_, answer) =>
        answer(200, { destinations: [...deps.destinations.values()].map((one) => destinationNow(deps, one)) }),
    }),
  ]
}

/** The events since `from` for which each route made alerts, and the time of the newest. */
async function countHits(db: Database, from: number) {
  const hits = new Map<string, { readonly n: number; readonly last: number }>()
  const search = { table: 'delivery', before: null, times: { column: 'created_at', from, to: null } }
  const sql = `SELECT route, count(DISTINCT event_id) AS n, max(created_at) AS last FROM delivery WHERE seq < ? AND seq >= ? AND +created_at >= ?
    AND kind = 'alert' AND replay_of = '' GROUP BY 1`
  const { partial } = await countRows<{ route: string; n: number; last: number }>(db, search, sql, [from], (row) => {
    const before = hits.get(row.route) ?? { n: 0, last: 0 }
    hits.set(row.route, { n: before.n + row.n, last: Math.max(before.last, row.last) })
  })
  return { hits, partial }
}

async function explain(
  deps: AlertRouteApiDeps,
  { draft, ...question }: Question,
  { caller, times, hangsUp }: { readonly caller: Caller; readonly times: ZoneTimes; readonly hangsUp: AbortSignal },
): Promise<ExplainAnswer> {
  const refused = draft === undefined ? null : caller.refusal('admin')
  if (refused) throw refused
  const [event, time] = await askedEvent(deps, question, times, hangsUp)
  const configured = explainEvent(deps, event, time)
  if (draft === undefined) return configured
  const { routing, problems } = await deps.draft(draft)
  return {
    ...configured,
    draft: routing && explainEvent({ ...deps, ...routing }, event, time),
    draftProblems: problems.map(draftProblem),
  }
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
  { eventId, sample, raw, at }: Omit<Question, 'draft'>,
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
  return [await invented(deps, sample ?? {}, time, hangsUp), time]
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
  destination: Destination,
): ListedDestination {
  const { name, type } = destination
  const count = (index: string, state: string, name: string) =>
    db.get<{ n: number }>(
      `SELECT count(*) AS n FROM delivery INDEXED BY ${index} WHERE ${state} AND destination = ?`,
      name,
    )?.n ?? 0
  const last = db.get<{ at: number | null }>(
    `SELECT max(finished_at) AS at FROM delivery INDEXED BY delivery_last WHERE destination = ? AND state = 'delivered'`,
    name,
  )?.at
  const { up, state, lastError } = destinationState(health, destination)
  return {
    name,
    type,
    up,
    state,
    pending: count('delivery_age', `state IN ('pending', 'sending')`, name),
    dead: count('delivery_dead', `state = 'dead'`, name),
    lastDeliveredAt: last ? new Date(last).toISOString() : null,
    lastError,
  }
}
