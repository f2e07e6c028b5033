/** `/v4/deliveries`: who was told what and when; sending again and calling off. */

import type { Idempotency } from '../../http/endpoint/idempotency.ts'
import { onlyParameters, timeParameter } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { isObject, strictBody } from '../../http/endpoint/validation.ts'
import { type Refusal, refusedWithCode } from '../../http/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { findDelivery, listDeliveries, type TypeOf } from './deliveries.ts'
import * as about from './delivery-descriptions.ts'
import { deliveryFilter, idIn, listAnswer, pageOf } from './queries.ts'
import { cancelDelivery, type DeadLetterFilter, resendDeadLetters, resendDelivery } from './resend.ts'

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

export function deliveryRoutes(deps: DeliveryRoutesDeps): ApiRoute[] {
  const read = { methods: ['GET'], endpoint: null, scope: 'event:read' } as const
  const run = { methods: ['POST', 'PUT'], endpoint: null, scope: 'event:run' } as const
  const once = (act: (deps: DeliveryRoutesDeps, request: ApiRequest) => Promise<Response>) => (request: ApiRequest) =>
    deps.idempotency.once(request, () => act(deps, request))
  return [
    { ...read, path: '/v4/deliveries', ...about.DELIVERIES, handle: (request) => list(deps, request) },
    { ...read, path: '/v4/deliveries/{id}', ...about.DELIVERY, handle: (request) => detail(deps, request) },
    {
      ...run,
      path: '/v4/deliveries/-/resend',
      action: 'delivery.resend',
      ...about.RESEND_ALL,
      handle: once(resendMany),
    },
    { ...run, path: '/v4/deliveries/{id}/resend', action: 'delivery.resend', ...about.RESEND, handle: once(resendOne) },
    {
      ...run,
      path: '/v4/deliveries/{id}/cancel',
      action: 'delivery.cancel',
      ...about.CANCEL,
      handle: (request) => cancel(deps, request),
    },
  ]
}

async function list({ db, clock, typeOf }: DeliveryRoutesDeps, { query }: ApiRequest): Promise<Response> {
  const page = await listDeliveries(db, deliveryFilter(query, clock.now()), pageOf(query), typeOf)
  return jsonAnswer(200, listAnswer('deliveries', page))
}

function detail({ db, typeOf }: DeliveryRoutesDeps, request: ApiRequest): Response {
  onlyParameters(request.query, [])
  const id = idIn(request)
  const found = findDelivery(db, id, typeOf)
  if (!found) throw deliveryNotFound(id)
  return jsonAnswer(200, found)
}

async function resendOne(deps: DeliveryRoutesDeps, request: ApiRequest): Promise<Response> {
  emptyBody(request)
  const id = idIn(request)
  request.note({ target: [id] })
  const resent = await deps.writer.write((db) => resendDelivery(db, id, deps.clock.now()))
  if (resent.kind === 'unknown') throw deliveryNotFound(id)
  if (resent.kind === 'open') {
    const details = 'The delivery is still under way: its next attempt comes by itself.'
    throw refusedWithCode(409, 'NOT_RESENDABLE', 'Not resendable', details)
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
  const { id, destination, reason, from, to } = strictBody(about.DEAD_LETTER_FILTER, body ?? {})
  const list = (values: readonly string[] | undefined) => (values && values.length > 0 ? values : null)
  const time = (name: string, text: string | null | undefined) =>
    text ? timeParameter({ [name]: text }, name, now) : null
  const filter = {
    ...{ id: list(id), destination: list(destination), reason: list(reason) },
    ...{ from: time('from', from), to: time('to', to) },
  }
  if (Object.values(filter).every((value) => value === null)) {
    const details = 'Name at least one of id, destination, reason, from and to.'
    throw refusedWithCode(400, 'NOTHING_SELECTED', 'Nothing selected', details)
  }
  return filter
}

async function cancel(deps: DeliveryRoutesDeps, request: ApiRequest): Promise<Response> {
  emptyBody(request)
  const id = idIn(request)
  request.note({ target: [id] })
  const { isUnderWay, clock } = deps
  const how = { by: request.caller.actor, now: clock.now(), isUnderWay }
  const result = await deps.writer.write((db) => cancelDelivery(db, id, how))
  if (result.kind === 'unknown') throw deliveryNotFound(id)
  if (result.kind === 'tooLate') {
    throw refusedWithCode(409, 'NOT_CANCELLABLE', 'Not cancellable', 'Only a pending delivery can be cancelled.')
  }
  if (result.kind === 'cancelled') deps.wake(new Set([result.lane]))
  return jsonAnswer(200, { id, state: 'dead', reason: 'CANCELLED' })
}

/** Nothing, or `{}`. */
function emptyBody({ body }: ApiRequest): void {
  if (body === undefined || (isObject(body) && Object.keys(body).length === 0)) return
  strictBody({}, body)
}

function deliveryNotFound(id: string): Refusal {
  const details = `No delivery has the id ${id}. Deliveries are kept as long as their events.`
  return refusedWithCode(404, 'DELIVERY_NOT_FOUND', 'Delivery not found', details)
}
