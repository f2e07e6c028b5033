/** JSON Web Tokens (RFC 7519) as credentials. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { errorText } from '../../platform/errors.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { compileGrant, type Grant, type GrantSettings, isScope } from './grants.ts'

export interface JwtSettings {
  /** '' = not used; exactly one of this, the public key and the key set is. */
  readonly secret: string
  readonly issuer: string
  readonly audience: string
  /** Dotted path of the claim with scopes and names of grants. */
  readonly claim: string
  readonly grants: Readonly<Record<string, GrantSettings>>
}

export type JwtVerdict =
  /** `claims`: scopes and names of grants; `until`: its end in milliseconds since 1970. */
  | { readonly subject: string; readonly claims: readonly string[]; readonly until: number }
  /** Why the token is refused; for the log, holds nothing of the token. */
  | { readonly problem: string }

export interface JwtCheck {
  (token: string): Promise<JwtVerdict>
  /** The rights that these claims give. */
  grants(claims: readonly string[]): readonly Grant[]
}

const LEEWAY_SECONDS = 60
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512']
/** Keys never sign in a family other than their own: jose compares the kind of the key with the algorithm. */
const PUBLIC_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]

/** Where the keys come from. */
export type KeySource =
  | { readonly secret: string }
  | { readonly publicKey: KeyObject }
  | { readonly keySet: JWTVerifyGetKey }

/** A PEM public key or certificate. Throws when it is neither. */
export const readPublicKey = (pem: string): KeyObject => createPublicKey(pem)

export function createJwtCheck(clock: Clock, source: KeySource, settings: JwtSettings): JwtCheck {
  const grants = new Map(Object.entries(settings.grants).map(([value, grant]) => [value, compileGrant(grant)]))
  const key = keyOf(source)
  const options = {
    issuer: settings.issuer,
    audience: settings.audience,
    algorithms: 'secret' in source ? SECRET_ALGORITHMS : PUBLIC_ALGORITHMS,
    clockTolerance: LEEWAY_SECONDS,
    requiredClaims: ['exp'],
  }
  const check = async (token: string): Promise<JwtVerdict> => {
    try {
      const { payload } = await jwtVerify(token, key, { ...options, currentDate: new Date(clock.now()) })
      const claims = claimValues(payload, settings.claim)
      return { subject: payload.sub ?? 'unknown', claims, until: (payload.exp ?? 0) * 1000 }
    } catch (error) {
      return { problem: `token refused: ${errorText(error)}` }
    }
  }
  return Object.assign(check, { grants: (claims: readonly string[]) => grantsOf(claims, grants) })
}

function keyOf(source: KeySource) {
  if ('secret' in source) return new TextEncoder().encode(source.secret)
  return 'publicKey' in source ? source.publicKey : source.keySet
}

/** A text is split at blanks, a list is taken as it is. */
function claimValues(payload: JWTPayload, path: string): readonly string[] {
  const value = valueAt(payload, path)
  if (typeof value === 'string') return value.split(' ').filter((one) => one !== '')
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

/** Names of claims may hold dots themselves (`https://acme.example/roles`). */
function valueAt(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path]
  let value: unknown = payload
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

/** A value that is a scope counts as that scope, every other one only as the name of a grant. */
function grantsOf(values: readonly string[], known: ReadonlyMap<string, Grant>): readonly Grant[] {
  const scopes = values.filter(isScope)
  const named = values.flatMap((value) => (isScope(value) ? [] : (known.get(value) ?? [])))
  return scopes.length === 0 ? named : [compileGrant({ scopes }), ...named]
}

export interface KeySetDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The parsed document behind the address; settles within `FETCH_TIMEOUT_MS`. */
  readonly fetchJson: (url: string, timeoutMs: number) => Promise<unknown>
}

/** The keys of a token issuer, fetched from its JWKS address (RFC 7517) and kept. */
export interface KeySet {
  /** Rejects when no key fits. */
  readonly keyFor: JWTVerifyGetKey
  /** Fetches the keys ahead of the first token; never rejects. */
  warm(): Promise<void>
}

/** No request waits longer for an issuer that is silent. */
export const FETCH_TIMEOUT_MS = 4000
const FRESH_MS = 10 * 60_000
/** Pause after a fetch, so that tokens with invented key ids do not turn into load for the issuer. */
const COOLDOWN_MS = 30_000
/** So long the last keys stay valid while new ones cannot be fetched. */
const STALE_MS = 24 * 60 * 60_000

export function createKeySet(deps: KeySetDeps, url: string): KeySet {
  const { clock, log } = deps
  let keys: ReturnType<typeof createLocalJWKSet> | null = null
  let fetchedAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let fetching: Promise<void> | null = null

  async function fetchKeys(): Promise<void> {
    try {
      keys = createLocalJWKSet((await deps.fetchJson(url, FETCH_TIMEOUT_MS)) as JSONWebKeySet)
      fetchedAt = clock.now()
    } catch (error) {
      log.warn(`ACCESS: The keys of the token issuer could not be fetched: ${errorText(error)}`)
    }
  }

  /** Concurrent callers share one fetch. */
  function refresh(): Promise<void> {
    if (fetching) return fetching
    if (clock.now() - triedAt < COOLDOWN_MS) return Promise.resolve()
    triedAt = clock.now()
    fetching = fetchKeys().finally(() => {
      fetching = null
    })
    return fetching
  }

  function current(): ReturnType<typeof createLocalJWKSet> {
    if (keys && clock.now() - fetchedAt < STALE_MS) return keys
    throw new Error('the keys of the issuer are not available')
  }

  return {
    async keyFor(header, token) {
      if (clock.now() - fetchedAt >= FRESH_MS) await refresh()
      try {
        return await current()(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await refresh()
        return current()(header, token)
      }
    },
    warm: refresh,
  }
}
