/** `/v4/events`: what arrived, and what became of it. */
import type { TaskEvent } from '../../events/types.ts'
import { onlyParameters, wordsParameter } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { type Refusal, refusedWithCode } from '../../http/errors.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { deliveriesOf, type TypeOf } from './deliveries.ts'
import * as about from './event-descriptions.ts'
import { deliveryCounts, eventItem, findEvent, listDropped, listEvents, NO_DELIVERIES, textOf } from './events.ts'
import { DROPPED_PARAMETERS, eventFilter, idIn, listAnswer, pageOf } from './queries.ts'
import { DROP_REASONS } from './words.ts'

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
  const common = { methods: ['GET'], endpoint: null, scope: 'event:read' } as const
  return [
    { ...common, path: '/v4/events', ...about.EVENTS, handle: (request) => list(deps, request) },
    { ...common, path: '/v4/events/dropped', ...about.DROPPED, handle: (request) => dropped(deps, request) },
    { ...common, path: '/v4/events/{id}', ...about.EVENT, handle: (request) => detail(deps, request) },
  ]
}

async function list({ db, clock }: EventRoutesDeps, { query }: ApiRequest): Promise<Response> {
  const page = await listEvents(db, eventFilter(query, clock.now()), pageOf(query))
  return jsonAnswer(200, listAnswer('events', page))
}

async function dropped({ db }: EventRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, DROPPED_PARAMETERS)
  const page = await listDropped(db, wordsParameter(query, 'reason', DROP_REASONS), pageOf(query))
  return jsonAnswer(200, listAnswer('dropped', page))
}

function detail(deps: EventRoutesDeps, request: ApiRequest): Response {
  onlyParameters(request.query, [])
  const { db } = deps
  const id = idIn(request)
  const row = findEvent(db, id)
  const event = row && deps.loadEvent(id)
  if (!row || !event) throw eventNotFound(id, deps.keepMs)
  const raw = row.journalId === null ? null : deps.rawOf(row.journalId)
  return jsonAnswer(200, {
    ...eventItem(row, deliveryCounts(db, [id]).get(id) ?? NO_DELIVERIES),
    raw: raw && textOf(raw),
    from: row.sender || null,
    record: deps.recordOf(event),
    deliveries: deliveriesOf(db, id, deps.typeOf),
  })
}

export function eventNotFound(id: string, keepMs: number): Refusal {
  const days = Math.round(keepMs / DAY_MS)
  const details = `No event has the id ${id}. Events are kept for ${days} ${days === 1 ? 'day' : 'days'}.`
  return refusedWithCode(404, 'EVENT_NOT_FOUND', 'Event not found', details)
}
