/** The address of the caller behind a proxy, whether it is on this machine, and the path of Footman for its browser. */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { addressMatcher, isLoopback, plainAddress } from '../platform/addresses.ts'
import type { Contact } from './endpoint/caller.ts'
import type { BrowserRules } from './middleware/browser-rules.ts'

/** Address of a client whose proxy names no usable one; it is in no list and never local. */
const UNKNOWN_ADDRESS = 'unknown'

export interface Proxies {
  /** Whether the `X-Forwarded-For` of this peer is believed. */
  trusts(peer: string): boolean
  /** Address of the caller, given that of the other end of the connection. */
  clientOf(peer: string, headers: Headers): string
  /**
   * Path below which the browser of a request finds Footman: `/footman`; '' = none. That of a trusted proxy
   * (`X-Forwarded-Prefix`), else that of the public address where the request has its host or its path.
   */
  prefixOf(peer: string, headers: Headers, path: string): string
}

/**
 * `trustedProxies`: addresses or CIDR ranges whose `X-Forwarded-For` is believed, rightmost entry first. `publicUrls`:
 * addresses of Footman for browsers.
 */
export function createProxies(trustedProxies: readonly string[], publicUrls: readonly string[] = []): Proxies {
  const paths = publicUrls.map(createPublicPath)
  const publicPath = (headers: Headers, path: string): string => {
    for (const pathOf of paths) if (pathOf(headers, path) !== '') return pathOf(headers, path)
    return ''
  }
  if (trustedProxies.length === 0)
    return {
      trusts: () => false,
      clientOf: (peer) => peer,
      prefixOf: (_, headers, path) => publicPath(headers, path),
    }
  const trusts = addressMatcher(trustedProxies)

  function clientOf(peer: string, headers: Headers): string {
    const forwarded = headers.get('x-forwarded-for')
    if (forwarded === null || !trusts(peer)) return peer
    const chain = forwarded.split(',').map(addressOf)
    let client = peer
    while (trusts(client) && chain.length > 0) client = chain.pop() ?? UNKNOWN_ADDRESS
    return client
  }

  function prefixOf(peer: string, headers: Headers, path: string): string {
    const forwarded = headers.get('x-forwarded-prefix')
    const isUsable = forwarded !== null && PREFIX.test(forwarded) && trusts(peer)
    return isUsable ? forwarded : publicPath(headers, path)
  }

  return { trusts, clientOf, prefixOf }
}

const PREFIX = /^(?:\/[A-Za-z0-9._~-]{1,64}){1,5}$/

/** The path of the public address for requests by its host, or, as many proxies put their own host, below its path. */
function createPublicPath(publicUrl: string): (headers: Headers, path: string) => string {
  const { host, pathname } = new URL(publicUrl)
  const prefix = pathname.replace(/\/+$/, '')
  if (prefix === '') return () => ''
  return (headers, path) =>
    headers.get('host')?.toLowerCase() === host || isBelow(prefix, path.split('?', 1)[0]!) ? prefix : ''
}

/** Whether a path is that of a proxy or below it. IIS does not mind the case of letters. */
export function isBelow(prefix: string, path: string): boolean {
  const start = path.slice(0, prefix.length + 1).toLowerCase()
  return start === prefix.toLowerCase() || start === `${prefix.toLowerCase()}/`
}

/** Some proxies add the port: `10.1.2.3:51234`, `[::1]:51234`. */
function addressOf(entry: string): string {
  const text = entry.trim()
  const [, bare] = /^\[(.+)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text) ?? [text, text]
  const address = plainAddress(bare ?? '')
  return isIP(address) === 0 ? UNKNOWN_ADDRESS : address
}

/**
 * Recognises callers on this machine, which may see more while access control is off. A caller is local when its
 * address is one of this machine and the request comes neither from a web page of another origin, nor with a forged host
 * name, nor through an untrusted proxy.
 */
export function createLocalCheck(browser: BrowserRules): (contact: Omit<Contact, 'certificate'>) => boolean {
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
