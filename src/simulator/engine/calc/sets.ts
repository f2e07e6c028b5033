import { type DataField, type DataModel, type DataTable, presentCodes } from '../data/column.ts'
import { rowMask, type SelectionMap } from '../data/selections.ts'
import { codesWhere, searchTest } from './search.ts'
import type { SetExpression, SetModifier, SetValue } from './syntax.ts'

type Codes = ReadonlySet<number>
type Combine = (current: Codes, wanted: Codes) => Codes

const COMBINE: Readonly<Record<SetModifier['operator'], Combine>> = {
  '=': (_current, wanted) => wanted,
  '-=': (current, wanted) => current.difference(wanted),
  '+=': (current, wanted) => current.union(wanted),
  '*=': (current, wanted) => current.intersection(wanted),
}

/** The selections that a set expression stands for. */
function setSelections(set: SetExpression, current: SelectionMap, model: DataModel): SelectionMap {
  const result = new Map(set.everything ? [] : current)
  for (const modifier of set.modifiers) {
    const field = model.field(modifier.field)
    if (!field) continue
    if (modifier.values === null) {
      result.delete(modifier.field)
      continue
    }
    const before = result.get(modifier.field) ?? everyCode(field)
    result.set(modifier.field, COMBINE[modifier.operator](before, matchingCodes(field, modifier.values)))
  }
  return result
}

/** Rows of the table that are in the set; null = all. */
export const setMask = (set: SetExpression, current: SelectionMap, model: DataModel, table: DataTable) =>
  rowMask(table, setSelections(set, current, model))

function matchingCodes(field: DataField, values: readonly SetValue[]): Codes {
  const tests = values.map((value) => {
    if (value.search) return searchTest(value.text)
    const num = Number(value.text)
    return (symbol: { text: string; num: number }) =>
      symbol.text === value.text || (value.text.trim() !== '' && symbol.num === num)
  })
  return new Set(codesWhere(field, (symbol) => tests.some((test) => test(symbol))))
}

function everyCode(field: DataField): Codes {
  const codes = new Set<number>()
  presentCodes(field).forEach((exists, code) => {
    if (exists) codes.add(code)
  })
  return codes
}
