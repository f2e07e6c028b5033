/** The contracts of the endpoints about the tasks of the site. Times are ISO 8601, lengths in milliseconds. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape } from '../../http/endpoint/contract.ts'
import { LIST_PARAMETERS, NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'

export const ATTENTION_KINDS = [
  'taskFailed',
  'neverStarted',
  'stuck',
  'late',
  'overdue',
  'overUsual',
  'deadDeliveries',
  'destinationDown',
  'self',
  'service',
  'licence',
  'reportFailed',
  'reportHeld',
  'scheduleInvalid',
  'dropped',
] as const
export type AttentionKind = (typeof ATTENTION_KINDS)[number]

export const ATTENTION_SEVERITIES = ['error', 'warning', 'info'] as const

const NOTE_LENGTH = 200

const text = () => z.string().nullable()

const item = () =>
  z.strictObject({
    key: z.string().describe('The same as long as the item is open: `taskFailed:<task id>`.'),
    kind: z.enum(ATTENTION_KINDS),
    severity: z.enum(ATTENTION_SEVERITIES),
    since: z.string(),
    title: z.string(),
    cause: text(),
    task: z.strictObject({ taskId: z.string(), taskName: z.string() }).nullable(),
    eventId: text(),
    executionId: text(),
    count: z.int(),
    dueAt: text(),
    alerted: z
      .array(z.strictObject({ destination: z.string(), target: z.string(), at: z.string() }))
      .describe('Destinations that got an alert since the item began.'),
    heldBack: z.array(z.strictObject({ reason: z.string(), count: z.int(), snoozeId: text() })),
    quiet: z
      .object({
        reason: z.enum(['SNOOZED', 'MAINTENANCE']),
        detail: z.string().describe('The reason of the snooze, or the name of the maintenance.'),
        until: text().describe('End of the snooze.'),
      })
      .nullable()
      .describe('Alerts about the task are held back now.'),
    outcome: z
      .enum(['failed', 'aborted'])
      .nullable()
      .describe('How the last run ended, of `taskFailed`; null = another kind, or the task is well again.'),
    behind: z
      .array(z.strictObject({ taskId: z.string(), taskName: z.string() }))
      .describe('Tasks that run after this one and have not started since it failed.'),
    parent: text().describe('Key of the item whose failure explains this one.'),
    runningAgain: z
      .object({
        executionId: text(),
        state: z.enum(['queued', 'running']),
        startedAt: z.string(),
        expectedEnd: z.string(),
        over: z.boolean(),
        overByMs: z.number(),
      })
      .nullable(),
    usualMs: z
      .number()
      .nullable()
      .describe('Usual run time of a task that runs: the median of its last successful runs; null without one.'),
    retry: z
      .object({ attempt: z.int(), max: z.int(), at: z.string() })
      .nullable()
      .describe('Start that the retry policy has planned.'),
    taken: z.strictObject({ by: z.string(), at: z.string(), note: z.string() }).nullable(),
    recovered: z
      .object({ at: z.string(), how: z.enum(['itself', 'retry', 'start']), by: text() })
      .nullable()
      .describe('`start`: a caller of Footman has started it.'),
  })

/** Something that is wrong now, or was and is well again. */
export type AttentionItem = Shape<typeof item>
export type AttentionSeverity = AttentionItem['severity']

export const ATTENTION = contract({
  method: 'GET',
  path: '/v4/attention',
  query: () =>
    z.object({
      state: queryField
        .word(['open', 'recovered'])
        .describe('Default `open`; `recovered`: tasks that failed and succeeded since.')
        .optional(),
      from: LIST_PARAMETERS.from.describe(
        'Begin of the time in which tasks have failed, for `recovered`. Default 24h.',
      ),
      kind: queryField.words(ATTENTION_KINDS).describe('May be repeated: any of them.').optional(),
    }),

  answers: () => ({
    200: z
      .strictObject({
        asOf: z.string(),
        items: z.array(item()),
        hidden: z.array(z.enum(ATTENTION_KINDS)).describe('Kinds that the caller may not see.'),
        count: z.int().describe('Open items that the caller may see and that belong to no other item, of any kind.'),
      })
      .describe('The items.'),
  }),
})
export type Attention = AnswerOf<typeof ATTENTION>

export const ATTENTION_COUNT = contract({
  method: 'GET',
  path: '/v4/attention/count',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({ count: z.int() })
      .describe('Open items that the caller may see and that belong to no other item.'),
  }),
})

const params = () => z.object({ key: z.string().describe('Key of the item.') })

export const TAKE_ATTENTION = contract({
  method: 'PUT',
  path: '/v4/attention/{key}/taken',
  params,
  body: () => z.object({ note: z.string().max(NOTE_LENGTH).default('') }),
  answers: () => ({ 200: item().describe('The item.') }),
})

export const GIVE_ATTENTION_BACK = contract({
  method: 'DELETE',
  path: '/v4/attention/{key}/taken',
  params,
  answers: () => ({ 204: z.void() }),
})
