/** IP addresses: CIDR lists, mapped addresses, loopback, whom a limit counts. */
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

/**
 * The client that a limit counts for an address. A site with IPv6 has at least a network of 2^64 addresses, so that the network
 * counts: `2001:db8:0:7::/64`. A mapped IPv4 address is the IPv4 address, however it is written; other texts stay.
 */
export function limitedClient(address: string): string {
  // Cheap for the many: it runs with every request.
  if (!address.includes(':') || isIP(address) !== 6) return address
  const groups = groupsOf(address)
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  const network = groups.slice(0, 4).map((group) => group.toString(16))
  return `${network.join(':')}::/64`
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [plain = ''] = address.split('%')
  const [head = [], tail = []] = plain.split('::').map((part) => part.split(':').filter(Boolean).flatMap(groupOf))
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

/** An IPv4 address at the end stands for two. */
function groupOf(part: string): readonly number[] {
  if (!part.includes('.')) return [Number.parseInt(part, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
  return [(a << 8) | b, (c << 8) | d]
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
