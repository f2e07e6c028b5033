/** Which cells of the filled sheet a reference of the template means. */
import type { Corner, Reference } from './formula.ts'
import {
  type Area,
  areaOf,
  areWithin,
  type Block,
  type Columns,
  columnsOf,
  copiesOf,
  type Iterations,
  type Layout,
  NO_ITERATIONS,
  overlap,
  type Rows,
  referredRow,
} from './layout.ts'
import { isPartOfRange, standsForRange } from './lists.ts'

/** One column of one row that stands for all rows of its loop: `B5:B5`, or `B5` as the only argument of `SUM`. */
export const isOfColumn = (reference: Reference): boolean => {
  const { start, end, isOnly } = reference
  if (end) return start.row === end.row && start.column === end.column
  return isOnly && standsForRange(reference)
}

/** Where a formula stands. */
export interface Standpoint {
  /** Its cell in the template; null on another sheet than the reference. Undefined for names and charts, which stand in no cell. */
  readonly cell?: { readonly row: number; readonly column: number } | null | undefined
  readonly within?: Iterations
}

type Ends = Pick<Reference, 'start' | 'end'>

/** The cells that a reference means. */
interface Referred {
  /** From top to bottom: several where other rows of the loop stand between them. Null when there are more than a formula has room for. */
  readonly areas: readonly Ends[] | null
  /** Of a single cell of a loop, seen from somewhere else: the row that it keeps, which may not be the one that is meant. */
  readonly kept: { readonly which: 'first' | 'last'; readonly of: number } | null
}

/**
 * A relative row of the iteration that the formula stands in means this iteration, and one that lies as many rows above or below the loop
 * as the loop has means the iteration before or behind, as if the rows had been filled down. An absolute row means all iterations, in a
 * range with a relative one the first. Ranges and the arguments of sums take all rows of their loops.
 * @param grow single cells become ranges too, as in the series of charts
 */
export function referTo(reference: Reference, layout: Layout, from: Standpoint, grow = false): Referred {
  const { start, end } = reference
  if (start.row === null) return { areas: [reference], kept: null }
  if (!end && !grow && !standsForRange(reference)) return single(reference, start.row, layout, from)
  const area = areaOf(reference)
  const { limits, isStepped } = limitsOf(reference, area, layout, from)
  const rows = isStepped ? [limits] : piecesIn(area, layout, limits)
  const [only, ...others] = rows ?? []
  if (!only || others.length > 0) return { areas: rows?.map((one) => asPiece(reference, one)) ?? null, kept: null }
  if (!end && only.first === only.last) return { areas: [withRow(reference, only.first)], kept: null }
  const upward = end?.row != null && start.row > end.row
  const ends = asEnds(reference, only)
  return { areas: [upward ? { start: withRowOf(start, only.last), end: ends.start } : ends], kept: null }
}

const withRowOf = (corner: Corner, row: number): Corner => ({ ...corner, row })
const withRow = ({ start }: Ends, row: number): Ends => ({ start: withRowOf(start, row), end: null })

/** The columns of a reference in other rows; a single cell where it is one. */
function asEnds({ start, end }: Ends, { first, last }: Rows): Ends {
  const [upper, lower] = end && (start.row ?? 0) > (end.row ?? 0) ? [end, start] : [start, end ?? start]
  return { start: withRowOf(upper, first), end: withRowOf(lower, last) }
}

/** One of several pieces: a cell where it is one. */
function asPiece(reference: Ends, rows: Rows): Ends {
  const { start, end } = asEnds(reference, rows)
  const isCell = rows.first === rows.last && start.column !== null && start.column === end?.column
  return isCell ? { start, end: null } : { start, end }
}

function single(reference: Reference, row: number, layout: Layout, from: Standpoint): Referred {
  const { start } = reference
  const columns = columnsOf(reference)
  const { within = NO_ITERATIONS } = from
  const at = (seen: Seen, which: 'first' | 'last') =>
    withRow(reference, referredRow(layout, seen.row, columns, which, seen.within))
  if (start.rowAbsolute) return { areas: [at({ row, within: NO_ITERATIONS }, 'first')], kept: null }
  const blocks = layout.blocksAt(row, columns)
  const empty = blocks.findIndex(({ collapsed }) => collapsed)
  if (reference.neighbour === 'running' && empty >= 0) {
    const { first, last } = blocks[empty]!
    return { areas: [at({ row: row - (last - first + 1), within }, 'last')], kept: null }
  }
  const stepped = step(reference, start, from)
  if (stepped) return { areas: [at(stepped, stepped.row > row ? 'last' : 'first')], kept: null }
  const { cell } = from
  const loops = blocks.slice(0, empty < 0 ? blocks.length : empty).filter((block) => !within.has(block))
  const free = loops.find(({ count }) => count > 1)
  if (reference.corner)
    return { areas: [at({ row, within }, reference.corner === 'start' ? 'first' : 'last')], kept: null }
  // A cell beside the loop does not move with it, so that no row of the loop is next to it.
  const isNext = free && cell && free.left <= cell.column && cell.column <= free.right
  const isLast = isNext && cell.row === free.last + 1
  const isClear = isLast || (isNext && cell.row === free.first - 1)
  const which = isLast ? 'last' : 'first'
  const isKnown = !free || cell === undefined || (isClear && !isPartOfRange(reference))
  const of = loops.reduce((rows, { count }) => rows * count, 1)
  return { areas: [at({ row, within }, which)], kept: isKnown ? null : { which, of } }
}

/** The first and the last row of a range. */
function limitsOf(
  reference: Reference,
  { top, bottom }: Area,
  layout: Layout,
  from: Standpoint,
): { readonly limits: Rows; readonly isStepped: boolean } {
  const { start } = reference
  const end = reference.end ?? start
  const { within = NO_ITERATIONS } = from
  const columns = columnsOf(reference)
  if (within.size === 0) {
    const first = referredRow(layout, top, columns, 'first')
    return { limits: { first, last: referredRow(layout, bottom, columns, 'last') }, isStepped: false }
  }
  const [upper, lower] = (start.row ?? 0) > (end.row ?? 0) ? [end, start] : [start, end]
  const holdsOne = holdsRow(within, top) || holdsRow(within, bottom)
  const at = (seen: Seen, which: 'first' | 'last') => referredRow(layout, seen.row, columns, which, seen.within)
  const isMixed = holdsOne && upper.rowAbsolute !== lower.rowAbsolute
  const fixedWithin = isMixed ? aroundLoop(within) : NO_ITERATIONS
  const own = (row: number, isFixed: boolean): Seen => ({ row, within: isFixed ? fixedWithin : within })
  const above = step(reference, upper, from, { top, bottom })
  const below = step(reference, lower, from, { top, bottom })
  const seenAbove = above ?? own(top, upper.rowAbsolute)
  const seenBelow = below ?? own(bottom, lower.rowAbsolute)
  const isStepped = above !== null || below !== null
  if (!isMixed) return { limits: { first: at(seenAbove, 'first'), last: at(seenBelow, 'last') }, isStepped }
  // From the first row of the fixed corner to the own rows, in the order of the filled sheet.
  const [fixed, relative] = upper.rowAbsolute ? [seenAbove, seenBelow] : [seenBelow, seenAbove]
  const row = at(fixed, 'first')
  return {
    limits: { first: Math.min(row, at(relative, 'first')), last: Math.max(row, at(relative, 'last')) },
    isStepped,
  }
}

/** The iterations around the innermost loop of a formula: a running total begins anew in each of them. */
function aroundLoop(within: Iterations): Iterations {
  const path = [...within]
  return new Map(
    path.slice(
      0,
      path.findLastIndex(([{ loop }]) => loop),
    ),
  )
}

const holdsRow = (within: Iterations, row: number): boolean => {
  for (const { first, last } of within.keys()) if (first <= row && row <= last) return true
  return false
}

/** Whether these are cells of a loop without rows, and of nothing else. */
export const hasNoRows = (area: Area, layout: Layout): boolean =>
  layout.blocksAt(area.top, area).some(({ collapsed, last }) => collapsed && area.bottom <= last)

/** A row of the template in some iterations. */
interface Seen {
  readonly row: number
  readonly within: Iterations
}

/**
 * The row that a relative one above or below the loop of the formula becomes in another iteration than the first or the last; null where
 * it stays what it is.
 * @param range whose end the row is: one that reaches into the loop may begin further away than the loop is high
 */
function step(
  reference: Reference,
  { row, rowAbsolute }: Corner,
  { within = NO_ITERATIONS }: Standpoint,
  range: Pick<Area, 'top' | 'bottom'> | null = null,
): Seen | null {
  if (row === null || rowAbsolute || reference.neighbour === 'total' || within.size === 0) return null
  let innermost: Block | null = null
  for (const block of within.keys()) innermost = block
  if (innermost && innermost.first <= row && row <= innermost.last) return null
  const columns = columnsOf(reference)
  const path = [...within]
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const [block, index] = path[depth]!
    if (block.first <= row && row <= block.last) return null
    if (!areWithin(columns, block)) continue
    const isAbove = row < block.first
    const height = block.last - block.first + 1
    const rounds = Math.ceil((isAbove ? block.first - row : row - block.last) / height)
    const room = isAbove ? index : block.count - 1 - index
    const holds = (one: number) => block.first <= one && one <= block.last
    if (room === 0 || (rounds > 1 && !(range && (holds(range.top) || holds(range.bottom))))) continue
    const outer = path.slice(0, depth)
    const direction = isAbove ? 1 : -1
    if (room < rounds) return { row: row + direction * room * height, within: new Map(outer) }
    const other: [Block, number] = [block, index - direction * rounds]
    return { row: row + direction * rounds * height, within: new Map([...outer, other]) }
  }
  return null
}

/** The copies of the rows of an area; one piece where its columns move apart. */
function piecesIn(area: Area, layout: Layout, limits: Rows): readonly Rows[] | null {
  if (!isTorn(layout.blocks, area)) return [limits]
  const columns = layout.bands.filter((band) => overlap(band, area))
  if (columns.length > 1 && !isSameIn(area, layout.blocks, columns)) return [limits]
  const pieces = copiesOf(layout, { ...area, left: Math.max(area.left, columns[0]?.left ?? 1) }, limits)
  return pieces?.length === 0 ? [limits] : pieces
}

/** Whether the area holds some rows of a block and not the others. */
const isTorn = (blocks: readonly Block[], area: Area): boolean =>
  blocks.some(
    (block) =>
      block.first <= area.bottom &&
      area.top <= block.last &&
      overlap(block, area) &&
      !(area.top <= block.first && block.last <= area.bottom) &&
      !block.collapsed &&
      (block.count > 1 || isTorn(block.children, area)),
  )

/** Whether all these columns lie in the same blocks. */
const isSameIn = (area: Area, blocks: readonly Block[], columns: readonly Columns[]): boolean =>
  blocks.every(
    (block) =>
      block.last < area.top ||
      block.first > area.bottom ||
      (columns.every((band) => areWithin(band, block)) && isSameIn(area, block.children, columns)) ||
      columns.every((band) => !overlap(band, block)),
  )
