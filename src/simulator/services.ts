import { createAboutListener } from './about/listener.ts'
import type { Envelope } from './cloud/events.ts'
import { type CloudSettings, createCloudListener } from './cloud/listener.ts'
import { createEngineListener, type EngineSettings } from './engine/listener.ts'
import { createHttpListener } from './http-listener.ts'
import type { Listener, ListenerDeps, PortName, Reply, SimRequest } from './types.ts'

export interface Services {
  readonly listeners: readonly Listener[]
  /** The webhook event of the Qlik Cloud tenant about one of its reloads. */
  cloudEvent(reloadId: string, envelope: Envelope): unknown
  /** Forgets what the services keep beside the site. */
  reset(): void
}

export interface ServiceSettings {
  readonly host?: string
  readonly ports?: Partial<Record<PortName, number>>
  readonly engine?: Omit<EngineSettings, 'port' | 'host'>
  readonly cloud?: Omit<CloudSettings, 'port' | 'host'>
}

/** Every port of the site. */
export function createServices(
  deps: ListenerDeps,
  qrs: (request: SimRequest) => Reply,
  settings: ServiceSettings,
): Services {
  const { host } = settings
  const port = (name: PortName) => settings.ports?.[name] ?? 0
  const engine = createEngineListener(deps, { ...settings.engine, host, port: port('engine') })
  const cloud = createCloudListener(deps, { ...settings.cloud, host, port: port('cloud') })
  return {
    cloudEvent: cloud.event,
    reset() {
      engine.reset()
      cloud.reset()
    },
    listeners: [
      createHttpListener(deps, { name: 'qrs', host, port: port('qrs'), security: 'mutual', handle: qrs }),
      createHttpListener(deps, { name: 'qrsHttp', host, port: port('qrsHttp'), security: 'none', handle: qrs }),
      engine,
      createAboutListener(deps, { host, port: port('about') }),
      cloud,
    ],
  }
}
