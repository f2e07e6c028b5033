/** Native charts of a workbook: their series follow the rows, and values that they keep of changed cells are dropped. */
import type { Document, Element } from '@xmldom/xmldom'
import type { Warn } from '../../types.ts'
import type { PartContent } from '../package.ts'
import { extensionOf, kindOf, type Relationship } from '../parts.ts'
import { DRAWING_DIALECT } from '../presentation.ts'
import type { Scope } from '../scope.ts'
import { hasTags } from '../tags.ts'
import { visitText } from '../text.ts'
import { fillVisitor } from '../visitors.ts'
import { parseXml, serializeXml } from '../xml.ts'
import { children, Edits, elements } from './dom.ts'
import { formatReference, type Reference, tokenize } from './formula.ts'
import { type Area, areaOf } from './layout.ts'
import type { Moves, SheetPlace } from './moves.ts'
import type { Parts } from './parts.ts'
import type { PlanCell, SheetPlan } from './plan.ts'
import { cellsOf, type SourceCell } from './sheet.ts'

export interface ChartRequest {
  readonly parts: Parts
  readonly place: SheetPlace
  readonly scope: Scope
  readonly moves: Moves
  /** Sheets of the template whose cells change: values that charts keep of them are out of date. */
  readonly isFilled: (sheet: string) => boolean
  readonly names: BookNames
  /** The file becomes a PDF: LibreOffice reads no names in charts, so that they become the ranges that they stand for. */
  readonly forPdf: boolean
  readonly warn: Warn
}

/** Returns the path of the chart in the filled file. */
export async function fillChart(path: string, copy: boolean, request: ChartRequest): Promise<string> {
  const { parts, scope } = request
  const text = await parts.source.text(path)
  const document = await parseXml(text, path)
  const edits = new Edits()
  const known = await parts.source.relationships(path)
  // Series that a filter of the chart hides have their cells in `sqref`.
  for (const name of ['f', 'sqref']) for (const formula of elements(document, name)) moveSeries(formula, request, edits)
  if (hasTags(text)) await visitText(document, fillVisitor(scope, NO_PICTURES), DRAWING_DIALECT, new Map())
  const shapes = known.find((one) => kindOf(one) === 'chartUserShapes' && parts.source.has(one.target))
  // Those of a copy are made with its other parts.
  if (shapes && !copy)
    parts.write(shapes.target, await movedShapes(shapes.target, request), parts.typeOf(shapes.target))
  if (!copy && !edits.changed && !hasTags(text)) return path
  const written = copy ? parts.free(path) : path
  parts.write(written, await serializeXml(document), parts.typeOf(path))
  if (copy) {
    await parts.writeRelationships(
      written,
      await Promise.all(known.map((relationship) => copied(relationship, request))),
    )
  }
  return written
}

async function movedShapes(path: string, request: ChartRequest): Promise<string> {
  const document = await parseXml(await request.parts.source.text(path), path)
  moveLinks(document, request, new Edits())
  return serializeXml(document)
}

/** Moves the cells that shapes show: the value of a text box, the range of a linked picture. The text of the template goes. */
export function moveLinks(document: Document, request: ChartRequest, edits: Edits): void {
  const { place, moves, isFilled } = request
  const move = (shape: Element, attribute: string): void => {
    const at = `${attribute === 'textlink' ? 'text box' : 'picture of cells'} on ${place.name}`
    edits.mapAttribute(shape, attribute, (formula) => moves.formula(formula, place, { as: 'area', at }))
  }
  for (const picture of elements(document, 'cameraTool')) move(picture, 'cellRange')
  for (const shape of elements(document, 'sp')) {
    const link = shape.getAttribute('textlink') ?? ''
    if (link === '') continue
    move(shape, 'textlink')
    const sheets = sheetsOf(link)
    if (!(sheets.length > 0 ? sheets : [place.templateName]).some(isFilled)) continue
    for (const field of elements(shape, 'fld')) for (const text of elements(field, 't')) edits.text(text, '')
  }
}

/** Charts have no pictures with tags. */
const NO_PICTURES = async () => {}
const CACHES = new Set<string | null>(['numCache', 'strCache', 'multiLvlStrCache'])

/** Moves the cells of a series, and drops the values that the chart keeps of them when they change. */
function moveSeries(formula: Element, request: ChartRequest, edits: Edits): void {
  const { place, moves, isFilled, names, forPdf, warn } = request
  const source = formula.textContent ?? ''
  const parent = formula.parentNode as Element
  const as = parent.parentNode?.localName === 'tx' ? 'formula' : 'list'
  const at = `chart on ${place.name}`
  const caches = children(parent).filter(({ localName }) => CACHES.has(localName))
  const named = names.formulaOf(source, place.templateName)
  const moved = moves.formula(source, place, { as, at })
  const isStale = moved !== source || sheetsOf(named ?? source).some(isFilled)
  edits.text(formula, moved)
  if (named !== null && isStale && forPdf) {
    const range = names.rangeOf(named, place.templateName)
    if (range !== null) edits.text(formula, moves.formula(range, place, { as, at }))
    else warn('TEMPLATE_REFERENCE', `${at}: the values of ${source} are missing`)
  }
  for (const cache of caches) if (isStale || hasTags(cache.textContent ?? '')) edits.remove(cache)
}

/** Styles, colours and workbooks of a chart belong to it alone. */
async function copied(relationship: Relationship, request: ChartRequest): Promise<Relationship> {
  const { target, external } = relationship
  const { parts } = request
  if (external || kindOf(relationship) === 'image' || !parts.source.has(target)) return relationship
  const path = parts.free(target)
  parts.write(path, await copiedContent(relationship, request), parts.typeOf(target))
  return { ...relationship, target: path }
}

async function copiedContent(relationship: Relationship, request: ChartRequest): Promise<PartContent> {
  const { target } = relationship
  if (kindOf(relationship) === 'chartUserShapes') return movedShapes(target, request)
  const { source } = request.parts
  return extensionOf(target) === 'xml' ? source.text(target) : source.bytes(target)
}

/** Names of the sheets in a formula of a chart. */
const sheetsOf = (formula: string): string[] =>
  Array.from(
    formula.matchAll(/'((?:[^']|'')+)'!|([^\s'!(),]+)!/g),
    ([, quoted, plain]) => quoted?.replaceAll("''", "'") ?? plain ?? '',
  )

/** The defined names of a workbook. */
export interface BookNames {
  /** The formula of the name that `source` is, as it stands in the template: `[0]!sales`, `Detail!sales`. Null for anything else. */
  formulaOf(source: string, sheet: string): string | null
  /**
   * The range of the template that the formula of a name stands for: itself where it is one, or a range as long as a column is filled
   * (`OFFSET` or `INDEX` with `COUNTA` or `COUNT`). Null for other formulas.
   */
  rangeOf(formula: string, sheet: string): string | null
}

interface NamedSheet {
  readonly name: string
  readonly plan: SheetPlan | null
}

/** @param sheets in the order of the workbook */
export function createBookNames(document: Document, sheets: readonly NamedSheet[]): BookNames {
  const known = new Map<string, string>()
  const keyOf = (sheet: string, name: string) => `${sheet}\0${name}`.toLowerCase()
  for (const element of elements(document, 'definedName')) {
    const local = element.getAttribute('localSheetId')
    const sheet = local === null ? '' : (sheets[Number(local)]?.name ?? '')
    known.set(keyOf(sheet, element.getAttribute('name') ?? ''), element.textContent ?? '')
  }
  const countIn = (counted: Reference, kind: string, sheet: string): number => {
    const name = (counted.sheet ?? sheet).toLowerCase()
    return filledCells(sheets.find((one) => one.name.toLowerCase() === name)?.plan ?? null, areaOf(counted), kind)
  }
  return {
    formulaOf(source, sheet) {
      const tokens = tokenize(source)
      const name = tokens.at(-1)
      if (name?.kind !== 'name' || tokens.some(({ kind }) => kind === 'reference' || kind === 'function')) return null
      const [owner = sheet] = sheetsOf(source)
      return known.get(keyOf(owner, name.text)) ?? known.get(keyOf('', name.text)) ?? null
    },
    rangeOf(formula, sheet) {
      const tokens = tokenize(formula)
      const [first, second, third] = tokens.filter((token) => token.kind === 'reference')
      const form = tokens.map((token) => (token.kind === 'reference' ? 'R' : token.text.trim().toUpperCase())).join('')
      if (/^\(?R(?:,R)*\)?$/.test(form)) return formula
      const offset = OFFSET.exec(form)
      if (offset && first && second) {
        const [, rows, columns, kind = '', less] = offset
        const height = countIn(second, kind, sheet) - Number(less ?? 0)
        return downTo(first, Number(rows), Number(columns), areaOf(first).top + Number(rows) + height - 1)
      }
      const index = INDEX.exec(form)
      if (!index || !first || !second || !third) return null
      const [, kind = '', more] = index
      return downTo(first, 0, 0, areaOf(second).top + countIn(third, kind, sheet) + Number(more ?? 0) - 1)
    },
  }
}

/** `R` is a reference. */
const OFFSET = /^OFFSET\(R,(\d*),(\d*),(COUNTA?)\(R\)(?:-(\d+))?(?:,1?)?\)$/
const INDEX = /^R:INDEX\(R,(COUNTA?)\(R\)([+-]\d+)?\)$/

/** Cells of the template that are filled, for `COUNT` without texts. Tags count as numbers. */
function filledCells(plan: SheetPlan | null, area: Area, kind: string): number {
  let count = 0
  for (const row of plan?.source.rows ?? []) {
    if (row.number < area.top || row.number > area.bottom) continue
    const cells: readonly (SourceCell & Partial<PlanCell>)[] = plan?.cells.get(row.number) ?? cellsOf(row)
    count += cells.filter(
      ({ column, inner, type, content }) =>
        area.left <= column &&
        column <= area.right &&
        inner !== '' &&
        (kind === 'COUNTA' || type === 'n' || (content !== undefined && content.kind !== 'static')),
    ).length
  }
  return count
}

/** The cells from one that lies `rows` and `columns` away from the beginning of the reference; null when there is none. */
function downTo({ start, prefix }: Reference, rows: number, columns: number, last: number): string | null {
  if (start.row === null || start.column === null || last < start.row + rows) return null
  const from = { ...start, row: start.row + rows, column: start.column + columns }
  return formatReference({ prefix, start: from, end: { ...from, row: last } })
}
