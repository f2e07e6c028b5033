/** The surroundings of the marks: title, legend, space; and the series of a chart. */
import type { EChartsCoreOption } from 'echarts/core'
import type { Cell, Column, Row } from '../../types.ts'
import { FONT_FAMILY, fitted } from '../fonts.ts'
import type { ChartContent } from './content.ts'
import { type Canvas, EDGE, INK, nameOf, PALETTE, SMALL, TEXT, TITLE, valueKey } from './style.ts'

export type Option = EChartsCoreOption

const ICON = 14
const ICON_GAP = 5
const ITEM_GAP = 12
const LINE = 24
const MOST_LEGEND_LINES = 4

/** Pixels that the marks must leave free. */
export interface Frame {
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly left: number
  /** Title, legend, palette and text style of the chart. */
  readonly base: Option
}

/** Lays out the title and the legend of `names`; the legend is left out for fewer than two. */
export function frame(content: Pick<ChartContent, 'legend'>, canvas: Canvas, names: readonly string[]): Frame {
  const top = canvas.title === '' ? EDGE : EDGE + TITLE + 12
  const base = {
    animation: false,
    color: [...PALETTE],
    textStyle: { color: INK, fontSize: TEXT, fontFamily: FONT_FAMILY },
    ...(canvas.title !== '' && {
      title: {
        text: fitted(canvas.title, canvas.width - 2 * EDGE, TITLE, canvas.fonts, true),
        left: EDGE,
        top: EDGE,
        padding: 0,
        textStyle: { fontSize: TITLE, fontWeight: 'bold', color: INK },
      },
    }),
  }
  const plain = { top, right: EDGE, bottom: EDGE, left: EDGE, base }
  if (content.legend === 'none' || names.length < 2) return plain
  return content.legend === 'right' ? rightLegend(plain, canvas, names) : topLegend(plain, canvas, names)
}

const LEGEND = {
  itemWidth: ICON,
  itemHeight: 10,
  itemGap: ITEM_GAP,
  padding: 0,
  textStyle: { fontSize: SMALL, color: INK, padding: [0, 0, 0, ICON_GAP - 5] },
}

function topLegend(plain: Frame, { width, fonts }: Canvas, names: readonly string[]): Frame {
  const widest = Math.min(220, width / 3)
  const shown: string[] = []
  let lines = 1
  let used = 0
  for (const name of names) {
    const item = ICON + ICON_GAP + Math.min(widest, fonts.measure(name, SMALL)) + ITEM_GAP + 2
    if (used > 0 && used + item > width - 2 * EDGE) {
      lines += 1
      used = 0
    }
    if (lines > MOST_LEGEND_LINES) break
    used += item
    shown.push(name)
  }
  noteLeftOut(names.slice(shown.length), fonts)
  const height = Math.min(lines, MOST_LEGEND_LINES) * LINE
  return {
    ...plain,
    top: plain.top + height + 6,
    base: {
      ...plain.base,
      legend: {
        ...LEGEND,
        data: shown,
        left: EDGE,
        right: EDGE,
        top: plain.top,
        itemGap: ITEM_GAP,
        formatter: (name: string) => fitted(name, widest, SMALL, fonts),
      },
    },
  }
}

/** A legend has no room for these names. */
const noteLeftOut = (names: readonly string[], fonts: Canvas['fonts']): void => {
  for (const name of names) fonts.noteCut(name)
}

function rightLegend(plain: Frame, { width, height, fonts }: Canvas, names: readonly string[]): Frame {
  const widest = Math.min(width * 0.3, Math.max(...names.map((name) => fonts.measure(name, SMALL) + 2)))
  const shown = names.slice(0, Math.max(1, Math.floor((height - plain.top - EDGE) / 20)))
  noteLeftOut(names.slice(shown.length), fonts)
  return {
    ...plain,
    right: EDGE + ICON + ICON_GAP + widest + 16,
    base: {
      ...plain.base,
      legend: {
        ...LEGEND,
        orient: 'vertical',
        data: shown,
        left: width - EDGE - ICON - ICON_GAP - widest,
        top: plain.top,
        itemGap: 8,
        formatter: (name: string) => fitted(name, widest, SMALL, fonts),
      },
    },
  }
}

export interface Series {
  readonly name: string
  readonly column: Column
  /** One for each category; null where there is no row. */
  readonly cells: readonly (Cell | null)[]
}

export interface Pivot {
  readonly categories: readonly string[]
  /** The value of each category. */
  readonly values: readonly (Cell | null)[]
  readonly series: readonly Series[]
}

/**
 * Rows as categories and series: a series for each measure, or for each value of the second dimension. No row takes the place
 * of another: of one dimension each row is a category, of two a row whose place is taken begins a further category of its
 * value (null and '' are one value here).
 */
export function pivot({ dimensions, measures, rows }: ChartContent): Pivot {
  const second = dimensions.length > 1
  const groups = second ? groupsOf(rows, 1) : []
  const names = uniqueNames(second ? groups.map(({ name }) => name) : measures.map(({ label }) => label))
  const values: (Cell | null)[] = []
  const cells = names.map((): (Cell | null)[] => [])
  const number = new Map(groups.map(({ key }, index) => [key, index]))
  const places = new Map<string, number[]>()
  for (const row of rows) {
    if (!second) {
      measures.forEach((_, index) => {
        cells[index]![values.length] = row[index + 1] ?? null
      })
      values.push(row[0] ?? null)
      continue
    }
    const series = cells[number.get(valueKey(row[1]))!]!
    const key = valueKey(row[0])
    const known = places.get(key) ?? []
    const free = known.find((place) => series[place] === undefined)
    const at = free ?? values.push(row[0] ?? null) - 1
    if (free === undefined) places.set(key, [...known, at])
    series[at] = row[2] ?? null
  }
  return {
    categories: values.map((value) => nameOf(value ?? undefined)),
    values,
    series: names.map((name, index) => ({
      name,
      column: measures[second ? 0 : index]!,
      cells: values.map((_, at) => cells[index]![at] ?? null),
    })),
  }
}

/** The rows of a value of a column. */
interface Group {
  readonly key: string
  readonly name: string
  readonly rows: readonly Row[]
}

/** The values of a column in their order, with their rows. */
export const groupsOf = (rows: readonly Row[], column: number): readonly Group[] =>
  [...Map.groupBy(rows, (row) => valueKey(row[column]))].map(([key, members]) => ({
    key,
    name: nameOf(members[0]?.[column]),
    rows: members,
  }))

/** Names of marks; equal ones get a number, because ECharts joins series and slices of one name in legend and colour. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names)
  const seen = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let count = 2; seen.has(unique) || (unique !== name && taken.has(unique)); count += 1)
      unique = `${name} (${count})`
    seen.add(unique)
    return unique
  })
}

/** Finite numbers of cells, for formats and scales. */
export const numbersOf = (cells: readonly (Cell | null | undefined)[]): number[] =>
  cells.flatMap((cell) => (cell?.number === null || cell?.number === undefined ? [] : [cell.number]))
