/** Where in a cluster a call is carried out: here, by the leader, or from the copy of the shared state that this node has. */
import { ForwardingError, type SharedState } from '../cluster/types.ts'
import type { Answer, RequestContext, SeenRequest } from './context.ts'
import type { Idempotency } from './endpoint/idempotency.ts'
import type { ApiRoute, AuditNote } from './endpoint/route.ts'
import { answerOf, bodyBytes, forwardedCaller, forwardedHeaders, forwardingRefusal, placeOf } from './forwarding.ts'

export interface PlaceDeps {
  /** Absent: a single node. */
  readonly shared?: Pick<SharedState, 'mode' | 'runsDuties' | 'atLeader' | 'caughtUp' | 'status'>
  /** By where a cluster carries calls out; absent: `Idempotency-Key` is not looked at. */
  readonly idempotency?: Readonly<Record<'here' | 'leader', Idempotency>>
}

/** Answers a call at its place. `mayWait`: a reader waits until it sees all that any node has answered so far. */
export type AtItsPlace = (route: ApiRoute, request: SeenRequest, context: RequestContext, mayWait: boolean) => Answer

export function createPlaces({ shared, idempotency }: PlaceDeps): AtItsPlace {
  /** A change with an `Idempotency-Key` is carried out once. */
  function carriedOut(route: ApiRoute, request: SeenRequest): Answer {
    if (request.method === 'GET' || !idempotency || route.eachTime?.(request)) return route.handle(request)
    return idempotency[placeFor(route, request)].once(request, (id) => {
      request.onceId = id
      return route.handle(request)
    })
  }

  function atLeader(route: ApiRoute, request: SeenRequest, context: RequestContext): Answer {
    if (shared?.runsDuties) return carriedOut(route, request)
    if (shared?.mode === 'alone' && request.method === 'GET') return readHere(route, request, false)
    // Others work on while the database refuses this node alone.
    const isAlone = shared?.mode === 'alone' && !shared.status?.database.isWaitedFor
    if (isAlone && route.alone?.(request)) return carriedOut(route, request)
    // The body as it came: the check replaces parts of it.
    const body = bodyBytes(request.body)
    route.check?.(request)
    const answering = shared?.atLeader({
      method: request.method,
      url: request.url,
      requestId: request.requestId,
      signal: request.signal,
      headers: forwardedHeaders(request, body),
      body,
      caller: forwardedCaller(request),
    })
    if (!answering) return carriedOut(route, request)
    return answering.then(
      (answer) => {
        context.note = answer.note as AuditNote | null
        return answerOf(answer)
      },
      (error: unknown) => {
        if (error instanceof ForwardingError && error.isEarly) context.repeat = requestAgain(context, body)
        throw forwardingRefusal(error)
      },
    )
  }

  /** All that any node has answered so far can be read here, or the answer says how old it may be. */
  async function readHere(route: ApiRoute, request: SeenRequest, mayWait: boolean): Promise<Response> {
    const known = shared?.status?.database.downForMs ?? 0
    const staleMs = mayWait && isShared(route) ? ((await shared?.caughtUp())?.staleMs ?? 0) : known
    const response = await carriedOut(route, request)
    if (staleMs > 0 && route.at === undefined) response.headers.set('Footman-Stale', String(Math.ceil(staleMs / 1000)))
    return response
  }

  return (route, request, context, mayWait) => {
    if (!shared || shared.mode === 'single' || context.forwarded) return carriedOut(route, request)
    return placeFor(route, request) === 'leader' ? atLeader(route, request, context) : readHere(route, request, mayWait)
  }
}

const placeFor = (route: ApiRoute, request: SeenRequest) =>
  route.atLeaderWhen?.(request) ? 'leader' : placeOf(route, request.method)

/** The request once more, with the body that has been read. */
function requestAgain({ method, headers, url, route }: RequestContext, body: Uint8Array | null): Request {
  const again = new Request(`http://footman${url}`, { method, headers, ...(body && { body: body as BodyInit }) })
  const type = headers.get('content-type')
  // A parsed body is written again as UTF-8.
  if (type !== null && route?.body !== 'bytes') again.headers.set('content-type', type.split(';', 1)[0]!)
  return again
}

/** Whether it reads something that nodes share, and not health or metrics, which must not wait for a database. */
const isShared = ({ at, scope, path }: ApiRoute): boolean =>
  at === undefined && scope !== undefined && path.startsWith('/v4/')
