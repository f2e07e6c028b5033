/**
 * Messages that prove where they come from: the log appenders send a secret before the type, `SECRET;/scheduler-...`.
 * Addresses of senders can be forged; a secret cannot be guessed. It is taken off before anything is written down.
 */
import { timingSafeEqual } from 'node:crypto'

const SEPARATOR = 0x3b
const SLASH = 0x2f

export interface SharedSecrets {
  /** The message without its secret; null when it has none, or a wrong one. */
  strip(raw: Uint8Array): Uint8Array | null
}

/** Any of `secrets` will do, so that one can be replaced by another node by node. */
export function createSharedSecrets(secrets: readonly string[]): SharedSecrets {
  const prefixes = secrets.map((secret) => new TextEncoder().encode(`${secret};`))
  return {
    strip(raw) {
      // All of them are compared, whichever fits: the time taken tells nothing.
      const fitting = prefixes.filter((prefix) => beginsWith(raw, prefix))
      return fitting[0] ? raw.subarray(fitting[0].byteLength) : null
    },
  }
}

function beginsWith(raw: Uint8Array, prefix: Uint8Array): boolean {
  const start = new Uint8Array(prefix.byteLength)
  start.set(raw.subarray(0, prefix.byteLength))
  return timingSafeEqual(start, prefix)
}

/** A refused message as it may be shown: without what stands where the secret belongs. */
export function withoutClaim(raw: Uint8Array): Uint8Array {
  const end = raw.indexOf(SEPARATOR)
  return end > 0 && raw[0] !== SLASH ? raw.subarray(end + 1) : raw
}
