/** The tags of a sheet: which rows are repeated, and what each cell with tags or a formula becomes. */
import type { Findings, Names } from '../names.ts'
import {
  type Occurrence,
  type Pair,
  pairTags,
  parseTags,
  pathText,
  type Tag,
  type TagOf,
  type TextTag,
} from '../tags.ts'
import {
  columnsOfBlocks,
  createContent,
  type FilledCell,
  type SheetTable,
  type Surroundings,
  spanOf,
  tornRows,
} from './columns.ts'
import { columnLetters, hasTagText, MAX_ROW, sourceOf, type Token } from './formula.ts'
import { ALL_COLUMNS, type Area, areWithin, type BlockRange, type Columns } from './layout.ts'
import { readArea } from './moves.ts'
import {
  type CellFormula,
  cellsOf,
  Formulas,
  readString,
  type SheetSource,
  type SourceCell,
  type StringItem,
} from './sheet.ts'

/** Rows of a loop over a table, or of a condition. */
export interface PlanBlock extends BlockRange {
  readonly open: TagOf<'open'>
  /** From the opening to the closing tag: `Detail!A6:F6`. */
  readonly place: string
  readonly tags: readonly [open: string, close: string]
  /** Columns of the cells that a condition empties when it is not met. */
  readonly covers: Columns
  /** Columns that are repeated because they touch the loop. */
  readonly touching: readonly number[]
  /** Columns beside the tags with tags of the loop or formulas about it. */
  readonly claimed: ReadonlySet<number>
  readonly children: readonly PlanBlock[]
}

/** A part of a cell's text; `open` keeps `content` or not. */
export type TextPiece =
  | string
  | TextTag
  | TagOf<'literal'>
  | { readonly open: TagOf<'open'>; readonly content: readonly TextPiece[] }

type CellContent =
  | { readonly kind: 'static' }
  | { readonly kind: 'formula'; readonly formula: CellFormula }
  | {
      readonly kind: 'text'
      readonly pieces: readonly TextPiece[]
      /** Format of the first character, of a rich text. */
      readonly properties: string
    }

export interface PlanCell extends SourceCell {
  readonly content: CellContent
}

/** A cell of the template as a key. */
export const placeKey = ({ row, column }: { readonly row: number; readonly column: number }): string =>
  `${row} ${column}`

export interface SheetPlan {
  readonly source: SheetSource
  /** Cells of the rows that hold tags or formulas or lie in a block; all other rows are copied. */
  readonly cells: ReadonlyMap<number, readonly PlanCell[]>
  readonly blocks: readonly PlanBlock[]
  /** A cell has a tag. */
  readonly hasTags: boolean
}

export interface SheetContext {
  /** The name in the template, for places. */
  readonly name: string
  readonly strings: readonly StringItem[]
  /** Output of pivot tables: never read as tags. */
  readonly pivots: readonly Area[]
  readonly tables: readonly SheetTable[]
  /** The names that tags of the sheet can use. */
  readonly names: Names
  readonly findings: Findings
}

/** Cells of several sheets, one of them with a tag in its name: `'R {{@region}}:Total'!C5`. */
const isOverLevels = (token: Token): boolean =>
  token.kind === 'reference' && token.sheet?.includes(':') === true && token.sheet.includes('{{')

interface CellTag extends Occurrence {
  readonly cell: SourceCell
}

/** Reads the tags of a sheet; problems go to the findings. */
export function planSheet(source: SheetSource, context: SheetContext): SheetPlan {
  const { name, findings } = context
  const formulas = new Formulas()
  const found = new Map<number, PlanCell[]>()
  const texts = new Map<SourceCell, { readonly item: StringItem; readonly tags: readonly Tag[] }>()
  for (const row of source.rows) {
    const cells = cellsOf(row).map((cell): PlanCell => {
      const formula = formulas.of(cell)
      if (formula) {
        if (formula.mayHaveTag && hasTagText(formula.tokens()))
          report(context, cell, 'TEMPLATE_UNSUPPORTED', 'tags in formulas are not filled')
        const span = formula.mayHaveTag && formula.tokens().find(isOverLevels)
        if (span)
          report(
            context,
            cell,
            'TEMPLATE_UNSUPPORTED',
            `${sourceOf(span)} is over several sheets, one of which becomes several; sum a table or the values of an expression`,
          )
        return { ...cell, content: { kind: 'formula', formula } }
      }
      const item = textOf(cell, context)
      const plan: PlanCell = { ...cell, content: { kind: 'static' } }
      if (!item?.text.includes('{{')) return plan
      // The last output of a pivot table shows the tags of its source; nothing of the template stays in the file.
      if (isInPivot(cell, context)) return { ...cell, content: { kind: 'text', pieces: [], properties: '' } }
      texts.set(plan, { item, tags: parseTags(item.text) })
      return plan
    })
    if (cells.some((cell) => cell.content.kind !== 'static' || texts.has(cell))) found.set(row.number, cells)
  }
  const all = [...texts].flatMap(([cell, { tags }]) =>
    tags.map((tag): CellTag => ({ tag, cell, place: placeOf(name, cell) })),
  )
  const { pairs, problems } = pairCells(all)
  problems.forEach(findings.add)
  const rowTags = new Set<Tag>()
  const looped = cellsOfLoops(all, context.names)
  const valued = new Map<number, Set<number>>()
  for (const [{ row, column }, { item, tags }] of texts) {
    if (soleTag(piecesOf(item.text, tags))) valued.set(row, (valued.get(row) ?? new Set()).add(column))
  }
  const contentBetween = createContent(source, (row) => (found.get(row.number) ?? cellsOf(row)).flatMap(filledCell))
  const merged = mergedAreas(source).filter(({ top, left }) =>
    contentBetween(top, top).some(({ column }) => column === left),
  )
  const blocks = inColumns(
    blocksOf(pairs, context, rowTags),
    { contentBetween, tables: context.tables, merged, looped, valued },
    context,
  )
  checkRows(blocks, contentBetween, context, { ...ALL_COLUMNS, top: 1, bottom: MAX_ROW })
  checkTags(all, blocks, rowTags, context)
  const isWhole = blocks.every(isOverWholeRows)
  for (const row of source.rows) {
    if (!found.has(row.number) && (!isWhole || hasBlock(blocks, row.number))) {
      found.set(row.number, cellsOf(row).map(asStatic))
    }
  }
  const cells = new Map(
    Array.from(
      found,
      ([number, row]) => [number, row.map((cell) => withText(cell, texts.get(cell), rowTags))] as const,
    ),
  )
  checkFormulas(cells, blocks, context)
  return { source, cells, blocks, hasTags: texts.size > 0 }
}

type Paired = ReturnType<typeof pairTags<CellTag>>

/** Pairs tags in reading order; where loops overlap in it, they may stand side by side, each with the tags of its columns. */
function pairCells(tags: readonly CellTag[], splits = 0): Paired {
  const paired = pairTags(tags, { pairLevels: false })
  if (paired.problems.length === 0 || splits === MOST_SPLITS) return paired
  const columns = new Set(tags.flatMap(({ tag, cell }) => (tag.kind === 'open' ? [cell.column] : [])))
  for (const column of [...columns].sort((one, other) => one - other).slice(1, MOST_SPLITS)) {
    const left = pairTags(
      tags.filter(({ cell }) => cell.column < column),
      { pairLevels: false },
    )
    if (left.problems.length > 0) continue
    const right = pairCells(
      tags.filter(({ cell }) => cell.column >= column),
      splits + 1,
    )
    const isApart = left.pairs.every((one) => right.pairs.every((other) => beginTogether(one, other)))
    if (right.problems.length > 0 || !isApart) break
    const pairs = [...left.pairs, ...right.pairs].sort(
      (one, other) => one.open.cell.row - other.open.cell.row || one.open.cell.column - other.open.cell.column,
    )
    return { pairs, problems: [] }
  }
  return paired
}

/** Loops side by side whose tags interleave, and columns that are tried to part two of them. */
const MOST_SPLITS = 20

/** Loops in the same rows stand side by side only when they begin in the same row; else one may be meant to hold the other. */
function beginTogether(one: Pair<CellTag>, other: Pair<CellTag>): boolean {
  const isAbove = one.close.cell.row < other.open.cell.row || other.close.cell.row < one.open.cell.row
  return isAbove || one.open.cell.row === other.open.cell.row
}

export const placeOf = (sheet: string, { column, row }: Pick<SourceCell, 'column' | 'row'>): string =>
  `${sheet}!${columnLetters(column)}${row}`

function report(
  { name, findings }: SheetContext,
  cell: SourceCell,
  code: 'TEMPLATE_UNSUPPORTED' | 'TEMPLATE_LOOP',
  details: string,
) {
  findings.add({ code, place: placeOf(name, cell), details })
}

function textOf(cell: SourceCell, { strings }: SheetContext): StringItem | null {
  if (cell.type === 'inlineStr') return readString(/<is\b[^>]*>(.*)<\/is>/s.exec(cell.inner)?.[1] ?? '')
  if (cell.type !== 's') return null
  return strings[Number(/<v\b[^<>]*>\s*(\d+)\s*<\/v>/.exec(cell.inner)?.[1] ?? -1)] ?? null
}

const isInPivot = ({ row, column }: SourceCell, { pivots }: SheetContext): boolean =>
  pivots.some(({ top, left, bottom, right }) => top <= row && row <= bottom && left <= column && column <= right)

const hasBlock = (blocks: readonly PlanBlock[], row: number): boolean =>
  blocks.some(({ first, last }) => first <= row && row <= last)
export const blockAt = (
  blocks: readonly PlanBlock[],
  { row, column }: Pick<SourceCell, 'row' | 'column'>,
): PlanBlock | undefined =>
  blocks.find(({ first, last, left, right }) => first <= row && row <= last && left <= column && column <= right)

export const isOverWholeRows = (block: PlanBlock): boolean =>
  areWithin(ALL_COLUMNS, block) && block.children.every(isOverWholeRows)

/** Pairs become blocks of rows, in the columns of their tags; conditions within one cell stay in its text. Tags of blocks are added to `rowTags`. */
function blocksOf(pairs: readonly Pair<CellTag>[], context: SheetContext, rowTags: Set<Tag>): PlanBlock[] {
  return pairs.flatMap(({ open, close, inner }) => {
    const children = blocksOf(inner, context, rowTags)
    const tag = open.tag as TagOf<'open'>
    const loop = isLoop(tag, context.names)
    if (!loop && open.cell === close.cell && children.length === 0) return []
    rowTags.add(tag).add(close.tag)
    const { column } = open.cell
    const covers = spanOf({ left: column, right: column }, [close.cell.column])
    const { left, right } = spanOf(
      covers,
      children.flatMap((one) => [one.left, one.right]),
    )
    const to = close.cell === open.cell ? '' : `:${columnLetters(close.cell.column)}${close.cell.row}`
    const place = open.place + to
    return [
      {
        first: open.cell.row,
        last: close.cell.row,
        left,
        right,
        open: tag,
        tags: [tag.source, close.tag.source],
        place,
        loop,
        covers,
        touching: [],
        claimed: new Set(),
        children,
      },
    ]
  })
}

/** The blocks with the columns that they move. */
function inColumns(
  blocks: readonly PlanBlock[],
  around: Surroundings,
  context: SheetContext,
  within: Columns = ALL_COLUMNS,
): PlanBlock[] {
  return Array.from(columnsOfBlocks(blocks, around, within), ([block, columns]) => {
    if (!('problem' in columns)) {
      return { ...block, ...columns, children: inColumns(block.children, around, context, columns) }
    }
    const details = `${block.open.source}: ${columns.problem}`
    context.findings.add({ code: 'TEMPLATE_LOOP', place: block.place, details })
    return block
  })
}

/** Reports rows below loops that the loops would tear apart. */
function checkRows(
  blocks: readonly PlanBlock[],
  contentBetween: Surroundings['contentBetween'],
  context: SheetContext,
  within: Area,
): void {
  for (const { block, row, left } of tornRows(blocks, contentBetween, within)) {
    const cells = `${columnLetters(left)}${row}:${columnLetters(left + 1)}${row}`
    const details = `${block.open.source}: the cells ${cells} lie side by side below the loop, which moves one of them only; leave an empty column between them, or put them above row ${block.first}`
    context.findings.add({ code: 'TEMPLATE_LOOP', place: `${context.name}!${cells}`, details })
  }
  for (const { children, first, last, ...columns } of blocks) {
    if (children.length > 0) {
      const { left, right } = columns
      checkRows(children, contentBetween, context, { left, right, top: first, bottom: last })
    }
  }
}

/** A cell with its formula, unless it is empty. */
function filledCell(cell: SourceCell | PlanCell): FilledCell[] {
  if (cell.inner === '') return []
  const formula = 'content' in cell && cell.content.kind === 'formula' ? cell.content.formula : null
  return [{ ...cell, tokens: formula?.tokens ?? (() => []) }]
}

const mergedAreas = ({ frame }: SheetSource): Area[] =>
  Array.from(frame.matchAll(/<mergeCell\b[^>]*?\sref="([^"]*)"/g), ([, ref = '']) => readArea(ref)).filter(
    (area) => area !== null,
  )

/** Columns of the cells with a tag that has a value in a loop only, by rows. */
function cellsOfLoops(tags: readonly CellTag[], names: Names): Surroundings['looped'] {
  const known = new Map<string, boolean>()
  const needsLoop = (tag: Tag): boolean => {
    if (tag.kind !== 'value') return false
    const path = pathText(tag.path)
    const needs = known.get(path) ?? !hasValue(tag, names)
    known.set(path, needs)
    return needs
  }
  const looped = new Map<number, Set<number>>()
  for (const { tag, cell } of tags) {
    if (needsLoop(tag)) looped.set(cell.row, (looped.get(cell.row) ?? new Set()).add(cell.column))
  }
  return looped
}

/** Whether the tag names something where `names` are known. */
export function hasValue({ path }: TagOf<'value'>, names: Names): boolean {
  try {
    return Boolean(names.value(path))
  } catch {
    return false
  }
}

function isLoop(tag: TagOf<'open'>, names: Names): boolean {
  try {
    return !tag.not && 'key' in names.loop(tag.path)
  } catch {
    // An unknown name, which the check of the tags reports; or a column, which is a condition.
    return false
  }
}

/** Checks all names: each where the rows of its cell stand. */
function checkTags(
  tags: readonly CellTag[],
  blocks: readonly PlanBlock[],
  rowTags: ReadonlySet<Tag>,
  context: SheetContext,
): void {
  const inBlock = new Map<PlanBlock, Names>()
  const visit = (level: readonly PlanBlock[], names: Names) => {
    for (const block of level) {
      const frame = context.findings.check(block.open, block.place, names)
      inBlock.set(block, frame ? names.inside(frame) : names)
      visit(block.children, inBlock.get(block) ?? names)
    }
  }
  visit(blocks, context.names)
  const namesAt = (cell: SourceCell): Names => {
    let names = context.names
    for (let block = blockAt(blocks, cell); block; block = blockAt(block.children, cell))
      names = inBlock.get(block) ?? names
    return names
  }
  for (const { tag, cell, place } of tags) {
    if (rowTags.has(tag) || tag.kind === 'close') continue
    if (tag.kind === 'level')
      report(context, cell, 'TEMPLATE_UNSUPPORTED', `${tag.source}: in workbooks it stands in the name of a sheet`)
    else context.findings.check(tag, place, namesAt(cell))
  }
}

function withText(
  cell: PlanCell,
  text: { readonly item: StringItem; readonly tags: readonly Tag[] } | undefined,
  rowTags: ReadonlySet<Tag>,
): PlanCell {
  if (!text) return cell
  const pieces = piecesOf(text.item.text, text.tags, rowTags)
  return { ...cell, content: { kind: 'text', pieces, properties: text.item.properties } }
}

/** The text between its tags. Tags in `left` are left out. */
export function piecesOf(text: string, tags: readonly Tag[], left: ReadonlySet<Tag> = new Set()): TextPiece[] {
  const stack: { open: TagOf<'open'> | null; content: TextPiece[] }[] = [{ open: null, content: [] }]
  const add = (piece: TextPiece) => {
    if (piece !== '') stack.at(-1)?.content.push(piece)
  }
  let end = 0
  for (const tag of tags) {
    add(text.slice(end, tag.start))
    end = tag.end
    if (left.has(tag)) continue
    if (tag.kind === 'open') stack.push({ open: tag, content: [] })
    else if (tag.kind === 'close' && stack.length > 1) {
      const { open, content } = stack.pop() ?? {}
      if (open && content) add({ open, content })
    } else if (tag.kind === 'value' || tag.kind === 'expression' || tag.kind === 'literal') add(tag)
  }
  add(text.slice(end))
  return stack[0]?.content ?? []
}

/** The tag of a cell that holds nothing else, so that it becomes a number where its value is one. */
export function soleTag(pieces: readonly TextPiece[]): TextTag | null {
  const visible = pieces.filter((piece) => typeof piece !== 'string' || piece.trim() !== '')
  const [only] = visible
  return visible.length === 1 && only && typeof only !== 'string' && 'kind' in only && only.kind !== 'literal'
    ? only
    : null
}

export const asStatic = (cell: SourceCell): PlanCell => ({ ...cell, content: { kind: 'static' } })

function checkFormulas(
  cells: ReadonlyMap<number, readonly PlanCell[]>,
  blocks: readonly PlanBlock[],
  context: SheetContext,
): void {
  for (const [row, list] of cells) {
    if (!hasBlock(blocks, row)) continue
    for (const cell of list) {
      if (!blockAt(blocks, cell)) continue
      const type = cell.content.kind === 'formula' ? cell.content.formula.attributes.get('t') : undefined
      if (type === 'array') report(context, cell, 'TEMPLATE_UNSUPPORTED', 'an array formula in a loop')
      if (type === 'dataTable') report(context, cell, 'TEMPLATE_UNSUPPORTED', 'a data table (what-if) in a loop')
    }
  }
}
