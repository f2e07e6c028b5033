/** The endpoints of the history. */
import { z } from 'zod'
import {
  DEFAULT_LIMIT,
  keyCursorOf,
  LIST_PARAMETERS,
  numbersInCursor,
  queryField,
} from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import type { HistoryReader } from './history-reader.ts'
import { OUTCOMES, TASK_TYPES } from './status.ts'
import { GROUPINGS, type HistoryFilter, type HistoryPosition, SORTINGS } from './types.ts'

export interface HistoryRoutesDeps {
  readonly reader: Pick<HistoryReader, 'ask'>
  readonly clock: Clock
  /** Zone of days and hours; '' = that of this computer. */
  readonly timezone: string
}

const SUMMARY_MS = 30 * 86_400_000

const text = once(() => z.string().nullable())
const ms = once(() => z.number().nullable())

const FILTERS = once(() =>
  z.object({
    taskId: queryField.texts().describe('Every filter may be given several times: any of the values.').optional(),
    taskName: queryField.texts().describe('Glob.').optional(),
    appId: queryField.texts().optional(),
    type: queryField.words(TASK_TYPES).optional(),
    outcome: queryField.words(OUTCOMES).optional(),
    node: queryField.texts().describe('Name of the node that ran it.').optional(),
    actor: queryField.texts().describe('The caller that started it through Footman, like `key:erp`.').optional(),
    from: LIST_PARAMETERS.from,
    to: LIST_PARAMETERS.to,
  }),
)

const PARTIAL = once(() =>
  z.boolean().describe('The search took too long and was ended: `nextCursor` goes on with older ones.'),
)

const LIST_QUERY = once(() =>
  FILTERS().extend({
    id: queryField
      .texts()
      .refine((ids) => ids.length <= 100, { error: 'must be given 100 times at most' })
      .describe('Id of the execution. May be repeated up to 100 times.')
      .optional(),
    limit: LIST_PARAMETERS.limit,
    cursor: LIST_PARAMETERS.cursor,
  }),
)
const SUMMARY_QUERY = once(() =>
  FILTERS().extend({
    groupBy: queryField
      .word(GROUPINGS)
      .describe('Default `task`. Days and hours are those of `Butler.footman.timezone`.')
      .optional(),
    sort: queryField
      .word(SORTINGS)
      .describe('Largest first. Default `runs`; days and hours by time, newest first.')
      .optional(),
    limit: LIST_PARAMETERS.limit,
    cursor: LIST_PARAMETERS.cursor,
  }),
)

const EXECUTION = once(() =>
  z.object({
    executionId: text(),
    kind: z.literal('task'),
    taskId: z.string(),
    taskName: z.string(),
    taskType: z.string(),
    appId: text(),
    appName: text(),
    state: z.literal('finished'),
    outcome: z.enum(OUTCOMES),
    statusNum: z.int().nullable(),
    statusText: z.string(),
    node: text(),
    actor: z.string().describe('Caller that had Footman start it; absent when Footman did not start it.').optional(),
    triggeredAt: text(),
    startedAt: text(),
    stoppedAt: z.string(),
    queueMs: ms(),
    runMs: ms(),
    attempts: z.int(),
    error: text(),
  }),
)

const TASK = {
  taskId: '74000000-0000-4000-8000-000000000001',
  taskName: 'Preload Sales Dashboard',
  taskType: 'preload',
  appId: 'a1000000-0000-4000-8000-000000000002',
  appName: 'Sales Dashboard',
}

const GROUP = once(() =>
  z.object({
    key: text().describe('Id of the task or app; null where there is none.'),
    name: text(),
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
  }),
)

export function historyRoutes({ reader, clock, timezone }: HistoryRoutesDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/history',
      scope: 'task:read',
      summary: 'Executions that have ended',
      description:
        'Final executions of tasks of all types, by the time of their end, newest first: from events, from what Footman has started, and from what it finds in Qlik Sense.',
      query: LIST_QUERY,
      answers: () => ({
        200: z
          .object({ executions: z.array(EXECUTION()), nextCursor: text(), partial: PARTIAL() })
          .describe('The executions.'),
      }),
      examples: [
        {
          name: 'of-a-task',
          query: { taskName: 'Preload Sales*', from: '90d' },
          status: 200,
          answer: {
            executions: [
              {
                executionId: 'e5000003-0000-4000-8000-000000000000',
                kind: 'task',
                ...TASK,
                state: 'finished',
                outcome: 'success',
                statusNum: 7,
                statusText: 'FinishedSuccess',
                node: 'qs-central',
                triggeredAt: '2026-03-02T06:00:01.120Z',
                startedAt: '2026-03-02T06:00:01.902Z',
                stoppedAt: '2026-03-02T06:03:11.482Z',
                queueMs: 782,
                runMs: 189580,
                attempts: 1,
                error: null,
              },
            ],
            nextCursor: null,
            partial: false,
          },
        },
      ],
      async handle({ query }) {
        const { cursor, limit = DEFAULT_LIMIT } = query
        const filter = filterOf(query, clock.now())
        const [stoppedAt, seq = 0] = numbersInCursor(cursor, 2) ?? []
        const after: HistoryPosition | null = stoppedAt === undefined ? null : [stoppedAt, seq]
        const { executions, next, partial } = await reader.ask({ kind: 'list', filter, after, limit })
        return jsonAnswer(200, { executions, nextCursor: next && keyCursorOf(next.map(String)), partial })
      },
    }),
    route({
      method: 'GET',
      path: '/v4/history/summary',
      scope: 'task:read',
      summary: 'Counts and run times of executions',
      description: 'Of the last 30 days unless `from` says otherwise.',
      query: SUMMARY_QUERY,
      answers: () => ({
        200: z
          .object({
            groupBy: z.enum(GROUPINGS),
            from: z.string(),
            to: z.string(),
            summary: z.array(GROUP()),
            nextCursor: text(),
          })
          .describe('The groups.'),
      }),
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
                key: TASK.taskId,
                name: TASK.taskName,
                runs: 1,
                success: 1,
                failed: 0,
                aborted: 0,
                successRate: 1,
                runMs: { min: 180010, p50: 190120, p95: 240500, max: 260000, total: 5703600 },
                queueMs: { p50: 800, p95: 45000, max: 120000 },
                lastOutcome: 'success',
                lastStoppedAt: '2026-03-02T06:03:11.482Z',
              },
            ],
            nextCursor: null,
          },
        },
      ],
      async handle({ query }) {
        const { cursor, limit = DEFAULT_LIMIT, groupBy = 'task', sort = null } = query
        const now = clock.now()
        const asked = filterOf(query, now)
        // Later pages are about the same time as the first.
        const [offset = 0, from = asked.from ?? now - SUMMARY_MS, to = asked.to ?? now] =
          numbersInCursor(cursor, 3) ?? []
        const filter = { ...asked, from, to }
        const { summary, next } = await reader.ask({ kind: 'summary', groupBy, timezone, offset, limit, filter, sort })
        return jsonAnswer(200, {
          groupBy,
          from: new Date(from).toISOString(),
          to: new Date(to).toISOString(),
          summary,
          nextCursor: next === null ? null : keyCursorOf([next, from, to].map(String)),
        })
      },
    }),
  ]
}

function filterOf(
  query: z.output<ReturnType<typeof FILTERS>> & { readonly id?: string[] | undefined },
  now: number,
): HistoryFilter {
  const { id, taskId, taskName, appId, type, outcome, node, actor, from, to } = query
  const lowerCase = (ids: readonly string[] | undefined) => ids?.map((id) => id.toLowerCase()) ?? null
  return {
    id: lowerCase(id),
    taskId: lowerCase(taskId),
    taskName: taskName ?? null,
    appId: lowerCase(appId),
    type: type ?? null,
    outcome: outcome ?? null,
    node: node ?? null,
    actor: actor ?? null,
    from: from?.(now) ?? null,
    to: to?.(now) ?? null,
  }
}
