/** Ping, the list of enabled endpoints, and health. */
import { z } from 'zod'
import { type ApiRequest, type ApiRoute, jsonAnswer, jsonText, type RouteDescription } from './endpoint/route.ts'

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

const HEALTH = z.object({
  statusCode: z.int(),
  status: z.enum(['ok', 'ko']),
  checks: z
    .record(z.string(), z.enum(['up', 'down', 'off', 'degraded', 'waiting']))
    .describe('The single parts; for callers with the scope `metrics:read`, or on this machine while access is open.')
    .optional(),
  reasons: z
    .record(z.string(), z.string())
    .describe('What is wrong with a part and what to do, where there is more to say; for those who see `checks`.')
    .optional(),
})

const PING: RouteDescription = {
  summary: 'Tell that Footman is running, and its version',
  description: 'The connection test of load scripts.',
  schemas: {
    responses: { 200: z.object({ response: z.string(), butlerVersion: z.string() }).describe('Footman is running.') },
  },
  examples: [{ name: 'ping', status: 200, answer: { response: 'Butler reporting for duty', butlerVersion: '0.1.0' } }],
}

const ENDPOINTS: RouteDescription = {
  summary: 'List the enabled endpoints',
  schemas: { responses: { 200: z.array(z.string()).describe('The switches that are on, in order.') } },
  examples: [{ name: 'list', status: 200, answer: ['apiListEnabledEndpoints', 'butlerping', 'senseStartTask'] }],
}

const HEALTH_STATE: RouteDescription = {
  summary: 'Tell whether Footman is healthy',
  schemas: {
    responses: {
      200: HEALTH.describe('Every listener that is switched on is up.'),
      503: HEALTH.describe('A vital part is down.'),
    },
  },
  examples: [
    { name: 'healthy', status: 200, answer: { statusCode: 200, status: 'ok', checks: { rest: 'up', qrs: 'up' } } },
  ],
}

const LIVE: RouteDescription = {
  summary: 'Tell that the process runs',
  schemas: {
    responses: { 200: z.object({ statusCode: z.int(), status: z.literal('ok') }).describe('The process runs.') },
  },
  examples: [{ name: 'live', status: 200, answer: { statusCode: 200, status: 'ok' } }],
}
