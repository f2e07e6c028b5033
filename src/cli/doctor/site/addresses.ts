/** Addresses to listen on: are they addresses of this machine? */

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isOwnAddress } from '../../../http/auth/local.ts'
import { plainAddress } from '../../../platform/addresses.ts'
import { within } from '../net.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

const GROUP = 'address'

export const addressProbe: Probe = {
  group: GROUP,
  title: 'Addresses of this machine',
  applies: (context) => listeners(context).length > 0,
  async run(context) {
    return Promise.all(listeners(context).map((one) => judge(one, context)))
  },
}

interface ListenAddress {
  readonly host: string
  /** Below `Butler`. */
  readonly key: string
  readonly what: string
}

function listeners({ config }: DoctorContext): ListenAddress[] {
  const { udpServerConfig: udp, restServerConfig: rest, configVisualisation: page, dockerHealthCheck, footman } = config
  const all = [
    { on: udp.enable, host: udp.serverHost, key: 'udpServerConfig.serverHost', what: 'messages by UDP' },
    { on: rest.enable, host: rest.serverHost, key: 'restServerConfig.serverHost', what: 'the REST API' },
    { on: page.enable, host: page.host, key: 'configVisualisation.host', what: 'the page with the configuration' },
    { on: dockerHealthCheck.enable, host: footman.health.host, key: 'footman.health.host', what: 'the health check' },
  ]
  return all.filter(({ on }) => on)
}

async function judge({ host, key, what }: ListenAddress, { timeout }: DoctorContext): Promise<Finding> {
  const common = { target: host, key }
  if (host === '0.0.0.0' || host === '::') {
    return { ...common, level: 'ok', code: `${GROUP}.all`, message: `${what}: all addresses of this machine` }
  }
  const addresses = isIP(host) > 0 ? [host] : await resolved(host, timeout)
  const own = reachableAddresses()
  const fix = `set Butler.${key} to 0.0.0.0${own.length > 0 ? ` or to one of ${own.join(', ')}` : ''}`
  if (addresses.length === 0) {
    const message = `${what}: the name ${host} is not known here`
    return { ...common, level: 'error', code: `${GROUP}.name`, message, fix }
  }
  if (addresses.some(isOwn)) {
    return { ...common, level: 'ok', code: `${GROUP}.own`, message: `${what}: an address of this machine` }
  }
  const shown = isIP(host) > 0 ? '' : ` (${addresses.join(', ')})`
  const message = `${what}: ${host}${shown} is no address of this machine, so nothing can listen there`
  return { ...common, level: 'error', code: `${GROUP}.foreign`, message, fix }
}

export async function resolved(host: string, timeoutMs: number): Promise<string[]> {
  return within(lookup(host, { all: true }), timeoutMs).then(
    (found) => found.map(({ address }) => address),
    () => [],
  )
}

/** IPv4 addresses that other machines can send to; without loopback and link-local ones. */
function reachableAddresses(): string[] {
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
