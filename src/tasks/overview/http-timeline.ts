/** `/v4/timeline`: what ran, runs, did not start and is planned, by task. */
import { z } from 'zod'
import { invalidQuery, LIST_PARAMETERS, queryField } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { parseDuration } from '../../platform/duration.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import type { HistoryReader } from '../executions/history-reader.ts'
import { isoOf, OUTCOMES, STATES } from '../executions/status.ts'
import type { TimelineRow } from './queries.ts'
import type { Bar } from './shapes.ts'
import type { SiteTask } from './site.ts'
import { GROUPING, groupsOf, type PlanSettings, plannedStarts, type TimelineDeps } from './timeline.ts'

export interface TimelineRouteDeps extends TimelineDeps {
  readonly reader: Pick<HistoryReader, 'ask'>
  readonly clock: Clock
}

const HOUR_MS = 3_600_000
const DEFAULT_MS = 12 * HOUR_MS
const LONGEST_MS = 31 * 24 * HOUR_MS
const LONGEST_FUTURE_MS = 48 * HOUR_MS
const MAX_SHAPES = 2000
const MOST_PROPERTIES = 100

const text = once(() => z.string().nullable())

const QUERY = once(() =>
  z.object({
    from: LIST_PARAMETERS.from.describe('Default 12 hours before `to`; at most 31 days.'),
    to: LIST_PARAMETERS.to.describe('Default now.'),
    future: queryField
      .text()
      .describe(
        'How far planned starts after now are shown, like `3h`; default a quarter of the range, at most 48 hours.',
      )
      .optional(),
    group: queryField
      .text()
      .describe('`stream` (default), `task`, `app`, `node`, `type`, `tag:<prefix>`, `property:<name>`.')
      .optional(),
    only: queryField.word(['all', 'problems']).describe('Default `all` up to 60 rows, else `problems`.').optional(),
    name: queryField.texts().describe('Glob over the name of the task; may be repeated.').optional(),
    maxShapes: queryField
      .integer(1, MAX_SHAPES)
      .describe('Bars of all rows; what lies close together becomes batches. Default 2000.')
      .optional(),
  }),
)

const BAR = once(() =>
  z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('execution'),
      executionId: text(),
      outcome: z.enum(OUTCOMES),
      triggeredAt: text(),
      startedAt: text(),
      stoppedAt: z.string(),
      usualMs: z.number().nullable(),
    }),
    z.object({
      kind: z.literal('batch').describe('Executions that lie close together.'),
      from: z.string(),
      to: z.string(),
      count: z.int(),
      worst: z.enum(OUTCOMES),
    }),
    z.object({
      kind: z.literal('missing').describe('A planned start to which no execution belongs.'),
      dueAt: z.string(),
      trigger: z.string(),
    }),
    z.object({
      kind: z.literal('running'),
      executionId: text(),
      state: z.enum(['queued', 'running']),
      startedAt: z.string(),
      expectedEnd: z.string(),
      pessimisticEnd: z.string(),
      over: z.boolean().describe('It takes longer than usual.'),
      overByMs: z.number(),
    }),
    z.object({
      kind: z.literal('forecast').describe('A planned start after now.'),
      plannedAt: z.string(),
      expectedEnd: z.string(),
      trigger: z.string(),
    }),
  ]),
)

const TIMELINE = once(() =>
  z.object({
    from: z.string(),
    to: z.string(),
    now: z.string(),
    future: z.string().describe('End of the time after now.'),
    summary: z
      .object({
        runs: z.int(),
        success: z.int(),
        failed: z.int(),
        aborted: z.int(),
        recovered: z.int().describe('Failed or aborted executions whose task has succeeded since.'),
        stillFailing: z.int().describe('Tasks that have not.'),
        neverStarted: z.int(),
      })
      .describe('Executions by the time of their end.'),
    groups: z.array(
      z.object({
        key: text().describe('Null for tasks that have none.'),
        problems: z.int().describe('Rows with a problem.'),
        rows: z.array(
          z.object({
            taskId: z.string(),
            taskName: z.string(),
            taskType: text(),
            state: z
              .enum([...STATES, ...OUTCOMES])
              .nullable()
              .describe('Of now: waits, runs, or the outcome of the last run.'),
            failingSince: text(),
            runs: z.int(),
            problem: z.boolean(),
            usualMs: z.number().nullable().describe('Median of the last successful runs.'),
            bars: z.array(BAR()),
          }),
        ),
      }),
    ),
    properties: z
      .array(z.string())
      .describe('Custom properties of the tasks of the site, by which `group` can be chosen.'),
    maintenance: z.array(z.object({ name: z.string(), from: z.string(), to: z.string() })),
    rowsLeftOut: z.int(),
    stale: z
      .boolean()
      .describe('Qlik Sense did not answer in time: tasks, triggers and what runs are as they were last known.'),
    partial: z.boolean().describe('There are more executions than are looked at; the newest are shown.'),
  }),
)

export function timelineRoute(deps: TimelineRouteDeps, settings: PlanSettings): ApiRoute {
  const { reader, clock, site, maintenance } = deps
  return route({
    method: 'GET',
    path: '/v4/timeline',
    scope: 'task:read',
    summary: 'Executions, missing and planned starts by task',
    description:
      'Times are ends of executions for the summary, and real times for the bars. A planned start is missing when no execution was triggered within `watchdog.neverStartedAfter` (or the limit of its task), as far as the reconciler has looked.',
    query: QUERY,
    answers: () => ({ 200: TIMELINE().describe('The timeline.') }),
    examples: [{ name: 'last-night', query: { from: '12h', group: 'stream' }, status: 200 }],
    async handle({ query }) {
      const now = clock.now()
      const range = rangeOf(query, now)
      const { from, to, future } = range
      const group = groupingOf(query.group)
      const [running, { tasks, stale, ...planned }] = await Promise.all([
        site.running(),
        plannedStarts(deps, settings, { from, to, now }, future),
      ])
      const answer = await reader.ask({
        kind: 'timeline',
        from,
        to,
        now,
        name: query.name ?? null,
        only: query.only ?? 'auto',
        maxShapes: query.maxShapes ?? MAX_SHAPES,
        timezone: settings.timezone,
        running: running.value ?? [],
        ...planned,
      })
      return jsonAnswer(200, {
        from: isoOf(from),
        to: isoOf(to),
        now: isoOf(now),
        future: isoOf(future),
        summary: answer.summary,
        groups: groupsOf(answer, tasks, group).map(({ rows, ...rest }) => ({ ...rest, rows: rows.map(rowAnswer) })),
        properties: propertiesOf(tasks),
        maintenance: maintenance
          .bands(from, Math.max(to, future))
          .map((band) => ({ name: band.name, from: isoOf(band.from), to: isoOf(band.to) })),
        rowsLeftOut: answer.rowsLeftOut,
        stale: stale || running.stale,
        partial: answer.partial,
      })
    },
  })
}

function propertiesOf(tasks: ReadonlyMap<string, SiteTask>): string[] {
  const names = new Set([...tasks.values()].flatMap((task) => task.customProperties.map(({ name }) => name)))
  return [...names].sort().slice(0, MOST_PROPERTIES)
}

/** Throws 400 `VALIDATION`. */
function rangeOf(query: z.output<ReturnType<typeof QUERY>>, now: number) {
  const to = query.to?.(now) ?? now
  const from = query.from?.(now) ?? to - DEFAULT_MS
  if (from >= to) throw invalidQuery([{ path: 'from', message: 'must be before to' }])
  if (to - from > LONGEST_MS) throw invalidQuery([{ path: 'from', message: 'must be at most 31 days before to' }])
  return { from, to, future: to < now ? to : now + futureOf(query.future, (to - from) / 4) }
}

function futureOf(given: string | undefined, otherwise: number): number {
  if (given === undefined) return Math.min(otherwise, LONGEST_FUTURE_MS)
  const duration = parseDuration(given)
  if (duration.ok && duration.value <= LONGEST_FUTURE_MS) return duration.value
  throw invalidQuery([{ path: 'future', message: 'must be a length of time like 3h, at most 48h' }])
}

function groupingOf(group = 'stream'): string {
  if (GROUPING.test(group)) return group
  const message = 'must be stream, task, app, node, type, tag:<prefix> or property:<name>'
  throw invalidQuery([{ path: 'group', message }])
}

function rowAnswer({ taskId, taskName, taskType, state, failingSince, runs, problem, usualMs, bars }: TimelineRow) {
  return {
    taskId,
    taskName,
    taskType,
    state,
    failingSince: isoOf(failingSince),
    runs,
    problem,
    usualMs,
    bars: bars.map((bar) => barAnswer(bar, usualMs)),
  }
}

const TIMES = [
  'triggeredAt',
  'startedAt',
  'stoppedAt',
  'from',
  'to',
  'dueAt',
  'plannedAt',
  'expectedEnd',
  'pessimisticEnd',
]

/** Numbers that are times as ISO texts. */
function barAnswer(bar: Bar, usualMs: number | null) {
  const entries = Object.entries(bar).map(([name, value]) => [
    name,
    TIMES.includes(name) ? isoOf(value as number | null) : value,
  ])
  return { ...Object.fromEntries(entries), ...(bar.kind === 'execution' && { usualMs }) }
}
