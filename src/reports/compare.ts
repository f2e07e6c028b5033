/** Comparisons of conditions: numbers by size, two texts by the alphabet, without regard to case and Unicode form. */
import type { Operator } from './entities/condition.ts'
import { linearRegExp } from './linear-regexp.ts'
import type { Cell } from './types.ts'

/** Results of rules, as the API shows them. */
export type Scalar = string | number | null

const MATCH_BUDGET_MS = 100
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i

export const NULL_CELL: Cell = { text: '', number: null }

/** Texts that are decimal numbers, such as values of the key-value store, count as numbers. */
export function cellOfScalar(value: Scalar): Cell {
  if (value === null) return NULL_CELL
  return typeof value === 'number' ? { text: String(value), number: value } : { text: value, number: null }
}

export const scalarOf = ({ text, number }: Cell): Scalar => number ?? (text === '' ? null : text)

const isNull = ({ text, number }: Cell): boolean => text === '' && number === null

/** Null for texts that are no decimal numbers. */
const numberOf = ({ text, number }: Cell): number | null => {
  if (number !== null) return number
  return DECIMAL.test(text.trim()) ? Number(text) : null
}

const folded = ({ text }: Cell): string => text.normalize('NFC').toLowerCase()

/** The number of a value that is not null; throws when it is another text. */
export function neededNumber(cell: Cell): number {
  const number = numberOf(cell)
  if (number === null) throw new Error(`the text "${cell.text}" has no order beside a number or date`)
  return number
}

/** The kept value, unless it is a text and the value of now is a number: then the rule is as at its first run. */
export const comparableTo = (now: Cell, kept: Cell): Cell =>
  numberOf(now) !== null && numberOf(kept) === null ? NULL_CELL : kept

function isEqual(left: Cell, right: Cell): boolean {
  const [a, b] = [numberOf(left), numberOf(right)]
  return a !== null && b !== null ? a === b : folded(left) === folded(right)
}

/** Negative, 0 or positive. Throws for a number and a text, of which the alphabet would make something. */
function order(left: Cell, right: Cell): number {
  if (numberOf(left) !== null || numberOf(right) !== null) return neededNumber(left) - neededNumber(right)
  const [a, b] = [folded(left), folded(right)]
  return a < b ? -1 : a > b ? 1 : 0
}

const within = (left: Cell, right: Cell, right2: Cell): boolean => order(left, right) >= 0 && order(left, right2) <= 0

type Comparison = (left: Cell, right: Cell, right2: Cell) => boolean

/** Operators on values that are not null. */
const COMPARISONS: Readonly<Record<Exclude<Operator, 'empty' | 'notEmpty' | 'ne'>, Comparison>> = {
  eq: isEqual,
  gt: (left, right) => order(left, right) > 0,
  ge: (left, right) => order(left, right) >= 0,
  lt: (left, right) => order(left, right) < 0,
  le: (left, right) => order(left, right) <= 0,
  between: within,
  notBetween: (left, right, right2) => !within(left, right, right2),
  contains: (left, right) => folded(left).includes(folded(right)),
  startsWith: (left, right) => folded(left).startsWith(folded(right)),
  matches: (left, right) => linearRegExp(right.text).test(left.text.normalize('NFC'), MATCH_BUDGET_MS),
}

/** Operands that an operator needs beside the left one. */
export const operandsOf = (operator: Operator): 0 | 1 | 2 => {
  if (operator === 'empty' || operator === 'notEmpty') return 0
  return operator === 'between' || operator === 'notBetween' ? 2 : 1
}

/**
 * With null on either side every operator but `empty`, `notEmpty` and `ne` is false. Throws for a bad pattern of `matches`, and
 * for the order of a number and a text.
 */
export function compare(operator: Operator, left: Cell, right: Cell = NULL_CELL, right2: Cell = NULL_CELL): boolean {
  if (operator === 'empty') return isNull(left)
  if (operator === 'notEmpty') return !isNull(left)
  if (operator === 'ne') return isNull(left) || isNull(right) ? isNull(left) !== isNull(right) : !isEqual(left, right)
  const needed = operandsOf(operator) === 2 ? [left, right, right2] : [left, right]
  return !needed.some(isNull) && COMPARISONS[operator](left, right, right2)
}
