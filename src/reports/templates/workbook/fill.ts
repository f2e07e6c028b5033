/** Fills a workbook: layouts of all sheets first, because references need them, then sheet by sheet. */

import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Element } from '@xmldom/xmldom'
import { ReportError } from '../../codes.ts'
import { sheetNames } from '../../documents/xlsx-parts.ts'
import type { Warn } from '../../types.ts'
import { fillProperties } from '../leftovers.ts'
import { type OfficePackage, writePackage } from '../package.ts'
import { kindOf } from '../parts.ts'
import type { Scope } from '../scope.ts'
import { parseTags, type TagOf } from '../tags.ts'
import { parseXml, serializeXml } from '../xml.ts'
import type { Book, BookSheet } from './book.ts'
import { type BookNames, createBookNames } from './charts.ts'
import { elements } from './dom.ts'
import { fillFrame } from './frame.ts'
import { type Area, createLayout, type Layout } from './layout.ts'
import { createMoves, type Moves, readArea, type SheetPlace } from './moves.ts'
import { createRowNames, type RowNames } from './names.ts'
import { createParts, type Parts } from './parts.ts'
import { type PlanBlock, piecesOf } from './plan.ts'
import { hasNoRows } from './references.ts'
import { fillPivotCache, fillRelated, type TableCopy, withoutTags } from './related.ts'
import { renderText, writeRows } from './rows.ts'
import { createStyles, type Styles } from './styles.ts'
import { fillWorkbookPart } from './workbook-part.ts'

/** A sheet of the filled workbook. */
interface OutputSheet {
  readonly sheet: BookSheet
  readonly place: SheetPlace & { readonly layout: Layout<PlanBlock> }
  /** Path of the part in the filled file. */
  readonly path: string
  readonly tables: ReadonlyMap<string, TableCopy>
}

interface FillRequest {
  readonly source: OfficePackage
  readonly book: Book
  readonly scope: Scope
  /** Path of the file to write. */
  readonly file: string
  /** Absolute; sheets of level values wait there. */
  readonly temporaryDirectory: string
  readonly warn: Warn
  /** The file becomes a PDF. */
  readonly forPdf: boolean
}

/** Fills a workbook that was read without problems. Rejects with `NO_CYCLE_VALUES` when no sheet is left, and with the errors of the data. */
export async function fillWorkbook(request: FillRequest): Promise<void> {
  const { source, book, warn, temporaryDirectory } = request
  const parts = createParts(source)
  const outputs = await placeSheets(request, parts)
  if (outputs.length === 0)
    throw new ReportError('NO_CYCLE_VALUES', 'no level of the template has a value: no sheet is left')
  const placesOf = new Map<string, Set<string>>()
  const names = createBookNames(book.document, book.sheets)
  const moves = createMoves(
    outputs.map(({ place }) => place),
    (details, place) => {
      placesOf.set(details, (placesOf.get(details) ?? new Set()).add(place))
    },
    names.formulaOf,
  )
  const stylesPath =
    book.relationships.find((one) => kindOf(one) === 'styles' && source.has(one.target))?.target ?? null
  const styles = createStyles(stylesPath ? await source.text(stylesPath) : null)
  const filled = new Set(outputs.filter(isFilled).map(({ sheet }) => sheet.name.toLowerCase()))
  const folder = await mkdtemp(join(temporaryDirectory, 'workbook-'))
  try {
    const context: Filling = {
      ...request,
      parts,
      moves,
      styles,
      stylesPath,
      isFrom1904: /^(1|true)$/.test(elements(book.document, 'workbookPr')[0]?.getAttribute('date1904') ?? ''),
      isFilled: (name) => filled.has(name.toLowerCase()),
      names,
      rowNames: createRowNames(book.document, book.sheets),
    }
    for (const level of new Set(outputs.flatMap(({ place }) => place.level ?? []))) {
      await fillLevel(level, outputs, context, folder)
    }
    for (const output of outputs) {
      if (output.place.level === null) await fillSheet(output, request.scope, context, null)
    }
    await fillBook(context, outputs)
    await fillProperties(parts.draft, request.scope)
    await writePackage(source, request.file, await parts.finish())
    for (const [details, places] of placesOf) warn('TEMPLATE_REFERENCE', `${namedPlaces([...places])}: ${details}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Places of formulas that one warning names. */
const MOST_PLACES = 5

const namedPlaces = (places: readonly string[]): string =>
  places.slice(0, MOST_PLACES).join(', ') +
  (places.length > MOST_PLACES ? ` and ${places.length - MOST_PLACES} more` : '')

interface Filling extends FillRequest {
  readonly parts: Parts
  readonly moves: Moves
  readonly styles: Styles
  readonly stylesPath: string | null
  readonly isFrom1904: boolean
  readonly isFilled: (sheet: string) => boolean
  readonly names: BookNames
  readonly rowNames: RowNames | null
}

/** Cells of the sheet change: by tags, loops, or formulas that are computed anew. */
const isFilled = ({ sheet }: OutputSheet): boolean => sheet.level !== null || (sheet.plan?.cells.size ?? 0) > 0

/** Rows and name of a sheet, under the selections of its level value. */
interface Measured {
  readonly layout: Layout<PlanBlock>
  readonly title: string
}

async function measure(sheet: BookSheet, scope: Scope, value: string): Promise<Measured> {
  const counts = new Map<PlanBlock, number>()
  const count = async (blocks: readonly PlanBlock[]): Promise<void> => {
    for (const block of blocks) {
      counts.set(block, block.loop ? await scope.repeatCount(block.open) : 1)
      await count(block.children)
    }
  }
  await count(sheet.plan?.blocks ?? [])
  const layout = createLayout(sheet.plan?.blocks ?? [], (block) => counts.get(block) ?? 1)
  const title = sheet.level ? sheet.name.replace(sheet.level.source, '\0') : sheet.name
  const pieces = piecesOf(title, parseTags(title))
  return { layout, title: (await renderText(pieces, scope)).replace('\0', value) }
}

const levelOf = ({ level }: BookSheet): string | null => level?.path.join('.') ?? null

/** The sheets of each level, measured for each of its values. */
async function measureLevels(book: Book, scope: Scope): Promise<Map<BookSheet, Measured[]>> {
  const measured = new Map<BookSheet, Measured[]>()
  for (const [key, tag] of levelsOf(book)) {
    const sheets = book.sheets.filter((sheet) => levelOf(sheet) === key)
    for (const sheet of sheets) measured.set(sheet, [])
    await scope.eachValue(tag.path, async (inner, { text }) => {
      for (const sheet of sheets) measured.get(sheet)?.push(await measure(sheet, inner, text))
    })
  }
  return measured
}

const levelsOf = (book: Book): ReadonlyMap<string, TagOf<'level'>> =>
  new Map(book.sheets.flatMap((sheet) => (sheet.level ? [[levelOf(sheet) ?? '', sheet.level] as const] : [])))

/** The sheets in their order; a sheet with a level once for each value. */
async function placeSheets({ book, scope, source }: FillRequest, parts: Parts): Promise<OutputSheet[]> {
  const measured = await measureLevels(book, scope)
  const tables = await readTables(book, source)
  const outputs: OutputSheet[] = []
  for (const sheet of book.sheets) if (sheet.level === null) measured.set(sheet, [await measure(sheet, scope, '')])
  const names = namesOf(measured)
  for (const sheet of book.sheets) {
    for (const [index, one] of (measured.get(sheet) ?? []).entries()) {
      const { layout } = one
      const path = index > 0 ? parts.free(sheet.path) : sheet.path
      // Claims the path; the content follows.
      if (index > 0) parts.write(path, null, parts.typeOf(sheet.path))
      const own = tables.copiesFor(sheet, index, parts)
      const tablesOfSheet = own.map(({ from, to }) => {
        const isEmpty = from.rows !== null && hasNoRows(from.rows, layout)
        return [from.name.toLowerCase(), { name: to.name, isEmpty }] as const
      })
      const name = names.get(one) ?? sheet.name
      const level = levelOf(sheet)
      const place = { templateName: sheet.name, name, layout, level, index, tables: new Map(tablesOfSheet) }
      outputs.push({ sheet, place, path, tables: new Map(own.map(({ from, to }) => [from.path, to])) })
    }
  }
  return outputs
}

/** Names without tags stay; the others make room for them. */
function namesOf(measured: ReadonlyMap<BookSheet, readonly Measured[]>): ReadonlyMap<Measured, string> {
  const all = [...measured].flatMap(([sheet, list]) => list.map((one) => ({ one, kept: one.title === sheet.name })))
  const ordered = [...all.filter(({ kept }) => kept), ...all.filter(({ kept }) => !kept)].map(({ one }) => one)
  const names = sheetNames(ordered.map(({ title }) => title))
  return new Map(ordered.map((one, index) => [one, names[index] ?? one.title]))
}

/** The tables of the workbook: ids and names of copies are new in the whole file. */
async function readTables(book: Book, source: OfficePackage) {
  const found = new Map<string, TableCopy>()
  for (const { relationships } of book.sheets) {
    for (const relationship of relationships) {
      if (kindOf(relationship) !== 'table') continue
      const root = (await parseXml(await source.text(relationship.target), relationship.target)).documentElement
      const name = root?.getAttribute('displayName') ?? ''
      const rows = root && rowsOfTable(root)
      found.set(relationship.target, { path: relationship.target, id: Number(root?.getAttribute('id')), name, rows })
    }
  }
  const ids = new Set([...found.values()].map(({ id }) => id))
  const names = new Set([...found.values()].map(({ name }) => name.toLowerCase()))
  for (const name of elements(book.document, 'definedName')) names.add((name.getAttribute('name') ?? '').toLowerCase())

  function copyOf({ path, name, rows }: TableCopy, index: number, parts: Parts): TableCopy {
    let number = index + 1
    while (names.has(`${name}_${number}`.toLowerCase())) number++
    const copy = { rows, path: parts.free(path), id: Math.max(0, ...ids) + 1, name: `${name}_${number}` }
    names.add(copy.name.toLowerCase())
    ids.add(copy.id)
    parts.write(copy.path, null, parts.typeOf(path))
    return copy
  }

  return {
    copiesFor: (sheet: BookSheet, index: number, parts: Parts): readonly { from: TableCopy; to: TableCopy }[] =>
      sheet.relationships.flatMap(({ target }) => {
        const from = found.get(target)
        return from ? [{ from, to: index === 0 ? from : copyOf(from, index, parts) }] : []
      }),
  }
}

/** The rows of a table of Excel between its header and its totals; null when it has none. */
function rowsOfTable(table: Element): Area | null {
  const area = readArea(table.getAttribute('ref') ?? '')
  if (!area) return null
  const top = area.top + Number(table.getAttribute('headerRowCount') ?? 1)
  const bottom = area.bottom - Number(table.getAttribute('totalsRowCount') ?? 0)
  return top <= bottom ? { ...area, top, bottom } : null
}

async function fillLevel(
  key: string,
  outputs: readonly OutputSheet[],
  context: Filling,
  folder: string,
): Promise<void> {
  const tag = levelsOf(context.book).get(key)
  if (!tag) return
  await context.scope.eachValue(tag.path, async (scope, _, index) => {
    for (const output of outputs) {
      if (output.place.level === key && output.place.index === index) await fillSheet(output, scope, context, folder)
    }
  })
}

/**
 * Fills a sheet and the parts that belong to it. Rows of plain sheets are read while the file is written; those of level values only
 * now, under the selection of the value: they wait in `folder`.
 */
async function fillSheet(output: OutputSheet, scope: Scope, context: Filling, folder: string | null): Promise<void> {
  const { sheet, place, path, tables } = output
  const { parts, moves, styles, isFrom1904, warn, names, rowNames } = context
  const plan = sheet.plan
  const copy = place.index > 0
  const headers = new Map<string, string>()
  const relationships = plan
    ? await fillRelated(sheet.relationships, copy, { ...context, place, scope, plan, tables, headers })
    : [...sheet.relationships]
  if (copy) await parts.writeRelationships(path, relationships)
  if (!plan) return
  const frame = await fillFrame({ plan, place, scope, moves, names, rowNames, warn })
  if (!copy && !frame.changed && plan.cells.size === 0) return
  const text = frame.write(writeRows({ plan, place, scope, moves, styles, isFrom1904, headers, warn }))
  if (folder === null) {
    parts.write(path, followedByStyles(text, context))
    return
  }
  const file = join(folder, path.replaceAll('/', '_'))
  await pipeline(Readable.from(text), createWriteStream(file))
  parts.write(path, followedByStyles(createReadStream(file, 'utf8') as AsyncIterable<string>, context))
}

/** Formats that were added for the rows are written after them. */
async function* followedByStyles(
  text: AsyncIterable<string>,
  { styles, stylesPath, parts }: Filling,
): AsyncGenerator<string> {
  yield* text
  const xml = styles.toXml()
  if (xml !== null && stylesPath !== null) parts.write(stylesPath, xml)
}

/** The parts of the workbook as a whole. */
async function fillBook(context: Filling, outputs: readonly OutputSheet[]): Promise<void> {
  const { book, parts, moves, source } = context
  for (const relationship of book.relationships) {
    if (kindOf(relationship) !== 'pivotCacheDefinition' || !source.has(relationship.target)) continue
    await fillPivotCache(relationship.target, parts, moves)
  }
  if (book.taggedStrings !== null) parts.write(book.taggedStrings, withoutTags(await source.text(book.taggedStrings)))
  const relationships = fillWorkbookPart(book, outputs, moves)
  parts.write(book.path, await serializeXml(book.document))
  await parts.writeRelationships(book.path, relationships)
  if (outputs.some(({ sheet, place }) => sheet.name !== place.name)) await dropTitles(context)
}

/** The properties of the file list the names of its sheets; Office makes the list anew. */
async function dropTitles({ source, parts }: Filling): Promise<void> {
  const properties = (await source.relationships('')).find(
    (relationship) => kindOf(relationship) === 'extended-properties',
  )
  if (!properties || !source.has(properties.target)) return
  const document = await parseXml(await source.text(properties.target), properties.target)
  for (const name of ['HeadingPairs', 'TitlesOfParts']) {
    for (const element of elements(document, name)) element.parentNode?.removeChild(element)
  }
  parts.write(properties.target, await serializeXml(document))
}
