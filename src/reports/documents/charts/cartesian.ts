/** Options of charts with two axes: bars, lines, areas, combinations, waterfall. */
import type { Cell } from '../../types.ts'
import { FONT_FAMILY, fitted, fittedWhole } from '../fonts.ts'
import type { ChartContent, MeasureColumn } from './content.ts'
import { frame, numbersOf, type Option, type Pivot, pivot, type Series } from './frame.ts'
import {
  AXIS,
  BAD,
  type Canvas,
  GOOD,
  GRID,
  INK,
  inkOn,
  MUTED,
  nameOf,
  numberFormat,
  PALETTE,
  SMALL,
  valueText,
} from './style.ts'

/** Shapes and dashes distinguish lines without colour. */
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond', 'emptyCircle', 'emptyRect', 'emptyTriangle', 'emptyDiamond']
const DASHES = ['solid', 'solid', 'dashed', 'dotted'] as const
const MOST_SYMBOLS = 40
/** Share of the axis. */
const MOST_LOW = 0.045

/** Space below the last and beside the outermost label. */
export const grid = ({ top, right, bottom, left }: Readonly<Record<'top' | 'right' | 'bottom' | 'left', number>>) => ({
  top: top + 12,
  right: right + 8,
  bottom: bottom + 2,
  left: left + 2,
  outerBoundsMode: 'same',
  outerBoundsContain: 'all',
})

/** Axis of names. Labels are turned when they do not fit beside each other, and some left out when there are too many. */
export function categoryAxis(names: readonly string[], { width, fonts }: Canvas, lying: boolean): Option {
  const style = { type: 'category', data: [...names], axisTick: { show: false } }
  const axisLine = { lineStyle: { color: AXIS }, onZero: false }
  if (lying) {
    const most = width * 0.3
    return {
      ...style,
      axisLine,
      inverse: true,
      axisLabel: { fontSize: SMALL, color: INK, formatter: (name: string) => fitted(name, most, SMALL, fonts) },
    }
  }
  const room = (width - 90) / Math.max(1, names.length)
  const widest = Math.max(0, ...names.map((name) => fonts.measure(name, SMALL)))
  const turn = widest + 6 <= room ? 0 : room >= 22 ? 40 : 90
  const most = turn === 0 ? room : turn === 40 ? 110 : 90
  return {
    ...style,
    axisLine,
    axisLabel: {
      fontSize: SMALL,
      color: INK,
      rotate: turn,
      interval: room >= SMALL + 2 ? 0 : Math.ceil((SMALL + 2) / room) - 1,
      formatter: (name: string) => fitted(name, most, SMALL, fonts),
    },
  }
}

/** Axis of numbers, in the locale of the report. */
export function valueAxis(
  column: MeasureColumn | undefined,
  values: readonly number[],
  canvas: Canvas,
  more: Option = {},
): Option {
  const format = numberFormat(column, canvas.locale, values)
  return {
    type: 'value',
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: GRID } },
    axisLabel: { fontSize: SMALL, color: MUTED, formatter: format, hideOverlap: true },
    ...more,
  }
}

/** Label of an axis, at its upper end beside the numbers. */
export const axisName = (name: string, canvas: Canvas, side: 'left' | 'right' = 'left'): Option => ({
  name: fitted(name, canvas.width / 2, SMALL, canvas.fonts),
  nameLocation: 'end',
  nameGap: 10,
  nameTextStyle: { fontSize: SMALL, color: MUTED, align: side },
})

/** Label in the middle along an axis. */
export const middleName = (name: string, canvas: Canvas, gap: number): Option => ({
  name: fitted(name, canvas.width / 2, SMALL, canvas.fonts),
  nameLocation: 'middle',
  nameGap: gap,
  nameTextStyle: { fontSize: SMALL, color: MUTED },
})

/** Data item with Qlik's text for its label. */
const item = (cell: Cell | null, text: string, value = cell?.number ?? null) => ({ value, text })

const labelOf = (show: boolean, position: string) => ({
  show,
  position,
  fontSize: SMALL,
  color: INK,
  formatter: ({ data }: { data?: { text?: string } }) => data?.text ?? '',
})

/** Text in a segment; the border keeps it readable where it is wider than the bar. */
const onColour = (colour: string) => ({ color: inkOn(colour), textBorderColor: colour, textBorderWidth: 2 })

export function bars(content: ChartContent, canvas: Canvas): Option {
  const lying = content.kind === 'barHorizontal' || content.horizontal === true
  const percent = content.kind === 'barPercent'
  const stacked = percent || content.kind === 'barStacked'
  const data = pivot(content)
  const around = frame(
    content,
    canvas,
    data.series.map(({ name }) => name),
  )
  const values = percent ? [1] : axisValues(data, stacked)
  const column = content.measures[0]
  const sums = data.categories.map((_, at) =>
    data.series.reduce((sum, { cells }) => sum + Math.abs(cells[at]?.number ?? 0), 0),
  )
  const single = data.series.length === 1
  const measured = valueAxis(percent ? { ...column!, type: 'number', format: '0%' } : column, values, canvas, {
    ...(percent && { max: 1 }),
    ...(!percent && single && !lying && axisName(column?.label ?? '', canvas)),
    ...(!percent && single && lying && middleName(column?.label ?? '', canvas, 28)),
  })
  const named = categoryAxis(data.categories, canvas, lying)
  return {
    ...around.base,
    grid: grid(
      lying && content.labels && !stacked ? { ...around, right: around.right + widestLabel(data, canvas) } : around,
    ),
    xAxis: lying ? measured : named,
    yAxis: lying ? named : measured,
    series: data.series.map(({ name, cells, column: own }, index) => ({
      type: 'bar',
      name,
      ...(stacked && { stack: 'all' }),
      barMaxWidth: 56,
      barCategoryGap: '28%',
      barGap: '6%',
      itemStyle: { borderColor: '#ffffff', borderWidth: stacked ? 0.75 : 0 },
      label: {
        ...labelOf(content.labels, stacked ? 'inside' : lying ? 'right' : 'top'),
        ...(stacked && onColour(PALETTE[index % PALETTE.length]!)),
      },
      labelLayout: { hideOverlap: true },
      data: cells.map((cell, at) => {
        const value = percent ? (sums[at] ? (cell?.number ?? 0) / sums[at] : null) : (cell?.number ?? null)
        // No label in a segment that is lower than a line of text.
        const low = stacked && Math.abs(value ?? 0) < MOST_LOW * Math.max(...values)
        return item(cell, cell && !low ? valueText(cell, own, canvas.locale) : '', value)
      }),
    })),
  }
}

/** Room for the labels right of lying bars. */
const widestLabel = ({ series }: Pivot, { fonts, locale }: Canvas): number =>
  Math.max(
    0,
    ...series.flatMap(({ cells, column }) =>
      cells.map((cell) => (cell ? fonts.measure(valueText(cell, column, locale), SMALL) : 0)),
    ),
  )

/** Values that the axis must reach; of stacks their sums. */
function axisValues({ categories, series }: Pivot, stacked: boolean): number[] {
  if (!stacked) return series.flatMap(({ cells }) => numbersOf(cells))
  return categories.map((_, at) => series.reduce((sum, { cells }) => sum + Math.abs(cells[at]?.number ?? 0), 0))
}

export function lines(content: ChartContent, canvas: Canvas): Option {
  const area = content.kind !== 'line'
  const stacked = content.kind === 'areaStacked'
  const data = pivot(content)
  const around = frame(
    content,
    canvas,
    data.series.map(({ name }) => name),
  )
  const single = data.series.length === 1
  return {
    ...around.base,
    grid: grid(around),
    xAxis: { ...categoryAxis(data.categories, canvas, false), boundaryGap: !area },
    yAxis: valueAxis(content.measures[0], axisValues(data, stacked), canvas, {
      ...(!area && { scale: farFromZero(axisValues(data, false)) }),
      ...(single && axisName(content.measures[0]?.label ?? '', canvas)),
    }),
    series: data.series.map((series, index) => ({
      ...line(series, index, content.labels, canvas),
      ...(stacked && { stack: 'all' }),
      ...(area && { areaStyle: { opacity: stacked ? 0.75 : 0.25 }, showSymbol: series.cells.length === 1 }),
    })),
  }
}

/** Whether a line would look flat on an axis that begins at zero. */
function farFromZero(values: readonly number[]): boolean {
  const least = Math.min(...values)
  const highest = Math.max(...values)
  return (
    values.length > 0 && Math.min(Math.abs(least), Math.abs(highest)) > 2 * (highest - least) && least * highest > 0
  )
}

const line = ({ name, cells, column }: Series, index: number, labels: boolean, canvas: Canvas): Option => ({
  type: 'line',
  name,
  symbol: SYMBOLS[index % SYMBOLS.length],
  symbolSize: 6,
  showSymbol: cells.length <= MOST_SYMBOLS,
  showAllSymbol: true,
  lineStyle: { width: 2, type: DASHES[Math.floor(index / 2) % DASHES.length] },
  label: labelOf(labels, 'top'),
  labelLayout: { hideOverlap: true },
  data: cells.map((cell) => item(cell, cell ? valueText(cell, column, canvas.locale) : '')),
})

export function combination(content: ChartContent, canvas: Canvas): Option {
  const data = pivot(content)
  const around = frame(
    content,
    canvas,
    data.series.map(({ name }) => name),
  )
  const axisOf = (side: 'left' | 'right'): Option => {
    const on = data.series.filter((_, index) => content.measures[index]?.axis === side)
    const [first] = on
    return valueAxis(
      first ? content.measures[data.series.indexOf(first)] : undefined,
      on.flatMap(({ cells }) => numbersOf(cells)),
      canvas,
      {
        position: side,
        ...(on.length === 1 && axisName(first!.name, canvas, side)),
        ...(side === 'right' && { splitLine: { show: false } }),
      },
    )
  }
  const two = content.measures.some(({ axis }) => axis === 'right')
  const both = two && content.measures.some(({ axis }) => axis === 'left')
  return {
    ...around.base,
    grid: grid(around),
    xAxis: categoryAxis(data.categories, canvas, false),
    yAxis: both ? [axisOf('left'), axisOf('right')] : axisOf(two ? 'right' : 'left'),
    series: data.series.map((series, index) => {
      const { as, axis } = content.measures[index]!
      const place = { yAxisIndex: both && axis === 'right' ? 1 : 0 }
      if (as === 'line') return { ...line(series, index, content.labels, canvas), ...place, z: 3 }
      return {
        ...place,
        type: 'bar',
        name: series.name,
        barMaxWidth: 56,
        barCategoryGap: '28%',
        label: labelOf(content.labels, 'top'),
        labelLayout: { hideOverlap: true },
        data: series.cells.map((cell) => item(cell, cell ? valueText(cell, series.column, canvas.locale) : '')),
      }
    }),
  }
}

/** Steps as floating bars, with a bar from zero for each total. Drawn as rectangles, because a step may cross zero. */
export function waterfall(content: ChartContent, canvas: Canvas): Option {
  const totals = new Set(content.totalRows)
  let sum = 0
  const steps = content.rows.map((row, index) => {
    const value = row[1]?.number ?? 0
    const from = totals.has(index) ? 0 : sum
    sum = totals.has(index) ? value : sum + value
    return { from, to: sum, text: valueText(row[1] ?? { text: '', number: null }, content.measures[0], canvas.locale) }
  })
  const ends = steps.flatMap(({ from, to }) => [from, to])
  const format = numberFormat(content.measures[0], canvas.locale, ends)
  const around = frame({ legend: 'none' }, canvas, [])
  return {
    ...around.base,
    grid: grid(around),
    xAxis: categoryAxis(
      content.rows.map((row) => nameOf(row[0])),
      canvas,
      false,
    ),
    yAxis: valueAxis(content.measures[0], ends, canvas, axisName(content.measures[0]?.label ?? '', canvas)),
    series: [
      {
        type: 'custom',
        encode: { x: 0, y: [1, 2] },
        data: steps.map(({ from, to }, index) => [index, from, to]),
        renderItem: (_: unknown, api: WaterfallApi) => {
          const index = api.value(0)
          const step = steps[index]!
          const next = steps[index + 1]
          const [x, y1] = api.coord([index, step.from])
          const [, y2] = api.coord([index, step.to])
          const [room] = api.size([1, 0])
          const width = Math.min(56, room * 0.66)
          const total = totals.has(index)
          const fill = total ? PALETTE[0] : step.to >= step.from ? GOOD : BAD
          const top = Math.min(y1, y2)
          return {
            type: 'group',
            children: [
              {
                type: 'rect',
                shape: { x: x - width / 2, y: top, width, height: Math.max(1, Math.abs(y2 - y1)) },
                style: { fill },
              },
              next && {
                type: 'line',
                shape: { x1: x + width / 2, y1: y2, x2: x + room - width / 2, y2 },
                style: { stroke: AXIS, lineWidth: 1 },
              },
              room > 24 && {
                type: 'text',
                style: {
                  text: fittedWhole(
                    content.labels && step.text ? step.text : format(total ? step.to : step.to - step.from),
                    room,
                    SMALL,
                    canvas.fonts,
                  ),
                  x,
                  y: top - 5,
                  align: 'center',
                  verticalAlign: 'bottom',
                  fill: INK,
                  fontSize: SMALL,
                  fontFamily: FONT_FAMILY,
                },
              },
            ].filter(Boolean),
          }
        },
      },
    ],
  }
}

interface WaterfallApi {
  value(dimension: number): number
  coord(point: readonly [number, number]): [number, number]
  size(extent: readonly [number, number]): [number, number]
}
