/** The ports that Footman is to open: free, its own already, or somebody else's. */

import { createServer, isIP } from 'node:net'
import type { Config } from '../../../config/schema.ts'
import { type ListenError, toListenError } from '../../../platform/listen-error.ts'
import { type LockHolder, lockHolder } from '../../../platform/lock.ts'
import { within } from '../net.ts'
import { isOwn, resolved } from '../site/addresses.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import { type PortOwner, type Protocol, portOwner } from './port-owner.ts'

interface Listener {
  readonly protocol: Protocol
  readonly host: string
  readonly port: number
  /** Of the port, below `Butler`. */
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
      ...{ on: udpServerConfig.enable, protocol: 'udp', host: udpServerConfig.serverHost },
      ...{ port: udpServerConfig.portTaskFailure, key: 'udpServerConfig.portTaskFailure' },
    },
    {
      ...{ on: restServerConfig.enable, protocol: 'tcp', host: restServerConfig.serverHost },
      ...{ port: restServerConfig.serverPort, key: 'restServerConfig.serverPort' },
    },
    {
      ...{ on: dockerHealthCheck.enable, protocol: 'tcp', host: footman.health.host },
      ...{ port: dockerHealthCheck.port, key: 'dockerHealthCheck.port' },
    },
    {
      ...{ on: configVisualisation.enable, protocol: 'tcp', host: configVisualisation.host },
      ...{ port: configVisualisation.port, key: 'configVisualisation.port' },
    },
  ]
  return all.filter(({ on }) => on)
}

async function judge(listener: Listener, holder: LockHolder | null, { timeout }: DoctorContext): Promise<Finding[]> {
  const { protocol, port, host, key } = listener
  const target = `${protocol.toUpperCase()} ${host}:${port}`
  const addresses = isIP(host) > 0 ? [host] : await resolved(host, timeout)
  // A host that is not this machine is told where addresses are looked at.
  if (!addresses.some((address) => address === '0.0.0.0' || address === '::' || isOwn(address))) return []
  const owner = await portOwner(protocol, { port, addresses })
  // The doctor itself listens for a moment when it looks whether messages arrive.
  if (protocol === 'udp' && owner?.process === process.pid) return [free(target)]
  if (owner) return [taken(listener, target, owner, holder)]
  // Who else tries the port of the messages would be in the way of that look.
  if (protocol === 'udp') return [free(target)]
  const error = await within(tryToListen(listener), timeout).catch((cause: ListenError) => cause)
  if (!error) return [free(target)]
  if (error.code === 'EADDRINUSE') return [taken(listener, target, null, holder)]
  const fix =
    error.code === 'EACCES' || error.code === 'EPERM'
      ? `choose a port above 1023 for Butler.${key}, or let the account of Footman open it (on Windows: netsh int ipv4 show excludedportrange tcp)`
      : `change Butler.${key}`
  return [{ level: 'error', code: 'ports.refused', target, message: `cannot be opened: ${error.reason}`, fix, key }]
}

const free = (target: string): Finding => ({ level: 'ok', code: 'ports.free', target, message: 'free' })

function taken({ key }: Listener, target: string, owner: PortOwner | null, holder: LockHolder | null): Finding {
  const isOurs = holder !== null && (owner === null || owner.process === null || owner.process === holder.process)
  if (isOurs) {
    const message = `in use by the running Footman of this configuration (process ${holder.process})`
    return { level: 'ok', code: 'ports.ours', target, message }
  }
  const who = owner?.process ? `${owner.name || 'a program'} (process ${owner.process})` : 'another program'
  const fix = `stop that program, or change Butler.${key}; a second Footman needs ports and a data directory of its own`
  return { level: 'error', code: 'ports.in-use', target, message: `in use by ${who}`, fix, key }
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
