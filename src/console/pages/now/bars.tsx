/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Bars of the timeline: one shape for each state, each a link with its facts. Positions are percent, heights pixels. */

import type { Child, FC } from 'hono/jsx'
import type { ExecutionOutcome } from '../../../tasks/executions/kinds.ts'
import type { TimelineBar, TimelineRow } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import { STATES } from '../../ui/marks.tsx'
import { clockText, counted, durationText, plainName, usuallyText } from '../../ui/text.tsx'
import type { Line, RowFacts } from './rows.ts'
import { merged, type Scale } from './scale.ts'

export const ROW = 28
/** Percent below which a bar has a width in pixels, so that it can be seen. */
const NARROW = 0.6
/** Width of the notched end of an aborted run, in percent, about. */
const NOTCH = 2

interface BarsProps {
  readonly context: PageContext
  readonly scale: Scale
  /** Upper edge of the line in pixels. */
  readonly y: number
}

const CLASSES: Readonly<Record<ExecutionOutcome, string>> = {
  success: 'b-ok',
  failed: 'b-bad',
  aborted: 'b-warn',
  skipped: 'b-ok',
  unknown: 'b-ok',
}

const width = (percent: number, least = 4) => (percent < NARROW ? String(least) : `${percent}%`)

const Link: FC<{ readonly href: string; readonly label: string; readonly children?: Child }> = ({
  href,
  label,
  children,
}) => (
  <a href={href} aria-label={label}>
    <title>{label}</title>
    {children}
  </a>
)

/** A point of the picture in percent of its width; what stands in it is placed in pixels. */
export const At: FC<{ readonly x: number; readonly y: number; readonly wide?: string; readonly children?: Child }> = ({
  x,
  y,
  wide = '1',
  children,
}) => (
  // biome-ignore lint/a11y/noSvgWithoutTitle: it is a part of a picture that has a label.
  <svg x={`${x}%`} y={y} width={wide} height="1" overflow="visible">
    {children}
  </svg>
)

/** A finished execution, or several that lie close together. */
const Shape: FC<{
  readonly x: number
  readonly wide: number
  readonly y: number
  readonly outcome: ExecutionOutcome
}> = ({ x, wide, y, outcome }) => {
  if (outcome === 'failed') {
    const isNarrow = wide < NARROW
    return (
      <At x={x} y={y} wide={isNarrow ? '1' : `${wide}%`}>
        <rect class="b-bad" x="0" y="6" width={isNarrow ? '4' : '100%'} height="16" />
        <rect class="b-bad" x={isNarrow ? '-2' : '0'} y="5" width={isNarrow ? '8' : '100%'} height="4" rx="1" />
        {!isNarrow && <CapEnds />}
      </At>
    )
  }
  if (outcome === 'aborted') {
    return (
      <>
        {wide > NOTCH && <rect class="b-warn" x={`${x}%`} y={y + 8} width={`${wide - NOTCH}%`} height="12" />}
        <At x={Math.max(x, x + wide - NOTCH)} y={y}>
          <path class="b-warn" d="M0 8h14l-4 6 4 6H0z" />
        </At>
      </>
    )
  }
  return <rect class={CLASSES[outcome]} x={`${x}%`} y={y + 9} width={width(wide)} height="10" rx="1" />
}

/** A wide bar has the shape of a T, too. */
const CapEnds: FC = () => (
  <>
    <rect class="b-bad" x="-3" y="5" width="4" height="4" rx="1" />
    {/* biome-ignore lint/a11y/noSvgWithoutTitle: it is a part of a picture that has a label. */}
    <svg x="100%" width="1" height="1" overflow="visible">
      <rect class="b-bad" x="-1" y="5" width="4" height="4" rx="1" />
    </svg>
  </>
)

/** Label of a bar: "Sales ETL hourly, failed, 02:13 to 02:14, 27 s, usually 25 s". */
function labelOf(row: TimelineRow, bar: TimelineBar, { timezone }: PageContext): string {
  const clock = (text: string) => clockText(Date.parse(text), timezone)
  const name = plainName(row.taskName)
  switch (bar.kind) {
    case 'execution': {
      const begin = bar.startedAt ?? bar.triggeredAt
      const ran = begin === null ? null : Date.parse(bar.stoppedAt) - Date.parse(begin)
      const span = begin === null ? clock(bar.stoppedAt) : `${clock(begin)} to ${clock(bar.stoppedAt)}`
      const took = ran === null ? '' : `, ${durationText(ran)}`
      const usual = usuallyText(bar.usualMs, ', ')
      return `${name}, ${STATES[bar.outcome].word}, ${span}${took}${usual}`
    }
    case 'batch': {
      const what = bar.worst === 'success' ? 'all succeeded' : `at least one ${STATES[bar.worst].word}`
      return `${name}, ${counted(bar.count, 'run')}, ${clock(bar.from)} to ${clock(bar.to)}, ${what}`
    }
    case 'missing':
      return `${name}, expected ${clock(bar.dueAt)} by ${plainName(bar.trigger)}, never started`
    case 'running': {
      const usual = usuallyText(row.usualMs, ', ')
      const end = bar.over ? `over the usual by ${durationText(bar.overByMs, true)}` : `ETA ${clock(bar.expectedEnd)}`
      return `${name}, ${bar.state} since ${clock(bar.startedAt)}${usual}, ${end}`
    }
    case 'forecast':
      return `${name}, planned ${clock(bar.plannedAt)} by ${plainName(bar.trigger)}`
  }
}

/** The executions of a task in a span of time. */
const spanLink = ({ link }: PageContext, { taskId }: TimelineRow, from: string, to: string) =>
  link(`/tasks/${taskId}`, { from, to: new Date(Date.parse(to) + 1).toISOString() })

const OneBar: FC<BarsProps & { readonly row: TimelineRow; readonly bar: TimelineBar }> = ({
  context,
  scale,
  y,
  row,
  bar,
}) => {
  const { link, timezone, now } = context
  const label = labelOf(row, bar, context)
  const at = (text: string) => scale.at(Date.parse(text))
  const toExecution = (id: string | null) => (id ? link(`/executions/${id}`) : link(`/tasks/${row.taskId}`))
  switch (bar.kind) {
    case 'execution': {
      const begin = at(bar.startedAt ?? bar.triggeredAt ?? bar.stoppedAt)
      const waited = bar.triggeredAt && bar.startedAt ? begin - at(bar.triggeredAt) : 0
      return (
        <Link href={toExecution(bar.executionId)} label={label}>
          {waited >= NARROW / 2 && (
            <rect class="b-wait" x={`${begin - waited}%`} y={y + 12} width={`${waited.toFixed(2)}%`} height="4" />
          )}
          <Shape x={begin} wide={percent(at(bar.stoppedAt) - begin)} y={y} outcome={bar.outcome} />
        </Link>
      )
    }
    case 'batch': {
      const x = at(bar.from)
      const wide = percent(at(bar.to) - x)
      return (
        <Link href={spanLink(context, row, bar.from, bar.to)} label={label}>
          <Shape x={x} wide={Math.max(wide, NARROW)} y={y} outcome={bar.worst} />
        </Link>
      )
    }
    case 'missing': {
      const x = at(bar.dueAt)
      return (
        <Link href={link(`/tasks/${row.taskId}`)} label={label}>
          <rect class="b-miss" x={`${x}%`} y={y + 7.5} width="11" height="13" />
        </Link>
      )
    }
    case 'running': {
      const [x, here, end] = [at(bar.startedAt), scale.at(now), at(bar.expectedEnd)]
      const text = bar.over ? overText(bar.overByMs) : `ETA ${clockText(Date.parse(bar.expectedEnd), timezone)}`
      return (
        <Link href={toExecution(bar.executionId)} label={label}>
          {bar.state === 'queued' ? (
            <rect class="b-queue" x={`${x}%`} y={y + 9} width={width(percent(here - x))} height="10" data-grows />
          ) : (
            <rect class="b-run" x={`${x}%`} y={y + 8} width={width(percent(here - x))} height="12" rx="1" data-grows />
          )}
          {!bar.over && (
            <>
              <line class="b-eta" x1={`${here}%`} x2={`${end}%`} y1={y + 14} y2={y + 14} />
              <line class="b-eta" x1={`${end}%`} x2={`${end}%`} y1={y + 9} y2={y + 19} />
            </>
          )}
          <At x={Math.max(end, here)} y={y}>
            <text class={bar.over ? 'w' : 'n'} x="7" y="18">
              {text}
            </text>
          </At>
        </Link>
      )
    }
    case 'forecast':
      return (
        <rect class="b-plan" x={`${at(bar.plannedAt)}%`} y={y + 9} width={planned(at, bar)} height="10">
          <title>{label}</title>
        </rect>
      )
  }
}

/** A run that is over the usual by less than a minute is only called long. */
export const overText = (ms: number): string =>
  ms < 60_000 ? 'longer than usual' : `over by ${durationText(ms, true)}`

const planned = (at: (text: string) => number, bar: TimelineBar & { kind: 'forecast' }) =>
  width(percent(at(bar.expectedEnd) - at(bar.plannedAt)), 5)
const percent = (value: number) => Math.round(value * 100) / 100

/** A task: its bars, and what the attention list says about it. */
const TaskBars: FC<BarsProps & { readonly row: TimelineRow; readonly facts: RowFacts }> = (props) => {
  const { context, scale, y, row, facts } = props
  const { timezone, now } = context
  const here = scale.at(now)
  const missing = row.bars.flatMap((bar) => (bar.kind === 'missing' ? Date.parse(bar.dueAt) : [])).at(-1)
  const { didNotRunSince, lateSince } = facts
  return (
    <>
      {didNotRunSince !== null && (
        <>
          <line class="b-skip" x1={`${scale.at(didNotRunSince)}%`} x2={`${here}%`} y1={y + 14} y2={y + 14} />
          <At x={scale.at(didNotRunSince)} y={y}>
            <text class="halo" x="12" y="18">
              did not run
            </text>
          </At>
        </>
      )}
      {shownBars(row.bars, (bar) => scale.at(Date.parse(bar.plannedAt)) - here).map((bar) => (
        <OneBar context={context} scale={scale} y={y} row={row} bar={bar} />
      ))}
      {missing !== undefined && (
        <At x={scale.at(missing)} y={y}>
          <text class="m halo" x="16" y="18">
            expected {clockText(missing, timezone)}
          </text>
        </At>
      )}
      {lateSince !== null && (
        <>
          <line class="b-due" x1={`${scale.at(lateSince)}%`} x2={`${scale.at(lateSince)}%`} y1={y + 4} y2={y + 24} />
          <At x={Math.max(scale.at(lateSince), here)} y={y}>
            <text class="w" x="8" y="18">
              {durationText(now - lateSince, true)} late
            </text>
          </At>
        </>
      )}
    </>
  )
}

/** Percent of the width that the text behind a running bar takes. */
const TEXT_ROOM = 14

/** Without the planned runs that would stand in the text of a running one. */
function shownBars(
  bars: readonly TimelineBar[],
  distance: (bar: TimelineBar & { kind: 'forecast' }) => number,
): readonly TimelineBar[] {
  if (!bars.some(({ kind }) => kind === 'running')) return bars
  return bars.filter((bar) => bar.kind !== 'forecast' || distance(bar) > TEXT_ROOM)
}

const UNITS = 1000

/** Several tasks in one line: where any of them ran. One shape, as there may be hundreds of runs. */
const MergedBars: FC<BarsProps & { readonly rows: readonly TimelineRow[] }> = ({ scale, y, rows }) => {
  const length = scale.end - scale.from
  const spans = rows.flatMap(({ bars }) => bars.flatMap(spanOf))
  const inRange = spans.filter(([from, to]) => to >= scale.from && from <= scale.end)
  const d = merged(inRange, length * 0.0015)
    .map(([from, to]) => {
      const x = Math.round((UNITS * (Math.max(from, scale.from) - scale.from)) / length)
      return `M${x} 0h${Math.max(4, Math.round((UNITS * (to - from)) / length))}v6h-${Math.max(4, Math.round((UNITS * (to - from)) / length))}z`
    })
    .join('')
  if (d === '') return null
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: it is a part of a picture that has a label.
    <svg y={y + 11} width="100%" height="6" viewBox={`0 0 ${UNITS} 6`} preserveAspectRatio="none">
      <path class="b-ok" d={d} />
    </svg>
  )
}

function spanOf(bar: TimelineBar): [number, number][] {
  if (bar.kind === 'execution') {
    const to = Date.parse(bar.stoppedAt)
    return [[Date.parse(bar.startedAt ?? bar.triggeredAt ?? bar.stoppedAt), to]]
  }
  return bar.kind === 'batch' ? [[Date.parse(bar.from), Date.parse(bar.to)]] : []
}

export const LineBars: FC<BarsProps & { readonly line: Line }> = ({ line, ...place }) => {
  if (line.kind === 'task') return <TaskBars {...place} row={line.row} facts={line.facts} />
  if (line.kind === 'group' && line.open) return null
  return <MergedBars {...place} rows={line.rows} />
}
