import type { CalcContext } from '../calc/evaluate.ts'
import type { DataField } from '../data/column.ts'
import type { ValueState } from '../data/selections.ts'
import { asList, type Json } from '../json.ts'
import { dimensionCell } from './cells.ts'
import { type CubeDimension, type CubeError, type Library, resolveDimension } from './columns.ts'
import { dimensionInfo } from './cube-layout.ts'
import { type Area, clip, readPages, span } from './pages.ts'
import { rankCodes } from './sorting.ts'

/** A calculated list object: the values of one field with their states, sorted. */
export interface FieldList {
  readonly definition: Json
  readonly dimension: CubeDimension | null
  readonly error: CubeError | null
  readonly codes: readonly number[]
  readonly states: readonly (ValueState | null)[]
}

/** Calculates a `qListObjectDef`; `search` keeps the values that it accepts (list search). */
export function calculateList(
  definition: Json,
  library: Library,
  context: CalcContext,
  search: ((field: DataField) => readonly number[]) | null = null,
): FieldList {
  const resolved = resolveDimension({ qDef: definition.qDef, qLibraryId: definition.qLibraryId }, library, context)
  if (!resolved.ok) return { definition, dimension: null, error: resolved.error, codes: [], states: [] }
  const dimension = resolved.value
  const states = context.selections.states(dimension.field)
  const rank = rankCodes(dimension.field, dimension.sort, context)
  const accepted = search ? new Set(search(dimension.field)) : null
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
