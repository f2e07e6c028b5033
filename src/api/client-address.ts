/** Who is calling: the address of the peer, or what a trusted proxy says about it. */
import { BlockList, isIP } from 'node:net'
import { hostname } from 'node:os'

/** `trustedProxies`: addresses or CIDR ranges whose `X-Forwarded-For` is believed, rightmost entry first. */
export function createClientAddress(trustedProxies: readonly string[]): (peer: string, headers: Headers) => string {
  if (trustedProxies.length === 0) return (peer) => peer
  const trusted = new BlockList()
  for (const entry of trustedProxies) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(bits), family)
  }
  const isTrusted = (address: string) =>
    isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

  return (peer, headers) => {
    const chain = (headers.get('x-forwarded-for') ?? '').split(',').map((one) => one.trim())
    let client = peer
    while (isTrusted(client)) {
      const next = chain.pop()
      if (next === undefined || isIP(next) === 0) break
      client = next
    }
    return client
  }
}

/**
 * A caller on this machine, neither led astray by a web page of another origin or with a forged host name, nor
 * forwarded by a proxy: may see more while access control is off.
 */
export function isLocalCaller(client: string, headers: Headers): boolean {
  if (client !== '::1' && !client.startsWith('127.')) return false
  if (headers.has('forwarded') || headers.has('x-forwarded-for')) return false
  const host = headers.get('host') ?? ''
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  if (name !== 'localhost' && name !== hostname().toLowerCase() && isIP(name) === 0) return false
  const origin = headers.get('origin')
  return origin === null || origin.replace(/^https?:\/\//, '') === host
}
