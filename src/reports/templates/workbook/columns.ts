/** Which columns a loop takes: all of the sheet, unless a table of Excel, a list or another loop stands beside it. */
import { tokenize } from './formula.ts'
import { ALL_COLUMNS, type Area, areWithin, type BlockRange, type Columns, overlap } from './layout.ts'
import { cellsOf, firstAt, type SheetSource, type SourceCell } from './sheet.ts'

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
  readonly source: SheetSource
  readonly tables: readonly SheetTable[]
  /** Cells with a tag that has a value in a loop only. */
  readonly looped: readonly SourceCell[]
}

/** The columns of one of several blocks of the same level, or why it cannot have any. */
export type ColumnsFound = Columns | { readonly problem: string }

/** @param within columns of the block around them */
export function columnsOfBlocks<Range extends TaggedRange>(
  blocks: readonly Range[],
  around: Surroundings,
  within: Columns = ALL_COLUMNS,
): ReadonlyMap<Range, ColumnsFound> {
  const found = new Map<Range, ColumnsFound>()
  const own = new Map<Range, Columns>()
  const known = (block: Range): Columns => own.get(block) ?? block
  const peersOf = (block: Range) => blocks.filter((one) => one !== block && shareRows(one, block))
  for (const block of blocks) own.set(block, ownColumns(block, peersOf(block), known, around))
  for (const block of blocks) {
    const peers = peersOf(block)
    const columns = known(block)
    const above = blocks.flatMap((one) => {
      const taken = found.get(one)
      return one.last < block.first && taken && 'left' in taken && !areWithin(within, taken) ? [taken] : []
    })
    const problem = problemOf(block, columns, peers.map(known), above, around.tables)
    if (problem !== null) {
      found.set(block, { problem })
      continue
    }
    const limits = [
      ...peers.map((peer) => finalOf(found.get(peer)) ?? known(peer)),
      ...(block.loop ? foreignColumns(block, columns, around) : []),
      ...above.flatMap((one) => outside(one, columns)),
    ]
    found.set(block, {
      left: Math.max(within.left, ...limits.flatMap(({ right }) => (right < columns.left ? [right + 1] : []))),
      right: Math.min(within.right, ...limits.flatMap(({ left }) => (left > columns.right ? [left - 1] : []))),
    })
  }
  return found
}

const finalOf = (found: ColumnsFound | undefined): Columns | null => (found && 'left' in found ? found : null)
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

/** The columns of the tags of a block, with the cells and tables that touch them; up to those of other blocks and tables. */
function ownColumns<Range extends TaggedRange>(
  block: Range,
  peers: readonly Range[],
  known: (block: Range) => Columns,
  { source, tables, looped }: Surroundings,
): Columns {
  let { left, right } = looped
    .filter(({ row, column }) => inRows(block, row) && nearest([block, ...peers], column) === block)
    .reduce<Columns>((columns, { column }) => including(columns, { left: column, right: column }), block)
  const beside = tables.filter((table) => isInRows(table, block))
  const others = [...peers.map(known), ...beside.filter((table) => !overlap(table, { left, right }))]
  const filled = filledIn(block, source)
  const isFree = (column: number) =>
    filled.has(column) && !others.some((one) => areWithin({ left: column, right: column }, one))
  for (const table of beside) if (overlap(table, { left, right })) ({ left, right } = including({ left, right }, table))
  while (isFree(left - 1)) left--
  while (isFree(right + 1)) right++
  return { left, right }
}

const including = (one: Columns, other: Columns): Columns => ({
  left: Math.min(one.left, other.left),
  right: Math.max(one.right, other.right),
})

/** The block that a tag in this column belongs to: the last one that begins before it. */
function nearest<Range extends Columns>(blocks: readonly Range[], column: number): Range | undefined {
  const sorted = blocks.toSorted((one, other) => one.left - other.left)
  return sorted.findLast(({ left }) => left <= column) ?? sorted[0]
}

const isInRows = ({ top, bottom }: Area, { first, last }: BlockRange): boolean => top <= last && first <= bottom

function filledIn(block: BlockRange, source: SheetSource): ReadonlySet<number> {
  return new Set(contentBetween(source, block.first, block.last).map(({ column }) => column))
}

/** Cells with content in these rows. */
const contentBetween = ({ rows }: SheetSource, first: number, last: number): SourceCell[] =>
  rows
    .slice(firstAt(rows, first), firstAt(rows, last + 1))
    .flatMap(cellsOf)
    .filter(({ inner }) => inner !== '')

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
function foreignColumns(block: TaggedRange, own: Columns, { source, tables }: Surroundings): readonly Columns[] {
  const cells = contentBetween(source, block.first - 2, block.last + 1)
  const filled = filledIn(block, source)
  const isBeside = (column: number) => filled.has(column) && (column < own.left || column > own.right)
  const lists = [...filled].filter(isBeside).filter((column) => {
    const at = cells.filter((cell) => cell.column === column)
    const has = (row: number) => at.some((cell) => cell.row === row)
    // One cell above is the head of the column.
    const goesOn = has(block.last + 1) || (has(block.first - 1) && has(block.first - 2))
    return goesOn && !at.some((cell) => inRows(block, cell.row) && refersTo(cell, own))
  })
  const grown = lists.map((column): Columns => {
    let [left, right] = [column, column]
    while (isBeside(left - 1)) left--
    while (isBeside(right + 1)) right++
    return { left, right }
  })
  return [...grown, ...tables.filter((table) => isInRows(table, block) && !overlap(table, own))]
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
