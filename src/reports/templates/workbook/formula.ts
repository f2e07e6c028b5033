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

/** A function around a token, or brackets (`name` is ''), and the argument that the token stands in. */
export interface Call {
  /** In capitals, without the prefix of newer functions: `STDEV.S` for `_xlfn.STDEV.S(`. */
  readonly name: string
  /** From 0. */
  readonly argument: number
  /** The first argument where it is a number, as in `SUBTOTAL(101,B5)`; else ''. */
  readonly first: string
  /** Brackets around several ranges: `SUM((A1,C1))`. */
  readonly isUnion: boolean
  readonly outer: Call | null
}

/** Where cells, or a name of them, stand in a formula. */
export interface Use {
  readonly call: Call | null
  /** The function that they alone are an argument of, in capitals: `SUM` in `SUM(A1)`, `STDEV.S` in `_xlfn.STDEV.S(A1)`; else null. */
  readonly argumentOf: string | null
  /** The only argument of its function. */
  readonly isOnly: boolean
}

export interface Reference extends Use {
  readonly kind: 'reference'
  /** The sheet with its quotes and `!`; '' for the sheet of the formula. */
  readonly prefix: string
  /** The name in the prefix; null without one. Holds a `:` for several sheets (`Jan:Dec!A1`). */
  readonly sheet: string | null
  readonly start: Corner
  /** Null for a single cell. */
  readonly end: Corner | null
  /** A corner of a range whose other one is computed, as in `A1:OFFSET(A5,-1,0)`. */
  readonly corner: 'start' | 'end' | null
  /**
   * The cell right above or below the loop of the formula that is meant, though its row is relative: a total of the loop or a cell that a
   * name means, which is the same for all rows; a figure of another column, which may be. Or, right below a loop, its running figure, which without rows stays what it is
   * above the loop.
   */
  readonly neighbour: 'total' | 'figure' | 'running' | null
}

type ReadReference = Omit<Reference, 'call' | 'argumentOf' | 'isOnly' | 'corner' | 'neighbour'>

/** Function (with its `(`), constant, or source that is none of them. */
interface Piece {
  readonly kind: 'function' | 'string' | 'other'
  readonly text: string
}

/** The name of cells, a value or a table. */
export interface NameToken extends Use {
  readonly kind: 'name'
  readonly text: string
}

export type Token = Reference | NameToken | Piece

const SHEET = String.raw`'(?:[^']|'')+'!|[\p{L}_\\][\p{L}\p{N}_.]*(?::[\p{L}_\\][\p{L}\p{N}_.]*)?!`
const COLUMN = String.raw`\$?[A-Za-z]{1,3}`
const ROW = String.raw`\$?[1-9]\d{0,6}`
const AREA = `${COLUMN}${ROW}(?::${COLUMN}${ROW})?|${COLUMN}:${COLUMN}|${ROW}:${ROW}`
/** Groups by number: names would make an object for each token. */
const TOKEN = new RegExp(
  [
    '("(?:[^"]|"")*")',
    '#(?:REF!|N/A|DIV/0!|VALUE!|NAME\\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)',
    String.raw`(${SHEET})?(${AREA})(?![\p{L}\p{N}_.([!$\\?])`,
    String.raw`([\p{L}_\\][\p{L}\p{N}_.]*\()`,
    String.raw`\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?`,
    SHEET,
    String.raw`([\p{L}_\\][\p{L}\p{N}_.\\?]*)`,
    String.raw`\s+`,
    String.raw`[\s\S]`,
  ].join('|'),
  'uy',
)
/** A reference, a function or a number in plain letters, which is the most of all formulas; no name of a sheet begins there. */
const PLAIN =
  /(\$?)([A-Za-z]{1,3})(\$?)([1-9]\d{0,6})(?::(\$?)([A-Za-z]{1,3})(\$?)([1-9]\d{0,6}))?(?=[-+*/^&=<>,;)}% ]|$)|([A-Za-z_][A-Za-z0-9_.]*\()|\d+(?:\.\d+)?(?=[-+*/^&=<>,;)}% ]|$)/y
/** Signs that are a token of their own. */
const SIGNS = new Set('()+-*/^&=<>,;{}%')

/** Brackets around ranges and nothing else, as an argument. */
const UNION = /\([^()"+*/^&=<>{};-]*\)\s*[,)]/y

/** Reads a formula without its leading `=`. The texts of the tokens together are the formula. */
export function tokenize(formula: string): Token[] {
  const tokens: Token[] = []
  let call: Call | null = null
  const enter = (name: string): void => {
    call = { ...NO_CALL, name, outer: call }
  }
  /** @param end behind the cells or the name @param prefixes tokens that name a sheet before it */
  const useUntil = (end: number, prefixes: number): Use => {
    const next = signAt(formula, end)
    const previous = next === ',' || next === ')' ? lastBefore(tokens, tokens.length - prefixes) : undefined
    const isFirst = previous?.kind === 'function'
    const isArgument =
      isFirst || (previous?.kind === 'other' && (previous.text === ',' || (previous.text === '(' && call?.isUnion)))
    const argumentOf = (isArgument && call?.name) || null
    return { call, argumentOf, isOnly: argumentOf !== null && isFirst && next === ')' }
  }
  const addReference = ({ kind, prefix, sheet, start, end: last }: ReadReference, end: number): void => {
    const { argumentOf, isOnly } = useUntil(end, 0)
    const corner = signAt(formula, end) === ':' ? 'start' : isColon(tokens.at(-1)) ? 'end' : null
    tokens.push({ kind, prefix, sheet, start, end: last, call, argumentOf, isOnly, corner, neighbour: null })
  }
  const addName = (text: string, end: number): void => {
    const prefixes = isSheetPrefix(tokens.at(-1)) ? 1 : 0
    const behind = formula[end] === '[' ? closing(formula, end) : end
    tokens.push({ kind: 'name', text, ...useUntil(behind, prefixes) })
  }
  const addSign = (sign: string, at: number): void => {
    if (sign === '(' || sign === '{') {
      const before = sign === '(' ? lastBefore(tokens, tokens.length) : undefined
      UNION.lastIndex = at
      const isUnion = call !== null && (before?.kind === 'function' || isComma(before)) && UNION.test(formula)
      call = isUnion && call ? { ...call, isUnion, outer: call } : { ...NO_CALL, outer: call }
    } else if (sign === ')' || sign === '}') call = call?.outer ?? null
    else if (sign === ',' && call && !call.isUnion) {
      const before = call.argument === 0 ? tokens.at(-1) : undefined
      const first = before?.kind === 'other' && /^\d+$/.test(before.text) ? before.text : call.first
      call = { ...call, argument: call.argument + 1, first }
    }
    tokens.push({ kind: 'other', text: sign })
  }
  for (let at = 0, end = 0; at < formula.length; at = end) {
    const sign = formula[at]!
    if (SIGNS.has(sign)) {
      end = at + 1
      addSign(sign, at)
      continue
    }
    PLAIN.lastIndex = at
    const plain = PLAIN.exec(formula)
    if (plain) {
      end = PLAIN.lastIndex
      const opened = plain[9]
      const start = plain[4] === undefined ? null : cornerOf(plain[1], plain[2], plain[3], plain[4])
      const last = plain[8] === undefined ? null : cornerOf(plain[5], plain[6], plain[7], plain[8])
      if (opened !== undefined) {
        enter(functionName(opened))
        tokens.push({ kind: 'function', text: opened })
      } else if (plain[4] === undefined) tokens.push({ kind: 'other', text: plain[0] })
      else if (start && (last || plain[8] === undefined)) {
        addReference({ kind: 'reference', prefix: '', sheet: null, start, end: last }, end)
      }
      // The form of a reference, but beyond the sheet: a name.
      else addName(plain[0], end)
      continue
    }
    if (sign === '[') {
      // Columns of tables and other workbooks, never references: [[#This Row],[A1]]
      end = closing(formula, at)
      tokens.push({ kind: 'other', text: formula.slice(at, end) })
      continue
    }
    if (sign === "'") {
      const quoted = quotedEnd(formula, at)
      if (formula[quoted] !== '!') {
        // Quotes that name no sheet; tried again at each of them, the expression would take time with the square of the length.
        end = quoted
        tokens.push({ kind: 'other', text: formula.slice(at, end) })
        continue
      }
    }
    TOKEN.lastIndex = at
    const [text = '', string, sheet, area, opened, name] = TOKEN.exec(formula) ?? []
    end = TOKEN.lastIndex
    const reference = area === undefined ? null : readReference(sheet ?? '', area)
    if (reference) addReference(reference, end)
    else if (string !== undefined) tokens.push({ kind: 'string', text })
    else if (opened !== undefined) {
      enter(functionName(text))
      tokens.push({ kind: 'function', text })
    } else if (area !== undefined || name !== undefined) addName(text, end)
    else tokens.push({ kind: 'other', text })
  }
  return tokens
}

/** `STDEV.S` for `_xlfn.stdev.s(`. */
export const functionName = (text: string): string =>
  text
    .slice(0, -1)
    .toUpperCase()
    .replace(/^_XLFN\.(?:_XLWS\.)?/, '')

const NO_CALL = { name: '', argument: 0, first: '', isUnion: false } as const

const isComma = (token: Token | undefined): boolean => token?.kind === 'other' && token.text === ','
const isColon = (token: Token | undefined): boolean => token?.kind === 'other' && token.text === ':'
/** `Detail!` before a name. */
export const isSheetPrefix = (token: Token | undefined): boolean => token?.kind === 'other' && /[^!]!$/.test(token.text)

/** The last token before the index that is no blank. */
function lastBefore(tokens: readonly Token[], end: number): Token | undefined {
  let index = end - 1
  while (index >= 0 && isBlank(tokens[index]!)) index--
  return tokens[index]
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

/** The first sign from here on that is no blank. */
function signAt(formula: string, at: number): string | undefined {
  let index = at
  while (BLANKS.has(formula[index] ?? '') && index - at < MOST_BLANKS) index++
  return formula[index]
}

const BLANKS = new Set(' \n\r\t\u00a0')
const MOST_BLANKS = 40

const isBlank = (token: Token): boolean => token.kind === 'other' && token.text.trim() === ''

function readReference(prefix: string, area: string): ReadReference | null {
  const [first = '', second] = area.split(':')
  const start = readCorner(first)
  const end = second === undefined ? null : readCorner(second)
  if (!start || (second !== undefined && !end)) return null
  const quoted = prefix.startsWith("'")
  const name = quoted ? prefix.slice(1, -2).replaceAll("''", "'") : prefix.slice(0, -1)
  return { kind: 'reference', prefix, sheet: prefix === '' ? null : name, start, end }
}

function readCorner(source: string): Corner | null {
  const [match, firstSign, letters, secondSign, digits] = /^(\$?)([A-Za-z]{0,3})(\$?)(\d*)$/.exec(source) ?? []
  return match === undefined ? null : cornerOf(firstSign, letters, secondSign, digits)
}

/** Null beyond the sheet. */
function cornerOf(firstSign = '', letters = '', secondSign = '', digits = ''): Corner | null {
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
  // The five low bits of a letter are its place in the alphabet, in capitals or not.
  for (let at = 0; at < letters.length; at++) number = number * 26 + (letters.charCodeAt(at) & 31)
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
  tokens.some((token, index) => {
    if (token.kind === 'reference') return false
    const next = tokens[index + 1]
    const isOpening = token.text === '{' && next?.kind === 'other' && next.text === '{'
    return isOpening || (token.text.includes('{{') && !/^'.*'!$/s.test(token.text))
  })

/** The prefix of references to the sheet: `Detail!`, `'Q1 2025'!`. */
export function sheetPrefix(name: string): string {
  const plain =
    /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) && !/^([A-Za-z]{1,3}\d+|R\d*(C\d*)?|C\d*|TRUE|FALSE)$/i.test(name)
  return plain ? `${name}!` : `'${name.replaceAll("'", "''")}'!`
}

/** The tokens of a formula with all relative references moved, as Excel does for cells that share a formula. */
export function shiftTokens(tokens: readonly Token[], rows: number, columns: number): Token[] {
  const shift = (corner: Corner): Corner | null => {
    const row = corner.row === null || corner.rowAbsolute ? corner.row : corner.row + rows
    const column = corner.column === null || corner.columnAbsolute ? corner.column : corner.column + columns
    const outside =
      (row !== null && (row < 1 || row > MAX_ROW)) || (column !== null && (column < 1 || column > MAX_COLUMN))
    return outside ? null : { ...corner, row, column }
  }
  return tokens.map((token): Token => {
    if (token.kind !== 'reference') return token
    const start = shift(token.start)
    const end = token.end && shift(token.end)
    if (start && (end || !token.end)) return { ...token, start, end }
    return { kind: 'other', text: `${token.prefix}#REF!` }
  })
}
