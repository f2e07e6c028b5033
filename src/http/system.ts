/** Ping, the list of enabled endpoints, and health with the installation that answers. */
import { type CheckState, ENABLED_ENDPOINTS, HEALTH, type Health, LIVE, PING } from './contract.ts'
import { asIs } from './endpoint/contract.ts'
import { type ApiRoute, jsonAnswer, jsonText, route } from './endpoint/route.ts'

export interface HealthReport {
  /** False when an enabled listener or the database is down. Brokers and QRS never make it false. */
  readonly healthy: boolean
  readonly checks: Readonly<Record<string, CheckState>>
  /** Problem of a part and its remedy, by the name of the part. */
  readonly reasons?: Readonly<Record<string, string>>
}

export interface SystemRoutesDeps {
  readonly version: string
  /** Absolute path of the configuration file; null = without one. */
  readonly configuration: string | null
  readonly enabledEndpoints: readonly string[]
  readonly health: () => HealthReport
}

export function systemRoutes({ version, configuration, enabledEndpoints, health }: SystemRoutesDeps): ApiRoute[] {
  const ping = JSON.stringify({ response: 'Butler reporting for duty', butlerVersion: version })
  return [
    route({
      ...PING,
      switch: 'butlerping',
      butler: true,
      summary: 'Confirm that Footman is running, and return its version',
      description: 'The connection test of load scripts.',
      examples: [
        { name: 'ping', status: 200, answer: { response: 'Butler reporting for duty', butlerVersion: '0.1.0' } },
      ],
      handle: () => asIs(jsonText(200, ping)),
    }),
    route({
      ...ENABLED_ENDPOINTS,
      switch: 'apiListEnabledEndpoints',
      butler: true,
      summary: 'List the enabled endpoints',
      examples: [{ name: 'list', status: 200, answer: ['apiListEnabledEndpoints', 'butlerping', 'senseStartTask'] }],
      handle: (_, answer) => answer(200, enabledEndpoints),
    }),
    route({
      ...HEALTH,
      limited: false,
      summary: 'Report whether Footman is healthy',
      examples: [
        { name: 'healthy', status: 200, answer: { statusCode: 200, status: 'ok', checks: { rest: 'up', qrs: 'up' } } },
      ],
      handle({ sees }, answer) {
        const { healthy, checks, reasons } = health()
        const more = {
          ...(sees('metrics:read') && { checks, ...(reasons && { reasons }) }),
          ...(sees('admin') && { footman: { version, configuration } }),
        }
        if (healthy) return answer(200, { statusCode: 200, status: 'ok', ...more })
        const unhealthy: Health = { statusCode: 503, status: 'ko', ...more }
        return asIs(jsonAnswer(503, unhealthy))
      },
    }),
    route({
      ...LIVE,
      limited: false,
      summary: 'Confirm that the process runs',
      examples: [{ name: 'live', status: 200, answer: { statusCode: 200, status: 'ok' } }],
      handle: (_, answer) => answer(200, { statusCode: 200, status: 'ok' }),
    }),
  ]
}
