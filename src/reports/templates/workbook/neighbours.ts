/** References of a loop to the rows right above and below it: another row of the loop, once it is filled, or a cell that stays what it is. */
import type { Findings } from '../names.ts'
import { type Reference, sourceOf, type Token } from './formula.ts'
import { areaOf, overlap } from './layout.ts'
import {
  asStatic,
  blockAt,
  type PlanBlock,
  type PlanCell,
  placeOf,
  type SheetPlan,
  soleTag,
  type TextPiece,
} from './plan.ts'
import { type CellFormula, cellsOf, firstAt } from './sheet.ts'

interface Sheet {
  readonly name: string
  readonly blocks: readonly PlanBlock[]
  cellAt(row: number, column: number): PlanCell | undefined
}

/** The plan with the references of its loops to totals and figures marked; what the sheet leaves open is reported. */
export function withNeighbours(plan: SheetPlan, name: string, findings: Findings): SheetPlan {
  const { blocks } = plan
  if (blocks.length === 0) return plan
  const sheet = { name, blocks, cellAt: createLookup(plan) }
  const marked = (cell: PlanCell): PlanCell =>
    cell.content.kind === 'formula'
      ? { ...cell, content: { kind: 'formula', formula: markedFormula(cell, cell.content.formula, sheet, findings) } }
      : cell
  const isNear = (row: number) => blocks.some(({ first, last }) => first <= row && row <= last + 1)
  const cells = new Map(Array.from(plan.cells, ([row, list]) => [row, isNear(row) ? list.map(marked) : list] as const))
  return { ...plan, cells }
}

type Place = Pick<PlanCell, 'row' | 'column'>

/** Marks a reference of something that stands in a cell and is none, such as a rule, as those of formulas are marked. */
export type Neighbours = (token: Reference, cell: Place) => Reference

export function createNeighbours(plan: SheetPlan, name: string): Neighbours {
  const { blocks } = plan
  const sheet = { name, blocks, cellAt: createLookup(plan) }
  return (token, cell) => ({ ...token, neighbour: neighbourOf(token, cell, pathOf(cell, blocks), sheet) })
}

/** Finds cells, also those of rows that are copied as they are. */
function createLookup({ source: { rows }, cells }: SheetPlan): Sheet['cellAt'] {
  const read = new Map<number, readonly PlanCell[]>()
  return (number, column) => {
    const row = rows[firstAt(rows, number)]
    const found = cells.get(number) ?? read.get(number) ?? (row?.number === number ? cellsOf(row).map(asStatic) : [])
    read.set(number, found)
    return found.find((cell) => cell.column === column)
  }
}

function markedFormula(cell: PlanCell, formula: CellFormula, sheet: Sheet, findings: Findings): CellFormula {
  const path = pathOf(cell, sheet.blocks)
  for (const token of formula.tokens()) {
    const details = token.kind === 'reference' ? problemOf(token, cell, path, sheet) : null
    if (details) findings.add({ code: 'TEMPLATE_LOOP', place: placeOf(sheet.name, cell), details })
  }
  return {
    ...formula,
    tokens: () =>
      formula
        .tokens()
        .map((token) =>
          token.kind === 'reference' ? { ...token, neighbour: neighbourOf(token, cell, path, sheet) } : token,
        ),
  }
}

/** The loops and conditions around a cell, outermost first. */
function pathOf(cell: Place, blocks: readonly PlanBlock[]): readonly PlanBlock[] {
  const block = blockAt(blocks, cell)
  return block ? [block, ...pathOf(cell, block.children)] : []
}

const isElsewhere = (token: Reference, { name }: Sheet): boolean => token.sheet !== null && token.sheet !== name

/** The innermost loop that the rows of the reference lie right above or below. */
function besideLoop(token: Reference, path: readonly PlanBlock[], sheet: Sheet): PlanBlock | null {
  if (isElsewhere(token, sheet) || token.start.row === null || token.start.rowAbsolute || token.end?.rowAbsolute)
    return null
  const area = areaOf(token)
  const isIn = ({ first, last }: PlanBlock) => first <= area.bottom && area.top <= last
  const isNear = ({ first, last }: PlanBlock) => {
    const height = last - first + 1
    return area.bottom < first ? first - area.bottom <= height : area.top - last <= height
  }
  return path.findLast((block) => block.loop && overlap(area, block) && !isIn(block) && isNear(block)) ?? null
}

function neighbourOf(token: Reference, cell: Place, path: readonly PlanBlock[], sheet: Sheet): Reference['neighbour'] {
  if (isRunning(token, cell, sheet.blocks, sheet)) return 'running'
  const block = besideLoop(token, path, sheet)
  const { row, column } = token.start
  const other = block && row !== null && column !== null ? sheet.cellAt(row, column) : undefined
  if (!block || !other) return null
  if (isTotal(other, block, sheet, MOST_STEPS)) return 'total'
  return column !== cell.column && isFigure(other) ? 'figure' : null
}

/** Whether a cell right below a loop refers to a formula of the loop that goes on from a figure above it: the end of a balance. */
function isRunning(token: Reference, below: Place, blocks: readonly PlanBlock[], sheet: Sheet): boolean {
  const { row, column, rowAbsolute } = token.start
  if (isElsewhere(token, sheet) || token.end || row === null || column === null || rowAbsolute) return false
  const block = blockAt(blocks, { row, column })
  if (!block) return false
  const isNext = block.loop && below.row === block.last + 1 && block.left <= below.column && below.column <= block.right
  if (!isNext) return isRunning(token, below, block.children, sheet)
  const above = row - (block.last - block.first + 1)
  const figure = above < 1 ? undefined : sheet.cellAt(above, column)
  const content = sheet.cellAt(row, column)?.content
  if (!figure || !isFigure(figure) || content?.kind !== 'formula') return false
  return content.formula.tokens().some((one) => {
    if (one.kind !== 'reference' || one.sheet !== null || one.start.rowAbsolute) return false
    const area = areaOf(one)
    return area.top <= above && above <= area.bottom && area.left <= column && column <= area.right
  })
}

/** Formulas about formulas about a loop. */
const MOST_STEPS = 3

/** Whether the cell shows something about all rows of the loop. */
function isTotal({ content, row, column }: PlanCell, block: PlanBlock, sheet: Sheet, steps: number): boolean {
  if (content.kind === 'text') return content.pieces.some(isTotalTag)
  if (content.kind !== 'formula') return false
  return content.formula.tokens().some((token: Token) => {
    // A column of a table of Excel, which the rows of the loop fill.
    if (token.kind !== 'reference') return token.text.startsWith('[')
    if (isElsewhere(token, sheet)) return false
    const area = areaOf(token)
    if (area.top <= block.last && block.first <= area.bottom && overlap(area, block)) return true
    const [top, left] = [token.start.row ?? row, token.start.column ?? column]
    const next = steps > 0 && !(top === row && left === column) ? sheet.cellAt(top, left) : undefined
    return next !== undefined && isTotal(next, block, sheet, steps - 1)
  })
}

const isTotalTag = (piece: TextPiece): boolean =>
  typeof piece !== 'string' &&
  'kind' in piece &&
  piece.kind === 'value' &&
  piece.path.some((name) => /^\$(total|count)$/.test(name))

/** A number, a date, a formula or a value of the app; no text. */
const isFigure = ({ content, type, inner }: PlanCell): boolean => {
  if (content.kind === 'formula') return true
  if (content.kind === 'static') return inner !== '' && !/^(s|inlineStr|str)$/.test(type)
  return soleTag(content.pieces) !== null
}

function problemOf(token: Reference, cell: PlanCell, path: readonly PlanBlock[], sheet: Sheet): string | null {
  const block = besideLoop(token, path, sheet)
  if (!block) return null
  const { top, bottom } = areaOf(token)
  const where = bottom < block.first ? 'above' : 'below'
  const name = sourceOf(token)
  const height = block.last - block.first + 1
  if (bottom - top + 1 > height) {
    return `${name} ends right ${where} the loop ${block.open.source}, so it may mean the rows ${where} each row; write ${withRows(token)} for cells that stay`
  }
  const isInOuter = path.some((outer) => outer !== block && outer.first <= top && bottom <= outer.last && outer.loop)
  if (!isInOuter || neighbourOf(token, cell, path, sheet) !== 'figure') return null
  return `${name} lies right ${where} the loop ${block.open.source} in a loop around it, so it may mean the row ${where === 'above' ? 'before' : 'behind'} or that cell; leave an empty row between for the cell, or leave the cell empty`
}

const withRows = (token: Reference): string => sourceOf(withFixedRows(token))

/** The reference with a `$` before its rows. */
export const withFixedRows = (token: Reference): Reference => ({
  ...token,
  start: { ...token.start, rowAbsolute: true },
  end: token.end && { ...token.end, rowAbsolute: true },
})
