/** Questions of timelines and task pages to the history. They run in the history thread, on a read-only connection. */
import { globMatcher } from '../../platform/glob.ts'
import { createOffsets } from '../../platform/offsets.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { QrsCompositeEvent } from '../../qlik/qrs/triggers.ts'
import {
  type Eta,
  etaOf,
  plannedEnd,
  SAMPLE_MS,
  SAMPLE_RUNS,
  type Sample,
  type Usual,
  usualOf,
} from '../executions/durations.ts'
import type { ExecutionOutcome } from '../executions/kinds.ts'
import { taskStates } from '../executions/store.ts'
import type { TaskState } from '../executions/types.ts'
import type { Timeline, TimelineRow } from './contract.ts'
import { missingStarts, type Planned, type Span } from './due.ts'
import { type Bar, beginOf, type ExecutionBar, fitBars, type MissingBar } from './shapes.ts'
import { firingsOf } from './triggers.ts'

/** Times in milliseconds since 1970, ids in lower case. */
export interface RunningTask {
  readonly taskId: string
  readonly taskName: string
  readonly taskType: string
  readonly executionId: string | null
  readonly state: 'queued' | 'running'
  readonly since: number
}

export interface TimelineQuery {
  readonly kind: 'timeline'
  /** Inclusive, exclusive. */
  readonly from: number
  readonly to: number
  readonly now: number
  /** Globs over names of tasks; null = all. */
  readonly name: readonly string[] | null
  /** `auto` = all up to 60 rows, else problems. */
  readonly only: 'all' | 'problems' | 'auto'
  readonly maxShapes: number
  /** IANA name of the site's clock. */
  readonly timezone: string
  readonly running: readonly RunningTask[]
  /** Planned starts in the range of which it is known whether they came, by task; ascending. */
  readonly planned: Readonly<Record<string, readonly Planned[]>>
  /** Composite events whose firings must be followed by an execution within the limits. */
  readonly gates: readonly QrsCompositeEvent[]
  /** Gates count between these times. */
  readonly known: readonly [from: number, to: number]
  /** Limits of tasks for the time from planned to triggered; those of other tasks are `limitMs`. */
  readonly limits: Readonly<Record<string, number>>
  readonly limitMs: number
  /** Planned starts after now, by task; ascending. */
  readonly coming: Readonly<Record<string, readonly Planned[]>>
  /** Names of tasks that may have no execution yet. */
  readonly names: Readonly<Record<string, string>>
}

/** A row of the answer, with what groups are made by; times in milliseconds since 1970. */
export interface FoundRow extends Omit<TimelineRow, 'failingSince' | 'bars'> {
  readonly appName: string | null
  readonly node: string | null
  readonly failingSince: number | null
  readonly bars: readonly Bar[]
}

export interface TimelineAnswer extends Pick<Timeline, 'summary' | 'rowsLeftOut' | 'partial'> {
  readonly rows: readonly FoundRow[]
}

interface Row {
  readonly taskId: string
  readonly taskName: string
  readonly taskType: string
  readonly appName: string | null
  readonly node: string | null
  readonly executionId: string | null
  readonly outcome: ExecutionOutcome
  readonly triggeredAt: number | null
  readonly startedAt: number | null
  readonly stoppedAt: number
}

const SQL = {
  range: `SELECT task_id AS taskId, task_name AS taskName, task_type AS taskType, app_name AS appName, node,
    execution_id AS executionId, outcome, triggered_at AS triggeredAt, started_at AS startedAt, stopped_at AS stoppedAt
    FROM execution WHERE stopped_at >= ? AND stopped_at < ? ORDER BY stopped_at DESC LIMIT ?`,
  spans: `SELECT coalesce(started_at, stopped_at - run_ms) AS at, stopped_at AS stoppedAt FROM execution
    WHERE stopped_at >= ? AND stopped_at < ? ORDER BY stopped_at DESC LIMIT ?`,
  samples: `SELECT run_ms AS runMs, queue_ms AS queueMs, coalesce(triggered_at, started_at, stopped_at - run_ms) AS beganAt
    FROM execution WHERE task_id = ? AND stopped_at > ? AND outcome = 'success' ORDER BY stopped_at DESC LIMIT ?`,
  samplesOfType: `SELECT run_ms AS runMs, queue_ms AS queueMs, NULL AS beganAt FROM execution
    INDEXED BY execution_type WHERE outcome = 'success' AND stopped_at > ? AND task_type = ? ORDER BY stopped_at DESC LIMIT ?`,
  failingSince: `SELECT min(stopped_at) AS at FROM execution WHERE task_id = ? AND stopped_at > ?
    AND outcome IN ('failed', 'aborted')`,
  points: `SELECT execution_id AS executionId, stopped_at AS stoppedAt, outcome, run_ms AS runMs, queue_ms AS queueMs
    FROM execution WHERE task_id = ? AND stopped_at >= ? ORDER BY stopped_at DESC LIMIT ?`,
} as const

/** Executions that one timeline looks at. */
const MOST_ROWS = 200_000
/** Executions that ended after the range are looked at for so long, as they may have begun in it. */
const AFTER_MS = 86_400_000
const MOST_AFTER = 5000
/** Up to so many rows all of them are shown by default. */
const FEW_ROWS = 60
const SAMPLES_OF_TYPE = 200

/** Usual durations of tasks; those of a type are read once. */
function usualReader(db: Database, now: number, timezone: string) {
  const ofType = new Map<string, readonly Sample[]>()
  const { at } = createOffsets(timezone)
  const wall = (instant: number) => instant + at(instant)
  const others = (type: string): readonly Sample[] => {
    const known = ofType.get(type) ?? db.all<Sample>(SQL.samplesOfType, now - SAMPLE_MS, type, SAMPLES_OF_TYPE)
    ofType.set(type, known)
    return known
  }
  /** `plannedAt`: only executions of about that time of day, where there are enough. */
  return (taskId: string, type: string | null, plannedAt: number | null = null): Usual =>
    usualOf({
      own: db.all<Sample>(SQL.samples, taskId, now - SAMPLE_MS, SAMPLE_RUNS),
      others: () => (type === null ? [] : others(type)),
      plannedWall: plannedAt === null ? null : wall(plannedAt),
      wall,
    })
}

export function timelineOf(db: Database, query: TimelineQuery): TimelineAnswer {
  const { from, to, now } = query
  const inRange = db.all<Row>(SQL.range, from, to, MOST_ROWS + 1)
  const partial = inRange.length > MOST_ROWS
  if (partial) inRange.pop()
  const after = to >= now ? [] : db.all<Row>(SQL.range, to, to + AFTER_MS, MOST_AFTER)
  const begun = after.filter((row) => (row.triggeredAt ?? row.startedAt ?? row.stoppedAt) < to)
  const states = new Map(taskStates(db).map((state) => [state.taskId, state]))
  const byTask = Map.groupBy([...inRange, ...begun], ({ taskId }) => taskId)
  const runningOf = Map.groupBy(to >= now ? query.running : [], ({ taskId }) => taskId)
  const missingOf = missingByTask(query, byTask, runningOf)
  const isNamed = query.name === null ? () => true : globMatcher(query.name)
  const ids = [...new Set([...byTask.keys(), ...runningOf.keys(), ...missingOf.keys(), ...Object.keys(query.coming)])]
  const usual = usualReader(db, now, query.timezone)

  const all = ids.flatMap((taskId) => {
    const rows = byTask.get(taskId) ?? []
    const state = states.get(taskId)
    const live = runningOf.get(taskId) ?? []
    const taskName = live[0]?.taskName ?? rows[0]?.taskName ?? state?.taskName ?? query.names[taskId] ?? taskId
    if (!isNamed(taskName)) return []
    const taskType = live[0]?.taskType ?? rows[0]?.taskType ?? null
    const running = live.map((one) => {
      const usualNow = usual(taskId, taskType, one.since)
      const { executionId, state, since: startedAt } = one
      const bar = { kind: 'running' as const, executionId, state, startedAt, ...liveEta(one, usualNow, now) }
      return { bar, isOver: bar.over && usualNow.basis === 'history' }
    })
    const missing = missingOf.get(taskId) ?? []
    const isFailing = isBad(state?.lastOutcome)
    const problem =
      isFailing ||
      missing.length > 0 ||
      running.some(({ isOver }) => isOver) ||
      rows.some(({ outcome }) => isBad(outcome))
    return { taskId, taskName, taskType, rows, state, live, running, missing, isFailing, problem }
  })

  const onlyProblems = query.only === 'problems' || (query.only === 'auto' && all.length > FEW_ROWS)
  const wanted = onlyProblems ? all.filter(({ problem }) => problem) : all
  // The samples of a task are the dearest part, so they are read for rows that are shown.
  const shown = wanted.map((one) => ({ ...one, own: usual(one.taskId, one.taskType) }))
  const fitted = fitBars(
    shown.map(({ taskId, rows, missing, running, problem, own }) => ({
      executions: rows.map(barOf).sort((a, b) => beginOf(a) - beginOf(b)),
      missing,
      running: running.map(({ bar }) => bar),
      forecast: (query.coming[taskId] ?? []).map(({ at, trigger }) => ({
        kind: 'forecast' as const,
        plannedAt: at,
        expectedEnd: plannedEnd(own, at).expectedEnd,
        trigger,
      })),
      problem,
    })),
    to - from,
    query.maxShapes,
  )
  const rows = shown.flatMap(({ taskId, taskName, taskType, rows, state, live, isFailing, problem, own }, n) =>
    fitted[n]
      ? {
          taskId,
          taskName,
          taskType,
          appName: rows[0]?.appName ?? null,
          node: rows[0]?.node ?? null,
          state: live[0]?.state ?? state?.lastOutcome ?? null,
          failingSince: state && isFailing ? failingSince(db, state) : null,
          runs: rows.length,
          problem,
          usualMs: own.usualMs,
          bars: fitted[n],
        }
      : [],
  )
  const neverStarted = [...missingOf.values()].reduce((sum, bars) => sum + bars.length, 0)
  return {
    summary: { ...summaryOf(inRange, states), neverStarted },
    rows,
    rowsLeftOut: all.length - rows.length,
    partial,
  }
}

const isBad = (outcome: string | undefined): boolean => outcome === 'failed' || outcome === 'aborted'

/** A queued execution has its usual wait and run before it. */
export function liveEta({ state, since }: Pick<RunningTask, 'state' | 'since'>, usual: Usual, now: number): Eta {
  if (state === 'running') return etaOf(usual, since, now)
  const begin = Math.max(now, since + usual.waitP50Ms)
  return {
    expectedEnd: begin + usual.p50Ms,
    pessimisticEnd: Math.max(begin, since + usual.waitP90Ms) + usual.p90Ms,
    over: false,
    overByMs: 0,
  }
}

const barOf = ({ executionId, outcome, triggeredAt, startedAt, stoppedAt }: Row): ExecutionBar => ({
  kind: 'execution',
  executionId,
  outcome,
  triggeredAt,
  startedAt,
  stoppedAt,
})

/** By the end of the executions. */
function summaryOf(rows: readonly Row[], states: ReadonlyMap<string, TaskState>) {
  const count = (outcome: ExecutionOutcome) => rows.filter((row) => row.outcome === outcome).length
  const bad = rows.filter(({ outcome }) => isBad(outcome))
  const isRecovered = ({ taskId, stoppedAt }: Row) => (states.get(taskId)?.lastSuccessAt ?? 0) > stoppedAt
  const failing = bad.filter((row) => !isRecovered(row))
  return {
    runs: rows.length,
    success: count('success'),
    failed: count('failed'),
    aborted: count('aborted'),
    recovered: bad.length - failing.length,
    stillFailing: new Set(failing.map(({ taskId }) => taskId)).size,
  }
}

/** The end of the first failure since the last success. */
export function failingSince(db: Database, { taskId, lastSuccessAt, lastStoppedAt }: TaskState): number {
  const first = db.get<{ at: number | null }>(SQL.failingSince, taskId, lastSuccessAt ?? Number.MIN_SAFE_INTEGER)
  return first?.at ?? lastStoppedAt
}

function missingByTask(
  query: TimelineQuery,
  byTask: ReadonlyMap<string, readonly Row[]>,
  runningOf: ReadonlyMap<string, readonly RunningTask[]>,
): Map<string, MissingBar[]> {
  const [knownFrom, knownTo] = query.known
  const planned = new Map(Object.entries(query.planned).map(([taskId, list]) => [taskId, [...list]]))
  const ends = [...byTask.values()]
    .flat()
    .map(({ taskId, outcome, stoppedAt }) => ({ taskId, outcome, at: stoppedAt }))
    .sort((a, b) => a.at - b.at)
  for (const gate of query.gates) {
    const fired = firingsOf(gate, ends).filter((at) => at >= knownFrom && at < knownTo)
    const list = planned.get(gate.taskId) ?? []
    list.push(...fired.map((at) => ({ at, trigger: gate.name })))
    planned.set(gate.taskId, list)
  }
  const found = new Map<string, MissingBar[]>()
  for (const [taskId, list] of planned) {
    if (list.length === 0) continue
    const spans: Span[] = [
      ...(byTask.get(taskId) ?? []).map((row) => ({ triggeredAt: beginOf(barOf(row)), stoppedAt: row.stoppedAt })),
      ...(runningOf.get(taskId) ?? []).map(({ since }) => ({ triggeredAt: since, stoppedAt: null })),
    ].sort((a, b) => a.triggeredAt - b.triggeredAt)
    const sorted = list.sort((a, b) => a.at - b.at)
    const missing = missingStarts(sorted, spans, query.limits[taskId] ?? query.limitMs)
    if (missing.length > 0) {
      found.set(
        taskId,
        missing.map(({ at, trigger }) => ({ kind: 'missing', dueAt: at, trigger })),
      )
    }
  }
  return found
}

// One task, and short facts of many.

interface UsualQuery {
  readonly kind: 'usual'
  readonly tasks: readonly {
    readonly taskId: string
    readonly taskType: string | null
    readonly plannedAt: number | null
  }[]
  readonly now: number
  readonly timezone: string
}

/** In the order of the tasks. */
interface UsualAnswer {
  readonly usual: readonly Usual[]
}

export function usualOfTasks(db: Database, { tasks, now, timezone }: UsualQuery): UsualAnswer {
  const read = usualReader(db, now, timezone)
  return { usual: tasks.map(({ taskId, taskType, plannedAt }) => read(taskId, taskType, plannedAt)) }
}

interface ConcurrencyQuery {
  readonly kind: 'concurrency'
  readonly from: number
  readonly to: number
}

/** Executions that are counted. */
const MOST_SPANS = 50_000

/** The most executions that ran at once. */
export function concurrencyOf(db: Database, { from, to }: ConcurrencyQuery): { readonly highest: number } {
  const rows = db.all<{ at: number | null; stoppedAt: number }>(SQL.spans, from, to, MOST_SPANS)
  const spans = rows.filter((row): row is { at: number; stoppedAt: number } => row.at !== null)
  const begins = spans.map(({ at }) => at).sort((a, b) => a - b)
  const ends = spans.map(({ stoppedAt }) => stoppedAt).sort((a, b) => a - b)
  let highest = 0
  let ended = 0
  for (const [begun, at] of begins.entries()) {
    while (ends[ended]! <= at) ended += 1
    highest = Math.max(highest, begun + 1 - ended)
  }
  return { highest }
}

interface StripsQuery {
  readonly kind: 'strips'
  readonly taskIds: readonly string[]
  readonly n: number
}

export interface Point {
  readonly executionId: string | null
  readonly stoppedAt: number
  readonly outcome: ExecutionOutcome
  readonly runMs: number | null
  readonly queueMs: number | null
}

/** Newest last. */
interface StripsAnswer {
  readonly strips: Readonly<Record<string, readonly Point[]>>
}

export function stripsOf(db: Database, { taskIds, n }: StripsQuery): StripsAnswer {
  const strip = (taskId: string) => db.all<Point>(SQL.points, taskId, 0, n).reverse()
  return { strips: Object.fromEntries(taskIds.map((taskId) => [taskId, strip(taskId)])) }
}

interface DurationsQuery {
  readonly kind: 'durations'
  readonly taskId: string
  readonly from: number
  readonly timezone: string
}

interface DurationsAnswer {
  /** Newest first. */
  readonly points: readonly Point[]
  /** For each day with executions, oldest first, the percentiles of the 30 successful ones before it. */
  readonly band: readonly { readonly day: string; readonly p50Ms: number; readonly p95Ms: number }[]
  readonly truncated: boolean
}

const MOST_POINTS = 5000

export function durationsOf(db: Database, { taskId, from, timezone }: DurationsQuery): DurationsAnswer {
  const found = db.all<Point>(SQL.points, taskId, from, MOST_POINTS + 1)
  const truncated = found.length > MOST_POINTS
  const points = found.slice(0, MOST_POINTS)
  const oldest = points.at(-1)?.stoppedAt ?? from
  const before = db.all<Point>(
    `SELECT stopped_at AS stoppedAt, outcome, run_ms AS runMs FROM execution WHERE task_id = ? AND stopped_at < ?
       AND outcome = 'success' ORDER BY stopped_at DESC LIMIT ${SAMPLE_RUNS}`,
    taskId,
    oldest,
  )
  const offsets = createOffsets(timezone)
  const dayOf = ({ stoppedAt }: Point) => new Date(stoppedAt + offsets.at(stoppedAt)).toISOString().slice(0, 10)
  const runs = before.reverse().flatMap(({ runMs }) => runMs ?? [])
  const band: DurationsAnswer['band'][number][] = []
  for (const [day, ofDay] of Map.groupBy(points.toReversed(), dayOf)) {
    const sample = runs.slice(-SAMPLE_RUNS).map((runMs) => ({ runMs, queueMs: null, beganAt: null }))
    if (sample.length > 0) {
      const { p50Ms, p95Ms } = usualOf({ own: sample, others: () => [] })
      band.push({ day, p50Ms, p95Ms })
    }
    runs.push(...ofDay.flatMap(({ outcome, runMs }) => (outcome === 'success' ? (runMs ?? []) : [])))
  }
  return { points, band, truncated }
}

interface SlowerQuery {
  readonly kind: 'slower'
  readonly factor: number
  readonly now: number
}

/** Tasks whose last execution took longer than so many times the usual. */
interface SlowerAnswer {
  readonly taskIds: readonly string[]
}

export function slowerTasks(db: Database, { factor, now }: SlowerQuery): SlowerAnswer {
  const read = usualReader(db, now, 'UTC')
  const slow = taskStates(db).filter(({ taskId, lastRunMs }) => {
    if (lastRunMs === null) return false
    const usual = read(taskId, null)
    return usual.basis === 'history' && usual.usualMs !== null && lastRunMs > factor * usual.usualMs
  })
  return { taskIds: slow.map(({ taskId }) => taskId) }
}
