/** Checks of the sender of a datagram: source address, shared secret, messages a minute. */

import { timingSafeEqual } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { errorText } from '../../platform/errors.ts'

// Addresses, networks and host names that may send. Fails closed.

export interface SourceFilter {
  allows(address: string): boolean
  /** Resolves host names again; a name keeps its last good addresses when the look-up fails. */
  refresh(): Promise<void>
}

interface SourceFilterDeps {
  readonly warn: (message: string) => void
  /** All addresses of a host name through the operating system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

/** Builds the filter from `allowedSources`; a host name matches no address until `refresh` has resolved it. */
export function createSourceFilter(deps: SourceFilterDeps, allowedSources: readonly string[]): SourceFilter {
  const resolve = deps.resolve ?? resolveHost
  const fixed = allowedSources.filter(isLiteral)
  const names = allowedSources.filter((source) => !isLiteral(source))
  const addressesOf = new Map<string, readonly string[]>()
  let allowed = buildList(fixed)

  return {
    allows: (address) => contains(allowed, address),
    async refresh() {
      await Promise.all(
        names.map(async (name) => {
          try {
            addressesOf.set(name, await resolve(name))
          } catch (error) {
            deps.warn(
              `Allowed source "${name}" cannot be resolved (${errorText(error)}); ${addressesOf.has(name) ? 'keeping its last known addresses' : 'no sender matches it until it can be resolved'}`,
            )
          }
        }),
      )
      allowed = buildList([...fixed, ...[...addressesOf.values()].flat()])
    },
  }
}

function isLiteral(source: string): boolean {
  return isIP(source.split('/')[0] ?? '') !== 0
}

function buildList(sources: readonly string[]): BlockList {
  const list = new BlockList()
  for (const source of sources) {
    const [address = '', prefix] = source.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return list
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address)
  if (family === 0) return false
  return list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

async function resolveHost(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map((entry) => entry.address)
}

// Shared secrets: the log appenders send one before the type, `SECRET;/scheduler-...`. Addresses of senders can be
// forged; a secret cannot be guessed. It is removed before the message is stored or logged.

const SEPARATOR = 0x3b
const SLASH = 0x2f

interface SharedSecrets {
  /** The message without its secret; null when it has none, or a wrong one. */
  strip(raw: Uint8Array): Uint8Array | null
}

/** Any of `secrets` will do, so that one can be replaced by another node by node. */
export function createSharedSecrets(secrets: readonly string[]): SharedSecrets {
  const prefixes = secrets.map((secret) => new TextEncoder().encode(`${secret};`))
  return {
    strip(raw) {
      // All of them are compared, so that the time taken does not depend on the one that fits.
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

/** A refused message as it may be shown: without the text in the place of the secret. */
export function withoutClaim(raw: Uint8Array): Uint8Array {
  const end = raw.indexOf(SEPARATOR)
  return end > 0 && raw[0] !== SLASH ? raw.subarray(end + 1) : raw
}

// Rates: messages of a sender in fixed windows of one minute, so that one sender cannot use up the limit of another.

const WINDOW_MS = 60_000
/** Sender addresses can be forged: only so many are remembered. A forgotten sender begins a new window. */
const MAX_SENDERS = 1000

interface SenderRates {
  /** Counts a message of the sender; false when it exceeds the limit of its window. */
  take(sender: string, now: number): boolean
}

interface Window {
  readonly openedAt: number
  used: number
}

/** A window opens with the first message after the last window of the same sender has ended. */
export function createSenderRates(maxPerMinute: number): SenderRates {
  /** In the order of their opening. */
  const windows = new Map<string, Window>()

  function open(sender: string, now: number): Window {
    const window = { openedAt: now, used: 0 }
    windows.delete(sender)
    windows.set(sender, window)
    const oldest = windows.size > MAX_SENDERS ? windows.keys().next().value : undefined
    if (oldest !== undefined) windows.delete(oldest)
    return window
  }

  // A clock that was set back opens a new window too.
  const isOver = ({ openedAt }: Window, now: number) => now < openedAt || now - openedAt >= WINDOW_MS

  return {
    take(sender, now) {
      const known = windows.get(sender)
      const window = known && !isOver(known, now) ? known : open(sender, now)
      window.used += 1
      return window.used <= maxPerMinute
    },
  }
}
