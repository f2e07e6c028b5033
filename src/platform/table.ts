/** Tables as text, as spreadsheets write them. */
import { placeIn, refuseMarkup, TextError } from './encodings.ts'

export interface TableRow {
  /** The line of its first character, from 1; in a workbook the number of the row. */
  readonly line: number
  readonly cells: readonly string[]
  /** Why it cannot be used. */
  readonly problem?: string
}

const DELIMITERS = [',', ';', '\t'] as const
/** Excel reads and writes this line. */
const SEPARATOR_LINE = /^"?sep=([,;\t|])"?(?:\r\n?|\n|$)/i

/**
 * Reads comma, semicolon or tab separated values (RFC 4180) with lines that end with CR, LF or both. A first line `sep=;`
 * names the delimiter; else it is the most frequent one of the first line that is not empty. Rows without any value are left out.
 * Throws a `TextError` for a web page, at a quote that is not closed, or that stands in the middle of a value.
 */
export function parseTable(text: string): TableRow[] {
  refuseMarkup(text)
  const [head = '', named] = SEPARATOR_LINE.exec(text) ?? []
  const delimiter = named ?? delimiterOf(text)
  const rows: TableRow[] = []
  let line = head === '' ? 1 : 2
  for (let at = head.length; at < text.length; ) {
    const start = line
    const cells: string[] = []
    for (;;) {
      const cell = readCell(text, at, delimiter)
      cells.push(cell.value)
      line += cell.breaks
      at = cell.end
      if (text[at] !== delimiter) break
      at += 1
    }
    if (at < text.length) {
      at += text.startsWith('\r\n', at) ? 2 : 1
      line += 1
    }
    if (cells.some((value) => value.trim() !== '')) rows.push({ line: start, cells })
  }
  return rows
}

/** The text that `parseTable` reads these rows from. Throws a `TextError` for a row that cannot be used. */
export function tableText(rows: readonly TableRow[]): string {
  return rows
    .map(({ line, cells, problem }) => {
      if (problem !== undefined) throw new TextError(problem, line, 1)
      return `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join()}\n`
    })
    .join('')
}

interface Cell {
  readonly value: string
  /** Position of the delimiter or line break behind it, or of the end of the text. */
  readonly end: number
  /** Line breaks within. */
  readonly breaks: number
}

function readCell(text: string, from: number, delimiter: string): Cell {
  if (text[from] === '"') return readQuoted(text, from, delimiter)
  let end = from
  while (end < text.length && !isEnd(text[end]!, delimiter)) {
    if (text[end] === '"') throw misplaced(text, end, 'a quote stands in the middle of a value')
    end += 1
  }
  return { value: text.slice(from, end), end, breaks: 0 }
}

function readQuoted(text: string, from: number, delimiter: string): Cell {
  let end = text.indexOf('"', from + 1)
  while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2)
  if (end < 0) throw misplaced(text, from, 'a quote is not closed')
  const inner = text.slice(from + 1, end)
  const behind = end + 1
  if (behind < text.length && !isEnd(text[behind]!, delimiter)) {
    throw misplaced(text, behind, 'a value goes on behind its closing quote')
  }
  const breaks = /[\r\n]/.test(inner) ? (inner.match(/\r\n?|\n/g)?.length ?? 0) : 0
  return { value: inner.replaceAll('""', '"'), end: behind, breaks }
}

const isEnd = (character: string, delimiter: string): boolean =>
  character === delimiter || character === '\n' || character === '\r'

function misplaced(text: string, at: number, reason: string): TextError {
  const { line, column } = placeIn(text, at)
  return new TextError(reason, line, column)
}

/** Quoted texts do not count; of two as frequent ones the tab, then the semicolon, as they are rare within values. */
function delimiterOf(text: string): string {
  const first = /[^\r\n]+/.exec(text)?.[0] ?? ''
  const bare = first.replace(/"[^"]*"/g, '')
  const count = (delimiter: string) => bare.split(delimiter).length - 1
  return DELIMITERS.reduce((best, one) => (count(one) > 0 && count(one) >= count(best) ? one : best))
}
