/** The surroundings of the marks: title, legend, space; and the series of a chart. */
import type { EChartsCoreOption } from 'echarts/core'
import type { Cell, Column, Row } from '../../types.ts'
import { FONT_FAMILY, fitted } from '../fonts.ts'
import type { ChartContent } from './content.ts'
import { type Canvas, EDGE, INK, keyOf, nameOf, PALETTE, SMALL, TEXT, TITLE } from './style.ts'

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
 * Rows as categories and series: a series for each measure, or for each value of the second dimension. Values that differ stay apart,
 * also where Qlik shows the same text for them; each row has a place of its own.
 */
export function pivot({ dimensions, measures, rows }: ChartContent): Pivot {
  const second = dimensions.length > 1
  const [places, taken] = [new Map<string, number>(), new Set<string>()]
  const values: (Cell | null)[] = []
  const lines = second ? byKey(rows, 1) : []
  const number = new Map(lines.map((cell, index) => [keyOf(cell), index]))
  const placed = rows.map((row) => {
    const line = number.get(keyOf(row[1])) ?? 0
    let [key, copy] = [keyOf(row[0]), 0]
    // A null and a hyphen are alike here.
    while (taken.has(`${key} ${line}`)) key = `${keyOf(row[0])} ${++copy}`
    taken.add(`${key} ${line}`)
    const at = places.get(key) ?? values.length
    if (at === values.length) values.push(row[0] ?? null)
    places.set(key, at)
    return { at, line, row }
  })
  const names = uniqueNames(second ? lines.map(nameOf) : measures.map(({ label }) => label))
  const cells = names.map(() => values.map((): Cell | null => null))
  for (const { at, line, row } of placed) {
    if (second) cells[line]![at] = row[2] ?? null
    else
      measures.forEach((_, index) => {
        cells[index]![at] = row[index + 1] ?? null
      })
  }
  return {
    categories: values.map((cell) => nameOf(cell ?? undefined)),
    values,
    series: names.map((name, index) => ({ name, column: measures[second ? 0 : index]!, cells: cells[index]! })),
  }
}

/** The different values of a column. */
const byKey = (rows: readonly Row[], column: number): (Cell | undefined)[] => [
  ...new Map(rows.map((row) => [keyOf(row[column]), row[column]])).values(),
]

export const distinct = (rows: readonly Row[], column: number): string[] => [
  ...new Set(rows.map((row) => nameOf(row[column]))),
]

/** Names of series; equal ones get a number, because the legend joins series of one name. */
function uniqueNames(names: readonly string[]): string[] {
  const seen = new Map<string, number>()
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return count === 1 ? name : `${name} (${count})`
  })
}

/** Finite numbers of cells, for formats and scales. */
export const numbersOf = (cells: readonly (Cell | null | undefined)[]): number[] =>
  cells.flatMap((cell) => (cell?.number === null || cell?.number === undefined ? [] : [cell.number]))
