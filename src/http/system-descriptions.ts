/** What the description of the API says about the server's own endpoints. */
import { z } from 'zod'
import type { RouteDescription } from './endpoint/description.ts'

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

export const PING: RouteDescription = {
  summary: 'Tell that Footman is running, and its version',
  description: 'The connection test of load scripts.',
  schemas: {
    responses: { 200: z.object({ response: z.string(), butlerVersion: z.string() }).describe('Footman is running.') },
  },
  examples: [{ name: 'ping', status: 200, answer: { response: 'Butler reporting for duty', butlerVersion: '0.1.0' } }],
}

export const ENDPOINTS: RouteDescription = {
  summary: 'List the enabled endpoints',
  schemas: { responses: { 200: z.array(z.string()).describe('The switches that are on, in order.') } },
  examples: [{ name: 'list', status: 200, answer: ['apiListEnabledEndpoints', 'butlerping', 'senseStartTask'] }],
}

export const HEALTH_STATE: RouteDescription = {
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

export const LIVE: RouteDescription = {
  summary: 'Tell that the process runs',
  schemas: {
    responses: { 200: z.object({ statusCode: z.int(), status: z.literal('ok') }).describe('The process runs.') },
  },
  examples: [{ name: 'live', status: 200, answer: { statusCode: 200, status: 'ok' } }],
}
