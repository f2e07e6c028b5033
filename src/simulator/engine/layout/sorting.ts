import type { CalcContext } from '../calc/evaluate.ts'
import { compareValues } from '../calc/functions.ts'
import type { DataField } from '../data/column.ts'
import { asNumber, asObject, type Json } from '../json.ts'

export type SortIndicator = 'A' | 'D' | 'N'

const CRITERIA = ['qSortByState', 'qSortByFrequency', 'qSortByNumeric', 'qSortByAscii', 'qSortByLoadOrder'] as const
type Criterion = (typeof CRITERIA)[number]

/** The first direction that is set, as the arrow of the column shows it. */
export function sortIndicator(criteria: Json): SortIndicator {
  const direction = CRITERIA.map((name) => asNumber(criteria[name])).find((one) => one !== 0)
  if (direction === undefined) return 'N'
  return direction > 0 ? 'A' : 'D'
}

/** Rank of every code of a field under a `qSortCriterias` element; without criteria the load order. Null ranks last. */
export function rankCodes(field: DataField, criteria: unknown, context: CalcContext): (code: number) => number {
  const wanted = asObject(criteria)
  const active = CRITERIA.flatMap((name) => {
    const direction = Math.sign(asNumber(wanted[name]))
    return direction === 0 ? [] : [{ compare: comparer(name, field, context), direction }]
  })
  const onlyLoadOrder = active.length === 0 || (active.length === 1 && asNumber(wanted.qSortByLoadOrder) > 0)
  if (onlyLoadOrder) return (code) => (code < 0 ? field.column.cardinal : code)
  const codes = Array.from({ length: field.column.cardinal }, (_, code) => code)
  codes.sort((left, right) => {
    for (const { compare, direction } of active) {
      const order = compare(left, right) * direction
      if (order !== 0) return order
    }
    return left - right
  })
  const ranks = new Int32Array(codes.length)
  codes.forEach((code, rank) => {
    ranks[code] = rank
  })
  return (code) => (code < 0 ? ranks.length : (ranks[code] ?? 0))
}

type Comparer = (left: number, right: number) => number

/** Selected and possible values come before alternative and excluded ones. */
const STATE_ORDER: Readonly<Record<string, number>> = { L: 0, S: 0, O: 0, A: 1, XS: 2, XL: 2, X: 2 }

function comparer(name: Criterion, field: DataField, context: CalcContext): Comparer {
  const { column, table } = field
  switch (name) {
    case 'qSortByLoadOrder':
      return (left, right) => left - right
    case 'qSortByNumeric':
      return (left, right) => numeric(column.number(left), column.number(right))
    case 'qSortByAscii': {
      const texts = Array.from({ length: column.cardinal }, (_, code) => column.symbol(code).text)
      return (left, right) => compareTexts(texts[left] ?? '', texts[right] ?? '')
    }
    case 'qSortByFrequency': {
      const counts = new Uint32Array(column.cardinal)
      for (let row = 0; row < table.rowCount; row++) {
        const code = column.codeAt(row)
        if (code >= 0) counts[code] = (counts[code] ?? 0) + 1
      }
      return (left, right) => (counts[right] ?? 0) - (counts[left] ?? 0)
    }
    case 'qSortByState': {
      const states = context.selections.states(field)
      const order = (code: number) => STATE_ORDER[states[code] ?? 'X'] ?? 2
      return (left, right) => order(left) - order(right)
    }
  }
}

function numeric(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right))
  return left - right
}

const compareTexts = (left: string, right: string) =>
  compareValues({ text: left, num: Number.NaN }, { text: right, num: Number.NaN })
