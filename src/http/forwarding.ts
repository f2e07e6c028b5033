/** Calls that the leader of a cluster answers: as they are sent to it, and as it carries them out. */
import { type ForwardedAnswer, ForwardingError, type ForwardingFault } from '../cluster/types.ts'
import { SCOPE_GROUPS } from './config.ts'
import { ANY_SCOPE, type Caller, type GrantLimits, NO_LIMITS } from './endpoint/caller.ts'
import type { ApiRequest, ApiRoute, AuditNote } from './endpoint/route.ts'
import { type ErrorCode, type Refusal, refusal } from './errors.ts'

/** The rights of a caller as JSON. */
export interface ForwardedCaller {
  readonly actor: string
  readonly client: string
  readonly secure: boolean
  readonly prefix: string
  readonly via: 'console' | null
  readonly session: string | null
  /** Scopes that the caller has, with their limits; null = none. */
  readonly scopes: Readonly<Record<string, GrantLimits | null>>
  /** Scopes whose protected parts it sees. */
  readonly sees: readonly string[]
}

/** Reads answer from the own copy of the shared state, and changes are made by the leader, unless the route says otherwise. */
export function placeOf({ at }: Pick<ApiRoute, 'at'>, method: string): 'here' | 'leader' {
  return at ?? (method === 'GET' || method === 'HEAD' ? 'here' : 'leader')
}

/** Headers that endpoints read; credentials stay at the node that checked them. */
const PASSED_ON = [
  'accept',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'user-agent',
  'x-file-name',
]
/** The hub checks its visitors itself: by their cookies, and by where the form of a page was. */
const PASSED_ON_TO_HUB = ['cookie', 'host', 'origin', 'sec-fetch-site']

/** `body`: an empty one has no type, as JSON of nothing would be refused. */
export function forwardedHeaders({ headers, url }: ApiRequest, body: Uint8Array | null): Record<string, string> {
  const names = url.startsWith('/hub/') ? [...PASSED_ON, ...PASSED_ON_TO_HUB] : PASSED_ON
  const passed = names.filter((name) => headers.has(name) && (name !== 'content-type' || body !== null))
  return Object.fromEntries(passed.map((name) => [name, headers.get(name)!]))
}

/** The bytes of a body that was parsed: the leader parses them again, by the same rules. */
export function bodyBytes(body: unknown): Uint8Array | null {
  if (body === undefined) return null
  return body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body))
}

const SCOPES: readonly string[] = [
  'admin',
  ANY_SCOPE,
  ...SCOPE_GROUPS.filter((group) => group !== '*').flatMap((group) =>
    ['read', 'run', 'write'].map((verb) => `${group}:${verb}`),
  ),
]

export function forwardedCaller(request: ApiRequest): ForwardedCaller {
  const { caller } = request
  return {
    actor: caller.actor,
    client: request.client,
    secure: request.secure,
    prefix: request.prefix,
    via: request.via ?? null,
    session: request.session ?? null,
    scopes: Object.fromEntries(
      SCOPES.filter((scope) => caller.may(scope)).map((scope) => [scope, limitsOf(caller, scope)]),
    ),
    sees: SCOPES.filter((scope) => request.sees(scope)),
  }
}

function limitsOf(caller: Caller, scope: string): GrantLimits | null {
  const { startFilter, keyValueNamespaces } = caller.limits(scope)
  return startFilter === null && keyValueNamespaces === null ? null : { startFilter, keyValueNamespaces }
}

const NO_RIGHTS: GrantLimits = {
  startFilter: { taskId: [], tag: [], customProperty: [] },
  keyValueNamespaces: [],
}

export function callerOf({ actor, scopes }: ForwardedCaller): Caller {
  const may = (scope: string) => Object.hasOwn(scopes, scope)
  return {
    actor,
    may,
    refusal: (scope) => (may(scope) ? null : refusal('FORBIDDEN', `The caller lacks the scope ${scope}`)),
    limits: (scope) => (may(scope) ? (scopes[scope] ?? NO_LIMITS) : NO_RIGHTS),
  }
}

/** Connection headers describe a connection that is not that of the caller. */
const NOT_PASSED_BACK = new Set(['content-length', 'date', 'connection', 'transfer-encoding', 'x-request-id'])

export async function storedAnswer(response: Response, note: AuditNote | null): Promise<ForwardedAnswer> {
  const headers = Object.fromEntries([...response.headers].filter(([name]) => !NOT_PASSED_BACK.has(name)))
  return { status: response.status, headers, body: new Uint8Array(await response.arrayBuffer()), note }
}

export function answerOf({ status, headers, body }: ForwardedAnswer): Response {
  const isEmpty = status === 204 || status === 304 || body.byteLength === 0
  return new Response(isEmpty ? null : (body as Uint8Array<ArrayBuffer>), { status, headers: { ...headers } })
}

const FAULTS: Readonly<Record<ForwardingFault, { readonly code: ErrorCode; readonly retryAfter: number | null }>> = {
  NO_LEADER: { code: 'NO_LEADER', retryAfter: 5 },
  OUTCOME_UNKNOWN: { code: 'OUTCOME_UNKNOWN', retryAfter: null },
  CLUSTER_UNAVAILABLE: { code: 'CLUSTER_UNAVAILABLE', retryAfter: 10 },
  BODY_TOO_LARGE: { code: 'BODY_TOO_LARGE', retryAfter: null },
}

/** The refusal for an error of forwarding; other errors are thrown on. */
export function forwardingRefusal(error: unknown): Refusal {
  if (!(error instanceof ForwardingError)) throw error
  const { code, retryAfter } = FAULTS[error.fault]
  return refusal(code, error.message, {}, retryAfter === null ? {} : { 'retry-after': String(retryAfter) })
}
