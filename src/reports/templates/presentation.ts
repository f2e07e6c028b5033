/** Office templates of presentations (pptx): text of shapes and tables, notes, slides repeated for the values of a level. */
import type { Document, Element, Node } from '@xmldom/xmldom'
import { ReportError } from '../codes.ts'
import type { Warn } from '../types.ts'
import { childElements, childNamed, closest, descendants, remove } from './dom.ts'
import { Draft } from './draft.ts'
import { checkAddresses, checkKept, checkOutsideText, checkProperties, fillProperties } from './leftovers.ts'
import type { Findings, Names } from './names.ts'
import type { OfficePackage, PartContent } from './package.ts'
import { freePath, kindOf } from './parts.ts'
import { checkPictures, fillPictures, namedRelationships, RELATIONSHIPS, releasePictures } from './pictures.ts'
import type { Scope } from './scope.ts'
import { holdsTags } from './tags.ts'
import { type Dialect, dropOlderForms, type Places, takeLevelTags, visitText } from './text.ts'
import { checkVisitor, fillVisitor } from './visitors.ts'
import { parseXml, serializeXml } from './xml.ts'

const DRAWING = 'http://schemas.openxmlformats.org/drawingml/2006/main'
const EMU_PER_CM = 360_000

/** Text of DrawingML, also in the shapes and charts of workbooks. */
export const DRAWING_DIALECT: Dialect = {
  namespace: DRAWING,
  pairLevels: false,
  writeLines(text, lines) {
    const run = text.parentNode as Element
    const isField = run.localName === 'fld'
    text.textContent = isField ? lines.join(' ') : (lines[0] ?? '')
    if (isField) return
    const after = run.nextSibling
    for (const line of lines.slice(1)) {
      const lineBreak = run.ownerDocument!.createElementNS(DRAWING, `${run.prefix ?? 'a'}:br`)
      const format = childNamed(run, 'rPr')
      if (format) lineBreak.appendChild(format.cloneNode(true))
      const next = run.cloneNode(true) as Element
      childNamed(next, 't')!.textContent = line
      run.parentNode!.insertBefore(lineBreak, after)
      run.parentNode!.insertBefore(next, after)
    }
  },
  isNeeded: () => false,
  cleanCopy(content) {
    // Numbers of table rows stand in an extension of their own.
    for (const id of descendants(content).filter(({ localName }) => localName === 'rowId')) remove(id.parentNode!)
  },
  tearsCells(first, last) {
    const all = childElements(first.parentNode!).filter(({ localName }) => localName === 'tr')
    const rows = all.slice(all.indexOf(first), all.indexOf(last) + 1)
    const cellsOf = (row: Element) => childElements(row).filter(({ localName }) => localName === 'tc')
    const isBegunAbove = cellsOf(first).some((cell) => /^(1|true)$/.test(cell.getAttribute('vMerge') ?? ''))
    const reaches = (cell: Element, index: number) => Number(cell.getAttribute('rowSpan') ?? 1) > rows.length - index
    return isBegunAbove || rows.some((row, index) => cellsOf(row).some((cell) => reaches(cell, index)))
  },
  headerOff(row) {
    const properties = childNamed(row.parentNode!, 'tblPr')
    const rows = childElements(row.parentNode!).filter(({ localName }) => localName === 'tr')
    // New tables have the setting, so a single row is none that was meant as a header.
    const isFirst = rows.length > 1 && rows[0] === row
    const isOn = isFirst && /^(1|true|on)$/.test(properties?.getAttribute('firstRow') ?? '')
    return isOn ? 'switch off "Header Row" in the design of the table' : null
  },
  complete(container, removed) {
    const has = (name: string) => childNamed(container, name) !== undefined
    if (container.localName === 'txBody' && !has('p')) {
      container.appendChild(container.ownerDocument!.createElementNS(DRAWING, 'a:p'))
    }
    const row = childElements(removed).find(({ localName }) => localName === 'tr')
    if (container.localName !== 'tbl' || has('tr') || !row) return
    // A table needs a row: an empty one stays.
    const empty = row.cloneNode(true)
    for (const element of descendants(empty)) if (TEXTS.has(element.localName)) remove(element)
    container.appendChild(empty)
  },
}
type Name = string | null
const TEXTS: ReadonlySet<Name> = new Set(['r', 'br', 'fld'])

interface Slide {
  /** From 1. */
  readonly number: number
  readonly path: string
  readonly notes: string | null
  /** Its entry in the presentation. */
  readonly entry: Element
}

async function slidesOf(opened: OfficePackage, presentation: Document): Promise<Slide[]> {
  const related = new Map((await opened.relationships(opened.mainPart)).map((one) => [one.id, one.target]))
  const list = childNamed(presentation.documentElement!, 'sldIdLst')
  const slides: Slide[] = []
  for (const entry of list ? childElements(list) : []) {
    const path = related.get(entry.getAttributeNS(RELATIONSHIPS, 'id') ?? '') ?? ''
    const notes = (await opened.relationships(path)).find((one) => kindOf(one) === 'notesSlide')?.target ?? null
    slides.push({ number: slides.length + 1, path, notes, entry })
  }
  return slides
}

const openPresentation = async (opened: OfficePackage) =>
  await parseXml(await opened.text(opened.mainPart), opened.mainPart)

/** The tree of a slide or its notes; null when it holds no tag. */
async function taggedTree(opened: OfficePackage, path: string | null): Promise<Document | null> {
  if (path === null || !opened.has(path)) return null
  const xml = await opened.text(path)
  if (!holdsTags(xml)) return null
  const document = await parseXml(xml, path)
  dropOlderForms(document)
  return document
}

/** Collects the tags and problems of a presentation. */
export async function checkPresentation(opened: OfficePackage, names: Names, findings: Findings): Promise<void> {
  for (const slide of await slidesOf(opened, await openPresentation(opened))) {
    const document = await taggedTree(opened, slide.path)
    const places = document ? placesOf(document, `slide ${slide.number}`) : new Map()
    const [level, second] = document ? takeLevelTags(document, DRAWING_DIALECT, places) : []
    if (second) {
      const details = `${second.tag.source}: a slide can be repeated for one level only, in one tag`
      findings.add({ code: 'TEMPLATE_LOOP', place: second.place, details })
    }
    if (level?.tag.pageBreak) {
      const details = `${level.tag.source}: pageBreak is for documents; a slide is a page anyway`
      findings.add({ code: 'TEMPLATE_INVALID', place: level.place, details })
    }
    const frame = level ? findings.check(level.tag, level.place, names) : null
    const inner = frame ? names.inside(frame) : names
    const check = (tree: Document, where: string, at: Places) => {
      const pictures = (root: Node, here: Names) => checkPictures(root, findings, here, where)
      return visitText(tree, checkVisitor(findings, inner, pictures), DRAWING_DIALECT, at)
    }
    if (document) {
      await check(document, `on slide ${slide.number}`, places)
      checkOutsideText(document, `slide ${slide.number}`, findings)
    }
    const notes = await taggedTree(opened, slide.notes)
    if (!notes) continue
    const place = `notes of slide ${slide.number}`
    const notesPlaces = placesOf(notes, place)
    for (const { tag, place: at } of takeLevelTags(notes, DRAWING_DIALECT, notesPlaces)) {
      findings.add({
        code: 'TEMPLATE_LOOP',
        place: at,
        details: `${tag.source}: the tag has to stand on the slide itself`,
      })
    }
    await check(notes, `in the ${place}`, notesPlaces)
  }
  await checkKept(opened, findings)
  await checkAddresses(opened, findings)
  await checkProperties(opened, names, findings)
}

/** Fills a presentation that has been checked. Returns the changes for `writePackage`. */
export async function fillPresentation(
  opened: OfficePackage,
  scope: Scope,
  warn: Warn,
): Promise<Map<string, PartContent>> {
  const presentation = await openPresentation(opened)
  const slides = await slidesOf(opened, presentation)
  const draft = new Draft(opened, 'ppt/media')
  const height = Number(
    childNamed(presentation.documentElement!, 'sldSz')?.getAttribute('cy') ?? Number.POSITIVE_INFINITY,
  )

  async function fillPart(path: string, document: Document, inner: Scope): Promise<void> {
    const before = await namedRelationships(document, path, draft)
    const pictures = (root: Node, here: Scope) => fillPictures(root, path, here, draft)
    await visitText(document, fillVisitor(inner, pictures), DRAWING_DIALECT, new Map())
    await releasePictures(document, path, before, draft)
    draft.set(path, await serializeXml(document))
  }
  async function fillSlide(slide: Slide, path: string, notesPath: string | null, inner: Scope): Promise<void> {
    const document = await taggedTree(opened, slide.path)
    if (document) {
      takeLevelTags(document, DRAWING_DIALECT, new Map())
      await fillPart(path, document, inner)
      for (const details of overflows(document, height)) {
        warn('TEMPLATE_OVERFLOW', `slide ${slide.number}, ${details}; limit the rows with maxRows`)
      }
    }
    const notes = await taggedTree(opened, slide.notes)
    if (notes && notesPath !== null) await fillPart(notesPath, notes, inner)
  }

  const removed = new Set<string>()
  let changesList = false
  for (const slide of slides) {
    const document = await taggedTree(opened, slide.path)
    const [level] = document ? takeLevelTags(document, DRAWING_DIALECT, new Map()) : []
    if (!level) {
      await fillSlide(slide, slide.path, slide.notes, scope)
      continue
    }
    changesList = true
    const entries: Element[] = [slide.entry]
    const count = await scope.eachValue(level.tag.path, async (inner, _value, index) => {
      if (index === 0) return await fillSlide(slide, slide.path, slide.notes, inner)
      const copies = new Map<string, string>()
      const path = await copyPart(draft, slide.path, copies)
      entries.push(addEntry(entries.at(-1)!, await draft.relate(opened.mainPart, 'slide', path), presentation))
      await fillSlide(slide, path, slide.notes === null ? null : (copies.get(slide.notes) ?? null), inner)
    })
    if (count > 0) continue
    removed.add(slide.path)
    await removeSlide(slide, presentation, draft)
  }
  if (removed.size > 0 && removed.size === slides.length) {
    throw new ReportError('DOCUMENT_FAILED', 'no slide is left: the levels of all slides have no values')
  }
  for (const { path } of slides) if (!removed.has(path)) await unlink(path, removed, draft)
  if (changesList) draft.set(opened.mainPart, await serializeXml(presentation))
  await fillProperties(draft, scope)
  return await draft.finish()
}

/** Kinds of parts that copies of a slide have in common. Comments are about the original alone. */
const SHARED: ReadonlySet<string> = new Set([
  'slideLayout',
  'slideMaster',
  'notesMaster',
  'theme',
  'slide',
  'image',
  'media',
  'video',
  'audio',
  'tags',
  'hyperlink',
  'font',
  'customXml',
])
const DROPPED: ReadonlySet<string> = new Set(['comments'])

/** Copies a part of the template with the parts that belong to it alone: charts, their workbooks, notes. Returns its path. */
async function copyPart(draft: Draft, path: string, copies: Map<string, string>): Promise<string> {
  const { source, types } = draft
  const copy = freePath(path, (candidate) => draft.has(candidate))
  copies.set(path, copy)
  draft.add(copy, await source.bytes(path), types.typeOf(path))
  const relationships = await draft.relationships(copy)
  for (const one of await source.relationships(path)) {
    const kind = kindOf(one)
    if (DROPPED.has(kind)) continue
    const isOwn = !one.external && !copies.has(one.target) && !SHARED.has(kind) && source.has(one.target)
    if (isOwn) await copyPart(draft, one.target, copies)
    relationships.push({ ...one, target: one.external ? one.target : (copies.get(one.target) ?? one.target) })
  }
  return copy
}

/** Adds a slide behind another, in the list of slides and in its section. Returns its entry. */
function addEntry(previous: Element, relationshipId: string, presentation: Document): Element {
  const entries = descendants(presentation).filter(({ localName }) => localName === 'sldId')
  const id = String(Math.max(255, ...entries.map((one) => Number(one.getAttribute('id')) || 0)) + 1)
  const added = previous.cloneNode(true) as Element
  const name = previous.getAttributeNodeNS(RELATIONSHIPS, 'id')!.name
  added.setAttribute('id', id)
  added.setAttributeNS(RELATIONSHIPS, name, relationshipId)
  for (const entry of entries) {
    if (entry.getAttribute('id') !== previous.getAttribute('id')) continue
    const copy = entry === previous ? added : (entry.cloneNode(true) as Element)
    copy.setAttribute('id', id)
    entry.parentNode!.insertBefore(copy, entry.nextSibling)
  }
  return added
}

async function removeSlide({ path, entry }: Slide, presentation: Document, draft: Draft): Promise<void> {
  const id = entry.getAttribute('id')
  const relationshipId = entry.getAttributeNS(RELATIONSHIPS, 'id') ?? ''
  for (const element of descendants(presentation)) {
    const isEntry = element.localName === 'sldId' && element.getAttribute('id') === id
    // Custom shows list slides by their relationship.
    const isShown = element.localName === 'sld' && element.getAttributeNS(RELATIONSHIPS, 'id') === relationshipId
    if (isEntry || isShown) remove(element)
  }
  await draft.release(draft.source.mainPart, relationshipId)
  await removePart(draft, path)
}

async function removePart(draft: Draft, path: string): Promise<void> {
  draft.remove(path)
  for (const one of await draft.source.relationships(path)) {
    if (!one.external && !SHARED.has(kindOf(one)) && draft.has(one.target)) await removePart(draft, one.target)
  }
}

/** Takes away the links of a slide to slides that are left out. */
async function unlink(path: string, removed: ReadonlySet<string>, draft: Draft): Promise<void> {
  if (removed.size === 0) return
  const relationships = await draft.relationships(path)
  const dead = new Set(relationships.filter(({ target }) => removed.has(target)).map(({ id }) => id))
  if (dead.size === 0) return
  const document = await parseXml(await draft.text(path), path)
  for (const element of descendants(document)) {
    if (/^hlink/.test(element.localName ?? '') && dead.has(element.getAttributeNS(RELATIONSHIPS, 'id') ?? ''))
      remove(element)
  }
  for (const id of dead) await draft.release(path, id)
  draft.set(path, await serializeXml(document))
}

/** Tables that go past the lower edge: `"Table 4": 30 rows need 21.0 cm from the top, the slide has 19.1`. */
function overflows(document: Document, slideHeight: number): string[] {
  const frames = descendants(document).filter(({ localName }) => localName === 'graphicFrame')
  return frames.flatMap((frame) => {
    const transform = childNamed(frame, 'xfrm')
    const rows = descendants(frame).filter(({ localName }) => localName === 'tr')
    const offset = transform && childNamed(transform, 'off')
    if (!offset || rows.length === 0 || closest(frame, 'grpSp', document)) return []
    const end = rows.reduce((sum, row) => sum + Number(row.getAttribute('h')), Number(offset.getAttribute('y')))
    if (end <= slideHeight) return []
    const [needed, given] = [end, slideHeight].map((emu) => (emu / EMU_PER_CM).toFixed(1))
    return [`"${nameOf(frame)}": ${rows.length} rows need ${needed} cm from the top, the slide has ${given}`]
  })
}

const nameOf = (shape: Element): string =>
  descendants(shape)
    .find(({ localName }) => localName === 'cNvPr')
    ?.getAttribute('name') ?? ''

/** `slide 3, "Title 1", paragraph 2`; in tables `slide 3, "Table 4", row 2, cell 1`. */
function placesOf(document: Document, place: string): Places {
  const places: Places = new Map()
  for (const body of descendants(document).filter(({ localName }) => localName === 'txBody')) {
    const shape = closest(body, 'sp', document) ?? closest(body, 'graphicFrame', document)
    const [row, cell] = [closest(body, 'tr', document), closest(body, 'tc', document)]
    const position = (element: Element) =>
      childElements(element.parentNode!)
        .filter(({ localName }) => localName === element.localName)
        .indexOf(element) + 1
    const prefix = `${place}, "${shape ? nameOf(shape) : ''}"`
    const paragraphs = childElements(body).filter(({ localName }) => localName === 'p')
    for (const [index, paragraph] of paragraphs.entries()) {
      const at = row && cell ? `row ${position(row)}, cell ${position(cell)}` : `paragraph ${index + 1}`
      places.set(paragraph, `${prefix}, ${at}`)
    }
  }
  return places
}
