/** Finds formulas over rows of a loop that no formula can say once the rows are repeated, and rules that may mean two things then. */
import type { Document } from '@xmldom/xmldom'
import type { Findings } from '../names.ts'
import type { OfficePackage } from '../package.ts'
import { kindOf, type Relationship } from '../parts.ts'
import { parseXml } from '../xml.ts'
import { elements } from './dom.ts'
import { type Reference, sourceOf, type Token, tokenize } from './formula.ts'
import { type Block, columnsOf, createLayout, type Iterations, type Layout } from './layout.ts'
import { takesList } from './lists.ts'
import { createRowNames } from './names.ts'
import { createNeighbours } from './neighbours.ts'
import { type PlanBlock, placeOf, type SheetPlan } from './plan.ts'
import { referTo } from './references.ts'
import { readRule, tokensOfRule } from './rules.ts'

interface Sheet {
  readonly name: string
  readonly plan: SheetPlan | null
  readonly relationships: readonly Relationship[]
}

interface Workbook {
  readonly document: Document
  readonly sheets: readonly Sheet[]
}

/** Reports references to some rows of a loop, where only all of them can be written, and what would mean two things. */
export async function checkRepeats(
  source: OfficePackage,
  { document, sheets }: Workbook,
  findings: Findings,
): Promise<void> {
  const layouts = new Map(
    sheets.flatMap(({ name, plan }) => (plan ? [[name.toLowerCase(), trial(plan.blocks)] as const] : [])),
  )
  if (![...layouts.values()].some(({ blocks }) => blocks.length > 0)) return
  const names = createRowNames(document, sheets)
  const someAreHigh = [...layouts.values()].some(({ blocks }) => blocks.some(isHigh))
  const check = (tokens: readonly Token[], sheet: string, place: string, from: Cell): void => {
    for (const token of tokens) {
      if (token.kind !== 'reference') continue
      const own = token.sheet === null || token.sheet === sheet
      const layout = layouts.get((token.sheet ?? sheet).toLowerCase())
      if (!layout || takesList(token) || !isInPieces(token, layout, own ? from : null)) continue
      const details = `${sourceOf(token)} takes some rows of a loop and not the others between them, which works in functions such as SUM only; take all rows of the loop, or put what belongs together into one row`
      findings.add({ code: 'TEMPLATE_LOOP', place, details })
    }
  }
  /** Excel makes a series of a row with more columns than there are rows: in a loop it would be one for each record. */
  const checkSeries = async (relationship: Relationship, sheet: string): Promise<void> => {
    const { target, external } = relationship
    if (external || !source.has(target)) return
    if (kindOf(relationship) === 'drawing') {
      for (const inner of await source.relationships(target)) await checkSeries(inner, sheet)
    }
    if (kindOf(relationship) !== 'chart') return
    const chart = await parseXml(await source.text(target), target)
    for (const values of VALUES.flatMap((name) => elements(chart, name))) {
      for (const token of tokenize(elements(values, 'f')[0]?.textContent ?? '')) {
        if (token.kind !== 'reference' || !isRowOfLoop(token, layouts.get((token.sheet ?? sheet).toLowerCase())))
          continue
        const details = `the series ${sourceOf(token)} takes several cells of one row of a loop, which becomes many rows; choose "Switch Row/Column" for the chart in Excel, so that each column is a series`
        findings.add({ code: 'TEMPLATE_LOOP', place: `chart on ${sheet}`, details })
      }
    }
  }
  for (const { name, plan, relationships } of sheets) {
    for (const relationship of relationships) await checkSeries(relationship, name)
    if (!plan) continue
    for (const cell of someAreHigh ? [...plan.cells.values()].flat() : []) {
      if (cell.content.kind === 'formula') check(cell.content.formula.tokens(), name, placeOf(name, cell), cell)
    }
    const frame = await parseXml(plan.source.frame, name)
    const layoutOf = (sheet: string) => layouts.get(sheet.toLowerCase())
    const layout = layoutOf(name)!
    const on = { name, layout, neighbours: createNeighbours(plan, name), names, layoutOf }
    for (const element of ['conditionalFormatting', 'dataValidation'].flatMap((kind) => elements(frame, kind))) {
      const rule = readRule(element)
      const [base] = rule.areas
      if (!base) continue
      const place = `${name}!${rule.sqref}`
      for (const formula of rule.formulas) {
        const { tokens, problems } = tokensOfRule(rule, formula, on)
        for (const details of problems) findings.add({ code: 'TEMPLATE_LOOP', place, details })
        check(tokens, name, place, { row: base.top, column: base.left })
      }
    }
  }
}

/** The numbers of a series. */
const VALUES = ['val', 'yVal', 'xVal', 'bubbleSize']

const isRowOfLoop = (token: Reference, layout: Layout | undefined): boolean => {
  const { start, end } = token
  if (!layout || !end || start.row === null || start.row !== end.row || start.column === end.column) return false
  return layout.blocksAt(start.row, columnsOf(token)).some(({ loop }) => loop)
}

interface Cell {
  readonly row: number
  readonly column: number
}

/** The sheet with each loop three times, so that the second has one before and one behind it. */
const trial = (blocks: readonly PlanBlock[]): Layout<PlanBlock> => createLayout(blocks, ({ loop }) => (loop ? 3 : 1))

const isHigh = (block: Block<PlanBlock>): boolean =>
  (block.range.loop && block.last > block.first) || block.children.some(isHigh)

function isInPieces(token: Reference, layout: Layout<PlanBlock>, cell: Cell | null): boolean {
  const around = cell ? layout.blocksAt(cell.row, { left: cell.column, right: cell.column }) : []
  const within: Iterations = new Map(around.map((block) => [block, block.count > 1 ? 1 : 0]))
  return referTo(token, layout, { cell, within }).areas?.length !== 1
}
