/** Parts that belong to a sheet or to the workbook and hold references: tables, comments, controls, pivot tables. */
import { kindOf, type Relationship } from '../parts.ts'
import type { Scope } from '../scope.ts'
import { escapeXml, parseXml, plainMarkup, serializeXml, unescapeXml, withoutPrefix } from '../xml.ts'
import type { ChartRequest } from './charts.ts'
import { Edits, elements } from './dom.ts'
import { fillDrawing } from './drawing.ts'
import { sheetPrefix } from './formula.ts'
import type { Area } from './layout.ts'
import { cellAt, formatArea, growArea, type Moves, movedBy, readArea, type SheetPlace } from './moves.ts'
import type { Parts } from './parts.ts'
import { placeKey, type SheetPlan } from './plan.ts'
import { renderText } from './rows.ts'

/** A table of the template: names are unique in a workbook. */
export interface TableCopy {
  readonly path: string
  /** In the filled file. */
  readonly id: number
  readonly name: string
  /** In the template, between header and totals; null when it has none. */
  readonly rows: Area | null
}

interface RelatedRequest extends ChartRequest {
  readonly plan: SheetPlan
  /** The tables of this sheet, by the path of their part in the template. */
  readonly tables: ReadonlyMap<string, TableCopy>
  /** Gets the texts of header cells with tags, which are the names of their columns. */
  readonly headers: Map<string, string>
}

/** Fills the parts that a sheet refers to; a further copy of the sheet gets its own ones. Returns the relationships of the sheet. */
export async function fillRelated(
  relationships: readonly Relationship[],
  copy: boolean,
  request: RelatedRequest,
): Promise<Relationship[]> {
  const filled: Relationship[] = []
  for (const relationship of relationships) {
    const target = relationship.external ? relationship.target : await fillPart(relationship, copy, request)
    filled.push({ ...relationship, target })
  }
  return filled
}

async function fillPart(relationship: Relationship, copy: boolean, request: RelatedRequest): Promise<string> {
  const { target } = relationship
  const { place, parts } = request
  // Some libraries leave the relationship of a part that they did not write; nothing of the sheet refers to it.
  if (!parts.source.has(target)) return target
  switch (kindOf(relationship)) {
    case 'drawing':
      return await fillDrawing(target, copy, request)
    case 'table':
      return await fillTable(target, request)
    case 'comments':
    case 'threadedComment':
      return await moveAttributes(target, copy, parts, (edits, document) => {
        for (const name of ['comment', 'threadedComment']) {
          for (const comment of elements(document, name))
            edits.mapAttribute(comment, 'ref', (ref) => firstCell(ref, place))
        }
      })
    case 'vmlDrawing':
      return await moveVml(target, copy, request)
    case 'namedSheetView':
      return await moveAttributes(target, copy, parts, (edits, document) => {
        for (const filter of elements(document, 'nsvFilter'))
          edits.mapAttribute(filter, 'ref', (ref) => grown(ref, place))
      })
    case 'pivotTable':
      return await moveAttributes(target, false, parts, (edits, document) => {
        for (const location of elements(document, 'location'))
          edits.mapAttribute(location, 'ref', (ref) => movedBlock(ref, place))
      })
    case 'ctrlProp':
      return await moveAttributes(target, copy, parts, (edits, document) => {
        const root = document.documentElement
        if (!root) return
        for (const name of ['fmlaLink', 'fmlaRange', 'fmlaGroup', 'fmlaTxbx']) {
          edits.mapAttribute(root, name, (formula) => request.moves.formula(formula, place, { as: 'area' }))
        }
      })
    default:
      return target
  }
}

/** A cell in a loop is the one of the first row. */
function firstCell(ref: string, { layout }: SheetPlace): string {
  const area = readArea(ref)
  if (!area) return ref
  const row = area.top + movedBy(area, layout)
  return formatArea({ ...area, top: row, bottom: row })
}

/** An area that moves without growing. */
function movedBlock(ref: string, { layout }: SheetPlace): string {
  const area = readArea(ref)
  if (!area) return ref
  const by = movedBy(area, layout)
  return formatArea({ ...area, top: area.top + by, bottom: area.bottom + by })
}

async function moveAttributes(
  path: string,
  copy: boolean,
  parts: Parts,
  change: (edits: Edits, document: Awaited<ReturnType<typeof parseXml>>) => void,
): Promise<string> {
  const text = await parts.source.text(path)
  const document = await parseXml(text, path)
  const edits = new Edits()
  change(edits, document)
  if (!copy && !edits.changed) return path
  const written = copy ? parts.free(path) : path
  parts.write(written, edits.changed ? await serializeXml(document) : text, parts.typeOf(path))
  if (copy) await parts.writeRelationships(written, await parts.source.relationships(path))
  return written
}

const ANCHOR = /(<(?:[\w.-]+:)?Anchor>)([^<]*)/

const FORMULA = /(<(?:[\w.-]+:)?Fmla(?:Link|Range|Pict|Txbx|Group)>)([^<]*)/g

/** The properties of a box with its row and cells, and what follows behind them. */
function movedBox(piece: string, { place, moves }: RelatedRequest): string {
  const end = piece.search(/<\/(?:[\w.-]+:)?ClientData>/)
  if (end < 0) return piece
  const data = piece.slice(0, end)
  const row = Number(/<(?:[\w.-]+:)?Row>\s*(\d+)/.exec(data)?.[1] ?? Number.NaN)
  const column = /<(?:[\w.-]+:)?Column>\s*(\d+)/.exec(data)?.[1]
  const anchor = (ANCHOR.exec(data)?.[2] ?? '').split(',').map(Number)
  const from = Number.isNaN(row) ? (anchor[2] ?? 0) : row
  const by = movedBy(cellAt(from, Number(column ?? anchor[0] ?? 0)), place.layout)
  const at = `control on ${place.name}`
  const moved = data
    .replace(/(<(?:[\w.-]+:)?Row>\s*)\d+/, `$1${row + by}`)
    .replace(ANCHOR, (_, tag: string) => {
      const numbers = anchor.map((number, index) => (index === 2 || index === 6 ? Math.max(0, number + by) : number))
      return `${tag}${numbers.join(', ')}`
    })
    .replace(
      FORMULA,
      (_, tag: string, source: string) =>
        tag + escapeXml(moves.formula(unescapeXml(source), place, { as: 'area', at })),
    )
  return moved + piece.slice(end)
}

/** Boxes of comments and controls; VML of Excel is not always well-formed, so it is changed as text. */
async function moveVml(path: string, copy: boolean, request: RelatedRequest): Promise<string> {
  const { parts } = request
  const text = plainMarkup(await parts.source.text(path))
  const pieces = text.split(/(?=<(?:[\w.-]+:)?ClientData\b)/)
  const moved = pieces
    .map((piece) => (/^<(?:[\w.-]+:)?ClientData\b/.test(piece) ? movedBox(piece, request) : piece))
    .join('')
  if (!copy && moved === text) return path
  const written = copy ? parts.free(path) : path
  parts.write(written, moved, parts.typeOf(path))
  if (copy) await parts.writeRelationships(written, await parts.source.relationships(path))
  return written
}

async function fillTable(path: string, request: RelatedRequest): Promise<string> {
  const { parts, place, moves, plan, scope, tables, headers } = request
  const table = tables.get(path) ?? { path, id: 0, name: '', rows: null }
  const document = await parseXml(await parts.source.text(path), path)
  const root = document.documentElement
  if (!root) return path
  const edits = new Edits()
  const area = readArea(root.getAttribute('ref') ?? '')
  if (table.path !== path) {
    edits.attribute(root, 'id', String(table.id))
    edits.attribute(root, 'name', table.name)
    edits.attribute(root, 'displayName', table.name)
    edits.attribute(root, 'xr:uid', null)
  }
  for (const element of [
    root,
    ...['autoFilter', 'sortState', 'sortCondition'].flatMap((name) => elements(root, name)),
  ]) {
    edits.mapAttribute(element, 'ref', (ref) => grown(ref, place))
  }
  for (const name of ['calculatedColumnFormula', 'totalsRowFormula']) {
    for (const formula of elements(root, name)) edits.mapText(formula, (text) => moves.formula(text, place))
  }
  if (area && root.getAttribute('headerRowCount') !== '0') {
    const names = await headerNames(plan, area.top, scope)
    const columns = elements(root, 'tableColumn').map((element, index) => ({ element, column: area.left + index }))
    const taken = new Set(
      columns.flatMap(({ element, column }) =>
        names.has(column) ? [] : (element.getAttribute('name') ?? '').toLowerCase(),
      ),
    )
    for (const { element, column } of columns) {
      const text = names.get(column)
      if (text === undefined) continue
      const name = uniqueName(text, taken)
      edits.attribute(element, 'name', name)
      headers.set(placeKey({ row: area.top, column }), name)
    }
  }
  if (!edits.changed) return path
  parts.write(table.path, await serializeXml(document), parts.typeOf(path))
  return table.path
}

const grown = (ref: string, { layout }: SheetPlace): string => {
  const area = readArea(ref)
  return area ? formatArea(growArea(area, layout)) : ref
}

/** Excel repairs a table whose columns have other names than their header cells. Header cells with tags, by column. */
async function headerNames(plan: SheetPlan, row: number, scope: Scope): Promise<ReadonlyMap<number, string>> {
  const names = new Map<number, string>()
  for (const { column, content } of plan.cells.get(row) ?? []) {
    if (content.kind === 'text') names.set(column, await renderText(content.pieces, scope))
  }
  return names
}

/** No two columns of a table have one name, and none has no name: Excel counts the further ones, from 2. */
function uniqueName(text: string, taken: Set<string>): string {
  const base = text === '' ? 'Column' : text
  let name = base
  for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${base}${number}`
  taken.add(name.toLowerCase())
  return name
}

/** Points the cache of a pivot table to its moved source; it is computed anew when the file is opened. */
export async function fillPivotCache(path: string, parts: Parts, moves: Moves): Promise<void> {
  const document = await parseXml(await parts.source.text(path), path)
  const root = document.documentElement
  if (!root) return
  const edits = new Edits()
  for (const source of [...elements(root, 'worksheetSource'), ...elements(root, 'rangeSet')]) {
    const sheet = source.getAttribute('sheet')
    const area = readArea(source.getAttribute('ref') ?? '')
    const table = source.getAttribute('name')
    const place = sheet === null ? undefined : moves.placesOf(sheet)[0]
    // The table or sheet may be one of several copies, which gets a warning as in formulas.
    if (table !== null) moves.formula(`${table}[]`, null, { at: `pivot table over ${table}` })
    if (!area || !place) continue
    if (place.level !== null && sheet !== null)
      moves.formula(`${sheetPrefix(sheet)}${formatArea(area)}`, null, { at: `pivot table over ${sheet}`, as: 'area' })
    edits.attribute(source, 'ref', formatArea(growArea(area, place.layout)))
    edits.attribute(source, 'sheet', place.name)
  }
  edits.attribute(root, 'refreshOnLoad', '1')
  edits.attribute(root, 'missingItemsLimit', '0')
  edits.attribute(root, 'saveData', '0')
  edits.attribute(root, 'recordCount', null)
  const records = root.getAttribute('r:id')
  edits.attribute(root, 'r:id', null)
  // Items of the last refresh are texts of the template.
  for (const item of elements(root, 's')) edits.mapAttribute(item, 'v', (text) => text.replace(/\{\{|\}\}/g, ''))
  parts.write(path, await serializeXml(document))
  const relationships = await parts.source.relationships(path)
  await parts.writeRelationships(
    path,
    relationships.filter(({ id }) => id !== records),
  )
}

/** Strings with tags are written into their cells; here they become empty, because Office shows none of them. */
export function withoutTags(sharedStrings: string): string {
  return withoutPrefix(sharedStrings).replace(
    /<si(?![^\s/>])[^>]*?(?:\/>|>(.*?)<\/si>)/gs,
    (item, content: string | undefined) =>
      content?.replace(/<[^<>]*>/g, '').includes('{{') ? '<si><t></t></si>' : item,
  )
}
