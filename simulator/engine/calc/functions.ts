/** The functions, operators and aggregations of expressions, by lower-case name. */
import type { DataTable, Dual } from '../data.ts'
import { formatNumber, fromSerial, numberText, toSerial } from '../format.ts'
import type { AggregationName } from './parse.ts'

/** A calculated value; null is Qlik's NULL. */
export type Value = Dual | null

/** Data outside of their arguments that functions may read. */
export interface FunctionContext {
  /** Simulated time and time of the last reload, ms since 1970. */
  readonly now: number
  readonly reloadTime: number
  /** Numbers of selected and of possible values of a field; null for an unknown field. */
  valueCounts(field: string): { readonly selected: number; readonly possible: number } | null
}

export const ofNumber = (num: number): Value => (Number.isNaN(num) ? null : { text: numberText(num), num })
export const ofText = (text: string): Value => ({ text, num: Number.NaN })
/** True is -1. */
const ofFlag = (flag: boolean): Value => ofNumber(flag ? -1 : 0)
export const isTrue = (value: Value): boolean => value !== null && !Number.isNaN(value.num) && value.num !== 0
/** The number that the engine sends: a text has none, also where it consists of digits. */
export const ownNumber = (value: Value): number => value?.num ?? Number.NaN
/** The number in calculations, which read texts. */
export const numberOf = (value: Value): number => {
  if (!value) return Number.NaN
  return Number.isNaN(value.num) && value.text.trim() !== '' ? Number(value.text) : value.num
}

type Fn = (args: readonly Value[], context: FunctionContext) => Value

const pattern = (value: Value | undefined, fallback: string) => value?.text ?? fallback
const dated = (serial: number, text: string): Value => ({
  text: formatNumber(serial, { qType: 'D', qFmt: text }),
  num: serial,
})
const datePart =
  (read: (date: Date) => number): Fn =>
  ([value]) =>
    ofNumber(read(new Date(fromSerial(numberOf(value ?? null)))))

/** Functions over single values, by lower-case name. */
export const FUNCTIONS: Readonly<Record<string, Fn>> = {
  if: ([condition, then, otherwise]) => (isTrue(condition ?? null) ? then : otherwise) ?? null,
  alt: (args) => args.find((value) => value !== null && !Number.isNaN(value.num)) ?? args.at(-1) ?? null,
  isnull: ([value]) => ofFlag((value ?? null) === null),
  null: () => null,
  true: () => ofFlag(true),
  false: () => ofFlag(false),
  round: ([value, step]) => roundTo(numberOf(value ?? null), step ? numberOf(step) : 1),
  floor: ([value]) => ofNumber(Math.floor(numberOf(value ?? null))),
  ceil: ([value]) => ofNumber(Math.ceil(numberOf(value ?? null))),
  fabs: ([value]) => ofNumber(Math.abs(numberOf(value ?? null))),
  num: ([value, format]) => {
    const num = numberOf(value ?? null)
    if (Number.isNaN(num)) return null
    return { num, text: format ? formatNumber(num, { qType: 'R', qFmt: format.text }) : numberText(num) }
  },
  text: ([value]) => (value ? ofText(value.text) : null),
  upper: ([value]) => (value ? ofText(value.text.toUpperCase()) : null),
  lower: ([value]) => (value ? ofText(value.text.toLowerCase()) : null),
  len: ([value]) => ofNumber(value?.text.length ?? 0),
  date: ([value, format]) => {
    const serial = numberOf(value ?? null)
    return Number.isNaN(serial) ? null : dated(serial, pattern(format, 'YYYY-MM-DD'))
  },
  year: datePart((date) => date.getUTCFullYear()),
  month: datePart((date) => date.getUTCMonth() + 1),
  day: datePart((date) => date.getUTCDate()),
  today: (_args, { now }) => dated(Math.floor(toSerial(now)), 'YYYY-MM-DD'),
  now: (_args, { now }) => dated(toSerial(now), 'YYYY-MM-DD hh:mm:ss'),
  reloadtime: (_args, { reloadTime }) => dated(toSerial(reloadTime), 'YYYY-MM-DD hh:mm:ss'),
}

/** Functions that take a field, not its value. */
export const FIELD_FUNCTIONS: Readonly<Record<string, (field: string, context: FunctionContext) => Value>> = {
  getselectedcount: (field, context) => ofNumber(context.valueCounts(field)?.selected ?? Number.NaN),
  getpossiblecount: (field, context) => ofNumber(context.valueCounts(field)?.possible ?? Number.NaN),
}

function roundTo(num: number, step: number): Value {
  if (step === 0) return null
  const decimals = Math.max(0, -Math.floor(Math.log10(Math.abs(step))))
  return ofNumber(Number((Math.floor(num / step + 0.5) * step).toFixed(Math.min(decimals + 2, 20))))
}

type Operator = (left: Value, right: Value) => Value
const arithmetic =
  (compute: (left: number, right: number) => number): Operator =>
  (left, right) => {
    const result = compute(numberOf(left), numberOf(right))
    return Number.isFinite(result) ? ofNumber(result) : null
  }
const comparison =
  (test: (order: number) => boolean): Operator =>
  (left, right) =>
    ofFlag(left !== null && right !== null && test(compareValues(left, right)))

export const OPERATORS: Readonly<Record<string, Operator>> = {
  '+': arithmetic((left, right) => left + right),
  '-': arithmetic((left, right) => left - right),
  '*': arithmetic((left, right) => left * right),
  '/': arithmetic((left, right) => left / right),
  '&': (left, right) => ofText((left?.text ?? '') + (right?.text ?? '')),
  '=': comparison((order) => order === 0),
  '<>': comparison((order) => order !== 0),
  '<': comparison((order) => order < 0),
  '>': comparison((order) => order > 0),
  '<=': comparison((order) => order <= 0),
  '>=': comparison((order) => order >= 0),
  and: (left, right) => ofFlag(isTrue(left) && isTrue(right)),
  or: (left, right) => ofFlag(isTrue(left) || isTrue(right)),
}

/** Numbers by size, texts by alphabet ignoring case; numbers before texts. */
export function compareValues(left: Dual, right: Dual): number {
  const [leftIsNumber, rightIsNumber] = [!Number.isNaN(left.num), !Number.isNaN(right.num)]
  if (leftIsNumber && rightIsNumber) return left.num - right.num
  if (leftIsNumber !== rightIsNumber) return leftIsNumber ? -1 : 1
  const [a, b] = [left.text.toLowerCase(), right.text.toLowerCase()]
  return a < b ? -1 : a > b ? 1 : 0
}

/** How an aggregation reads a row; `number` is the fast way, NaN where there is none. */
interface RowReaders {
  number(row: number): number
  value(row: number): Value
  /** Separator of Concat. */
  readonly separator: string
  readonly distinct: boolean
}

/** Calls back for each row of a group. */
type RowVisitor = (visit: (row: number) => void) => void

type Aggregate = (rows: RowVisitor, readers: RowReaders) => Value

/** The aggregation functions over the rows of a group. Nulls are left out; without any value Sum and Count are 0. */
export const AGGREGATE: Readonly<Record<AggregationName, Aggregate>> = {
  sum: (rows, readers) => ofNumber(numbers(rows, readers).sum),
  avg: (rows, readers) => {
    const { sum, count } = numbers(rows, readers)
    return count === 0 ? null : ofNumber(sum / count)
  },
  min: (rows, readers) => finite(numbers(rows, readers).min),
  max: (rows, readers) => finite(numbers(rows, readers).max),
  count: (rows, readers) => {
    if (readers.distinct) return ofNumber(distinctValues(rows, readers).length)
    let count = 0
    rows((row) => {
      if (readers.value(row) !== null) count += 1
    })
    return ofNumber(count)
  },
  only: (rows, readers) => {
    const values = distinctValues(rows, readers)
    return values.length === 1 ? (values[0] ?? null) : null
  },
  concat: (rows, readers) => {
    const values = readers.distinct ? distinctValues(rows, readers) : allValues(rows, readers)
    const texts = [...values].sort(compareValues).map((value) => value.text)
    return ofText(texts.join(readers.separator))
  },
}

type Present = NonNullable<Value>

const finite = (num: number) => (Number.isFinite(num) ? ofNumber(num) : null)

function numbers(rows: RowVisitor, readers: RowReaders) {
  const seen = readers.distinct ? new Set<number>() : null
  const result = { sum: 0, count: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY }
  rows((row) => {
    const num = readers.number(row)
    if (Number.isNaN(num) || seen?.has(num)) return
    seen?.add(num)
    result.sum += num
    result.count += 1
    if (num < result.min) result.min = num
    if (num > result.max) result.max = num
  })
  return result
}

function allValues(rows: RowVisitor, readers: RowReaders): Present[] {
  const values: Present[] = []
  rows((row) => {
    const value = readers.value(row)
    if (value) values.push(value)
  })
  return values
}

function distinctValues(rows: RowVisitor, readers: RowReaders): Present[] {
  const values = new Map<string, Present>()
  rows((row) => {
    const value = readers.value(row)
    if (value && !values.has(value.text)) values.set(value.text, value)
  })
  return [...values.values()]
}

/** The rows that a mask lets through, of all rows of a table or of a list of them. */
export function visitRows(table: DataTable, mask: Uint8Array | null, only: Uint32Array | null): RowVisitor {
  return (visit) => {
    if (only) {
      for (const row of only) if (!mask || mask[row]) visit(row)
      return
    }
    for (let row = 0; row < table.rowCount; row++) if (!mask || mask[row]) visit(row)
  }
}
