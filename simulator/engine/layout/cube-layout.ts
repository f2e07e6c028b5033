import type { CalcContext } from '../calc/evaluate.ts'
import { numberOf } from '../calc/functions.ts'
import { tagsOf } from '../data.ts'
import { EngineError } from '../errors.ts'
import { asList, orNaN } from '../json.ts'
import type { ValueState } from '../selections.ts'
import { type CubeDimension, type CubeMeasure, sortIndicator } from './columns.ts'
import type { Cube, CubeMode } from './cube.ts'
import { type Area, grandTotalRow, matrixColumns, measureText, readPages, straightPages } from './pages.ts'
import { layOutPivot, pivotPages, stackPages } from './pivot.ts'

/** Above so many cells the least and greatest value of a measure are not calculated for the layout. */
const MAX_SCANNED_CELLS = 1_000_000

const AUTO_FORMAT = { qType: 'U', qnDec: 0, qUseThou: 0 }

/** The `qHyperCube` of a layout, with the pages of `qInitialDataFetch`. */
export function cubeLayout(cube: Cube, context: CalcContext) {
  const common = {
    qSize: cubeSize(cube),
    qEffectiveInterColumnSortOrder: cube.sortOrder,
    qMode: cube.mode,
    qNoOfLeftDims: cube.mode === 'S' ? -1 : (cube.definition.qNoOfLeftDims ?? -1),
    qDimensionInfo: cube.columns.dimensions.map((one) =>
      one.ok ? dimensionInfo(one.value, context) : { qFallbackTitle: '', qError: one.error },
    ),
    qMeasureInfo: cube.columns.measures.map((one) =>
      one.ok ? measureInfo(cube, one.value) : { qFallbackTitle: '', qError: one.error },
    ),
    ...(cube.conditionMessage === null ? {} : { qCalcCondMsg: cube.conditionMessage }),
    qColumnOrder: asList(cube.definition.qColumnOrder),
  }
  if (cube.error) return { ...common, qError: cube.error, qGrandTotalRow: [], ...noPages() }
  return { ...common, qGrandTotalRow: grandTotalRow(cube), ...initialPages(cube, context) }
}

/** Columns and rows: cells of a straight table, leaves of a pivot table. */
function cubeSize(cube: Cube): { readonly qcx: number; readonly qcy: number } {
  if (cube.error) return { qcx: 0, qcy: 0 }
  if (cube.mode === 'S') return { qcx: matrixColumns(cube).length, qcy: cube.rowCount }
  const table = layOutPivot(cube)
  return { qcx: table.columns, qcy: table.rows }
}

const noPages = () => ({ qDataPages: [], qPivotDataPages: [], qStackedDataPages: [] })

type PageMaker = (cube: Cube, areas: readonly Area[], context: CalcContext) => readonly unknown[]
const PAGES: Readonly<Record<CubeMode, { readonly member: string; readonly make: PageMaker }>> = {
  S: { member: 'qDataPages', make: straightPages },
  P: { member: 'qPivotDataPages', make: pivotPages },
  K: { member: 'qStackedDataPages', make: stackPages },
}

function initialPages(cube: Cube, context: CalcContext) {
  const fetch = asList(cube.definition.qInitialDataFetch)
  if (fetch.length === 0) return noPages()
  const { member, make } = PAGES[cube.mode]
  try {
    return { ...noPages(), [member]: make(cube, readPages(fetch), context) }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return { ...noPages(), qError: { qErrorCode: error.code, qExtendedMessage: error.message } }
  }
}

type StateCounts = Readonly<Record<string, number>>
const COUNTED: Readonly<Record<ValueState, string>> = {
  L: 'qLocked',
  S: 'qSelected',
  O: 'qOption',
  A: 'qAlternative',
  X: 'qExcluded',
  XS: 'qSelectedExcluded',
  XL: 'qLockedExcluded',
}

function stateCounts(states: readonly (ValueState | null)[]): StateCounts {
  const counts: Record<string, number> = { qLocked: 0, qSelected: 0, qOption: 0, qDeselected: 0 }
  Object.assign(counts, { qAlternative: 0, qExcluded: 0, qSelectedExcluded: 0, qLockedExcluded: 0 })
  for (const state of states) {
    const name = state && COUNTED[state]
    if (name) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** `NxDimensionInfo` of a dimension. */
export function dimensionInfo(dimension: CubeDimension, context: CalcContext) {
  const { column } = dimension.field
  const states = context.selections.states(dimension.field)
  const present = states.flatMap((state, code) => (state ? [code] : []))
  const possible = states.filter((state) => state === 'O' || state === 'S' || state === 'L').length
  const range = rangeOf(present.map((code) => column.number(code)))
  return {
    qFallbackTitle: dimension.title,
    qApprMaxGlyphCount: longest(present.slice(0, 1000).map((code) => column.symbol(code).text)),
    qCardinal: present.length,
    qSortIndicator: sortIndicator(dimension.sort),
    qGroupFallbackTitles: [dimension.title],
    qGroupPos: 0,
    qStateCounts: stateCounts(states),
    qTags: tagsOf(column),
    qDimensionType: column.numeric ? 'N' : 'D',
    qReverseSort: false,
    qGrouping: 'N',
    qNumFormat: dimension.format ?? column.format ?? AUTO_FORMAT,
    qIsAutoFormat: dimension.format === null,
    qGroupFieldDefs: [dimension.definition],
    qMin: orNaN(range.min),
    qMax: orNaN(range.max),
    qAttrExprInfo: [],
    qAttrDimInfo: [],
    ...(dimension.fieldName === null ? { qIsCalculated: true } : {}),
    ...(dimension.fieldName && context.selections.isLocked(dimension.fieldName) ? { qLocked: true } : {}),
    qCardinalities: { qCardinal: present.length, qHypercubeCardinal: possible },
  }
}

function measureInfo(cube: Cube, measure: CubeMeasure) {
  const index = cube.measures.indexOf(measure)
  const scanned = !cube.error && cube.rowCount * cube.measures.length <= MAX_SCANNED_CELLS
  const values = scanned ? Array.from({ length: cube.rowCount }, (_, row) => numberOf(cube.value(row, index))) : []
  const { min, max } = rangeOf(values)
  const text = (num: number) => (Number.isFinite(num) ? measureText(measure, { text: String(num), num }) : '-')
  return {
    qFallbackTitle: measure.title,
    qApprMaxGlyphCount: longest([text(min), text(max)]),
    qCardinal: 0,
    qSortIndicator: sortIndicator(measure.sort),
    qNumFormat: measure.format ?? AUTO_FORMAT,
    qMin: orNaN(min),
    qMax: orNaN(max),
    qReverseSort: false,
    qIsAutoFormat: measure.format === null,
    qAttrExprInfo: [],
    qAttrDimInfo: [],
    qTrendLines: [],
    ...(measure.error ? { qError: measure.error } : {}),
  }
}

/** Least and greatest number; NaN without any. */
function rangeOf(numbers: readonly number[]): { min: number; max: number } {
  let [min, max] = [Number.NaN, Number.NaN]
  for (const number of numbers) {
    if (Number.isNaN(number)) continue
    if (!(min <= number)) min = number
    if (!(max >= number)) max = number
  }
  return { min, max }
}

const longest = (texts: readonly string[]) => texts.reduce((most, text) => Math.max(most, text.length), 0)
