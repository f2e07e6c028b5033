/** Options of charts whose marks stand at two values or names: scatter, bubble, heatmap, box plot. */
import type { Row } from '../../types.ts'
import { fitted, fittedWhole } from '../fonts.ts'
import { axisName, categoryAxis, grid, middleName, valueAxis } from './cartesian.ts'
import type { ChartContent } from './content.ts'
import { frame, groupsOf, numbersOf, type Option, pivot, uniqueNames } from './frame.ts'
import {
  AXIS,
  type Canvas,
  EDGE,
  INK,
  inkOn,
  MUTED,
  nameOf,
  numberFormat,
  PALETTE,
  SHADES,
  SMALL,
  valueText,
} from './style.ts'

const SYMBOLS = ['circle', 'diamond', 'triangle', 'rect', 'emptyCircle', 'emptyDiamond', 'emptyTriangle', 'emptyRect']
const LARGEST_BUBBLE = 46
const SMALLEST_BUBBLE = 6

export function points(content: ChartContent, canvas: Canvas): Option {
  const { dimensions, measures, rows } = content
  const first = dimensions.length
  const groups = first > 1 ? groupsOf(rows, 1) : [{ name: '', rows }]
  const names = uniqueNames(groups.map(({ name }) => name))
  const around = frame(content, canvas, names)
  const measureValues = (index: number) => numbersOf(rows.map((row) => row[first + index]))
  const [xs, ys] = [measureValues(0), measureValues(1)]
  const sizes = content.kind === 'bubble' ? measureValues(2).map(Math.abs) : []
  const largest = Math.max(...sizes, 0)
  const sizeOf = (row: Row): number => {
    if (content.kind !== 'bubble') return 9
    const share = largest === 0 ? 0 : Math.abs(row[first + 2]?.number ?? 0) / largest
    return Math.max(SMALLEST_BUBBLE, LARGEST_BUBBLE * Math.sqrt(share))
  }
  // Room for the marks at the ends.
  const beyond = content.kind === 'bubble' ? ['8%', '12%'] : ['3%', '3%']
  return {
    ...around.base,
    grid: grid(around),
    xAxis: valueAxis(measures[0], xs, canvas, {
      scale: true,
      boundaryGap: beyond,
      axisLine: { show: true, lineStyle: { color: AXIS }, onZero: false },
      ...middleName(measures[0]?.label ?? '', canvas, 26),
    }),
    yAxis: valueAxis(measures[1], ys, canvas, {
      scale: true,
      boundaryGap: beyond,
      ...axisName(measures[1]?.label ?? '', canvas),
    }),
    series: groups.map(({ rows: members }, index) => ({
      type: 'scatter',
      name: names[index],
      clip: false,
      symbol: content.kind === 'bubble' ? 'circle' : SYMBOLS[index % SYMBOLS.length],
      itemStyle: { opacity: content.kind === 'bubble' ? 0.75 : 0.9, borderColor: '#ffffff', borderWidth: 0.75 },
      label: {
        show: content.labels,
        position: 'top',
        fontSize: SMALL,
        color: INK,
        formatter: ({ data }: { data?: { name?: string } }) =>
          fitted(data?.name ?? '', canvas.width * 0.3, SMALL, canvas.fonts),
      },
      // Back into the picture.
      labelLayout: ({ labelRect: { x, width } }: { labelRect: { x: number; width: number } }) => ({
        hideOverlap: true,
        dx: Math.max(EDGE - x, Math.min(0, canvas.width - EDGE - x - width)),
      }),
      // Large bubbles first, so that small ones stay visible.
      data: members
        .filter((row) => numbersOf(row.slice(first, first + 2)).length === 2)
        .map((row) => ({
          name: nameOf(row[0]),
          value: [row[first]!.number, row[first + 1]!.number],
          symbolSize: sizeOf(row),
          ...(sizeOf(row) > 28 && { label: { position: 'inside', color: inkOn(PALETTE[index % PALETTE.length]!) } }),
        }))
        .sort((one, other) => other.symbolSize - one.symbolSize),
    })),
  }
}

export function heatmap(content: ChartContent, canvas: Canvas): Option {
  const { measures, rows } = content
  const { categories: columns, series } = pivot(content)
  const lines = series.map(({ name }) => name)
  const values = numbersOf(rows.map((row) => row[2]))
  const format = numberFormat(measures[0], canvas.locale, values)
  const [least, highest] = [Math.min(...values, 0), Math.max(...values, 0)]
  const around = frame({ legend: 'none' }, canvas, [])
  const scale = content.legend === 'none' ? 0 : 30
  const cell = (canvas.width - 110) / Math.max(1, columns.length)
  const high = (canvas.height - around.top - 60) / Math.max(1, lines.length)
  const shown = content.labels || (cell >= 44 && high >= 16)
  return {
    ...around.base,
    grid: { ...grid(around), top: around.top + scale + 4 },
    xAxis: { ...categoryAxis(columns, canvas, false), splitArea: { show: false } },
    yAxis: categoryAxis(lines, canvas, true),
    visualMap: {
      type: 'continuous',
      show: scale > 0 && values.length > 0,
      min: least,
      max: highest === least ? least + 1 : highest,
      inRange: { color: [...SHADES] },
      orient: 'horizontal',
      left: EDGE,
      top: around.top,
      padding: 0,
      itemWidth: 10,
      itemHeight: 140,
      text: [format(highest), format(least)],
      textStyle: { fontSize: SMALL, color: MUTED },
      textGap: 6,
    },
    series: [
      {
        type: 'heatmap',
        name: measures[0]?.label ?? '',
        itemStyle: { borderColor: '#ffffff', borderWidth: 1 },
        data: series.flatMap(({ cells }, line) =>
          cells.flatMap((value, column) => {
            if (value?.number === null || value?.number === undefined) return []
            const share = highest === least ? 0 : (value.number - least) / (highest - least)
            const text = fittedWhole(
              content.labels ? valueText(value, measures[0], canvas.locale) : format(value.number),
              cell - 4,
              SMALL,
              canvas.fonts,
            )
            return {
              value: [column, line, value.number],
              label: { show: shown, fontSize: SMALL, color: share > 0.5 ? '#ffffff' : INK, formatter: () => text },
            }
          }),
        ),
      },
    ],
  }
}

/** Boxes from the first to the third quartile with the median; whiskers reach the last value within 1.5 times the box. */
export function boxes(content: ChartContent, canvas: Canvas): Option {
  const { measures, rows } = content
  const groups = groupsOf(rows, 0)
  const summaries = groups.map(({ rows: members }) => fiveNumbers(numbersOf(members.map((row) => row[2]))))
  const around = frame({ legend: 'none' }, canvas, [])
  const values = summaries.flatMap((summary) => (summary ? [...summary.box, ...summary.outliers] : []))
  return {
    ...around.base,
    grid: grid(around),
    xAxis: categoryAxis(
      groups.map(({ name }) => name),
      canvas,
      false,
    ),
    yAxis: valueAxis(measures[0], values, canvas, { scale: true, ...axisName(measures[0]?.label ?? '', canvas) }),
    series: [
      {
        type: 'boxplot',
        boxWidth: [12, 48],
        itemStyle: { color: '#cfe0ee', borderColor: PALETTE[0], borderWidth: 1.5 },
        data: summaries.map((summary) => summary?.box ?? []),
      },
      {
        type: 'scatter',
        symbolSize: 5,
        itemStyle: { color: PALETTE[3] },
        data: summaries.flatMap((summary, index) => (summary?.outliers ?? []).map((value) => [index, value])),
      },
    ],
  }
}

interface Summary {
  /** Whisker, first quartile, median, third quartile, whisker. */
  readonly box: readonly [number, number, number, number, number]
  readonly outliers: readonly number[]
}

/** Null without values. Quartiles are interpolated (inclusive method, as QUARTILE.INC of Excel). */
export function fiveNumbers(values: readonly number[]): Summary | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((one, other) => one - other)
  const quantile = (share: number): number => {
    const at = (sorted.length - 1) * share
    const low = sorted[Math.floor(at)]!
    return low + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - low)
  }
  const [first, median, third] = [quantile(0.25), quantile(0.5), quantile(0.75)]
  const reach = 1.5 * (third - first)
  const inside = sorted.filter((value) => value >= first - reach && value <= third + reach)
  return {
    box: [inside[0] ?? first, first, median, third, inside.at(-1) ?? third],
    outliers: sorted.filter((value) => value < first - reach || value > third + reach),
  }
}
