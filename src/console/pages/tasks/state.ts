/** The state of a task, the same on every page: of what runs and ended, and of the findings of the attention list. */
import { STATES, type State } from '../../ui/marks.tsx'
import type { Item } from '../now/data.ts'

/** Open items by task, and tasks that did not run with the item that is the reason. */
export interface Known {
  readonly items: ReadonlyMap<string, readonly Item[]>
  readonly behind: ReadonlyMap<string, Item>
}

export function knownOf(items: readonly Item[]): Known {
  const byTask = new Map<string, Item[]>()
  const behind = new Map<string, Item>()
  for (const item of items) {
    if (item.task) byTask.set(item.task.taskId, [...(byTask.get(item.task.taskId) ?? []), item])
    for (const { taskId } of item.behind) if (!behind.has(taskId)) behind.set(taskId, item)
  }
  return { items: byTask, behind }
}

export interface Stated {
  readonly taskId: string
  /** By the history of Footman: the execution under way, else the last outcome; null = it has none. */
  readonly state: string | null
  /** By Qlik Sense, for tasks that ran before Footman kept a history. */
  readonly last?: { readonly state: string; readonly outcome: string | null } | null
}

const LATE = ['late', 'overdue', 'overUsual', 'stuck']

/** `planned` = it never ran. */
export function taskState({ taskId, state, last = null }: Stated, { items, behind }: Known): State {
  const own = items.get(taskId) ?? []
  const is = (...kinds: readonly string[]) => own.some(({ kind }) => kinds.includes(kind))
  const now = state ?? (last && (last.state === 'finished' ? last.outcome : last.state))
  if (is('taskFailed')) return now === 'aborted' ? 'aborted' : 'failed'
  if (is('neverStarted')) return 'missing'
  if (is(...LATE)) return 'late'
  if (now === 'running' || now === 'queued') return now
  if (behind.has(taskId)) return 'skipped'
  if (now === null) return last === null ? 'planned' : 'unknown'
  return Object.hasOwn(STATES, now) ? (now as State) : 'unknown'
}

export const taskStateWord = (state: State): string => (state === 'planned' ? 'never ran' : STATES[state].word)

/** The item that the state comes from: the failure first. */
export const mainItem = ({ items }: Known, taskId: string): Item | undefined => {
  const own = items.get(taskId) ?? []
  return own.find(({ kind }) => kind === 'taskFailed') ?? own[0]
}
