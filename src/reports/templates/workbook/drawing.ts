/** Drawings of a sheet: anchors that move with their rows, text boxes, pictures that charts and images replace, native charts. */
import type { Document, Element } from '@xmldom/xmldom'
import type { Names } from '../names.ts'
import { extensionOf, freeRelationshipId, kindOf, OFFICE_RELATIONSHIP, type Relationship } from '../parts.ts'
import type { Scope } from '../scope.ts'
import { type Occurrence, pairTags, parseTags, type TagOf } from '../tags.ts'
import { parseXml, serializeXml } from '../xml.ts'
import { child, children, Edits, elements } from './dom.ts'
import type { Moves, SheetPlace } from './moves.ts'
import type { Parts } from './parts.ts'
import type { SheetContext } from './plan.ts'
import { piecesOf } from './plan.ts'
import { renderText } from './rows.ts'

const EMU_PER_PIXEL = 9525
/** For pictures without a size of their own. */
const DEFAULT_BOX = { width: 480, height: 288 }

export interface DrawingRequest {
  readonly parts: Parts
  readonly place: SheetPlace
  readonly scope: Scope
  readonly moves: Moves
  /** Sheets of the template whose cells change: caches of charts that show them are out of date. */
  readonly isFilled: (sheet: string) => boolean
}

/** Fills a drawing part; a copy gets charts of its own. Returns the path of the part in the filled file. */
export async function fillDrawing(path: string, copy: boolean, request: DrawingRequest): Promise<string> {
  const { parts, place, scope } = request
  const document = await parseXml(await parts.source.text(path), path)
  const edits = new Edits()
  const relationships = [...(await parts.source.relationships(path))]
  let related = false
  moveAnchors(document, place, edits)
  await fillParagraphs(document, scope, edits)
  for (const picture of elements(document, 'pic')) {
    if (await fillPicture(picture, relationships, request, edits)) related = true
  }
  for (const [index, relationship] of relationships.entries()) {
    const target = await relatedTarget(relationship, copy, request)
    if (target.target === relationship.target && target.fragment === relationship.fragment) continue
    relationships[index] = target
    related = true
  }
  if (!copy && !edits.changed && !related) return path
  const written = copy ? parts.free(path) : path
  parts.write(written, edits.changed ? await serializeXml(document) : await parts.source.text(path), parts.typeOf(path))
  if (copy || related) parts.writeRelationships(written, relationships)
  return written
}

async function relatedTarget(
  relationship: Relationship,
  copy: boolean,
  request: DrawingRequest,
): Promise<Relationship> {
  const kind = kindOf(relationship)
  if (kind === 'chart' || kind === 'chartEx')
    return { ...relationship, target: await fillChart(relationship.target, copy, request) }
  if (kind === 'hyperlink' && relationship.target === '' && relationship.fragment.startsWith('#')) {
    const location = safeDecode(relationship.fragment.slice(1))
    const moved = request.moves.formula(location, request.place)
    return moved === location ? relationship : { ...relationship, fragment: `#${moved}` }
  }
  return relationship
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What an anchor begins on moves it; its height in rows stays, so that nothing is stretched over a long table. */
function moveAnchors(document: Document, { layout }: SheetPlace, edits: Edits): void {
  for (const anchor of [...elements(document, 'twoCellAnchor'), ...elements(document, 'oneCellAnchor')]) {
    const from = child(anchor, 'from')
    const start = from && child(from, 'row')
    if (!start) continue
    const row = Number(start.textContent)
    const by = layout.rowOf(row + 1, 'first') - row - 1
    edits.text(start, String(row + by))
    const to = child(anchor, 'to')
    const end = to && child(to, 'row')
    if (end) edits.mapText(end, (text) => String(Number(text) + by))
  }
}

/** Paragraphs (`a:p`) whose text has tags: the text moves to the first run of each tag, and keeps its format. */
async function fillParagraphs(root: Document | Element, scope: Scope, edits: Edits): Promise<void> {
  for (const paragraph of elements(root, 'p')) {
    const runs = runsOf(paragraph)
    const text = runs.map((run) => run.textContent ?? '').join('')
    const [first, ...rest] = runs
    if (!first || !text.includes('{{')) continue
    const begin = runs.find((run) => (run.textContent ?? '').includes('{')) ?? first
    for (const run of [first, ...rest]) edits.text(run, '')
    edits.text(begin, await renderText(piecesOf(text, parseTags(text)), scope))
  }
}

const runsOf = (paragraph: Element): Element[] =>
  children(paragraph).flatMap((run) => (run.localName === 'r' || run.localName === 'fld' ? children(run, 't') : []))

/** The properties of a picture, shape or chart that hold its name and alternative text. */
const propertiesOf = (element: Element): Element | null => elements(element, 'cNvPr')[0] ?? null

/** The tag of an alternative text that is nothing else; null for a plain picture. */
export function pictureTag(description: string): TagOf<'value'> | null {
  const text = description.trim()
  const [tag, more] = parseTags(text)
  return tag?.kind === 'value' && !more && tag.start === 0 && tag.end === text.length ? tag : null
}

async function fillPicture(
  picture: Element,
  relationships: Relationship[],
  { parts, scope }: DrawingRequest,
  edits: Edits,
): Promise<boolean> {
  const properties = propertiesOf(picture)
  const tag = pictureTag(properties?.getAttribute('descr') ?? '')
  const blip = elements(picture, 'blip')[0]
  if (!properties || !tag || !blip) return false
  const box = boxOf(picture)
  const { bytes, extension, width, height, title } = await scope.picture(tag.path, box)
  const target = parts.addMedia(bytes, extension)
  const id = freeRelationshipId(relationships)
  relationships.push({ id, type: `${OFFICE_RELATIONSHIP}image`, target, external: false, fragment: '' })
  edits.attribute(blip, 'r:embed', id)
  // Extensions of the picture may name a vector image that Office shows instead.
  for (const node of children(blip)) edits.remove(node)
  const crop = elements(picture, 'srcRect')[0]
  if (crop) edits.remove(crop)
  edits.attribute(properties, 'descr', title)
  fitInside(picture, { width, height }, box)
  return true
}

function boxOf(picture: Element): { readonly width: number; readonly height: number } {
  const size = elements(picture, 'ext').find((element) => element.hasAttribute('cx'))
  const width = Math.round(Number(size?.getAttribute('cx') ?? 0) / EMU_PER_PIXEL)
  const height = Math.round(Number(size?.getAttribute('cy') ?? 0) / EMU_PER_PIXEL)
  return width > 0 && height > 0 ? { width, height } : DEFAULT_BOX
}

/** Keeps the proportions of an image: the rest of its box stays empty (`a:fillRect` with margins in 1/1000 percent). */
function fitInside(
  picture: Element,
  image: { readonly width: number; readonly height: number },
  box: { readonly width: number; readonly height: number },
): void {
  const stretch = elements(picture, 'stretch')[0]
  if (!stretch) return
  for (const node of children(stretch)) stretch.removeChild(node)
  const fill = picture.ownerDocument?.createElementNS(stretch.namespaceURI ?? '', `${stretch.prefix ?? 'a'}:fillRect`)
  if (!fill) return
  const scale = Math.min(box.width / image.width, box.height / image.height)
  const margin = (part: number, whole: number) => Math.round((1 - part / whole) * 50_000)
  const horizontal = margin(image.width * scale, box.width)
  const vertical = margin(image.height * scale, box.height)
  for (const [names, value] of [[['l', 'r'], horizontal] as const, [['t', 'b'], vertical] as const]) {
    for (const name of names) if (value > 0) fill.setAttribute(name, String(value))
  }
  stretch.appendChild(fill)
}

/** Moves the series of a chart and drops the values that it keeps of its cells. Returns its path in the filled file. */
async function fillChart(path: string, copy: boolean, request: DrawingRequest): Promise<string> {
  const { parts, place, scope, moves, isFilled } = request
  const document = await parseXml(await parts.source.text(path), path)
  const edits = new Edits()
  let stale = false
  for (const formula of elements(document, 'f')) {
    const source = formula.textContent ?? ''
    const isName = formula.parentNode?.parentNode?.localName === 'tx'
    edits.text(formula, moves.formula(source, place, { grow: !isName }))
    if (sheetsOf(source).some(isFilled)) stale = true
  }
  await fillParagraphs(document, scope, edits)
  if (stale || edits.changed) {
    for (const name of ['numCache', 'strCache', 'multiLvlStrCache']) {
      for (const cache of elements(document, name)) edits.remove(cache)
    }
  }
  if (!copy && !edits.changed) return path
  const written = copy ? parts.free(path) : path
  parts.write(written, await serializeXml(document), parts.typeOf(path))
  if (copy) {
    const relationships = await parts.source.relationships(path)
    parts.writeRelationships(
      written,
      await Promise.all(relationships.map((relationship) => copied(relationship, parts))),
    )
  }
  return written
}

/** Styles, colours and workbooks of a chart belong to it alone. */
async function copied(relationship: Relationship, parts: Parts): Promise<Relationship> {
  const { target, external } = relationship
  if (external || kindOf(relationship) === 'image' || !parts.source.has(target)) return relationship
  const path = parts.free(target)
  const isXml = extensionOf(target) === 'xml'
  parts.write(path, isXml ? await parts.source.text(target) : await parts.source.bytes(target), parts.typeOf(target))
  return { ...relationship, target: path }
}

/** Names of the sheets in a formula of a chart. */
const sheetsOf = (formula: string): string[] =>
  Array.from(
    formula.matchAll(/'((?:[^']|'')+)'!|([^\s'!(),]+)!/g),
    ([, quoted, plain]) => quoted?.replaceAll("''", "'") ?? plain ?? '',
  )

/** Checks the tags of text boxes, chart titles and pictures. */
export async function checkDrawing(
  path: string,
  { name, names, findings }: Pick<SheetContext, 'name' | 'names' | 'findings'>,
  parts: Pick<Parts, 'source'>,
): Promise<void> {
  const document = await parseXml(await parts.source.text(path), path)
  for (const element of elements(document, 'cNvPr')) {
    const description = element.getAttribute('descr') ?? ''
    if (!description.includes('{{')) continue
    const place = `picture "${element.getAttribute('name') ?? ''}" on ${name}`
    const tag = pictureTag(description)
    const isPicture = element.parentNode?.localName === 'nvPicPr'
    if (tag && isPicture) findings.checkPicture(tag, place, names)
    else
      findings.add({
        code: 'TEMPLATE_INVALID',
        place,
        details: `${description}: expected one name, {{name}}, on a picture`,
      })
  }
  for (const shape of elements(document, 'sp')) {
    checkParagraphs(shape, `text box "${propertiesOf(shape)?.getAttribute('name') ?? ''}" on ${name}`, names, findings)
  }
  for (const relationship of await parts.source.relationships(path)) {
    const kind = kindOf(relationship)
    if (kind !== 'chart' && kind !== 'chartEx') continue
    const chart = await parseXml(await parts.source.text(relationship.target), relationship.target)
    checkParagraphs(chart, `chart on ${name}`, names, findings)
  }
}

function checkParagraphs(
  root: Document | Element,
  place: string,
  names: Names,
  findings: SheetContext['findings'],
): void {
  for (const paragraph of elements(root, 'p')) {
    const text = runsOf(paragraph)
      .map((run) => run.textContent ?? '')
      .join('')
    if (text.includes('{{')) checkText(text, place, names, findings)
  }
}

/** Checks the tags of a text that is no cell: values and conditions, no loops. */
export function checkText(text: string, place: string, names: Names, findings: SheetContext['findings']): void {
  const tags = parseTags(text)
  pairTags(
    tags.map((tag): Occurrence => ({ tag, place })),
    { pairLevels: false },
  ).problems.forEach(findings.add)
  for (const tag of tags) {
    if (tag.kind === 'level') {
      findings.add({
        code: 'TEMPLATE_UNSUPPORTED',
        place,
        details: `${tag.source}: in workbooks it stands in the name of a sheet`,
      })
      continue
    }
    if (findings.check(tag, place, names)?.kind === 'loop') {
      findings.add({
        code: 'TEMPLATE_LOOP',
        place,
        details: `${tag.source}: loops over tables repeat rows of cells only`,
      })
    }
  }
}
