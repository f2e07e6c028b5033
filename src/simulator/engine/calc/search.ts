import { type DataField, type Dual, presentCodes } from '../data/column.ts'

/** Codes of the values that a test accepts, in load order. */
export function codesWhere(field: DataField, accepts: (value: Dual) => boolean): number[] {
  const codes: number[] = []
  presentCodes(field).forEach((exists, code) => {
    if (exists && accepts(field.column.symbol(code))) codes.push(code)
  })
  return codes
}

/** `true` when the value is meant by the text or the number; texts compare exactly. */
export const isValue = (value: Dual, wanted: Dual) =>
  Number.isNaN(wanted.num) ? value.text === wanted.text : value.num === wanted.num

const RANGE = /^\s*(?:(>=|>)\s*(-?[\d.]+))?\s*(?:(<=|<)\s*(-?[\d.]+))?\s*$/

/**
 * The engine's search strings: numeric ranges such as `>=100<200`, the wildcards `*` and `?`, else the whole text;
 * case is ignored. Expression searches (`=Sum(Sales)>0`) are the caller's.
 */
export function searchTest(search: string): (value: Dual) => boolean {
  const range = search.trim() === '' ? null : RANGE.exec(search)
  if (range && (range[1] || range[3])) return rangeTest(range)
  const pattern = search
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  const whole = new RegExp(`^${pattern}$`, 'isu')
  return (value) => whole.test(value.text)
}

function rangeTest([, low, lowText, high, highText]: RegExpExecArray): (value: Dual) => boolean {
  const [from, to] = [Number(lowText), Number(highText)]
  return ({ num }) => {
    if (Number.isNaN(num)) return false
    if (low && !(low === '>' ? num > from : num >= from)) return false
    return !high || (high === '<' ? num < to : num <= to)
  }
}
