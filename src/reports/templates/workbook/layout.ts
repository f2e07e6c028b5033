/** Where the rows of a template lie in the filled sheet. Each loop is a block of rows that is written a number of times. */
import { type Corner, MAX_ROW, type Reference } from './formula.ts'

/** Rows that belong to a loop or a condition, from 1, both included. */
export interface BlockRows {
  readonly first: number
  readonly last: number
  readonly children: readonly BlockRows[]
}

/** A block with the number of times it is written. */
export interface Block<Rows extends BlockRows = BlockRows> {
  readonly rows: Rows
  readonly first: number
  readonly last: number
  /** At least 1: a loop without rows keeps one empty row. */
  readonly count: number
  /** A loop without rows: one row, regardless of the height of the block. */
  readonly collapsed: boolean
  /** Rows of one iteration in the filled sheet. */
  readonly height: number
  readonly children: readonly Block<Rows>[]
}

/** Which iteration of a block a formula stands in, from 0. */
export type Iterations = ReadonlyMap<Block, number>

export interface Layout<Rows extends BlockRows = BlockRows> {
  readonly blocks: readonly Block<Rows>[]
  /** Row in the filled sheet of a row of the template: of its first or last iteration, unless `within` names the iteration. */
  rowOf(row: number, which: 'first' | 'last', within?: Iterations): number
  /** Blocks that hold the row, outermost first. */
  blocksAt(row: number): readonly Block<Rows>[]
}

export const NO_ITERATIONS: Iterations = new Map()

/**
 * @param rowsOf times that a loop repeats; 0 leaves one empty row. Conditions repeat once.
 */
export function createLayout<Rows extends BlockRows>(
  blocks: readonly Rows[],
  rowsOf: (block: Rows) => number,
): Layout<Rows> {
  const measured = measure(blocks, rowsOf)
  return {
    blocks: measured,
    rowOf: (row, which, within = NO_ITERATIONS) => place(measured, row, 1, 1, which, within),
    blocksAt(row) {
      const found: Block<Rows>[] = []
      for (let level = measured; ; ) {
        const block = level.find(({ first, last }) => first <= row && row <= last)
        if (!block) return found
        found.push(block)
        level = block.children
      }
    },
  }
}

const measure = <Rows extends BlockRows>(
  blocks: readonly Rows[],
  rowsOf: (block: Rows) => number,
): readonly Block<Rows>[] =>
  blocks
    .map((rows): Block<Rows> => {
      const times = rowsOf(rows)
      const children = measure(rows.children as readonly Rows[], rowsOf)
      const height = children.reduce((sum, child) => sum + growth(child), rows.last - rows.first + 1)
      const { first, last } = rows
      return {
        rows,
        first,
        last,
        count: Math.max(times, 1),
        collapsed: times === 0,
        height: times === 0 ? 1 : height,
        children,
      }
    })
    .sort((a, b) => a.first - b.first)

/** Rows that the block has more in the filled sheet than in the template. */
const growth = (block: Block): number => block.count * block.height - (block.last - block.first + 1)

function place(
  blocks: readonly Block[],
  row: number,
  origin: number,
  base: number,
  which: 'first' | 'last',
  within: Iterations,
): number {
  let position = base + row - origin
  for (const block of blocks) {
    if (row < block.first) break
    if (row > block.last) {
      position += growth(block)
      continue
    }
    const start = position - (row - block.first)
    if (block.collapsed) return start
    const index = within.get(block) ?? (which === 'first' ? 0 : block.count - 1)
    return place(block.children, row, block.first, start + index * block.height, which, within)
  }
  return position
}

/** The row in the filled sheet for a reference: one down to the last row of a sheet stays so, however many rows loops add above. */
export const referredRow = (layout: Layout, row: number, which: 'first' | 'last', within?: Iterations): number =>
  row === MAX_ROW ? row : Math.min(MAX_ROW, layout.rowOf(row, which, within))

/** Functions for which a single cell in a loop means all its rows: Excel writes SUM(D6), not SUM(D6:D6). */
const AGGREGATES = new Set(
  'SUM AVERAGE COUNT COUNTA COUNTBLANK MIN MAX MEDIAN PRODUCT SUBTOTAL AGGREGATE STDEV STDEVP STDEV.S STDEV.P VAR VARP VAR.S VAR.P SUMSQ COUNTIF SUMIF AVERAGEIF'.split(
    ' ',
  ),
)

/**
 * The corners of a reference in the filled sheet. A relative row of the iteration that the formula stands in means this iteration, an
 * absolute one the first or, at the end of a range, the last row of the whole block. Ranges grow to all rows of their blocks.
 * @param grow single cells become ranges too, as in the series of charts
 */
export function moveCorners(
  { start, end, argumentOf }: Pick<Reference, 'start' | 'end' | 'argumentOf'>,
  layout: Layout,
  within: Iterations = NO_ITERATIONS,
  grow = false,
): { readonly start: Corner; readonly end: Corner | null } {
  const move = (corner: Corner, which: 'first' | 'last'): Corner =>
    corner.row === null
      ? corner
      : { ...corner, row: referredRow(layout, corner.row, which, corner.rowAbsolute ? NO_ITERATIONS : within) }
  if (end) {
    const upward = (start.row ?? 0) > (end.row ?? 0)
    return { start: move(start, upward ? 'last' : 'first'), end: move(end, upward ? 'first' : 'last') }
  }
  const first = move(start, 'first')
  if (!grow && !(argumentOf && AGGREGATES.has(argumentOf.replace(/^_XLFN\./, '')))) return { start: first, end: null }
  const last = move(start, 'last')
  return { start: first, end: last.row === first.row ? null : last }
}
