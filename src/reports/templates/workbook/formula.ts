/** Formulas of workbooks: finds the references in them, so that they can be moved; everything else stays character by character. */

export const MAX_ROW = 1_048_576
export const MAX_COLUMN = 16_384

/** A corner of a reference; `null` rows are those of `A:C`, null columns those of `1:3`. Rows and columns begin with 1. */
export interface Corner {
  readonly column: number | null
  readonly columnAbsolute: boolean
  readonly row: number | null
  readonly rowAbsolute: boolean
}

export interface Reference {
  readonly kind: 'reference'
  /** As written, with quotes and `!`; '' for the sheet of the formula. */
  readonly prefix: string
  /** The name in the prefix; null without one. Holds a `:` for several sheets (`Jan:Dec!A1`). */
  readonly sheet: string | null
  readonly start: Corner
  /** Null for a single cell. */
  readonly end: Corner | null
  /** The function that the reference alone is an argument of, in capitals: `SUM` in `SUM(A1)`; else null. */
  readonly argumentOf: string | null
}

/** The name of a table, cell range, function (with its `(`) or constant; or source that is none of them. */
export interface Piece {
  readonly kind: 'name' | 'function' | 'string' | 'other'
  readonly text: string
}

export type Token = Reference | Piece

const SHEET = String.raw`'(?:[^']|'')+'!|[\p{L}_\\][\p{L}\p{N}_.]*(?::[\p{L}_\\][\p{L}\p{N}_.]*)?!`
const COLUMN = String.raw`\$?[A-Za-z]{1,3}`
const ROW = String.raw`\$?[1-9]\d{0,6}`
const AREA = `${COLUMN}${ROW}(?::${COLUMN}${ROW})?|${COLUMN}:${COLUMN}|${ROW}:${ROW}`
const TOKEN = new RegExp(
  [
    '(?<string>"(?:[^"]|"")*")',
    String.raw`(?<error>#(?:REF!|N/A|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA))`,
    String.raw`(?<sheet>${SHEET})?(?<area>${AREA})(?![\p{L}\p{N}_.([!$\\?])`,
    String.raw`(?<function>[\p{L}_\\][\p{L}\p{N}_.]*\()`,
    String.raw`(?<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)`,
    `(?<lone>${SHEET})`,
    String.raw`(?<name>[\p{L}_\\][\p{L}\p{N}_.\\?]*)`,
    String.raw`(?<bracket>\[)`,
    String.raw`(?<space>\s+)`,
    String.raw`(?<other>[\s\S])`,
  ].join('|'),
  'uy',
)

/** Reads a formula without its leading `=`. The texts of the tokens together are the formula. */
export function tokenize(formula: string): Token[] {
  const tokens: Token[] = []
  const calls: (string | null)[] = []
  TOKEN.lastIndex = 0
  for (let at = 0; at < formula.length; at = TOKEN.lastIndex) {
    const quoted = formula[at] === "'" ? quotedEnd(formula, at) : at
    if (quoted > at && formula[quoted] !== '!') {
      // Quotes that name no sheet; tried again at each of them, the expression would take time with the square of the length.
      TOKEN.lastIndex = quoted
      tokens.push({ kind: 'other', text: formula.slice(at, quoted) })
      continue
    }
    TOKEN.lastIndex = at
    const match = TOKEN.exec(formula)
    const groups = match?.groups ?? {}
    const text = match?.[0] ?? ''
    if (groups.bracket !== undefined) {
      // Columns of tables and other workbooks, never references: [[#This Row],[A1]]
      TOKEN.lastIndex = closing(formula, at)
      tokens.push({ kind: 'other', text: formula.slice(at, TOKEN.lastIndex) })
      continue
    }
    const reference = groups.area === undefined ? null : readReference(groups.sheet ?? '', groups.area)
    if (reference) {
      const argumentOf = isArgument(tokens, formula, TOKEN.lastIndex) ? (calls.at(-1) ?? null) : null
      tokens.push({ ...reference, argumentOf })
      continue
    }
    if (groups.function !== undefined) calls.push(text.slice(0, -1).toUpperCase())
    else if (text === '(') calls.push(null)
    else if (text === ')') calls.pop()
    tokens.push({ kind: kindOfPiece(groups), text })
  }
  return tokens
}

function kindOfPiece(groups: Readonly<Record<string, string | undefined>>): Piece['kind'] {
  if (groups.string !== undefined) return 'string'
  if (groups.function !== undefined) return 'function'
  // `ABCD1` has the form of a reference but lies beyond the sheet: a name.
  return groups.name !== undefined || groups.area !== undefined ? 'name' : 'other'
}

/** The index behind the quote that closes the one at `at`; two quotes stand for one. */
function quotedEnd(formula: string, at: number): number {
  for (let index = at + 1; index < formula.length; index++) {
    if (formula[index] !== "'") continue
    if (formula[index + 1] !== "'") return index + 1
    index += 1
  }
  return formula.length
}

/** The index behind the bracket that closes the one at `at`; `'` escapes one character. */
function closing(formula: string, at: number): number {
  let depth = 0
  for (let index = at; index < formula.length; index++) {
    const sign = formula[index]
    if (sign === "'") index++
    else if (sign === '[') depth++
    else if (sign === ']' && --depth === 0) return index + 1
  }
  return formula.length
}

function isArgument(before: readonly Token[], formula: string, end: number): boolean {
  const previous = before.findLast((token) => token.kind !== 'other' || token.text.trim() !== '')
  const opens = previous?.kind === 'function' || (previous?.kind === 'other' && previous.text === ',')
  return opens && /^\s*[,)]/.test(formula.slice(end, end + 40))
}

function readReference(prefix: string, area: string): Omit<Reference, 'argumentOf'> | null {
  const [first = '', second] = area.split(':')
  const start = readCorner(first)
  const end = second === undefined ? null : readCorner(second)
  if (!start || (second !== undefined && !end)) return null
  const quoted = prefix.startsWith("'")
  const name = quoted ? prefix.slice(1, -2).replaceAll("''", "'") : prefix.slice(0, -1)
  return { kind: 'reference', prefix, sheet: prefix === '' ? null : name, start, end }
}

function readCorner(source: string): Corner | null {
  const match = /^(\$?)([A-Za-z]{0,3})(\$?)(\d*)$/.exec(source)
  if (!match) return null
  const [, firstSign = '', letters = '', secondSign = '', digits = ''] = match
  const column = letters === '' ? null : columnNumber(letters)
  const row = digits === '' ? null : Number(digits)
  if ((column ?? 0) > MAX_COLUMN || (row ?? 0) > MAX_ROW) return null
  return {
    column,
    columnAbsolute: column !== null && firstSign === '$',
    row,
    rowAbsolute: row !== null && (column === null ? firstSign : secondSign) === '$',
  }
}

/** `A` is 1, `AA` 27. */
export function columnNumber(letters: string): number {
  let number = 0
  for (const letter of letters.toUpperCase()) number = number * 26 + letter.charCodeAt(0) - 64
  return number
}

export function columnLetters(number: number): string {
  let letters = ''
  for (let rest = number; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters
  }
  return letters
}

function formatCorner({ column, columnAbsolute, row, rowAbsolute }: Corner): string {
  const letters = column === null ? '' : `${columnAbsolute ? '$' : ''}${columnLetters(column)}`
  return row === null ? letters : `${letters}${rowAbsolute ? '$' : ''}${row}`
}

/** Source of a reference with another prefix, or its own. */
export function formatReference({ start, end, prefix }: Pick<Reference, 'start' | 'end' | 'prefix'>): string {
  return prefix + formatCorner(start) + (end ? `:${formatCorner(end)}` : '')
}

export const sourceOf = (token: Token): string => (token.kind === 'reference' ? formatReference(token) : token.text)

/** Whether a tag stands in the formula; those in names of sheets are none of it. */
export const hasTagText = (tokens: readonly Token[]): boolean =>
  tokens.some((token) => token.kind !== 'reference' && token.text.includes('{{'))

/** The prefix of references to the sheet: `Detail!`, `'Q1 2025'!`. */
export function sheetPrefix(name: string): string {
  const plain =
    /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) && !/^([A-Za-z]{1,3}\d+|R\d*(C\d*)?|C\d*|TRUE|FALSE)$/i.test(name)
  return plain ? `${name}!` : `'${name.replaceAll("'", "''")}'!`
}

/** The formula with all relative references moved, as Excel does for cells that share a formula. */
export function shiftFormula(formula: string, rows: number, columns: number): string {
  const shift = (corner: Corner): Corner | null => {
    const row = corner.row === null || corner.rowAbsolute ? corner.row : corner.row + rows
    const column = corner.column === null || corner.columnAbsolute ? corner.column : corner.column + columns
    const outside =
      (row !== null && (row < 1 || row > MAX_ROW)) || (column !== null && (column < 1 || column > MAX_COLUMN))
    return outside ? null : { ...corner, row, column }
  }
  return tokenize(formula)
    .map((token) => {
      if (token.kind !== 'reference') return token.text
      const start = shift(token.start)
      const end = token.end && shift(token.end)
      return start && (end || !token.end) ? formatReference({ ...token, start, end }) : `${token.prefix}#REF!`
    })
    .join('')
}
