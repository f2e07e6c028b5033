/** Which columns a loop takes: all of the sheet, unless a table of Excel, a list or another loop stands beside it. */
import { tokenize } from './formula.ts'
import { ALL_COLUMNS, type Area, areWithin, type BlockRange, type Columns, overlap } from './layout.ts'
import { cellsOf, firstAt, type SheetSource, type SourceCell, type SourceRow } from './sheet.ts'

/** A table of Excel on a sheet. */
export interface SheetTable extends Area {
  readonly name: string
  readonly hasHeader: boolean
}

/** A loop or condition whose tags have been paired; its columns are those from the opening to the closing tag. */
export interface TaggedRange extends BlockRange {
  /** Over the rows of a table; else a condition, which moves nothing. */
  readonly loop: boolean
}

export interface Surroundings {
  /** Cells with content of these rows. */
  contentBetween(first: number, last: number): readonly SourceCell[]
  readonly tables: readonly SheetTable[]
  /** Columns of the cells with a tag that has a value in a loop only, by rows. */
  readonly looped: ReadonlyMap<number, ReadonlySet<number>>
}

/** The columns of one of several blocks of the same level, or why it cannot have any. */
export type ColumnsFound = Columns | { readonly problem: string }

/** Blocks in the same rows. */
const MOST_PEERS = 100

/** @param blocks in reading order. @param within columns of the block around them */
export function columnsOfBlocks<Range extends TaggedRange>(
  blocks: readonly Range[],
  around: Surroundings,
  within: Columns = ALL_COLUMNS,
): ReadonlyMap<Range, ColumnsFound> {
  const found = new Map<Range, ColumnsFound>()
  /** Columns of blocks above that are not all, by their edges, with the last row of the first of them. */
  const narrowed = new Map<string, { readonly columns: Columns; readonly last: number }>()
  for (const group of sharingRows(blocks)) {
    const isTooMany = group.length > MOST_PEERS
    const contents = new Map(
      isTooMany ? [] : group.map((block) => [block, around.contentBetween(block.first - 2, block.last + 1)]),
    )
    const own = new Map<Range, Columns>()
    const known = (block: Range): Columns => own.get(block) ?? block
    const contentOf = (block: Range) => contents.get(block) ?? []
    const peersOf = (block: Range) => (isTooMany ? [] : group).filter((one) => one !== block && shareRows(one, block))
    if (!isTooMany) {
      for (const block of group) own.set(block, ownColumns(block, peersOf(block), known, contentOf(block), around))
    }
    for (const block of group) {
      const peers = peersOf(block)
      const columns = known(block)
      const above = [...narrowed.values()].flatMap((one) => (one.last < block.first ? [one.columns] : []))
      const problem = isTooMany
        ? `more than ${MOST_PEERS} loops and conditions stand in the same rows`
        : problemOf(block, columns, peers.map(known), above, around.tables)
      if (problem !== null) {
        found.set(block, { problem })
        continue
      }
      const limits = [
        ...peers.map((peer) => columnsIn(found.get(peer)) ?? known(peer)),
        ...(block.loop ? foreignColumns(block, columns, contentOf(block), around.tables) : []),
        ...above.flatMap((one) => outside(one, columns)),
      ]
      const left = Math.max(within.left, ...limits.flatMap((one) => (one.right < columns.left ? [one.right + 1] : [])))
      const right = Math.min(within.right, ...limits.flatMap((one) => (one.left > columns.right ? [one.left - 1] : [])))
      found.set(block, { left, right })
      const key = `${left} ${right}`
      if (!areWithin(within, { left, right }) && !narrowed.has(key)) {
        narrowed.set(key, { columns: { left, right }, last: block.last })
      }
    }
  }
  return found
}

/** Groups of blocks that reach into the same rows. */
function sharingRows<Range extends BlockRange>(blocks: readonly Range[]): readonly (readonly Range[])[] {
  const groups: Range[][] = []
  let last = 0
  for (const block of blocks) {
    if (block.first > last) groups.push([])
    groups.at(-1)?.push(block)
    last = Math.max(last, block.last)
  }
  return groups
}

const columnsIn = (found: ColumnsFound | undefined): Columns | null => (found && 'left' in found ? found : null)
const shareRows = (one: BlockRange, other: BlockRange): boolean => one.first <= other.last && other.first <= one.last
const inRows = ({ first, last }: BlockRange, row: number): boolean => first <= row && row <= last

/** The columns that a block below `limited` must not reach into. */
const outside = (limited: Columns, columns: Columns): readonly Columns[] =>
  areWithin(columns, limited)
    ? [
        { left: 0, right: limited.left - 1 },
        { left: limited.right + 1, right: Number.POSITIVE_INFINITY },
      ]
    : [limited]

/** Reads each row once, as the blocks of a row all look at it. */
export function createContent({ rows }: SheetSource): Surroundings['contentBetween'] {
  const known = new Map<SourceRow, readonly SourceCell[]>()
  const contentOf = (row: SourceRow): readonly SourceCell[] => {
    const cells = known.get(row) ?? cellsOf(row).filter(({ inner }) => inner !== '')
    known.set(row, cells)
    return cells
  }
  return (first, last) => rows.slice(firstAt(rows, first), firstAt(rows, last + 1)).flatMap(contentOf)
}

const filledIn = (block: BlockRange, content: readonly SourceCell[]): ReadonlySet<number> =>
  new Set(content.flatMap(({ row, column }) => (inRows(block, row) ? [column] : [])))

/** The columns of the tags of a block, with the cells and tables that touch them; up to those of other blocks and tables. */
function ownColumns<Range extends TaggedRange>(
  block: Range,
  peers: readonly Range[],
  known: (block: Range) => Columns,
  content: readonly SourceCell[],
  { tables, looped }: Surroundings,
): Columns {
  let { left, right }: Columns = block
  const all = [block, ...peers].sort((one, other) => one.left - other.left)
  for (const { row, column } of content) {
    if (!inRows(block, row) || !looped.get(row)?.has(column) || nearest(all, column) !== block) continue
    left = Math.min(left, column)
    right = Math.max(right, column)
  }
  const beside = tables.filter((table) => isInRows(table, block))
  const others = [...peers.map(known), ...beside.filter((table) => !overlap(table, { left, right }))]
  const filled = filledIn(block, content)
  const isFree = (column: number) =>
    filled.has(column) && !others.some((one) => one.left <= column && column <= one.right)
  for (const table of beside) {
    if (!overlap(table, { left, right })) continue
    left = Math.min(left, table.left)
    right = Math.max(right, table.right)
  }
  while (isFree(left - 1)) left--
  while (isFree(right + 1)) right++
  return { left, right }
}

/** The block that a tag in this column belongs to: the last one that begins before it. */
const nearest = <Range extends Columns>(fromLeft: readonly Range[], column: number): Range | undefined =>
  fromLeft.findLast(({ left }) => left <= column) ?? fromLeft[0]

const isInRows = ({ top, bottom }: Area, { first, last }: BlockRange): boolean => top <= last && first <= bottom

function problemOf(
  block: TaggedRange,
  columns: Columns,
  peers: readonly Columns[],
  above: readonly Columns[],
  tables: readonly SheetTable[],
): string | null {
  if (peers.some((peer) => overlap(peer, columns))) {
    return `two loops share the row ${block.first} and some of its columns; put one of them below, or beside the other`
  }
  if (!block.loop) return null
  const header = tables.find(({ hasHeader, ...area }) => hasHeader && inRows(block, area.top) && overlap(area, columns))
  if (header) {
    return `the loop repeats row ${header.top}, the header of the table "${header.name}"; begin it in the row below`
  }
  if (above.some((one) => overlap(one, columns) && !areWithin(columns, one))) {
    return 'the loop stands below a loop with other content beside it and reaches over both, which move apart; put it above them or on another sheet'
  }
  return null
}

/** Columns beside the loop that are no part of it: of a table of Excel, or of cells that go on above or below the rows of the loop. */
function foreignColumns(
  block: TaggedRange,
  own: Columns,
  content: readonly SourceCell[],
  tables: readonly SheetTable[],
): readonly Columns[] {
  const filled = filledIn(block, content)
  const isBeside = (column: number) => filled.has(column) && (column < own.left || column > own.right)
  const lists = Array.from(Map.groupBy(content, ({ column }) => column)).flatMap(([column, cells]): Columns[] => {
    if (
      !isBeside(column) ||
      !goesOn(cells, block) ||
      cells.some((cell) => inRows(block, cell.row) && refersTo(cell, own))
    )
      return []
    let [left, right] = [column, column]
    while (isBeside(left - 1)) left--
    while (isBeside(right + 1)) right++
    return [{ left, right }]
  })
  return [...lists, ...tables.filter((table) => isInRows(table, block) && !overlap(table, own))]
}

/** Whether a column beside a loop is filled below it, or in two rows above: one cell above is the head of the column. */
function goesOn(cells: readonly SourceCell[], { first, last }: BlockRange): boolean {
  const has = (row: number) => cells.some((cell) => cell.row === row)
  return has(last + 1) || (has(first - 1) && has(first - 2))
}

/** A formula of the row about a cell of the loop, which belongs to the loop. */
function refersTo({ inner, row }: SourceCell, { left, right }: Columns): boolean {
  const end = /^<f[\s>]/.test(inner) ? inner.indexOf('</f>') : -1
  return tokenize(inner.slice(inner.indexOf('>') + 1, Math.max(0, end))).some((token) => {
    if (token.kind !== 'reference' || token.sheet !== null) return false
    const { start } = token
    return start.row === row && start.column !== null && left <= start.column && start.column <= right
  })
}
