import type { CalcContext } from '../calc/evaluate.ts'
import type { ValueState } from '../data/selections.ts'
import { asList, asNumber } from '../json.ts'
import { type Cell, dimensionCell, measureCell } from './cells.ts'
import type { CubeDimension } from './columns.ts'
import type { Cube } from './cube.ts'
import { type Area, clip, span } from './pages.ts'

export interface DataPage {
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
