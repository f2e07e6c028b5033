/** References to one of several rows of a loop, whose copies are pieces with other rows between them. */
import { MAX_FORMULA } from '../safety/formulas.ts'
import { type Call, formatReference, type Reference, type Use } from './formula.ts'

/** Cells with the prefix of their sheet. */
export type Piece = Pick<Reference, 'start' | 'end' | 'prefix'>

/** A reference that is several pieces in the filled sheet; null when they are too many. */
export interface MovedReference {
  readonly reference: Reference
  readonly pieces: readonly Piece[] | null
}

/** The text of a formula with the references in it. */
export type MovedFormula = readonly (string | MovedReference)[]

/** Functions that take several ranges as one list: each value counts, wherever it stands. */
const LISTS = new Set(
  'SUM AVERAGE AVERAGEA COUNT COUNTA MIN MINA MAX MAXA MEDIAN PRODUCT SUBTOTAL AGGREGATE STDEV STDEVA STDEVP STDEV.S STDEV.P VAR VARA VARP VAR.S VAR.P SUMSQ AVEDEV DEVSQ GEOMEAN HARMEAN'.split(
    ' ',
  ),
)

/** Whether several pieces can stand in the place of the reference. */
export const takesList = ({ argumentOf }: Reference): boolean => argumentOf !== null && LISTS.has(argumentOf)

const words = (text: string): readonly string[] => text.split(' ')

/** Functions that take a range in some of their arguments and one value in the others, by the number of the argument, from 0. */
const RANGES: ReadonlyMap<string, (argument: number) => boolean> = new Map([
  ...words('SUBTOTAL AGGREGATE').map((name) => [name, (argument: number) => argument > 0] as const),
  ...words('VLOOKUP HLOOKUP MATCH XMATCH RANK RANK.EQ RANK.AVG').map(
    (name) => [name, (argument: number) => argument === 1] as const,
  ),
  ...words('LOOKUP XLOOKUP').map((name) => [name, (argument: number) => argument === 1 || argument === 2] as const),
  ...words('COUNTIF SUMIF AVERAGEIF').map((name) => [name, (argument: number) => argument !== 1] as const),
  ...words('SUMIFS AVERAGEIFS MAXIFS MINIFS').map(
    (name) => [name, (argument: number) => argument === 0 || argument % 2 === 1] as const,
  ),
  ['COUNTIFS', (argument) => argument % 2 === 0],
  ...words('NETWORKDAYS WORKDAY').map((name) => [name, (argument: number) => argument === 2] as const),
  ...words('TEXTJOIN').map((name) => [name, (argument: number) => argument > 1] as const),
  ...words(
    'INDEX OFFSET LARGE SMALL PERCENTILE PERCENTILE.INC PERCENTILE.EXC QUARTILE QUARTILE.INC QUARTILE.EXC PERCENTRANK PERCENTRANK.INC PERCENTRANK.EXC TRIMMEAN IRR MIRR FILTER SORT UNIQUE TAKE DROP',
  ).map((name) => [name, (argument: number) => argument === 0] as const),
  ...words('NPV XNPV').map((name) => [name, (argument: number) => argument > 0] as const),
  ...words(
    'COUNTBLANK SUMPRODUCT MODE MODE.SNGL MODE.MULT ROW ROWS COLUMN COLUMNS AREAS FREQUENCY CORREL PEARSON RSQ SLOPE INTERCEPT STEYX COVAR COVARIANCE.P COVARIANCE.S TREND GROWTH LINEST LOGEST MMULT TRANSPOSE SUMXMY2 SUMX2MY2 SUMX2PY2 XIRR CONCAT AND OR XOR SKEW KURT SORTBY VSTACK HSTACK TOCOL TOROW',
  ).map((name) => [name, () => true] as const),
])

/** Whether cells or a name stand alone as an argument that is a list of ranges, or one range; null: they are one value, or not alone. */
export function takesRange({ argumentOf, call }: Use): 'list' | 'range' | null {
  if (argumentOf === null || !call) return null
  return kindOf(call)
}

function kindOf({ name, argument }: Call): 'list' | 'range' | null {
  if (RANGES.get(name)?.(argument) ?? LISTS.has(name)) return LISTS.has(name) ? 'list' : 'range'
  return null
}

/** Functions of the place of a cell, which is one cell also where a range may stand. */
const PLACES = new Set(words('ROW COLUMN OFFSET AREAS'))

/** Whether a single cell stands where Excel expects several: `SUM(D6)`, which Excel writes for `SUM(D6:D6)`. */
export const standsForRange = (use: Use): boolean => takesRange(use) !== null && !PLACES.has(use.argumentOf ?? '')

/** Whether the formula computes with it in an argument that is a range or a list: `B5` in `SUMPRODUCT(B5*C5)`. */
export function isPartOfRange({ call }: Use): boolean {
  for (let around = call; around; around = around.outer) {
    if (kindOf(around) !== null && !PLACES.has(around.name)) return true
  }
  return false
}

/** Pieces that stand as arguments of a function, which takes 255 of them: more become one argument. */
const MAX_ARGUMENTS = 30

/**
 * The formula; lists that it has no room for become a condition on the number of the row, where the function allows that.
 * @param withoutRoom called with a reference that cannot be written, so that the formula shows `#N/A`
 */
export function writeFormula(
  formula: MovedFormula,
  isSeries: boolean,
  withoutRoom: (reference: Reference) => void,
): string {
  const lists = formula.map((part) => (typeof part === 'string' ? part : asList(part, isSeries)))
  const text = lists.join('')
  if (!lists.includes(null) && text.length <= MAX_FORMULA) return text
  let written = ''
  for (const [index, part] of formula.entries()) {
    const next = formula[index + 1]
    if (typeof part === 'string') written += isMasked(next) ? '(' : part
    else {
      const masked = asCondition(part)
      if (masked === null) withoutRoom(part.reference)
      written += masked ?? '#N/A'
    }
  }
  return written
}

function asList({ reference, pieces }: MovedReference, isSeries: boolean): string | null {
  if (!pieces) return null
  const list = pieces.map(formatReference).join(',')
  if (isSeries) return `(${list})`
  if (!takesList(reference)) return null
  return pieces.length > MAX_ARGUMENTS ? `(${list})` : list
}

/** Sums of the rows of a column that a condition chooses, by the function whose only argument they stand for. */
const CONDITIONS: Readonly<Record<string, (range: string, chosen: string) => string>> = {
  SUM: (range, chosen) => `SUMPRODUCT(1*${chosen},${range})`,
  COUNT: (range, chosen) => `SUMPRODUCT(ISNUMBER(${range})*${chosen})`,
  COUNTA: (range, chosen) => `SUMPRODUCT((1-ISBLANK(${range}))*${chosen})`,
  AVERAGE: (range, chosen) => `SUMPRODUCT(1*${chosen},${range})/SUMPRODUCT(ISNUMBER(${range})*${chosen})`,
}

const isMasked = (part: MovedFormula[number] | undefined): boolean =>
  part !== undefined && typeof part !== 'string' && asCondition(part) !== null

/** Null where the pieces do not follow one another evenly. */
function asCondition({ reference, pieces }: MovedReference): string | null {
  const write = reference.isOnly ? CONDITIONS[reference.argumentOf ?? ''] : undefined
  if (!write || !pieces || reference.start.column === null) return null
  if (reference.end && reference.end.column !== reference.start.column) return null
  const rows = pieces.map(({ start, end }) => [start.row ?? 0, (end ?? start).row ?? 0] as const)
  const [[first, end] = [0, 0], [second] = [0]] = rows
  const last = rows.at(-1)?.[1] ?? 0
  const period = second - first
  const isEven = rows.every(([from, to], index) => from === first + index * period && to - from === end - first)
  if (!isEven) return null
  const { start, prefix } = pieces[0]!
  const range = formatReference({ prefix, start: { ...start, row: first }, end: { ...start, row: last } })
  return write(range, `(MOD(ROW(${range})-${first},${period})<${end - first + 1})`)
}
