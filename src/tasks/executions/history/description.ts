/** What the description of the API says about the history. */
import { z } from 'zod'
import type { RouteDescription } from '../../../http/endpoint/description.ts'
import { LIST_PARAMETERS } from '../../../http/endpoint/list-schemas.ts'
import { OUTCOMES, TASK_TYPES } from '../status.ts'
import { GROUPINGS, SORTINGS } from './types.ts'

const text = z.string().nullable()
const ms = z.number().nullable()

const FILTERS = {
  taskId: z.string().describe('Every filter may be given several times: any of the values.').optional(),
  taskName: z.string().describe('Glob.').optional(),
  appId: z.string().optional(),
  type: z.enum(TASK_TYPES).optional(),
  outcome: z.enum(OUTCOMES).optional(),
  node: z.string().describe('Name of the node that ran it.').optional(),
  actor: z.string().describe('Who had Footman start it, like `key:erp`.').optional(),
  from: LIST_PARAMETERS.from,
  to: LIST_PARAMETERS.to,
}

const LIST_QUERY = z.object({ ...FILTERS, limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor })
const SUMMARY_QUERY = z.object({
  ...FILTERS,
  groupBy: z
    .enum(GROUPINGS)
    .describe('Default `task`. Days and hours are those of `Butler.footman.timezone`.')
    .optional(),
  sort: z.enum(SORTINGS).describe('Largest first. Default `runs`; days and hours by time, newest first.').optional(),
  limit: LIST_PARAMETERS.limit,
  cursor: LIST_PARAMETERS.cursor,
})

export const LIST_PARAMETER_NAMES: readonly string[] = Object.keys(LIST_QUERY.shape)
export const SUMMARY_PARAMETER_NAMES: readonly string[] = Object.keys(SUMMARY_QUERY.shape)

const EXECUTION = z.object({
  executionId: text,
  kind: z.literal('task'),
  taskId: z.string(),
  taskName: z.string(),
  taskType: z.string(),
  appId: text,
  appName: text,
  state: z.literal('finished'),
  outcome: z.enum(OUTCOMES),
  statusNum: z.int().nullable(),
  statusText: z.string(),
  node: text,
  actor: z.string().describe('Who had Footman start it; absent when somebody else did.').optional(),
  triggeredAt: text,
  startedAt: text,
  stoppedAt: z.string(),
  queueMs: ms,
  runMs: ms,
  attempts: z.int(),
  error: text,
})

const TASK = {
  ...{ taskId: '74000000-0000-4000-8000-000000000001', taskName: 'Preload Sales Dashboard', taskType: 'preload' },
  ...{ appId: 'a1000000-0000-4000-8000-000000000002', appName: 'Sales Dashboard' },
}

export const HISTORY_DESCRIPTION: RouteDescription = {
  summary: 'Executions that have ended',
  description:
    'Final executions of tasks of all types, by the time of their end, newest first: from events, from what Footman has started, and from what it finds in Qlik Sense.',
  schemas: {
    query: LIST_QUERY,
    responses: { 200: z.object({ executions: z.array(EXECUTION), nextCursor: text }).describe('The executions.') },
  },
  examples: [
    {
      name: 'of-a-task',
      query: { taskName: 'Preload Sales*', from: '90d' },
      status: 200,
      answer: {
        executions: [
          {
            ...{ executionId: 'e5000000-0000-4000-8000-000000000003', kind: 'task', ...TASK },
            ...{
              state: 'finished',
              outcome: 'success',
              statusNum: 7,
              statusText: 'FinishedSuccess',
              node: 'qs-central',
            },
            ...{ triggeredAt: '2026-03-02T06:00:01.120Z', startedAt: '2026-03-02T06:00:01.902Z' },
            ...{ stoppedAt: '2026-03-02T06:03:11.482Z', queueMs: 782, runMs: 189580, attempts: 1, error: null },
          },
        ],
        nextCursor: null,
      },
    },
  ],
}

const GROUP = z.object({
  key: text.describe('Id of the task or app; null where there is none.'),
  name: text,
  runs: z.int(),
  success: z.int(),
  failed: z.int(),
  aborted: z.int(),
  successRate: z.number().describe('0 to 1.'),
  runMs: z
    .object({ min: z.number(), p50: z.number(), p95: z.number(), max: z.number(), total: z.number() })
    .nullable()
    .describe('Exact percentiles (nearest rank); null when no run time is known.'),
  queueMs: z.object({ p50: z.number(), p95: z.number(), max: z.number() }).nullable(),
  lastOutcome: z.enum(OUTCOMES),
  lastStoppedAt: z.string(),
})

export const SUMMARY_DESCRIPTION: RouteDescription = {
  summary: 'Counts and run times of executions',
  description: 'Of the last 30 days unless `from` says otherwise.',
  schemas: {
    query: SUMMARY_QUERY,
    responses: {
      200: z
        .object({
          groupBy: z.enum(GROUPINGS),
          from: z.string(),
          to: z.string(),
          summary: z.array(GROUP),
          nextCursor: text,
        })
        .describe('The groups.'),
    },
  },
  examples: [
    {
      name: 'of-a-task',
      query: { taskName: 'Preload Sales*', from: '90d' },
      status: 200,
      answer: {
        groupBy: 'task',
        from: '2026-01-31T06:00:00.000Z',
        to: '2026-03-02T06:00:00.000Z',
        summary: [
          {
            ...{ key: TASK.taskId, name: TASK.taskName, runs: 1, success: 1, failed: 0, aborted: 0, successRate: 1 },
            runMs: { min: 180010, p50: 190120, p95: 240500, max: 260000, total: 5703600 },
            queueMs: { p50: 800, p95: 45000, max: 120000 },
            ...{ lastOutcome: 'success', lastStoppedAt: '2026-03-02T06:03:11.482Z' },
          },
        ],
        nextCursor: null,
      },
    },
  ],
}
