import { numberOf, type Value } from '../calc/functions.ts'
import type { ValueState } from '../data/selections.ts'
import { formatValue } from '../format/numbers.ts'
import { orNaN } from '../json.ts'
import type { CubeDimension, CubeMeasure } from './columns.ts'
import type { Cube } from './cube.ts'

/** One cell of a straight table or list. */
export interface Cell {
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

export function measureCell(measure: CubeMeasure, value: Value): Cell {
  if (!value) return { qText: '-', qNum: 'NaN', qElemNumber: 0, qState: 'L', qIsNull: true }
  return { qText: measureText(measure, value), qNum: orNaN(numberOf(value)), qElemNumber: 0, qState: 'L' }
}

export const measureText = (measure: CubeMeasure, value: Value): string =>
  measure.format ? formatValue(value, measure.format) : (value?.text ?? '-')

export function grandTotalRow(cube: Cube): readonly Cell[] {
  return cube.measures.map((measure, index) => {
    const { qText, qNum } = measureCell(measure, cube.total(index))
    return { qText, qNum, qElemNumber: TOTAL_ELEMENT, qState: 'X', qIsTotalCell: true }
  })
}
