/** The tasks of the site, as a list that can be filtered. */
import { globMatcher } from '../platform/glob.ts'
import type { Clock } from '../platform/types.ts'
import type { ExecutionReader, QrsTask } from '../qlik/qrs/types.ts'
import { lastResultOf, type TaskInfo, taskInfo } from './task-info.ts'

/** Null = any. A list = any of them. */
export interface TaskFilter {
  /** Globs. */
  readonly name: readonly string[] | null
  readonly tag: readonly string[] | null
  readonly customProperty: readonly { readonly name: string; readonly value: string }[] | null
  readonly type: readonly string[] | null
  /** Of the last run. */
  readonly outcome: readonly string[] | null
  readonly state: readonly string[] | null
  /** Globs. */
  readonly app: readonly string[] | null
  readonly stream: readonly string[] | null
  readonly enabled: boolean | null
}

export interface TaskPage {
  readonly tasks: readonly TaskInfo[]
  /** Name and id of the last task; null on the last page. */
  readonly next: readonly [name: string, id: string] | null
}

export interface TaskList {
  /** By name, then id; what follows `after`. Rejects with a `QrsError`. */
  page(filter: TaskFilter, after: readonly string[] | null, limit: number): Promise<TaskPage>
}

/** Answers of QRS are used for so long. */
const CACHE_MS = 10_000

export function createTaskList({ qrs, clock }: { qrs: ExecutionReader; clock: Clock }): TaskList {
  let cached: { readonly at: number; readonly tasks: Promise<readonly QrsTask[]> } | null = null
  const executionIds = new Map<string, string>()

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

  /** Tasks carry the result of their last run, and only the result itself says to which execution it belongs. */
  async function withExecutionIds(tasks: readonly QrsTask[]): Promise<TaskInfo[]> {
    const ids = tasks.flatMap((task) => lastResultOf(task)?.id ?? [])
    const missing = ids.filter((id) => !executionIds.has(id))
    if (missing.length > 0) {
      for (const { id, executionID } of await qrs.resultsById(missing)) {
        if (executionID) executionIds.set(id, executionID)
      }
    }
    const infos = tasks.map((task) => {
      const info = taskInfo(task)
      const executionId = executionIds.get(lastResultOf(task)?.id ?? '') ?? null
      return info.last ? { ...info, last: { ...info.last, executionId: info.last.executionId ?? executionId } } : info
    })
    forgetOldest(executionIds)
    return infos
  }

  return {
    async page(filter, after, limit) {
      const matches = matcherOf(filter)
      const found = (await allTasks()).filter(
        (task) => (after === null || compare([task.name, task.id], after) > 0) && matches(taskInfo(task)),
      )
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        tasks: await withExecutionIds(page),
        next: found.length > limit && last ? [last.name, last.id] : null,
      }
    },
  }
}

export function matcherOf(filter: TaskFilter): (task: TaskInfo) => boolean {
  const name = globs(filter.name)
  const app = globs(filter.app)
  const stream = globs(filter.stream)
  const among = (wanted: readonly string[] | null, value: string | null | undefined) =>
    wanted === null || wanted.some((one) => one === value)
  return (task) =>
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
