/** What the description of the API says about deliveries. */
import { z } from 'zod'
import { LIST_PARAMETERS } from '../../http/endpoint/list-query.ts'
import type { RouteDescription } from '../../http/endpoint/route.ts'
import { field } from '../../http/endpoint/validation.ts'
import * as words from './words.ts'

const text = z.string().nullable()
const PARAMS = z.object({ id: z.string().describe('Id of the delivery.') })

const DELIVERY_ITEM = z.object({
  id: z.string(),
  eventId: z.string(),
  kind: z.enum(words.KINDS),
  route: text,
  destination: z.string(),
  destinationType: text,
  target: z.string().describe('What a person recognises: an address, a channel, the host of a URL.'),
  severity: z.enum(words.SEVERITIES),
  state: z.enum(words.DELIVERY_STATES),
  reason: z.enum(words.DELIVERY_REASONS).nullable(),
  detail: text,
  createdAt: z.string(),
  deliveredAt: text,
  latencyMs: z.number().nullable().describe('From the arrival of the event.'),
  nextAttemptAt: text,
  replayOf: text,
})

export const DELIVERY_DETAIL = DELIVERY_ITEM.extend({
  message: z
    .object({ subject: text, bytes: z.int(), body: z.string().describe('Cut at 64 KB.') })
    .nullable()
    .describe('What was sent; null before the first attempt.'),
  attempts: z.array(
    z.object({
      n: z.int(),
      at: z.string(),
      durationMs: z.number(),
      result: z.enum(['ok', 'temporary', 'permanent']),
      detail: z.string(),
    }),
  ),
})

const QUERY = z.object({
  eventId: words.anyText('Id of the event.'),
  state: words.anyOf(words.DELIVERY_STATES),
  reason: words.anyOf(words.DELIVERY_REASONS),
  kind: words.anyOf(words.KINDS),
  destination: words.anyText('Name of the destination.'),
  route: words.anyText('Name of the route.'),
  taskId: words.anyText('Id of the task.'),
  ...LIST_PARAMETERS,
})

export const DELIVERIES: RouteDescription = {
  summary: 'List deliveries',
  description: 'Who was told what and when, and why not; newest first.',
  schemas: {
    query: QUERY,
    responses: { 200: z.object({ deliveries: z.array(DELIVERY_ITEM), nextCursor: text }).describe('The deliveries.') },
  },
  examples: [
    { name: 'dead-letters', query: { state: 'dead' }, status: 200, answer: { deliveries: [], nextCursor: null } },
  ],
}

export const DELIVERY: RouteDescription = {
  summary: 'One delivery with its message and attempts',
  schemas: { params: PARAMS, responses: { 200: DELIVERY_DETAIL.describe('The delivery.') } },
}

export const RESEND: RouteDescription = {
  summary: 'Send a delivery again',
  description:
    'What was given up or held back becomes pending again, with the same Message-ID. Of what was delivered a new delivery is made.',
  schemas: {
    params: PARAMS,
    body: z.object({}).optional(),
    responses: {
      202: z
        .object({ id: z.string(), state: z.literal('pending'), replayOf: z.string().optional() })
        .describe('It is under way.'),
    },
  },
  failures: { 409: 'It is still under way.' },
}

const names = (what: string) => field.array(field.string()).describe(what).nullish()

export const DEAD_LETTER_FILTER = {
  id: names('Ids of deliveries.').transform((value) => value ?? undefined),
  destination: names('Names of destinations.').transform((value) => value ?? undefined),
  reason: names('Why they were given up.').transform((value) => value ?? undefined),
  from: z.string().nullish().describe('Created at or after this time, or so long ago at most, like `24h`.'),
  to: z.string().nullish().describe('Created before this time.'),
}

export const RESEND_ALL: RouteDescription = {
  summary: 'Send dead letters again',
  description:
    'All deliveries that were given up and that the members given select; without ids, points of monitors for InfluxDB too.',
  schemas: {
    body: z.object(DEAD_LETTER_FILTER),
    responses: { 202: z.object({ resent: z.int() }).describe('How many are under way.') },
  },
  examples: [
    { name: 'of-a-destination', body: { destination: ['ops-mail'], from: '24h' }, status: 202, answer: { resent: 0 } },
  ],
}

export const CANCEL: RouteDescription = {
  summary: 'Call a delivery off',
  schemas: {
    params: PARAMS,
    body: z.object({}).optional(),
    responses: {
      200: z
        .object({ id: z.string(), state: z.literal('dead'), reason: z.literal('CANCELLED') })
        .describe('It is not going to be sent.'),
    },
  },
  failures: { 409: 'It is not pending.' },
}
