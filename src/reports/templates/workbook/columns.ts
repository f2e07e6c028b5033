/** Which columns a loop takes: all of the sheet, unless a table of Excel, a list or another loop stands beside it. */
import { columnLetters, type Reference, type Token } from './formula.ts'
import {
  ALL_COLUMNS,
  type Area,
  areaOf,
  areWithin,
  type BlockRange,
  type Columns,
  isWholeColumns,
  overlap,
} from './layout.ts'
import { isOfColumn } from './references.ts'
import { firstAt, type SheetSource, type SourceCell, type SourceRow } from './sheet.ts'

/** A table of Excel on a sheet. */
export interface SheetTable extends Area {
  readonly name: string
  readonly hasHeader: boolean
}

/** A loop or condition whose tags have been paired; its columns are those from the opening to the closing tag. */
export interface TaggedRange extends BlockRange {
  /** Over the rows of a table; else a condition, which moves nothing. */
  readonly loop: boolean
  /** `{{#detail}}` and `{{/detail}}`, for problems. */
  readonly tags: readonly [open: string, close: string]
  /** Columns from the opening to the closing tag. */
  readonly covers: Columns
}

/** A cell with content. */
export interface FilledCell extends SourceCell {
  /** The tokens of its formula. */
  readonly tokens: () => readonly Token[]
}

export interface Surroundings {
  /** Cells with content of these rows. */
  contentBetween(first: number, last: number): readonly FilledCell[]
  readonly tables: readonly SheetTable[]
  /** Merged cells with content. */
  readonly merged: readonly Area[]
  /** Columns of the cells with a tag that has a value in a loop only, by rows. */
  readonly looped: ReadonlyMap<number, ReadonlySet<number>>
  /** Columns of the cells that hold one tag and nothing else, by rows. */
  readonly valued: ReadonlyMap<number, ReadonlySet<number>>
}

/** The columns that a block moves. */
export interface Taken extends Columns {
  /** Columns of the cells that a condition empties when it is not met. */
  readonly covers: Columns
  /** Columns of cells beside the tags that belong to the loop: those with its tags, and formulas about it. */
  readonly claimed: ReadonlySet<number>
  /** Columns of cells that are repeated because they touch the loop: without a tag of it and without a formula about it. */
  readonly touching: readonly number[]
}

/** The columns before those of its neighbours limit them. */
type Touched = Omit<Taken, 'covers' | 'claimed'> | { readonly problem: string }

/** The columns of one of several blocks of the same level, or why it cannot have any. */
export type ColumnsFound = Taken | { readonly problem: string }

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
    if (group.length > MOST_PEERS) {
      const problem = `more than ${MOST_PEERS} loops and conditions stand in the same rows`
      for (const block of group) found.set(block, { problem })
      continue
    }
    const neighbours = new Map(group.map((block) => [block, lookAround(block, around, within)]))
    const own = new Map<Range, Columns>()
    const known = (block: Range): Columns => own.get(block) ?? block
    const peersOf = (block: Range) => group.filter((one) => one !== block && shareRows(one, block))
    const sure = new Map<Range, Belonging>()
    for (const block of group) {
      const columns = belonging(block, peersOf(block), known, neighbours.get(block)!)
      sure.set(block, columns)
      own.set(block, columns)
    }
    const wider = new Map<Range, Touched>()
    // Conditions last: they move nothing, so a cell between a loop and a condition is the loop's.
    for (const block of [...group].sort((one, other) => Number(other.loop) - Number(one.loop))) {
      const peers = peersOf(block).map((peer) => ({ ...known(peer), loop: peer.loop }))
      const columns = withTouching(block, sure.get(block)!, peers, neighbours.get(block)!)
      wider.set(block, columns)
      if ('left' in columns) own.set(block, columns)
    }
    for (const block of group) {
      const peers = peersOf(block)
      const columns = known(block)
      const above = [...narrowed.values()].flatMap((one) => (one.last < block.first ? [one.columns] : []))
      const taken = wider.get(block)!
      const unclear = 'problem' in taken ? taken.problem : null
      const problem = problemOf(block, columns, peers.map(known), above, around.tables) ?? unclear
      if (problem !== null) {
        found.set(block, { problem })
        continue
      }
      const limits = [
        ...peers.map((peer) => columnsIn(found.get(peer)) ?? known(peer)),
        ...(block.loop ? foreignColumns(columns, neighbours.get(block)!) : []),
        ...above.flatMap((one) => outside(one, columns)),
      ]
      const left = Math.max(within.left, ...limits.flatMap((one) => (one.right < columns.left ? [one.right + 1] : [])))
      const right = Math.min(within.right, ...limits.flatMap((one) => (one.left > columns.right ? [one.left - 1] : [])))
      const covers = coveredBy(block, neighbours.get(block)!)
      const { claimed } = sure.get(block)!
      found.set(block, { left, right, covers, claimed, touching: 'touching' in taken ? taken.touching : [] })
      const key = `${left} ${right}`
      if (!areWithin(within, { left, right }) && !narrowed.has(key)) {
        narrowed.set(key, { columns: { left, right }, last: block.last })
      }
    }
  }
  return found
}

/** Tags in one column stand for all cells that touch them: a section of several rows. */
function coveredBy({ covers }: TaggedRange, { filled }: Neighbours): Columns {
  let { left, right } = covers
  if (left !== right) return covers
  while (filled.has(left - 1)) left--
  while (filled.has(right + 1)) right++
  return { left, right }
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
export function createContent(
  { rows }: SheetSource,
  filledCells: (row: SourceRow) => readonly FilledCell[],
): Surroundings['contentBetween'] {
  const known = new Map<SourceRow, readonly FilledCell[]>()
  const contentOf = (row: SourceRow): readonly FilledCell[] => {
    const cells = known.get(row) ?? filledCells(row)
    known.set(row, cells)
    return cells
  }
  return (first, last) => rows.slice(firstAt(rows, first), firstAt(rows, last + 1)).flatMap(contentOf)
}

/** The cells in and around the rows of a block. */
interface Neighbours {
  readonly looped: Surroundings['looped']
  readonly valued: Surroundings['valued']
  /** Tables of Excel in the rows of the block. */
  readonly tables: readonly Area[]
  /** Cells with content in the rows of the block. */
  readonly cells: readonly FilledCell[]
  /** Columns with content in the rows of the block. */
  readonly filled: ReadonlySet<number>
  /** Columns with content in the row below the block. */
  readonly below: ReadonlySet<number>
  /** Columns whose last text stands in the row below once more, and not in a third one: the unit of the rows and of their total. */
  readonly again: ReadonlySet<number>
  /** Cells with content in the rows below the block. */
  readonly beneath: readonly FilledCell[]
  /** Columns with content in two rows above the block, or with a formula about a cell there: one text above is the head of the column. */
  readonly above: ReadonlySet<number>
}

function lookAround(block: TaggedRange, around: Surroundings, within: Columns): Neighbours {
  const { first, last } = block
  const content = around
    .contentBetween(first - 2, last + MOST_TOTALS + 1)
    .filter(({ column }) => within.left <= column && column <= within.right)
  const inRow = (row: number) => content.flatMap((cell) => (cell.row === row ? [cell.column] : []))
  const cells = content.filter(({ row }) => inRows(block, row))
  const merged = around.merged.filter((area) => isInRows(area, block) && !overlap(area, block))
  const [twoAbove, twoBelow] = [new Set(inRow(first - 2)), new Set(inRow(last + 2))]
  const textIn = new Map(content.flatMap((cell) => (cell.row === last ? [[cell.column, textOf(cell)] as const] : [])))
  const same = content.filter(
    (cell) => cell.row === last + 1 && textOf(cell) !== null && textOf(cell) === textIn.get(cell.column),
  )
  return {
    looped: around.looped,
    valued: around.valued,
    tables: around.tables.filter((table) => isInRows(table, block)),
    cells,
    filled: new Set([...cells.map(({ column }) => column), ...columnsCovered(merged)]),
    below: new Set([...inRow(last + 1), ...columnsCovered(merged.filter(({ bottom }) => bottom > last))]),
    beneath: content.filter(({ row }) => row > last),
    again: new Set(same.map(({ column }) => column).filter((column) => !twoBelow.has(column))),
    above: new Set([
      ...inRow(first - 1).filter((column) => twoAbove.has(column)),
      ...columnsCovered(merged.filter(({ top }) => top < first)),
      ...cells.flatMap((cell) => (sumsAbove(cell, first) ? [cell.column] : [])),
    ]),
  }
}

/** Rows of totals below a loop. */
const MOST_TOTALS = 5

const textOf = ({ type, inner }: FilledCell): string | null => (/^(s|inlineStr|str)$/.test(type) ? inner : null)

/** The sum of a list that ends in the row of the loop. */
const sumsAbove = ({ column, tokens }: FilledCell, first: number): boolean =>
  tokens().some((token) => {
    if (token.kind !== 'reference' || token.sheet !== null) return false
    const area = areaOf(token)
    return area.top < first && !isWholeColumns(area) && isWithin(area, column)
  })

/** Each column of the areas once, however many of them lie over each other. */
function columnsCovered(areas: readonly Area[]): readonly number[] {
  const columns: number[] = []
  let next = 1
  for (const { left, right } of [...areas].sort((one, other) => one.left - other.left)) {
    for (let column = Math.max(left, next); column <= right; column++) columns.push(column)
    next = Math.max(next, right + 1)
  }
  return columns
}

interface Belonging extends Columns {
  /** Columns with a tag that has a value in a loop only, or a formula about a cell of the loop. */
  readonly claimed: ReadonlySet<number>
}

/** The columns of a block that are its own without doubt: of its tags, of its table of Excel, of formulas about its cells. */
function belonging<Range extends TaggedRange>(
  block: Range,
  peers: readonly Range[],
  known: (block: Range) => Columns,
  { looped, tables, cells }: Neighbours,
): Belonging {
  let { left, right }: Columns = block
  const claimed = new Set<number>()
  const all = [block, ...peers].sort((one, other) => one.left - other.left)
  const take = (columns: Columns) => {
    left = Math.min(left, columns.left)
    right = Math.max(right, columns.right)
  }
  const claim = (column: number) => {
    claimed.add(column)
    take({ left: column, right: column })
  }
  for (const { row, column } of cells) if (looped.get(row)?.has(column) && nearest(all, column) === block) claim(column)
  for (const table of tables) if (overlap(table, { left, right })) take(table)
  if (!block.loop) return { left, right, claimed }
  const free = freeColumns({ left, right }, othersOf({ left, right }, peers.map(known), tables))
  const formulas = cells.flatMap((cell) => {
    if (!isWithin(free, cell.column)) return []
    const columns = columnsInRow(cell)
    return columns.length > 0 ? [{ column: cell.column, columns }] : []
  })
  // A formula about a formula about the loop is about the loop, too: each direction twice covers what people write.
  for (const list of [formulas, [...formulas].reverse(), formulas, [...formulas].reverse()]) {
    for (const { column, columns } of list) if (columns.some((one) => isWithin({ left, right }, one))) claim(column)
  }
  return { left, right, claimed }
}

const referencesInRow = ({ row, tokens }: FilledCell): readonly Reference[] =>
  tokens().flatMap((token) =>
    token.kind === 'reference' && token.sheet === null && token.start.row === row ? [token] : [],
  )

/** Columns of the cells of its own row that a formula refers to, each as one of the row. */
const columnsInRow = (cell: FilledCell): readonly number[] =>
  referencesInRow(cell).flatMap((reference) =>
    reference.start.column === null || isOfColumn(reference) ? [] : [reference.start.column],
  )

/** A formula about columns of the loop as a whole, as `SUM(B5:B5)`, and about no cell of its row. */
const isSummary = (cell: FilledCell, own: Columns): boolean =>
  !columnsInRow(cell).some((column) => isWithin(own, column)) &&
  referencesInRow(cell).some(({ start }) => start.column !== null && isWithin(own, start.column))

/** Blocks and tables beside these columns. */
const othersOf = (own: Columns, peers: readonly Columns[], tables: readonly Area[]): readonly Columns[] => [
  ...peers,
  ...tables.filter((table) => !overlap(table, own)),
]

/** The columns up to the nearest of the others on each side. */
const freeColumns = (own: Columns, others: readonly Columns[]): Columns => ({
  left: Math.max(1, ...others.flatMap(({ right }) => (right < own.left ? [right + 1] : []))),
  right: Math.min(ALL_COLUMNS.right, ...others.flatMap(({ left }) => (left > own.right ? [left - 1] : []))),
})

/**
 * Adds the cells that touch a block. Those beside a loop may be a list of their own, which stays: its column goes on below, and those
 * of the loop do not. Where that leaves a doubt, the author has to decide.
 */
function withTouching<Range extends TaggedRange>(
  block: Range,
  own: Belonging,
  peers: readonly (Columns & { readonly loop: boolean })[],
  neighbours: Neighbours,
): Touched {
  const { tables, cells, valued, filled, below, again, above } = neighbours
  const free = freeColumns(own, othersOf(own, peers, tables))
  const runFrom = (from: number, step: 1 | -1): readonly number[] => {
    const columns: number[] = []
    for (let column = from; filled.has(column) && isWithin(free, column); column += step) columns.push(column)
    return columns
  }
  const sides = [runFrom(own.left - 1, -1), runFrom(own.right + 1, 1)]
  if (!block.loop) return { ...spanOf(own, sides.flat()), touching: [] }

  const isFollowed = [...below].some((column) => isWithin(own, column))
  const ofTotals = columnsOfTotals(block, own, neighbours)
  const goesOnBelow = (column: number) =>
    below.has(column) && !(isFollowed && again.has(column)) && !ofTotals.has(column)
  const goesOn = (column: number) => goesOnBelow(column) || above.has(column)
  const ownTables = tables.filter((table) => overlap(table, own))
  const isClear = (column: number) =>
    isWithin(block, column) || own.claimed.has(column) || ownTables.some((table) => isWithin(table, column))
  const touching = [...filled].filter((column) => isWithin(own, column) && !isClear(column))
  const enclosed = touching.find(goesOnBelow)
  if (enclosed !== undefined) return { problem: unclear(block, enclosed, 'below') }

  const summaries = new Set(cells.filter((cell) => isSummary(cell, own)).map(({ column }) => column))
  const used = new Set(cells.filter(({ column }) => isWithin(own, column)).flatMap(columnsInRow))
  const figures = new Set(
    cells
      .filter((cell) => textOf(cell) === null || valued.get(cell.row)?.has(cell.column))
      .flatMap(({ column }) => (used.has(column) ? [] : [column])),
  )
  const isOwnFigure = (column: number) => figures.has(column) || summaries.has(column)
  const figure = touching.find(isOwnFigure)
  if (figure !== undefined) return { problem: figureBeside(block, figure) }
  for (const side of sides) {
    const [first] = side
    if (first === undefined || summaries.has(first) || (below.has(first) && !isFollowed)) continue
    const doubtful = side.find(goesOn)
    if (doubtful !== undefined) {
      return { problem: unclear(block, doubtful, goesOnBelow(doubtful) ? 'below' : 'above') }
    }
    if (peers.some((peer) => peer.loop && side.some((column) => isTouching(peer, column)))) {
      const problem = `column ${columnLetters(first)} touches this loop and another one; ${remedy(block, first)}`
      return { problem }
    }
    const number = side.find(isOwnFigure)
    if (number !== undefined) return { problem: figureBeside(block, number) }
    touching.push(...side)
  }
  const all = spanOf(own, touching)
  const isApart = (column: number) => isWithin(free, column) && !isWithin(all, column) && !sides.flat().includes(column)
  for (const run of block.last > block.first ? runsOf([...filled].filter(isApart)) : []) {
    // In one row of several it is a constant, which stays as it does beside a loop of one row.
    const rows = new Set(cells.flatMap(({ column, row }) => (run.includes(column) ? [row] : [])))
    if (run.some(goesOn) || rows.size === 1) continue
    const name = columnLetters(run[0]!)
    const where = `column ${name} is filled in the rows of the loop, behind an empty column`
    const keep = 'to keep it once, move it above the loop or make it a table of Excel'
    return { problem: `${where}; to repeat it, put ${tagFor(block, run[0]!)} there; ${keep}` }
  }
  return { ...all, touching }
}

/** Columns with a text in the rows of the loop whose cells right below it are labels of its totals, or formulas about them. */
function columnsOfTotals(
  block: TaggedRange,
  own: Columns,
  { cells, valued, beneath }: Neighbours,
): ReadonlySet<number> {
  const hasFormula = ({ inner }: FilledCell) => /<f[\s/>]/.test(inner)
  const isValue = ({ row, column }: FilledCell) => valued.get(row)?.has(column) === true
  const isText = (cell: FilledCell) => textOf(cell) !== null && !hasFormula(cell) && !isValue(cell)
  const references = ({ tokens }: FilledCell) => tokens().filter((token) => token.kind === 'reference')
  const isAboutLoop = (reference: Reference, bottom: number) => {
    const { top, left, right, ...area } = areaOf(reference)
    const isInRows = block.first <= top && area.bottom <= bottom
    return reference.sheet === null && isInRows && isWithin(own, left) && isWithin(own, right)
  }
  const rows = new Map<number, readonly FilledCell[]>()
  for (let row = block.last + 1; row <= block.last + MOST_TOTALS; row++) {
    const list = beneath.filter((cell) => cell.row === row)
    const isTotal = (cell: FilledCell) =>
      isWithin(own, cell.column) && (isValue(cell) || references(cell).some((one) => isAboutLoop(one, row)))
    if (!list.some(isTotal)) break
    rows.set(row, list)
  }
  const isLabel = (cell: FilledCell) => {
    const span = spanOf(own, [cell.column])
    return (
      isText(cell) && rows.get(cell.row)?.every((one) => one === cell || !isText(one) || !isWithin(span, one.column))
    )
  }
  // A formula may show the text of its column again.
  const isOfTotal = (cell: FilledCell) =>
    hasFormula(cell) &&
    references(cell).every((one) => {
      const { top, bottom, left, right } = areaOf(one)
      const isText = one.argumentOf === null && top === bottom && left === cell.column && right === left
      return isAboutLoop(one, cell.row) || (isText && one.sheet === null && top === block.last)
    })
  const texts = cells.filter((cell) => cell.row === block.last && isText(cell))
  return new Set(
    texts.flatMap(({ column }) => {
      const list = beneath.filter((cell) => cell.column === column)
      const gap = list.findIndex(({ row }, index) => row !== block.last + 1 + index)
      const joined = gap < 0 ? list : list.slice(0, gap)
      const [next] = joined
      if (next && references(next).length > 0 && isOfTotal(next) && rows.has(next.row)) return [column]
      return joined.every((cell) => rows.has(cell.row) && (isLabel(cell) || isOfTotal(cell))) ? [column] : []
    }),
  )
}

const isWithin = ({ left, right }: Columns, column: number): boolean => left <= column && column <= right
const isTouching = ({ left, right }: Columns, column: number): boolean => column === left - 1 || column === right + 1
/** The columns together with others. */
export const spanOf = ({ left, right }: Columns, columns: readonly number[]): Columns => ({
  left: Math.min(left, ...columns),
  right: Math.max(right, ...columns),
})

/** Columns that lie side by side. */
function runsOf(columns: readonly number[]): readonly (readonly number[])[] {
  const runs: number[][] = []
  for (const column of [...columns].sort((one, other) => one - other)) {
    if (runs.at(-1)?.at(-1) !== column - 1) runs.push([])
    runs.at(-1)?.push(column)
  }
  return runs
}

/** The tag that takes a column into the loop once it stands there. */
const tagFor = ({ tags, left }: TaggedRange, column: number): string => tags[column < left ? 0 : 1]
const remedy = (block: TaggedRange, column: number): string =>
  `to repeat it, put ${tagFor(block, column)} there; to keep it once, leave an empty column between`

const figureBeside = (block: TaggedRange, column: number): string =>
  `column ${columnLetters(column)} holds a number, a value or a formula beside the tags of the loop, and no formula of its rows uses it; ${remedy(block, column)}`

function unclear(block: TaggedRange, column: number, where: 'below' | 'above'): string {
  const name = columnLetters(column)
  return `column ${name} is filled beside the loop and ${where} it, so it may be a list of its own; ${remedy(block, column)}`
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

/** Columns beside the loop that are no part of it: tables of Excel, and what stands apart in the rows of the loop. */
const foreignColumns = (own: Columns, { tables, filled }: Neighbours): readonly Columns[] => [
  ...runsOf([...filled].filter((column) => !isWithin(own, column))).map((run) => ({
    left: run[0]!,
    right: run.at(-1)!,
  })),
  ...tables.filter((table) => !overlap(table, own)),
]

/** A row below a loop whose cells lie side by side on both sides of an edge of its columns, so that the loop would tear it apart. */
export interface TornRow<Range> {
  readonly block: Range
  readonly row: number
  /** Columns from the left one of the two cells. */
  readonly left: number
}

/** @param within the rows and columns of the block around them */
export function tornRows<Range extends TaggedRange>(
  blocks: readonly Range[],
  contentBetween: Surroundings['contentBetween'],
  within: Area,
): readonly TornRow<Range>[] {
  const edges = new Map<number, Range>()
  for (const block of blocks) {
    if (!block.loop) continue
    for (const left of [block.left - 1, block.right]) {
      const isInner = within.left <= left && left < within.right
      if (isInner && block.last < (edges.get(left)?.last ?? Number.POSITIVE_INFINITY)) edges.set(left, block)
    }
  }
  if (edges.size === 0) return []
  const torn = new Map<Range, TornRow<Range>>()
  const first = Math.min(...Array.from(edges.values(), ({ last }) => last)) + 1
  let previous: FilledCell | null = null
  for (const cell of contentBetween(first, within.bottom)) {
    const block = previous && isNext(previous, cell) ? edges.get(previous.column) : undefined
    if (previous && block && block.last < cell.row && !torn.has(block) && !isInLoop(blocks, previous, cell)) {
      torn.set(block, { block, row: cell.row, left: previous.column })
    }
    previous = cell
  }
  return [...torn.values()]
}

const isNext = (one: FilledCell, other: FilledCell): boolean => one.row === other.row && one.column + 1 === other.column

/** Loops that stand below one another are checked by themselves. */
const isInLoop = (blocks: readonly TaggedRange[], ...cells: readonly FilledCell[]): boolean =>
  blocks.some((block) => block.loop && cells.some(({ row, column }) => inRows(block, row) && isWithin(block, column)))
