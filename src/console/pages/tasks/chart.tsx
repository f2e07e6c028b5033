/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Durations of a task: a dot for each run, the line of the median, and the band to the 95th percentile. */

import type { FC } from 'hono/jsx'
import type { Durations, UsualTimes } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import { STATES } from '../../ui/marks.tsx'
import { Table } from '../../ui/panel.tsx'
import { durationText, Time, timeText } from '../../ui/text.tsx'
import { ticksOf } from '../now/scale.ts'

interface Size {
  readonly class: string
  readonly width: number
  readonly height: number
  /** Times on the axis, at most. */
  readonly ticks: number
}
const SIZES: readonly Size[] = [
  { class: 'chart wide-only', width: 1000, height: 256, ticks: 8 },
  { class: 'chart phone-only', width: 335, height: 200, ticks: 4 },
]
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 76, 12, 28]
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Dots that are drawn; of more, the slowest and the failed ones stay. */
const MOST_DOTS = 600

const UNITS = [
  [3_600_000, 'hours'],
  [60_000, 'minutes'],
  [1000, 'seconds'],
  [1, 'milliseconds'],
] as const

/** The unit in which the largest value is at least 2. */
export const unitOf = (most: number): (typeof UNITS)[number] => UNITS.find(([ms]) => most >= 2 * ms) ?? UNITS[3]

const STEPS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000]

/** Values of the axis from 0 on, at most five. */
function axisOf(most: number): number[] {
  const [unit] = unitOf(most)
  const step = (STEPS.find((one) => one * 4 >= most / unit) ?? Math.ceil(most / unit / 4)) * unit
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, n) => n * step)
}

interface ChartProps {
  readonly context: PageContext
  readonly durations: Durations
  readonly usual: UsualTimes
  readonly from: number
}

export const DurationChart: FC<ChartProps> = ({ context, durations, usual, from }) => (
  <>
    {SIZES.map((size) => (
      <Chart context={context} durations={durations} usual={usual} from={from} size={size} />
    ))}
    <ul class="legend">
      <li>
        <svg class="chart" width="18" height="16" aria-hidden="true">
          <circle class="dotp" cx="9" cy="8" r="2.5" />
        </svg>
        Succeeded
      </li>
      <li>
        <svg class="chart" width="18" height="16" aria-hidden="true">
          <path class="x" d="M5 4l8 8m0-8l-8 8" />
        </svg>
        Failed, aborted
      </li>
      <li>
        <svg class="chart" width="18" height="16" aria-hidden="true">
          <rect class="band" width="18" height="16" />
          <path class="p50" d="M0 15.2h18" />
        </svg>
        Usual to 95 %, of up to 30 successful runs
      </li>
    </ul>
  </>
)

const Chart: FC<ChartProps & { readonly size: Size }> = ({
  context,
  durations: { points, band },
  usual,
  from,
  size,
}) => {
  const { now, timezone, link } = context
  const { width, height } = size
  const known = points.flatMap(({ runMs, ...point }) =>
    runMs === null ? [] : { ...point, runMs, at: Date.parse(point.stoppedAt) },
  )
  const begin = Math.max(from, Math.min(...known.map(({ at }) => at), now - HOUR_MS))
  const most = Math.max(...known.map(({ runMs }) => runMs), ...band.map(({ p95Ms }) => p95Ms), 1)
  const axis = axisOf(most)
  const top = axis.at(-1) ?? most
  const [unit, unitName] = unitOf(most)
  const x = (at: number) => round(LEFT + ((Math.max(at, begin) - begin) / (now - begin)) * (width - LEFT - RIGHT))
  const y = (ms: number) => round(height - BOTTOM - (ms / top) * (height - TOP - BOTTOM))
  const days = band.flatMap(({ day, ...rest }) => {
    const at = Date.parse(day)
    return at + DAY_MS < begin ? [] : { ...rest, at }
  })
  const { usualMs, p95Ms } = usual
  const last = usualMs !== null && p95Ms !== null ? { p50Ms: usualMs, p95Ms } : days.at(-1)
  const first = days.length === 0 && last ? [{ ...last, at: begin }] : days
  const line = [...first, ...(last ? [{ ...last, at: now }] : [])]
  const lower = line.map(({ at, p50Ms }) => `${x(at)} ${y(p50Ms)}`)
  const upper = line.map(({ at, p95Ms }) => `${x(at)} ${y(p95Ms)}`)
  const dots = known.length <= MOST_DOTS ? known : known.toSorted((a, b) => weight(b) - weight(a)).slice(0, MOST_DOTS)
  const label = `Durations of ${known.length} runs, in ${unitName}${last ? `. Usual ${durationText(last.p50Ms)}, 95 % within ${durationText(last.p95Ms)}` : ''}. The table below has the values.`
  const apart = last && Math.abs(y(last.p50Ms) - y(last.p95Ms)) >= 14
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of links in a picture.
    <svg class={size.class} viewBox={`0 0 ${width} ${height}`} role="group" aria-label={label} data-roving>
      {axis.map((value) => (
        <>
          <line class="grid" x1={LEFT} x2={width - RIGHT} y1={y(value)} y2={y(value)} />
          <text x={LEFT - 8} y={y(value) + 4} text-anchor="end">
            {value / unit}
          </text>
        </>
      ))}
      {ticksOf({ from: begin, end: now }, timezone, size.ticks).map(({ at, text }) => (
        <text x={x(at)} y={height - 8} text-anchor="middle">
          {text}
        </text>
      ))}
      {lower.length > 1 && <path class="band" d={`M${lower.join('L')}L${upper.toReversed().join('L')}z`} />}
      {lower.length > 1 && <path class="p50" d={`M${lower.join('L')}`} />}
      {dots.map(({ at, runMs, outcome, executionId }) => {
        const text = `${timeText(at, context, false)}, ${STATES[outcome].word}, ${durationText(runMs)}`
        const shape =
          outcome === 'success' ? (
            <circle class="dotp" cx={x(at)} cy={y(runMs)} r="2.5" />
          ) : (
            <path class="x" d={`M${x(at) - 4} ${y(runMs) - 4}l8 8m0-8l-8 8`} />
          )
        if (executionId === null) return shape
        return (
          <a href={link(`/executions/${executionId}`)} aria-label={text}>
            <title>{text}</title>
            {shape}
          </a>
        )
      })}
      {last && (
        <>
          <text x={width - RIGHT + 6} y={y(last.p50Ms) + (apart ? 4 : 12)}>
            usual {short(last.p50Ms, unit)}
          </text>
          <text x={width - RIGHT + 6} y={y(last.p95Ms) + (apart ? 4 : -4)}>
            95 % {short(last.p95Ms, unit)}
          </text>
        </>
      )}
    </svg>
  )
}

const round = (value: number) => Math.round(value * 10) / 10
const short = (ms: number, unit: number) => (ms / unit >= 10 ? Math.round(ms / unit) : round(ms / unit))
const weight = ({ outcome, runMs }: { readonly outcome: string; readonly runMs: number }) =>
  outcome === 'success' ? runMs : Number.MAX_SAFE_INTEGER

/** Rows of a page of the table. */
const ROWS = 100

export const DurationTable: FC<Omit<ChartProps, 'usual' | 'from'>> = ({ context, durations: { points } }) => (
  <>
    <Table
      context={context}
      part="durations"
      caption="Durations, the newest first"
      rows={points}
      size={ROWS}
      keyOf={({ executionId, stoppedAt }) => executionId ?? stoppedAt}
      columns={[
        {
          head: 'Ended',
          sort: (row) => row.stoppedAt,
          cell: ({ stoppedAt }) => <Time at={stoppedAt} zone={context} />,
        },
        { head: 'Outcome', sort: (row) => STATES[row.outcome].word, cell: ({ outcome }) => STATES[outcome].word },
        {
          head: 'Ran',
          num: true,
          sort: (row) => row.runMs,
          cell: ({ runMs }) => (runMs === null ? '–' : durationText(runMs)),
        },
        {
          head: 'Waited',
          num: true,
          sort: (row) => row.queueMs,
          cell: ({ queueMs }) => (queueMs === null ? '–' : durationText(queueMs)),
        },
      ]}
    />
  </>
)
