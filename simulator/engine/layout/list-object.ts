/** List objects, and the search in a field. */
import { type CalcContext, compile } from '../calc/evaluate.ts'
import { isTrue } from '../calc/functions.ts'
import { ExpressionError } from '../calc/parse.ts'
import type { DataField, DataTable } from '../data.ts'
import type { OpenDoc } from '../doc.ts'
import { asList, type Json } from '../json.ts'
import { codesWhere, rowMask, searchTest, type ValueState } from '../selections.ts'
import { type CubeDimension, type CubeError, rankCodes, resolveDimension } from './columns.ts'
import { groupRows } from './cube.ts'
import { dimensionInfo } from './cube-layout.ts'
import { type Area, clip, dimensionCell, readPages, span } from './pages.ts'

/** A calculated list object: the values of one field with their states, sorted. */
export interface FieldList {
  readonly definition: Json
  readonly dimension: CubeDimension | null
  readonly error: CubeError | null
  readonly codes: readonly number[]
  readonly states: readonly (ValueState | null)[]
}

/** Calculates a `qListObjectDef`; with a search text only the values that it finds. */
export function calculateList(definition: Json, doc: OpenDoc, search: string | undefined): FieldList {
  const { context } = doc
  const resolved = resolveDimension({ qDef: definition.qDef, qLibraryId: definition.qLibraryId }, doc, context)
  if (!resolved.ok) return { definition, dimension: null, error: resolved.error, codes: [], states: [] }
  const dimension = resolved.value
  const states = context.selections.states(dimension.field)
  const rank = rankCodes(dimension.field, dimension.sort, context)
  const accepted = search === undefined ? null : new Set(listSearch(dimension.field, search, doc))
  const codes = states.flatMap((state, code) => (state && (accepted?.has(code) ?? true) ? [code] : []))
  codes.sort((left, right) => rank(left) - rank(right))
  return { definition, dimension, error: null, codes, states }
}

export function listPages(list: FieldList, areas: readonly Area[]) {
  return areas.map((requested) => {
    const area = clip(requested, 1, list.codes.length)
    const qMatrix = span(area.qTop, area.qHeight).map((index) => {
      const code = list.codes[index] ?? -1
      return list.dimension && area.qWidth > 0 ? [dimensionCell(list.dimension, code, list.states[code] ?? 'O')] : []
    })
    return { qMatrix, qTails: [{ qUp: 0, qDown: 0 }], qArea: area, qIsReduced: false }
  })
}

/** The `qListObject` of a layout. */
export function listLayout(list: FieldList, context: CalcContext) {
  if (!list.dimension) {
    return { qSize: { qcx: 0, qcy: 0 }, qError: list.error, qDimensionInfo: { qError: list.error }, qDataPages: [] }
  }
  return {
    qSize: { qcx: 1, qcy: list.codes.length },
    qDimensionInfo: dimensionInfo(list.dimension, context),
    qExpressions: [],
    qDataPages: listPages(list, readPages(asList(list.definition.qInitialDataFetch))),
  }
}

/**
 * Codes of the values that a search finds: search strings, or `=expression` calculated for each value under the
 * selections in the other fields.
 */
export function searchCodes(field: DataField, search: string, doc: OpenDoc): readonly number[] {
  if (!search.trim().startsWith('=')) return codesWhere(field, searchTest(search))
  try {
    const calculate = compile(search, withoutSelection(doc.context, field.column.name))
    const groups = groupRows(field.table, [field.column])
    const codes: number[] = []
    for (let index = 0; index < groups.count; index++) {
      const code = groups.code(index, 0)
      if (code >= 0 && isTrue(calculate(groups.group(index)))) codes.push(code)
    }
    return codes
  } catch (problem) {
    if (problem instanceof ExpressionError) return []
    throw problem
  }
}

/** The same context with nothing selected in one field. */
function withoutSelection(context: CalcContext, name: string): CalcContext {
  const { selections } = context
  const others = new Map([...selections.current()].filter(([field]) => field !== name))
  const reduced = { ...selections, current: () => others, possibleRows: (table: DataTable) => rowMask(table, others) }
  return { ...context, selections: reduced }
}

/** A search in a list box finds parts of words. */
const listSearch = (field: DataField, search: string, doc: OpenDoc): readonly number[] =>
  searchCodes(field, /[*?=<>]/.test(search) ? search : `*${search}*`, doc)
