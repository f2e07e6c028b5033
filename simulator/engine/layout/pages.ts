/** Pages of cells: the areas of a request, single cells, and the pages of straight tables. */
import type { CalcContext } from '../calc/evaluate.ts'
import { ownNumber, type Value } from '../calc/functions.ts'
import { engineError } from '../errors.ts'
import { formatValue } from '../format.ts'
import { asList, asNumber, asObject, orNaN } from '../json.ts'
import type { ValueState } from '../selections.ts'
import type { CubeDimension, CubeMeasure } from './columns.ts'
import type { Cube } from './cube.ts'

/** A rectangle of cells, as `NxPage` and `NxDataAreaPage` name it. */
export interface Area {
  readonly qLeft: number
  readonly qTop: number
  readonly qWidth: number
  readonly qHeight: number
}

/** The engine hands out at most so many cells in one call. */
const MAX_CELLS = 10_000

/** The areas of a request. Throws error 7009 when they hold more than 10,000 cells together. */
export function readPages(pages: unknown): readonly Area[] {
  const areas = asList(pages).map((page) => {
    const { qLeft, qTop, qWidth, qHeight } = asObject(page)
    const whole = (value: unknown) => Math.max(0, Math.floor(asNumber(value)))
    return { qLeft: whole(qLeft), qTop: whole(qTop), qWidth: whole(qWidth), qHeight: whole(qHeight) }
  })
  const cells = areas.reduce((sum, area) => sum + area.qWidth * area.qHeight, 0)
  if (cells > MAX_CELLS) throw engineError('CALC_PAGES_TOO_LARGE')
  return areas
}

/** The part of an area that lies inside a table of the given size. */
export function clip(area: Area, columns: number, rows: number): Area {
  const qLeft = Math.min(area.qLeft, columns)
  const qTop = Math.min(area.qTop, rows)
  return {
    qLeft,
    qTop,
    qWidth: Math.min(area.qWidth, columns - qLeft),
    qHeight: Math.min(area.qHeight, rows - qTop),
  }
}

/** `[from, from + 1, ...]` of the given length. */
export const span = (from: number, length: number): number[] => Array.from({ length }, (_, index) => from + index)

/** One cell of a straight table or list. */
interface Cell {
  readonly qText: string
  readonly qNum: number | 'NaN'
  readonly qElemNumber: number
  readonly qState: ValueState
  readonly qIsNull?: true
  readonly qIsTotalCell?: true
}

const NULL_ELEMENT = -2
const TOTAL_ELEMENT = -1

export function dimensionCell(dimension: CubeDimension, code: number, state: ValueState): Cell {
  if (code < 0) return { qText: '-', qNum: 'NaN', qElemNumber: NULL_ELEMENT, qState: 'L', qIsNull: true }
  const symbol = dimension.field.column.symbol(code)
  const qText = dimension.format ? formatValue(symbol, dimension.format) : symbol.text
  return { qText, qNum: orNaN(symbol.num), qElemNumber: code, qState: state }
}

function measureCell(measure: CubeMeasure, value: Value): Cell {
  if (!value) return { qText: '-', qNum: 'NaN', qElemNumber: 0, qState: 'L', qIsNull: true }
  return { qText: measureText(measure, value), qNum: orNaN(ownNumber(value)), qElemNumber: 0, qState: 'L' }
}

export const measureText = (measure: CubeMeasure, value: Value): string =>
  measure.format ? formatValue(value, measure.format) : (value?.text ?? '-')

export function grandTotalRow(cube: Cube): readonly Cell[] {
  return cube.measures.map((measure, index) => {
    const { qText, qNum } = measureCell(measure, cube.total(index))
    return { qText, qNum, qElemNumber: TOTAL_ELEMENT, qState: 'X', qIsTotalCell: true }
  })
}

interface DataPage {
  readonly qMatrix: readonly (readonly Cell[])[]
  readonly qTails: readonly { readonly qUp: number; readonly qDown: number }[]
  readonly qArea: Area
  readonly qIsReduced: boolean
}

/** Columns of the matrix as indices into dimensions + measures; `qColumnOrder` may rearrange them. */
export function matrixColumns(cube: Cube): readonly number[] {
  const natural = span(0, cube.dimensions.length + cube.measures.length)
  const wanted = asList(cube.definition.qColumnOrder).map((one) => asNumber(one, -1))
  const complete = wanted.length === natural.length && natural.every((column) => wanted.includes(column))
  return complete ? wanted : natural
}

/** Pages of a straight table; cells outside of it are left out. */
export function straightPages(cube: Cube, areas: readonly Area[], context: CalcContext): readonly DataPage[] {
  const columns = matrixColumns(cube)
  const stateOf = dimensionStates(cube.dimensions, context)
  return areas.map((requested) => {
    const area = clip(requested, columns.length, cube.rowCount)
    const shown = columns.slice(area.qLeft, area.qLeft + area.qWidth)
    const qMatrix = span(area.qTop, area.qHeight).map((row) =>
      shown.map((column) => cellAt(cube, row, column, stateOf)),
    )
    return { qMatrix, qTails: [{ qUp: 0, qDown: 0 }], qArea: area, qIsReduced: false }
  })
}

/** State of a value in a chart: only possible values are shown, so they are selected, locked or optional. */
function dimensionStates(dimensions: readonly CubeDimension[], context: CalcContext) {
  const { selections } = context
  return (dimension: number): ValueState => {
    const name = dimensions[dimension]?.fieldName
    if (!name || !selections.current().has(name)) return 'O'
    return selections.isLocked(name) ? 'L' : 'S'
  }
}

function cellAt(cube: Cube, row: number, column: number, stateOf: (dimension: number) => ValueState): Cell {
  const dimension = cube.dimensions[column]
  if (dimension) return dimensionCell(dimension, cube.code(row, column), stateOf(column))
  const index = column - cube.dimensions.length
  const measure = cube.measures[index]
  if (!measure) throw new RangeError(`No column ${column}`)
  return measureCell(measure, cube.value(row, index))
}
