/** What the description of the API says about alert routes and destinations. */
import { z } from 'zod'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import type { RouteDescription } from '../../http/endpoint/route.ts'

const text = z.string().nullable()

export const SAMPLE = {
  type: z.enum(EVENT_TYPES).optional(),
  outcome: z.enum(EVENT_OUTCOMES).optional(),
  taskId: z.string().max(100).optional(),
  taskName: z.string().max(500).optional(),
  host: z.string().max(500).optional(),
  user: z.string().max(500).optional(),
  code: z.string().max(100).optional(),
  message: z.string().max(10_000).optional(),
  consecutiveFailures: z.int().min(0).max(1_000_000).optional(),
}

export const EXPLAIN_BODY = {
  eventId: z.string().describe('An event of the past.').optional(),
  sample: z
    .strictObject(SAMPLE)
    .describe('Or an invented one: about a real task when `taskId` or `taskName` is given.')
    .optional(),
  at: z.string().describe('Time of the invented event, ISO 8601; default now.').optional(),
}

export const LIST: RouteDescription = {
  summary: 'List alert routes',
  examples: [{ name: 'all', status: 200, answer: { alertRoutes: [] } }],
  description:
    "In order of evaluation: those made of Butler's sections first, also those that are switched off, then those of `Butler.footman.alertRoutes`.",
  schemas: {
    responses: {
      200: z.object({
        alertRoutes: z.array(
          z.object({
            name: z.string(),
            origin: z.enum(['butler', 'footman']),
            enable: z.boolean(),
            to: z.array(z.string()).describe('Names of destinations.'),
          }),
        ),
      }),
    },
  },
}

export const EXPLAIN: RouteDescription = {
  summary: 'Explain which alert routes fire for an event',
  description:
    'Routes the event as it would be routed, and takes everything back: no message is sent, no slot of a rate limit taken. Fields whose data are not known hold in `match` and do not hold in `except`.',
  schemas: {
    body: z.object(EXPLAIN_BODY),
    responses: {
      200: z.object({
        routes: z.array(
          z.object({
            name: z.string(),
            matched: z.boolean(),
            because: text.describe('Why it did not match.'),
            fields: z
              .array(
                z.object({
                  field: z.string(),
                  wanted: z.string(),
                  found: text,
                  holds: z.union([z.boolean(), z.literal('unknown')]),
                }),
              )
              .optional(),
            deliveries: z.array(
              z.object({
                destination: z.string(),
                target: z.string(),
                wouldBe: z.enum(['pending', 'suppressed']),
                reason: text,
                kind: z.string().describe('Of what is no alert, like `recovery`.').optional(),
              }),
            ),
          }),
        ),
        stoppedBy: text.describe('The route after which no other was looked at.'),
      }),
    },
  },
  examples: [
    {
      name: 'sample',
      body: { sample: { type: 'reload', outcome: 'failed', taskId: 'a8b4c123-def4-5678-9abc-def012345678' } },
      status: 200,
    },
  ],
}

export const DESTINATIONS: RouteDescription = {
  summary: 'List destinations',
  examples: [{ name: 'all', status: 200, answer: { destinations: [] } }],
  description: 'Where messages go to, how much waits for each, and whether it works.',
  schemas: {
    responses: {
      200: z.object({
        destinations: z.array(
          z.object({
            name: z.string(),
            type: z.string(),
            up: z.boolean().describe('False after a temporary failure, until something is delivered.'),
            pending: z.int(),
            dead: z.int(),
            lastDeliveredAt: text,
            lastError: text,
          }),
        ),
      }),
    },
  },
}
