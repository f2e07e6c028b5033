/** The tags of a sheet: which rows are repeated, and what each cell with tags or a formula becomes. */
import type { Findings, Names } from '../names.ts'
import { type Occurrence, type Pair, pairTags, parseTags, type Tag, type TagOf, type TextTag } from '../tags.ts'
import { columnLetters, hasTagText, type Token, tokenize } from './formula.ts'
import type { BlockRows } from './layout.ts'
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
export interface PlanBlock extends BlockRows {
  readonly open: TagOf<'open'>
  /** Over the rows of a table; else a condition. */
  readonly loop: boolean
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
  | { readonly kind: 'formula'; readonly formula: CellFormula; readonly tokens: readonly Token[] }
  | {
      readonly kind: 'text'
      readonly pieces: readonly TextPiece[]
      /** Format of the first character, of a rich text. */
      readonly properties: string
    }

export interface PlanCell extends SourceCell {
  readonly content: CellContent
}

export interface SheetPlan {
  readonly source: SheetSource
  /** Cells of the rows that hold tags or formulas or lie in a block; all other rows are copied. */
  readonly cells: ReadonlyMap<number, readonly PlanCell[]>
  readonly blocks: readonly PlanBlock[]
  /** A cell has a tag. */
  readonly hasTags: boolean
}

/** An area of cells, rows and columns from 1, all included. */
export interface Area {
  readonly top: number
  readonly left: number
  readonly bottom: number
  readonly right: number
}

/** A table of Excel on a sheet. */
export interface SheetTable extends Area {
  readonly name: string
  readonly hasHeader: boolean
}

export interface SheetContext {
  /** As written in the template, for places. */
  readonly name: string
  readonly strings: readonly StringItem[]
  /** Output of pivot tables: never read as tags. */
  readonly pivots: readonly Area[]
  readonly tables: readonly SheetTable[]
  /** The names that tags of the sheet can use. */
  readonly names: Names
  readonly findings: Findings
}

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
        const tokens = tokenize(formula.text)
        if (hasTagText(tokens)) report(context, cell, 'TEMPLATE_UNSUPPORTED', 'tags in formulas are not filled')
        return { ...cell, content: { kind: 'formula', formula, tokens } }
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
  const { pairs, problems } = pairTags(all, { pairLevels: false })
  problems.forEach(findings.add)
  const rowTags = new Set<Tag>()
  const blocks = blocksOf(pairs, context, rowTags)
  checkTags(all, blocks, rowTags, context)
  for (const row of source.rows) {
    if (!found.has(row.number) && at(blocks, row.number)) {
      found.set(
        row.number,
        cellsOf(row).map((cell) => ({ ...cell, content: { kind: 'static' } })),
      )
    }
  }
  const cells = new Map(
    Array.from(
      found,
      ([number, row]) => [number, row.map((cell) => withText(cell, texts.get(cell), rowTags))] as const,
    ),
  )
  checkFormulas(cells, blocks, context)
  for (const block of blocks) {
    const open = all.find(({ tag }) => tag === block.open)?.cell
    const problem = block.loop ? besideLoop(block, all, source, context.tables) : null
    if (open && problem) report(context, open, 'TEMPLATE_LOOP', `${block.open.source}: ${problem}`)
  }
  return { source, cells, blocks, hasTags: texts.size > 0 }
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
  return strings[Number(/<v>\s*(\d+)\s*<\/v>/.exec(cell.inner)?.[1] ?? -1)] ?? null
}

const isInPivot = ({ row, column }: SourceCell, { pivots }: SheetContext): boolean =>
  pivots.some(({ top, left, bottom, right }) => top <= row && row <= bottom && left <= column && column <= right)

const at = (blocks: readonly PlanBlock[], row: number): PlanBlock | undefined =>
  blocks.find(({ first, last }) => first <= row && row <= last)

/** Pairs become blocks of rows; conditions within one cell stay in its text. Tags of blocks are added to `rowTags`. */
function blocksOf(pairs: readonly Pair<CellTag>[], context: SheetContext, rowTags: Set<Tag>): PlanBlock[] {
  const blocks: PlanBlock[] = []
  for (const { open, close, inner } of pairs) {
    const children = blocksOf(inner, context, rowTags)
    const tag = open.tag as TagOf<'open'>
    const loop = isLoop(tag, context.names)
    if (!loop && open.cell === close.cell && children.length === 0) continue
    rowTags.add(tag).add(close.tag)
    const block: PlanBlock = { first: open.cell.row, last: close.cell.row, open: tag, loop, children }
    if (blocks.some(({ last }) => last >= block.first)) {
      report(
        context,
        open.cell,
        'TEMPLATE_LOOP',
        `${tag.source}: two loops share the row ${block.first}; loops repeat whole rows`,
      )
    } else blocks.push(block)
  }
  return blocks
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
      const { cell } = tags.find(({ tag }) => tag === block.open) ?? {}
      const place = cell ? areaPlace(context.name, block, cell, tags) : context.name
      const frame = context.findings.check(block.open, place, names)
      inBlock.set(block, frame ? names.inside(frame) : names)
      visit(block.children, inBlock.get(block) ?? names)
    }
  }
  visit(blocks, context.names)
  const namesAt = (row: number): Names => {
    let names = context.names
    for (let block = at(blocks, row); block; block = at(block.children, row)) names = inBlock.get(block) ?? names
    return names
  }
  for (const { tag, cell, place } of tags) {
    if (rowTags.has(tag) || tag.kind === 'close') continue
    if (tag.kind === 'level')
      report(context, cell, 'TEMPLATE_UNSUPPORTED', `${tag.source}: in workbooks it stands in the name of a sheet`)
    else context.findings.check(tag, place, namesAt(cell.row))
  }
}

/** `Detail!A6:F6`, from the opening to the closing tag. */
function areaPlace(sheet: string, block: PlanBlock, open: SourceCell, tags: readonly CellTag[]): string {
  const last = tags.findLast(({ tag, cell }) => tag.kind === 'close' && cell.row === block.last)?.cell ?? open
  const to = last === open ? '' : `:${columnLetters(last.column)}${last.row}`
  return placeOf(sheet, open) + to
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

/**
 * A loop repeats whole rows, and with them what stands beside it and is no part of it: a table, or cells behind an empty column that
 * go on above or below. The header of a table of Excel has one row and cannot be repeated either. Null: there is nothing of the kind.
 */
function besideLoop(
  block: PlanBlock,
  tags: readonly CellTag[],
  source: SheetSource,
  tables: readonly SheetTable[],
): string | null {
  const isInBlock = (row: number) => block.first <= row && row <= block.last
  const near = source.rows.filter(({ number }) => block.first - 2 <= number && number <= block.last + 1)
  const cells = near.flatMap(cellsOf).filter(({ inner }) => inner !== '')
  const own = tags.flatMap(({ cell }) => (isInBlock(cell.row) ? [cell.column] : []))
  const filled = new Set(cells.flatMap(({ row, column }) => (isInBlock(row) ? [column] : [])))
  const [left, right] = grownOver(filled, Math.min(...own), Math.max(...own))

  for (const { name, hasHeader, ...area } of tables) {
    if (area.top > block.last || area.bottom < block.first) continue
    if (area.right < left || area.left > right) {
      return `the loop would repeat rows of the table "${name}" beside it; move the table above, below or to another sheet`
    }
    if (hasHeader && isInBlock(area.top)) {
      return `the loop repeats row ${area.top}, the header of the table "${name}"; begin it in the row below`
    }
  }
  for (const column of [...filled].filter((one) => one < left || right < one).sort((one, other) => one - other)) {
    const at = cells.filter((cell) => cell.column === column)
    const has = (row: number) => at.some((cell) => cell.row === row)
    // One cell above is the head of the column.
    const goesOn = has(block.last + 1) || (has(block.first - 1) && has(block.first - 2))
    if (!goesOn || at.some((cell) => isInBlock(cell.row) && refersTo(cell, left, right))) continue
    return `the loop would repeat the cells of column ${columnLetters(column)} beside it; move them above, below or to another sheet`
  }
  return null
}

/** The range with all filled columns that touch it. */
function grownOver(filled: ReadonlySet<number>, from: number, to: number): readonly [left: number, right: number] {
  let [left, right] = [from, to]
  while (filled.has(left - 1)) left--
  while (filled.has(right + 1)) right++
  return [left, right]
}

/** A formula of the row about a cell of the loop, which belongs to the loop. */
function refersTo({ inner, row }: SourceCell, left: number, right: number): boolean {
  const end = /^<f[\s>]/.test(inner) ? inner.indexOf('</f>') : -1
  return tokenize(inner.slice(inner.indexOf('>') + 1, Math.max(0, end))).some((token) => {
    if (token.kind !== 'reference' || token.sheet !== null) return false
    const { start } = token
    return start.row === row && start.column !== null && left <= start.column && start.column <= right
  })
}

function checkFormulas(
  cells: ReadonlyMap<number, readonly PlanCell[]>,
  blocks: readonly PlanBlock[],
  context: SheetContext,
): void {
  for (const [row, list] of cells) {
    if (!at(blocks, row)) continue
    for (const cell of list) {
      const type = cell.content.kind === 'formula' ? cell.content.formula.attributes.get('t') : undefined
      if (type === 'array') report(context, cell, 'TEMPLATE_UNSUPPORTED', 'an array formula in a loop')
      if (type === 'dataTable') report(context, cell, 'TEMPLATE_UNSUPPORTED', 'a data table (what-if) in a loop')
    }
  }
}
