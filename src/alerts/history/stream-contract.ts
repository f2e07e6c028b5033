/** The contracts of `/v4/stream`, with the data of its messages. Times are ISO 8601. */
import { z } from 'zod'
import { EVENT_OUTCOMES, EVENT_TYPES, OUTCOMES, SEVERITIES } from '../../events/kinds.ts'
import type { FileJob } from '../../files/contract.ts'
import { type AnswerOf, contract, type Shape } from '../../http/endpoint/contract.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { DELIVERY_REASONS, DELIVERY_STATES } from '../kinds.ts'
import { EVENT_STATES } from './contract.ts'

const text = () => z.string().nullable()

/** The data of a message, by its topic. */
export const CHANGES = {
  event: () =>
    z.strictObject({
      id: z.string(),
      type: z.enum(EVENT_TYPES),
      outcome: z.enum(EVENT_OUTCOMES),
      severity: z.enum(SEVERITIES),
      state: z.enum(EVENT_STATES),
      reason: text(),
      taskId: text(),
      taskName: text(),
      appName: text(),
      host: text(),
    }),
  delivery: () =>
    z.strictObject({
      id: z.string(),
      eventId: z.string(),
      destination: z.string(),
      state: z.enum(DELIVERY_STATES),
      reason: z.enum(DELIVERY_REASONS).nullable(),
    }),
  execution: () =>
    z.strictObject({
      executionId: text(),
      taskId: z.string(),
      taskName: z.string(),
      state: z.enum(['queued', 'running', 'finished']),
      outcome: z.enum(OUTCOMES).nullable(),
      triggeredAt: text(),
      startedAt: text(),
      stoppedAt: text(),
    }),
  /** The data are about the schedule itself (`state`), or about one of its runs. */
  schedule: () =>
    z.strictObject({
      id: z.string(),
      state: z.enum(['running', 'stopped', 'invalid', 'removed']).nullable(),
      runId: text(),
      runState: text(),
      outcome: text(),
      reason: text(),
    }),
  file: () => z.custom<FileJob>(),
  attention: () => z.strictObject({ key: z.string(), kind: z.string(), open: z.boolean() }),
  report: () => z.strictObject({ runId: z.string(), taskId: z.string(), state: z.string(), outcome: text() }),
  keyValue: () =>
    z.strictObject({
      event: z.enum(['set', 'delete', 'expire']),
      namespace: z.string(),
      key: z.string(),
      revision: z.int(),
    }),
} as const

export type Topic = keyof typeof CHANGES
export const TOPICS = Object.keys(CHANGES) as readonly Topic[]

export type ChangeOf<T extends Topic> = Shape<(typeof CHANGES)[T]>
export type PairChange = ChangeOf<'keyValue'>

export const STREAM = contract({
  method: 'GET',
  path: '/v4/stream',
  query: () =>
    z.object({
      topic: queryField.words(TOPICS).describe('May be repeated: any of them.').optional(),
      after: queryField
        .integer(0, Number.MAX_SAFE_INTEGER)
        .describe('Number of a change, like `seq` of the position: the stream begins with the changes after it.')
        .optional(),
    }),
  answers: () => ({
    200: z.string().meta({ contentMediaType: 'text/event-stream', description: 'The stream.' }),
    503: 'Too many streams are open.',
  }),
})

export const STREAM_POSITION = contract({
  method: 'GET',
  path: '/v4/stream/position',
  query: NO_QUERY,
  answers: () => ({
    200: z.strictObject({ seq: z.int(), oldest: z.int() }).describe('The last change, and the oldest one kept.'),
  }),
})
export type FeedPosition = AnswerOf<typeof STREAM_POSITION>
