/** IP addresses: CIDR lists, mapped addresses, loopback. */
import { BlockList, isIP } from 'node:net'

/** Returns a test whether an address matches one of the entries; other texts never match. */
export function addressMatcher(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    const family = familyOf(address)
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address))
}

/** Converts an IPv4 address that is mapped into IPv6 to its dotted form. */
export const plainAddress = (address: string): string =>
  address.startsWith('::') ? address.replace(/^::ffff:(?=\d+\.)/i, '') : address

/** True for `localhost` and the loopback addresses: such a listener is reachable from this machine only. */
export const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host)

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
