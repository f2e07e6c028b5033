/** Ping, the list of enabled endpoints, and health with the installation that answers. */
import { z } from 'zod'
import { once } from '../platform/once.ts'
import { type ApiRoute, jsonAnswer, jsonText, looseRoute as route } from './endpoint/route.ts'

/** `waiting`: for something that is to be made in Qlik Sense. */
export type CheckState = 'up' | 'down' | 'off' | 'degraded' | 'waiting'

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

const HEALTH = once(() =>
  z.object({
    statusCode: z.int(),
    status: z.enum(['ok', 'ko']),
    checks: z
      .record(z.string(), z.enum(['up', 'down', 'off', 'degraded', 'waiting']))
      .describe('The single parts; for callers with the scope `metrics:read`, or on this machine while access is open.')
      .optional(),
    reasons: z
      .record(z.string(), z.string())
      .describe('The fault of a part and its fix, where there is more to say; for callers that see `checks`.')
      .optional(),
    footman: z
      .object({ version: z.string(), configuration: z.string().nullable() })
      .describe(
        'Version and configuration file (null = none) of the running Footman; for callers with the scope `admin`, or on this machine while access is open.',
      )
      .optional(),
  }),
)

export function systemRoutes({ version, configuration, enabledEndpoints, health }: SystemRoutesDeps): ApiRoute[] {
  const ping = JSON.stringify({ response: 'Butler reporting for duty', butlerVersion: version })
  return [
    route({
      method: 'GET',
      path: '/v4/butlerping',
      switch: 'butlerping',
      butler: true,
      summary: 'Confirm that Footman is running, and return its version',
      description: 'The connection test of load scripts.',
      answers: () => ({
        200: z.object({ response: z.string(), butlerVersion: z.string() }).describe('Footman is running.'),
      }),
      examples: [
        { name: 'ping', status: 200, answer: { response: 'Butler reporting for duty', butlerVersion: '0.1.0' } },
      ],
      handle: () => jsonText(200, ping),
    }),
    route({
      method: 'GET',
      path: '/v4/configfile/endpointsenabled',
      switch: 'apiListEnabledEndpoints',
      butler: true,
      summary: 'List the enabled endpoints',
      answers: () => ({ 200: z.array(z.string()).describe('The switches that are on, in order.') }),
      examples: [{ name: 'list', status: 200, answer: ['apiListEnabledEndpoints', 'butlerping', 'senseStartTask'] }],
      handle: () => jsonAnswer(200, enabledEndpoints),
    }),
    route({
      method: 'GET',
      path: '/health',
      limited: false,
      summary: 'Report whether Footman is healthy',
      answers: () => ({
        200: HEALTH().describe('Every listener that is switched on is up.'),
        503: HEALTH().describe('A vital part is down.'),
      }),
      examples: [
        { name: 'healthy', status: 200, answer: { statusCode: 200, status: 'ok', checks: { rest: 'up', qrs: 'up' } } },
      ],
      handle({ sees }) {
        const { healthy, checks, reasons } = health()
        const statusCode = healthy ? 200 : 503
        const details = sees('metrics:read') && { checks, ...(reasons && { reasons }) }
        const footman = sees('admin') && { footman: { version, configuration } }
        return jsonAnswer(statusCode, { statusCode, status: healthy ? 'ok' : 'ko', ...details, ...footman })
      },
    }),
    route({
      method: 'GET',
      path: '/health/live',
      limited: false,
      summary: 'Confirm that the process runs',
      answers: () => ({
        200: z.object({ statusCode: z.int(), status: z.literal('ok') }).describe('The process runs.'),
      }),
      examples: [{ name: 'live', status: 200, answer: { statusCode: 200, status: 'ok' } }],
      handle: () => jsonAnswer(200, { statusCode: 200, status: 'ok' }),
    }),
  ]
}
