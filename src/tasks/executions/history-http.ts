/** The endpoints of the history. */
import { DEFAULT_LIMIT, keyCursorOf, numbersInCursor } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import type { Clock } from '../../platform/types.ts'
import { HISTORY, HISTORY_SUMMARY, type HistoryFilters } from './contract.ts'
import type { HistoryReader } from './history-reader.ts'
import type { HistoryFilter, HistoryPosition } from './types.ts'

export interface HistoryRoutesDeps {
  readonly reader: Pick<HistoryReader, 'ask'>
  readonly clock: Clock
  /** Zone of days and hours; '' = that of this computer. */
  readonly timezone: string
}

const SUMMARY_MS = 30 * 86_400_000

const TASK = {
  taskId: '74000000-0000-4000-8000-000000000001',
  taskName: 'Preload Sales Dashboard',
  taskType: 'preload',
  appId: 'a1000000-0000-4000-8000-000000000002',
  appName: 'Sales Dashboard',
}

export function historyRoutes({ reader, clock, timezone }: HistoryRoutesDeps): ApiRoute[] {
  return [
    route({
      ...HISTORY,
      scope: 'task:read',
      summary: 'Executions that have ended',
      description:
        'Final executions of tasks of all types, by the time of their end, newest first: from events, from what Footman has started, and from what it finds in Qlik Sense.',
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
      async handle({ query }, answer) {
        const { cursor, limit = DEFAULT_LIMIT } = query
        const filter = filterOf(query, clock.now())
        const [stoppedAt, seq = 0] = numbersInCursor(cursor, 2) ?? []
        const after: HistoryPosition | null = stoppedAt === undefined ? null : [stoppedAt, seq]
        const { executions, next, partial } = await reader.ask({ kind: 'list', filter, after, limit })
        return answer(200, { executions, nextCursor: next && keyCursorOf(next.map(String)), partial })
      },
    }),
    route({
      ...HISTORY_SUMMARY,
      scope: 'task:read',
      summary: 'Counts and run times of executions',
      description: 'Of the last 30 days unless `from` says otherwise.',
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
      async handle({ query }, answer) {
        const { cursor, limit = DEFAULT_LIMIT, groupBy = 'task', sort = null } = query
        const now = clock.now()
        const asked = filterOf(query, now)
        // Later pages are about the same time as the first.
        const [offset = 0, from = asked.from ?? now - SUMMARY_MS, to = asked.to ?? now] =
          numbersInCursor(cursor, 3) ?? []
        const filter = { ...asked, from, to }
        const { summary, next } = await reader.ask({ kind: 'summary', groupBy, timezone, offset, limit, filter, sort })
        return answer(200, {
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

function filterOf(query: HistoryFilters & { readonly id?: string[] | undefined }, now: number): HistoryFilter {
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
