/** Selections of a session, and the search strings that find values to select. */
import { type DataField, type DataModel, type DataTable, type Dual, presentCodes } from './data.ts'

/** Selected codes of some fields. */
export type SelectionMap = ReadonlyMap<string, ReadonlySet<number>>

/** L locked, S selected, O optional, A alternative, X excluded, XS selected but excluded, XL locked but excluded. */
export type ValueState = 'L' | 'S' | 'O' | 'A' | 'X' | 'XS' | 'XL'

export interface Selections {
  /** Rises with every change. */
  readonly version: number
  current(): SelectionMap
  isLocked(field: string): boolean
  /** False when the field is locked, or when nothing was given and nothing is to be cleared. */
  select(field: string, codes: Iterable<number>, toggle?: boolean): boolean
  clear(field: string): boolean
  clearAll(lockedAlso: boolean, except?: string): void
  lock(field: string, locked: boolean): boolean
  /** Replaces everything that is not locked. */
  replace(selections: SelectionMap): void
  /** One byte a row, 1 = possible; null = every row. */
  possibleRows(table: DataTable): Uint8Array | null
  /** State of every code of the field; null where the value does not occur in the data. */
  states(field: DataField): readonly (ValueState | null)[]
}

/** Which rows fit a set of selections; null = all of them. Fields of other tables have no effect. */
export function rowMask(table: DataTable, selections: SelectionMap, except?: string): Uint8Array | null {
  const filters = table.columns.flatMap((column) => {
    const codes = column.name === except ? undefined : selections.get(column.name)
    return codes ? [{ column, codes }] : []
  })
  if (filters.length === 0) return null
  const mask = new Uint8Array(table.rowCount)
  for (let row = 0; row < table.rowCount; row++) {
    if (filters.every(({ column, codes }) => codes.has(column.codeAt(row)))) mask[row] = 1
  }
  return mask
}

/** The selections of one session in its app; masks are computed when asked for and dropped at the next change. */
export function createSelections(model: DataModel): Selections {
  const selected = new Map<string, ReadonlySet<number>>()
  const locked = new Set<string>()
  const masks = new Map<DataTable, Uint8Array | null>()
  let version = 0

  function changed() {
    version += 1
    masks.clear()
  }

  function drop(field: string) {
    selected.delete(field)
    locked.delete(field)
  }

  return {
    get version() {
      return version
    },
    current: () => selected,
    isLocked: (field) => locked.has(field),
    select(field, codes, toggle = false) {
      if (locked.has(field) || !model.field(field)) return false
      const next = new Set(toggle ? selected.get(field) : [])
      for (const code of codes) {
        if (toggle && next.has(code)) next.delete(code)
        else next.add(code)
      }
      if (next.size === 0 && !toggle) return false
      if (next.size === 0) selected.delete(field)
      else selected.set(field, next)
      changed()
      return true
    },
    clear(field) {
      if (locked.has(field)) return false
      if (selected.delete(field)) changed()
      return true
    },
    clearAll(lockedAlso, except) {
      for (const field of [...selected.keys()]) {
        if (field !== except && (lockedAlso || !locked.has(field))) drop(field)
      }
      changed()
    },
    lock(field, lockIt) {
      if (!selected.has(field)) return false
      if (lockIt) locked.add(field)
      else locked.delete(field)
      changed()
      return true
    },
    replace(selections) {
      for (const field of [...selected.keys()]) if (!locked.has(field)) selected.delete(field)
      for (const [field, codes] of selections) if (!locked.has(field) && codes.size > 0) selected.set(field, codes)
      changed()
    },
    possibleRows(table) {
      const known = masks.get(table)
      if (known !== undefined) return known
      const mask = rowMask(table, selected)
      masks.set(table, mask)
      return mask
    },
    states: (field) => valueStates(field, selected, locked.has(field.column.name)),
  }
}

function valueStates(field: DataField, selected: SelectionMap, locked: boolean): (ValueState | null)[] {
  const { table, column } = field
  const own = selected.get(column.name)
  const others = rowMask(table, selected, column.name)
  const present = presentCodes(field)
  const possible = others ? new Uint8Array(column.cardinal) : present
  for (let row = 0; others && row < table.rowCount; row++) {
    const code = column.codeAt(row)
    if (others[row] && code >= 0) possible[code] = 1
  }
  return Array.from(present, (exists, code) => {
    if (!exists) return null
    if (!own) return possible[code] ? 'O' : 'X'
    if (own.has(code)) return possible[code] ? (locked ? 'L' : 'S') : locked ? 'XL' : 'XS'
    return possible[code] ? 'A' : 'X'
  })
}

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
