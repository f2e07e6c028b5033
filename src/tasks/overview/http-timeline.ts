/** `/v4/timeline`: what ran, runs, did not start and is planned, by task. */
import { invalidQuery, type TimeBound } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import { parseDuration } from '../../platform/duration.ts'
import type { Clock } from '../../platform/types.ts'
import type { HistoryReader } from '../executions/history-reader.ts'
import { isoOf } from '../executions/status.ts'
import { TIMELINE, type TimelineBar, type TimelineRow } from './contract.ts'
import type { FoundRow } from './queries.ts'
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
const MOST_PROPERTIES = 100

export function timelineRoute(deps: TimelineRouteDeps, settings: PlanSettings): ApiRoute {
  const { reader, clock, site, maintenance } = deps
  return route({
    ...TIMELINE,
    scope: 'task:read',
    summary: 'Executions, missing and planned starts by task',
    description:
      'Times are ends of executions for the summary, and real times for the bars. A planned start is missing when no execution was triggered within `watchdog.neverStartedAfter` (or the limit of its task), as far as the reconciler has looked.',
    examples: [{ name: 'last-night', query: { from: '12h', group: 'stream' }, status: 200 }],
    async handle({ query }, answer) {
      const now = clock.now()
      const range = rangeOf(query, now)
      const { from, to, future } = range
      const group = groupingOf(query.group)
      const [running, { tasks, stale, ...planned }] = await Promise.all([
        site.running(),
        plannedStarts(deps, settings, { from, to, now }, future),
      ])
      const { summary, rowsLeftOut, partial, ...found } = await reader.ask({
        kind: 'timeline',
        from,
        to,
        now,
        name: query.name ?? null,
        only: query.only ?? 'auto',
        maxShapes: query.maxShapes,
        timezone: settings.timezone,
        running: running.value ?? [],
        ...planned,
      })
      return answer(200, {
        from: isoOf(from),
        to: isoOf(to),
        now: isoOf(now),
        future: isoOf(future),
        summary,
        groups: groupsOf(found, tasks, group).map(({ rows, ...rest }) => ({ ...rest, rows: rows.map(rowAnswer) })),
        properties: propertiesOf(tasks),
        maintenance: maintenance
          .bands(from, Math.max(to, future))
          .map((band) => ({ name: band.name, from: isoOf(band.from), to: isoOf(band.to) })),
        rowsLeftOut,
        stale: stale || running.stale,
        partial,
      })
    },
  })
}

function propertiesOf(tasks: ReadonlyMap<string, SiteTask>): string[] {
  const names = new Set([...tasks.values()].flatMap((task) => task.customProperties.map(({ name }) => name)))
  return [...names].sort().slice(0, MOST_PROPERTIES)
}

interface RangeQuery {
  readonly from?: TimeBound | undefined
  readonly to?: TimeBound | undefined
  readonly future?: string | undefined
}

/** Throws 400 `VALIDATION`. */
function rangeOf(query: RangeQuery, now: number) {
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

function rowAnswer({ appName: _, node: __, failingSince, bars, ...row }: FoundRow): TimelineRow {
  return { ...row, failingSince: isoOf(failingSince), bars: bars.map((bar) => barAnswer(bar, row.usualMs)) }
}

function barAnswer(bar: Bar, usualMs: number | null): TimelineBar {
  switch (bar.kind) {
    case 'execution': {
      const { triggeredAt, startedAt, stoppedAt } = bar
      return {
        ...bar,
        triggeredAt: isoOf(triggeredAt),
        startedAt: isoOf(startedAt),
        stoppedAt: isoOf(stoppedAt),
        usualMs,
      }
    }
    case 'batch':
      return { ...bar, from: isoOf(bar.from), to: isoOf(bar.to) }
    case 'missing':
      return { ...bar, dueAt: isoOf(bar.dueAt) }
    case 'running': {
      const { startedAt, expectedEnd, pessimisticEnd } = bar
      return {
        ...bar,
        startedAt: isoOf(startedAt),
        expectedEnd: isoOf(expectedEnd),
        pessimisticEnd: isoOf(pessimisticEnd),
      }
    }
    case 'forecast':
      return { ...bar, plannedAt: isoOf(bar.plannedAt), expectedEnd: isoOf(bar.expectedEnd) }
  }
}
