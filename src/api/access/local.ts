/** Callers on this machine, who may see more while access control is off. */
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { plainAddress } from '../../platform/addresses.ts'

export interface LocalCheckSettings {
  /** Name or address that the server listens on; a name counts as a name of this host. */
  readonly serverHost: string
}

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
 * a forged host name, nor forwarded by somebody who is not trusted.
 */
export function createLocalCheck({ serverHost }: LocalCheckSettings): (origin: Origin) => boolean {
  const names = new Set(['localhost', hostname().toLowerCase(), serverHost.toLowerCase()])

  return ({ client, proxied, headers }) => {
    if (!isOwnAddress(client)) return false
    if (headers.has('forwarded')) return false
    if (headers.has('x-forwarded-for') && !proxied) return false
    const host = headers.get('host') ?? ''
    const name = nameOf(host)
    if (!names.has(name) && isIP(name) === 0) return false
    const origin = headers.get('origin')
    return origin === null || origin.replace(/^https?:\/\//, '') === host
  }
}

const nameOf = (host: string): string =>
  host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()

/** Who calls from an address of this machine is on it: nobody else would get the answer. */
export function isOwnAddress(address: string): boolean {
  if (address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address)) return true
  if (isIP(address) === 0) return false
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => plainAddress(one.address) === address))
}
