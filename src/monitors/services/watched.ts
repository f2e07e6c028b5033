/** The services to watch, from the configuration. */
import type { ServiceMemory } from './machine.ts'
import type { ServiceInfo, ServiceStatus } from './types.ts'

export interface WatchedService {
  readonly host: string
  /** As configured; Windows does not mind the case of its letters. */
  readonly name: string
  readonly friendlyName: string
  memory: ServiceMemory
  /** The state of the last look; null when it was in vain, and before the first one. */
  status: ServiceStatus | null
  /** What was last read about it. */
  info: ServiceInfo | null
  /** When that was read, milliseconds since 1970. */
  infoAt: number
  /** Why the last look was in vain, and why its details could not be read: said once. */
  problem: string
  infoProblem: string
}

export interface WatchedHost {
  readonly host: string
  readonly services: readonly WatchedService[]
}

export interface MonitoredHost {
  readonly host: string
  readonly services: readonly { readonly name: string; readonly friendlyName: string }[]
}

/** Entries of the same host are joined, services that are listed twice are watched once. */
export function watchedHosts(monitor: readonly MonitoredHost[]): WatchedHost[] {
  const hosts = new Map<string, { host: string; services: Map<string, WatchedService> }>()
  for (const { host, services } of monitor) {
    const key = host.toLowerCase()
    const entry = hosts.get(key) ?? { host, services: new Map<string, WatchedService>() }
    hosts.set(key, entry)
    for (const { name, friendlyName } of services) {
      if (name === '' || entry.services.has(name.toLowerCase())) continue
      entry.services.set(name.toLowerCase(), {
        ...{ host: entry.host, name, friendlyName: friendlyName || name },
        ...{ memory: { state: null, failed: null }, status: null, info: null, infoAt: 0, problem: '', infoProblem: '' },
      })
    }
  }
  return [...hosts.values()].flatMap(({ host, services }) =>
    host !== '' && services.size > 0 ? [{ host, services: [...services.values()] }] : [],
  )
}
