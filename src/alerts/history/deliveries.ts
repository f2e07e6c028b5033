/** Deliveries: which message went where and when, or why it did not; dead letters are sent again (`/v4/deliveries`). */
import { z } from 'zod'
import { PARKED_AT } from '../../cluster/leave.ts'
import type { Severity } from '../../events/types.ts'
import { LIST_PARAMETERS, readQuery } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { isObject, strictBody } from '../../http/endpoint/validation.ts'
import { type Refusal, refusal } from '../../http/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { once } from '../../platform/once.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { Attempt } from '../outbox/store.ts'
import type { SuppressedBy } from '../rules/contract.ts'
import type { DeliveryKind, DeliveryState } from '../types.ts'
import {
  CANCEL_DELIVERY,
  DELIVERIES,
  DELIVERY,
  type DeliveriesQuery,
  type Delivery,
  type DeliveryDetail,
  RESEND_DEAD_LETTERS,
  RESEND_DELIVERY,
} from './contract.ts'
import {
  allOf,
  answered,
  between,
  idOf,
  oneOf,
  oneOfIds,
  oneOfRare,
  type Page,
  pageOf,
  readPage,
  type Where,
} from './lists.ts'
import { cancelDelivery, type DeadLetterFilter, resendDeadLetters, resendDelivery } from './resend.ts'

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
      ...DELIVERIES,
      scope: 'event:read',
      summary: 'List deliveries',
      description: 'Every message with its destination and result; newest first.',
      examples: [
        {
          name: 'dead-letters',
          query: { state: 'dead' },
          status: 200,
          answer: { deliveries: [], nextCursor: null, partial: false },
        },
        { name: 'pending', query: { state: 'pending' }, status: 200 },
      ],
      async handle({ query }, answer) {
        const now = clock.now()
        const filter = { ...query, from: query.from?.(now) ?? null, to: query.to?.(now) ?? null }
        const page = await listDeliveries(db, filter, pageOf(query), deps)
        const { rows, ...rest } = answered(page)
        return answer(200, { deliveries: rows, ...rest })
      },
    }),
    route({
      ...DELIVERY,
      scope: 'event:read',
      summary: 'One delivery with its message and attempts',
      examples: [
        {
          name: 'dead',
          params: from(DELIVERIES, { id: '$response.body#/deliveries/0/id' }, 'dead-letters'),
          status: 200,
        },
      ],
      handle({ params }, answer) {
        const id = idOf(params)
        const found = findDelivery(db, id, deps)
        if (!found) throw deliveryNotFound(id)
        return answer(200, found)
      },
    }),
    route({
      ...RESEND_DEAD_LETTERS,
      scope: 'event:run',
      action: 'delivery.resend',
      summary: 'Send dead letters again',
      description:
        'All deliveries that were given up and that the members given select; without ids, points of monitors for InfluxDB too.',
      body: undefined,
      readByHandler: () => ({ body: RESEND_DEAD_LETTERS.body() }),
      examples: [
        {
          name: 'of-a-destination',
          body: { destination: ['ops-mail'], from: '24h' },
          status: 202,
          answer: { resent: 0 },
        },
      ],
      handle: async (request, answer) => answer(202, { resent: await resendMany(deps, request) }),
    }),
    route({
      ...RESEND_DELIVERY,
      scope: 'event:run',
      action: 'delivery.resend',
      summary: 'Send a delivery again',
      description:
        'A dead or suppressed delivery becomes pending again, with the same Message-ID. For a delivered one, a new delivery is made.',
      body: undefined,
      readByHandler: () => ({ body: RESEND_DELIVERY.body() }),
      examples: [
        {
          name: 'dead',
          params: from(DELIVERIES, { id: '$response.body#/deliveries/0/id' }, 'dead-letters'),
          status: 202,
        },
      ],
      async handle(request, answer) {
        emptyBody(request)
        const id = idOf(request.params)
        request.note({ target: [id] })
        const resent = await deps.writer.write((tx) => resendDelivery(tx, id, clock.now()))
        if (resent.kind === 'unknown') throw deliveryNotFound(id)
        if (resent.kind === 'open') {
          throw refusal('NOT_RESENDABLE', 'The delivery is still under way: its next attempt comes by itself.')
        }
        deps.wake(new Set([resent.lane]))
        return answer(202, { id: resent.id, state: 'pending', ...(resent.kind === 'copied' && { replayOf: id }) })
      },
    }),
    route({
      ...CANCEL_DELIVERY,
      scope: 'event:run',
      action: 'delivery.cancel',
      summary: 'Call a delivery off',
      body: undefined,
      readByHandler: () => ({ body: CANCEL_DELIVERY.body() }),
      examples: [
        {
          name: 'pending',
          params: from(DELIVERIES, { id: '$response.body#/deliveries/0/id' }, 'pending'),
          status: 200,
        },
      ],
      async handle(request, answer) {
        emptyBody(request)
        const id = idOf(request.params)
        request.note({ target: [id] })
        const how = { by: request.caller.actor, now: clock.now(), isUnderWay: deps.isUnderWay }
        const result = await deps.writer.write((tx) => cancelDelivery(tx, id, how))
        if (result.kind === 'unknown') throw deliveryNotFound(id)
        if (result.kind === 'tooLate') throw refusal('NOT_CANCELLABLE', 'Only a pending delivery can be cancelled.')
        deps.wake(new Set([result.lane]))
        return answer(200, { id, state: 'dead', reason: 'CANCELLED' })
      },
    }),
  ]
}

/** How many are under way again. */
async function resendMany(
  deps: DeliveryRoutesDeps,
  request: Pick<ApiRequest, 'body' | 'times' | 'note'>,
): Promise<number> {
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
  return resent
}

function selectedQueues(queues: readonly DeadLetterQueue[], { id, destination }: DeadLetterFilter) {
  return queues.filter((queue) => id === null && (destination === null || destination.includes(queue.destination)))
}

/** Throws 400 when no member selects deliveries. */
function deadLetterFilter(body: unknown, now: number, site: ZoneTimes): DeadLetterFilter {
  const { id, destination, reason, from, to } = strictBody(RESEND_DEAD_LETTERS.body(), body ?? {})
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

/** Nothing, or `{}`. */
function emptyBody({ body }: Pick<ApiRequest, 'body'>): void {
  if (body === undefined || (isObject(body) && Object.keys(body).length === 0)) return
  strictBody(RESEND_DELIVERY.body().unwrap(), body)
}

function deliveryNotFound(id: string): Refusal {
  const details = `No delivery has the id ${id}. Deliveries are kept as long as their events.`
  return refusal('DELIVERY_NOT_FOUND', details)
}

interface DeliveryFilter extends Omit<DeliveriesQuery, keyof typeof LIST_PARAMETERS> {
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
  readonly reason: Delivery['reason']
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
): Promise<Page<Delivery & { readonly seq: number }>> {
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
  const attempts = db.all<Omit<Attempt, 'deliveryId'>>(
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
      result: RESULTS[result],
      detail,
    })),
  }
}

/** Stored results in the words of the metrics. */
const RESULTS = { ok: 'ok', retry: 'temporary', rejected: 'permanent' } as const

function deliveryItem(row: Row, context: DeliveryContext): Delivery {
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

function suppressedBy(row: Row, { retryOf }: DeliveryContext): Delivery['suppressedBy'] {
  const { retry, ...by } = storedJson<SuppressedBy>(row.suppressedBy, {})
  if (!row.suppressedBy) return null
  return retry ? { retry: { ...retry, executionId: retryOf(row.taskId, row.eventId) } } : by
}
