/** Key-value pairs as a table that a spreadsheet writes: columns `namespace`, `key`, `value` and, where wanted, `expiresAt`. */
import { TextError } from '../platform/encodings.ts'
import { parseOutsideJson } from '../platform/json.ts'
import { parseTable, type TableRow } from '../platform/table.ts'

/** The body of an import of pairs. */
export interface PairsOfFile {
  readonly format: unknown
  readonly namespaces: Readonly<Record<string, readonly unknown[]>>
}

const NEEDED = ['namespace', 'key', 'value'] as const
const COLUMNS = [...NEEDED, 'expiresAt'] as const
type ColumnName = (typeof COLUMNS)[number]

/**
 * The pairs of a file: the text of an export, or a table with comma, semicolon or tab. Only as deep as an import is taken apart;
 * the API checks the pairs. Throws a `TextError`.
 */
export function pairsOf(text: string): PairsOfFile {
  if (!/^\s*[[{]/.test(text)) return pairsOfTable(parseTable(text))
  let content: unknown
  try {
    content = parseOutsideJson(text)
  } catch (error) {
    throw new TextError(`it is no JSON: ${(error as Error).message}`)
  }
  const { format, namespaces } = (content ?? {}) as Partial<PairsOfFile>
  const isMap = typeof namespaces === 'object' && namespaces !== null && !Array.isArray(namespaces)
  if (!isMap || !Object.values(namespaces).every(Array.isArray)) {
    throw new TextError('it is no export of key-value pairs (format footman.kv/1)')
  }
  return { format, namespaces }
}

function pairsOfTable([header, ...rows]: readonly TableRow[]): PairsOfFile {
  const columns = columnsOf(header)
  const namespaces: Record<string, unknown[]> = Object.create(null)
  for (const { line, cells } of rows) {
    const of = (name: ColumnName): string => cells[columns.indexOf(name)] ?? ''
    if (cells.slice(columns.length).some((cell) => cell !== '')) {
      throw new TextError(`the line has values beyond the ${columns.length} columns of the first line`, line, 1)
    }
    const [namespace, key] = [of('namespace').trim(), of('key').trim()]
    if (namespace === '' || key === '') throw new TextError('the line has no namespace or no key', line, 1)
    const expiresAt = of('expiresAt').trim()
    namespaces[namespace] ??= []
    namespaces[namespace].push({ key, value: of('value'), expiresAt: expiresAt === '' ? null : expiresAt })
  }
  return { format: 'footman.kv/1', namespaces: { ...namespaces } }
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
  const found = columns.join(', ').slice(0, 100)
  throw new TextError(
    `it is neither an export of key-value pairs nor a table with the columns namespace, key, value and expiresAt (optional); its first line is: ${found}`,
  )
}
