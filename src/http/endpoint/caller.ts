/** The caller of an endpoint and its rights; endpoints ask it for everything beyond their own scope. */
import { globMatcher } from '../../platform/glob.ts'
import type { ClientCertificate } from '../../platform/http-server.ts'
import { type Refusal, refusal } from '../errors.ts'

/** Tasks that may be started: a task that one of the three lists names. */
export interface TaskSelectors {
  readonly taskId: readonly string[]
  readonly tag: readonly string[]
  readonly customProperty: readonly { readonly name: string; readonly value: string }[]
}

/** Null does not limit; an empty list allows nothing. */
export interface GrantLimits {
  readonly startFilter: TaskSelectors | null
  /** Globs. */
  readonly keyValueNamespaces: readonly string[] | null
}

export interface Caller {
  /** `key:<id>`, `jwt:<sub>`, `cert:<CN>`, `local:<account>`, `local`, `anonymous`. */
  readonly actor: string
  may(scope: string): boolean
  /** Why the caller may not use the scope, 401 or 403; null when it may. */
  refusal(scope: string): Refusal | null
  /** Limits of the use of a scope: those of all grants with this scope, added up. */
  limits(scope: string): GrantLimits
}

/** One request as access control sees it. */
export interface Contact {
  /** Address of the caller: that of the connection, or what a trusted proxy says. */
  readonly client: string
  /** The address is what a trusted proxy says. */
  readonly proxied: boolean
  readonly headers: Headers
  readonly certificate: ClientCertificate | undefined
}

/** The caller; with a refusal when the credentials are wrong. */
export interface Identity {
  readonly caller: Caller
  /** Bucket of the rate limit; null = the address, for callers without valid credentials. */
  readonly bucket: string | null
  readonly refusal: Refusal | null
  /** For the log: why. */
  readonly problem?: string
  /** Id of the session of the console that the caller has; absent for programs. */
  readonly session?: string
  /** From which a session can ask for the same rights again; absent without valid credentials. */
  readonly holder?: Holder
}

/** A credential without its secret, as a session keeps it. */
export type Holder =
  | { readonly kind: 'key'; readonly id: string; readonly fingerprint: string; readonly until: number | null }
  | { readonly kind: 'token'; readonly subject: string; readonly claims: readonly string[]; readonly until: number }
  /** Only while the connection brings the certificate. */
  | { readonly kind: 'certificate'; readonly name: string; readonly until: null }
  /** A person on this machine who can read the local key. */
  | { readonly kind: 'local'; readonly actor: string; readonly until: null }

/** The scope of endpoints for every caller whose credentials are valid and have any scope. */
export const ANY_SCOPE = 'any'

export const NO_LIMITS: GrantLimits = { startFilter: null, keyValueNamespaces: null }

/** Everybody, while access control is off. */
export const EVERYBODY: Caller = {
  actor: 'anonymous',
  may: () => true,
  refusal: () => null,
  limits: () => NO_LIMITS,
}

export const forbidden = (details: string): Refusal => refusal('FORBIDDEN', details)

/** Throws 401 or 403 when the caller lacks the scope. */
export function requireScope(caller: Caller, scope: string): void {
  const refusal = caller.refusal(scope)
  if (refusal) throw refusal
}

/** Which key-value namespaces the caller may use with this scope (`kv:read`, `kv:write`). */
export function namespaceFilter(caller: Caller, scope: string): (namespace: string) => boolean {
  const { keyValueNamespaces } = caller.limits(scope)
  return keyValueNamespaces === null ? () => true : globMatcher(keyValueNamespaces)
}

/** Throws 403 when the namespace lies outside the caller's grants. */
export function requireNamespace(caller: Caller, scope: string, namespace: string): void {
  if (!namespaceFilter(caller, scope)(namespace)) throw forbidden(`Namespace ${namespace} is not granted for ${scope}`)
}

/** For log lines: the address, and the actor when it is known. */
export function callerText(caller: Caller, address: string): string {
  return caller.actor === 'anonymous' ? address : `${caller.actor} at ${address}`
}
