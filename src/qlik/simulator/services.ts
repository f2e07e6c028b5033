import { createHttpListener } from './http-listener.ts'
import type { PortName } from './simulator.ts'
import type { Listener, ListenerDeps, Reply, SimRequest } from './types.ts'

export interface Services {
  readonly listeners: readonly Listener[]
  /** Absent until the tenant is part of the site. */
  readonly cloudEvent?: (reloadId: string, envelope: '0.1' | '1.0') => unknown
}

/** Every port of the site. */
export function createServices(
  deps: ListenerDeps,
  qrs: (request: SimRequest) => Reply,
  settings: { readonly host?: string; readonly ports?: Partial<Record<PortName, number>> },
): Services {
  const { host } = settings
  const port = (name: PortName) => settings.ports?.[name] ?? 0
  return {
    listeners: [
      createHttpListener(deps, { name: 'qrs', host, port: port('qrs'), security: 'mutual', handle: qrs }),
      createHttpListener(deps, { name: 'qrsHttp', host, port: port('qrsHttp'), security: 'none', handle: qrs }),
    ],
  }
}
