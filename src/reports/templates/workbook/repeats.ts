/** Finds formulas over some rows of a loop that no formula can say once the rows are repeated. */
import type { Element } from '@xmldom/xmldom'
import type { Findings } from '../names.ts'
import { parseXml } from '../xml.ts'
import { elements } from './dom.ts'
import { type Reference, sourceOf, type Token, tokenize } from './formula.ts'
import { type Block, createLayout, type Iterations, type Layout } from './layout.ts'
import { takesList } from './lists.ts'
import { readArea } from './moves.ts'
import { type PlanBlock, placeOf, type SheetPlan } from './plan.ts'
import { referTo } from './references.ts'

interface Sheet {
  readonly name: string
  readonly plan: SheetPlan | null
}

const FORMULAS = ['formula', 'formula1', 'formula2', 'f']

/** Reports references to some rows of a loop, where only all of them can be written. */
export async function checkRepeats(sheets: readonly Sheet[], findings: Findings): Promise<void> {
  const layouts = new Map(
    sheets.flatMap(({ name, plan }) => (plan ? [[name.toLowerCase(), trial(plan.blocks)] as const] : [])),
  )
  if (![...layouts.values()].some(({ blocks }) => blocks.some(isHigh))) return
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
  for (const { name, plan } of sheets) {
    if (!plan) continue
    for (const cell of [...plan.cells.values()].flat()) {
      if (cell.content.kind === 'formula') check(cell.content.formula.tokens(), name, placeOf(name, cell), cell)
    }
    const frame = await parseXml(plan.source.frame, name)
    for (const rule of ['conditionalFormatting', 'dataValidation'].flatMap((kind) => elements(frame, kind))) {
      const list = areasOf(rule)
      const base = readArea(list.split(/\s+/)[0] ?? '')
      if (!base) continue
      for (const formula of FORMULAS.flatMap((kind) => elements(rule, kind))) {
        check(tokenize(formula.textContent ?? ''), name, `${name}!${list}`, { row: base.top, column: base.left })
      }
    }
  }
}

interface Cell {
  readonly row: number
  readonly column: number
}

const areasOf = (rule: Element): string =>
  (elements(rule, 'sqref')[0]?.textContent ?? rule.getAttribute('sqref') ?? '').trim()

/** The sheet with each loop three times, so that the second has one before and one behind it. */
const trial = (blocks: readonly PlanBlock[]): Layout<PlanBlock> => createLayout(blocks, ({ loop }) => (loop ? 3 : 1))

const isHigh = (block: Block<PlanBlock>): boolean =>
  (block.range.loop && block.last > block.first) || block.children.some(isHigh)

function isInPieces(token: Reference, layout: Layout<PlanBlock>, cell: Cell | null): boolean {
  const around = cell ? layout.blocksAt(cell.row, { left: cell.column, right: cell.column }) : []
  const within: Iterations = new Map(around.map((block) => [block, block.count > 1 ? 1 : 0]))
  return referTo(token, layout, { cell, within }).areas?.length !== 1
}
