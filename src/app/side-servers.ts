/** The small servers beside the REST API: health for container engines, and the configuration page. */

import { maskConfig } from '../config/mask.ts'
import { createConfigView } from '../console/server.ts'
import { createLocalCheck } from '../http/auth/local.ts'
import { createBrowserRules } from '../http/middleware/browser-rules.ts'
import { createRateLimit, type RateVerdict, tooManyRequests } from '../http/middleware/rate-limit.ts'
import { createHealthListener, type HealthListenerDeps } from '../monitors/health-listener.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import type { Config } from './schema.ts'

export interface SideServersDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly health: HealthListenerDeps['health']
}

const PAGE_CALLS_PER_MINUTE = 300
const FREE: RateVerdict = { allowed: true, headers: {}, resetSeconds: 0 }

/** Those that are switched on. */
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
