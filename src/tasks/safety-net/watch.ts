/**
 * The watchdog's conclusions from a look at the tasks of the site: which are beyond a limit, and which findings are over.
 * Reads no clock and does nothing; `watchdog.ts` asks Qlik Sense and the tables, and carries out the effects.
 */
import type { QrsTask } from '../../qlik/qrs/types.ts'
import type { WatchName, WatchPolicy } from './config-policies.ts'
import { queueLimit, type Run, runLimit } from './policies.ts'
import { instant, type LiveTask } from './site.ts'
import type { Finding } from './store.ts'

export interface State {
  /** Time of the last look that was carried to its end; null = there was none. */
  readonly lookedAt: number | null
  /** Starts in the past were shown that were not planned; each time they appear that is logged once. */
  readonly hasUnlikelyDues: boolean
  /** Since when the results that are not over have been in their state, on the clock of this computer. */
  readonly firstSeen: ReadonlyMap<string, { readonly state: string; readonly since: number }>
}

/** The tasks of the site at an instant, in milliseconds since 1970. */
export interface Look {
  readonly now: number
  readonly tasks: readonly LiveTask[]
}

export interface Due {
  readonly taskId: string
  readonly dueAt: number
}

/** Where an execution, or a start that is due, has gone beyond its limit. */
export interface Breach {
  /** Result of the execution that goes on; null for a start that is due. */
  readonly resultId: string | null
  readonly outcome: WatchName
  readonly task: QrsTask
  readonly node: string
  readonly elapsedMs: number
  readonly limitMs: number
  readonly usualMs: number | null
  readonly dueAt: number | null
}

/** Records and settings, as they are when asked. */
export interface Facts {
  isDue(taskId: string, dueAt: number): boolean
  /** Whether an execution of the task went on at that time or later. */
  ranSince(taskId: string, at: number): boolean
  isReported(finding: Pick<Finding, 'subject' | 'outcome'>): boolean
  policyOf(task: QrsTask): WatchPolicy
  /** The last successful executions of the task, newest first. */
  successes(taskId: string, now: number): readonly Run[]
  /** True while maintenance covers the task. */
  isQuiet(task: QrsTask, outcome: WatchName, at: number): boolean
  /** Attempts of one execution are one subject. */
  executionOf(resultId: string): string
}

export interface Rules {
  readonly lateAfter: number
  readonly stuckFactor: number
  readonly neverStartedAfter: number
  readonly minRuns: number
}

export type Effect =
  | ({ readonly do: 'note due' | 'forget due' } & Due)
  /** So many starts in the past, or breaches of more than a day, show a wrong clock; `name` and `since` of one of them. */
  | {
      readonly do: 'warn'
      readonly of: 'dues' | 'ages'
      readonly count: number
      readonly name: string
      readonly since: number
    }
  | { readonly do: 'report'; readonly breach: Breach; readonly finding: Finding }
  /** Recorded as dealt with, so that neither this nor the end of it makes an alert. */
  | { readonly do: 'dismiss'; readonly finding: Finding }
  | { readonly do: 'close'; readonly finding: Finding }
  /** It is closed with an event. */
  | { readonly do: 'recover'; readonly finding: Finding; readonly live: LiveTask }

const MINUTE_MS = 60_000
/** A start may be so much earlier than its schedule says, as clocks differ. */
const EARLY_MS = MINUTE_MS
/** So much older than the look before, something that is seen for the first time has a wrong time. */
const SLACK_MS = 5 * MINUTE_MS
/** More than a few finds that are so old come from a wrong clock or a restored database, and are not alerted. */
const ANCIENT_MS = 86_400_000
const FEW = 3

export const initial: State = { lookedAt: null, hasUnlikelyDues: false, firstSeen: new Map() }

/** The starts that are planned. */
export function seeDues(state: State, { tasks }: Look, facts: Facts): { state: State; effects: readonly Effect[] } {
  const planned = tasks.flatMap(({ task, dueAt }) => (dueAt === null ? [] : { task, dueAt }))
  const isLikely = ({ task, dueAt }: (typeof planned)[number]) =>
    !isUnlikely(state, dueAt) || facts.isDue(task.id, dueAt)
  const unlikely = planned.filter((one) => !isLikely(one) && !isDealtWith(one.task, one.dueAt, facts))
  const effects: Effect[] = planned
    .filter(isLikely)
    .map(({ task, dueAt }) => ({ do: 'note due', taskId: task.id, dueAt }))
  const [first] = unlikely
  if (first && !state.hasUnlikelyDues) {
    effects.push({ do: 'warn', of: 'dues', count: unlikely.length, name: first.task.name, since: first.dueAt })
  }
  return { state: { ...state, hasUnlikelyDues: first !== undefined }, effects }
}

const isDealtWith = (task: QrsTask, dueAt: number, facts: Facts): boolean =>
  hasRun(task, dueAt) ||
  facts.isReported({ subject: `${task.id}|${dueAt}`, outcome: 'neverStarted' }) ||
  facts.ranSince(task.id, dueAt - EARLY_MS)

/** A state that the look before did not find cannot be older than that look, even when the clock of Qlik Sense is wrong. */
const isUnlikely = ({ lookedAt }: State, at: number): boolean => lookedAt !== null && at < lookedAt - SLACK_MS

function hasRun({ operational }: QrsTask, dueAt: number): boolean {
  const last = operational?.lastExecutionResult
  return [last?.startTime, last?.stopTime].some((time) => (instant(time) ?? 0) >= dueAt - EARLY_MS)
}

/** The executions that wait or run for too long. */
export function seeExecutions(
  state: State,
  { now, tasks }: Look,
  facts: Facts,
  rules: Rules,
): { state: State; breaches: readonly Breach[] } {
  const firstSeen = new Map<string, { readonly state: string; readonly since: number }>()
  const breaches: Breach[] = []
  for (const live of tasks) {
    const { resultId, firstResultId, task } = live
    if (live.state === 'idle' || resultId === null) continue
    // A further attempt goes on with the run, and waits anew.
    const first = firstResultId ?? resultId
    const before = state.firstSeen.get(first)
    if (before) firstSeen.set(first, before)
    const subject = live.state === 'running' ? first : resultId
    const since = sinceOf(state, live, subject, now)
    firstSeen.set(subject, { state: live.state, since })
    const breach = task.enabled ? breachOf(live, resultId, since, { now, facts, rules }) : null
    if (breach && !isQuiet(breach, now, facts)) breaches.push(breach)
  }
  return { state: { ...state, firstSeen }, breaches }
}

function sinceOf(state: State, live: LiveTask, subject: string, now: number): number {
  const { since } = live
  const seen = state.firstSeen.get(subject)
  if (seen?.state === live.state) return seen.since
  return since === null || since > now || isUnlikely(state, since) ? now : since
}

interface At {
  readonly now: number
  readonly facts: Facts
  readonly rules: Rules
}

function breachOf({ task, state, node }: LiveTask, resultId: string, since: number, at: At): Breach | null {
  const { now, facts, rules } = at
  const outcome = state === 'queued' ? 'late' : 'stuck'
  const fixed = facts.policyOf(task)[outcome]
  if (fixed === 'off') return null
  const runs = facts.successes(task.id, now)
  const learnt = outcome === 'late' ? queueLimit(runs, rules) : runLimit(runs, rules)
  const limitMs = fixed ?? learnt?.limitMs
  const elapsedMs = now - since
  if (limitMs === undefined || elapsedMs <= limitMs) return null
  return { outcome, task, node, elapsedMs, limitMs, usualMs: learnt?.usualMs ?? null, dueAt: null, resultId }
}

const isQuiet = ({ task, outcome, dueAt }: Breach, now: number, facts: Facts): boolean =>
  facts.isQuiet(task, outcome, now) || (dueAt !== null && facts.isQuiet(task, outcome, dueAt))

/** A start that is due is judged so long afterwards. */
export const JUDGED_AFTER_MS = MINUTE_MS

/** The starts without an execution; the others are forgotten. */
export function openDues(
  dues: readonly Due[],
  tasks: readonly LiveTask[],
  facts: Facts,
): { open: readonly Due[]; effects: readonly Effect[] } {
  const going = new Set(tasks.flatMap(({ task, state }) => (state === 'idle' ? [] : [task.id])))
  const isOpen = ({ taskId, dueAt }: Due) => !going.has(taskId) && !facts.ranSince(taskId, dueAt - EARLY_MS)
  const { open = [], done = [] } = Object.groupBy(dues, (due) => (isOpen(due) ? 'open' : 'done'))
  return { open, effects: done.map((due) => ({ do: 'forget due', ...due })) }
}

/** The starts that did not come in time. `taskOf` gives undefined for a task that was deleted. */
export function judgeDues(
  open: readonly Due[],
  taskOf: (id: string) => QrsTask | undefined,
  at: At,
): { breaches: readonly Breach[]; effects: readonly Effect[] } {
  const judged = open.map((due) => ({ due, ...judgeDue(due, taskOf(due.taskId), at) }))
  return {
    breaches: judged.flatMap(({ breach }) => breach ?? []),
    effects: judged.flatMap(({ due, isOver }) => (isOver ? { do: 'forget due', ...due } : [])),
  }
}

function judgeDue({ dueAt }: Due, task: QrsTask | undefined, at: At): { isOver: boolean; breach?: Breach } {
  const { now, facts, rules } = at
  if (!task?.enabled || hasRun(task, dueAt)) return { isOver: true }
  const limitMs = facts.policyOf(task).neverStarted ?? rules.neverStartedAfter
  if (limitMs === 'off') return { isOver: true }
  const elapsedMs = now - dueAt
  if (elapsedMs <= limitMs) return { isOver: false }
  const common = { task, node: '', usualMs: null, dueAt, resultId: null } as const
  const breach: Breach = { ...common, outcome: 'neverStarted', elapsedMs, limitMs }
  return isQuiet(breach, now, facts) ? { isOver: true } : { isOver: true, breach }
}

/** Each breach is reported once. */
export function reports(breaches: readonly Breach[], now: number, facts: Facts): readonly Effect[] {
  const news = breaches
    .map((breach) => ({ breach, finding: findingOf(breach, facts) }))
    .filter(({ finding }) => !facts.isReported(finding))
  const ancient = news.filter(({ breach }) => breach.elapsedMs > ANCIENT_MS)
  if (ancient.length <= FEW) return news.map((one) => ({ do: 'report', ...one }))
  const oldest = ancient.reduce((one, other) => (other.breach.elapsedMs > one.breach.elapsedMs ? other : one))
  const { task, elapsedMs } = oldest.breach
  return [
    ...ancient.map(({ finding }) => ({ do: 'dismiss', finding }) as const),
    { do: 'warn', of: 'ages', count: ancient.length, name: task.name, since: now - elapsedMs },
    ...news.filter((one) => !ancient.includes(one)).map((one) => ({ do: 'report', ...one }) as const),
  ]
}

const findingOf = ({ outcome, task, resultId, dueAt }: Breach, facts: Facts): Finding => ({
  subject: resultId === null ? `${task.id}|${dueAt}` : facts.executionOf(resultId),
  outcome,
  taskId: task.id,
})

/** Findings that are over: a late task that runs now has recovered; every other end has its own event. */
export function ends(findings: readonly Finding[], tasks: readonly LiveTask[], facts: Facts): readonly Effect[] {
  const going = new Map(tasks.filter(({ state }) => state !== 'idle').map((live) => [live.task.id, live]))
  return findings.flatMap((finding) => endOf(finding, going.get(finding.taskId), facts) ?? [])
}

function endOf(finding: Finding, live: LiveTask | undefined, facts: Facts): Effect | null {
  const { outcome, subject, taskId } = finding
  if (!live) {
    // A start that never came may still come.
    const mayCome = outcome === 'neverStarted' && !facts.ranSince(taskId, Number(subject.split('|')[1] ?? 0))
    return mayCome ? null : { do: 'close', finding }
  }
  const { resultId, state } = live
  const isSame = outcome === 'neverStarted' || (resultId !== null && facts.executionOf(resultId) === subject)
  if (!isSame) return { do: 'close', finding }
  return state === 'queued' || outcome === 'stuck' ? null : { do: 'recover', finding, live }
}
