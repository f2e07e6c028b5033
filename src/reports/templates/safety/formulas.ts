/** Formulas of workbooks that reach outside of their file. */
import { plainAddress } from '../parts.ts'

/** The longest formula that Excel takes, in characters. */
export const MAX_FORMULA = 8192

/** Functions that load something, send something or run code elsewhere; those of macro sheets included. */
const FORBIDDEN = new Set([
  'WEBSERVICE',
  'RTD',
  'CALL',
  'REGISTER.ID',
  'REGISTER',
  'DDE',
  'IMAGE',
  'EXEC',
  'SQL.REQUEST',
  'FOPEN',
  'FILES',
  'STOCKHISTORY',
  'IMPORTDATA',
  'IMPORTXML',
  'IMPORTHTML',
  'IMPORTFEED',
  'IMPORTRANGE',
  'IMPORTJSON',
  'GOOGLEFINANCE',
  'GOOGLETRANSLATE',
  'CUBEKPIMEMBER',
  'CUBEMEMBER',
  'CUBEMEMBERPROPERTY',
  'CUBERANKEDMEMBER',
  'CUBESET',
  'CUBESETCOUNT',
  'CUBEVALUE',
  'SQL.OPEN',
  'SQL.EXEC.QUERY',
  'SQL.RETRIEVE',
  'SQL.RETRIEVE.TO.FILE',
  'UNREGISTER',
  'FWRITE',
  'FWRITELN',
  'FREAD',
  'FREADLN',
  'SEND.MAIL',
  'SEND.KEYS',
  'OPEN.LINKS',
  'INITIATE',
  'POKE',
  'EVALUATE',
  'IMPORTTEXT',
  'IMPORTCSV',
  'PY',
  'COPILOT',
  'TRANSLATE',
  'DETECTLANGUAGE',
])
/** Names that are nothing but functions: one that is handed on is called elsewhere. */
const NEVER_A_NAME = new Set(
  [...FORBIDDEN].filter(
    (name) => !['CALL', 'REGISTER', 'IMAGE', 'FILES', 'PY', 'TRANSLATE', 'INITIATE', 'POKE', 'EVALUATE'].includes(name),
  ),
)
/** Targets of `HYPERLINK` that leave the file by another way than the web and mail. */
const FOREIGN = /^\s*(?!https?:|mailto:)(?:[\\/]{2}|[a-z][a-z0-9+.-]*:)/i
const NAME = /[\p{L}\p{N}_.\\?]+/uy
/** Behind the bracket of another workbook: `Sheet1:Sheet2!`. */
const SHEET_OF_BOOK = /[\p{L}\p{N}_.:]*!/uy
/** Before the names of the workbook itself, as Excel writes them into charts. */
const THIS_BOOK = '[0]!'
const CALL = /\s*\(/y

/** The problem of a formula without its leading `=`; null when it has none. Reads it once. */
export function formulaProblem(formula: string): string | null {
  if (formula.length > MAX_FORMULA) return `the formula has more than ${MAX_FORMULA} characters`
  // Quotes in the brackets of `Table1[Column]` begin no text; an apostrophe there is before a sign of the name.
  let brackets = 0
  /** The next closing one from here on, or -1. */
  let closing = formula.indexOf(']')
  let depth = 0
  /** Depths of the first arguments of `HYPERLINK` that are open. */
  const targets: number[] = []
  for (let at = 0; at < formula.length; ) {
    const sign = formula[at]!
    if (brackets > 0 && sign === "'") at += 2
    else if (brackets > 0 && sign === '"') at++
    else if (sign === '"') {
      const end = closingQuote(formula, at)
      const text = formula.slice(at + 1, end - 1)
      if (targets.length > 0 && FOREIGN.test(plainAddress(text))) {
        return `refers to something outside of the file: HYPERLINK ${text.slice(0, 200)}`
      }
      at = end
    } else if (sign === '(') {
      depth++
      at++
    } else if (sign === ')' || sign === ',' || sign === ';') {
      // The other arguments are texts to show.
      while ((targets.at(-1) ?? -1) >= depth) targets.pop()
      if (sign === ')') depth--
      at++
    } else if (sign === "'") {
      const end = closingQuote(formula, at)
      if (/[[\\/|]/.test(formula.slice(at, end)) && /[!#|]/.test(formula[end] ?? '')) return BOOK
      at = end
    } else if (sign === '|') return 'the formula has a DDE link'
    else if (sign === '[') {
      if (closing >= 0 && closing < at) closing = formula.indexOf(']', at)
      // `Table1[Column]` and `[0]!name` are in this workbook, `[1]Sheet1!A1` is in another.
      const isOther =
        closing > 0 && !formula.startsWith(THIS_BOOK, at) && !/[\p{L}\p{N}_.\]]/u.test(formula[at - 1] ?? '')
      if (isOther && matchEnd(SHEET_OF_BOOK, formula, closing + 1) > 0) return BOOK
      brackets++
      at++
    } else if (sign === ']') {
      brackets = Math.max(brackets - 1, 0)
      at++
    } else {
      const end = matchEnd(NAME, formula, at)
      const name = formula.slice(at, end)
      const isCalled = end > 0 && matchEnd(CALL, formula, end) > 0
      // Behind a name, `!` makes it a sheet and `[` a table.
      const called = end > 0 && !/[![]/.test(formula[end] ?? '') ? forbiddenIn(name, isCalled) : null
      if (called) return `the formula calls ${called}(`
      if (isCalled && name.toUpperCase() === 'HYPERLINK') targets.push(depth + 1)
      at = Math.max(end, at + 1)
    }
  }
  return null
}

const BOOK = 'the formula refers to another workbook'

/** Behind the quote that closes the one at `at`; doubled ones are part of the text. */
function closingQuote(formula: string, at: number): number {
  const quote = formula[at]!
  for (let end = formula.indexOf(quote, at + 1); end >= 0; end = formula.indexOf(quote, end + 2)) {
    if (formula[end + 1] !== quote) return end + 1
  }
  return formula.length
}

function matchEnd(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at
  return expression.test(text) ? expression.lastIndex : 0
}

/** Excel writes prefixes before newer functions; a function may also be handed to another one, as `_xleta.NAME`. */
function forbiddenIn(name: string, isCalled: boolean): string | null {
  const plain = name.toUpperCase()
  const isHandedOn = plain.startsWith('_XL') || NEVER_A_NAME.has(plain)
  if (!isCalled && !isHandedOn) return null
  // No function has more than four parts.
  const parts = plain.split('.').slice(-4)
  return parts.map((_, from) => parts.slice(from).join('.')).find((one) => FORBIDDEN.has(one)) ?? null
}
