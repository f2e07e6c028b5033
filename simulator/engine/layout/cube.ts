/** Hypercubes: rows that are grouped, filtered and sorted, with measures calculated per cell. */
import type { CalcContext, Group } from '../calc/evaluate.ts'
import { numberOf, type Value } from '../calc/functions.ts'
import type { Column, DataTable } from '../data.ts'
import { ENGINE_ERRORS } from '../errors.ts'
import { asList, asNumber, asText, type Json } from '../json.ts'
import {
  type CubeDimension,
  type CubeError,
  type CubeMeasure,
  conditionHolds,
  type Library,
  type Resolved,
  rankCodes,
  resolveDimension,
  resolveMeasure,
} from './columns.ts'

export type CubeMode = 'S' | 'P' | 'K'

/** A calculated hypercube: its rows are known and sorted, its measures are calculated when a cell is read. */
export interface Cube {
  readonly definition: Json
  readonly mode: CubeMode
  readonly dimensions: readonly CubeDimension[]
  readonly measures: readonly CubeMeasure[]
  /** Every column that was defined, the hidden ones as their error. */
  readonly columns: {
    readonly dimensions: readonly Resolved<CubeDimension>[]
    readonly measures: readonly Resolved<CubeMeasure>[]
  }
  readonly error: CubeError | null
  readonly conditionMessage: string | null
  /** Columns in the order of sorting. */
  readonly sortOrder: readonly number[]
  readonly rowCount: number
  /** Code of a row's dimension, -1 for null. */
  code(row: number, dimension: number): number
  /** Null when the cube has no dimension: then its only row is the total. */
  group(row: number): Group | null
  value(row: number, measure: number): Value
  total(measure: number): Value
}

function cubeMode(mode: unknown): CubeMode {
  const text = asText(mode).replace('DATA_MODE_', '')
  if (text === 'P' || text === 'PIVOT' || text === '1') return 'P'
  return text === 'K' || text === 'PIVOT_STACK' || text === '2' ? 'K' : 'S'
}

/** Calculates a `qHyperCubeDef`. A mistake in it becomes `error`, as in the engine. */
export function calculateCube(definition: Json, library: Library, context: CalcContext): Cube {
  const dimensionColumns = asList(definition.qDimensions).map((item) => resolveDimension(item, library, context))
  const measureColumns = asList(definition.qMeasures).map((item) => resolveMeasure(item, library, context))
  const dimensions = dimensionColumns.flatMap((one) => (one.ok ? [one.value] : []))
  const measures = measureColumns.flatMap((one) => (one.ok ? [one.value] : []))
  const condition = definition.qCalcCondition ?? definition.qCalcCond
  const holds = conditionHolds(condition, context)
  const error = holds ? firstError([...dimensionColumns, ...measureColumns]) : conditionError(condition)
  const rows = error ? noRows() : calculateRows(definition, dimensions, measures, context)
  return {
    definition,
    mode: cubeMode(definition.qMode),
    dimensions,
    measures,
    columns: { dimensions: dimensionColumns, measures: measureColumns },
    error,
    conditionMessage: holds ? null : (error?.qExtendedMessage ?? ''),
    sortOrder: sortOrder(definition, dimensions.length + measures.length),
    ...rows,
    value: (row, measure) => measures[measure]?.calculate(rows.group(row)) ?? null,
    total: (measure) => measures[measure]?.calculate(null) ?? null,
  }
}

const CONDITION_FAILED = ENGINE_ERRORS.CALC_EVAL_CONDITION_FAILED[0]

/** A hidden column is no error of the cube. */
function firstError(columns: readonly Resolved<unknown>[]): CubeError | null {
  for (const column of columns) {
    if (!column.ok && column.error.qErrorCode !== CONDITION_FAILED) return column.error
  }
  return null
}

function conditionError(condition: unknown): CubeError {
  const message = (condition as { qMsg?: unknown } | null)?.qMsg
  const text = asText((message as { qv?: unknown } | undefined)?.qv ?? message)
  return { qErrorCode: CONDITION_FAILED, qExtendedMessage: text || ENGINE_ERRORS.CALC_EVAL_CONDITION_FAILED[1] }
}

function sortOrder(definition: Json, columns: number): number[] {
  const given = asList(definition.qInterColumnSortOrder).map((one) => asNumber(one, -1))
  const valid = given.filter((column, index) => column >= 0 && column < columns && given.indexOf(column) === index)
  const rest = Array.from({ length: columns }, (_, column) => column).filter((column) => !valid.includes(column))
  return [...valid, ...rest]
}

type Rows = Pick<Cube, 'rowCount' | 'code' | 'group'>
const noRows = (): Rows => ({ rowCount: 0, code: () => -1, group: () => null })

function calculateRows(
  definition: Json,
  dimensions: readonly CubeDimension[],
  measures: readonly CubeMeasure[],
  context: CalcContext,
): Rows {
  const table = dimensions[0]?.field.table
  if (!table) return { ...noRows(), rowCount: measures.length > 0 ? 1 : 0 }
  const own = dimensions.map(({ field }) =>
    field.table === table ? field.column : { ...field.column, codeAt: () => -1 },
  )
  const groups = groupRows(table, own)
  const visible = visibleGroups(definition, groups, table, dimensions, measures, context)
  sortGroups(visible, groups, definition, dimensions, measures, context)
  return {
    rowCount: visible.length,
    code: (row, dimension) => groups.code(visible[row] ?? 0, dimension),
    group: (row) => groups.group(visible[row] ?? 0),
  }
}

function visibleGroups(
  definition: Json,
  groups: Groups,
  table: DataTable,
  dimensions: readonly CubeDimension[],
  measures: readonly CubeMeasure[],
  context: CalcContext,
): Uint32Array {
  const mask = context.selections.possibleRows(table)
  const setMeasures = measures.filter((measure) => measure.hasSet)
  const suppressZero = definition.qSuppressZero === true && measures.length > 0
  const suppressMissing = definition.qSuppressMissing === true && measures.length > 0
  const hasValue = (group: Group, tested: readonly CubeMeasure[], zeroCounts: boolean) =>
    tested.some((measure) => {
      const value = measure.calculate(group)
      return value !== null && (zeroCounts || numberOf(value) !== 0)
    })
  const visible: number[] = []
  for (let index = 0; index < groups.count; index++) {
    if (dimensions.some((one, column) => one.nullSuppression && groups.code(index, column) < 0)) continue
    const group = groups.group(index)
    const possible = !mask || group.rows.some((row) => mask[row] === 1)
    if (!possible && !hasValue(group, setMeasures, false)) continue
    if (suppressZero && !hasValue(group, measures, false)) continue
    if (suppressMissing && !suppressZero && !hasValue(group, measures, true)) continue
    visible.push(index)
  }
  return Uint32Array.from(visible)
}

function sortGroups(
  visible: Uint32Array,
  groups: Groups,
  definition: Json,
  dimensions: readonly CubeDimension[],
  measures: readonly CubeMeasure[],
  context: CalcContext,
) {
  const comparers = sortOrder(definition, dimensions.length + measures.length).flatMap((column) => {
    const dimension = dimensions[column]
    if (dimension) {
      const rank = rankCodes(dimension.field, dimension.sort, context)
      return [(left: number, right: number) => rank(groups.code(left, column)) - rank(groups.code(right, column))]
    }
    const measure = measures[column - dimensions.length]
    const direction = Math.sign(asNumber(measure?.sort.qSortByNumeric))
    if (!measure || direction === 0) return []
    const values = new Float64Array(groups.count).fill(Number.NaN)
    for (const group of visible) values[group] = numberOf(measure.calculate(groups.group(group)))
    return [(left: number, right: number) => direction * compareNumbers(values[left] ?? 0, values[right] ?? 0)]
  })
  visible.sort((left, right) => {
    for (const compare of comparers) {
      const order = compare(left, right)
      if (order !== 0) return order
    }
    return left - right
  })
}

const compareNumbers = (left: number, right: number) =>
  Number.isNaN(left) || Number.isNaN(right) ? Number(Number.isNaN(right)) - Number(Number.isNaN(left)) : left - right

/** The distinct combinations of some columns' values in a table, in load order, with the rows of each. */
interface Groups {
  readonly count: number
  /** Code of a group in the nth column, -1 for null. */
  code(group: number, column: number): number
  group(index: number): Group
}

export function groupRows(table: DataTable, columns: readonly Column[]): Groups {
  const groupOf = new Uint32Array(table.rowCount)
  const codes: number[] = []
  const keyOf = keyMaker(columns)
  const known = new Map<number | string, number>()
  for (let row = 0; row < table.rowCount; row++) {
    const key = keyOf(row)
    let group = known.get(key)
    if (group === undefined) {
      group = known.size
      known.set(key, group)
      for (const column of columns) codes.push(column.codeAt(row))
    }
    groupOf[row] = group
  }
  const { offsets, rows } = sortByGroup(groupOf, known.size)
  return {
    count: known.size,
    code: (group, column) => codes[group * columns.length + column] ?? -1,
    group: (index) => ({ table, rows: rows.subarray(offsets[index], offsets[index + 1]) }),
  }
}

/** One number for the combination where it fits into a double exactly, else a text. */
function keyMaker(columns: readonly Column[]): (row: number) => number | string {
  const size = columns.reduce((product, column) => product * (column.cardinal + 1), 1)
  if (size > Number.MAX_SAFE_INTEGER) return (row) => columns.map((column) => column.codeAt(row)).join(',')
  return (row) => {
    let key = 0
    for (const column of columns) key = key * (column.cardinal + 1) + column.codeAt(row) + 1
    return key
  }
}

function sortByGroup(groupOf: Uint32Array, count: number) {
  const offsets = new Uint32Array(count + 1)
  for (const group of groupOf) offsets[group + 1] = (offsets[group + 1] ?? 0) + 1
  for (let group = 0; group < count; group++) offsets[group + 1] = (offsets[group + 1] ?? 0) + (offsets[group] ?? 0)
  const next = offsets.slice()
  const rows = new Uint32Array(groupOf.length)
  groupOf.forEach((group, row) => {
    const place = next[group] ?? 0
    rows[place] = row
    next[group] = place + 1
  })
  return { offsets, rows }
}
