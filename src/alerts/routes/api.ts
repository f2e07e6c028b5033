/** `/v4/alertroutes` and `/v4/destinations`: which routes there are, which one fires, and how destinations fare. */
import type { TaskEvent } from '../../events/types.ts'
import { onlyParameters } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { invalidBody, strictBody } from '../../http/endpoint/validation.ts'
import { refusedWithCode } from '../../http/errors.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid, uuidV7 } from '../../platform/uuid.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { eventNotFound } from '../journal/event-routes.ts'
import type { Peers } from '../outbox/peers.ts'
import type { Destination } from '../types.ts'
import * as about from './descriptions.ts'
import { type ExplainDeps, explainEvent } from './explain.ts'
import { type Sample, sampleFacts, sampleOf } from './sample.ts'

export interface AlertRouteApiDeps extends ExplainDeps {
  readonly clock: Clock
  readonly qrs: Pick<QrsClient, 'taskById' | 'tasks' | 'appById' | 'owner'>
  readonly loadEvent: (id: string) => TaskEvent | null
  readonly destinations: ReadonlyMap<string, Destination>
  readonly peers: Pick<Peers, 'state'>
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const QRS_TIMEOUT_MS = 10_000

export function alertRouteApi(deps: AlertRouteApiDeps): ApiRoute[] {
  const common = { endpoint: null, scope: 'event:read' } as const
  return [
    { ...common, methods: ['GET'], path: '/v4/alertroutes', ...about.LIST, handle: (request) => list(deps, request) },
    {
      ...{ ...common, methods: ['POST', 'PUT'], path: '/v4/alertroutes/explain', audit: 'refused', ...about.EXPLAIN },
      handle: (request) => explain(deps, request),
    },
    {
      ...{ ...common, methods: ['GET'], path: '/v4/destinations', ...about.DESTINATIONS },
      handle: (request) => destinations(deps, request),
    },
  ]
}

function list({ listed }: AlertRouteApiDeps, { query }: ApiRequest): Response {
  onlyParameters(query, [])
  return jsonAnswer(200, { alertRoutes: listed.map(({ name, origin, enable, to }) => ({ name, origin, enable, to })) })
}

async function explain(deps: AlertRouteApiDeps, request: ApiRequest): Promise<Response> {
  const { eventId, sample, at } = strictBody(about.EXPLAIN_BODY, request.body)
  if ((eventId === undefined) === (sample === undefined)) {
    throw invalidBody([{ path: 'eventId', message: 'or sample must be given, and not both' }])
  }
  if (eventId !== undefined) {
    if (at !== undefined) throw invalidBody([{ path: 'at', message: 'is for samples: an event has its time' }])
    const event = storedEvent(deps, eventId)
    return jsonAnswer(200, explainEvent(deps, event, event.receivedAt))
  }
  const time = timeOf(at, deps.clock.now())
  const event = await invented(deps, sample as Sample, time, request.signal)
  return jsonAnswer(200, explainEvent(deps, event, time))
}

function storedEvent({ loadEvent, keepMs }: AlertRouteApiDeps, id: string): TaskEvent {
  if (!isGuid(id)) throw refusedWithCode(400, 'INVALID_ID', 'Invalid ID', `"${id}" is not an id: a UUID is expected.`)
  const event = loadEvent(id.toLowerCase())
  if (!event) throw eventNotFound(id, keepMs)
  return event
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

function timeOf(text: string | undefined, now: number): number {
  if (text === undefined) return now
  const time = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw invalidBody([{ path: 'at', message: 'must be an ISO 8601 time' }])
  return time
}

function destinations({ db, destinations: all, peers }: AlertRouteApiDeps, { query }: ApiRequest): Response {
  onlyParameters(query, [])
  const count = (state: string, name: string) =>
    db.get<{ n: number }>(`SELECT count(*) AS n FROM delivery WHERE ${state} AND destination = ?`, name)?.n ?? 0
  return jsonAnswer(200, {
    destinations: [...all.values()].map(({ name, type, ready }) => {
      const last = db.get<{ at: number | null }>(
        `SELECT max(finished_at) AS at FROM delivery WHERE destination = ? AND state = 'delivered'`,
        name,
      )?.at
      const { up, lastError } = peers.state(name)
      return {
        ...{ name, type, up: up && (ready?.() ?? true) },
        pending: count(`state IN ('pending', 'sending')`, name),
        dead: count(`state = 'dead'`, name),
        lastDeliveredAt: last ? new Date(last).toISOString() : null,
        lastError,
      }
    }),
  })
}
