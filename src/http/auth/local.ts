/** Callers on this machine: they may see more while access control is off. */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isLoopback, plainAddress } from '../../platform/addresses.ts'
import type { BrowserRules } from '../middleware/browser-rules.ts'

/** One request as the check sees it. */
export interface Origin {
  /** Address of the caller: that of the connection, or what a trusted proxy says. */
  readonly client: string
  /** The address is what a trusted proxy says. */
  readonly proxied: boolean
  readonly headers: Headers
}

/**
 * A caller is local when its address is one of this machine, neither led astray by a web page of another origin or with
 * a forged host name, nor forwarded by an untrusted proxy.
 */
export function createLocalCheck(browser: BrowserRules): (origin: Origin) => boolean {
  return ({ client, proxied, headers }) => {
    if (!isOwnAddress(client)) return false
    if (headers.has('forwarded')) return false
    if (!proxied && FORWARDING.some((name) => headers.has(name))) return false
    const host = headers.get('host')
    if (!browser.knowsHost(host)) return false
    const origin = headers.get('origin')
    return origin === null || browser.isOwnOrigin(origin, host)
  }
}

/** Headers that proxies add. */
const FORWARDING = ['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via']

/** A caller with an address of this machine is on it: the answer would reach no other machine. */
export function isOwnAddress(address: string): boolean {
  if (isLoopback(address)) return true
  if (isIP(address) === 0) return false
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => plainAddress(one.address) === address))
}
