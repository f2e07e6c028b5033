/** Formulas over a loop without rows, which keeps one empty row: some have no result, others count that row. */
import { functionName, type NameToken, type Reference, sourceOf, type Token } from './formula.ts'
import { takesRange } from './lists.ts'

/** Cells, or a name of cells or of a column of a table. */
type Cells = Reference | NameToken

/** A call of a function: its tokens, from its name to its closing bracket. */
interface FunctionCall {
  readonly name: string
  readonly first: number
  readonly last: number
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

/** They have no result when no value is left. */
const OF_VALUES = words(
  'AVERAGE AVERAGEA MEDIAN MODE MODE.SNGL MODE.MULT STDEV STDEVA STDEVP STDEV.S STDEV.P VAR VARA VARP VAR.S VAR.P AVEDEV DEVSQ GEOMEAN HARMEAN SKEW KURT',
)
/** They have none where one of their ranges has no value. */
const OF_RANGES = words(
  'AVERAGEIF AVERAGEIFS LARGE SMALL PERCENTILE PERCENTILE.INC PERCENTILE.EXC QUARTILE QUARTILE.INC QUARTILE.EXC PERCENTRANK PERCENTRANK.INC PERCENTRANK.EXC TRIMMEAN RANK RANK.EQ RANK.AVG CORREL PEARSON RSQ SLOPE INTERCEPT STEYX COVAR COVARIANCE.P COVARIANCE.S IRR MIRR XIRR MATCH XMATCH VLOOKUP HLOOKUP LOOKUP',
)
/** The functions of `SUBTOTAL(101,..)` and `AGGREGATE(14,..)` that are of these kinds. */
const CODES = words('1 7 8 10 11 12 13 14 15 16 17 18 19 101 107 108 110 111')
/** They are 0 without rows. */
const ZEROS = words('SUM COUNT COUNTA MIN MAX COUNTIF COUNTIFS SUMIF SUMIFS SUMSQ SUMPRODUCT')
/** They count the empty row. */
const OF_ROWS = words('ROWS COUNTBLANK')
/** A condition that an empty cell meets. */
const MET_BY_EMPTY = /^"(<>.+|=?)"$/

/**
 * Details of warnings, one for each call; none where the formula itself deals with errors.
 * @param isEmpty whether these are cells of a loop without rows alone
 */
export function effectsOfNoRows(tokens: readonly Token[], isEmpty: (cells: Cells, index: number) => boolean): string[] {
  const empty = new Set(tokens.filter((token, index) => isCells(token) && isEmpty(token, index)))
  if (empty.size === 0) return []
  return callsIn(tokens).flatMap((call) => effectOf(call, tokens, empty) ?? [])
}

const isCells = (token: Token): token is Cells => token.kind === 'reference' || token.kind === 'name'

function effectOf(call: FunctionCall, tokens: readonly Token[], empty: ReadonlySet<Token>): string | null {
  const { name, first, last } = call
  const inside = tokens.slice(first + 1, last).filter((token): token is Cells => isCells(token) && empty.has(token))
  const alone = inside.filter((cells) => cells.argumentOf === name)
  const source = tokens
    .slice(first, last + 1)
    .map(sourceOf)
    .join('')
    .replace(/^_xlfn\.(_xlws\.)?/i, '')
  if (isError(name, alone)) return `${source} is an error, as the loop has no row; IFERROR(${source},0) avoids it`
  if (alone.length > 0 && ZEROS.has(name) && sourceAt(tokens, first - 1) === '/')
    return `the formula divides by ${source}, which is 0, as the loop has no row; IFERROR avoids the error`
  if (countsEmpty(call, tokens, inside, alone))
    return `${source} counts the empty row that stays of a loop without rows; IF(COUNTA(${cellsSource(inside[0], tokens)})=0,0,${source}) avoids it`
  return null
}

function isError(name: string, alone: readonly Cells[]): boolean {
  const [one] = alone
  if (!one) return false
  if (OF_VALUES.has(name)) return one.isOnly
  if (name === 'SUBTOTAL' || name === 'AGGREGATE') return CODES.has(one.call?.first ?? '') && alone.length === 1
  return OF_RANGES.has(name) && alone.some((cells) => takesRange(cells) === 'range')
}

function countsEmpty(
  { name, first, last }: FunctionCall,
  tokens: readonly Token[],
  inside: readonly Cells[],
  alone: readonly Cells[],
): boolean {
  if (OF_ROWS.has(name)) return alone.length > 0
  const between = tokens.slice(first + 1, last)
  if (name === 'COUNTIF' || name === 'COUNTIFS')
    return alone.length > 0 && between.some((token) => token.kind === 'string' && MET_BY_EMPTY.test(token.text))
  if (name !== 'SUMPRODUCT' && name !== 'SUM') return false
  return inside.length > alone.length && between.some((token) => token.kind === 'other' && /^[=<>]$/.test(token.text))
}

function callsIn(tokens: readonly Token[]): FunctionCall[] {
  const calls: FunctionCall[] = []
  const open: { name: string | null; first: number }[] = []
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'function') open.push({ name: functionName(token.text), first: index })
    else if (token.kind === 'other' && token.text === '(') open.push({ name: null, first: index })
    else if (token.kind === 'other' && token.text === ')') {
      const one = open.pop()
      if (one?.name) calls.push({ name: one.name, first: one.first, last: index })
    }
  }
  return calls
}

/** The cells, or the name with the column of the table. */
function cellsSource(cells: Cells | undefined, tokens: readonly Token[]): string {
  if (!cells) return ''
  const column = sourceAt(tokens, tokens.indexOf(cells) + 1)
  return sourceOf(cells) + (column.startsWith('[') ? column : '')
}

const sourceAt = (tokens: readonly Token[], index: number): string => {
  const token = tokens[index]
  return token ? sourceOf(token) : ''
}
