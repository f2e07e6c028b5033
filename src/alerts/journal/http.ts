/** `/v4/events`: what arrived and what became of it; `/v4/deliveries`: who was told what and when; `/v4/stream`: both as they happen. */
import { z } from 'zod'
import type { TaskEvent } from '../../events/types.ts'
import { requireScope } from '../../http/endpoint/caller.ts'
import type { EventStreams } from '../../http/endpoint/event-stream.ts'
import type { Idempotency } from '../../http/endpoint/idempotency.ts'
import {
  invalidQuery,
  LIST_PARAMETERS,
  NO_QUERY,
  onlyParameters,
  timeParameter,
  wordsParameter,
} from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, route } from '../../http/endpoint/route.ts'
import { field, isObject, strictBody } from '../../http/endpoint/validation.ts'
import { type Refusal, refusal } from '../../http/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { type ChangeFeed, TOPICS, type Topic } from './change-feed.ts'
import { deliveriesOf, findDelivery, listDeliveries, type TypeOf } from './deliveries.ts'
import { deliveryCounts, eventItem, findEvent, listDropped, listEvents, NO_DELIVERIES, textOf } from './events.ts'
import { deliveryFilter, eventFilter, idOf, listAnswer, pageOf } from './queries.ts'
import { cancelDelivery, type DeadLetterFilter, resendDeadLetters, resendDelivery } from './resend.ts'
import * as words from './words.ts'

const text = z.string().nullable()

const DELIVERY_ITEM = z.object({
  id: z.string(),
  eventId: z.string(),
  kind: z.enum(words.KINDS),
  route: text,
  destination: z.string(),
  destinationType: text,
  target: z.string().describe('What a person recognises: an address, a channel, the host of a URL.'),
  severity: z.enum(words.SEVERITIES),
  state: z.enum(words.DELIVERY_STATES),
  reason: z.enum(words.DELIVERY_REASONS).nullable(),
  detail: text,
  createdAt: z.string(),
  deliveredAt: text,
  latencyMs: z.number().nullable().describe('From the arrival of the event.'),
  nextAttemptAt: text,
  replayOf: text,
})

const DELIVERY_DETAIL = DELIVERY_ITEM.extend({
  message: z
    .object({ subject: text, bytes: z.int(), body: z.string().describe('Cut at 64 KB.') })
    .nullable()
    .describe('What was sent; null before the first attempt.'),
  attempts: z.array(
    z.object({
      n: z.int(),
      at: z.string(),
      durationMs: z.number(),
      result: z.enum(['ok', 'temporary', 'permanent']),
      detail: z.string(),
    }),
  ),
})

const count = z.int()

const EVENT_ITEM = z.object({
  id: z.string(),
  receivedAt: z.string(),
  source: z.enum(words.EVENT_SOURCES),
  type: z.enum(words.EVENT_TYPES),
  outcome: z.enum(words.EVENT_OUTCOMES),
  severity: z.enum(words.SEVERITIES),
  state: z.enum(words.EVENT_STATES as [string, ...string[]]),
  reason: text.describe('Why it was ignored.'),
  title: z.string(),
  host: text,
  user: text,
  taskId: text,
  taskName: text,
  appId: text,
  appName: text,
  executionId: text,
  consecutiveFailures: count.nullable(),
  missingParts: z.array(z.string()).describe('What Qlik Sense did not tell in time.'),
  test: z.boolean(),
  deliveryCounts: z.object({ pending: count, sending: count, delivered: count, suppressed: count, dead: count }),
})

const EVENT_DETAIL = EVENT_ITEM.extend({
  raw: text.describe('The datagram, as long as it is kept.'),
  from: text.describe('Address of the sender.'),
  record: z.record(z.string(), z.unknown()).describe('The variables that templates see.'),
  deliveries: z.array(DELIVERY_DETAIL),
})

const EVENT_PARAMS = z.object({ id: z.string().describe('Id of the event.') })

const EVENTS_QUERY = z.object({
  type: words.anyOf(words.EVENT_TYPES),
  outcome: words.anyOf(words.EVENT_OUTCOMES),
  source: words.anyOf(words.EVENT_SOURCES),
  state: words.anyOf(words.EVENT_STATES),
  severity: words.anyOf(words.SEVERITIES),
  taskId: words.anyText('Id of the task.'),
  appId: words.anyText('Id of the app.'),
  executionId: words.anyText('Id of the execution.'),
  host: words.anyText('Name of the sending node.'),
  q: z.string().describe('Text in the name of task or app, or in the message.').optional(),
  ...LIST_PARAMETERS,
})

const DROPPED_ITEM = z.object({ at: z.string(), from: z.string(), reason: z.string(), raw: z.string() })

const DROPPED_QUERY = z.object({
  reason: words.anyOf(words.DROP_REASONS),
  limit: LIST_PARAMETERS.limit,
  cursor: LIST_PARAMETERS.cursor,
})

export interface EventRoutesDeps {
  readonly db: Database
  readonly clock: Clock
  readonly typeOf: TypeOf
  /** The complete record of an event; null when it is not stored any more. */
  readonly loadEvent: (id: string) => TaskEvent | null
  /** What templates see of an event. */
  readonly recordOf: (event: TaskEvent) => Readonly<Record<string, unknown>>
  /** The datagram that announced it; null when there was none or it has been removed. */
  readonly rawOf: (journalId: number) => Uint8Array | null
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const DAY_MS = 86_400_000

export function eventRoutes(deps: EventRoutesDeps): ApiRoute[] {
  const { db, clock } = deps
  return [
    route({
      method: 'GET',
      path: '/v4/events',
      scope: 'event:read',
      summary: 'List events',
      description: 'Everything that may cause a message, newest first.',
      readByHandler: { query: EVENTS_QUERY },
      answers: { 200: z.object({ events: z.array(EVENT_ITEM), nextCursor: text }).describe('The events.') },
      examples: [
        {
          name: 'failures-of-a-day',
          query: { outcome: 'failed', from: '24h' },
          status: 200,
          answer: { events: [], nextCursor: null },
        },
      ],
      async handle({ query }) {
        const page = await listEvents(db, eventFilter(query, clock.now()), pageOf(query))
        return jsonAnswer(200, listAnswer('events', page))
      },
    }),
    route({
      method: 'GET',
      path: '/v4/events/dropped',
      scope: 'event:read',
      summary: 'Datagrams that did not become events',
      description: 'The last 1,000, newest first, each with its reason.',
      readByHandler: { query: DROPPED_QUERY },
      answers: { 200: z.object({ dropped: z.array(DROPPED_ITEM), nextCursor: text }).describe('The datagrams.') },
      examples: [
        { name: 'duplicates', query: { reason: 'DUPLICATE' }, status: 200, answer: { dropped: [], nextCursor: null } },
      ],
      async handle({ query }) {
        onlyParameters(query, Object.keys(DROPPED_QUERY.shape))
        const page = await listDropped(db, wordsParameter(query, 'reason', words.DROP_REASONS), pageOf(query))
        return jsonAnswer(200, listAnswer('dropped', page))
      },
    }),
    route({
      method: 'GET',
      path: '/v4/events/{id}',
      scope: 'event:read',
      summary: 'One event with its deliveries',
      params: EVENT_PARAMS,
      query: NO_QUERY,
      answers: { 200: EVENT_DETAIL.describe('The event.') },
      handle: ({ params }) => jsonAnswer(200, eventDetail(deps, idOf(params))),
    }),
  ]
}

function eventDetail(deps: EventRoutesDeps, id: string) {
  const { db } = deps
  const row = findEvent(db, id)
  const event = row && deps.loadEvent(id)
  if (!row || !event) throw eventNotFound(id, deps.keepMs)
  const raw = row.journalId === null ? null : deps.rawOf(row.journalId)
  return {
    ...eventItem(row, deliveryCounts(db, [id]).get(id) ?? NO_DELIVERIES),
    raw: raw && textOf(raw),
    from: row.sender || null,
    record: deps.recordOf(event),
    deliveries: deliveriesOf(db, id, deps.typeOf),
  }
}

export function eventNotFound(id: string, keepMs: number): Refusal {
  const days = Math.round(keepMs / DAY_MS)
  const details = `No event has the id ${id}. Events are kept for ${days} ${days === 1 ? 'day' : 'days'}.`
  return refusal('EVENT_NOT_FOUND', details)
}

const DELIVERIES_QUERY = z.object({
  eventId: words.anyText('Id of the event.'),
  state: words.anyOf(words.DELIVERY_STATES),
  reason: words.anyOf(words.DELIVERY_REASONS),
  kind: words.anyOf(words.KINDS),
  destination: words.anyText('Name of the destination.'),
  route: words.anyText('Name of the route.'),
  taskId: words.anyText('Id of the task.'),
  ...LIST_PARAMETERS,
})

const DELIVERY_PARAMS = z.object({ id: z.string().describe('Id of the delivery.') })
const NO_BODY = z.object({}).optional()
const RESENT = z.object({ id: z.string(), state: z.literal('pending'), replayOf: z.string().optional() })
const CANCELLED = z.object({ id: z.string(), state: z.literal('dead'), reason: z.literal('CANCELLED') })

const names = (what: string) => field.array(field.string()).describe(what).nullish()

const DEAD_LETTERS_BODY = z.object({
  id: names('Ids of deliveries.').transform((value) => value ?? undefined),
  destination: names('Names of destinations.').transform((value) => value ?? undefined),
  reason: names('Why they were given up.').transform((value) => value ?? undefined),
  from: z.string().nullish().describe('Created at or after this time, or so long ago at most, like `24h`.'),
  to: z.string().nullish().describe('Created before this time.'),
})

export interface DeliveryRoutesDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly idempotency: Idempotency
  readonly typeOf: TypeOf
  /** Deliveries in these lanes became pending. */
  readonly wake: (lanes: ReadonlySet<string>) => void
  readonly isUnderWay: (lane: string, seq: number) => boolean
  /** Dead letters that are no deliveries: what monitors have measured. */
  readonly others?: OtherDeadLetters
}

export interface OtherDeadLetters {
  readonly destination: string
  /** Runs in a transaction; returns how many are under way again. */
  resend(db: Database, filter: Pick<DeadLetterFilter, 'reason' | 'from' | 'to'>, now: number): number
  wake(): void
}

/** Bodies are read behind the key of a repeat: a key that was used is refused whatever the body. */
export function deliveryRoutes(deps: DeliveryRoutesDeps): ApiRoute[] {
  const { db, clock, typeOf, idempotency } = deps
  return [
    route({
      method: 'GET',
      path: '/v4/deliveries',
      scope: 'event:read',
      summary: 'List deliveries',
      description: 'Who was told what and when, and why not; newest first.',
      readByHandler: { query: DELIVERIES_QUERY },
      answers: { 200: z.object({ deliveries: z.array(DELIVERY_ITEM), nextCursor: text }).describe('The deliveries.') },
      examples: [
        { name: 'dead-letters', query: { state: 'dead' }, status: 200, answer: { deliveries: [], nextCursor: null } },
      ],
      async handle({ query }) {
        const page = await listDeliveries(db, deliveryFilter(query, clock.now()), pageOf(query), typeOf)
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
      answers: { 200: DELIVERY_DETAIL.describe('The delivery.') },
      handle({ params }) {
        const id = idOf(params)
        const found = findDelivery(db, id, typeOf)
        if (!found) throw deliveryNotFound(id)
        return jsonAnswer(200, found)
      },
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/deliveries/-/resend',
      scope: 'event:run',
      audit: 'delivery.resend',
      summary: 'Send dead letters again',
      description:
        'All deliveries that were given up and that the members given select; without ids, points of monitors for InfluxDB too.',
      readByHandler: { body: DEAD_LETTERS_BODY },
      answers: { 202: z.object({ resent: z.int() }).describe('How many are under way.') },
      examples: [
        {
          name: 'of-a-destination',
          body: { destination: ['ops-mail'], from: '24h' },
          status: 202,
          answer: { resent: 0 },
        },
      ],
      handle: (request) => idempotency.once(request, () => resendMany(deps, request)),
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/deliveries/{id}/resend',
      scope: 'event:run',
      audit: 'delivery.resend',
      summary: 'Send a delivery again',
      description:
        'What was given up or held back becomes pending again, with the same Message-ID. Of what was delivered a new delivery is made.',
      params: DELIVERY_PARAMS,
      readByHandler: { body: NO_BODY },
      answers: { 202: RESENT.describe('It is under way.'), 409: 'It is still under way.' },
      handle: (request) => idempotency.once(request, () => resendOne(deps, request)),
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/deliveries/{id}/cancel',
      scope: 'event:run',
      audit: 'delivery.cancel',
      summary: 'Call a delivery off',
      params: DELIVERY_PARAMS,
      readByHandler: { body: NO_BODY },
      answers: { 200: CANCELLED.describe('It is not going to be sent.'), 409: 'It is not pending.' },
      handle: (request) => cancel(deps, request),
    }),
  ]
}

async function resendOne(deps: DeliveryRoutesDeps, request: ApiRequest): Promise<Response> {
  emptyBody(request)
  const id = idOf(request.params)
  request.note({ target: [id] })
  const resent = await deps.writer.write((db) => resendDelivery(db, id, deps.clock.now()))
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
  const filter = deadLetterFilter(request.body, deps.clock.now())
  const others = concerned(deps.others, filter)
  const { deliveries, more } = await deps.writer.write((db) => ({
    deliveries: resendDeadLetters(db, filter, deps.clock.now()),
    more: others?.resend(db, filter, deps.clock.now()) ?? 0,
  }))
  const resent = deliveries.resent + more
  request.note({ detail: `${resent} resent` })
  deps.wake(deliveries.lanes)
  if (more > 0) others?.wake()
  return jsonAnswer(202, { resent })
}

function concerned(others: OtherDeadLetters | undefined, { id, destination }: DeadLetterFilter) {
  const isNamed = others && id === null && (destination === null || destination.includes(others.destination))
  return isNamed ? others : undefined
}

/** Throws 400 when nothing is named that would select. */
function deadLetterFilter(body: unknown, now: number): DeadLetterFilter {
  const { id, destination, reason, from, to } = strictBody(DEAD_LETTERS_BODY, body ?? {})
  const list = (values: readonly string[] | undefined) => (values && values.length > 0 ? values : null)
  const time = (name: string, text: string | null | undefined) =>
    text ? timeParameter({ [name]: text }, name, now) : null
  const filter = {
    ...{ id: list(id), destination: list(destination), reason: list(reason) },
    ...{ from: time('from', from), to: time('to', to) },
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
  const result = await deps.writer.write((db) => cancelDelivery(db, id, how))
  if (result.kind === 'unknown') throw deliveryNotFound(id)
  if (result.kind === 'tooLate') throw refusal('NOT_CANCELLABLE', 'Only a pending delivery can be cancelled.')
  if (result.kind === 'cancelled') deps.wake(new Set([result.lane]))
  return jsonAnswer(200, { id, state: 'dead', reason: 'CANCELLED' })
}

/** Nothing, or `{}`. */
function emptyBody({ body }: ApiRequest): void {
  if (body === undefined || (isObject(body) && Object.keys(body).length === 0)) return
  strictBody(NO_BODY.unwrap(), body)
}

function deliveryNotFound(id: string): Refusal {
  const details = `No delivery has the id ${id}. Deliveries are kept as long as their events.`
  return refusal('DELIVERY_NOT_FOUND', details)
}

const STREAM_QUERY = z.object({ topic: words.anyOf(TOPICS) })

/** What a topic needs beyond the scope of the endpoint. */
const SCOPES: Readonly<Record<Topic, string>> = {
  event: 'event:read',
  delivery: 'event:read',
  execution: 'task:read',
  schedule: 'schedule:read',
  file: 'file:write',
}

export interface StreamRoutesDeps {
  readonly feed: ChangeFeed
  readonly streams: EventStreams
}

export function streamRoutes({ feed, streams }: StreamRoutesDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/stream',
      scope: 'event:read',
      summary: 'Follow what happens as server-sent events',
      description:
        'Each change of state is one message; its `id` is a sequence number, and a connection that begins with `Last-Event-ID` goes on after that one.',
      readByHandler: { query: STREAM_QUERY },
      answers: { 200: z.string().describe('The stream.'), 503: 'Too many streams are open.' },
      handle(request) {
        onlyParameters(request.query, Object.keys(STREAM_QUERY.shape))
        const topics = topicsOf(request)
        const after = lastEventId(request)
        return streams.open(() => feed.source(topics, after))
      },
    }),
  ]
}

/** The topics asked for, each of which the caller must be allowed to read; else all that it may. */
function topicsOf({ query, caller }: ApiRequest): readonly Topic[] {
  const asked = wordsParameter(query, 'topic', TOPICS)
  if (!asked) return TOPICS.filter((topic) => caller.may(SCOPES[topic]))
  for (const topic of asked) requireScope(caller, SCOPES[topic])
  return asked
}

function lastEventId({ headers }: ApiRequest): number | null {
  const id = headers.get('last-event-id')
  if (id === null || id === '') return null
  if (/^\d{1,15}$/.test(id)) return Number(id)
  throw invalidQuery([{ path: 'Last-Event-ID', message: 'must be the id of a message of this stream' }])
}
