/** Options of charts without axes: pie, donut, funnel, treemap, gauge, radar, sankey. */
import { knownLocale, marksOf, partsWith } from '../../display.ts'
import type { Cell, Row } from '../../types.ts'
import { FONT_FAMILY, fitted } from '../fonts.ts'
import type { ChartContent } from './content.ts'
import { frame, groupsOf, numbersOf, type Option, pivot, uniqueNames } from './frame.ts'
import {
  type Canvas,
  EDGE,
  GRID,
  INK,
  inkOn,
  MUTED,
  nameOf,
  numberFormat,
  PALETTE,
  SMALL,
  TEXT,
  valueKey,
  valueText,
} from './style.ts'

interface Part {
  readonly name: string
  readonly value: number
  /** Below or behind the name: the value as Qlik writes it, the share. */
  readonly text: string
}

/** The positive values of the only measure with their shares; a part of a whole cannot be negative. */
function partsOf({ kind, rows, measures, labels }: ChartContent, { locale }: Canvas): Part[] {
  const positive = rows.filter((row) => (row[1]?.number ?? 0) > 0)
  // A stage of a funnel is a share of the first one.
  const whole = kind === 'funnel' ? positive.slice(0, 1) : positive
  const sum = whole.reduce((total, row) => total + row[1]!.number!, 0)
  const percent = new Intl.NumberFormat(knownLocale(locale), { style: 'percent', maximumFractionDigits: 1 })
  const write = partsWith(marksOf(positive[0]?.[1] ?? null, measures[0] ?? null))
  return positive.map((row) => {
    const share = write(percent, row[1]!.number! / sum)
    return {
      name: nameOf(row[0]),
      value: row[1]!.number!,
      text: labels ? `${valueText(row[1]!, measures[0], locale)} (${share})` : share,
    }
  })
}

/** Names stand at the slices, which needs no comparing of colours; a legend comes only at the right. */
export function pie(content: ChartContent, canvas: Canvas): Option {
  const parts = partsOf(content, canvas)
  const names = uniqueNames(parts.map(({ name }) => name))
  const around = frame({ legend: content.legend === 'right' ? 'right' : 'none' }, canvas, names)
  const width = canvas.width - around.left - around.right
  const height = canvas.height - around.top - around.bottom
  const radius = Math.min(height * 0.4, width * 0.25)
  const named = content.legend !== 'right'
  const room = Math.max(40, width / 2 - radius - 34)
  return {
    ...around.base,
    series: [
      {
        type: 'pie',
        center: [around.left + width / 2, around.top + height / 2],
        radius: content.kind === 'donut' ? [radius * 0.58, radius] : radius,
        startAngle: 90,
        itemStyle: { borderColor: '#ffffff', borderWidth: 1.5 },
        label: {
          position: 'outer',
          color: INK,
          fontSize: SMALL,
          lineHeight: 15,
          formatter: ({ dataIndex }: { dataIndex: number }) => {
            const part = parts[dataIndex]!
            return named ? `${fitted(part.name, room, SMALL, canvas.fonts)}\n${part.text}` : part.text
          },
        },
        labelLine: { length: 10, length2: 12, lineStyle: { color: MUTED } },
        labelLayout: { hideOverlap: true },
        avoidLabelOverlap: true,
        data: parts.map(({ value }, index) => ({ name: names[index], value })),
      },
    ],
  }
}

export function funnel(content: ChartContent, canvas: Canvas): Option {
  const parts = partsOf({ ...content, labels: true }, canvas)
  const around = frame({ legend: 'none' }, canvas, [])
  // Right of the widest stage and the line to its label.
  const room = canvas.width * 0.44 - 2 * EDGE - 24
  const name = (part: Part) =>
    fitted(part.name, Math.max(24, room - canvas.fonts.measure(`   ${part.text}`, TEXT)), TEXT, canvas.fonts)
  return {
    ...around.base,
    series: [
      {
        type: 'funnel',
        top: around.top + 4,
        bottom: around.bottom + 4,
        left: EDGE,
        width: canvas.width * 0.56,
        minSize: '8%',
        sort: 'none',
        gap: 3,
        itemStyle: { borderWidth: 0 },
        label: {
          position: 'right',
          color: INK,
          fontSize: TEXT,
          formatter: ({ dataIndex }: { dataIndex: number }) => {
            const part = parts[dataIndex]!
            return `${name(part)}   ${part.text}`
          },
        },
        labelLine: { length: 18, lineStyle: { color: MUTED } },
        data: uniqueNames(parts.map(({ name }) => name)).map((name, index) => ({ name, value: parts[index]!.value })),
      },
    ],
  }
}

export function treemap(content: ChartContent, canvas: Canvas): Option {
  const around = frame({ legend: 'none' }, canvas, [])
  const two = content.dimensions.length > 1
  const at = content.dimensions.length
  const format = numberFormat(content.measures[0], canvas.locale, numbersOf(content.rows.map((row) => row[at])))
  const leaf = (row: Row, name: Cell | undefined, colour: string) => {
    const value = row[at]!
    const text = content.labels ? valueText(value, content.measures[0], canvas.locale) : format(value.number!)
    return {
      name: nameOf(name),
      value: value.number!,
      text,
      itemStyle: { color: colour },
      label: { color: inkOn(colour) },
    }
  }
  const rows = content.rows.filter((row) => (row[at]?.number ?? 0) > 0)
  const groups = groupsOf(rows, 0)
  const colour = (index: number): string => PALETTE[index % PALETTE.length]!
  return {
    ...around.base,
    series: [
      {
        type: 'treemap',
        top: around.top,
        right: EDGE,
        bottom: EDGE,
        left: EDGE,
        roam: false,
        nodeClick: false,
        breadcrumb: { show: false },
        label: {
          fontSize: SMALL,
          lineHeight: 15,
          overflow: 'truncate',
          ellipsis: '…',
          formatter: ({ data }: { data: { name: string; text?: string } }) =>
            data.text === undefined ? data.name : `${data.name}\n${data.text}`,
        },
        upperLabel: {
          show: two,
          height: 20,
          fontSize: SMALL,
          fontWeight: 'bold',
          color: INK,
          overflow: 'truncate',
          ellipsis: '…',
        },
        itemStyle: { borderColor: '#ffffff', borderWidth: 1, gapWidth: 1 },
        levels: two ? [{}, { itemStyle: { borderColor: GRID, borderWidth: 2, gapWidth: 1 } }, {}] : [{}],
        data: two
          ? groups.map(({ name, rows: members }, index) => ({
              name,
              itemStyle: { color: colour(index) },
              children: members.map((row) => leaf(row, row[1], colour(index))),
            }))
          : rows.map((row, index) => leaf(row, row[0], colour(index))),
      },
    ],
  }
}

/** Value, and the ends of the scale: of the second and third measure, else 0 and the next round number. */
export function gauge(content: ChartContent, canvas: Canvas): Option {
  const [value, least, most] = content.rows[0] ?? []
  const number = value?.number ?? 0
  const from = least?.number ?? Math.min(0, roundAbove(number))
  const to = most?.number ?? Math.max(roundAbove(number), from + 1e-9)
  const format = numberFormat(content.measures[0], canvas.locale, [from, to])
  const around = frame({ legend: 'none' }, canvas, [])
  const height = canvas.height - around.top - around.bottom
  const radius = Math.min(canvas.width * 0.42, height * 0.78)
  const share = to === from ? 0 : Math.min(1, Math.max(0, (number - from) / (to - from)))
  const centre = [canvas.width / 2, around.top + height * 0.82]
  return {
    ...around.base,
    series: [
      {
        type: 'gauge',
        center: centre,
        radius,
        startAngle: 180,
        endAngle: 0,
        min: from,
        max: to,
        splitNumber: 1,
        progress: { show: false },
        pointer: { show: false },
        anchor: { show: false },
        axisTick: { show: false },
        splitLine: { show: false },
        axisLabel: { show: false },
        title: { show: false },
        axisLine: {
          roundCap: false,
          lineStyle: {
            width: radius * 0.24,
            color: [
              [share, PALETTE[0]],
              [1, GRID],
            ],
          },
        },
        detail: {
          offsetCenter: [0, '-16%'],
          fontSize: Math.max(16, Math.min(34, radius * 0.2)),
          fontWeight: 'bold',
          color: INK,
          formatter: () => (value ? valueText(value, content.measures[0], canvas.locale) || '-' : '-'),
        },
        data: [{ value: number }],
      },
    ],
    graphic: [
      ...[
        { text: format(from), x: centre[0]! - radius * 0.88 },
        { text: format(to), x: centre[0]! + radius * 0.88 },
      ].map(({ text, x }) => caption(text, x, centre[1]! + 6)),
      caption(fitted(content.measures[0]?.label ?? '', radius, SMALL, canvas.fonts), centre[0]!, centre[1]! + 6),
    ],
  }
}

/** A small text below a point. */
export const caption = (text: string, x: number, y: number) => ({
  type: 'text',
  x,
  y,
  silent: true,
  style: { text, align: 'center', verticalAlign: 'top', fill: MUTED, fontSize: SMALL, fontFamily: FONT_FAMILY },
})

/** 1, 2, 2.5 or 5 times a power of ten, at least as large as the value and of its sign; 1 for 0. */
export function roundAbove(value: number): number {
  if (value === 0) return 1
  const power = 10 ** Math.floor(Math.log10(Math.abs(value)))
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= Math.abs(value) - 1e-12) ?? 10
  return Math.sign(value) * step * power
}

export function radar(content: ChartContent, canvas: Canvas): Option {
  const data = pivot(content)
  const around = frame(
    content,
    canvas,
    data.series.map(({ name }) => name),
  )
  const values = data.series.flatMap(({ cells }) => numbersOf(cells))
  const max = roundAbove(Math.max(...values, 0))
  const min = Math.min(...values, 0)
  const width = canvas.width - around.left - around.right
  const height = canvas.height - around.top - around.bottom
  const format = numberFormat(content.measures[0], canvas.locale, [max])
  return {
    ...around.base,
    radar: {
      center: [around.left + width / 2, around.top + height / 2 + 4],
      radius: Math.min(height * 0.42, width * 0.3),
      splitNumber: 4,
      indicator: data.categories.map((name) => ({ name: fitted(name, width * 0.22, SMALL, canvas.fonts), max, min })),
      axisName: { color: INK, fontSize: SMALL },
      axisNameGap: 8,
      splitArea: { show: false },
      splitLine: { lineStyle: { color: GRID } },
      axisLine: { lineStyle: { color: GRID } },
      axisLabel: { show: false },
    },
    series: [
      {
        type: 'radar',
        symbolSize: 5,
        data: data.series.map(({ name, cells }, index) => ({
          name,
          value: cells.map((cell) => cell?.number ?? 0),
          symbol: ['circle', 'rect', 'triangle', 'diamond'][index % 4],
          lineStyle: { width: 2, type: ['solid', 'solid', 'dashed', 'dotted'][Math.floor(index / 2) % 4] },
          areaStyle: { opacity: 0.12 },
          label: {
            show: content.labels,
            fontSize: SMALL,
            color: INK,
            formatter: ({ value }: { value: number }) => format(value),
          },
        })),
      },
    ],
  }
}

/** A prefix separates sources from targets: a name on both sides would be a circle, which the layout refuses. */
export function sankey(content: ChartContent, canvas: Canvas): Option {
  const around = frame({ legend: 'none' }, canvas, [])
  const rows = content.rows.filter((row) => (row[2]?.number ?? 0) > 0)
  const most = canvas.width * 0.22
  const side = (values: ReturnType<typeof groupsOf>, prefix: string, position: string, offset: number) =>
    values.map(({ key, name }, index) => ({
      name: `${prefix}${key}`,
      itemStyle: { color: PALETTE[(index + offset) % PALETTE.length] },
      label: { position, formatter: () => fitted(name, most, SMALL, canvas.fonts) },
    }))
  const [sources, targets] = [groupsOf(rows, 0), groupsOf(rows, 1)]
  const room = (values: ReturnType<typeof groupsOf>): number =>
    Math.min(most, Math.max(0, ...values.map(({ name }) => canvas.fonts.measure(name, SMALL)))) + 8
  return {
    ...around.base,
    series: [
      {
        type: 'sankey',
        top: around.top + 4,
        bottom: EDGE,
        left: EDGE + room(sources),
        right: EDGE + room(targets),
        nodeWidth: 14,
        nodeGap: 10,
        draggable: false,
        label: { fontSize: SMALL, color: INK },
        lineStyle: { color: 'source', opacity: 0.35, curveness: 0.5 },
        data: [...side(sources, '<', 'left', 0), ...side(targets, '>', 'right', sources.length)],
        links: rows.map((row) => ({
          source: `<${valueKey(row[0])}`,
          target: `>${valueKey(row[1])}`,
          value: row[2]!.number!,
        })),
      },
    ],
  }
}
