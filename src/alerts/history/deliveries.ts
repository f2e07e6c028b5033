/** Deliveries: which message went where and when, or why it did not; dead letters are sent again (`/v4/deliveries`). */
import { z } from 'zod'
import { PARKED_AT } from '../../cluster/leave.ts'
import { SEVERITIES } from '../../events/kinds.ts'
import type { Severity } from '../../events/types.ts'
import { LIST_PARAMETERS, NO_QUERY, readQuery } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { field, isObject, strictBody } from '../../http/endpoint/validation.ts'
import { type Refusal, refusal } from '../../http/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { once } from '../../platform/once.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { DeliveryKind, DeliveryState, SuppressedBy } from '../types.ts'
import {
  allOf,
  anyOf,
  anyText,
  between,
  DELIVERY_KINDS,
  DELIVERY_REASONS,
  DELIVERY_STATES,
  idOf,
  listAnswer,
  oneOf,
  oneOfIds,
  oneOfRare,
  PAGE_MEMBERS,
  type Page,
  pageOf,
  readPage,
  someIds,
  type Where,
} from './lists.ts'
import { cancelDelivery, type DeadLetterFilter, resendDeadLetters, resendDelivery } from './resend.ts'

const text = once(() => z.string().nullable())

/** See `SuppressedBy`. */
const SUPPRESSED_BY = once(() =>
  z.object({
    limit: z.object({ count: z.int(), windowMs: z.int(), nextSlotAt: text() }).optional(),
    snooze: z.object({ id: z.string(), reason: z.string(), until: z.string() }).optional(),
    maintenance: z.object({ name: z.string(), until: text() }).optional(),
    property: z.object({ name: z.string(), value: z.string() }).optional(),
    tag: z.object({ name: z.string() }).optional(),
    group: z.object({ eventId: z.string(), taskId: z.string(), taskName: z.string() }).optional(),
    retry: z
      .object({
        attempt: z.int(),
        max: z.int(),
        at: z.string(),
        executionId: text().describe('Of the retry, once it was started.'),
      })
      .optional(),
  }),
)

const DELIVERY_ITEM = once(() =>
  z.object({
    id: z.string(),
    eventId: z.string(),
    kind: z.enum(DELIVERY_KINDS),
    route: text(),
    destination: z.string(),
    destinationType: text(),
    target: z.string().describe('The receiver as people know it: an address, a channel, the host of a URL.'),
    severity: z.enum(SEVERITIES),
    state: z.enum(DELIVERY_STATES),
    reason: z.enum(DELIVERY_REASONS).nullable(),
    detail: text(),
    suppressedBy: SUPPRESSED_BY()
      .nullable()
      .describe(
        'The numbers and ids behind the reason: the rate limit and its next free slot, the snooze, the maintenance, the custom property or tag that was missing, the event that opened the group, the retry.',
      ),
    createdAt: z.string(),
    deliveredAt: text(),
    latencyMs: z.number().nullable().describe('From the arrival of the event.'),
    nextAttemptAt: text(),
    replayOf: text(),
  }),
)

export const DELIVERY_DETAIL = once(() =>
  DELIVERY_ITEM().extend({
    message: z
      .object({ subject: text(), bytes: z.int(), body: z.string().describe('Cut at 64 KB.') })
      .nullable()
      .describe('The message sent; null before the first attempt.'),
    attempts: z.array(
      z.object({
        n: z.int(),
        at: z.string(),
        durationMs: z.number(),
        result: z.enum(['ok', 'temporary', 'permanent']),
        detail: z.string(),
      }),
    ),
  }),
)

type DeliveryItem = z.output<ReturnType<typeof DELIVERY_ITEM>>
type DeliveryDetail = z.output<ReturnType<typeof DELIVERY_DETAIL>>

export const DELIVERY_FILTERS = {
  id: someIds('Id of the delivery.'),
  eventId: anyText('Id of the event.'),
  state: anyOf(DELIVERY_STATES),
  reason: anyOf(DELIVERY_REASONS),
  kind: anyOf(DELIVERY_KINDS),
  destination: anyText('Name of the destination.'),
  route: anyText('Name of the route.'),
  taskId: anyText('Id of the task.'),
}

const DELIVERIES_QUERY = once(() => z.object({ ...DELIVERY_FILTERS, ...LIST_PARAMETERS }))

const DELIVERY_PARAMS = once(() => z.object({ id: z.string().describe('Id of the delivery.') }))
const NO_BODY = once(() => z.object({}).optional())
const RESENT = once(() => z.object({ id: z.string(), state: z.literal('pending'), replayOf: z.string().optional() }))
const CANCELLED = once(() => z.object({ id: z.string(), state: z.literal('dead'), reason: z.literal('CANCELLED') }))

const names = (what: string) => field.array(field.string()).describe(what).nullish()

const DEAD_LETTERS_BODY = once(() =>
  z.object({
    id: names('Ids of deliveries.').transform((value) => value ?? undefined),
    destination: names('Names of destinations.').transform((value) => value ?? undefined),
    reason: names('Why they were given up.').transform((value) => value ?? undefined),
    from: z.string().nullish().describe('Created at or after this time, or so long ago at most, like `24h`.'),
    to: z.string().nullish().describe('Created before this time.'),
  }),
)

/** The times of the body, which have the form of those in queries. */
const TIMES = once(() => z.object({ from: LIST_PARAMETERS.from, to: LIST_PARAMETERS.to }))

interface DeliveryRoutesDeps extends DeliveryContext {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  /** Deliveries in these lanes became pending. */
  readonly wake: (lanes: ReadonlySet<string>) => void
  readonly isUnderWay: (lane: string, seq: number) => boolean
  /** Dead letters that are not deliveries: points of monitors, MQTT messages of REST and key-value changes. */
  readonly queues: readonly DeadLetterQueue[]
}

export interface DeadLetterQueue {
  /** The destination that a resend names for it. */
  readonly destination: string
  /** Runs in a transaction; returns how many are under way again. */
  resend(db: Database, filter: Pick<DeadLetterFilter, 'reason' | 'from' | 'to'>, now: number): number
  wake(): void
}

export function deliveryRoutes(deps: DeliveryRoutesDeps): ApiRoute[] {
  const { db, clock } = deps
  return [
    route({
      method: 'GET',
      path: '/v4/deliveries',
      scope: 'event:read',
      summary: 'List deliveries',
      description: 'Every message with its destination and result; newest first.',
      query: DELIVERIES_QUERY,
      answers: () => ({
        200: z.object({ deliveries: z.array(DELIVERY_ITEM()), ...PAGE_MEMBERS }).describe('The deliveries.'),
      }),
      examples: [
        {
          name: 'dead-letters',
          query: { state: 'dead' },
          status: 200,
          answer: { deliveries: [], nextCursor: null, partial: false },
        },
      ],
      async handle({ query }) {
        const now = clock.now()
        const filter = { ...query, from: query.from?.(now) ?? null, to: query.to?.(now) ?? null }
        const page = await listDeliveries(db, filter, pageOf(query), deps)
        return jsonAnswer(200, listAnswer('deliveries', page))
      },
    }),
    route({
      method: 'GET',
      path: '/v4/deliveries/{id}',
      scope: 'event:read',
      summary: 'One delivery with its message and attempts',
      params: DELIVERY_PARAMS,
      query: NO_QUERY,
      answers: () => ({ 200: DELIVERY_DETAIL().describe('The delivery.') }),
      handle({ params }) {
        const id = idOf(params)
        const found = findDelivery(db, id, deps)
        if (!found) throw deliveryNotFound(id)
        return jsonAnswer(200, found)
      },
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/deliveries/-/resend',
      scope: 'event:run',
      action: 'delivery.resend',
      summary: 'Send dead letters again',
      description:
        'All deliveries that were given up and that the members given select; without ids, points of monitors for InfluxDB too.',
      readByHandler: () => ({ body: DEAD_LETTERS_BODY() }),
      answers: () => ({ 202: z.object({ resent: z.int() }).describe('How many are under way.') }),
      examples: [
        {
          name: 'of-a-destination',
          body: { destination: ['ops-mail'], from: '24h' },
          status: 202,
          answer: { resent: 0 },
        },
      ],
      handle: (request) => resendMany(deps, request),
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/deliveries/{id}/resend',
      scope: 'event:run',
      action: 'delivery.resend',
      summary: 'Send a delivery again',
      description:
        'A dead or suppressed delivery becomes pending again, with the same Message-ID. For a delivered one, a new delivery is made.',
      params: DELIVERY_PARAMS,
      readByHandler: () => ({ body: NO_BODY() }),
      answers: () => ({ 202: RESENT().describe('It is under way.'), 409: 'It is still under way.' }),
      handle: (request) => resendOne(deps, request),
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/deliveries/{id}/cancel',
      scope: 'event:run',
      action: 'delivery.cancel',
      summary: 'Call a delivery off',
      params: DELIVERY_PARAMS,
      readByHandler: () => ({ body: NO_BODY() }),
      answers: () => ({ 200: CANCELLED().describe('It is not going to be sent.'), 409: 'It is not pending.' }),
      handle: (request) => cancel(deps, request),
    }),
  ]
}

async function resendOne(deps: DeliveryRoutesDeps, request: ApiRequest): Promise<Response> {
  emptyBody(request)
  const id = idOf(request.params)
  request.note({ target: [id] })
  const resent = await deps.writer.write((tx) => resendDelivery(tx, id, deps.clock.now()))
  if (resent.kind === 'unknown') throw deliveryNotFound(id)
  if (resent.kind === 'open') {
    const details = 'The delivery is still under way: its next attempt comes by itself.'
    throw refusal('NOT_RESENDABLE', details)
  }
  deps.wake(new Set([resent.lane]))
  return jsonAnswer(202, {
    id: resent.id,
    state: 'pending',
    ...(resent.kind === 'copied' && { replayOf: id }),
  })
}

async function resendMany(deps: DeliveryRoutesDeps, request: ApiRequest): Promise<Response> {
  const filter = deadLetterFilter(request.body, deps.clock.now(), request.times)
  const queues = selectedQueues(deps.queues, filter)
  const { deliveries, queued } = await deps.writer.write((tx) => ({
    deliveries: resendDeadLetters(tx, filter, deps.clock.now()),
    queued: queues.map((queue) => queue.resend(tx, filter, deps.clock.now())),
  }))
  const resent = queued.reduce((sum, count) => sum + count, deliveries.resent)
  request.note({ detail: `${resent} resent` })
  deps.wake(deliveries.lanes)
  for (const queue of queues) queue.wake()
  return jsonAnswer(202, { resent })
}

function selectedQueues(queues: readonly DeadLetterQueue[], { id, destination }: DeadLetterFilter) {
  return queues.filter((queue) => id === null && (destination === null || destination.includes(queue.destination)))
}

/** Throws 400 when no member selects deliveries. */
function deadLetterFilter(body: unknown, now: number, site: ZoneTimes): DeadLetterFilter {
  const { id, destination, reason, from, to } = strictBody(DEAD_LETTERS_BODY(), body ?? {})
  const list = (values: readonly string[] | undefined) => (values && values.length > 0 ? values : null)
  const times = readQuery(TIMES(), { ...(from && { from }), ...(to && { to }) }, site)
  const filter = {
    id: list(id),
    destination: list(destination),
    reason: list(reason),
    from: times.from?.(now) ?? null,
    to: times.to?.(now) ?? null,
  }
  if (Object.values(filter).every((value) => value === null)) {
    const details = 'Name at least one of id, destination, reason, from and to.'
    throw refusal('NOTHING_SELECTED', details)
  }
  return filter
}

async function cancel(deps: DeliveryRoutesDeps, request: ApiRequest): Promise<Response> {
  emptyBody(request)
  const id = idOf(request.params)
  request.note({ target: [id] })
  const { isUnderWay, clock } = deps
  const how = { by: request.caller.actor, now: clock.now(), isUnderWay }
  const result = await deps.writer.write((tx) => cancelDelivery(tx, id, how))
  if (result.kind === 'unknown') throw deliveryNotFound(id)
  if (result.kind === 'tooLate') throw refusal('NOT_CANCELLABLE', 'Only a pending delivery can be cancelled.')
  if (result.kind === 'cancelled') deps.wake(new Set([result.lane]))
  return jsonAnswer(200, { id, state: 'dead', reason: 'CANCELLED' })
}

/** Nothing, or `{}`. */
function emptyBody({ body }: ApiRequest): void {
  if (body === undefined || (isObject(body) && Object.keys(body).length === 0)) return
  strictBody(NO_BODY().unwrap(), body)
}

function deliveryNotFound(id: string): Refusal {
  const details = `No delivery has the id ${id}. Deliveries are kept as long as their events.`
  return refusal('DELIVERY_NOT_FOUND', details)
}

interface DeliveryFilter extends Omit<z.output<ReturnType<typeof DELIVERIES_QUERY>>, keyof typeof LIST_PARAMETERS> {
  readonly from: number | null
  readonly to: number | null
}

interface Row {
  readonly seq: number
  readonly id: string
  readonly eventId: string
  readonly kind: DeliveryKind
  readonly route: string
  readonly destination: string
  readonly target: string
  readonly severity: Severity
  readonly state: DeliveryState
  readonly reason: DeliveryItem['reason']
  readonly detail: string | null
  readonly createdAt: number
  readonly finishedAt: number | null
  readonly nextAttemptAt: number
  readonly replayOf: string
  readonly receivedAt: number
  readonly taskId: string
  readonly suppressedBy: string | null
}

/** Facts about deliveries from outside of their table. */
export interface DeliveryContext {
  /** The type of a destination; null when it is not in the configuration any more. */
  readonly typeOf: (destination: string) => string | null
  /** The execution of the retry that followed an event; null when none was started. */
  readonly retryOf: (taskId: string, eventId: string) => string | null
}

const SELECT = `delivery.seq, delivery.id, event_id AS eventId, kind, route, destination, target, delivery.severity,
  delivery.state, delivery.reason, detail, suppressed_by AS suppressedBy, task_id AS taskId, created_at AS createdAt, finished_at AS finishedAt,
  delivery.next_attempt_at AS nextAttemptAt, replay_of AS replayOf, received_at AS receivedAt
  FROM delivery JOIN event ON event.id = event_id`

/** Newest first. */
export async function listDeliveries(
  db: Database,
  filter: DeliveryFilter,
  page: { readonly before: number | null; readonly limit: number },
  context: DeliveryContext,
): Promise<Page<DeliveryItem & { readonly seq: number }>> {
  const times = { column: 'created_at', from: filter.from, to: filter.to }
  const query = {
    select: SELECT,
    seq: 'delivery.seq',
    table: 'delivery',
    where: deliveriesWhere(filter),
    times,
    ...page,
  }
  const { rows, ...rest } = await readPage<Row>(db, query)
  return { rows: rows.map((row) => ({ seq: row.seq, ...deliveryItem(row, context) })), ...rest }
}

export function deliveriesWhere(filter: DeliveryFilter): Where {
  return allOf([
    oneOfIds('delivery.id', filter.id),
    oneOfIds('event_id', filter.eventId),
    oneOfRare('delivery.state', filter.state, 'delivered'),
    oneOf('delivery.reason', filter.reason),
    oneOf('kind', filter.kind),
    oneOf('destination', filter.destination),
    oneOf('route', filter.route),
    oneOfIds('task_id', filter.taskId),
    // The plus: the sequence numbers bound the search, not the index of times.
    between('+created_at', filter.from, filter.to),
  ])
}

/** All deliveries of an event, oldest first. */
export function deliveriesOf(db: Database, eventId: string, context: DeliveryContext): DeliveryDetail[] {
  return db
    .all<Row>(`SELECT ${SELECT} WHERE event_id = ? ORDER BY delivery.seq`, eventId)
    .map((row) => detailed(db, row, context))
}

/** Null when there is none (any more). */
function findDelivery(db: Database, id: string, context: DeliveryContext): DeliveryDetail | null {
  const row = db.get<Row>(`SELECT ${SELECT} WHERE delivery.id = ?`, id)
  return row ? detailed(db, row, context) : null
}

function detailed(db: Database, row: Row, context: DeliveryContext): DeliveryDetail {
  const message = db.get<{ subject: string | null; body: string | null; bytes: number | null }>(
    'SELECT subject, body, body_bytes AS bytes FROM delivery WHERE seq = ?',
    row.seq,
  )
  const attempts = db.all<{ n: number; at: number; durationMs: number; result: string; detail: string }>(
    'SELECT n, at, duration_ms AS durationMs, result, detail FROM delivery_attempt WHERE delivery_id = ? ORDER BY n',
    row.id,
  )
  const { body = null, subject = null, bytes = null } = message ?? {}
  return {
    ...deliveryItem(row, context),
    message: body === null ? null : { subject, bytes: bytes ?? Buffer.byteLength(body), body },
    attempts: attempts.map(({ n, at, durationMs, result, detail }) => ({
      n,
      at: new Date(at).toISOString(),
      durationMs,
      result: (RESULTS[result] ?? result) as AttemptResult,
      detail,
    })),
  }
}

type AttemptResult = DeliveryDetail['attempts'][number]['result']

/** Stored results in the words of the metrics; `ok` is the same in both. */
const RESULTS: Readonly<Record<string, string>> = { retry: 'temporary', rejected: 'permanent' }

function deliveryItem(row: Row, context: DeliveryContext): DeliveryItem {
  const isDelivered = row.state === 'delivered' && row.finishedAt !== null
  return {
    id: row.id,
    eventId: row.eventId,
    kind: row.kind,
    route: row.route || null,
    destination: row.destination,
    destinationType: context.typeOf(row.destination),
    target: row.target,
    severity: row.severity,
    state: row.state,
    reason: row.reason,
    detail: row.detail,
    suppressedBy: suppressedBy(row, context),
    createdAt: new Date(row.createdAt).toISOString(),
    deliveredAt: isDelivered ? new Date(row.finishedAt).toISOString() : null,
    latencyMs: isDelivered ? row.finishedAt - row.receivedAt : null,
    // A node that works alone leaves it to the leader.
    nextAttemptAt:
      row.state === 'pending' && row.nextAttemptAt < PARKED_AT ? new Date(row.nextAttemptAt).toISOString() : null,
    replayOf: row.replayOf || null,
  }
}

function suppressedBy(row: Row, { retryOf }: DeliveryContext): DeliveryItem['suppressedBy'] {
  const { retry, ...by } = storedJson<SuppressedBy>(row.suppressedBy, {})
  if (!row.suppressedBy) return null
  return retry ? { retry: { ...retry, executionId: retryOf(row.taskId, row.eventId) } } : by
}
