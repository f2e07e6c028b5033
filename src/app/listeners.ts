/** Listeners: the small servers beside the REST API, and the handling of ports that cannot be opened. */

import { lookup } from 'node:dns/promises'
import { maskConfig } from '../config/mask.ts'
import { createConfigView } from '../console/config-page/server.ts'
import type { ConsoleSettings } from '../console/index.ts'
import { createLocalCheck } from '../http/client-address.ts'
import { createBrowserRules } from '../http/middleware/browser-rules.ts'
import { createRateLimit, type RateVerdict, tooManyRequests } from '../http/middleware/rate-limit.ts'
import type { ApiSettings, BrowserPage, LiveApiSettings } from '../http/server.ts'
import { createHealthListener, type HealthListenerDeps } from '../monitors/health-listener.ts'
import { errorText, StartError } from '../platform/errors.ts'
import { ownerText, type PortProtocol, portOwner } from '../platform/port-owner.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { hostZone } from '../platform/zone.ts'
import type { Config } from './schema.ts'
import type { AppOptions } from './types.ts'

/** Configuration key of the port, by the name of the listener. */
const PORT_KEYS: Readonly<Record<string, string>> = {
  'event pipeline': 'Butler.udpServerConfig.portTaskFailure (and serverHost)',
  'rest api': 'Butler.restServerConfig.serverPort (and serverHost)',
  'health listener': 'Butler.dockerHealthCheck.port (and Butler.footman.health.host)',
  'config page': 'Butler.configVisualisation.port (and host)',
}

/** Time for a listener that failed to open to stop its parts. */
const FAILED_START_GRACE_MS = 1000

/** With `degraded` a listener that cannot be opened is left out, and `/health` reports it. Otherwise its start rejects with a `StartError`. */
export function degradable(service: Service, degraded: boolean, log: Logger): Service {
  return {
    name: service.name,
    stop: service.stop,
    async start() {
      try {
        await service.start()
      } catch (error) {
        const hint = hintFor(service.name, errorText(error))
        const message = await withPortOwner(errorText(error))
        if (!degraded) {
          await service.stop(FAILED_START_GRACE_MS).catch(() => undefined)
          throw new StartError(message, { cause: error, hint })
        }
        log.error(`MAIN: Starting without ${service.name}: ${message}`)
      }
    },
  }
}

/** The remedy; '' for errors that do not concern a port. */
function hintFor(name: string, message: string): string {
  const key = PORT_KEYS[name]
  if (!key || !message.includes('cannot listen on')) return ''
  const remedy = message.includes('(EADDRINUSE)') ? `Free the port, or change ${key}` : `Change ${key}`
  return `${remedy}; with --degraded Footman starts without this listener`
}

/** Errors of worker threads are texts. */
const IN_USE = /cannot listen on (TCP|UDP) \[?([^\]]+?)\]?:(\d+): (.* \(EADDRINUSE\))/

/** The message with the process that has the port, where the system reports it. */
async function withPortOwner(message: string): Promise<string> {
  const [, protocol = '', host = '', port, reason] = IN_USE.exec(message) ?? []
  if (reason === undefined) return message
  const found = await lookup(host, { all: true }).catch(() => [])
  const place = { port: Number(port), addresses: found.map(({ address }) => address) }
  const owner = await portOwner(protocol.toLowerCase() as PortProtocol, place)
  return owner?.process ? message.replace(reason, `the port is in use by ${ownerText(owner)}`) : message
}

/** Settings of the REST API that it follows while it runs. */
export const liveApiSettings = ({ footman: { api, access, logging, ...pages } }: Config): LiveApiSettings => ({
  api: { ...api, publicUrls: [pages.console.publicUrl, pages.reportTask.baseUrl].filter((url) => url !== '') },
  access,
  accessLog: logging.accessLog,
})

export const apiSettings = (config: Config, { apiRateLimit }: Pick<AppOptions, 'apiRateLimit'>): ApiSettings => ({
  ...liveApiSettings(config),
  restServerConfig: config.restServerConfig,
  restServerEndpointsEnable: config.restServerEndpointsEnable,
  timezone: config.footman.timezone,
  ...(apiRateLimit !== null && { rateLimitOption: apiRateLimit }),
})

/** The part of the configuration that pages of the console show. */
export const consoleSettings = ({ footman, qlikSenseUrls }: Config, shadow: boolean): ConsoleSettings => ({
  config: footman.console,
  site: {
    shadow,
    version: VERSION,
    reports: footman.reportTask.enable,
    role: footman.node.role,
    timezone: footman.timezone || hostZone(),
    links: {
      qmc: footman.console.links.qmc || qlikSenseUrls.qmc,
      hub: footman.console.links.hub || qlikSenseUrls.hub,
    },
  },
})

/** Pages at the REST API that a browser can open. */
export function browserPages({ footman: { console: site, reportTask } }: Config): BrowserPage[] {
  const hub = { name: 'Report hub', path: '/hub/', publicUrl: reportTask.baseUrl }
  return [
    ...(site.enable ? [{ name: 'Console', path: '/console/', publicUrl: site.publicUrl }] : []),
    ...(reportTask.enable && reportTask.hub.enable ? [hub] : []),
  ]
}

interface SideServersDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly health: HealthListenerDeps['health']
}

const PAGE_CALLS_PER_MINUTE = 300
const FREE: RateVerdict = { allowed: true, headers: {}, resetSeconds: 0 }

/** The enabled servers beside the REST API: health for container engines, and the configuration page. */
export function buildSideServers({ log, clock, health }: SideServersDeps, config: Config): Service[] {
  const { dockerHealthCheck, configVisualisation, footman } = config
  const servers: Service[] = []
  const { cors, allowedHosts } = footman.api
  const rulesFor = (serverHost: string) => createBrowserRules({ allowedHosts, origins: cors.origins, serverHost })
  if (dockerHealthCheck.enable) {
    const browser = rulesFor(footman.health.host)
    const isLocal = createLocalCheck(browser)
    const maySeeChecks = (client: string, headers: Headers) =>
      !footman.access.enable && !browser.refusal(headers) && isLocal({ client, proxied: false, headers })
    servers.push(
      createHealthListener({ log, health, maySeeChecks }, { host: footman.health.host, port: dockerHealthCheck.port }),
    )
  }
  if (configVisualisation.enable) {
    const limit = createRateLimit(clock, PAGE_CALLS_PER_MINUTE)
    servers.push(
      createConfigView(
        {
          log,
          version: VERSION,
          config: () => config,
          mask: maskConfig,
          limit: (client) => limit?.(client) ?? FREE,
          tooManyRequests,
          browser: rulesFor(configVisualisation.host),
        },
        configVisualisation,
      ),
    )
  }
  return servers
}
