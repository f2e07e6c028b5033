/**
 * Builds QRS filter expressions. QRS compares strings without regard to case and evaluates two conditions on one
 * collection independently of each other: a caller that needs both on one element checks the returned objects again.
 */
import { isGuid } from '../../platform/uuid.ts'

export type FilterValue = string | number | boolean
export type FilterOperator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sw' | 'ew' | 'so'

const PATH = /^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/

/** `compare('operational.nextExecution', 'ge', '2026-03-02T06:00:00.000Z')`. Throws on a path that is no property path. */
export function compare(path: string, operator: FilterOperator, value: FilterValue): string {
  if (!PATH.test(path)) throw new TypeError(`"${path}" is not a QRS property path`)
  return `${path} ${operator} ${typeof value === 'string' ? quote(value) : value}`
}

/** `eq('tags.name', "Q1'25")` is `tags.name eq 'Q1\'25'`. */
export function eq(path: string, value: FilterValue): string {
  return compare(path, 'eq', value)
}

/** `guid('id', taskId)`; ids stand without quotes. Throws when the text is no GUID, so nothing can be smuggled in. */
export function guid(path: string, id: string): string {
  if (!PATH.test(path)) throw new TypeError(`"${path}" is not a QRS property path`)
  if (!isGuid(id)) throw new TypeError(`"${id}" is not a GUID`)
  return `${path} eq ${id}`
}

/** All of them; one alone stays as it is. Throws when there is none, as QRS cannot say "everything" or "nothing". */
export function and(...filters: readonly string[]): string {
  return join(filters, 'and')
}

/** Any of them. */
export function or(...filters: readonly string[]): string {
  return join(filters, 'or')
}

/** A custom property and its value; to be checked again on the returned objects as a pair. */
export function customProperty(name: string, value: string): string {
  return and(eq('customProperties.definition.name', name), eq('customProperties.value', value))
}

function join(filters: readonly string[], operator: 'and' | 'or'): string {
  if (filters.length === 0) throw new RangeError(`"${operator}" needs at least one condition`)
  if (filters.length === 1) return filters[0]!
  return filters.map((filter) => `(${filter})`).join(` ${operator} `)
}

/** Apostrophe and backslash are escaped with a backslash; QRS rejects doubled apostrophes. */
function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`
}
