/** API keys: made at random, kept as their SHA-256, compared in constant time. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../platform/types.ts'
import { compileGrant, type Grant, type GrantSettings } from './grants.ts'

export interface KeySettings extends GrantSettings {
  readonly id: string
  /** `sha256:` and 64 hex digits. */
  readonly hash: string
  /** A day, which counts to its end in `timezone`, or a time. */
  readonly expires?: string | undefined
}

/** A fresh key: `fm_` and 256 random bits in base64url. */
export const newKey = (): string => `fm_${randomBytes(32).toString('base64url')}`

export const isKey = (text: string): boolean => /^fm_[A-Za-z0-9_-]{43}$/.test(text)

/** As it stands in the configuration. */
export const hashOfKey = (key: string): string => `sha256:${digest(key).toString('hex')}`

export interface KnownKey {
  readonly id: string
  readonly digest: Buffer
  readonly grant: Grant
  /** Milliseconds since 1970; infinite when it never expires. */
  readonly expiresAt: number
}

/** `endOf` gives the instant at which a day (`2027-06-30`) ends. */
export function compileKeys(keys: readonly KeySettings[], endOf: (day: string) => number): KnownKey[] {
  return keys.map(({ id, hash, expires, ...grant }) => ({
    id,
    digest: Buffer.from(hash.slice('sha256:'.length), 'hex'),
    grant: compileGrant(grant),
    expiresAt: expires === undefined ? Number.POSITIVE_INFINITY : expiryOf(expires, endOf),
  }))
}

const expiryOf = (expires: string, endOf: (day: string) => number): number =>
  /^\d{4}-\d{2}-\d{2}$/.test(expires) ? endOf(expires) : Date.parse(expires)

export type KeyVerdict = { readonly key: KnownKey } | { readonly problem: string }

/** `equal` is replaced in tests that count comparisons. */
export function createKeyCheck(
  keys: readonly KnownKey[],
  clock: Clock,
  equal: (a: Buffer, b: Buffer) => boolean = timingSafeEqual,
): (presented: string) => KeyVerdict {
  return (presented) => {
    const wanted = digest(presented)
    let found: KnownKey | null = null
    // All of them, always: how long it takes tells nothing about the place of a match.
    for (const key of keys) if (equal(key.digest, wanted)) found = key
    if (!found) return { problem: 'unknown API key' }
    return clock.now() < found.expiresAt ? { key: found } : { problem: `API key ${found.id} has expired` }
  }
}

const digest = (key: string): Buffer => createHash('sha256').update(key).digest()
