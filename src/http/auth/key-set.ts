/** The keys of a token issuer, fetched from its JWKS address (RFC 7517) and kept. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Clock, Logger } from '../../platform/types.ts'

export interface KeySetDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The parsed document behind the address; settles within `FETCH_TIMEOUT_MS`. */
  readonly fetchJson: (url: string, timeoutMs: number) => Promise<unknown>
}

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
      log.warn(`ACCESS: The keys of the token issuer could not be fetched: ${(error as Error).message}`)
    }
  }

  /** All who wait share one fetch. */
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
