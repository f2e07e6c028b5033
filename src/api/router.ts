/** From a request to the endpoint that answers it, in the order: URL, method, route, rate limit, body, handler. */
import { type Context, Hono } from 'hono'
import { noSuchRoute } from '../platform/http/errors.ts'
import type { ApiRequest, ApiRoute, Method } from '../platform/http/route.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import { readBody } from './body.ts'
import { errorAnswer } from './errors.ts'
import { effectiveMethod } from './method.ts'
import { createRateLimit, type RateVerdict, tooManyRequests } from './rate-limit.ts'
import { createRequestLog } from './request-log.ts'
import { checkEncoding, parseQuery, rawUrl } from './url.ts'

export interface RouterSettings {
  /** Calls per minute and client; 0 = no limit. */
  readonly rateLimitPerMinute: number
  /** Log each request at info instead of debug. */
  readonly accessLog: boolean
}

interface Call {
  readonly url: string
  readonly method: string
  readonly client: string
  readonly requestId: string
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** Answers every request; never rejects. `client` is the caller's address. */
export function createRouter(
  deps: { log: Logger; clock: Clock; routes: readonly ApiRoute[] },
  settings: RouterSettings,
): (request: Request, client: string) => Response | Promise<Response> {
  const { log, clock } = deps
  const limit = createRateLimit(clock, settings.rateLimitPerMinute)
  const logRequest = createRequestLog(log, settings.accessLog)
  const app = new Hono<{ Bindings: Call }>()

  for (const route of inMatchingOrder(deps.routes)) {
    app.on(methodsOf(route, deps.routes), honoPath(route.path), (c) => serve(route, c))
  }
  app.notFound((c) => failed(noSuchRoute(c.env.method, c.env.url), c.env))
  app.onError((error, c) => failed(error, c.env))

  function serve(route: ApiRoute, c: Context<{ Bindings: Call }>): Response | Promise<Response> {
    const call = c.env
    const verdict = limit && route.limited !== false ? limit(call.client) : null
    if (verdict && !verdict.allowed) {
      log.warn(
        `API: Rate limit exceeded for source IP address ${call.client}. Method=${call.method}, endpoint=${call.url}`,
      )
      return failed(tooManyRequests(verdict), call)
    }
    try {
      const answer = handle(route, c)
      if (answer instanceof Response) return finished(answer, call, verdict)
      return answer.then(
        (response) => finished(response, call, verdict),
        (error: unknown) => finished(failed(error, call), call, verdict),
      )
    } catch (error) {
      return finished(failed(error, call), call, verdict)
    }
  }

  function handle(route: ApiRoute, c: Context<{ Bindings: Call }>): Response | Promise<Response> {
    if (wantsBody(route, c.env.method)) {
      return readBody(c.req.raw).then((body) => route.handle(logged(requestOf(c, body))))
    }
    return route.handle(logged(requestOf(c, undefined)))
  }

  function logged(request: ApiRequest): ApiRequest {
    logRequest(request)
    return request
  }

  function failed(error: unknown, call: Call): Response {
    return finished(errorAnswer(error, call, log), call, null)
  }

  return (request, client) => {
    const url = rawUrl(request)
    const call = { url, method: request.method, client, requestId: requestIdOf(request, clock) }
    try {
      checkEncoding(url)
      const method = effectiveMethod(request, url)
      if (method === request.method) return app.fetch(request, call)
      return app.fetch(withMethod(request, method), { ...call, method })
    } catch (error) {
      return failed(error, call)
    }
  }
}

function finished(response: Response, call: Call, verdict: RateVerdict | null): Response {
  const { headers } = response
  headers.set('x-request-id', call.requestId)
  if (verdict) for (const name in verdict.headers) headers.set(name, verdict.headers[name]!)
  return response
}

function requestOf(c: Context<{ Bindings: Call }>, body: unknown): ApiRequest {
  const { url, method, client, requestId } = c.env
  const { raw } = c.req
  return {
    url,
    // HEAD is answered by the endpoint of GET.
    method: (method === 'HEAD' ? 'GET' : method) as Method,
    params: c.req.param(),
    query: parseQuery(url),
    body,
    headers: raw.headers,
    client,
    requestId,
    get signal() {
      return raw.signal
    },
  }
}

function requestIdOf(request: Request, clock: Clock): string {
  const given = request.headers.get('x-request-id')
  return given !== null && REQUEST_ID.test(given) ? given : uuidV7(clock.now())
}

function withMethod(request: Request, method: string): Request {
  const { url, headers, signal } = request
  // A body sent along with an override to GET is ignored, like the body of any GET.
  if (method === 'GET') return new Request(url, { method, headers, signal })
  return new Request(request, { method })
}

function wantsBody(route: ApiRoute, method: string): boolean {
  const fallback = method === 'POST' || method === 'PUT' ? 'json' : 'ignored'
  return (route.body ?? fallback) === 'json'
}

/** A path that only takes PUT also takes plain POST. */
function methodsOf(route: ApiRoute, all: readonly ApiRoute[]): Method[] {
  const postExists = all.some((other) => other.path === route.path && other.methods.includes('POST'))
  return route.methods.includes('PUT') && !postExists ? [...route.methods, 'POST'] : [...route.methods]
}

/** Fixed segments win over parameters. */
function inMatchingOrder(routes: readonly ApiRoute[]): ApiRoute[] {
  return [...routes].sort((a, b) => pattern(a).localeCompare(pattern(b)))
}

const pattern = ({ path }: ApiRoute): string =>
  path
    .split('/')
    .map((segment) => (segment.startsWith('{') ? '1' : '0'))
    .join('')

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1')
