/** The rows of the timeline: which groups are open, and what is known of each task besides its bars. */
import type { TaskRef } from '../../../tasks/executions/contract.ts'
import type { Timeline, TimelineGroup, TimelineRow } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import type { State } from '../../ui/marks.tsx'
import { type Known, taskState } from '../tasks/state.ts'

/** One line of the picture. */
export type Line =
  | {
      readonly kind: 'group'
      readonly name: string
      readonly tasks: number
      readonly open: boolean
      readonly rows: readonly TimelineRow[]
      /** Address that opens or folds it. */
      readonly href: string
    }
  | { readonly kind: 'task'; readonly row: TimelineRow; readonly facts: RowFacts }
  | { readonly kind: 'rest'; readonly rows: readonly TimelineRow[]; readonly href: string }

/** Findings of the attention list about the task of a row. */
export interface RowFacts {
  readonly state: State
  /** Milliseconds since 1970 from when on it did not run, because an earlier task failed. */
  readonly didNotRunSince: number | null
  /** It is late since this due time. */
  readonly lateSince: number | null
}

export function factsOf(row: Pick<TimelineRow, 'taskId' | 'state'>, known: Known): RowFacts {
  const { taskId, state } = row
  const own = known.items.get(taskId) ?? []
  const late = own.find(({ kind }) => kind === 'late' || kind === 'overdue')
  const cause = known.behind.get(taskId)
  return {
    state: taskState(row, known),
    didNotRunSince: cause && state !== 'running' && state !== 'queued' ? Date.parse(cause.since) : null,
    lateSince: late?.dueAt ? Date.parse(late.dueAt) : null,
  }
}

/** Whether a row is shown by itself even when its group shows problems only. */
const stands = (row: TimelineRow, known: Known): boolean =>
  row.problem ||
  row.bars.some(({ kind }) => kind === 'running') ||
  known.items.has(row.taskId) ||
  known.behind.has(row.taskId)

const FEW = 3

/** Names of the group of tasks that have none, by the query `group`. */
const NO_GROUP: Readonly<Record<string, string>> = {
  stream: 'Without a stream',
  app: 'Without an app',
  node: 'Node not known',
  tag: 'Without a tag',
  property: 'Without a value',
}

/** Groups with problems first and open; the state of the others stands in the address. */
export function linesOf({ groups }: Timeline, known: Known, context: PageContext): Line[] {
  const [open, fold] = [context.query.getAll('open'), context.query.getAll('fold')]
  const isSingle = context.query.get('group') === 'task'
  return groups
    .map((group) => ({ group, shown: group.rows.filter((row) => stands(row, known)) }))
    .toSorted((a, b) => Number(b.shown.length > 0) - Number(a.shown.length > 0))
    .flatMap(({ group, shown }) => {
      const key = group.key ?? '-'
      if (isSingle || open.includes(key)) return lines(group, group.rows)
      return lines(group, fold.includes(key) ? [] : shown)
    })

  function lines(group: TimelineGroup, shown: readonly TimelineRow[]): Line[] {
    const { rows } = group
    const key = group.key ?? '-'
    const without = (names: readonly string[]) => names.filter((name) => name !== key)
    const isOpen = shown.length > 0
    const opened = context.here({ open: [...without(open), key], fold: without(fold) })
    const folded = context.here({ open: without(open), fold: [...without(fold), key] })
    const rest = rows.filter((row) => !shown.includes(row))
    // A few rows more are no reason for a line that stands for them.
    const all = isOpen && rest.length > 0 && rest.length < FEW && !isSingle && rows.length <= FEW * 2 ? rows : shown
    const own = rows.filter((row) => all.includes(row))
    const tasks = own.map((row): Line => ({ kind: 'task', row, facts: factsOf(row, known) }))
    if (isSingle) return tasks
    const head: Line = {
      kind: 'group',
      name: group.key ?? NO_GROUP[(context.query.get('group') ?? 'stream').split(':')[0]!] ?? 'Others',
      tasks: rows.length,
      open: isOpen,
      rows,
      href: isOpen ? folded : opened,
    }
    if (!isOpen) return [head]
    const left = rows.filter((row) => !own.includes(row))
    return [head, ...tasks, ...(left.length > 0 ? [{ kind: 'rest', rows: left, href: opened } as const] : [])]
  }
}

/** Planned next start of each task, by the bars after now. */
export function nextRuns({ groups }: Timeline): ReadonlyMap<string, number> {
  const next = new Map<string, number>()
  for (const { rows } of groups) {
    for (const { taskId, bars } of rows) {
      const planned = bars.flatMap((bar) => (bar.kind === 'forecast' ? Date.parse(bar.plannedAt) : []))
      if (planned.length > 0) next.set(taskId, Math.min(...planned))
    }
  }
  return next
}

export const names = (tasks: readonly TaskRef[]): string[] => [...new Set(tasks.map(({ taskName }) => taskName))]
