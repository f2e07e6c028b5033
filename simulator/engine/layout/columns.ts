/** Columns of cubes and list objects: their definitions, conditions, errors and sort order. */
import {
  type CalcContext,
  type Calculation,
  compile,
  compileRows,
  expandDollars,
  plainField,
} from '../calc/evaluate.ts'
import { compareValues, isTrue } from '../calc/functions.ts'
import { ExpressionError } from '../calc/parse.ts'
import type { Column, DataField, Dual } from '../data.ts'
import { ENGINE_ERRORS } from '../errors.ts'
import { asExpression, asList, asNumber, asObject, asText, type Json } from '../json.ts'

/** Where master items are looked up: their properties by id. */
export interface Library {
  dimension(id: string): Json | null
  measure(id: string): Json | null
}

export interface CubeError {
  readonly qErrorCode: number
  readonly qContext?: string
  readonly qExtendedMessage: string
}

export interface CubeDimension {
  readonly title: string
  readonly definition: string
  readonly field: DataField
  /** Null for a calculated dimension, in which nothing can be selected. */
  readonly fieldName: string | null
  readonly format: Json | null
  readonly nullSuppression: boolean
  readonly sort: Json
}

export interface CubeMeasure {
  readonly title: string
  readonly definition: string
  readonly format: Json | null
  readonly sort: Json
  readonly calculate: Calculation
  readonly hasSet: boolean
  readonly error: CubeError | null
}

/** The result of one column definition: usable, failed, or hidden by its condition. */
export type Resolved<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: CubeError }

const fail = (
  name: 'CALC_INVALID_DEF' | 'CALC_NOT_IN_LIB' | 'CALC_EVAL_CONDITION_FAILED',
  message = '',
): { ok: false; error: CubeError } => ({
  ok: false,
  error: { qErrorCode: ENGINE_ERRORS[name][0], qExtendedMessage: message || ENGINE_ERRORS[name][1] },
})

/** False when the condition's expression is not true; an empty condition always holds. */
export function conditionHolds(condition: unknown, context: CalcContext): boolean {
  const holder = asObject(condition)
  const text = asExpression(holder.qCond ?? condition)
  if (text.trim() === '') return true
  try {
    return isTrue(compile(text, context)(null))
  } catch {
    return false
  }
}

export function resolveDimension(item: unknown, library: Library, context: CalcContext): Resolved<CubeDimension> {
  const given = asObject(item)
  if (!conditionHolds(given.qCalcCondition ?? given.qCalcCond, context)) return fail('CALC_EVAL_CONDITION_FAILED')
  const libraryId = asText(given.qLibraryId)
  const own = asObject(given.qDef)
  const master = libraryId === '' ? null : library.dimension(libraryId)
  if (libraryId !== '' && !master) return fail('CALC_NOT_IN_LIB', `Dimension ${libraryId} is not in the library`)
  const source = master ? asObject(master.qDim) : own
  const definition = asText(asList(source.qFieldDefs)[0])
  const field = dimensionField(definition, context)
  if (!field) return fail('CALC_INVALID_DEF', `Invalid dimension: ${definition}`)
  const label = asText(asList(source.qFieldLabels)[0]) || asText(asObject(master?.qMetaDef).title)
  const format = asObject(asList(own.qNumberFormats)[0])
  const plain = plainField(definition, context.model)
  return {
    ok: true,
    value: {
      title: evaluatedLabel(label, context) || (plain ? plain.column.name : definition),
      definition,
      field,
      fieldName: plain ? plain.column.name : null,
      format: Object.keys(format).length > 0 ? format : null,
      nullSuppression: given.qNullSuppression === true,
      sort: asObject(asList(own.qSortCriterias)[0]),
    },
  }
}

export function resolveMeasure(item: unknown, library: Library, context: CalcContext): Resolved<CubeMeasure> {
  const given = asObject(item)
  if (!conditionHolds(given.qCalcCondition ?? given.qCalcCond, context)) return fail('CALC_EVAL_CONDITION_FAILED')
  const libraryId = asText(given.qLibraryId)
  const own = asObject(given.qDef)
  const master = libraryId === '' ? null : library.measure(libraryId)
  if (libraryId !== '' && !master) return fail('CALC_NOT_IN_LIB', `Measure ${libraryId} is not in the library`)
  const source = master ? asObject(master.qMeasure) : own
  const definition = asText(source.qDef)
  const label = asText(source.qLabel) || asText(asObject(master?.qMetaDef).title)
  const format = asObject(own.qNumFormat ?? source.qNumFormat)
  const { calculate, error } = calculation(definition, context)
  return {
    ok: true,
    value: {
      title: evaluatedLabel(label, context) || definition.replace(/^=/, ''),
      definition,
      format: Object.keys(format).length > 0 ? format : null,
      sort: asObject(given.qSortBy),
      calculate,
      hasSet: /\{\s*[$1<]/.test(definition),
      error,
    },
  }
}

function calculation(definition: string, context: CalcContext): Pick<CubeMeasure, 'calculate' | 'error'> {
  try {
    return { calculate: compile(definition, context), error: null }
  } catch (problem) {
    if (!(problem instanceof ExpressionError)) throw problem
    return { calculate: () => null, error: fail('CALC_INVALID_DEF', `Error in expression: ${problem.message}`).error }
  }
}

/** Labels may be expressions: `='Sales ' & vYear`. */
function evaluatedLabel(label: string, context: CalcContext): string {
  if (!label.startsWith('=')) return label
  try {
    return compile(label, context)(null)?.text ?? ''
  } catch {
    return label
  }
}

/** The data behind a dimension's definition: a field, or an expression over the rows of one table. */
function dimensionField(definition: string, context: CalcContext): DataField | null {
  const plain = plainField(expandDollars(definition, context), context.model)
  if (plain) return plain
  try {
    return calculatedField(definition, context)
  } catch (problem) {
    if (problem instanceof ExpressionError) return null
    throw problem
  }
}

function calculatedField(definition: string, context: CalcContext): DataField | null {
  if (definition.trim() === '') return null
  const rows = compileRows(definition, context)
  if (!rows) return null
  const codes = new Int32Array(rows.table.rowCount)
  const known = new Map<string, number>()
  const symbols: Dual[] = []
  for (let row = 0; row < codes.length; row++) {
    const value = rows.calculate(row)
    if (value && !known.has(value.text)) known.set(value.text, symbols.push(value) - 1)
    codes[row] = value ? (known.get(value.text) ?? -1) : -1
  }
  const empty: Dual = { text: '', num: Number.NaN }
  const column: Column = {
    name: definition,
    cardinal: symbols.length,
    numeric: symbols.some((symbol) => !Number.isNaN(symbol.num)),
    codeAt: (row) => codes[row] ?? -1,
    symbol: (code) => symbols[code] ?? empty,
    number: (code) => symbols[code]?.num ?? Number.NaN,
  }
  return { table: rows.table, column }
}

type SortIndicator = 'A' | 'D' | 'N'

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
