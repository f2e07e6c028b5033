/** The REST server in front of the routes of one feature. */

import type { HttpAppSettings } from '../../src/http/app.ts'
import type { ApiRoute } from '../../src/http/endpoint/route.ts'
import { createApi, type EndpointSwitches } from '../../src/http/server.ts'
import { systemClock } from '../../src/platform/types.ts'
import { type RawAnswer, rawHttp } from './raw-http.ts'
import { type RecordingLog, recordingLog } from './recording-log.ts'

export interface RoutesApi extends AsyncDisposable {
  readonly log: RecordingLog
  readonly port: number
  /** A body that is no text is sent as JSON. */
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<RawAnswer>
}

interface RoutesApiOptions {
  readonly trustedProxies?: readonly string[]
  readonly access?: HttpAppSettings['access']
  readonly publicUrl?: string
}

/** Every switch that the routes name is on. */
export async function routesApi(
  routes: readonly ApiRoute[],
  log = recordingLog(),
  { trustedProxies = [], access, publicUrl = '' }: RoutesApiOptions = {},
): Promise<RoutesApi> {
  const api = createApi(
    {
      log,
      clock: systemClock,
      version: '1.2.3',
      readFile: async () => '',
      routes,
      health: () => ({ healthy: true, checks: {} }),
    },
    {
      restServerConfig: {
        enable: true,
        serverHost: '127.0.0.1',
        serverPort: 0,
        tls: { enable: false, cert: '', key: '', ca: '' },
      },
      restServerEndpointsEnable: switchesOf(routes),
      api: {
        rateLimitPerMinute: 0,
        trustedProxies,
        allowedHosts: publicUrl ? [new URL(publicUrl).host] : [],
        publicUrls: publicUrl ? [publicUrl] : [],
      },
      ...(access && { access }),
      accessLog: false,
    },
  )
  await api.start()
  return {
    log,
    get port() {
      return api.port
    },
    send(method, path, body, headers = {}) {
      const isRaw = typeof body === 'string' || body instanceof Uint8Array || body === undefined
      const content = isRaw ? body : JSON.stringify(body)
      const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' }
      return rawHttp(api.port, {
        method,
        path,
        headers: { ...type, ...headers },
        ...(content !== undefined && { body: content }),
      })
    },
    [Symbol.asyncDispose]: () => api.stop(500),
  }
}

/** `scheduler.getSchedule` becomes `{scheduler: {getSchedule: true}}`. */
function switchesOf(routes: readonly ApiRoute[]): EndpointSwitches {
  const switches: Record<string, boolean | Record<string, boolean>> = {}
  for (const { switch: key } of routes) {
    if (key === null) continue
    const [name = '', leaf] = key.split('.')
    const group = switches[name]
    switches[name] = leaf === undefined ? true : { ...(typeof group === 'object' && group), [leaf]: true }
  }
  return switches
}
