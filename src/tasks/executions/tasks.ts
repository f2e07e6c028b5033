/**
 * The tasks of the site, as a list that can be filtered. Of a large site only ids and names are read and kept, in pages, and
 * of the tasks themselves those that a page of the answer shows.
 */

import { globMatcher } from '../../platform/glob.ts'
import type { Clock } from '../../platform/types.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { and, compare as condition, customProperty, eq, or } from '../../qlik/qrs/filter.ts'
import {
  type ExecutionReader,
  NEVER,
  type QrsExecutionResult,
  type QrsTask,
  type QrsTaskKey,
  type SiteReader,
} from '../../qlik/qrs/types.ts'
import type { LastRun, TaskInfo } from './contract.ts'
import { TASK_TYPES } from './kinds.ts'
import {
  isoOf,
  lastResultOf,
  mayHaveAttempts,
  meaningOf,
  type Progress,
  progressOf,
  STATUSES,
  type StatusCache,
  taskTypeText,
} from './status.ts'

/** Null = any. A list = any of them. */
export interface TaskFilter {
  /** Lower case. */
  readonly taskId: readonly string[] | null
  readonly appId: readonly string[] | null
  /** Globs. */
  readonly name: readonly string[] | null
  readonly tag: readonly string[] | null
  readonly customProperty: readonly { readonly name: string; readonly value: string }[] | null
  readonly type: readonly string[] | null
  /** Outcomes of the last run. */
  readonly outcome: readonly string[] | null
  readonly state: readonly string[] | null
  /** Globs. */
  readonly app: readonly string[] | null
  readonly stream: readonly string[] | null
  readonly enabled: boolean | null
}

interface TaskPage {
  readonly tasks: readonly TaskInfo[]
  /** Name and id of the last task; null on the last page. */
  readonly next: readonly [name: string, id: string] | null
}

export interface TaskList {
  /** By name, then id; what follows `after`. Rejects with a `QrsError`. */
  page(filter: TaskFilter, after: readonly string[] | null, limit: number): Promise<TaskPage>
}

/** Answers of QRS are used for so long, */
const CACHE_MS = 10_000
/** and those that take long for so many times as long as they took. */
const CACHE_SHARE = 4
/** Sites with more tasks are read in pages. */
const SMALL_SITE = 500
/** Tasks of one request by ids, and requests at a time. */
const BATCH = 30
const REQUESTS = 4

type TaskSource = Pick<ExecutionReader, 'allTasks' | 'taskCount' | 'taskKeys'> & Pick<SiteReader, 'tasksById'>

interface TaskListDeps {
  readonly qrs: TaskSource
  readonly clock: Clock
  readonly describe: TaskDescriber
}

export function createTaskList({ qrs, clock, describe }: TaskListDeps): TaskList {
  let cached: { readonly at: number; readonly tasks: Promise<readonly QrsTask[]> } | null = null

  function allTasks(): Promise<readonly QrsTask[]> {
    const now = clock.now()
    if (cached && now - cached.at <= CACHE_MS) return cached.tasks
    const mine = { at: now, tasks: qrs.allTasks().then(sorted) }
    cached = mine
    mine.tasks.catch(() => {
      if (cached === mine) cached = null
    })
    return mine.tasks
  }

  /** Sorted. Only those of the last filter are kept: pages of one list are asked for one after the other. */
  let keys: { readonly of: string; until: number; readonly list: Promise<readonly QrsTaskKey[]> } | null = null

  function keysFor(filter: TaskFilter): Promise<readonly QrsTaskKey[]> {
    const prefilter = prefilterOf(filter)
    if (prefilter === NOTHING) return Promise.resolve([])
    const withApp = filter.app !== null || filter.stream !== null
    const of = JSON.stringify([prefilter, withApp])
    const now = clock.now()
    if (keys?.of === of && now <= keys.until) return keys.list
    const list = readKeys(prefilter, withApp)
    const mine = { of, until: Number.POSITIVE_INFINITY, list }
    keys = mine
    const ended = () => {
      mine.until = clock.now() + Math.max(CACHE_MS, (clock.now() - now) * CACHE_SHARE)
    }
    list.then(ended, () => {
      if (keys === mine) keys = null
    })
    return list
  }

  async function readKeys(prefilter: string | null, withApp: boolean): Promise<readonly QrsTaskKey[]> {
    const read = (filter: string | null, app: boolean) => qrs.taskKeys(filter, app)
    const list = await read(prefilter, withApp).catch((error: unknown) => {
      // A server that does not know one of the properties: all are looked at then.
      if (!(error instanceof QrsError) || error.status !== 400) throw error
      return read(null, false)
    })
    const { compare: byName } = new Intl.Collator('en')
    return [...list].sort((a, b) => byName(a.name, b.name) || (a.id < b.id ? -1 : 1))
  }

  async function pageOfLarge(filter: TaskFilter, after: readonly string[] | null, limit: number): Promise<TaskPage> {
    const matches = matcherOf(filter)
    const isCandidate = keyMatcherOf(filter)
    const all = await keysFor(filter)
    const found: { readonly key: QrsTaskKey; readonly task: QrsTask }[] = []
    let at = after === null ? 0 : firstAfter(all, after)
    while (at < all.length && found.length <= limit) {
      const wanted: QrsTaskKey[] = []
      const room = Math.min(BATCH * REQUESTS, Math.max(BATCH, limit + 1 - found.length))
      for (; at < all.length && wanted.length < room; at += 1) if (isCandidate(all[at]!)) wanted.push(all[at]!)
      const byId = await tasksOf(wanted)
      for (const key of wanted) {
        const task = byId.get(key.id)
        if (task && matches(taskInfo(task))) found.push({ key, task })
      }
    }
    const page = found.slice(0, limit)
    const last = page.at(-1)?.key
    return {
      tasks: await describe(page.map(({ task }) => task)),
      next: found.length > limit && last ? [last.name, last.id] : null,
    }
  }

  async function tasksOf(wanted: readonly QrsTaskKey[]): Promise<ReadonlyMap<string, QrsTask>> {
    const chunks = Array.from({ length: Math.ceil(wanted.length / BATCH) }, (_, n) =>
      wanted.slice(n * BATCH, (n + 1) * BATCH).map(({ id }) => id),
    )
    const tasks = await Promise.all(chunks.map((ids) => qrs.tasksById(ids)))
    return new Map(tasks.flat().map((task) => [task.id, task]))
  }

  let size: { readonly at: number; readonly count: Promise<number | null> } | null = null

  async function isLarge(): Promise<boolean> {
    if (!size || clock.now() - size.at > CACHE_MS) {
      const mine = { at: clock.now(), count: qrs.taskCount() }
      size = mine
      mine.count.catch(() => {
        if (size === mine) size = null
      })
    }
    return ((await size.count) ?? 0) > SMALL_SITE
  }

  return {
    async page(filter, after, limit) {
      if (await isLarge()) return pageOfLarge(filter, after, limit)
      const matches = matcherOf(filter)
      const found = (await allTasks()).filter(
        (task) => (after === null || compare([task.name, task.id], after) > 0) && matches(taskInfo(task)),
      )
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        tasks: await describe(page),
        next: found.length > limit && last ? [last.name, last.id] : null,
      }
    },
  }
}

/** A filter that no task of Qlik Sense matches. */
const NOTHING = Symbol('nothing')

/** A filter of QRS that lets through all tasks that match, and perhaps others; null when there is nothing to ask for. */
function prefilterOf(filter: TaskFilter): string | null | typeof NOTHING {
  const status = statusFilter(filter)
  if (status === NOTHING) return NOTHING
  const types = filter.type?.map((type) => (TASK_TYPES as readonly string[]).indexOf(type))
  const parts = [
    status,
    types && or(...types.map((type) => eq('taskType', type))),
    filter.enabled === null ? null : eq('enabled', filter.enabled),
    filter.tag && or(...filter.tag.map((tag) => eq('tags.name', tag))),
    filter.customProperty && or(...filter.customProperty.map(({ name, value }) => customProperty(name, value))),
  ].filter((part) => typeof part === 'string')
  return parts.length === 0 ? null : and(...parts)
}

/** Later servers may have more statuses, which count as running. */
function statusFilter({ state, outcome }: TaskFilter): string | null | typeof NOTHING {
  if (state === null && outcome === null) return null
  const isWanted = (status: number): boolean => {
    const meaning = meaningOf(status)
    if (status === 0 || (state && !state.includes(meaning.state))) return false
    return outcome === null || (meaning.outcome !== null && outcome.includes(meaning.outcome))
  }
  const path = 'operational.lastExecutionResult.status'
  if (isWanted(STATUSES.length)) {
    return and(...STATUSES.filter((status) => !isWanted(status)).map((status) => condition(path, 'ne', status)))
  }
  const wanted = STATUSES.filter(isWanted)
  return wanted.length === 0 ? NOTHING : or(...wanted.map((status) => eq(path, status)))
}

/** By what is known of a task without reading it. */
function keyMatcherOf(filter: TaskFilter): (key: QrsTaskKey) => boolean {
  const name = globs(filter.name)
  const app = globs(filter.app)
  const stream = globs(filter.stream)
  const hasId = idTest(filter.taskId)
  return (key) =>
    hasId(key.id) &&
    name(key.name) &&
    (key.app === undefined || app(key.app)) &&
    (key.stream === undefined || stream(key.stream))
}

/** Index of the first key behind the given name and id. */
function firstAfter(keys: readonly QrsTaskKey[], after: readonly string[]): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const { name, id } = keys[middle]!
    if (compare([name, id], after) > 0) high = middle
    else low = middle + 1
  }
  return low
}

export function matcherOf(filter: TaskFilter): (task: TaskInfo) => boolean {
  const name = globs(filter.name)
  const app = globs(filter.app)
  const stream = globs(filter.stream)
  const among = (wanted: readonly string[] | null, value: string | null | undefined) =>
    wanted === null || wanted.some((one) => one === value)
  const hasAppId = idTest(filter.appId)
  const hasId = idTest(filter.taskId)
  return (task) =>
    hasId(task.taskId) &&
    hasAppId(task.appId ?? '') &&
    name(task.taskName) &&
    app(task.appName) &&
    stream(task.stream) &&
    among(filter.type, task.taskType) &&
    among(filter.outcome, task.last?.outcome) &&
    among(filter.state, task.last?.state) &&
    (filter.enabled === null || filter.enabled === task.enabled) &&
    (filter.tag === null || filter.tag.some((tag) => task.tags.includes(tag))) &&
    (filter.customProperty === null ||
      filter.customProperty.some((one) =>
        task.customProperties.some((own) => own.name === one.name && own.value === one.value),
      ))
}

function idTest(wanted: readonly string[] | null): (id: string) => boolean {
  if (wanted === null) return () => true
  const ids = new Set(wanted)
  return (id) => ids.has(id.toLowerCase())
}

function globs(patterns: readonly string[] | null): (text: string | null) => boolean {
  if (patterns === null) return () => true
  const matches = globMatcher(patterns)
  return (text) => text !== null && matches(text)
}

const sorted = (tasks: readonly QrsTask[]): readonly QrsTask[] =>
  [...tasks].sort((a, b) => compare([a.name, a.id], [b.name, b.id]))

function compare([nameA = '', idA = '']: readonly string[], [nameB = '', idB = '']: readonly string[]): number {
  return nameA.localeCompare(nameB, 'en') || (idA < idB ? -1 : idA > idB ? 1 : 0)
}

const KEEP = 20_000

function forgetOldest(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= KEEP) return
    map.delete(key)
  }
}

/** The last run without its execution id, which tasks do not carry. */
export function taskInfo(task: QrsTask): TaskInfo {
  const { nextExecution } = task.operational ?? {}
  return {
    taskId: task.id,
    taskName: task.name,
    taskType: taskTypeText(task.taskType),
    enabled: task.enabled,
    tags: task.tags.map(({ name }) => name),
    customProperties: task.customProperties.map(({ definition, value }) => ({ name: definition.name, value })),
    appId: task.app?.id ?? null,
    appName: task.app?.name ?? null,
    stream: task.app?.stream?.name ?? null,
    nextExecution: nextExecution && nextExecution !== NEVER ? nextExecution : null,
    last: lastRun(lastResultOf(task)),
  }
}

function lastRun(result: QrsExecutionResult | null): LastRun | null {
  const progress = result && progressOf([result], false)
  return progress && { executionId: result.executionID ?? null, ...runFields(progress) }
}

function runFields({ state, outcome, stoppedAt, runMs }: Progress): Omit<LastRun, 'executionId'> {
  return { state, outcome, stoppedAt: isoOf(stoppedAt), runMs }
}

/** Describes tasks with their whole last runs; rejects with a `QrsError`. */
export type TaskDescriber = (tasks: readonly QrsTask[]) => Promise<TaskInfo[]>

interface TaskDescriberDeps {
  readonly qrs: Pick<ExecutionReader, 'resultsById'>
  readonly statuses: Pick<StatusCache, 'ask' | 'last'>
}

/** A task carries its last attempt alone, which does not name its execution. */
export function createTaskDescriber({ qrs, statuses }: TaskDescriberDeps): TaskDescriber {
  const executionIds = new Map<string, string>()
  const executionIdOf = (task: QrsTask) => executionIds.get(lastResultOf(task)?.id ?? '') ?? null

  async function learnExecutions(tasks: readonly QrsTask[]): Promise<void> {
    const ids = tasks.flatMap((task) => lastResultOf(task)?.id ?? [])
    const missing = ids.filter((id) => !executionIds.has(id))
    for (const { id, executionID } of missing.length > 0 ? await qrs.resultsById(missing) : []) {
      if (executionID) executionIds.set(id, executionID)
    }
  }

  /** The other attempts of executions that may have several. */
  async function learnAttempts(tasks: readonly QrsTask[]): Promise<void> {
    const ids = tasks.flatMap((task) => (mayHaveAttempts(task) && executionIdOf(task)) || [])
    const open = ids.filter((id) => statuses.last(id)?.progress?.state !== 'finished')
    if (open.length > 0) await statuses.ask(open)
  }

  return async (tasks) => {
    await learnExecutions(tasks)
    await learnAttempts(tasks)
    const infos = tasks.map((task) => {
      const info = taskInfo(task)
      if (!info.last) return info
      const executionId = info.last.executionId ?? executionIdOf(task)
      const progress = mayHaveAttempts(task) && executionId ? statuses.last(executionId)?.progress : null
      return { ...info, last: { ...info.last, executionId, ...(progress && runFields(progress)) } }
    })
    forgetOldest(executionIds)
    return infos
  }
}
