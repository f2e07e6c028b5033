/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The timeline on a phone: tasks with problems, each with a strip of 48 cells. */

import type { FC } from 'hono/jsx'
import type { Timeline, TimelineBar, TimelineRow } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import { Mark, STATES, type State } from '../../ui/marks.tsx'
import { clockText, counted, durationText, Name, plainName } from '../../ui/text.tsx'
import type { Known } from '../tasks/state.ts'
import { overText } from './bars.tsx'
import { factsOf } from './rows.ts'

const CELLS = 48
const CELL = 7

interface StripsProps {
  readonly context: PageContext
  readonly timeline: Timeline
  readonly known: Known
}

export const Strips: FC<StripsProps> = ({ context, timeline, known }) => {
  const { timezone } = context
  const all = [...new Map(timeline.groups.flatMap(({ rows }) => rows.map((row) => [row.taskId, row]))).values()]
  const shown = all.filter(
    (row) => row.problem || known.items.has(row.taskId) || row.bars.some(({ kind }) => kind === 'running'),
  )
  const [from, to] = [Date.parse(timeline.from), Date.parse(timeline.to)]
  return (
    <>
      <ul class="strips">
        {shown.map((row) => (
          <Strip context={context} row={row} known={known} from={from} to={to} />
        ))}
        {shown.length > 0 && (
          <li class="scale">
            {[0, 1, 2, 3].map((n) => (
              <span>{clockText(from + ((to - from) * n) / 3, timezone)}</span>
            ))}
          </li>
        )}
      </ul>
      <p class="foot phone-only">
        {context.query.has('full') ? (
          <a href={context.here({ full: null })}>Strips only</a>
        ) : (
          <a href={context.here({ full: '1' })}>Full timeline, {counted(all.length, 'task')}</a>
        )}
      </p>
    </>
  )
}

const Strip: FC<{
  readonly context: PageContext
  readonly row: TimelineRow
  readonly known: Known
  readonly from: number
  readonly to: number
}> = ({ context, row, known, from, to }) => {
  const { state } = factsOf(row, known)
  const cells = cellsOf(row.bars, from, to, context.now)
  const minutes = durationText((to - from) / CELLS, true)
  const label = `${plainName(row.taskName)}: ${CELLS} cells of ${minutes}, ${wordsOf(cells)}`
  return (
    <li>
      <div class="t">
        <Mark state={state} />
        <a href={context.link(`/tasks/${row.taskId}`)}>
          <Name text={row.taskName} />
        </a>
        <span class={STATES[state].tone}>{noteOf(context, row, known, state)}</span>
      </div>
      <svg class="s" viewBox={`0 0 ${CELLS * CELL - 1} 16`} preserveAspectRatio="none" role="img" aria-label={label}>
        <path class="c-no" d={path(cells, null, 'M# 3h6v10h-6z')} />
        <path class="b-ok" d={path(cells, 'success', 'M# 3h6v10h-6z')} />
        <path class="b-run" d={path(cells, 'running', 'M# 3h6v10h-6z')} />
        <path class="b-warn" d={path(cells, 'aborted', 'M# 0h6v6h-6zM# 10h6v6h-6z')} />
        <path class="b-miss" d={path(cells, 'missing', 'M# 0h6v16h-6z')} />
        <path class="b-bad" d={path(cells, 'failed', 'M# 0h6v16h-6z')} />
      </svg>
    </li>
  )
}

/** Worst last: a cell shows the worst of what lies in it. */
const RANK = ['success', 'running', 'aborted', 'missing', 'failed'] as const
type Cell = (typeof RANK)[number] | null

function cellsOf(bars: readonly TimelineBar[], from: number, to: number, now: number): Cell[] {
  const cells: Cell[] = Array.from({ length: CELLS }, () => null)
  const put = (begin: number, end: number, state: Exclude<Cell, null>) => {
    const at = (instant: number) => Math.floor((CELLS * (instant - from)) / (to - from))
    for (let n = Math.max(0, at(begin)); n <= Math.min(CELLS - 1, at(end)); n++) {
      const before = cells[n] ?? null
      if (before === null || RANK.indexOf(state) > RANK.indexOf(before)) cells[n] = state
    }
  }
  for (const bar of bars) {
    if (bar.kind === 'execution') {
      const end = Date.parse(bar.stoppedAt)
      const begin = bar.outcome === 'success' ? Date.parse(bar.startedAt ?? bar.stoppedAt) : end
      put(begin, end, stateOf(bar.outcome))
    } else if (bar.kind === 'batch') put(Date.parse(bar.from), Date.parse(bar.to), stateOf(bar.worst))
    else if (bar.kind === 'missing') put(Date.parse(bar.dueAt), Date.parse(bar.dueAt), 'missing')
    else if (bar.kind === 'running') put(Date.parse(bar.startedAt), now, 'running')
  }
  return cells
}

const stateOf = (outcome: string) => (outcome === 'failed' || outcome === 'aborted' ? outcome : 'success')

const path = (cells: readonly Cell[], state: Cell, form: string): string =>
  cells.flatMap((cell, n) => (cell === state ? form.replaceAll('#', String(n * CELL)) : [])).join('')

function wordsOf(cells: readonly Cell[]): string {
  const counts = RANK.flatMap((state) => {
    const count = cells.filter((cell) => cell === state).length
    return count === 0 ? [] : `${count} ${STATES[state].word}`
  })
  return counts.join(', ') || 'no runs'
}

/** Text at the end of the title: how often it failed, when it was expected, when it ends. */
function noteOf({ timezone }: PageContext, row: TimelineRow, known: Known, state: State): string {
  const failed = known.items.get(row.taskId)?.find(({ kind }) => kind === 'taskFailed')
  if (failed) return failed.count > 1 ? `${failed.count} in a row` : STATES[state].word
  const clock = (text: string) => clockText(Date.parse(text), timezone)
  for (const bar of row.bars.toReversed()) {
    if (bar.kind === 'running') {
      return bar.over ? overText(bar.overByMs) : `ETA ${clock(bar.expectedEnd)}`
    }
    if (bar.kind === 'missing' && state === 'missing') return `expected ${clock(bar.dueAt)}`
  }
  const good = row.bars
    .flatMap((bar) => (bar.kind === 'execution' && bar.outcome === 'success' ? bar.stoppedAt : []))
    .at(-1)
  return state === 'success' && good ? `recovered ${clock(good)}` : STATES[state].word
}
