/** Firings of a range of days: Footman's schedules, Qlik's triggers and report tasks, and how many tasks run at once. */
import type { HistoryReader } from '../executions/history-reader.ts'
import type { Run, Schedule } from '../schedule/types.ts'
import type { Calendar } from './contract.ts'
import type { Site, SiteTask } from './site.ts'
import { tasksOf } from './timeline.ts'
import { instantsOf } from './triggers.ts'

/** An entry of the answer; its time in milliseconds since 1970. */
export interface CalendarEntry extends Omit<Calendar['entries'][number], 'at'> {
  readonly at: number
}

/** Firings of report tasks in [from, to), with the median of their last runs. */
export type ReportFirings = (
  from: number,
  to: number,
) => readonly { id: string; name: string; at: number; usualMs: number | null }[]

export interface CalendarDeps {
  readonly site: Site
  readonly schedules: {
    list(): readonly Schedule[]
    runsBetween(from: number, to: number): readonly Run[]
  }
  readonly reports: ReportFirings
  readonly reader: Pick<HistoryReader, 'ask'>
}

interface Range {
  readonly from: number
  readonly to: number
  readonly now: number
}

/** Firings of one source, and of all, that are looked at. */
const MOST_OF_ONE = 3000
const MOST = 10_000

type Firing = Omit<CalendarEntry, 'durationMs'> & { readonly usualMs?: number | null }

/** The entries in the order of their time. `sees`: the sources that the caller may see. */
export async function calendarOf(
  deps: CalendarDeps,
  { from, to, now }: Range,
  { sees, timezone }: { readonly sees: ReadonlySet<CalendarEntry['source']>; readonly timezone: string },
) {
  const { site, schedules, reports, reader } = deps
  const [known, triggers] = await Promise.all([site.tasks(), sees.has('qlik') ? site.triggers() : null])
  const tasks: ReadonlyMap<string, SiteTask> = known.value ?? new Map()
  const all: Firing[] = [
    ...schedules.list().flatMap((schedule) => firingsOf(schedule, { from, to, now }, tasks)),
    ...pastRuns(schedules, { from, to, now }),
    ...(triggers?.value?.times ?? []).flatMap((event) =>
      tasks.get(event.taskId)?.enabled === false
        ? []
        : instantsOf(event, site.offsets(event.timezone), from - 1, to - 1)
            .slice(0, MOST_OF_ONE)
            .map((at) => ({
              at,
              source: 'qlik' as const,
              id: event.id,
              name: tasks.get(event.taskId)?.name ?? event.name,
              taskIds: [event.taskId],
              skipped: null,
              by: null,
            })),
    ),
    ...(sees.has('report') ? reports(from, to) : []).map((firing) => ({
      ...firing,
      source: 'report' as const,
      taskIds: [],
      skipped: null,
      by: null,
    })),
  ].sort((a, b) => a.at - b.at)
  const firings = all.slice(0, MOST)
  const ids = [...new Set(firings.flatMap(({ taskIds }) => taskIds))]
  const wanted = ids.map((taskId) => ({ taskId, taskType: tasks.get(taskId)?.type ?? null, plannedAt: null }))
  const [{ usual }, { highest }] = await Promise.all([
    reader.ask({ kind: 'usual', tasks: wanted, now, timezone }),
    reader.ask({ kind: 'concurrency', from: now - HIGHEST_MS, to: now }),
  ])
  const lengths = new Map(ids.map((id, n) => [id, usual[n]?.usualMs ?? null]))
  const likely = new Map(ids.map((id, n) => [id, usual[n]?.basis === 'none' ? null : (usual[n]?.p50Ms ?? null)]))
  return {
    entries: firings.map(({ usualMs = null, ...firing }) => ({
      ...firing,
      durationMs: longest(firing.taskIds, lengths) ?? usualMs,
    })),
    load: loadOf(firings, likely, { from, to }),
    highest,
    stale: known.stale || (triggers?.stale ?? false),
    partial: all.length > firings.length,
  }
}

/** The highest number of tasks at once is looked for in so long a time. */
const HIGHEST_MS = 14 * 86_400_000
const HOUR_MS = 3_600_000
/** A task of which nothing is known counts for so long. */
const UNKNOWN_MS = 60_000

/** Firings that are coming; and, in the whole range, those that calendars and windows take away. */
function firingsOf(schedule: Schedule, { from, to, now }: Range, tasks: ReadonlyMap<string, SiteTask>): Firing[] {
  const { id, values, plan, running } = schedule
  if (!plan || !running) return []
  const taskIds = tasksOf(schedule, tasks)
  const name = typeof values.name === 'string' ? values.name : id
  const found: Firing[] = []
  let at = plan.next(from - 1)
  for (let looked = 0; at !== null && at < to && looked < MOST_OF_ONE; looked += 1) {
    const skipped = plan.excluded(at)
    if (skipped !== null || at >= now) {
      found.push({ at, source: 'footman', id, name, taskIds, skipped, by: plan.excludedBy(at) })
    }
    at = plan.next(at)
  }
  return found
}

function pastRuns({ list, runsBetween }: CalendarDeps['schedules'], { from, to, now }: Range): Firing[] {
  if (from >= now) return []
  const names = new Map(list().map(({ id, values }) => [id, String(values.name ?? id)]))
  return runsBetween(from, Math.min(to, now)).map(({ scheduleId, dueAt, tasks }) => ({
    at: dueAt,
    source: 'footman',
    id: scheduleId,
    name: names.get(scheduleId) ?? scheduleId,
    taskIds: tasks.map(({ taskId }) => taskId.toLowerCase()),
    skipped: null,
    by: null,
  }))
}

function longest(taskIds: readonly string[], lengths: ReadonlyMap<string, number | null>): number | null {
  const known = taskIds.flatMap((id) => lengths.get(id) ?? [])
  return known.length === 0 ? null : Math.max(...known)
}

/** For each hour from `from` on, the most tasks that are expected to run at once. */
export function loadOf(
  firings: readonly Pick<Firing, 'at' | 'taskIds' | 'skipped'>[],
  lengths: ReadonlyMap<string, number | null>,
  { from, to }: Pick<Range, 'from' | 'to'>,
): { readonly at: number; readonly running: number }[] {
  const steps = firings
    .filter(({ skipped }) => skipped === null)
    .flatMap(({ at, taskIds }) =>
      taskIds.flatMap((id) => [
        { at, change: 1 },
        { at: at + Math.max(1, lengths.get(id) ?? UNKNOWN_MS), change: -1 },
      ]),
    )
    .sort((a, b) => a.at - b.at || a.change - b.change)
  const load: { at: number; running: number }[] = []
  let running = 0
  let next = 0
  for (let hour = from; hour < to; hour += HOUR_MS) {
    for (; next < steps.length && steps[next]!.at <= hour && steps[next]!.change < 0; next += 1) running -= 1
    let most = running
    for (; next < steps.length && steps[next]!.at < hour + HOUR_MS; next += 1) {
      running += steps[next]!.change
      most = Math.max(most, running)
    }
    load.push({ at: hour, running: most })
  }
  return load
}
