/** The address of the caller: that of the peer, or what a trusted proxy reports. */
import { isIP } from 'node:net'
import { addressMatcher, plainAddress } from '../platform/addresses.ts'

/** Address of a client whose proxy names no usable one; it is in no list and never local. */
const UNKNOWN_ADDRESS = 'unknown'

export interface Proxies {
  /** Whether the `X-Forwarded-For` of this peer is believed. */
  trusts(peer: string): boolean
  /** Address of the caller, given that of the other end of the connection. */
  clientOf(peer: string, headers: Headers): string
}

/** `trustedProxies`: addresses or CIDR ranges whose `X-Forwarded-For` is believed, rightmost entry first. */
export function createProxies(trustedProxies: readonly string[]): Proxies {
  if (trustedProxies.length === 0) return { trusts: () => false, clientOf: (peer) => peer }
  const trusts = addressMatcher(trustedProxies)

  function clientOf(peer: string, headers: Headers): string {
    const forwarded = headers.get('x-forwarded-for')
    if (forwarded === null || !trusts(peer)) return peer
    const chain = forwarded.split(',').map(addressOf)
    let client = peer
    while (trusts(client) && chain.length > 0) client = chain.pop() ?? UNKNOWN_ADDRESS
    return client
  }

  return { trusts, clientOf }
}

/** Some proxies add the port: `10.1.2.3:51234`, `[::1]:51234`. */
function addressOf(entry: string): string {
  const text = entry.trim()
  const [, bare] = /^\[(.+)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text) ?? [text, text]
  const address = plainAddress(bare ?? '')
  return isIP(address) === 0 ? UNKNOWN_ADDRESS : address
}
