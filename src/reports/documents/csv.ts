/** CSV of one table (RFC 4180), guarded against formulas. */
import { withoutFormula } from '../../platform/csv.ts'
import { displayOf, nameText, plainValue } from '../display.ts'
import type { FormatOptions } from '../entities/task.ts'
import type { Cell, Column, Table } from '../types.ts'
import { allowedText } from './markup.ts'
import { writeTextFile } from './text-file.ts'
import { cutText } from './values.ts'

interface CsvRequest {
  readonly table: Table
  readonly options: FormatOptions['csv']
  /** The language of numbers in the line below a cut table. */
  readonly locale: string
  readonly file: string
  readonly signal?: AbortSignal
}

const NEW_LINE = '\r\n'
/**
 * Amounts such as `-1 234,50 €`, `-5,00 kr` and `-EUR 5` begin like a formula and are none. Letters directly before or digits behind
 * them, as in `-A1`, could be a cell of the spreadsheet.
 */
const AMOUNT = /^[+-](?:\p{L}+[.\p{Sc}]?\s)?[\p{N}\p{Sc}\s.,'’%]*(?:\p{L}[\p{L}\p{Sc}\p{Cf}\s./%]*)?(?:[.,][-–—])?$/u
/** Lengths of time, also with days and fractions of seconds, and numbers with an exponent. */
const NEGATIVE = /^-(?:(?:\d+ )?\d+(?::\d\d){1,2}(?:[.,]\d+)?|\d+(?:[.,]\d+)?e[+-]?\d+)$/i

/** Writes the table with UTF-8 and CRLF, and resolves with the size in bytes. The last record of a cut table says so in its first field. */
export function writeCsv({ table, options, locale, file, signal }: CsvRequest): Promise<number> {
  const { delimiter, bom, header } = options
  const { columns } = table
  return writeTextFile(file, async (out) => {
    if (bom) await out.write('\ufeff')
    if (header) {
      await out.write(
        columns.map(({ label }) => field(label, delimiter, options.escapeFormulas)).join(delimiter) + NEW_LINE,
      )
    }
    for await (const page of table.pages()) {
      signal?.throwIfAborted()
      for (const row of page) {
        const fields = row.map((cell, index) => fieldOf(cell, columns[index], options))
        await out.write(fields.join(delimiter) + NEW_LINE)
      }
    }
    const cut = cutText(table, locale)
    // A record of the same width, so that every parser reads the file, and a column of numbers does not take it for one.
    if (cut !== null) {
      const fields = [field(cut, delimiter, options.escapeFormulas), ...columns.slice(1).map(() => '')]
      await out.write(fields.join(delimiter) + NEW_LINE)
    }
  })
}

function fieldOf(cell: Cell, column: Column | undefined, options: CsvRequest['options']): string {
  const value = options.numbers === 'plain' ? plainValue(cell, column ?? null) : nameText(cell)
  if (typeof value === 'number') return decimalText(value)
  return field(value ?? '', options.delimiter, options.escapeFormulas && !isAmount(cell, column?.kind))
}

/** The number with a decimal point and without an exponent: `0.0000001`, not `1e-7`. */
function decimalText(number: number): string {
  const text = String(number)
  const [, sign = '', whole = '', fraction = '', exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? []
  if (exponent === undefined) return text
  const power = Number(exponent)
  const digits = whole + fraction
  return power < 0 ? `${sign}0.${'0'.repeat(-power - 1)}${digits}` : sign + digits.padEnd(power + 1, '0')
}

/** A column of texts may hold amounts, too; `+467...` is a telephone number and none. */
function isAmount(cell: Cell, kind: Column['kind'] = 'measure'): boolean {
  const text = nameText(cell)
  if (NEGATIVE.test(text)) return cell.number !== null && cell.number < 0
  const asNumber = { kind: text.startsWith('+') ? kind : 'measure', type: 'number', format: null } as const
  return AMOUNT.test(text) && displayOf(cell, asNumber).as !== 'text'
}

/** One field, quoted when it needs to be. */
function field(text: string, delimiter: string, guarded: boolean): string {
  const allowed = allowedText(text)
  const safe = guarded ? withoutFormula(allowed) : allowed
  const quoted = safe.includes(delimiter) || /["\r\n]|^\s|\s$/.test(safe)
  return quoted ? `"${safe.replaceAll('"', '""')}"` : safe
}
