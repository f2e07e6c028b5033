/**
 * From a request to the endpoint that answers it, in the order: address, URL, requests at a time, method, route,
 * credentials, rate limit, scope, body, limits of the grant, handler.
 */

import type { ServeInfo } from '../platform/http-server.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { apiRequest, wantsBody, withMethod } from './api-request.ts'
import type { RequestAudit } from './audit/requests.ts'
import type { AccessControl, Contact, Identity } from './auth/types.ts'
import { clientClosed, readBody } from './body.ts'
import type { Proxies } from './client-address.ts'
import type { Cors } from './cors.ts'
import { requireNamespace } from './endpoint/caller.ts'
import { noSuchRoute, Refusal } from './endpoint/errors.ts'
import type { AuthFailure, RequestObserver } from './endpoint/observer.ts'
import type { ApiRoute, AuditNote } from './endpoint/route.ts'
import { errorAnswer } from './errors.ts'
import { effectiveMethod } from './method.ts'
import {
  createBusyClients,
  createCrowdWarning,
  createRateLimit,
  type RateVerdict,
  tooManyAtATime,
  tooManyRequests,
} from './rate-limit.ts'
import { createRequestIds } from './request-id.ts'
import { createRequestLog } from './request-log.ts'
import { createRouteTable, type Params, type PreparedRoute } from './route-table.ts'
import { checkEncoding, rawUrl } from './url.ts'

export interface RouterDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly routes: readonly ApiRoute[]
  readonly access: AccessControl
  readonly proxies: Proxies
  readonly cors: Cors | null
  readonly audit: RequestAudit
  readonly observer: RequestObserver
}

export interface RouterSettings {
  /** Calls per minute and actor, or address of who has no credentials; 0 = no limit. */
  readonly rateLimitPerMinute: number
  /** Log each request at info instead of debug. */
  readonly accessLog: boolean
  /** Requests of one address at a time; 0 = no limit. */
  readonly requestsAtATime: number
  /** How long a body may stand still. */
  readonly bodyTimeoutMs: number
}

/** A class, so that what few calls need is not worked out for all: the address of the caller costs as much as routing. */
class Call implements Contact {
  readonly headers: Headers
  /** By `performance.now()`. */
  readonly startedAt = performance.now()
  private address: string | undefined

  constructor(
    readonly request: Request,
    /** Path and query as sent. */
    readonly url: string,
    /** After a method override. */
    readonly method: string,
    readonly requestId: string,
    private readonly info: ServeInfo,
    private readonly proxies: Proxies,
  ) {
    this.headers = request.headers
  }

  /** To be looked at before the first `await`: later the connection may be gone. */
  get client(): string {
    this.address ??= this.proxies.clientOf(this.info.remoteAddress, this.headers)
    return this.address
  }
  get proxied(): boolean {
    return this.proxies.trusts(this.info.remoteAddress)
  }
  get certificate() {
    return this.info.clientCertificate
  }

  /** With the method that it means. */
  meaning(method: string): Call {
    const { url, requestId, info, proxies } = this
    return new Call(withMethod(this.request, method), url, method, requestId, info, proxies)
  }
}

/** What waits may outlive its connection; who called is known before. */
function remember(call: Call): void {
  void call.client
}

/** A call that has reached a route. */
interface Visit {
  readonly prepared: PreparedRoute
  readonly call: Call
  readonly params: Params
  readonly identity: Identity
  readonly verdict: RateVerdict | null
  note: AuditNote | null
}

type Answer = Response | Promise<Response>

/** Answers every request; never rejects. */
export function createRouter(
  deps: RouterDeps,
  settings: RouterSettings,
): (request: Request, info: ServeInfo) => Answer {
  const { log, clock, access, proxies, cors, audit, observer } = deps
  const limit = createRateLimit(clock, settings.rateLimitPerMinute)
  const busy = createBusyClients(settings.requestsAtATime)
  const warnOfCrowd = createCrowdWarning(log, clock, settings.requestsAtATime)
  const logRequest = createRequestLog(log, settings.accessLog)
  const requestId = createRequestIds(clock)
  const find = createRouteTable<Call>(
    deps.routes,
    serve,
    (call) => unreached(noSuchRoute(call.method, call.url), call),
    (error, call) => unreached(error, call),
  )

  function serve(prepared: PreparedRoute, call: Call, params: Params): Answer {
    const identity = access.identify(call)
    if (!(identity instanceof Promise)) return serveAs(identity, prepared, call, params)
    remember(call)
    return identity.then(
      (known) => serveAs(known, prepared, call, params),
      (error: unknown) => failed(error, call),
    )
  }

  function serveAs(identity: Identity, prepared: PreparedRoute, call: Call, params: Params): Answer {
    const { route } = prepared
    // Guessing credentials counts on every route.
    const counts = limit && (route.limited !== false || identity.refusal)
    const verdict = counts ? limit(identity.bucket ?? call.client) : null
    const visit: Visit = { prepared, call, params, identity, verdict, note: null }
    if (verdict && !verdict.allowed) {
      const { client, method, url } = call
      log.warn(`API: Rate limit exceeded for source IP address ${client}. Method=${method}, endpoint=${url}`)
      return finished(failed(tooManyRequests(verdict), call), visit)
    }
    if (identity.problem) log.info(`ACCESS: Credentials from ${call.client} refused: ${identity.problem}`)
    const refusal =
      identity.refusal ?? (route.openTo?.(call.client) ? null : access.refusal(route, identity.caller, call))
    if (refusal) {
      observer.authFailed(failureOf(refusal, identity))
      return finished(failed(refusal, call), visit)
    }
    try {
      const answer = handle(visit)
      if (answer instanceof Response) return finished(answer, visit)
      remember(call)
      return answer.then(
        (response) => finished(response, visit),
        (error: unknown) => broken(error, visit),
      )
    } catch (error) {
      return broken(error, visit)
    }
  }

  /** A client that goes away is no fault of anybody. */
  function broken(error: unknown, visit: Visit): Response {
    const { call } = visit
    const hasGone = !(error instanceof Refusal) && call.request.signal.aborted
    const reason = hasGone ? clientClosed() : error
    if (!(reason instanceof Refusal) || reason.status !== CLIENT_CLOSED) return finished(failed(reason, call), visit)
    const { method, url, client } = call
    log[settings.accessLog ? 'info' : 'debug'](`API: ${method} ${url} from ${client}: client closed request`)
    visit.note ??= { detail: 'client closed request' }
    return finished(named(new Response(null, { status: CLIENT_CLOSED }), call), visit)
  }

  function handle(visit: Visit): Answer {
    const { prepared, call, params } = visit
    const { route, namespaced } = prepared
    const { caller } = visit.identity
    const run = (body: unknown): Answer => {
      if (namespaced) requireNamespace(caller, route.scope ?? '', params().namespace ?? '')
      const note = (given: AuditNote) => {
        visit.note = given
      }
      const sees = (scope: string) => access.refusal({ scope }, caller, call) === null
      const request = apiRequest({ call, caller, params, sees, note }, body)
      logRequest(request)
      return route.handle(request)
    }
    if (!wantsBody(route, call.method)) return run(undefined)
    remember(call)
    const limits = { maxBytes: route.bodyLimit, timeoutMs: settings.bodyTimeoutMs }
    return readBody(call.request, limits).then(run)
  }

  function finished(response: Response, { prepared, call, params, identity, verdict, note }: Visit): Response {
    if (verdict) for (const name in verdict.headers) response.headers.set(name, verdict.headers[name]!)
    const { method, requestId, startedAt } = call
    const { status } = response
    observer.answered(method, prepared.route.path, status, performance.now() - startedAt)
    if (audit.records(prepared.route, method, status)) {
      audit.finished({
        route: prepared.route,
        method,
        params,
        caller: identity.caller,
        client: call.client,
        requestId,
        status,
        note,
      })
    }
    return named(response, call)
  }

  function failed(error: unknown, call: Call): Response {
    return named(errorAnswer(error, call, log), call)
  }

  /** No endpoint was reached. */
  function unreached(error: unknown, call: Call): Response {
    const response = failed(error, call)
    observer.answered(call.method, null, response.status, performance.now() - call.startedAt)
    return response
  }

  /** Recorded only as long as the address keeps within the rate limit, as nothing else slows it down. */
  function turnedAway(refusal: Refusal, call: Call): Response {
    const { method, client, requestId, url } = call
    if (!limit || limit(client).allowed) {
      audit.turnedAway({ method, path: pathOf(url), client, requestId, status: refusal.status })
    }
    observer.authFailed(REASONS[String(refusal.body.code)] ?? 'address')
    return unreached(refusal, call)
  }

  return (request, info) => {
    const { headers, method } = request
    const url = rawUrl(request)
    const call = new Call(request, url, method, requestId(headers.get('x-request-id')), info, proxies)
    try {
      const refusal = access.admit(url, call)
      if (refusal) return turnedAway(refusal, call)
      const preflight = cors?.preflight(request)
      if (preflight) return preflight
      checkEncoding(url)
      if (busy?.isFull(call)) {
        warnOfCrowd(call.client, 'requests under way')
        return unreached(tooManyAtATime(settings.requestsAtATime), call)
      }
      const wanted = effectiveMethod(request, url)
      const answer = find(wanted === method ? call : call.meaning(wanted))
      if (busy && answer instanceof Promise) busy.enter(call.client, answer)
      return answer
    } catch (error) {
      return unreached(error, call)
    }
  }
}

/** For the metrics: why a caller was turned away. */
function failureOf({ status, body }: Refusal, { refusal, problem = '' }: Identity): AuthFailure {
  if (refusal) return /expired/.test(problem) ? 'expired' : 'invalid'
  if (status === 401) return 'missing'
  return REASONS[String(body.code)] ?? 'scope'
}

const REASONS: Readonly<Record<string, AuthFailure>> = {
  ADDRESS_NOT_ALLOWED: 'address',
  CROSS_SITE: 'browser',
  HOST_NOT_ALLOWED: 'browser',
}

function named(response: Response, { requestId }: Call): Response {
  response.headers.set('x-request-id', requestId)
  return response
}

/** Not a standard status, but the usual one in logs for a client that has not waited for its answer. */
const CLIENT_CLOSED = 499

const pathOf = (url: string): string => url.split('?', 1)[0]!
