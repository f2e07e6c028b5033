/**
 * API keys: made at random, kept as their SHA-256, compared in constant time; how a request presents one; and the key of
 * programs on this machine.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { formatDay, parseDay } from '../../platform/calendar.ts'
import { errorText } from '../../platform/errors.ts'
import { writePrivateFile } from '../../platform/private-file.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { createZoneTimes } from '../../platform/zone-times.ts'
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

/** The hash of a key in the form that the configuration has. */
export const hashOfKey = (key: string): string => `sha256:${digest(key).toString('hex')}`

export interface KnownKey {
  readonly id: string
  readonly scopes: readonly string[]
  readonly digest: Buffer
  readonly grant: Grant
  /** Milliseconds since 1970; infinite when it never expires. */
  readonly expiresAt: number
}

/** Days and times without a zone are those of `timezone`; '' = the zone of this computer. */
export function compileKeys(keys: readonly KeySettings[], timezone: string): KnownKey[] {
  return keys.map(({ id, hash, expires, ...grant }) => ({
    id,
    scopes: grant.scopes,
    digest: Buffer.from(hash.slice('sha256:'.length), 'hex'),
    grant: compileGrant(grant),
    expiresAt: expires === undefined ? Number.POSITIVE_INFINITY : expiryOf(expires, timezone),
  }))
}

/** Milliseconds since 1970; a day counts to its end. */
export function expiryOf(expires: string, timezone: string): number {
  const day = parseDay(expires)
  return createZoneTimes(timezone).instant(day === null ? expires : formatDay(day + 1)) ?? Number.NaN
}

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
    // All of them, always: the time that it takes does not depend on the place of a match.
    for (const key of keys) if (equal(key.digest, wanted)) found = key
    if (!found) return { problem: 'unknown API key' }
    return clock.now() < found.expiresAt ? { key: found } : { problem: `API key ${found.id} has expired` }
  }
}

const digest = (key: string): Buffer => createHash('sha256').update(key).digest()

/** Differs between two keys that had the same id one after the other. */
export const fingerprintOf = (digestOfKey: Buffer): string =>
  createHash('sha256').update(digestOfKey).digest('hex').slice(0, 16)

/** The credentials of a request. */
export type Presented =
  | { readonly kind: 'none' }
  | { readonly kind: 'key' | 'token'; readonly text: string }
  /** Something is there that cannot be right. */
  | { readonly kind: 'wrong'; readonly problem: string }

const NONE: Presented = { kind: 'none' }

/** `Authorization: Bearer` with a key or a token, or `X-Api-Key` with a key; nothing in a URL counts. */
export function presentedCredential(headers: Headers): Presented {
  const authorization = headers.get('authorization')
  const apiKey = headers.get('x-api-key')
  if (authorization === null) return apiKey === null ? NONE : { kind: 'key', text: apiKey.trim() }
  const [, bearer] = /^bearer +(\S+)$/i.exec(authorization.trim()) ?? []
  if (bearer === undefined) return { kind: 'wrong', problem: 'Authorization is not of the form "Bearer <key>"' }
  if (apiKey !== null && apiKey.trim() !== bearer) {
    return { kind: 'wrong', problem: 'Authorization and X-Api-Key hold different credentials' }
  }
  return { kind: /^[^.]+\.[^.]*\.[^.]*$/.test(bearer) ? 'token' : 'key', text: bearer }
}

/** In the data directory. */
export const LOCAL_KEY_FILE = 'local.key'
/** Account name of the person who uses the local key, percent-encoded; stands in the audit. */
export const LOCAL_USER_HEADER = 'x-footman-user'

export interface LocalKey {
  matches(presented: string): boolean
  /** Never rejects: without the file the command line has to bring a key of its own. */
  publish(): Promise<void>
  withdraw(): Promise<void>
}

/** Fresh at every start, in a file that only the account of the service may read. */
export function createLocalKey(log: Logger, file: string): LocalKey {
  const key = newKey()
  const wanted = Buffer.from(hashOfKey(key))
  return {
    matches: (presented) => timingSafeEqual(wanted, Buffer.from(hashOfKey(presented))),
    async publish() {
      await writePrivateFile(file, `${key}\n`).catch((error: unknown) => {
        log.warn(`ACCESS: The local key could not be written to ${file}: ${errorText(error)}`)
      })
    },
    withdraw: () => rm(file, { force: true }).catch(() => {}),
  }
}
