/** The Hono application of the REST API under one version of the settings: which middleware, in which order, which endpoints. */
import { Hono } from 'hono'
import type { Result } from 'hono/router'
import { TrieRouter } from 'hono/router/trie-router'
import { getPath } from 'hono/utils/url'
import { type ForwardedAnswer, type ForwardedRequest, ForwardingError, type SharedState } from '../cluster/types.ts'
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
import { type Contact, requireNamespace } from './endpoint/caller.ts'
import type { Idempotency } from './endpoint/idempotency.ts'
import type { ApiRequest, ApiRoute, AuditNote, Method, PageAccess } from './endpoint/route.ts'
import { noSuchRoute } from './errors.ts'
import {
  answerOf,
  bodyBytes,
  callerOf,
  type ForwardedCaller,
  forwardedCaller,
  forwardedHeaders,
  forwardingRefusal,
  placeOf,
  storedAnswer,
} from './forwarding.ts'
import { repeatable } from './handover.ts'
import { authenticate, authorize, entryRules } from './middleware/access.ts'
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
import {
  createCrowdWarning,
  createRateLimit,
  rateLimit,
  requestsAtATime,
  tooManyRequests,
} from './middleware/rate-limit.ts'
import { requestId } from './middleware/request-id.ts'
import { methodOverride, urlEncoding, withMeantMethod } from './middleware/request-line.ts'
import type { SecurityTxt } from './security-txt.ts'

export interface HttpAppDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Text of a PEM file. */
  readonly readFile: (path: string) => Promise<string>
  /** Absent: nothing is recorded. */
  readonly audit?: Audit
  /** By where a cluster carries calls out; absent: `Idempotency-Key` is not looked at. */
  readonly idempotency?: Readonly<Record<'here' | 'leader', Idempotency>>
  /** Absent: nothing is counted. */
  readonly observer?: RequestObserver
  /** Absent: uses of keys are not noted. */
  readonly keyUses?: KeyUses
  /** Absent: a single node. */
  readonly shared?: Pick<SharedState, 'mode' | 'runsDuties' | 'atLeader' | 'caughtUp' | 'status'>
  /** Shared by all applications of the process; absent: a new one. */
  readonly bodyBudget?: BodyBudget
  /** Where the local key is published; absent: nowhere. */
  readonly dataDirectory?: string
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
  { log, clock, audit = SILENT_AUDIT, observer = SILENT_OBSERVER, shared, bodyBudget, idempotency }: HttpAppDeps,
  settings: HttpAppSettings,
  access: AccessControl,
  routes: readonly ApiRoute[],
  isClosed: () => boolean,
): Pick<HttpApp, 'answer' | 'carryOut'> {
  const { api, accessLog } = settings
  const { connectionsPerAddress: atATime = 0, requestTimeout = BODY_TIMEOUT_MS } = api
  const { publicUrls = [] } = api
  const times = createZoneTimes(settings.timezone ?? '')
  const proxies = createProxies(api.trustedProxies, publicUrls)
  const mayHavePrefix = api.trustedProxies.length > 0 || publicUrls.length > 0
  const limit = createRateLimit(clock, perMinute(settings))
  const cors = createCors(api.cors?.origins ?? [])
  const logRequest = createRequestLog(log, accessLog)
  const onError = createErrorAnswers(log, { accessLog })

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
  ]

  const reading = { timeoutMs: requestTimeout, budget: bodyBudget ?? createBodyBudget(), requestOf }
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

  function endpoint(route: ApiRoute): Handler {
    const scope = route.scope ?? ''
    const isNamespaced = scope.startsWith('kv:') && route.path.includes('{namespace}')
    return (c) => {
      const { env } = c
      const request = requestOf(c)
      if (isNamespaced) requireNamespace(request.caller, scope, request.params.namespace ?? '')
      const { forwarded } = env
      logRequest(request, env)
      const isHurried = route.barrier && env.url.includes('barrier=') && request.takeParameter('barrier') === 'false'
      if (!shared || shared.mode === 'single' || forwarded) return carriedOut(route, request)
      return placeOf(route, env.method) === 'leader'
        ? atLeader(route, request, env)
        : readHere(route, request, !isHurried)
    }
  }

  /** A change with an `Idempotency-Key` is carried out once. */
  function carriedOut(route: ApiRoute, request: SeenRequest): Answer {
    if (request.method === 'GET' || !idempotency || route.eachTime?.(request)) return route.handle(request)
    return idempotency[placeOf(route, request.method)].once(request, (id) => {
      request.onceId = id
      return route.handle(request)
    })
  }

  function requestOf(c: ApiContext): SeenRequest {
    const { env } = c
    const { forwarded, route } = env
    const { caller } = env.identity
    const params = route?.path.includes('{') ? c.req.param() : NO_PARAMS
    const sees = forwarded
      ? (wanted: string) => forwarded.sees.includes(wanted)
      : (wanted: string) => access.refusal({ scope: wanted }, caller, env) === null
    return new SeenRequest(c, params, sees, pagesOf, times)
  }

  function atLeader(route: ApiRoute, request: SeenRequest, env: RequestContext): Answer {
    if (shared?.runsDuties) return carriedOut(route, request)
    if (shared?.mode === 'alone' && request.method === 'GET') return readHere(route, request, false)
    // Others work on while the database refuses this node alone.
    const isAlone = shared?.mode === 'alone' && !shared.status?.database.isWaitedFor
    if (isAlone && route.alone?.(request)) return carriedOut(route, request)
    // As it came: the check replaces parts of it.
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
        env.note = answer.note as AuditNote | null
        return answerOf(answer)
      },
      (error: unknown) => {
        if (error instanceof ForwardingError && error.isEarly) env.repeat = requestAgain(env, body)
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

  /** The API for the pages of the console; a call through it passes all checks but those of the page itself. */
  function pagesOf(context: RequestContext): PageAccess {
    return {
      signsIn: access.recall !== undefined,
      identify: (headers) => access.identify(contactOf(context, headers)),
      recall: (holder) => access.recall?.(holder, context) ?? null,
      count(bucket) {
        const verdict = limit?.(bucket)
        return verdict && !verdict.allowed ? tooManyRequests(verdict) : null
      },
      async ask({ method, path, headers, body, signal, stays, shows = false }, identity) {
        const inner = new Request(`http://footman${path}`, {
          method,
          headers: { ...passedOn(context), ...headers },
          ...(body !== undefined && { body: body as BodyInit }),
          ...(signal && { signal }),
        })
        const call = context.within(inner, identity)
        call.shows = shows
        // Another application decides by other settings: the caller has to come again.
        if (stays) call.stays = async () => !isClosed() && stays()
        return app.fetch(inner, call)
      },
    }
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
      if (!shared?.status) return answer
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

/** As it came, with the body that has been read. */
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

/** Decide whether a caller is on this machine; the id joins the calls of a page in log and audit. */
const PASSED_ON = ['host', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-host', 'user-agent']

function passedOn({ headers, requestId: id }: RequestContext): Record<string, string> {
  const kept = PASSED_ON.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)!]] : []))
  return { ...Object.fromEntries(kept), 'x-request-id': id }
}

function contactOf(context: RequestContext, headers: Headers): Contact {
  const { client, proxied, certificate } = context
  return { client, proxied, certificate, headers }
}

const NO_PARAMS: ApiRequest['params'] = {}
const SILENT_AUDIT: Audit = { record: () => {} }

/** As Hono reads it; but a request has no fragment, so `#` belongs to the path. */
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
