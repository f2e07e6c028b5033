/** The endpoints of the history. */
import { z } from 'zod'
import {
  keyCursorOf,
  LIST_PARAMETERS,
  limitParameter,
  numberCursorParameter,
  onlyParameters,
  textParameter,
  timeParameter,
  valuesParameter,
  wordsParameter,
} from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import type { Clock } from '../../platform/types.ts'
import type { HistoryReader } from './history-reader.ts'
import { OUTCOMES, TASK_TYPES } from './status.ts'
import { GROUPINGS, type HistoryFilter, type HistoryPosition, SORTINGS } from './types.ts'

export interface HistoryRoutesDeps {
  readonly reader: Pick<HistoryReader, 'ask'>
  readonly clock: Clock
  /** Of days and hours; '' = the zone of this computer. */
  readonly timezone: string
}

type Query = ApiRequest['query']

const SUMMARY_MS = 30 * 86_400_000

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
  taskId: '74000000-0000-4000-8000-000000000001',
  taskName: 'Preload Sales Dashboard',
  taskType: 'preload',
  appId: 'a1000000-0000-4000-8000-000000000002',
  appName: 'Sales Dashboard',
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

export function historyRoutes(deps: HistoryRoutesDeps): ApiRoute[] {
  return [
    {
      methods: ['GET'],
      path: '/v4/history',
      endpoint: null,
      scope: 'task:read',
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
                executionId: 'e5000000-0000-4000-8000-000000000003',
                kind: 'task',
                ...TASK,
                ...{
                  state: 'finished',
                  outcome: 'success',
                  statusNum: 7,
                  statusText: 'FinishedSuccess',
                  node: 'qs-central',
                },
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
          },
        },
      ],
      handle: (request) => list(deps, request),
    },
    {
      methods: ['GET'],
      path: '/v4/history/summary',
      endpoint: null,
      scope: 'task:read',
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
      handle: (request) => summary(deps, request),
    },
  ]
}

async function list({ reader, clock }: HistoryRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, Object.keys(LIST_QUERY.shape))
  const filter = filterOf(query, clock.now())
  const [stoppedAt, seq = 0] = numberCursorParameter(query, 2) ?? []
  const after: HistoryPosition | null = stoppedAt === undefined ? null : [stoppedAt, seq]
  const limit = limitParameter(query)
  const { executions, next } = await reader.ask({ kind: 'list', filter, after, limit })
  return jsonAnswer(200, { executions, nextCursor: next && keyCursorOf(next.map(String)) })
}

async function summary({ reader, clock, timezone }: HistoryRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, Object.keys(SUMMARY_QUERY.shape))
  const now = clock.now()
  const asked = filterOf(query, now)
  // Later pages are about the same time as the first.
  const [offset = 0, from = asked.from ?? now - SUMMARY_MS, to = asked.to ?? now] =
    numberCursorParameter(query, 3) ?? []
  const groupBy = word(query, 'groupBy', GROUPINGS) ?? 'task'
  const { summary: groups, next } = await reader.ask({
    kind: 'summary',
    groupBy,
    timezone,
    offset,
    limit: limitParameter(query),
    filter: { ...asked, from, to },
    sort: word(query, 'sort', SORTINGS),
  })
  return jsonAnswer(200, {
    groupBy,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    summary: groups,
    nextCursor: next === null ? null : keyCursorOf([next, from, to].map(String)),
  })
}

/** A word that may be given once. */
function word<Word extends string>(query: Query, name: string, words: readonly Word[]): Word | null {
  textParameter(query, name)
  return wordsParameter(query, name, words)?.[0] ?? null
}

function filterOf(query: Query, now: number): HistoryFilter {
  const ids = (name: string) => valuesParameter(query, name)?.map((id) => id.toLowerCase()) ?? null
  return {
    taskId: ids('taskId'),
    taskName: valuesParameter(query, 'taskName'),
    appId: ids('appId'),
    type: wordsParameter(query, 'type', TASK_TYPES),
    outcome: wordsParameter(query, 'outcome', OUTCOMES),
    node: valuesParameter(query, 'node'),
    actor: valuesParameter(query, 'actor'),
    from: timeParameter(query, 'from', now),
    to: timeParameter(query, 'to', now),
  }
}
