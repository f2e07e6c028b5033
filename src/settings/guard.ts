/**
 * Connections for stored settings. A name that stood for an allowed address when the setting was saved may stand for one of this
 * machine when it is used, so the address is checked that the connection goes to.
 */

import type { LookupFunction } from 'node:net'
import { nodeDns } from '../platform/builtins.ts'
import type { ConnectionGuard } from '../platform/http-client.ts'
import { HttpError } from '../platform/http-exchange.ts'

/** `resolve` is replaced in tests. */
export function createConnectionGuard(
  allowHosts: () => readonly string[],
  resolve: LookupFunction = (name, options, done) => nodeDns().lookup(name, options, done),
): ConnectionGuard {
  return async (address) => {
    const { hostname, port, protocol } = new URL(address)
    const host = hostname.replace(/^\[|\]$/g, '')
    const target = { host, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
    const { closedAddress, isAllowed } = await import('./limits.ts')
    if (isAllowed(host, allowHosts())) return {}
    const refuse = (addresses: readonly string[]): HttpError | null => {
      const why = closedAddress(host, addresses)
      return why === null ? null : new HttpError('closed', target, `is not asked: ${why}`)
    }
    const literal = refuse([host])
    if (literal) throw literal
    const lookup: LookupFunction = (name, options, done) =>
      resolve(name, options, (error, found, family) => {
        const addresses = [found ?? []].flat().map((one) => (typeof one === 'string' ? one : one.address))
        done(error ?? refuse(addresses), found, family)
      })
    return { lookup }
  }
}
