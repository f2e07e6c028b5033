/** What the description of the API says about events. */
import { z } from 'zod'
import { LIST_PARAMETERS } from '../../http/endpoint/list-query.ts'
import type { RouteDescription } from '../../http/endpoint/route.ts'
import { DELIVERY_DETAIL } from './delivery-descriptions.ts'
import * as words from './words.ts'

const text = z.string().nullable()
const count = z.int()

export const EVENT_ITEM = z.object({
  id: z.string(),
  receivedAt: z.string(),
  source: z.enum(words.EVENT_SOURCES),
  type: z.enum(words.EVENT_TYPES),
  outcome: z.enum(words.EVENT_OUTCOMES),
  severity: z.enum(words.SEVERITIES),
  state: z.enum(words.EVENT_STATES as [string, ...string[]]),
  reason: text.describe('Why it was ignored.'),
  title: z.string(),
  host: text,
  user: text,
  taskId: text,
  taskName: text,
  appId: text,
  appName: text,
  executionId: text,
  consecutiveFailures: count.nullable(),
  missingParts: z.array(z.string()).describe('What Qlik Sense did not tell in time.'),
  test: z.boolean(),
  deliveryCounts: z.object({ pending: count, sending: count, delivered: count, suppressed: count, dead: count }),
})

const EVENT_DETAIL = EVENT_ITEM.extend({
  raw: text.describe('The datagram, as long as it is kept.'),
  from: text.describe('Address of the sender.'),
  record: z.record(z.string(), z.unknown()).describe('The variables that templates see.'),
  deliveries: z.array(DELIVERY_DETAIL),
})

const QUERY = z.object({
  type: words.anyOf(words.EVENT_TYPES),
  outcome: words.anyOf(words.EVENT_OUTCOMES),
  source: words.anyOf(words.EVENT_SOURCES),
  state: words.anyOf(words.EVENT_STATES),
  severity: words.anyOf(words.SEVERITIES),
  taskId: words.anyText('Id of the task.'),
  appId: words.anyText('Id of the app.'),
  executionId: words.anyText('Id of the execution.'),
  host: words.anyText('Name of the sending node.'),
  q: z.string().describe('Text in the name of task or app, or in the message.').optional(),
  ...LIST_PARAMETERS,
})

export const EVENTS: RouteDescription = {
  summary: 'List events',
  description: 'Everything that may cause a message, newest first.',
  schemas: {
    query: QUERY,
    responses: { 200: z.object({ events: z.array(EVENT_ITEM), nextCursor: text }).describe('The events.') },
  },
  examples: [
    {
      name: 'failures-of-a-day',
      query: { outcome: 'failed', from: '24h' },
      status: 200,
      answer: { events: [], nextCursor: null },
    },
  ],
}

export const EVENT: RouteDescription = {
  summary: 'One event with its deliveries',
  schemas: {
    params: z.object({ id: z.string().describe('Id of the event.') }),
    responses: { 200: EVENT_DETAIL.describe('The event.') },
  },
}

const DROPPED_ITEM = z.object({ at: z.string(), from: z.string(), reason: z.string(), raw: z.string() })

export const DROPPED: RouteDescription = {
  summary: 'Datagrams that did not become events',
  description: 'The last 1,000, newest first, each with its reason.',
  schemas: {
    query: z.object({
      reason: words.anyOf(words.DROP_REASONS),
      limit: LIST_PARAMETERS.limit,
      cursor: LIST_PARAMETERS.cursor,
    }),
    responses: { 200: z.object({ dropped: z.array(DROPPED_ITEM), nextCursor: text }).describe('The datagrams.') },
  },
  examples: [
    { name: 'duplicates', query: { reason: 'DUPLICATE' }, status: 200, answer: { dropped: [], nextCursor: null } },
  ],
}
