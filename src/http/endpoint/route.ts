/** An endpoint of the REST API as the features describe it; the server decides about limits, logs and switches. */
import { z } from 'zod'
import { once } from '../../platform/once.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { Refusal } from '../errors.ts'
import type { Caller, Holder, Identity } from './caller.ts'
import type { Answered, Answers, AnswerWith, Contract, Fields, Method } from './contract.ts'
import { strictQuery } from './list-query.ts'
import { strictBody, validate } from './validation.ts'

export type { Method }

export interface ApiRequest {
  /** After a method override. */
  readonly method: Method
  /** Path and query as sent. */
  readonly url: string
  /** Percent-decoded path parameters. */
  readonly params: Readonly<Record<string, string>>
  /** Decoded; a list where a parameter was given more than once. */
  readonly query: Readonly<Record<string, string | readonly string[]>>
  /** The parsed JSON; undefined without a body (and for JSON `null`). A `Uint8Array` where the endpoint takes `bytes`. */
  readonly body: unknown
  readonly headers: Headers
  /** Address of the caller. */
  readonly client: string
  /** Address of the other end of the connection, which may be a proxy. To be read before the first `await`. */
  readonly peer: string
  /** The caller uses TLS, here or at a trusted proxy. */
  readonly secure: boolean
  /** Path below which the browser finds Footman behind a proxy: `/footman`; '' = none. */
  readonly prefix: string
  readonly caller: Caller
  /**
   * Whether the caller gets what only this scope shows. Unlike `caller.may`, it is true for callers on this machine only
   * while access control is off.
   */
  sees(scope: string): boolean
  readonly requestId: string
  /** The clock of the site: a time without a zone is on it. */
  readonly times: ZoneTimes
  /** Says in the audit what the call was about; the last note counts. */
  note(note: AuditNote): void
  /** The id of a call with an `Idempotency-Key`: the same when a call that was cut short is repeated. */
  readonly onceId?: string | null
  /** Aborts when the caller hangs up. */
  readonly signal: AbortSignal
  /** For pages that act for a person who has signed in. */
  readonly pages: PageAccess
  /** Set on calls that a page made. */
  readonly via?: 'console'
  /** The caller is in this process and takes a value in the place of a text. */
  readonly asObject?: boolean
  /** Id of the session that such a call belongs to. */
  readonly session?: string | undefined
  /** Set where the rights may end before a long answer does: whether the caller still has them. Never rejects. */
  readonly stays?: () => Promise<boolean>
}

/** The API for pages of the console and their sessions. */
export interface PageAccess {
  /** False while access control is off: pages are for callers on this machine, without a sign-in. */
  readonly signsIn: boolean
  /** The caller that these headers or the certificate of the connection show. */
  identify(headers: Headers): Identity | Promise<Identity>
  /** The rights that a session has now; null when they have ended. */
  recall(holder: Holder): Identity | null
  /** Calls an endpoint in this process with the rights of the identity; never rejects. */
  ask(call: PageCall, identity: Identity): Promise<Response>
  /** Counts a call for the rate limit; the refusal when there were too many. */
  count(bucket: string): Refusal | null
}

export interface PageCall {
  readonly method: Method
  /** Path and query: `/v4/events?limit=50`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly signal?: AbortSignal
  /** For answers that stay open: `ApiRequest.stays`. */
  readonly stays?: () => Promise<boolean>
  /** The page is only shown: the call changes nothing and is not recorded in the audit. */
  readonly shows?: boolean
  /** The caller takes the value of the answer by `objectOf`. */
  readonly asObject?: boolean
}

export interface AuditNote {
  /** Ids or names of what was acted on. */
  readonly target?: readonly string[]
  /** A few words, like `1 started`. */
  readonly detail?: string
  /** Default: by the status of the answer. */
  readonly outcome?: 'ok' | 'denied' | 'failed'
}

/** For the description of the API. */
export interface RouteDescription {
  /** A line. */
  readonly summary: string
  /** More, in Markdown. */
  readonly description?: string
  /** False leaves it out of the document. Default true. */
  readonly documented?: boolean
  /** The schemas of its data, built when they are asked for. */
  readonly schemas?: () => RouteSchemas
  /** Calls that work as they stand against the simulated site; a test makes every one of them. */
  readonly examples?: readonly RouteExample[]
}

export interface RouteSchemas {
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  readonly answers?: Answers
}

export interface RouteExample {
  /** Unique in the endpoint: `by-tag`. */
  readonly name: string
  readonly params?: Readonly<Record<string, string>> | Found
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly status: number
  /** JSON, or a text; absent where nothing is answered. Ids and times are other ones each time. */
  readonly answer?: unknown
}

/** Path parameters that the answer of another endpoint has. */
export interface Found {
  readonly from: Pick<Contract, 'method' | 'path'>
  readonly parameters: Readonly<Record<string, string>>
  readonly example?: string | undefined
}

/**
 * Parameters of an example that do not exist before something happens. The description of the API has them as a link of
 * the other endpoint: constants, or expressions of OpenAPI.
 *
 * @param example Name of the example of the other endpoint whose answer has them; default: the first.
 * @example
 * examples: [{ name: 'newest', params: from(EVENTS, { id: '$response.body#/events/0/id' }), status: 200 }]
 */
export const from = (contract: Found['from'], parameters: Found['parameters'], example?: string): Found => ({
  from: contract,
  parameters,
  example,
})

export interface ApiRoute extends RouteDescription {
  /** A route for PUT alone also answers plain POST, because some clients cannot send PUT. */
  readonly methods: readonly Method[]
  /** `/v4/app/{appId}/reload`; matched exactly, case and trailing slash included. */
  readonly path: string
  /** Key below `restServerEndpointsEnable` that must be true (`scheduler.getSchedule`); null = always there. */
  readonly switch: string | null
  /**
   * Scope that a caller needs while access control is on: `task:run`. Without a scope the route is open to everybody. With a
   * scope of the group `kv`, a path parameter `namespace` must be granted to the caller.
   */
  readonly scope?: string
  /**
   * Butler 16 had or documented this endpoint: while access control is off it answers every caller. Without the mark a
   * route with a scope answers callers on this machine only.
   */
  readonly butler?: true
  /** Callers that need no scope, by their address. */
  readonly openTo?: (client: string) => boolean
  /** Name of the action in the audit: `task.start`; default method and path. */
  readonly action?: string
  /**
   * Calls that are recorded in the audit. Default: GET only when it is refused, everything else always. `single` stands
   * for a write of one key-value pair, which is recorded only with `access.auditKeyValues`.
   */
  readonly audited?: 'always' | 'refused' | 'single'
  /** How the body is read; `bytes` as it came. Default: JSON for POST, PUT and PATCH, ignored for GET and DELETE. */
  readonly body?: 'json' | 'bytes' | 'ignored'
  /** An unreadable body is answered with `INVALID_JSON` or `BODY_TOO_LARGE` instead of the codes of the predecessor. */
  readonly ownBodyErrors?: true
  /** The JSON of the body is that of a file: it is read by `parseImportedJson`. */
  readonly isImport?: true
  /** Largest body in bytes; default 1 MiB. */
  readonly bodyLimit?: number
  /**
   * Where strangers may call: how many bytes of a body are read for this caller, asked before the first one is. 0 = none,
   * and `handle` answers without a body. Never rejects.
   */
  readonly bodyFor?: (request: ApiRequest) => number | Promise<number>
  /** The part of the address that holds a secret; logs and the audit leave it out. */
  readonly confidential?: 'path' | 'query'
  /** Where a cluster answers it. Default: GET at the node that received the call, everything else at the leader. */
  readonly at?: 'here' | 'leader'
  /** Calls that the leader answers though `at` is `here`. */
  readonly atLeaderWhen?: (request: ApiRequest) => boolean
  /** `barrier=false` in the query does not wait, as reads in a cluster do, until all that any node has answered is here. */
  readonly barrier?: true
  /** Whether a node that cannot reach the others carries the call out by itself. Default: it is refused, unless it is a GET. */
  readonly alone?: (request: ApiRequest) => boolean
  /**
   * Whether a change is carried out each time, also under an `Idempotency-Key` that was used: nothing comes of it but the answer, or the
   * answer is a secret that must not be kept. Default: never.
   */
  readonly eachTime?: (request: ApiRequest) => boolean
  /** False = does not count for the rate limit. Default true. */
  readonly limited?: boolean
  /** Throws the refusal of a bad request, and replaces its parts by checked ones, before it is sent to another node. */
  readonly check?: (request: ApiRequest) => void
  handle(request: ApiRequest): Response | Promise<Response>
}

/** For `eachTime` of an endpoint. */
export const ALWAYS = () => true

type Parsed<T extends Fields, Otherwise> = T extends z.ZodObject ? z.output<T> : Otherwise

/** A request whose parts have the form that the schemas of the endpoint give them. */
export interface CheckedRequest<Params extends Fields, Query extends Fields, Body extends Fields>
  extends Omit<ApiRequest, 'params' | 'query' | 'body'> {
  readonly params: Parsed<Params, ApiRequest['params']>
  readonly query: Parsed<Query, ApiRequest['query']>
  readonly body: Parsed<Body, unknown>
}

/**
 * Definition of an endpoint: its contract, and what belongs to it alone. `params`, `query` and `body` check the request, make
 * what the handler gets, and document it.
 */
export interface Endpoint<Params extends Fields, Query extends Fields, Body extends Fields, All extends Answers>
  extends Omit<Contract<string, Params, Query, Body, All>, 'body'>,
    Pick<RouteDescription, 'summary' | 'description' | 'documented' | 'examples'>,
    Pick<
      ApiRoute,
      | 'scope'
      | 'butler'
      | 'openTo'
      | 'action'
      | 'audited'
      | 'bodyLimit'
      | 'bodyFor'
      | 'ownBodyErrors'
      | 'isImport'
      | 'confidential'
      | 'limited'
      | 'at'
      | 'atLeaderWhen'
      | 'alone'
      | 'eachTime'
    > {
  readonly body?: (() => Body) | 'bytes' | 'ignored'
  /** Key below `restServerEndpointsEnable` that must be true; absent or null = always there. */
  readonly switch?: string | null
  /** Forms of parts that `handle` reads itself, from the request as it came: these only document. */
  readonly readByHandler?: () => Pick<RouteSchemas, 'query' | 'body'>
  /** Turns an error of the handler into the one that is answered, with texts that clients of the predecessor know. */
  readonly legacyErrors?: (error: unknown, request: ApiRequest) => unknown
  handle(request: CheckedRequest<Params, Query, Body>, answer: AnswerWith<All>): Answered | Promise<Answered>
}

/**
 * An endpoint in one definition. Bad requests are answered in the form that belongs to it: those that Butler had (`butler`)
 * in its form, with its texts, and let in members that are not described; all others with 400 `VALIDATION`, naming every
 * issue.
 *
 * @example
 * route({
 *   ...FILE_JOB, switch: 'fileCopy', scope: 'file:write',
 *   summary: 'Report the progress of a file job',
 *   handle: ({ params }, answer) => answer(200, jobs.get(params.jobId)),
 * })
 */
export function route<
  const All extends Answers,
  Params extends Fields = undefined,
  Query extends Fields = undefined,
  Body extends Fields = undefined,
>(endpoint: Endpoint<Params, Query, Body, All>): ApiRoute {
  const { method, switch: key = null, answers, ...rest } = endpoint
  const { params, query, body, readByHandler, legacyErrors, handle, ...description } = rest
  const checks = once(() => ({
    butler: endpoint.butler,
    params: unlessText(params?.()),
    query: query?.(),
    body: typeof body === 'string' ? undefined : body?.(),
  }))
  return {
    ...description,
    methods: [method].flat(),
    switch: key,
    ...(body && { body: typeof body === 'string' ? body : ('json' as const) }),
    schemas: () => ({
      ...readByHandler?.(),
      ...(params && { params: params() }),
      ...(query && !isEmpty(query()) && { query: query() }),
      ...(body && typeof body !== 'string' && { body: body() }),
      answers: answers(),
    }),
    check: (request) => void check(checks(), request),
    handle(request) {
      const checked = check(checks(), request) as CheckedRequest<Params, Query, Body>
      const answering = (request.asObject ? objectAnswer : textOf) as AnswerWith<All>
      if (!legacyErrors) return handle(checked, answering)
      const refuse = (error: unknown): never => {
        throw legacyErrors(error, request)
      }
      // An answer that is there at once, like a key-value pair, needs no promise.
      try {
        const answer = handle(checked, answering)
        return answer instanceof Response ? answer : answer.catch(refuse)
      } catch (error) {
        return refuse(error)
      }
    },
  }
}

const isEmpty = (fields: Fields): boolean => Object.keys(fields?.shape ?? {}).length === 0

/** Path parameters are texts, so a schema that wants any texts has nothing to check. */
function unlessText(params: Fields): Fields {
  const isText = Object.values(params?.shape ?? {}).every((member) => {
    const { def } = member instanceof z.ZodOptional ? member.unwrap() : member
    return def.type === 'string' && !('format' in def) && !def.checks?.length
  })
  return isText ? undefined : params
}

/** The schemas of the parts of a request. */
interface Checks extends Pick<ApiRoute, 'butler'> {
  readonly params: Fields
  readonly query: Fields
  readonly body: Fields
}

/** Replaces the checked parts by those of the schemas. */
function check({ butler, params, query, body }: Checks, request: ApiRequest): ApiRequest {
  const checked = request as { -readonly [Part in 'params' | 'query' | 'body']: unknown }
  if (params) checked.params = validate('params', params, request.params)
  if (body) {
    checked.body = butler ? validate('body', body, request.body) : strictBody(body, request.body)
  }
  if (query) {
    checked.query = butler
      ? validate('querystring', query, request.query)
      : strictQuery(query, request.query, request.times)
  }
  return request
}

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
/** An answer copies it in half the time that an object takes. */
const JSON_HEADERS = new Headers(JSON_TYPE)

type AnswerHeaders = Readonly<Record<string, string>> | undefined

/** The answer of an endpoint: JSON, a text where the value is one, or nothing. */
function textOf(status: number, value: unknown, headers: AnswerHeaders): Response {
  if (value === undefined) return new Response(null, { status, ...(headers && { headers }) })
  if (typeof value === 'string')
    return textAnswer(status, value, { 'content-type': 'text/plain; charset=utf-8', ...headers })
  return jsonAnswer(status, value, headers)
}

const objects = new WeakMap<Response, unknown>()

/** The same for a caller in this process, without the way through a text. */
function objectAnswer(status: number, value: unknown, headers: AnswerHeaders): Response {
  if (typeof value !== 'object' || value === null) return textOf(status, value, headers)
  const answer = new Response(null, { status, headers: headers ? { ...JSON_TYPE, ...headers } : JSON_HEADERS })
  objects.set(answer, value)
  return answer
}

/** The value of an answer to a call with `asObject`; undefined when it is to be read as a text. */
export const objectOf = (answer: Response): unknown => objects.get(answer)

/** An answer with a JSON body. */
export function jsonAnswer(status: number, body: unknown, headers?: Readonly<Record<string, string>>): Response {
  return jsonText(status, JSON.stringify(body), headers)
}

/** An answer whose JSON is written already. */
export function jsonText(status: number, text: string, headers?: Readonly<Record<string, string>>): Response {
  return textAnswer(status, text, headers ? { ...JSON_TYPE, ...headers } : JSON_HEADERS)
}

/** Characters; a shorter answer fits into a packet or two anyway. */
const LONG = 1024
const longTexts = new WeakMap<Response, string>()

/** An answer that is compressed when it is long and the caller accepts that. */
export function textAnswer(status: number, text: string, headers: HeadersInit): Response {
  const answer = new Response(text, { status, headers })
  if (text.length >= LONG) longTexts.set(answer, text)
  return answer
}

/** The text of a long answer; undefined for all others. */
export const longText = (answer: Response): string | undefined => longTexts.get(answer)
