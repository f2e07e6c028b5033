/**
 * Files of key-value pairs: the JSON of an export, or a table that a spreadsheet writes, with the columns `namespace`, `key`, `value`
 * and, where wanted, `expiresAt`.
 */
import { isObject } from '../http/endpoint/validation.ts'
import { lostLetter, TextError } from '../platform/encodings.ts'
import { errorText } from '../platform/errors.ts'
import { parseImportedJson, RefusedJson } from '../platform/json.ts'
import { parseTable, type TableRow } from '../platform/table.ts'
import { FORMAT } from './contract.ts'
import type { ImportedPair } from './types.ts'

/** The body of an import of pairs. */
export interface PairsOfFile {
  readonly format: unknown
  readonly namespaces: Readonly<Record<string, readonly unknown[]>>
}

const NEEDED = ['namespace', 'key', 'value'] as const
const COLUMNS = [...NEEDED, 'expiresAt'] as const
type ColumnName = (typeof COLUMNS)[number]

/** A time without its zone would be another one on each computer. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)$/i
const MEMBERS = ['key', 'value', 'expiresAt']
const FILE_MEMBERS = ['format', 'exportedAt', 'namespaces']

/** Names each member of an import that would be ignored. */
export function complainOfOthers(file: object, complain: (member: string, message: string) => void): void {
  const others = Object.keys(file).filter((name) => !FILE_MEMBERS.includes(name))
  for (const name of others) complain(name, `is unknown; known are ${FILE_MEMBERS.join(', ')}`)
}

/** Checks the pairs of a namespace as `readPair` does, and that none has the key of another one, which would replace it. */
export function readPairs(
  pairs: readonly unknown[],
  complain: (index: number, member: string, message: string) => void,
): ImportedPair[] {
  const keys = new Set<unknown>()
  return pairs.map((pair, index) => {
    const key = isObject(pair) ? pair.key : undefined
    if (typeof key === 'string' && keys.has(key)) complain(index, 'key', `${JSON.stringify(key)} is there twice`)
    keys.add(key)
    return readPair(pair, (member, message) => complain(index, member, message))
  })
}

/** Checks a pair of an import; problems go to `complain` with the member that they are about, '' = the pair. */
function readPair(pair: unknown, complain: (member: string, message: string) => void): ImportedPair {
  if (!isObject(pair)) {
    complain('', 'must be object')
    return { key: '', value: '', expiresAt: null }
  }
  const { key, value, expiresAt = null, ...others } = pair
  for (const name of Object.keys(others)) complain(name, `is unknown; known are ${MEMBERS.join(', ')}`)
  if (typeof key !== 'string' || key === '') complain('key', 'must be a text that is not empty')
  if (typeof value !== 'string') complain('value', 'must be string')
  for (const [name, text] of Object.entries({ key, value })) {
    if (typeof text === 'string' && !text.isWellFormed()) complain(name, 'holds half a character (a lone surrogate)')
  }
  const until = typeof expiresAt === 'string' && TIME.test(expiresAt) ? Date.parse(expiresAt) : Number.NaN
  if (expiresAt !== null && Number.isNaN(until)) {
    complain('expiresAt', 'must be null or an ISO 8601 time with its zone, like 2030-06-01T12:00:00Z')
  }
  return { key: String(key), value: String(value), expiresAt: expiresAt === null ? null : until }
}

/**
 * The pairs of a file: the text of an export, or a table with comma, semicolon or tab. All of them are checked, so that an import in
 * several calls does not end after some. Throws a `TextError` for the first one that cannot be used.
 */
export function pairsOf(text: string): PairsOfFile {
  if (!/^\s*[[{]/.test(text)) return pairsOfTable(parseTable(text))
  let content: unknown
  try {
    content = parseImportedJson(text)
  } catch (error) {
    throw new TextError(error instanceof RefusedJson ? error.message : `it is no JSON: ${errorText(error)}`)
  }
  const { format, namespaces } = (content ?? {}) as Partial<PairsOfFile>
  if (!isObject(content) || !isObject(namespaces) || !Object.values(namespaces).every(Array.isArray)) {
    throw new TextError('it is no export of key-value pairs (format footman.kv/1)')
  }
  const unknown: string[] = []
  complainOfOthers(content, (name, message) => unknown.push(`"${name}" ${message}`))
  if (unknown.length > 0) throw new TextError(unknown.join('; '))
  for (const [namespace, pairs] of Object.entries(namespaces)) {
    readPairs(pairs, (index, member, message) => {
      throw new TextError(`pair ${index + 1} of namespace "${namespace}": ${`${member} ${message}`.trim()}`)
    })
  }
  return { format, namespaces }
}

/** The pairs of a table: of a text, or the first sheet of a workbook. Throws a `TextError`. */
export function pairsOfTable([header, ...rows]: readonly TableRow[]): PairsOfFile {
  const columns = columnsOf(header)
  const least = Math.max(...NEEDED.map((name) => columns.indexOf(name))) + 1
  const namespaces = new Map<string, Map<string, object>>()
  for (const { line, cells, problem } of rows) {
    const fail = (message: string): never => {
      throw new TextError(message, line, 1)
    }
    if (problem !== undefined) fail(problem)
    const of = (name: ColumnName): string => cells[columns.indexOf(name)] ?? ''
    if (cells.slice(columns.length).some((cell) => cell !== '')) {
      fail(`the line has values beyond the ${columns.length} columns of the first line`)
    }
    // The rest of a line that was cut off is no empty value.
    if (cells.length < least) fail(`the line has ${cells.length} of the ${least} values that a pair needs`)
    const [namespace, key] = [of('namespace'), of('key')]
    if (namespace === '' || key === '') fail('the line has no namespace or no key')
    const lost = lostLetter(cells)
    if (lost) fail(`the line ${lost}`)
    const pair = { key, value: of('value'), expiresAt: of('expiresAt').trim() || null }
    readPair(pair, (member, message) => fail(`${member} ${message}; found ${JSON.stringify(pair.expiresAt)}`))
    const pairs = namespaces.get(namespace) ?? new Map<string, object>()
    if (pairs.has(key)) fail(`the key ${JSON.stringify(key)} of namespace ${JSON.stringify(namespace)} is there twice`)
    namespaces.set(namespace, pairs.set(key, pair))
  }
  return {
    format: FORMAT,
    namespaces: Object.fromEntries([...namespaces].map(([name, pairs]) => [name, [...pairs.values()]])),
  }
}

/** Names as in `COLUMNS`, however they are written: `Expires at`, `KEY`. */
function columnsOf(header: TableRow | undefined): readonly string[] {
  const columns = (header?.cells ?? []).map((cell) => {
    const name = cell
      .trim()
      .replace(/[\s_-]/g, '')
      .toLowerCase()
    return COLUMNS.find((column) => column.toLowerCase() === name) ?? cell.trim()
  })
  const unknown = columns.filter((name) => !COLUMNS.some((column) => column === name))
  const isTwice = new Set(columns).size < columns.length
  if (unknown.length === 0 && !isTwice && NEEDED.every((name) => columns.includes(name))) return columns
  const found = columns.length === 0 ? 'it is empty' : `its first line is: ${columns.join(', ').slice(0, 100)}`
  throw new TextError(
    `it is neither an export of key-value pairs nor a table with the columns namespace, key, value and expiresAt (optional); ${found}`,
  )
}
