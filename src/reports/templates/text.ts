/** Tags in the text of documents and slides: joined from their runs, replaced, and repeated with the content of loops. */

import type { DocumentFragment, Element, Node } from '@xmldom/xmldom'
import { allowedText } from '../documents/markup.ts'
import type { TemplateProblem } from './contract.ts'
import {
  childElements,
  childNodes,
  closest,
  contains,
  copyOf,
  descendants,
  emptyCopy,
  isElement,
  remove,
} from './dom.ts'
import { hasTags, type Pair, pairTags, parseTags, type Tag, type TagOf, type TextTag } from './tags.ts'

/** The differences between WordprocessingML (docx) and DrawingML (pptx); both name paragraphs p, runs r, texts t, tables tbl, tr, tc. */
export interface Dialect {
  /** The namespace of paragraphs, runs and texts. */
  readonly namespace: string
  /** Whether `{{@level}} ... {{/@level}}` repeats what is between. */
  readonly pairLevels: boolean
  /** Writes lines into the text of a run that holds nothing else. */
  writeLines(text: Element, lines: readonly string[]): void
  /** Whether a paragraph without text has to stay: it holds a picture or the settings of a section. */
  isNeeded(paragraph: Element): boolean
  /** Removes from the second and further copies of a content what may be there only once. */
  cleanCopy(content: Node): void
  /** How to switch off that a row is the header of its table, in words of the Office program; null for other rows. */
  headerOff(row: Element): string | null
  /** Whether merged cells reach out of these rows, which the program could not show any more. */
  tearsCells(first: Element, last: Element): boolean
  /** Repairs an element from which a repeated content was removed: cells need a paragraph. */
  complete(container: Element, removed: Node): void
}

/** Does the work at the tags: checks them, or fills them in. */
export interface Visitor {
  /** The content of loops is visited once and stays as it is. */
  readonly isCheck: boolean
  problem(problem: TemplateProblem): void
  /** The text for a tag; null leaves it. */
  text(tag: TextTag | TagOf<'literal' | 'invalid'>, place: string): Promise<string | null>
  /** A visitor that knows the names inside of a loop too; after a problem of loops, so that only this one is reported. */
  assuming(tag: TagOf<'open' | 'level'>): Visitor
  /** Whether the tag repeats rows of a table, as far as the visitor checks that. */
  isLoop(tag: TagOf<'open' | 'level'>): boolean
  /** Calls `content` for each repetition. */
  repeat(tag: TagOf<'open' | 'level'>, place: string, content: (visitor: Visitor) => Promise<void>): Promise<void>
  /** Writes rows of a table as text, to save memory; returns the node that stands for them, null when they have to stay. */
  pack?(rows: DocumentFragment): Node | null
  /** The pictures below `root` that are not part of text boxes; called once they hold no loops. */
  pictures(root: Node): Promise<void>
}

/** Places of the paragraphs of a part, for problems; copies have none. */
export type Places = Map<Node, string>

interface Item {
  readonly tag: Tag
  readonly place: string
  readonly paragraph: Element
  /** Holds the tag and nothing else. */
  readonly run: Element
  readonly text: Element
}

/** Text boxes: paragraphs inside of a paragraph. Tags of theirs are paired by themselves. */
const isBox = ({ localName }: Element) => localName === 'txbxContent'

/** Visits all tags below `root`: a body, a text box, the shapes of a slide, or a copy of repeated content. */
export async function visitText(root: Node, given: Visitor, dialect: Dialect, places: Places): Promise<void> {
  const items = itemsOf(root, dialect, places)
  const boxes = descendants(root)
    .filter(isBox)
    .filter((box) => closest(box, 'txbxContent', root) === null)
  const { pairs, problems: unpaired } = pairTags(items, dialect)
  const problems = [...unpaired]
  const regions: Region[] = []
  for (const pair of pairs) {
    // A tag in a row or paragraph that was taken already belongs to the content that is repeated with it.
    if (!contains(root, pair.open.run) || !contains(root, pair.close.run)) continue
    const region = takeRegion(pair, root, dialect)
    if (typeof region !== 'string') regions.push(region)
    else problems.push(loopProblem(pair.open, region))
  }
  for (const problem of problems) given.problem(problem)
  const loose = problems.length === 0 ? [] : items.filter(({ run }) => contains(root, run))
  const visitor = loose.reduce((outer, { tag }) => (isOpening(tag) ? outer.assuming(tag) : outer), given)

  for (const { tag, place, text } of items) {
    if (!contains(root, text) || !isText(tag)) continue
    const written = await visitor.text(tag, place)
    if (written !== null) dialect.writeLines(text, written.split(/\r\n|[\r\n\v\u2028\u2029]/).map(allowedText))
  }
  for (const box of boxes) if (contains(root, box)) await visitText(box, visitor, dialect, places)
  await visitor.pictures(root)
  for (const region of regions) await repeatRegion(region, visitor, dialect, places)
}

const loopProblem = ({ tag, place }: Item, details: string): TemplateProblem => ({
  code: 'TEMPLATE_LOOP',
  place,
  details: `${tag.source}: ${details}`,
})

const isOpening = (tag: Tag): tag is TagOf<'open' | 'level'> => tag.kind === 'open' || tag.kind === 'level'
const isText = (tag: Tag): tag is TextTag | TagOf<'literal' | 'invalid'> =>
  tag.kind === 'value' || tag.kind === 'expression' || tag.kind === 'literal' || tag.kind === 'invalid'

function itemsOf(root: Node, dialect: Dialect, places: Places): Item[] {
  const paragraphs = descendants(root, isBox).filter((element) => isParagraph(element, dialect))
  // The content of a loop within a paragraph has no paragraph of its own.
  const all = isElement(root) || paragraphs.length > 0 || !root.firstChild ? paragraphs : [root]
  return all.flatMap((paragraph) =>
    isolateTags(paragraph, dialect).map((found) => ({
      ...found,
      paragraph: paragraph as Element,
      place: places.get(paragraph) ?? '',
    })),
  )
}

const isParagraph = ({ localName, namespaceURI }: Element, { namespace }: Dialect) =>
  localName === 'p' && namespaceURI === namespace

/** Removes the older form of text boxes and groups with tags; programs from 2010 on read the newer one beside it. */
export function dropOlderForms(document: Node): void {
  const holdsTags = (node: Node) =>
    hasTags(node.textContent ?? '') || descendants(node).some((element) => hasTags(element.getAttribute('descr') ?? ''))
  for (const element of descendants(document)) {
    if (element.localName === 'Fallback' && element.parentNode && holdsTags(element.parentNode)) remove(element)
  }
}

/** Removes the tags of levels below `root` and returns them. */
export function takeLevelTags(
  root: Node,
  dialect: Dialect,
  places: Places,
): { readonly tag: TagOf<'level'>; readonly place: string }[] {
  return itemsOf(root, dialect, places).flatMap((item) => {
    if (item.tag.kind !== 'level') return []
    removeTag(item, dialect)
    return [{ tag: item.tag, place: item.place }]
  })
}

/** Properties, and paragraphs that lie in text boxes. */
const NO_TEXT: ReadonlySet<string | null> = new Set(['pPr', 'rPr', 'endParaRPr', 'txbxContent'])
/** Stand between two texts, so no tag of one line goes across them. */
const SEPARATORS: ReadonlySet<string | null> = new Set(['br', 'cr', 'tab', 'drawing', 'pict', 'object'])

type Found = Pick<Item, 'tag' | 'run' | 'text'>

/**
 * Gives each tag of a paragraph a run of its own. Office programs split a tag over several runs while one types; it gets
 * the format of its first character.
 */
function isolateTags(paragraph: Node, { namespace }: Dialect): Found[] {
  const texts: { readonly element: Element; readonly start: number; text: string }[] = []
  let whole = ''
  for (const element of descendants(paragraph, ({ localName }) => NO_TEXT.has(localName))) {
    if (SEPARATORS.has(element.localName)) whole += '\n'
    if (element.localName !== 't' || element.namespaceURI !== namespace) continue
    const text = element.textContent ?? ''
    texts.push({ element, start: whole.length, text })
    whole += text
  }
  if (!hasTags(whole)) return []
  // From the last to the first, so that the offsets of the ones before stay right.
  for (const { start, end, source } of parseTags(whole).reverse()) {
    const parts = texts.filter((part) => part.start < end && part.start + part.text.length > start)
    const [first, ...others] = parts
    if (!first || others.length === 0) continue
    const last = others.at(-1)!
    first.text = first.text.slice(0, start - first.start) + source
    for (const part of others) part.text = part === last ? part.text.slice(end - part.start) : ''
    for (const part of parts) {
      part.element.textContent = part.text
      preserveSpace(part.element)
    }
  }
  return texts.flatMap(({ element }) => splitRun(element))
}

/** Splits the run of a text so that each of its tags has a run of its own, and returns these. */
function splitRun(text: Element): Found[] {
  const content = text.textContent ?? ''
  const tags = parseTags(content)
  const run = text.parentNode
  if (tags.length === 0 || !isElement(run) || !run.parentNode) return []
  const others = childElements(run).filter((child) => child !== text && child.localName !== 'rPr')
  const [only] = tags
  if (only && only.source === content && others.length === 0) return [{ tag: only, run, text }]

  const found: Found[] = []
  const parent = run.parentNode
  function add(children: readonly Node[]): Element {
    const piece = emptyCopy(run as Element)
    const format = childElements(run!).find(({ localName }) => localName === 'rPr')
    if (format) piece.appendChild(copyOf(format))
    for (const child of children) piece.appendChild(child)
    parent.insertBefore(piece, run)
    return piece
  }
  function addText(from: number, to: number, tag?: Tag): void {
    if (from === to) return
    const piece = emptyCopy(text)
    preserveSpace(piece)
    piece.textContent = content.slice(from, to)
    const added = add([piece])
    if (tag) found.push({ tag, run: added, text: piece })
  }
  const siblings = childNodes(run).filter((child) => !isElement(child) || child.localName !== 'rPr')
  const at = siblings.indexOf(text)
  if (at > 0) add(siblings.slice(0, at))
  let end = 0
  for (const tag of tags) {
    addText(end, tag.start)
    addText(tag.start, tag.end, tag)
    end = tag.end
  }
  addText(end, content.length)
  if (at < siblings.length - 1) add(siblings.slice(at + 1))
  remove(run)
  return found
}

/** Word drops spaces at the ends of a text without this; elsewhere they stay anyway. */
export function preserveSpace(text: Element): void {
  if (text.prefix === 'w') text.setAttributeNS('http://www.w3.org/XML/1998/namespace', 'xml:space', 'preserve')
}

/** The nodes between an opening and a closing tag, taken out of the tree; `marker` stands in their place. */
interface Region {
  readonly item: Item & { readonly tag: TagOf<'open' | 'level'> }
  readonly content: DocumentFragment
  readonly marker: Node
  /** Rows that begin with the header of their table: how to switch that off. */
  readonly headerOff: string | null
  /** The cells from the opening to the closing tag, from 0, of a row that has content beside them; else null. */
  readonly cells: readonly [first: number, last: number] | null
}

/** Takes the content of a loop: text of a paragraph, rows of a table, or paragraphs and tables. Returns a problem as text. */
function takeRegion({ open, close }: Pair<Item>, root: Node, dialect: Dialect): Region | string {
  const { tag } = open
  if (!isOpening(tag)) return 'is no opening tag'
  const item = { ...open, tag }
  const isLevel = tag.kind === 'level'
  if (isLevel && !(isAlone(open, dialect) && isAlone(close, dialect))) {
    return 'the tags of a level have to stand alone, each in a paragraph of its own'
  }
  if (open.paragraph === close.paragraph) {
    if (open.run.parentNode !== close.run.parentNode) return 'the loop crosses a hyperlink, field or content control'
    return takeNodes(item, open.run, close.run, [open.run, close.run])
  }
  if (closest(open.paragraph, 'tc', root) !== closest(close.paragraph, 'tc', root)) {
    const [first, last] = [closest(open.paragraph, 'tr', root), closest(close.paragraph, 'tr', root)]
    if (!first || !last || first.parentNode !== last.parentNode) return 'the loop crosses a table or a cell'
    if (isLevel) return 'a level repeats paragraphs and tables, not rows'
    if (dialect.tearsCells(first, last)) return 'cells are merged over its rows and others; keep them to one of the two'
    const headerOff = dialect.headerOff(first)
    const cells = first === last ? cellsOfRow(first, open.paragraph, close.paragraph, root) : null
    removeTag(open, dialect)
    removeTag(close, dialect)
    return { ...takeNodes(item, first, last, []), headerOff, cells }
  }
  if (open.paragraph.parentNode !== close.paragraph.parentNode) return 'the loop crosses a table or a content control'
  const lone = [open, close].filter((one) => isAlone(one, dialect)).map(({ paragraph }) => paragraph)
  const region = takeNodes(item, open.paragraph, close.paragraph, lone)
  for (const { run } of [open, close]) remove(run)
  return region
}

/** From `first` to `last`; the nodes of `dropped` are left out. */
function takeNodes(item: Region['item'], first: Node, last: Node, dropped: readonly Node[]): Region {
  const document = first.ownerDocument!
  const marker = document.createComment('')
  first.parentNode!.insertBefore(marker, first)
  const content = document.createDocumentFragment()
  for (let node: Node | null = first; node; ) {
    const next: Node | null = node === last ? null : node.nextSibling
    remove(node)
    if (!dropped.includes(node)) content.appendChild(node)
    node = next
  }
  return { item, content, marker, headerOff: null, cells: null }
}

const cellsIn = (row: Node): Element[] => childElements(row).filter(({ localName }) => localName === 'tc')

function cellsOfRow(row: Node, from: Node, to: Node, root: Node): Region['cells'] {
  const cells = cellsIn(row)
  const indexOf = (paragraph: Node) => cells.indexOf(closest(paragraph, 'tc', root) as Element)
  const [first, last] = [indexOf(from), indexOf(to)]
  const isBeside = (index: number) => index < first || index > last
  const hasOthers = cells.some((cell, index) => isBeside(index) && (cell.textContent ?? '').trim() !== '')
  return first >= 0 && last >= 0 && hasOthers ? [first, last] : null
}

/** Empties cells of a row; the format of their paragraphs stays. */
function emptyCells(row: Node, [first, last]: readonly [number, number]): void {
  for (const cell of cellsIn(row).slice(first, last + 1)) {
    for (const paragraph of descendants(cell).filter(({ localName }) => localName === 'p')) {
      for (const element of childElements(paragraph))
        if (element.localName !== 'pPr' && element.localName !== 'endParaRPr') remove(element)
    }
  }
}

async function repeatRegion(region: Region, visitor: Visitor, dialect: Dialect, places: Places): Promise<void> {
  const { item, content, marker, headerOff, cells } = region
  if (headerOff !== null && visitor.isLoop(item.tag)) {
    const details = `the loop repeats the header row of the table; begin it in the row below, or ${headerOff}`
    visitor.problem(loopProblem(item, details))
  }
  const parent = marker.parentNode!
  // Inserted in one step: the library numbers all children anew at each insertion in between.
  const written = marker.ownerDocument!.createDocumentFragment()
  let copies = 0
  await visitor.repeat(item.tag, item.place, async (inner) => {
    const copy = visitor.isCheck ? content : copyOf(content)
    if (copies++ > 0) {
      dialect.cleanCopy(copy)
      if (item.tag.kind === 'level' && item.tag.pageBreak) startPage(copy, dialect)
    }
    if (visitor.isCheck) places.set(copy, item.place)
    await visitText(copy, inner, dialect, places)
    const isRows = childElements(copy)[0]?.localName === 'tr'
    written.appendChild((isRows && visitor.pack?.(copy)) || copy)
  })
  // The other cells of the row are no part of the condition, or of the list within a row of another one.
  if (copies === 0 && cells && (!visitor.isLoop(item.tag) || !isElement(parent))) {
    const copy = copyOf(content)
    emptyCells(copy.firstChild!, cells)
    await visitText(copy, visitor, dialect, places)
    written.appendChild(copy)
  }
  const isPacked = written.firstChild !== null && !isElement(written.firstChild)
  if (written.firstChild) parent.insertBefore(written, marker)
  remove(marker)
  if (isElement(parent) && !visitor.isCheck && !isPacked) dialect.complete(parent, content)
}

/** Begins a copy on a new page: by a property of its first paragraph, or by a paragraph before its first table. */
function startPage(copy: DocumentFragment, { namespace }: Dialect): void {
  const document = copy.ownerDocument!
  const create = (name: string, ...children: Node[]) => {
    const element = document.createElementNS(namespace, `w:${name}`)
    for (const child of children) element.appendChild(child)
    return element
  }
  const first = childElements(copy)[0]
  if (first?.localName !== 'p') {
    copy.insertBefore(create('p', create('pPr', create('pageBreakBefore'))), copy.firstChild)
    return
  }
  const properties = childElements(first).find(({ localName }) => localName === 'pPr') ?? create('pPr')
  if (properties.parentNode !== first) first.insertBefore(properties, first.firstChild)
  const known = childElements(properties).find(({ localName }) => localName === 'pageBreakBefore')
  if (known) remove(known)
  // The schema wants these three before it.
  const after = childElements(properties).find(
    ({ localName }) => !['pStyle', 'keepNext', 'keepLines'].includes(localName!),
  )
  properties.insertBefore(create('pageBreakBefore'), after ?? null)
}

/** Removes the run of a tag; the paragraph too when it held nothing else and is not the only one. */
function removeTag(item: Item, dialect: Dialect): void {
  const { paragraph, run } = item
  const siblings = paragraph.parentNode ? childElements(paragraph.parentNode) : []
  const hasOthers = siblings.filter((element) => isParagraph(element, dialect)).length > 1
  if (hasOthers && isAlone(item, dialect)) remove(paragraph)
  else remove(run)
}

/** Whether the paragraph of a tag holds nothing else. */
function isAlone({ paragraph, text }: Item, dialect: Dialect): boolean {
  const texts = descendants(paragraph).filter(({ localName }) => localName === 't')
  return texts.every((one) => one === text || (one.textContent ?? '').trim() === '') && !dialect.isNeeded(paragraph)
}
