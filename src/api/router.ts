/** From a request to the endpoint that answers it, in the order: URL, method, route, rate limit, body, handler. */
import { Hono } from 'hono'
import { noSuchRoute } from '../platform/http/errors.ts'
import type { ApiRequest, ApiRoute, Method } from '../platform/http/route.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { readBody } from './body.ts'
import { errorAnswer } from './errors.ts'
import { effectiveMethod } from './method.ts'
import { createRateLimit, type RateVerdict, tooManyRequests } from './rate-limit.ts'
import { createRequestIds } from './request-id.ts'
import { createRequestLog } from './request-log.ts'
import { checkEncoding, parseQuery, rawUrl } from './url.ts'

export interface RouterSettings {
  /** Calls per minute and client; 0 = no limit. */
  readonly rateLimitPerMinute: number
  /** Log each request at info instead of debug. */
  readonly accessLog: boolean
}

interface Call {
  readonly request: Request
  /** Path and query as sent. */
  readonly url: string
  /** After a method override. */
  readonly method: string
  readonly client: string
  readonly requestId: string
}

/** Answers every request; never rejects. `client` is the caller's address. */
export function createRouter(
  deps: { log: Logger; clock: Clock; routes: readonly ApiRoute[] },
  settings: RouterSettings,
): (request: Request, client: string) => Response | Promise<Response> {
  const { log, clock } = deps
  const limit = createRateLimit(clock, settings.rateLimitPerMinute)
  const logRequest = createRequestLog(log, settings.accessLog)
  const requestId = createRequestIds(clock)
  const app = new Hono<{ Bindings: Call }>()
  // Exact matches (ping, health) need no pattern matching, and load balancers ask for them all the time.
  const fixed = new Map<string, ApiRoute>()

  for (const route of inMatchingOrder(deps.routes)) {
    const methods = methodsOf(route, deps.routes)
    app.on(methods, honoPath(route.path), (c) => serve(route, c.env, () => c.req.param()))
    if (!route.path.includes('{')) for (const method of methods) fixed.set(`${method} ${route.path}`, route)
  }
  app.notFound((c) => failed(noSuchRoute(c.env.method, c.env.url), c.env))
  app.onError((error, c) => failed(error, c.env))

  function serve(route: ApiRoute, call: Call, params: () => Record<string, string>): Response | Promise<Response> {
    const verdict = limit && route.limited !== false ? limit(call.client) : null
    if (verdict && !verdict.allowed) {
      const { client, method, url } = call
      log.warn(`API: Rate limit exceeded for source IP address ${client}. Method=${method}, endpoint=${url}`)
      return failed(tooManyRequests(verdict), call)
    }
    try {
      const answer = handle(route, call, params)
      if (answer instanceof Response) return finished(answer, call, verdict)
      return answer.then(
        (response) => finished(response, call, verdict),
        (error: unknown) => finished(failed(error, call), call, verdict),
      )
    } catch (error) {
      return finished(failed(error, call), call, verdict)
    }
  }

  function handle(route: ApiRoute, call: Call, params: () => Record<string, string>): Response | Promise<Response> {
    const run = (body: unknown): Response | Promise<Response> => {
      const request = apiRequest(call, body, params)
      logRequest(request)
      return route.handle(request)
    }
    return wantsBody(route, call.method) ? readBody(call.request).then(run) : run(undefined)
  }

  function failed(error: unknown, call: Call): Response {
    return finished(errorAnswer(error, call, log), call, null)
  }

  return (request, client) => {
    const url = rawUrl(request)
    const id = requestId(request.headers.get('x-request-id'))
    const call: Call = { request, url, method: request.method, client, requestId: id }
    try {
      checkEncoding(url)
      const method = effectiveMethod(request, url)
      if (method !== call.method) {
        const changed = withMethod(request, method)
        return app.fetch(changed, { ...call, request: changed, method })
      }
      const route = fixed.get(`${method} ${url}`)
      return route ? serve(route, call, noParams) : app.fetch(request, call)
    } catch (error) {
      return failed(error, call)
    }
  }
}

const noParams = (): Record<string, string> => ({})

function finished(response: Response, call: Call, verdict: RateVerdict | null): Response {
  const { headers } = response
  headers.set('x-request-id', call.requestId)
  if (verdict) for (const name in verdict.headers) headers.set(name, verdict.headers[name]!)
  return response
}

function apiRequest(
  { request, url, method, client, requestId }: Call,
  body: unknown,
  params: () => Record<string, string>,
): ApiRequest {
  return {
    url,
    // HEAD is answered by the endpoint of GET.
    method: (method === 'HEAD' ? 'GET' : method) as Method,
    // Most requests look at only some of these.
    get params() {
      return params()
    },
    get query() {
      return parseQuery(url)
    },
    body,
    headers: request.headers,
    client,
    requestId,
    get signal() {
      return request.signal
    },
  }
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
