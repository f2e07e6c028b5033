/** The addresses of this machine, as Qlik Sense nodes may have to write them. */
import { networkInterfaces } from 'node:os'
import { isOwnAddress } from '../../../http/auth/local.ts'
import { plainAddress } from '../../../platform/addresses.ts'

/** IPv4 addresses that other machines can send to; without loopback and link-local ones. */
export function reachableAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'))
    .map(({ address }) => address)
}

/** What to write as `remoteAddress`, as far as it can be told from here. */
export function ownAddress(serverHost: string): string {
  const isAll = serverHost === '' || serverHost === '0.0.0.0' || serverHost === '::'
  return isAll ? (reachableAddresses()[0] ?? 'the address of this machine') : serverHost
}

export const isOwn = (address: string): boolean => isOwnAddress(plainAddress(address))
