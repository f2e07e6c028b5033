import { type CalcContext, compile } from './calc/evaluate.ts'
import { isTrue } from './calc/functions.ts'
import { codesWhere, isValue, searchTest } from './calc/search.ts'
import { ExpressionError } from './calc/syntax.ts'
import type { DataField, DataTable } from './data/column.ts'
import { rowMask } from './data/selections.ts'
import type { OpenDoc } from './doc.ts'
import { asList, asNumber, asObject, asText } from './json.ts'
import { groupRows } from './layout/groups.ts'

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

/** The same surroundings, nothing selected in one field. */
function withoutSelection(context: CalcContext, name: string): CalcContext {
  const { selections } = context
  const others = new Map([...selections.current()].filter(([field]) => field !== name))
  const reduced = { ...selections, current: () => others, possibleRows: (table: DataTable) => rowMask(table, others) }
  return { ...context, selections: reduced }
}

/** Searching in a list box finds parts of words, like typing into it. */
export const listSearch = (field: DataField, search: string, doc: OpenDoc): readonly number[] =>
  searchCodes(field, /[*?=<>]/.test(search) ? search : `*${search}*`, doc)

/** Codes of given `FieldValue`s; values that do not exist are left out, as the engine does without an error. */
export function codesOfValues(field: DataField, values: unknown): readonly number[] {
  const wanted = asList(values).map((value) => {
    const { qText, qIsNumeric, qNumber } = asObject(value)
    return { text: asText(qText), num: qIsNumeric === true ? asNumber(qNumber, Number.NaN) : Number.NaN }
  })
  return codesWhere(field, (symbol) => wanted.some((one) => isValue(symbol, one)))
}

/** The codes of a field that are in one of the states. */
export function codesInStates(field: DataField, states: readonly string[], doc: OpenDoc): readonly number[] {
  return doc.context.selections.states(field).flatMap((state, code) => (state && states.includes(state) ? [code] : []))
}
