/** Office templates of documents (docx): body, tables, headers, footers, notes, text boxes, content controls. */
import type { Document, Element, Node } from '@xmldom/xmldom'
import type { Warn } from '../types.ts'
import { childElements, childNamed, childNodes, descendants, isElement, remove } from './dom.ts'
import { Draft } from './draft.ts'
import { checkFields } from './fields.ts'
import {
  checkAddresses,
  checkKept,
  checkOutsideText,
  checkProperties,
  fillProperties,
  hasFilledProperties,
} from './leftovers.ts'
import { createFindings, type Findings, type Names } from './names.ts'
import type { OfficePackage, PartContent } from './package.ts'
import { kindOf } from './parts.ts'
import { checkPictures, fillPictures, namedRelationships, RELATIONSHIPS, releasePictures } from './pictures.ts'
import type { Scope } from './scope.ts'
import { hasTags, holdsTags, parseTags, type TagOf } from './tags.ts'
import { type Dialect, dropOlderForms, type Places, preserveSpace, visitText } from './text.ts'
import { COMMENT, countsOf, takeUntagged, WORD } from './untagged.ts'
import { checkVisitor, fillVisitor } from './visitors.ts'
import { parseXml, serializeXml } from './xml.ts'

const DIALECT: Dialect = {
  namespace: WORD,
  pairLevels: true,
  writeLines(text, lines) {
    const run = text.parentNode!
    const rest = text.nextSibling
    const create = (name: string) => text.ownerDocument!.createElementNS(WORD, `${text.prefix ?? 'w'}:${name}`)
    remove(text)
    for (const [index, line] of lines.entries()) {
      if (index > 0) run.insertBefore(create('br'), rest)
      for (const [column, piece] of line.split('\t').entries()) {
        if (column > 0) run.insertBefore(create('tab'), rest)
        const written = create('t')
        preserveSpace(written)
        written.textContent = piece
        run.insertBefore(written, rest)
      }
    }
  },
  isNeeded: (paragraph) => descendants(paragraph).some(({ localName }) => NEEDED.has(localName)),
  cleanCopy(content) {
    for (const element of descendants(content)) {
      if (ONCE.has(element.localName)) remove(element)
      for (const name of ['paraId', 'textId']) element.removeAttributeNS(WORD_2010, name)
      const id = element.localName === 'sdtPr' ? childNamed(element, 'id') : undefined
      if (id) remove(id)
    }
  },
  // Cells that go on from the row above are no number of rows in Word: they go on in the copies.
  tearsCells: () => false,
  headerOff(row) {
    const properties = childNamed(row, 'trPr')
    const header = properties && childNamed(properties, 'tblHeader')
    const isOn = header && !/^(0|false|off)$/.test(header.getAttributeNS(WORD, 'val') ?? '')
    return isOn ? 'switch off "Repeat as header row" in the properties of the row' : null
  },
  complete(container) {
    const children = childElements(container)
    const hasRows = childNodes(container).some(
      (node) => node.nodeType === node.COMMENT_NODE || ROWS.has(node.localName),
    )
    if (container.localName === 'tbl' && !hasRows) {
      const outer = container.parentNode as Element
      remove(container)
      DIALECT.complete(outer, container)
      return
    }
    const last = children.findLast(({ localName }) => localName !== 'sectPr' && localName !== 'tcPr')
    if (NEED_PARAGRAPH.has(container.localName) && (!last || last.localName === 'tbl')) {
      container.appendChild(container.ownerDocument!.createElementNS(WORD, 'w:p'))
    }
  },
}
const WORD_2010 = 'http://schemas.microsoft.com/office/word/2010/wordml'
type Name = string | null
const NEEDED: ReadonlySet<Name> = new Set(['drawing', 'pict', 'object', 'sectPr'])
/** Bookmarks and comments have a name or number that may occur once. */
const ONCE: ReadonlySet<Name> = new Set([
  'bookmarkStart',
  'bookmarkEnd',
  'commentRangeStart',
  'commentRangeEnd',
  'commentReference',
  'permStart',
  'permEnd',
])
/** Beside comments, which stand for packed rows. */
const ROWS: ReadonlySet<Name | undefined> = new Set(['tr', 'sdt'])
const NEED_PARAGRAPH: ReadonlySet<Name> = new Set(['tc', 'hdr', 'ftr', 'footnote', 'endnote', 'txbxContent'])

interface Part {
  readonly path: string
  /** `document`, `header 2`, `footnotes`. */
  readonly place: string
}

/** Parts with text of the document; those of a kind are numbered in the order of their names. */
async function textParts(opened: OfficePackage): Promise<Part[]> {
  const parts: Part[] = [{ path: opened.mainPart, place: 'document' }]
  const related = await opened.relationships(opened.mainPart)
  for (const kind of ['header', 'footer', 'footnotes', 'endnotes']) {
    const paths = related.filter((one) => kindOf(one) === kind && opened.has(one.target)).map(({ target }) => target)
    const sorted = [...new Set(paths)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    const isNumbered = kind === 'header' || kind === 'footer'
    parts.push(...sorted.map((path, index) => ({ path, place: isNumbered ? `${kind} ${index + 1}` : kind })))
  }
  return parts
}

/** A part that holds tags; the others are left as they are. */
interface TaggedText extends PartText {
  /** Texts without tags, for which comments stand in the XML. */
  readonly texts: readonly string[]
}

interface PartText extends Part {
  readonly xml: string
}

const readParts = async (opened: OfficePackage): Promise<readonly PartText[]> =>
  Promise.all((await textParts(opened)).map(async (part) => ({ ...part, xml: await opened.text(part.path) })))

const taggedTexts = (parts: readonly PartText[], mainPart: string): readonly TaggedText[] =>
  parts
    .filter(({ xml }) => holdsTags(xml))
    .map((part) => ({ ...part, ...(part.path === mainPart ? takeUntagged(part.xml) : { texts: [] }) }))

/** The texts of a document that its check has read, so that they are not read again when it is filled. */
export interface CheckedDocument {
  readonly tagged: readonly TaggedText[]
  /** Details of the warning about fields that Word has to compute; null without any. */
  readonly outdated: string | null
}

/** Collects the tags and problems of a document. */
export async function checkDocument(opened: OfficePackage, names: Names, findings: Findings): Promise<CheckedDocument> {
  const parts = await readParts(opened)
  const tagged = taggedTexts(parts, opened.mainPart)
  for (const { xml, path, place } of tagged) {
    const document = await prepared(xml, path)
    if (place === 'document') await checkShared(document, tagged, opened, names, findings)
    const pictures = (root: Node, inner: Names) => checkPictures(root, findings, inner, `in ${wordsOf(place)}`, isBox)
    await visitText(document, checkVisitor(findings, names, pictures), DIALECT, placesOf(document, place))
    checkOutsideText(document, place, findings)
  }
  const outdated = checkFields(parts, await hasFilledProperties(opened), findings)
  await checkKept(opened, findings)
  await checkAddresses(opened, findings)
  await checkProperties(opened, names, findings)
  return { tagged, outdated }
}

/**
 * Refuses tags in notes that stand in a loop or level, and in headers of its sections: all copies share the note or header, which
 * would show the value of the whole app.
 */
async function checkShared(
  document: Document,
  tagged: readonly TaggedText[],
  opened: OfficePackage,
  names: Names,
  findings: Findings,
): Promise<void> {
  const targets = new Map((await opened.relationships(opened.mainPart)).map(({ id, target }) => [id, target]))
  const partAt = (path: string | undefined) => tagged.find((part) => part.path === path)
  const notes = new Map<string, Document>()
  for (const { place, xml, path } of tagged)
    if (/^(foot|end)notes$/.test(place)) notes.set(place, await parseXml(xml, path))
  const sharedBy = (element: Element): string | null => {
    const kind = /^(foot|end)noteReference$/.exec(element.localName ?? '')?.[1]
    const id = element.getAttributeNS(WORD, 'id')
    const list = notes.get(`${kind}notes`)
    if (list) {
      const note = childElements(list.documentElement!).find((one) => one.getAttributeNS(WORD, 'id') === id)
      return note && hasTags(note.textContent ?? '') ? `a ${kind}note` : null
    }
    if (!/^(header|footer)Reference$/.test(element.localName ?? '')) return null
    const path = targets.get(element.getAttributeNS(RELATIONSHIPS, 'id') ?? '')
    return partAt(path) ? `the ${element.localName!.slice(0, 6)} of a section` : null
  }
  const open: string[] = []
  for (const element of descendants(document)) {
    if (element.localName === 'p') {
      for (const tag of parseTags(element.textContent ?? '')) {
        if (tag.kind === 'close' || tag.kind === 'levelEnd') open.pop()
        else if (tag.kind === 'level' || tag.kind === 'open') open.push(isRepeated(tag, names) ? tag.source : '')
      }
    }
    const around = open.findLast((source) => source !== '')
    const shared = around === undefined ? null : sharedBy(element)
    if (shared === null) continue
    const details = `${shared} within ${around} has tags, and all copies would show its values for the whole app; put them into the text`
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place: 'document', details })
  }
}

const isRepeated = (tag: TagOf<'open' | 'level'>, names: Names): boolean =>
  createFindings().check(tag, '', names) !== null

const wordsOf = (place: string) => (/\d$/.test(place) ? place : `the ${place}`)
const isBox = ({ localName }: Element) => localName === 'txbxContent'

/** Fills a document that has been checked. Returns the changes for `writePackage`. */
export async function fillDocument(
  opened: OfficePackage,
  scope: Scope,
  { tagged, outdated }: CheckedDocument,
  warn: Warn,
): Promise<Map<string, PartContent>> {
  const draft = new Draft(opened, 'word/media')
  for (const { xml, path, texts } of tagged) {
    const document = await prepared(xml, path)
    const before = await namedRelationships(document, path, draft)
    const pictures = (root: Node, inner: Scope) => fillPictures(root, path, inner, draft, isBox)
    const packer = await createPacker(document, texts)
    await visitText(document, fillVisitor(scope, pictures, packer.pack), DIALECT, new Map())
    if (FINISHED.test(xml)) finish(document)
    await releasePictures(document, path, before, draft)
    draft.set(path, packer.unpack(await serializeXml(document)))
  }
  if (outdated !== null) warn('TEMPLATE_REFERENCE', outdated)
  if (outdated !== null || TABLE_OF_CONTENTS.test(await opened.text(opened.mainPart))) await askForFields(draft)
  await fillProperties(draft, scope)
  return await draft.finish()
}

const PIECE = 64 * 1024

/**
 * Keeps filled rows of tables as text: the tree of 10,000 rows of six cells takes 600 MB. Rows with drawings, bookmarks and
 * comments stay, because `finish` and `releasePictures` look for them.
 */
async function createPacker(document: Document, texts: readonly string[]) {
  const { XMLSerializer } = await import('@xmldom/xmldom')
  const serializer = new XMLSerializer()
  const packed = [...texts]

  function* pieces(text: string): Generator<string> {
    let at = 0
    for (const match of text.matchAll(COMMENT)) {
      yield text.slice(at, match.index)
      yield* pieces(packed[Number(match[1])] ?? '')
      at = match.index + match[0].length
    }
    yield text.slice(at)
  }
  return {
    pack(rows: Node): Node | null {
      if (descendants(rows).some(({ localName }) => NEEDED.has(localName) || ONCE.has(localName))) return null
      packed.push(serializer.serializeToString(rows))
      return document.createComment(`footman-text:${packed.length - 1}`)
    },
    /** The text of a part with all of its rows, in larger pieces. */
    async *unpack(text: string): AsyncGenerator<string> {
      let piece = ''
      for (const next of pieces(text)) {
        piece += next
        if (piece.length < PIECE) continue
        yield piece
        piece = ''
      }
      yield piece
    },
  }
}

/** The tree of a part with one form of contents that are there twice, and without bindings of content controls to other data. */
async function prepared(xml: string, path: string): Promise<Document> {
  const document = await parseXml(xml, path)
  if (xml.includes('Fallback')) dropOlderForms(document)
  if (!xml.includes('dataBinding')) return document
  for (const element of descendants(document)) {
    const control = element.localName === 'dataBinding' ? element.parentNode?.parentNode : null
    if (control && hasTags(control.textContent ?? '')) remove(element)
  }
  return document
}

/** The elements that `finish` changes; a large document without them is spared a walk. */
const FINISHED = /docPr|bookmark|commentRange|perm(?:Start|End)/

/** Gives drawings numbers of their own, and removes halves of bookmarks whose other half was in a loop without rows. */
function finish(document: Document): void {
  const elements = descendants(document)
  const drawings = elements.filter(({ localName }) => localName === 'docPr')
  const ids = drawings.map((drawing) => Number(drawing.getAttribute('id')))
  let next = Math.max(0, ...ids.filter(Number.isFinite)) + 1
  const taken = new Set<number>()
  for (const [index, drawing] of drawings.entries()) {
    const id = ids[index]!
    if (taken.has(id)) drawing.setAttribute('id', String(next++))
    taken.add(id)
  }
  for (const kind of ['bookmark', 'commentRange', 'perm']) {
    const halves = (end: string) => elements.filter(({ localName }) => localName === `${kind}${end}`)
    const idOf = (element: Element) => element.getAttributeNS(WORD, 'id')
    const [starts, ends] = [halves('Start'), halves('End')]
    for (const [some, others] of [
      [starts, ends],
      [ends, starts],
    ] as const) {
      const known = new Set(others.map(idOf))
      for (const element of some) if (!known.has(idOf(element))) remove(element)
    }
  }
}

/** A table of contents is out of date once sections were repeated. */
const TABLE_OF_CONTENTS = /<(?:\w+:)?instrText[^<>]*>\s*TOC\b|<(?:\w+:)?fldSimple[^<>]*instr="\s*TOC\b/

/** Office asks the reader whether to compute the fields. */
async function askForFields(draft: Draft): Promise<void> {
  const { source } = draft
  const settings = (await source.relationships(source.mainPart)).find((one) => kindOf(one) === 'settings')
  if (!settings || !source.has(settings.target)) return
  const document = await parseXml(await source.text(settings.target), settings.target)
  const root = document.documentElement!
  if (childNamed(root, 'updateFields')) return
  const field = document.createElementNS(WORD, 'w:updateFields')
  field.setAttributeNS(WORD, 'w:val', 'true')
  // The schema has a long list of settings before and after it.
  const after = childElements(root).find(({ localName }) => AFTER_UPDATE_FIELDS.has(localName))
  root.insertBefore(field, after ?? null)
  draft.set(settings.target, await serializeXml(document))
}
const AFTER_UPDATE_FIELDS: ReadonlySet<Name> = new Set(
  (
    'hdrShapeDefaults footnotePr endnotePr compat docVars rsids mathPr attachedSchema themeFontLang clrSchemeMapping ' +
    'doNotIncludeSubdocsInStats doNotAutoCompressPictures forceUpgrade captions readModeInkLockDown smartTagType ' +
    'schemaLibrary shapeDefaults doNotEmbedSmartTags decimalSymbol listSeparator docId chartTrackingRefBased ' +
    'conflictMode discardImageEditingData defaultImageDpi'
  ).split(' '),
)

const commentText = (node: Node): string => (node.nodeType === node.COMMENT_NODE ? (node.nodeValue ?? '') : '')

/** The places of all paragraphs: `document, paragraph 3`, `document, table 2, row 3, cell 1`, `footnote 1, paragraph 1`. */
function placesOf(document: Document, place: string): Places {
  const places: Places = new Map()

  function walk(container: Node, prefix: string, cell: boolean): void {
    const counted = { paragraph: 0, table: 0, box: 0 }
    const visit = (parent: Node): void => {
      for (const element of childNodes(parent)) {
        const untagged = countsOf(commentText(element))
        counted.paragraph += untagged?.p ?? 0
        counted.table += untagged?.tbl ?? 0
        if (!isElement(element)) continue
        if (element.localName === 'p') {
          places.set(element, cell ? prefix : `${prefix}, paragraph ${++counted.paragraph}`)
          for (const box of outermostBoxes(element)) walk(box, `${prefix}, text box ${++counted.box}`, false)
        } else if (element.localName === 'tbl') {
          walkTable(element, `${prefix}, table ${++counted.table}`)
        } else visit(element)
      }
    }
    visit(container)
  }
  function walkTable(table: Element, prefix: string): void {
    const isNested = ({ localName }: Element) => localName === 'tbl'
    const within = (node: Node, name: string) => descendants(node, isNested).filter((one) => one.localName === name)
    let row = 0
    for (const node of childNodes(table)) {
      row += countsOf(commentText(node))?.tr ?? 0
      if (!isElement(node)) continue
      for (const element of node.localName === 'tr' ? [node] : within(node, 'tr')) {
        row++
        for (const [column, cell] of within(element, 'tc').entries()) {
          walk(cell, `${prefix}, row ${row}, cell ${column + 1}`, true)
        }
      }
    }
  }

  const root = document.documentElement!
  if (place !== 'footnotes' && place !== 'endnotes') walk(root, place, false)
  else {
    const notes = childElements(root).filter((note) => Number(note.getAttributeNS(WORD, 'id')) > 0)
    for (const [index, note] of notes.entries()) walk(note, `${place.slice(0, -1)} ${index + 1}`, false)
  }
  return places
}

function* outermostBoxes(paragraph: Element): Generator<Element> {
  for (const element of childElements(paragraph)) {
    if (isBox(element)) yield element
    else yield* outermostBoxes(element)
  }
}
