/**
 * Where the cells of a template lie in the filled sheet. Each loop is a block of rows that is written a number of times; it moves the
 * cells below it, in its columns only.
 */
import { MAX_COLUMN, MAX_ROW, type Reference } from './formula.ts'

/** Columns from 1, both included. */
export interface Columns {
  readonly left: number
  readonly right: number
}

export const ALL_COLUMNS: Columns = { left: 1, right: MAX_COLUMN }
export const areWithin = (inner: Columns, outer: Columns): boolean =>
  outer.left <= inner.left && inner.right <= outer.right
export const overlap = (one: Columns, other: Columns): boolean => one.left <= other.right && other.left <= one.right

/** An area of cells, rows and columns from 1, all included. */
export interface Area extends Columns {
  readonly top: number
  readonly bottom: number
}

/** Rows that belong to a loop or a condition, from 1, both included, in some columns or in all. Blocks in the same rows share no column. */
export interface BlockRange extends Columns {
  readonly first: number
  readonly last: number
  /** Over the rows of a table; else a condition. */
  readonly loop: boolean
  readonly children: readonly BlockRange[]
}

/** A block with the number of times it is written. */
export interface Block<Range extends BlockRange = BlockRange> extends Columns {
  readonly range: Range
  readonly first: number
  readonly last: number
  readonly loop: boolean
  /** At least 1: a loop without rows keeps one empty row. */
  readonly count: number
  /** A loop without rows: one row, regardless of the height of the block. */
  readonly collapsed: boolean
  /** Rows of one iteration in the filled sheet. */
  readonly height: number
  readonly children: readonly Block<Range>[]
}

/** Which iteration of a block a formula stands in, from 0. */
export type Iterations = ReadonlyMap<Block, number>

export interface Layout<Range extends BlockRange = BlockRange> {
  readonly blocks: readonly Block<Range>[]
  /** Columns that move together, from left to right; all columns of a sheet without loops beside other content. */
  readonly bands: readonly Columns[]
  /**
   * Row in the filled sheet of a row of the template: of its first or last iteration, unless `within` names the iteration. Where the
   * columns move apart, it is the uppermost row for `first` and the lowest for `last`.
   */
  rowOf(row: number, columns: Columns, which: 'first' | 'last', within?: Iterations): number
  /** Blocks that hold the row in all these columns, outermost first. */
  blocksAt(row: number, columns: Columns): readonly Block<Range>[]
}

export const NO_ITERATIONS: Iterations = new Map()

/**
 * @param timesOf times that a loop repeats; 0 leaves one empty row. Conditions repeat once.
 */
export function createLayout<Range extends BlockRange>(
  blocks: readonly Range[],
  timesOf: (block: Range) => number,
): Layout<Range> {
  const bands = bandsOf(blocks)
  const measured = measure(blocks, timesOf, bands)
  return {
    blocks: measured,
    bands,
    rowOf(row, columns, which, within = NO_ITERATIONS) {
      const isOne = bands.length === 1 || columns.left === columns.right
      if (isOne) return place(measured, columns.left, row, 1, 1, which, within)
      const rows = bands
        .filter((band) => overlap(band, columns))
        .map(({ left }) => place(measured, left, row, 1, 1, which, within))
      return which === 'first' ? Math.min(...rows) : Math.max(...rows)
    },
    blocksAt(row, columns) {
      const found: Block<Range>[] = []
      for (let level = measured; ; ) {
        const block = level.find((one) => one.first <= row && row <= one.last && areWithin(columns, one))
        if (!block) return found
        found.push(block)
        level = block.children
      }
    },
  }
}

function bandsOf(blocks: readonly BlockRange[]): readonly Columns[] {
  const starts = new Set([1])
  const visit = (level: readonly BlockRange[]) => {
    for (const { left, right, children } of level) {
      starts.add(left)
      if (right < MAX_COLUMN) starts.add(right + 1)
      visit(children)
    }
  }
  visit(blocks)
  const sorted = [...starts].sort((one, other) => one - other)
  return sorted.map((left, index) => ({ left, right: (sorted[index + 1] ?? MAX_COLUMN + 1) - 1 }))
}

const measure = <Range extends BlockRange>(
  blocks: readonly Range[],
  timesOf: (block: Range) => number,
  bands: readonly Columns[],
): readonly Block<Range>[] =>
  blocks
    .map((range): Block<Range> => {
      const { first, last, left, right, loop } = range
      const times = timesOf(range)
      const children = measure(range.children as readonly Range[], timesOf, bands)
      // One iteration is as high as its longest columns.
      const growths = bands
        .filter((band) => areWithin(band, range))
        .map((band) => children.reduce((sum, child) => sum + (areWithin(band, child) ? growth(child) : 0), 0))
      return {
        range,
        first,
        last,
        left,
        right,
        loop,
        count: Math.max(times, 1),
        collapsed: times === 0,
        height: times === 0 ? 1 : last - first + 1 + Math.max(...growths),
        children,
      }
    })
    .sort((a, b) => a.first - b.first)

/** Rows that the block has more in the filled sheet than in the template. */
const growth = (block: Block): number => block.count * block.height - (block.last - block.first + 1)

function place(
  blocks: readonly Block[],
  column: number,
  row: number,
  origin: number,
  base: number,
  which: 'first' | 'last',
  within: Iterations,
): number {
  let position = base + row - origin
  for (const block of blocks) {
    if (row < block.first) break
    if (column < block.left || block.right < column) continue
    if (row > block.last) {
      position += growth(block)
      continue
    }
    const start = position - (row - block.first)
    if (block.collapsed) return start
    const index = within.get(block) ?? (which === 'first' ? 0 : block.count - 1)
    return place(block.children, column, row, block.first, start + index * block.height, which, within)
  }
  return position
}

/** The row in the filled sheet for a reference: one down to the last row of a sheet stays so, however many rows loops add above. */
export const referredRow = (
  layout: Layout,
  row: number,
  columns: Columns,
  which: 'first' | 'last',
  within?: Iterations,
): number => (row === MAX_ROW ? row : Math.min(MAX_ROW, layout.rowOf(row, columns, which, within)))

/** The columns of a reference; whole rows have all. */
export function columnsOf({ start, end }: Pick<Reference, 'start' | 'end'>): Columns {
  const [one, other] = [start.column, (end ?? start).column]
  if (one === null || other === null) return ALL_COLUMNS
  return { left: Math.min(one, other), right: Math.max(one, other) }
}

/** The area of a reference; whole rows and columns reach to the edge of the sheet. */
export function areaOf(reference: Pick<Reference, 'start' | 'end'>): Area {
  const { start } = reference
  const end = reference.end ?? start
  const [top, bottom] = [start.row ?? 1, end.row ?? MAX_ROW]
  return { top: Math.min(top, bottom), bottom: Math.max(top, bottom), ...columnsOf(reference) }
}

/** `A:C`, which stays as it is. */
export const isWholeColumns = ({ top, bottom }: Area): boolean => top === 1 && bottom === MAX_ROW

/** The block that moves some columns of the area and not the others, so that its cells do not stay one area. */
export function splitBy<Range extends BlockRange>(area: Area, blocks: readonly Range[]): Range | null {
  if (isWholeColumns(area)) return null
  return splitAt(area.top, area, blocks) ?? (area.bottom === MAX_ROW ? null : splitAt(area.bottom, area, blocks))
}

function splitAt<Range extends BlockRange>(row: number, columns: Columns, blocks: readonly Range[]): Range | null {
  for (const block of blocks) {
    if (row < block.first || !overlap(columns, block)) continue
    if (!areWithin(columns, block)) return block
    const inner = row <= block.last ? splitAt(row, columns, block.children as readonly Range[]) : null
    if (inner) return inner
  }
  return null
}

/** Rows of the filled sheet, both included. */
export interface Rows {
  readonly first: number
  readonly last: number
}

/**
 * The copies of the rows `top` to `bottom` of the template that lie within `limits`, in pieces where other rows of their loop stand between
 * them. Null for more pieces than any formula has room for.
 */
export function copiesOf(
  layout: Layout,
  { top, bottom, left }: Area,
  limits: Rows,
  most = MOST_PIECES,
): readonly Rows[] | null {
  const isWhole = (block: Block): boolean => block.collapsed || (top <= block.first && block.last <= bottom)
  const pieces: { readonly first: number; last: number }[] = []
  const add = (first: number, last: number) => {
    const [from, to] = [Math.max(first, limits.first), Math.min(last, limits.last)]
    if (from > to) return
    const previous = pieces.at(-1)
    if (previous?.last === from - 1) previous.last = to
    else pieces.push({ first: from, last: to })
  }
  const visit = (blocks: readonly Block[], from: number, to: number, offset: number): boolean => {
    let [next, by] = [from, offset]
    for (const block of blocks) {
      if (block.first > to) break
      if (left < block.left || block.right < left) continue
      const start = block.first + by
      by += growth(block)
      if (block.last < next) continue
      add(next + start - block.first, start - 1)
      next = block.last + 1
      if (isWhole(block)) {
        add(start, start + block.count * block.height - 1)
        continue
      }
      const indexOf = (row: number) => Math.floor((row - start) / block.height)
      const end = Math.min(block.count - 1, indexOf(limits.last))
      for (let index = Math.max(0, indexOf(limits.first)); index <= end; index++) {
        const inner = start + index * block.height - block.first
        if (!visit(block.children, Math.max(from, block.first), Math.min(to, block.last), inner)) return false
        if (pieces.length > most) return false
      }
    }
    add(next + by, to + by)
    return true
  }
  return visit(layout.blocks, top, bottom, 0) ? pieces : null
}

const MOST_PIECES = 20_000
