/** Ports and addresses to listen on: whether a port is free, and whether an address belongs to this machine. */

import { lookup } from 'node:dns/promises'
import { createServer, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Config } from '../../../app/schema.ts'
import { isOwnAddress } from '../../../http/client-address.ts'
import { plainAddress } from '../../../platform/addresses.ts'
import { type ListenError, toListenError } from '../../../platform/listen-error.ts'
import { type LockHolder, lockHolder } from '../../../platform/lock.ts'
import { ownerText, type PortOwner, type PortProtocol, portOwner } from '../../../platform/port-owner.ts'
import { answered } from '../connection.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

interface Listener {
  readonly protocol: PortProtocol
  readonly host: string
  readonly port: number
  /** The key of the port, below `Butler`. */
  readonly key: string
}

export const ports: Probe = {
  group: 'ports',
  title: 'Ports of this machine',
  applies: ({ config }) => listenersOf(config).length > 0,
  async run(context) {
    const holder = lockHolder(context.paths.data(context.config.footman.dataDirectory))
    const found = await Promise.all(listenersOf(context.config).map((one) => judge(one, holder, context)))
    return found.flat()
  },
}

function listenersOf({ restServerConfig, udpServerConfig, dockerHealthCheck, configVisualisation, footman }: Config) {
  const all: (Listener & { readonly on: boolean })[] = [
    {
      on: udpServerConfig.enable,
      protocol: 'udp',
      host: udpServerConfig.serverHost,
      port: udpServerConfig.portTaskFailure,
      key: 'udpServerConfig.portTaskFailure',
    },
    {
      on: restServerConfig.enable,
      protocol: 'tcp',
      host: restServerConfig.serverHost,
      port: restServerConfig.serverPort,
      key: 'restServerConfig.serverPort',
    },
    {
      on: dockerHealthCheck.enable,
      protocol: 'tcp',
      host: footman.health.host,
      port: dockerHealthCheck.port,
      key: 'dockerHealthCheck.port',
    },
    {
      on: configVisualisation.enable,
      protocol: 'tcp',
      host: configVisualisation.host,
      port: configVisualisation.port,
      key: 'configVisualisation.port',
    },
  ]
  return all.filter(({ on }) => on)
}

async function judge(listener: Listener, holder: LockHolder | null, { timeout }: DoctorContext): Promise<Finding[]> {
  const { protocol, port, host, key } = listener
  const target = `${protocol.toUpperCase()} ${host}:${port}`
  const addresses = isIP(host) > 0 ? [host] : await resolved(host, timeout)
  // A host that is not this machine is reported by `addressProbe`.
  if (!addresses.some((address) => address === '0.0.0.0' || address === '::' || isOwn(address))) return []
  const owner = await portOwner(protocol, { port, addresses })
  // The doctor itself listens for a moment when it looks whether messages arrive.
  if (protocol === 'udp' && owner?.process === process.pid) return [free(target)]
  if (owner) return [taken(listener, target, owner, holder)]
  // An attempt to open the UDP port would disturb the probe that listens for messages.
  if (protocol === 'udp')
    return [free(target, process.platform === 'linux' ? 'free' : 'free, as far as the system reports')]
  const error = await answered(tryToListen(listener), timeout).catch((cause: ListenError) => cause)
  if (!error) return [free(target)]
  if (error.code === 'EADDRINUSE') return [taken(listener, target, null, holder)]
  const fix =
    error.code === 'EACCES' || error.code === 'EPERM'
      ? `choose a port above 1023 for Butler.${key}, or let the account of Footman open it (on Windows: netsh int ipv4 show excludedportrange tcp)`
      : `change Butler.${key}`
  return [{ level: 'error', code: 'ports.refused', target, message: `cannot be opened: ${error.reason}`, fix, key }]
}

const free = (target: string, message = 'free'): Finding => ({ level: 'ok', code: 'ports.free', target, message })

function taken({ key }: Listener, target: string, owner: PortOwner | null, holder: LockHolder | null): Finding {
  const isOurs = holder !== null && (owner === null || owner.process === null || owner.process === holder.process)
  if (isOurs) {
    const message = `in use by the running Footman of this configuration (process ${holder.process})`
    return { level: 'ok', code: 'ports.ours', target, message }
  }
  const fix = `stop that program, or change Butler.${key}; a second Footman needs ports and a data directory of its own`
  return { level: 'error', code: 'ports.in-use', target, message: `in use by ${ownerText(owner)}`, fix, key }
}

/** Null when the port could be opened; it is closed again at once. */
async function tryToListen({ host, port }: Listener): Promise<ListenError | null> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port, exclusive: true }, resolve)
  try {
    await promise
    return null
  } catch (error) {
    return toListenError({ protocol: 'TCP', address: host, port }, error)
  } finally {
    server.close()
  }
}

// ------------------------------------------------------------------------------------------- addresses to listen on

export const addressProbe: Probe = {
  group: 'address',
  title: 'Addresses of this machine',
  applies: (context) => listenAddresses(context).length > 0,
  async run(context) {
    return Promise.all(listenAddresses(context).map((one) => judgeAddress(one, context)))
  },
}

interface ListenAddress {
  readonly host: string
  /** Below `Butler`. */
  readonly key: string
  readonly what: string
}

function listenAddresses({ config }: DoctorContext): ListenAddress[] {
  const { udpServerConfig: udp, restServerConfig: rest, configVisualisation: page, dockerHealthCheck, footman } = config
  const all = [
    { on: udp.enable, host: udp.serverHost, key: 'udpServerConfig.serverHost', what: 'messages by UDP' },
    { on: rest.enable, host: rest.serverHost, key: 'restServerConfig.serverHost', what: 'the REST API' },
    { on: page.enable, host: page.host, key: 'configVisualisation.host', what: 'the page with the configuration' },
    { on: dockerHealthCheck.enable, host: footman.health.host, key: 'footman.health.host', what: 'the health check' },
  ]
  return all.filter(({ on }) => on)
}

async function judgeAddress({ host, key, what }: ListenAddress, { timeout }: DoctorContext): Promise<Finding> {
  const common = { target: host, key }
  if (host === '0.0.0.0' || host === '::') {
    return { ...common, level: 'ok', code: 'address.all', message: `${what}: all addresses of this machine` }
  }
  const addresses = isIP(host) > 0 ? [host] : await resolved(host, timeout)
  const own = reachableAddresses()
  const fix = `set Butler.${key} to 0.0.0.0${own.length > 0 ? ` or to one of ${own.join(', ')}` : ''}`
  if (addresses.length === 0) {
    const message = `${what}: the name ${host} is not known here`
    return { ...common, level: 'error', code: 'address.name', message, fix }
  }
  if (addresses.some(isOwn)) {
    return { ...common, level: 'ok', code: 'address.own', message: `${what}: an address of this machine` }
  }
  const shown = isIP(host) > 0 ? '' : ` (${addresses.join(', ')})`
  const message = `${what}: ${host}${shown} is no address of this machine, so nothing can listen there`
  return { ...common, level: 'error', code: 'address.foreign', message, fix }
}

export async function resolved(host: string, timeoutMs: number): Promise<string[]> {
  return answered(lookup(host, { all: true }), timeoutMs).then(
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

/** Value for `remoteAddress` of a log appender; a description when the address is unknown. */
export function ownAddress(serverHost: string): string {
  const isAll = serverHost === '' || serverHost === '0.0.0.0' || serverHost === '::'
  return isAll ? (reachableAddresses()[0] ?? 'the address of this machine') : serverHost
}

export const isOwn = (address: string): boolean => isOwnAddress(plainAddress(address))
