/** Lists of addresses and CIDR ranges. */
import { BlockList, isIP } from 'node:net'

/** Whether an address lies in one of the entries; texts that are no addresses never do. */
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

/** IPv4 in dotted form, also where it came mapped into IPv6. */
export const plainAddress = (address: string): string =>
  address.startsWith('::') ? address.replace(/^::ffff:(?=\d+\.)/i, '') : address

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
