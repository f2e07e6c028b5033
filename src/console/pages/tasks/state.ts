/** The state of a task, the same on every page: of what runs and ended, and of the findings of the attention list. */

import type { AttentionItem, AttentionKind } from '../../../tasks/overview/contract.ts'
import { STATES, type State } from '../../ui/marks.tsx'

/** Open items by task, and tasks that did not run with the item that is the reason. */
export interface Known {
  readonly items: ReadonlyMap<string, readonly AttentionItem[]>
  readonly behind: ReadonlyMap<string, AttentionItem>
}

export function knownOf(items: readonly AttentionItem[]): Known {
  const byTask = new Map<string, AttentionItem[]>()
  const behind = new Map<string, AttentionItem>()
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

/** The worst that the attention list says about a task: a failure stands for what is late because of it. */
export type Finding = 'failing' | 'missing' | 'late'

/** A task is late when it waits, runs or is not done for longer than it should. */
const FINDINGS: readonly (readonly [Finding, kinds: readonly AttentionKind[]])[] = [
  ['failing', ['taskFailed']],
  ['missing', ['neverStarted']],
  ['late', ['late', 'stuck', 'overdue', 'overUsual']],
]

/** The finding, with the item that it comes from; null = nothing is wrong. */
function findingOf(items: readonly AttentionItem[] = []): readonly [Finding, AttentionItem] | null {
  for (const [finding, kinds] of FINDINGS) {
    const item = items.find(({ kind }) => kinds.includes(kind))
    if (item) return [finding, item]
  }
  return null
}

/** How many tasks are failing, never started and late. */
export function findingCounts({ items }: Known): Readonly<Record<Finding, number>> {
  const found = [...items.values()].map((own) => findingOf(own)?.[0])
  const count = (wanted: Finding) => found.filter((finding) => finding === wanted).length
  return { failing: count('failing'), missing: count('missing'), late: count('late') }
}

/** `planned` = it never ran. */
export function taskState({ taskId, state, last = null }: Stated, { items, behind }: Known): State {
  const finding = findingOf(items.get(taskId))?.[0]
  const now = state ?? (last && (last.state === 'finished' ? last.outcome : last.state))
  if (finding === 'failing') return now === 'aborted' ? 'aborted' : 'failed'
  if (finding) return finding
  if (now === 'running' || now === 'queued') return now
  if (behind.has(taskId)) return 'skipped'
  if (now === null) return last === null ? 'planned' : 'unknown'
  return Object.hasOwn(STATES, now) ? (now as State) : 'unknown'
}

export const taskStateWord = (state: State): string => (state === 'planned' ? 'never ran' : STATES[state].word)

/** The item that the state comes from. */
export const mainItem = ({ items }: Known, taskId: string): AttentionItem | undefined =>
  findingOf(items.get(taskId))?.[1]
