/** Planned starts of Qlik Sense and Footman for the query of a timeline, and the groups of its answer. */
import type { TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { QrsCompositeEvent } from '../../qlik/qrs/triggers.ts'
import { TASK_TYPES } from '../executions/kinds.ts'
import { eventAbout } from '../safety-net/events.ts'
import { isReported, RECONCILED, readMark } from '../safety-net/store.ts'
import type { Run, Schedule } from '../schedule/types.ts'
import type { Planned } from './due.ts'
import type { FoundRow, TimelineAnswer, TimelineQuery } from './queries.ts'
import { isSelected, qrsTaskOf, type Site, type SitePolicies, type SiteTask, type Triggers } from './site.ts'
import { instantsOf } from './triggers.ts'

/** Milliseconds since 1970. */
interface Band {
  readonly name: string
  readonly from: number
  readonly to: number
}

export interface TimelineDeps {
  readonly db: Database
  readonly site: Site
  readonly policies: SitePolicies
  readonly schedules: {
    list(): readonly Schedule[]
    runsBetween(from: number, to: number): readonly Run[]
  }
  readonly maintenance: {
    nameFor(event: TaskEvent, at: number): string | null
    bands(from: number, to: number): readonly Band[]
  }
}

export interface PlanSettings {
  readonly neverStartedAfter: number
  /** IANA name of the site's clock. */
  readonly timezone: string
}

interface Range {
  readonly from: number
  readonly to: number
  readonly now: number
}

/** Planned starts of one schedule that are looked at. */
const MOST_FIRINGS = 300
/** A planned start that is older says nothing about today. */
const PLANNED_MS = 86_400_000

type PlannedPart = Pick<TimelineQuery, 'planned' | 'gates' | 'known' | 'limits' | 'limitMs' | 'coming' | 'names'>

/** Resolves with all that is known; without an answer of QRS it holds Footman's schedules only. */
export async function plannedStarts(
  deps: TimelineDeps,
  settings: PlanSettings,
  { from, to, now }: Range,
  until: number,
): Promise<PlannedPart & { readonly tasks: ReadonlyMap<string, SiteTask>; readonly stale: boolean }> {
  const [known, found] = await Promise.all([deps.site.tasks(), deps.site.triggers()])
  const tasks: ReadonlyMap<string, SiteTask> = known.value ?? new Map()
  const triggers: Triggers = found.value ?? { times: [], gates: [], after: new Map() }
  const span = knownSpan(deps.db, { from, to, now })
  const limits: Record<string, number> = {}
  const watched = new Map<string, SiteTask>()
  for (const task of tasks.values()) {
    const limit = deps.policies.watchOf(task).value.neverStarted
    if (limit !== 'off' && task.enabled) watched.set(task.id, task)
    if (typeof limit === 'number') limits[task.id] = limit
  }
  const isQuiet = quietTest(deps, span)
  const past = pastStarts(deps, triggers, [span[0], Math.min(to, now)])
  const planned: Record<string, Planned[]> = {}
  for (const [taskId, list] of past) {
    const task = watched.get(taskId)
    if (!task) continue
    const limit = limits[taskId] ?? settings.neverStartedAfter
    // The watchdog looks sooner than the reconciler, which waits until Qlik Sense has stored every end.
    const isKnown = (at: number) =>
      at < span[1] - limit || isReported(deps.db, { subject: `${taskId}|${at}`, outcome: 'neverStarted' })
    planned[taskId] = list.filter(({ at }) => isKnown(at) && !isQuiet(task, at)).sort((a, b) => a.at - b.at)
  }
  const coming = to < now ? new Map<string, Planned[]>() : comingStarts(deps, triggers, tasks, now, until)
  const named = [...past.keys(), ...coming.keys()].flatMap((id) => {
    const task = tasks.get(id)
    return task ? [[id, task.name] as const] : []
  })
  return {
    planned,
    gates: triggers.gates.filter((gate) => isWatchedGate(gate, watched)),
    known: [span[0], span[1] - settings.neverStartedAfter],
    limits,
    limitMs: settings.neverStartedAfter,
    coming: Object.fromEntries(coming),
    names: Object.fromEntries(named),
    tasks,
    stale: known.stale || found.stale,
  }
}

const isWatchedGate = (gate: QrsCompositeEvent, watched: ReadonlyMap<string, SiteTask>): boolean =>
  gate.enabled && watched.has(gate.taskId) && gate.rules.every((rule) => rule.taskId !== '')

/** Only where the reconciler has looked is it known that an execution is missing. */
function knownSpan(db: Database, { from, to, now }: Range): readonly [from: number, to: number] {
  const since = readMark(db, RECONCILED.since)
  if (since === null) return [to, to]
  const looked = readMark(db, RECONCILED.until) ?? since
  return [Math.max(from, since), Math.min(to, looked, now)]
}

function pastStarts(
  { site, schedules }: TimelineDeps,
  { times }: Triggers,
  [from, to]: readonly [from: number, to: number],
): Map<string, Planned[]> {
  const found = new Map<string, Planned[]>()
  if (from >= to) return found
  const add = (taskId: string, ...starts: readonly Planned[]) => {
    found.set(taskId, [...(found.get(taskId) ?? []), ...starts])
  }
  for (const event of times) {
    // Before the trigger was changed it may have had other times.
    const begin = Math.max(from, event.modifiedAt ?? from)
    const instants = instantsOf(event, site.offsets(event.timezone), begin, to)
    if (instants.length > 0) add(event.taskId, ...instants.map((at) => ({ at, trigger: event.name })))
  }
  const names = new Map(schedules.list().map((schedule) => [schedule.id, nameOf(schedule)]))
  for (const { scheduleId, dueAt, trigger, tasks } of schedules.runsBetween(from, to)) {
    if (trigger === 'manual') continue
    for (const { taskId, error } of tasks) {
      if (error === undefined) add(taskId.toLowerCase(), { at: dueAt, trigger: names.get(scheduleId) ?? scheduleId })
    }
  }
  return found
}

function comingStarts(
  { site, schedules }: TimelineDeps,
  { times }: Triggers,
  tasks: ReadonlyMap<string, SiteTask>,
  now: number,
  until: number,
): Map<string, Planned[]> {
  const found = new Map<string, Planned[]>()
  const add = (taskId: string, starts: readonly Planned[]) => {
    if (starts.length > 0)
      found.set(
        taskId,
        [...(found.get(taskId) ?? []), ...starts].sort((a, b) => a.at - b.at),
      )
  }
  for (const event of times) {
    if (tasks.get(event.taskId)?.enabled === false) continue
    const instants = instantsOf(event, site.offsets(event.timezone), now, until).slice(0, MOST_FIRINGS)
    add(
      event.taskId,
      instants.map((at) => ({ at, trigger: event.name })),
    )
  }
  for (const schedule of schedules.list()) {
    const firings = firingsOf(schedule, now, until)
    if (firings.length === 0 || !schedule.plan) continue
    const trigger = nameOf(schedule)
    for (const taskId of tasksOf(schedule, tasks)) {
      add(
        taskId,
        firings.map((at) => ({ at, trigger })),
      )
    }
  }
  return found
}

export const nameOf = ({ id, values }: Schedule): string => (typeof values.name === 'string' ? values.name : id)

/** Ids of the tasks that a schedule starts, as far as they are known. */
export function tasksOf({ plan }: Schedule, tasks: ReadonlyMap<string, SiteTask>): string[] {
  if (plan?.action.type !== 'startTask') return []
  const { taskIds, tags, customProperties, taskNames = [] } = plan.selection
  const isPlain = tags.length + customProperties.length + taskNames.length === 0
  if (isPlain) return taskIds.map((id) => id.toLowerCase())
  return [...tasks.values()].filter((task) => task.enabled && isSelected(task, plan.selection)).map(({ id }) => id)
}

/** The firings of a schedule in (after, until] that are not excluded. */
function firingsOf({ plan, running }: Schedule, after: number, until: number): number[] {
  if (!plan || !running) return []
  const found: number[] = []
  let at = plan.next(after)
  for (let tries = 0; at !== null && at <= until && tries < MOST_FIRINGS; tries += 1) {
    if (plan.excluded(at) === null) found.push(at)
    at = plan.next(at)
  }
  return found
}

/** Whether maintenance covers a planned start of the task. */
function quietTest({ maintenance }: TimelineDeps, [from, to]: readonly [from: number, to: number]) {
  const bands = from < to ? maintenance.bands(from, to) : []
  return (task: SiteTask, at: number): boolean => {
    if (!bands.some((band) => at >= band.from && at < band.to)) return false
    const type = TASK_TYPES.find((one) => one === task.type) ?? 'reload'
    const event = eventAbout(
      { type, outcome: 'neverStarted', taskId: task.id, taskName: task.name, task: qrsTaskOf(task) },
      at,
    )
    return maintenance.nameFor(event, at) !== null
  }
}

/** The last planned start within a day: of the task, or else of the tasks that it follows. */
export function lastPlanned(
  site: Pick<Site, 'offsets'>,
  { times, gates }: Triggers,
  taskId: string,
  now: number,
): number | null {
  const seen = new Set<string>()
  const latest = (id: string): number | null => {
    if (seen.has(id)) return null
    seen.add(id)
    const own = times
      .filter((event) => event.taskId === id)
      .flatMap((event) => instantsOf(event, site.offsets(event.timezone), now - PLANNED_MS, now).at(-1) ?? [])
    if (own.length > 0) return Math.max(...own)
    const before = gates
      .filter((gate) => gate.enabled && gate.taskId === id)
      .flatMap((gate) => gate.rules.flatMap((rule) => latest(rule.taskId) ?? []))
    return before.length > 0 ? Math.max(...before) : null
  }
  return latest(taskId)
}

// Groups.

/** `tag:<prefix>` and `property:<name>` beside the words. */
export const GROUPING = /^(?:stream|task|app|node|type|tag:.*|property:.+)$/

export interface Group {
  /** Null = the tasks that have none. */
  readonly key: string | null
  /** Rows with a problem. */
  readonly problems: number
  readonly rows: readonly FoundRow[]
}

/** Groups and rows with problems first, then by name. */
export function groupsOf(
  { rows }: Pick<TimelineAnswer, 'rows'>,
  tasks: ReadonlyMap<string, SiteTask>,
  grouping: string,
): Group[] {
  const keyOf = keyBy(grouping)
  const groups = Map.groupBy(rows, (row) => keyOf(row, tasks.get(row.taskId)))
  const byName = new Intl.Collator('en').compare
  return [...groups]
    .map(([key, members]) => ({
      key,
      problems: members.filter(({ problem }) => problem).length,
      rows: members.toSorted((a, b) => Number(b.problem) - Number(a.problem) || byName(a.taskName, b.taskName)),
    }))
    .sort(
      (a, b) =>
        Number(b.problems > 0) - Number(a.problems > 0) ||
        Number(a.key === null) - Number(b.key === null) ||
        byName(a.key ?? '', b.key ?? ''),
    )
}

function keyBy(grouping: string): (row: FoundRow, task: SiteTask | undefined) => string | null {
  const [kind = '', argument = ''] = [grouping.split(':')[0], grouping.slice(grouping.indexOf(':') + 1)]
  const keys: Readonly<Record<string, (row: FoundRow, task: SiteTask | undefined) => string | null | undefined>> = {
    stream: (_, task) => task?.stream,
    task: ({ taskName }) => taskName,
    app: ({ appName }, task) => task?.appName ?? appName,
    node: ({ node }) => node,
    type: ({ taskType }, task) => task?.type ?? taskType,
    tag: (_, task) => task?.tags.find((tag) => tag.startsWith(argument)),
    property: (_, task) => task?.customProperties.find(({ name }) => name === argument)?.value,
  }
  return (row, task) => keys[kind]?.(row, task) ?? null
}
