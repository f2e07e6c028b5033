/**
 * Formulas of conditional formats and validations. Excel writes `$B$5` for a cell that is clicked at in their dialogs: in the rows of a
 * loop the cell of each record is meant, and not that of the first.
 */
import type { Element } from '@xmldom/xmldom'
import type { BookNames } from './charts.ts'
import { child, children, elements } from './dom.ts'
import {
  type Corner,
  columnLetters,
  formatReference,
  type Reference,
  shiftTokens,
  type Token,
  tokenize,
} from './formula.ts'
import { type Area, areaOf, areWithin, type Block, columnsOf, createLayout, type Layout, overlap } from './layout.ts'
import { standsForRange } from './lists.ts'
import { firstIteration, iterationsOf, readArea } from './moves.ts'
import type { RowNames } from './names.ts'
import { type Neighbours, withFixedRows } from './neighbours.ts'
import { isOfColumn, referTo, type Standpoint } from './references.ts'

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

/** The sheet of a rule. */
export interface RuleSheet {
  /** In the template. */
  readonly name: string
  readonly layout: Layout
  readonly neighbours: Neighbours
  /** The names of the workbook; null when none means a row of a loop. */
  readonly names: RowNames | null
  /** The layout of another sheet by its name in the template. */
  layoutOf(sheet: string): Layout | undefined
}

export function tokensOfRule(rule: Rule, formula: RuleFormula, on: RuleSheet): RuleTokens {
  const { name: sheet, layout, names } = on
  const [base] = rule.areas
  const source = tokenize(formula.source)
  const from = base && { sheet, row: base.top, column: base.left }
  // A list to choose from has all rows of a name.
  const resolved = from && formula.use !== 'list' ? names?.resolve(source, from, true) : undefined
  const { tokens: all, named, problems: unclear } = resolved ?? { tokens: source, named: NONE, problems: [] }
  const problems = [...unclear]
  const tokens = all.map((token) => {
    if (token.kind !== 'reference') return token
    const loops = token.sheet === null || token.sheet === sheet ? loopsAt(token, layout) : []
    const loop = loops.at(-1)
    if (loop && formula.use === 'list' && token.end === null && !(rule.areas.every(isIn(loop)) && !isFixed(token)))
      return { ...token, end: token.start }
    const settled = isFixed(token) ? settleFixed(token, rule, on) : settle(token, loops, rule, formula.use, on)
    if (typeof settled === 'string') problems.push(settled)
    if (!isFixed(token) || typeof settled === 'string') return typeof settled === 'string' ? token : settled
    if (!loop || !loops.some((one) => rule.areas.some(touches(one)))) return token
    const problem = named.has(token)
      ? problemOf(token, loop, rule, 'condition', [], layout)
      : problemOf(token, loop, rule, formula.use, all, layout)
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

/** A single cell, unless a function takes all rows of its loop; in a list also the cells of a row, and not those of a column. */
const meansRecord = ({ start, end, ...token }: Reference, use: Use): boolean =>
  end === null ? !standsForRange(token) : use === 'list' && start.column !== end.column

function problemOf(
  token: Reference,
  loop: Block,
  rule: Rule,
  use: Use,
  tokens: readonly Token[],
  layout: Layout,
): string | null {
  const isRange = token.end !== null
  if (isRange ? isOfColumn(token) : standsForRange(token)) return null
  const name = formatReference(token)
  const own = isDeeper(loop, rule, layout) ? 'a name of the cell' : formatReference(withRelativeRows(token))
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
    const remedy = isDeeper(loop, rule, layout)
      ? 'put what is to be compared into one cell and give it a name'
      : `write ${own} for those of each row`
    return `${name} are the cells of all rows of ${inLoop}, so that all of them would be judged alike; ${remedy}`
  }
  if (!rule.areas.every(isIn(loop))) {
    const other = movesApart(rule, layout) ? '' : `, or write ${inRow(token, rule)} for the row of each cell`
    return `${name} may mean the first row of ${inLoop} or the row of each record, as the rule takes cells outside of the loop too; keep it to the loop${other}`
  }
  if (use === 'list') return null
  const column = columnsOf(token)
  const isItself = use === 'compared' && rule.areas.some((area) => touches(loop)(area) && overlap(area, column))
  if (!relative && !isItself) return null
  const first =
    loop.last > loop.first ? `a cell outside of the loop with =${name}` : `INDEX(${name}:${name.replace(/^.*!/, '')},1)`
  const beside = relative ? `beside ${formatReference(relative)}` : 'in a rule of the cell itself'
  return `${name} ${beside} may mean the first row of ${inLoop} or the own one; write ${own} for the own row, ${first} for the first`
}

/** Whether the rule stands in another loop within the loop: a relative row of the outer one is none of its own round there. */
const isDeeper = (loop: Block, rule: Rule, layout: Layout): boolean =>
  rule.areas.some((area) => {
    const inner = layout.blocksAt(area.top, area).findLast((block) => block.loop)
    return inner !== undefined && inner !== loop && loop.first <= inner.first && inner.last <= loop.last
  })

/** The cell in the first row of the rule, which is that of each cell. */
const inRow = (token: Reference, rule: Rule): string => {
  const { start, end } = withRelativeRows(token)
  const row = rule.areas[0]?.top ?? start.row
  return formatReference({ ...token, start: { ...start, row }, end: end && { ...end, row } })
}

/** Whether the rule has columns that move apart, as those of loops side by side. */
const movesApart = ({ areas }: Rule, { bands }: Layout): boolean =>
  bands.filter((band) => areas.some((area) => overlap(band, area))).length > 1

const apart = (name: string): string =>
  `${name} means other cells than in the template in some columns of the rule, as these move apart; make a rule for the columns of each loop and one for those beside it`

/** The layout with other numbers of rows in each loop, so that rows of different loops differ. */
function unevenLayout({ blocks }: Layout): Layout {
  let loops = 0
  return createLayout(
    blocks.map(({ range }) => range),
    ({ loop }) => (loop ? 3 + (loops++ % 5) : 1),
  )
}

/** A reference with absolute rows; why it cannot stay one where the columns of the rule lead it to rows that move apart. */
function settleFixed(token: Reference, rule: Rule, on: RuleSheet): Token | string {
  const [base] = rule.areas
  const target = token.sheet === null ? on.layout : on.layoutOf(token.sheet)
  const { start, end } = token
  if (!base || !target || start.row === null || (start.columnAbsolute && (end?.columnAbsolute ?? true))) return token
  const layout = unevenLayout(target)
  const { top, bottom } = areaOf(token)
  const rows = rule.areas.flatMap((area) =>
    [start, end ?? start].flatMap(({ column, columnAbsolute }) => {
      if (columnAbsolute || column === null) return []
      const by = column - base.left
      const columns = [area.left + by, ...layout.bands.map(({ left }) => left)]
      return columns
        .filter((one) => area.left + by <= one && one <= area.right + by)
        .map((one) => {
          const place = { left: one, right: one }
          return `${layout.rowOf(top, place, 'first')}:${layout.rowOf(bottom, place, 'last')}`
        })
    }),
  )
  return new Set(rows).size > 1 ? apart(formatReference(token)) : token
}

/** The formula of a rule is that of its first cell and moves along to the others. */
interface Sample {
  /** Rows that a formula of a cell of the rule would mean. */
  readonly meant: string
  /** Those that the formula of the first cell means once it has moved there. */
  readonly moved: string
  /** Those that are meant unless it is the row before or behind. */
  readonly own: string
  /** Whether they lie in a loop around the cell. */
  readonly isOuter: boolean
}

/**
 * A reference with relative rows, so that each cell of the rule has what a formula there would mean: as it is, with `$` for cells that
 * stay, or by the number of the row. Else why it cannot be said.
 */
function settle(token: Reference, loops: readonly Block[], rule: Rule, use: Use, on: RuleSheet): Token | string {
  const [base] = rule.areas
  const isApart = movesApart(rule, on.layout)
  const isRepeated = on.layout.blocks.some((block) => hasLoop(block) && rule.areas.some(touches(block)))
  if (!base || !(isRepeated || isApart) || token.start.row === null) return token
  const name = formatReference(token)
  const fixed = withFixedRows(token)
  const isOfRow = rule.areas.every(({ top, bottom }) => top === base.top && bottom === base.top)
  const unclear = isApart
    ? apart(name)
    : `${name} would move with each row of the loop and mean other cells than in the template; write ${formatReference(fixed)} for cells that stay${isOfRow ? '' : ', or make a rule for each row'}`
  if (token.sheet !== null && token.sheet !== on.name) {
    const { top, bottom } = areaOf(token)
    const stays = on.layoutOf(token.sheet)?.blocks.every(({ first, last }) => last < top || bottom < first)
    return isOfRow && stays ? fixed : unclear
  }
  const samples = samplesOf(token, base, rule, on)
  const marked = on.neighbours(token, { row: base.top, column: base.left })
  const isWithin = rule.areas.every((area) => loops.every((loop) => isIn(loop)(area)))
  const inner = on.layout.blocksAt(base.top, base).findLast(({ loop }) => loop)
  const isInner = inner && rule.areas.every(isIn(inner)) && on.layout.blocksAt(inner.first, inner).length > 1
  if (isInner && samples.some(({ meant, own, isOuter }) => isOuter && meant !== own)) {
    return `${name} lies next to the loop in row ${inner.first} in a loop around it, so it may mean the row before or behind or that cell; give that cell a name and write it for the cell of the own round`
  }
  if (samples.every(({ meant, moved }) => meant === moved)) return marked
  if (loops.length === 0) return samples.every(({ meant }) => meant === samples[0]?.meant) ? fixed : unclear
  const isCell = token.end === null && !standsForRange(token) && use !== 'list'
  return isOfRow && isWithin && isCell ? ofRecord(token, loops, rule, on.layout) : unclear
}

const hasLoop = ({ loop, children }: Block): boolean => loop || children.some(hasLoop)

/** Each cell of the rule in the rows of loops, and its first ones outside of them, one for columns that move together. */
function samplesOf(token: Reference, base: Area, rule: Rule, { layout, neighbours }: RuleSheet): readonly Sample[] {
  const trial = unevenLayout(layout)
  const rowsOf = (reference: Reference, from: Standpoint, by = 0): string => {
    const corner = ({ row, rowAbsolute }: Corner) => (row ?? 0) + (rowAbsolute ? 0 : by)
    const areas = referTo(reference, trial, from).areas ?? []
    return areas.map(({ start, end }) => `${corner(start)}:${corner(end ?? start)}`).join(' ')
  }
  const cell = { row: base.top, column: base.left }
  const within = firstIteration(base, trial)
  const marked = neighbours(token, cell)
  const first = trial.rowOf(base.top, { left: base.left, right: base.left }, 'first', within)
  return rule.areas.flatMap((area) =>
    cellsIn(area, trial).flatMap((at) => {
      const [shifted] = shiftTokens([token], at.row - base.top, at.column - base.left)
      if (shifted?.kind !== 'reference') return []
      const column = { left: at.column, right: at.column }
      const around = trial.blocksAt(at.row, column)
      const isOuter = loopsAt(shifted, trial).some((loop) => around.includes(loop))
      return Array.from(iterationsOf(around), (iteration) => {
        const from = { cell: at, within: iteration }
        const by = trial.rowOf(at.row, column, 'first', iteration) - first
        return {
          meant: rowsOf(neighbours(shifted, at), from),
          moved: rowsOf(marked, { cell, within }, by),
          own: rowsOf({ ...shifted, neighbour: 'total' }, from),
          isOuter,
        }
      })
    }),
  )
}

/** Cells of the area in the rows of loops, and its first ones outside of them. */
const cellsIn = (area: Area, { blocks, bands }: Layout): readonly { readonly row: number; readonly column: number }[] =>
  bands
    .filter((band) => overlap(band, area))
    .flatMap((band) => {
      const column = Math.max(area.left, band.left)
      const loops = blocks.filter((block) => hasLoop(block) && areWithin(band, block))
      const looped = loops.flatMap(({ first, last }) => {
        const top = Math.max(first, area.top)
        const count = Math.max(0, Math.min(last, area.bottom) - top + 1)
        return Array.from({ length: count }, (_, index) => top + index)
      })
      return (looped.includes(area.top) ? looped : [area.top, ...looped]).map((row) => ({ row, column }))
    })

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
