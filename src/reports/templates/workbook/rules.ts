/**
 * Formulas of conditional formats and validations. Excel writes `$B$5` for a cell that is clicked at in their dialogs: in the rows of a
 * loop the cell of each record is meant, and not that of the first.
 */
import type { Element } from '@xmldom/xmldom'
import type { BookNames } from './charts.ts'
import { child, children, elements } from './dom.ts'
import { columnLetters, formatReference, type Reference, type Token, tokenize } from './formula.ts'
import { type Area, areaOf, areWithin, type Block, columnsOf, type Layout, overlap } from './layout.ts'
import { firstIteration, readArea } from './moves.ts'
import type { RowNames } from './names.ts'
import { aggregates, isOfColumn } from './references.ts'

/** `compared`: with the value of the cell; `limit`: of a colour scale, data bar or set of icons; `list`: the values to choose from. */
type Use = 'condition' | 'compared' | 'limit' | 'list'

interface RuleFormula {
  readonly source: string
  readonly use: Use
  write(formula: string): void
}

/** A conditional format or a validation, also one that Office 2010 and later write as an extension (`xm:sqref`, `xm:f`). */
export interface Rule {
  /** `A5:B5 D5`. */
  readonly sqref: string
  readonly areas: readonly Area[]
  readonly formulas: readonly RuleFormula[]
}

export function readRule(rule: Element): Rule {
  const sqref = (child(rule, 'sqref')?.textContent ?? rule.getAttribute('sqref') ?? '').trim()
  const texts = ['formula', 'formula1', 'formula2', 'f']
    .flatMap((name) => elements(rule, name))
    .filter((one) => children(one).length === 0)
    .map((one) => formulaIn(one, one.textContent ?? '', (text) => (one.textContent = text)))
  const values = elements(rule, 'cfvo').flatMap((one) => {
    const value = one.getAttribute('val')
    const isFormula = value !== null && Number.isNaN(Number(value))
    return isFormula ? [formulaIn(one, value, (text) => one.setAttribute('val', text))] : []
  })
  const areas = sqref.split(/\s+/).flatMap((part) => readArea(part) ?? [])
  return { sqref, areas, formulas: [...texts, ...values] }
}

const formulaIn = (element: Element, source: string, write: RuleFormula['write']): RuleFormula => ({
  source,
  use: useOf(element),
  write,
})

function useOf(formula: Element): Use {
  for (let element: Element | null = formula; element; element = element.parentNode as Element | null) {
    const type = element.getAttribute('type')
    if (element.localName === 'cfvo') return 'limit'
    if (element.localName === 'cfRule') return type === 'cellIs' ? 'compared' : 'condition'
    if (element.localName === 'dataValidation') {
      if (type === 'list') return 'list'
      return type === 'custom' ? 'condition' : 'compared'
    }
  }
  return 'condition'
}

const NONE: ReadonlySet<Token> = new Set()

interface RuleTokens {
  /** The formula with the cells of the own record instead of absolute ones. */
  readonly tokens: readonly Token[]
  readonly problems: readonly string[]
}

/**
 * @param sheet the name in the template
 * @param names of the workbook; null when none means a row of a loop
 */
export function tokensOfRule(
  rule: Rule,
  formula: RuleFormula,
  layout: Layout,
  sheet: string,
  names: RowNames | null,
): RuleTokens {
  const [base] = rule.areas
  const source = tokenize(formula.source)
  const from = base && { sheet, row: base.top, column: base.left }
  // A list to choose from has all rows of a name.
  const resolved = from && formula.use !== 'list' ? names?.resolve(source, from, true) : undefined
  const { tokens: all, named, problems: unclear } = resolved ?? { tokens: source, named: NONE, problems: [] }
  const problems = [...unclear]
  const tokens = all.map((token) => {
    if (token.kind !== 'reference' || (token.sheet !== null && token.sheet !== sheet)) return token
    const loops = loopsAt(token, layout)
    const loop = loops.at(-1)
    if (!loop) return token
    if (formula.use === 'list' && token.end === null && !(rule.areas.every(isIn(loop)) && !isFixed(token)))
      return { ...token, end: token.start }
    if (!isFixed(token) || !loops.some((one) => rule.areas.some(touches(one)))) return token
    const problem = named.has(token)
      ? problemOf(token, loop, rule, 'condition', [])
      : problemOf(token, loop, rule, formula.use, all)
    if (problem !== null) problems.push(problem)
    return problem === null && meansRecord(token, formula.use) ? ofRecord(token, loops, rule, layout) : token
  })
  return { tokens, problems }
}

/** The loops that hold the whole reference, outermost first. */
const loopsAt = (token: Reference, layout: Layout): readonly Block[] => {
  if (token.start.row === null) return []
  const { top, bottom } = areaOf(token)
  return layout.blocksAt(top, columnsOf(token)).filter(({ loop, last }) => loop && bottom <= last)
}

const isFixed = ({ start, end }: Reference): boolean => start.rowAbsolute && (end?.rowAbsolute ?? true)
const isIn =
  (block: Block) =>
  (area: Area): boolean =>
    block.first <= area.top && area.bottom <= block.last && areWithin(area, block)
const touches =
  (block: Block) =>
  (area: Area): boolean =>
    block.first <= area.bottom && area.top <= block.last && overlap(area, block)

/** A single cell, unless a function takes all rows of its loop; in a list also the cells of a row. */
const meansRecord = (token: Reference, use: Use): boolean =>
  token.end === null ? !aggregates(token) : use === 'list' && !isOfColumn(token)

function problemOf(token: Reference, loop: Block, rule: Rule, use: Use, tokens: readonly Token[]): string | null {
  const isRange = token.end !== null
  if (isRange ? isOfColumn(token) : aggregates(token)) return null
  const name = formatReference(token)
  const own = formatReference(withRelativeRows(token))
  const inLoop = `the loop in row ${loop.first}`
  const isInLoop = ({ start }: Reference) => start.row !== null && loop.first <= start.row && start.row <= loop.last
  const relative = tokens.find((one) => one.kind === 'reference' && !isFixed(one) && isInLoop(one)) as
    | Reference
    | undefined
  if (use === 'limit') {
    return isRange
      ? null
      : `a scale is one for all rows of ${inLoop}, each of which has ${name}; take a cell outside of the loop, or all rows as in MAX(${name})`
  }
  if (isRange && use !== 'list') {
    if (relative) return null
    return `${name} are the cells of all rows of ${inLoop}, so that all of them would be judged alike; write ${own} for those of each row`
  }
  if (!rule.areas.every(isIn(loop))) {
    return `${name} may mean the first row of ${inLoop} or the row of each record, as the rule takes cells outside of the loop too; keep it to the loop, or write ${own} for the row of each cell`
  }
  if (use === 'list') return null
  const column = columnsOf(token)
  const isItself = use === 'compared' && rule.areas.some((area) => touches(loop)(area) && overlap(area, column))
  if (!relative && !isItself) return null
  const beside = relative ? `beside ${formatReference(relative)}` : 'in a rule of the cell itself'
  return `${name} ${beside} may mean the first row of ${inLoop} or the own one; write ${own} for the own row, INDEX(${name}:${name.replace(/^.*!/, '')},1) for the first`
}

/**
 * The formula of something that comes back with each copy of the rows of `area`: absolute cells in them, and those of a name, are those of
 * the copy.
 */
export function tokensOfCopy(
  source: string,
  area: Area,
  layout: Layout,
  sheet: string,
  names: BookNames,
): readonly Token[] {
  const around = layout.blocksAt(area.top, area)
  const isOwn = (token: Token): token is Reference =>
    token.kind === 'reference' &&
    (token.sheet === null || token.sheet === sheet) &&
    loopsAt(token, layout).some((loop) => around.includes(loop))
  const [cells, ...more] = tokenize(names.formulaOf(source, sheet) ?? '')
  const tokens = cells && isOwn(cells) && more.length === 0 ? [cells] : tokenize(source)
  return tokens.map((token) => (isOwn(token) ? { ...withRelativeRows(token), neighbour: 'total' as const } : token))
}

function withRelativeRows({ start, end, ...token }: Reference): Reference {
  return { ...token, start: { ...start, rowAbsolute: false }, end: end && { ...end, rowAbsolute: false } }
}

/** The cells in the copy of the rows that the cell of the rule stands in: relative to a rule of one row, else by the number of the row. */
function ofRecord(token: Reference, loops: readonly Block[], rule: Rule, layout: Layout): Token {
  const [first] = rule.areas
  const isOneRow = rule.areas.every(
    (area) =>
      area.top === first?.top &&
      area.bottom === area.top &&
      layout.blocksAt(area.top, area).findLast(({ loop }) => loop) === loops.at(-1),
  )
  if (isOneRow || token.start.column === null || token.end !== null) return withRelativeRows(token)
  const { column, columnAbsolute, row } = token.start
  const within = firstIteration(areaOf(token), layout)
  const rowOf = (one: number) => layout.rowOf(one, { left: column, right: column }, 'first', within)
  let into = 'ROW()'
  let above = 0
  for (const block of loops) {
    const start = rowOf(block.first)
    into = `MOD(${into}-${start - above},${block.height})`
    above = start
  }
  const letters = `${columnAbsolute ? '$' : ''}${columnLetters(column)}`
  const offset = rowOf(row ?? 1) - above
  return { kind: 'other', text: `INDEX(${letters}:${letters},ROW()-${into}${offset === 0 ? '' : `+${offset}`})` }
}
