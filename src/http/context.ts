/** The request context, and the form of the middleware around every endpoint. */
import type { Context } from 'hono'
import type { ClientCertificate, ServeInfo } from '../platform/http-server.ts'
import type { ZoneTimes } from '../platform/zone-times.ts'
import type { Proxies } from './client-address.ts'
import { type Caller, type Contact, EVERYBODY, type Identity } from './endpoint/caller.ts'
import type { ApiRequest, ApiRoute, AuditNote, Method, PageAccess } from './endpoint/route.ts'
import type { ForwardedCaller } from './forwarding.ts'

export type Answer = Response | Promise<Response>

/** Hono's context; `c.env` is the request context. */
export type ApiContext = Context<{ Bindings: RequestContext }>

export type Handler = (c: ApiContext) => Answer

/**
 * Returns the answer of `next(c)`, changed or not, or one of its own; `next` never throws or rejects. It may throw. When a
 * promise that it makes may reject, it is listed by `mayReject`.
 */
export type Middleware = (c: ApiContext, next: Handler) => Answer

/** Refuses a request by throwing; has no part in the answer of an accepted one. */
export type Check = (request: RequestContext) => void

/** One middleware for several checks. */
export function checks(...all: readonly Check[]): Middleware {
  return (c, next) => {
    for (const check of all) check(c.env)
    return next(c)
  }
}

/** A class with getters: the address of the caller costs as much as routing, and few requests need it. */
export class RequestContext implements Contact {
  readonly headers: Headers
  /** Path and query as sent, without the path of a proxy. */
  url: string
  private readonly sentUrl: string
  /** By `performance.now()`. */
  readonly startedAt = performance.now()
  /** From the middleware `methodOverride` on the method that is meant. */
  method: string
  requestId = ''
  /** The `X-Request-Id` of the caller, where it is harmless. */
  correlationId: string | null = null
  /** The endpoint, from the end of the middleware for all requests on. */
  route: ApiRoute | null = null
  identity: Identity = UNAUTHENTICATED
  stays: ApiRequest['stays']
  /** The parsed JSON; undefined without a body. */
  body: unknown
  /** For the audit; the last note counts. */
  note: AuditNote | null = null
  /** Preflights get no request id and count nowhere. */
  isPreflight = false
  private address: string | undefined
  private readonly scheme: string

  /** A page that is only shown makes the call. */
  shows = false
  /** The answer stays in this process. */
  asObject = false
  /** The caller of a call that another node of the cluster has received. */
  forwarded: ForwardedCaller | null = null
  /** The same request, where the app that replaces this one has to answer it. */
  repeat: Request | null = null

  /** `pageOf`: the request of the page that makes this call. */
  constructor(
    request: Request,
    private readonly info: ServeInfo,
    private readonly proxies: Proxies,
    private readonly pageOf: RequestContext | null = null,
  ) {
    this.headers = request.headers
    this.url = rawUrl(request)
    this.sentUrl = this.url
    this.scheme = request.url.slice(0, request.url.indexOf(':'))
    this.method = request.method
  }

  /** The context of a call that a page makes for the person who looks at it. */
  within(request: Request, identity: Identity): RequestContext {
    const inner = new RequestContext(request, this.info, this.proxies, this)
    inner.address = this.client
    inner.identity = identity
    return inner
  }

  get via(): 'console' | undefined {
    return this.pageOf || this.forwarded?.via ? 'console' : undefined
  }

  /** The checks of the caller have been made: by the page that makes the call, or by the node that received it. */
  get isChecked(): boolean {
    return this.pageOf !== null || this.forwarded !== null
  }

  /** To be read before the first `await`: later the connection may be gone. */
  get client(): string {
    this.address ??= this.forwarded?.client ?? this.proxies.clientOf(this.info.remoteAddress, this.headers)
    return this.address
  }
  get proxied(): boolean {
    return this.proxies.trusts(this.info.remoteAddress)
  }
  get certificate(): ClientCertificate | undefined {
    return this.info.clientCertificate
  }
  get peer(): string {
    return this.info.remoteAddress
  }
  get secure(): boolean {
    if (this.pageOf) return this.pageOf.secure
    if (this.forwarded) return this.forwarded.secure
    const forwarded = this.proxied ? this.headers.get('x-forwarded-proto') : null
    return forwarded === null ? this.scheme === 'https' : /^\s*https\s*(?:,|$)/i.test(forwarded)
  }
  get prefix(): string {
    if (this.pageOf) return this.pageOf.prefix
    if (this.forwarded) return this.forwarded.prefix
    return this.proxies.prefixOf(this.info.remoteAddress, this.headers, this.sentUrl)
  }
  /** Path and query for logs. */
  get shownUrl(): string {
    const { route, url } = this
    if (route?.confidential === 'path') return route.path
    return route?.confidential === 'query' ? url.split('?', 1)[0]! : url
  }
}

/** Path and query as the client sent them. */
function rawUrl({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  return start === -1 ? '/' : url.slice(start)
}

const UNAUTHENTICATED: Identity = { caller: EVERYBODY, bucket: null, refusal: null }

/** A request as endpoints see it. The address and the signal are getters, because few endpoints need them. */
export class SeenRequest implements ApiRequest {
  readonly url: string
  readonly method: Method
  readonly params: ApiRequest['params']
  query: ApiRequest['query']
  readonly body: unknown
  readonly headers: Headers
  readonly caller: Caller
  readonly requestId: string
  onceId: string | null = null
  // Own properties, as endpoints take them out of the request.
  readonly sees: ApiRequest['sees']
  readonly note: ApiRequest['note']

  constructor(
    private readonly c: ApiContext,
    params: ApiRequest['params'],
    sees: ApiRequest['sees'],
    private readonly pagesOf: (context: RequestContext) => PageAccess,
    readonly times: ZoneTimes,
  ) {
    const { env } = c
    this.sees = sees
    this.note = (note) => {
      env.note = note
    }
    this.url = env.url
    // HEAD is answered by the endpoint of GET.
    this.method = (env.method === 'HEAD' ? 'GET' : env.method) as Method
    this.params = params
    this.query = parseQuery(env.url)
    this.body = env.body
    this.headers = env.headers
    this.caller = env.identity.caller
    this.requestId = env.requestId
  }

  /** Takes a query parameter away that the endpoint does not know. */
  takeParameter(name: string): ApiRequest['query'][string] | undefined {
    const { [name]: value, ...rest } = this.query
    this.query = rest
    return value
  }

  get client(): string {
    return this.c.env.client
  }
  get peer(): string {
    return this.c.env.peer
  }
  get secure(): boolean {
    return this.c.env.secure
  }
  get session(): string | undefined {
    return this.c.env.identity.session
  }
  get prefix(): string {
    return this.c.env.prefix
  }
  get signal(): AbortSignal {
    return this.c.req.raw.signal
  }
  get pages(): PageAccess {
    return this.pagesOf(this.c.env)
  }
  get via(): 'console' | undefined {
    return this.c.env.via
  }
  get asObject(): boolean {
    return this.c.env.asObject
  }
  get stays(): ApiRequest['stays'] {
    return this.c.env.stays
  }
}

/** Decoded query parameters; a list where one was given more than once. */
function parseQuery(url: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null)
  const mark = url.indexOf('?')
  if (mark === -1) return query
  const add = (name: string, value: string): void => {
    const before = query[name]
    query[name] = before === undefined ? value : [before, value].flat()
  }
  const text = url.slice(mark + 1)
  // Most queries hold nothing that is encoded, and need no parser.
  if (/[%+#]/.test(text)) {
    for (const [name, value] of new URLSearchParams(text)) add(name, value)
    return query
  }
  for (const part of text.split('&')) {
    const equals = part.indexOf('=')
    if (equals !== -1) add(part.slice(0, equals), part.slice(equals + 1))
    else if (part !== '') add(part, '')
  }
  return query
}

/**
 * The middleware around `last`, the first one outermost. As with Hono's own composition an error becomes the answer of the
 * place where it was thrown, so middleware listed before sees an answer. Unlike there, nothing is awaited that is no
 * promise: a promise per middleware takes a third of a ping.
 */
export function compose(
  middleware: readonly (Middleware | null | undefined)[],
  last: Handler,
  onError: OnError,
): Handler {
  const innermost = around(mayReject(last, onError), last, onError)
  return middleware.reduceRight<Handler>((next, one) => (one ? around(one, next, onError) : next), innermost)
}

type OnError = (error: unknown, c: ApiContext) => Response

function around(one: Middleware, next: Handler, onError: OnError): Handler {
  return (c) => {
    try {
      return one(c, next)
    } catch (error) {
      return onError(error, c)
    }
  }
}

/** A middleware whose promise may reject: the error becomes its answer. */
export function mayReject(middleware: Middleware, onError: OnError): Middleware {
  return (c, next) => {
    const answer = middleware(c, next)
    return answer instanceof Promise ? answer.catch((error: unknown) => onError(error, c)) : answer
  }
}

/** `change` applied to an answer, at once where it is there. */
export function withAnswer(answer: Answer, change: (response: Response) => Response): Answer {
  return answer instanceof Promise ? answer.then(change) : change(answer)
}
