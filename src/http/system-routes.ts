/** Ping, the list of enabled endpoints, and health. */
import { type ApiRequest, type ApiRoute, jsonAnswer, jsonText } from './endpoint/route.ts'
import { ENDPOINTS, HEALTH_STATE, LIVE, PING } from './system-descriptions.ts'

/** `waiting`: for something that is to be made in Qlik Sense. */
export type CheckState = 'up' | 'down' | 'off' | 'degraded' | 'waiting'

export interface HealthReport {
  /** False when an enabled listener or the database is down. Brokers and QRS never make it false. */
  readonly healthy: boolean
  readonly checks: Readonly<Record<string, CheckState>>
  /** What is wrong with a part and what to do, where there is more to say. */
  readonly reasons?: Readonly<Record<string, string>>
}

export interface SystemRoutesDeps {
  readonly version: string
  readonly enabledEndpoints: readonly string[]
  readonly health: () => HealthReport
}

export function systemRoutes(deps: SystemRoutesDeps): ApiRoute[] {
  const ping = JSON.stringify({ response: 'Butler reporting for duty', butlerVersion: deps.version })
  return [
    {
      methods: ['GET'],
      path: '/v4/butlerping',
      endpoint: 'butlerping',
      butler: true,
      ...PING,
      handle: () => jsonText(200, ping),
    },
    {
      methods: ['GET'],
      path: '/v4/configfile/endpointsenabled',
      endpoint: 'apiListEnabledEndpoints',
      butler: true,
      ...ENDPOINTS,
      handle: () => jsonAnswer(200, deps.enabledEndpoints),
    },
    {
      methods: ['GET'],
      path: '/health',
      endpoint: null,
      limited: false,
      ...HEALTH_STATE,
      handle: (request) => healthAnswer(deps, request),
    },
    {
      methods: ['GET'],
      path: '/health/live',
      endpoint: null,
      limited: false,
      ...LIVE,
      handle: () => jsonAnswer(200, { statusCode: 200, status: 'ok' }),
    },
  ]
}

function healthAnswer({ health }: SystemRoutesDeps, request: ApiRequest): Response {
  const { healthy, checks, reasons } = health()
  const statusCode = healthy ? 200 : 503
  const status = healthy ? 'ok' : 'ko'
  return jsonAnswer(statusCode, {
    statusCode,
    status,
    ...(request.sees('metrics:read') && { checks, ...(reasons && { reasons }) }),
  })
}
