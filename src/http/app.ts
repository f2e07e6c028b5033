/** The Hono application of the REST API under one version of the settings: which middleware, in which order, which endpoints. */
import { Hono } from 'hono'
import type { Result } from 'hono/router'
import { TrieRouter } from 'hono/router/trie-router'
import { getPath } from 'hono/utils/url'
import type { ForwardedAnswer, ForwardedRequest } from '../cluster/types.ts'
import type { ServeInfo } from '../platform/http-server.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { createZoneTimes } from '../platform/zone-times.ts'
import type { Audit } from './audit.ts'
import { type AccessSettings, buildAccess } from './auth/build.ts'
import type { AccessControl } from './auth/control.ts'
import type { KeyUses } from './auth/key-uses.ts'
import { createLocalCheck, createProxies, isBelow } from './client-address.ts'
import {
  type Answer,
  type ApiContext,
  checks,
  compose,
  type Handler,
  type Middleware,
  mayReject,
  RequestContext,
  SeenRequest,
} from './context.ts'
import { requireNamespace } from './endpoint/caller.ts'
import type { ApiRequest, ApiRoute, Method } from './endpoint/route.ts'
import { noSuchRoute } from './errors.ts'
import { callerOf, type ForwardedCaller, storedAnswer } from './forwarding.ts'
import { repeatable } from './handover.ts'
import { authenticate, authorize, entryRules } from './middleware/access.ts'
import { checkAnswers } from './middleware/answer-check.ts'
import { BODY_TIMEOUT_MS, type BodyBudget, createBodyBudget, parseBody, takesBody } from './middleware/body.ts'
import { createBrowserRules } from './middleware/browser-rules.ts'
import { compress } from './middleware/compress.ts'
import { createCors } from './middleware/cors.ts'
import { createErrorAnswers } from './middleware/errors.ts'
import {
  auditRequests,
  createRequestLog,
  observe,
  type RequestObserver,
  SILENT_OBSERVER,
} from './middleware/observe.ts'
import { createCrowdWarning, createRateLimit, rateLimit, requestsAtATime } from './middleware/rate-limit.ts'
import { requestId } from './middleware/request-id.ts'
import { methodOverride, urlEncoding, withMeantMethod } from './middleware/request-line.ts'
import { type PageAccessDeps, pageAccess } from './page-access.ts'
import { createPlaces, type PlaceDeps } from './places.ts'
import type { SecurityTxt } from './security-txt.ts'

export interface HttpAppDeps extends PlaceDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Text of a PEM file. */
  readonly readFile: (path: string) => Promise<string>
  /** Absent: nothing is recorded. */
  readonly audit?: Audit
  /** Absent: nothing is counted. */
  readonly observer?: RequestObserver
  /** Absent: uses of keys are not noted. */
  readonly keyUses?: KeyUses
  /** Shared by all applications of the process; absent: a new one. */
  readonly bodyBudget?: BodyBudget
  /** Where the local key is published; absent: nowhere. */
  readonly dataDirectory?: string
  /** For tests: answers that are not those of the contracts are errors. */
  readonly checksAnswers?: boolean
}

export interface HttpAppSettings {
  /** `Butler.footman.api`. */
  readonly api: {
    /** Calls per minute and actor, or address of callers without credentials; 0 = no limit. */
    readonly rateLimitPerMinute: number
    readonly trustedProxies: readonly string[]
    /** Addresses by which browsers reach the pages, with the path that a proxy puts before them. */
    readonly publicUrls?: readonly string[]
    readonly cors?: { readonly origins: readonly string[] }
    readonly allowedHosts?: readonly string[]
    readonly securityTxt?: SecurityTxt
    /** How long a body may stand still, milliseconds; default `BODY_TIMEOUT_MS`. */
    readonly requestTimeout?: number
    /** Connections, or requests under way, of one address; 0 (default) = no limit. */
    readonly connectionsPerAddress?: number
    /** Compress long answers for callers that accept it; default false. */
    readonly compress?: boolean
  }
  /** `Butler.footman.access`. */
  readonly access?: AccessSettings
  /** `Butler.footman.logging.accessLog`: log each request at info instead of debug. */
  readonly accessLog: boolean
  /** `Butler.footman.timezone`; '' = that of this computer. */
  readonly timezone?: string
  /** `--api-rate-limit`, which wins; 0 = no limit. */
  readonly rateLimitOption?: number
}

export interface HttpApp {
  /** Answers every request; never rejects. */
  readonly answer: (request: Request, info: ServeInfo) => Answer
  /** Carries out a call that another node of the cluster has received and checked; never rejects. */
  readonly carryOut: (request: ForwardedRequest) => Promise<ForwardedAnswer>
  /** Call it once the API listens. */
  opened(): Promise<void>
  /** The data directory is a new one. */
  republish(): Promise<void>
  close(): Promise<void>
}

/** Rejects with a `StartError` when a file of access control cannot be used. */
export async function createHttpApp(
  deps: HttpAppDeps,
  settings: HttpAppSettings,
  { serverHost, routes }: { readonly serverHost: string; readonly routes: readonly ApiRoute[] },
): Promise<HttpApp> {
  const { log, clock, readFile } = deps
  const { api } = settings
  const browser = createBrowserRules({
    allowedHosts: api.allowedHosts ?? [],
    origins: api.cors?.origins ?? [],
    serverHost,
  })
  const access = await buildAccess(
    {
      log,
      clock,
      readFile,
      isLocal: createLocalCheck(browser),
      browser,
      dataDirectory: deps.dataDirectory ?? null,
      timezone: settings.timezone ?? '',
      onKeyUse: deps.keyUses?.note,
    },
    settings.access,
  )
  const { opened, republish } = access
  let closed = false
  const close = async () => {
    closed = true
    await access.close()
  }
  return { ...createAnswers(deps, settings, access.control, routes, () => closed), opened, republish, close }
}

/** Calls per minute and client; 0 = no limit. */
export function perMinute({ rateLimitOption, api }: HttpAppSettings): number {
  return rateLimitOption ?? api.rateLimitPerMinute
}

function createAnswers(
  deps: HttpAppDeps,
  settings: HttpAppSettings,
  access: AccessControl,
  routes: readonly ApiRoute[],
  isClosed: () => boolean,
): Pick<HttpApp, 'answer' | 'carryOut'> {
  const { log, clock, audit = SILENT_AUDIT, observer = SILENT_OBSERVER, bodyBudget = createBodyBudget() } = deps
  const { api, accessLog } = settings
  const { connectionsPerAddress: atATime = 0, requestTimeout = BODY_TIMEOUT_MS, publicUrls = [] } = api
  const times = createZoneTimes(settings.timezone ?? '')
  const proxies = createProxies(api.trustedProxies, publicUrls)
  const mayHavePrefix = api.trustedProxies.length > 0 || publicUrls.length > 0
  const limit = createRateLimit(clock, perMinute(settings))
  const cors = createCors(api.cors?.origins ?? [])
  const logRequest = createRequestLog(log, accessLog)
  const onError = createErrorAnswers(log, { accessLog })
  const atItsPlace = createPlaces(deps)

  const aroundAll: readonly (Middleware | null | undefined)[] = [
    cors?.headers,
    requestId(clock),
    api.compress ? compress : null,
    observe(observer),
    checks(entryRules(access, audit, observer, limit)),
    cors?.preflight,
    checks(urlEncoding, methodOverride),
    atATime > 0 ? requestsAtATime(atATime, createCrowdWarning(log, clock, atATime)) : null,
  ]
  const aroundEndpoints: readonly (Middleware | null | undefined)[] = [
    auditRequests(audit, { keyValues: settings.access?.auditKeyValues ?? false }),
    mayReject(authenticate(access), onError),
    limit && rateLimit(limit, log),
    authorize(access, log, observer),
    deps.checksAnswers ? mayReject(checkAnswers, onError) : null,
  ]

  const reading = { timeoutMs: requestTimeout, budget: bodyBudget, requestOf }
  const app = new Hono<{ Bindings: RequestContext }>({ getPath: pathOf, router: new Router() })
  for (const route of inMatchingOrder(routes)) {
    for (const method of methodsOf(route, routes)) {
      const readBody = takesBody(route, method) ? mayReject(parseBody(route, reading), onError) : null
      const inner = compose([...aroundEndpoints, readBody], endpoint(route), onError)
      const reached: Handler = (c) => {
        c.env.route = route
        return inner(c)
      }
      app.on(method, honoPath(route.path), compose(aroundAll, reached, onError))
    }
  }
  app.notFound(
    compose(
      aroundAll,
      ({ env }) => {
        throw noSuchRoute(env.method, env.url)
      },
      onError,
    ),
  )
  app.onError(onError)
  const pages: PageAccessDeps = { access, limit, isClosed, answer: (request, context) => app.fetch(request, context) }

  function endpoint(route: ApiRoute): Handler {
    const scope = route.scope ?? ''
    const isNamespaced = scope.startsWith('kv:') && route.path.includes('{namespace}')
    return (c) => {
      const { env } = c
      const request = requestOf(c)
      if (isNamespaced) requireNamespace(request.caller, scope, request.params.namespace ?? '')
      logRequest(request, env)
      const isHurried = route.barrier && env.url.includes('barrier=') && request.takeParameter('barrier') === 'false'
      return atItsPlace(route, request, env, !isHurried)
    }
  }

  function requestOf(c: ApiContext): SeenRequest {
    const { env } = c
    const { forwarded, route } = env
    const { caller } = env.identity
    const params = route?.path.includes('{') ? c.req.param() : NO_PARAMS
    const sees = forwarded
      ? (wanted: string) => forwarded.sees.includes(wanted)
      : (wanted: string) => access.refusal({ scope: wanted }, caller, env) === null
    return new SeenRequest(c, params, sees, (page) => pageAccess(pages, page), times)
  }

  /** Proxies take their path away or leave it. A path that an endpoint has is taken as it is. */
  function withoutPrefix(context: RequestContext, request: Request): Request {
    const { prefix, url } = context
    const path = url.split('?', 1)[0]!
    if (prefix === '' || !isBelow(prefix, path)) return request
    const isTaken = app.router.match(request.method === 'HEAD' ? 'GET' : request.method, path)[0].length > 0
    if (isTaken) return request
    const rest = url.slice(prefix.length)
    context.url = rest.startsWith('/') ? rest : `/${rest}`
    return new Request(new URL(request.url).origin + context.url, request)
  }

  return {
    answer(incoming, info) {
      const context = new RequestContext(incoming, info, proxies)
      const request = mayHavePrefix ? withoutPrefix(context, incoming) : incoming
      const answer = app.fetch(withMeantMethod(request), context)
      // The address is known only as long as the connection is open, and a pending answer may outlive it.
      if (!(answer instanceof Promise)) return answer
      void context.client
      if (!deps.shared?.status) return answer
      return answer.then((given) => (context.repeat ? repeatable(given, context.repeat) : given))
    },
    async carryOut({ method, url, headers, body, caller, requestId: id, signal }) {
      const forwarded = caller as ForwardedCaller
      const request = new Request(`http://footman${url}`, {
        method,
        headers: { ...headers, 'x-request-id': id },
        signal,
        ...(body && { body: body as BodyInit }),
      })
      const context = new RequestContext(request, { remoteAddress: forwarded.client }, proxies)
      context.forwarded = forwarded
      const session = forwarded.session === null ? {} : { session: forwarded.session }
      context.identity = { caller: callerOf(forwarded), bucket: null, refusal: null, ...session }
      const response = await app.fetch(request, context)
      return storedAnswer(response, context.note)
    },
  }
}

const NO_PARAMS: ApiRequest['params'] = {}
const SILENT_AUDIT: Audit = { record: () => {} }

/** The path as Hono reads it; but a request has no fragment, so `#` belongs to the path. */
const pathOf = (request: Request): string =>
  getPath(request.url.includes('#') ? new Request(request.url.replaceAll('#', '%23')) : request)

/** Paths that `Router` remembers, and their longest. */
const KNOWN_PATHS = 500
const KNOWN_LENGTH = 200

/** Hono's router for paths of every form, with the matches of recent paths: callers repeat a few paths all the time. */
class Router<T> extends TrieRouter<T> {
  readonly #known = new Map<string, Result<T>>()

  override match(method: string, path: string): Result<T> {
    const key = `${method} ${path}`
    const known = this.#known.get(key)
    if (known) return known
    const found = super.match(method, path)
    if (this.#known.size >= KNOWN_PATHS) this.#known.clear()
    if (path.length <= KNOWN_LENGTH) this.#known.set(key, found)
    return found
  }
}

/** A path that only takes PUT also takes plain POST. */
function methodsOf(route: ApiRoute, all: readonly ApiRoute[]): Method[] {
  const postExists = all.some((other) => other.path === route.path && other.methods.includes('POST'))
  return route.methods.includes('PUT') && !postExists ? [...route.methods, 'POST'] : [...route.methods]
}

/** Fixed segments win over parameters. */
function inMatchingOrder(routes: readonly ApiRoute[]): ApiRoute[] {
  return [...routes].sort((a, b) => (pattern(a) < pattern(b) ? -1 : pattern(a) > pattern(b) ? 1 : 0))
}

const pattern = ({ path }: ApiRoute): string =>
  path
    .split('/')
    .map((segment) => (segment.startsWith('{') ? '1' : '0'))
    .join('')

/** `{rest*}` takes all that follows, slashes included. */
const honoPath = (path: string): string => path.replace(/\{(\w+)\*\}/g, ':$1{.+}').replace(/\{(\w+)\}/g, ':$1')
