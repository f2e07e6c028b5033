/** A workbook template as it is opened: its sheets with their tags, and where else tags may stand. */
import type { Document, Element } from '@xmldom/xmldom'
import type { Findings, Names } from '../names.ts'
import type { OfficePackage } from '../package.ts'
import { kindOf, type Relationship } from '../parts.ts'
import { parseTags, type TagOf } from '../tags.ts'
import { parseXml } from '../xml.ts'
import type { SheetTable } from './columns.ts'
import { elements } from './dom.ts'
import { checkDrawing, checkText } from './drawing.ts'
import { hasTagText, tokenize } from './formula.ts'
import { headerTexts } from './frame.ts'
import type { Area } from './layout.ts'
import { readArea } from './moves.ts'
import { withoutRowNames } from './names.ts'
import { withNeighbours } from './neighbours.ts'
import { blockAt, piecesOf, planSheet, type SheetPlan, type TextPiece } from './plan.ts'
import { checkRepeats } from './repeats.ts'
import { readSharedStrings, readSheet, type StringItem } from './sheet.ts'
import { checkSplits } from './splits.ts'

export interface BookSheet {
  /** In the template, tags included. */
  readonly name: string
  readonly nameTags: readonly TextPiece[]
  readonly path: string
  readonly element: Element
  readonly relationships: readonly Relationship[]
  /** Null for sheets without cells: a chart sheet. */
  readonly plan: SheetPlan | null
  /** `{{@region}}` in the name: one sheet for each value. */
  readonly level: TagOf<'level'> | null
}

export interface Book {
  readonly path: string
  readonly document: Document
  readonly relationships: readonly Relationship[]
  readonly sheets: readonly BookSheet[]
  /** Path of the shared strings that hold tags; null when none does. */
  readonly taggedStrings: string | null
}

/** Reads a workbook and checks all its tags; problems go to the findings. */
export async function readBook(source: OfficePackage, names: Names, findings: Findings): Promise<Book> {
  const path = source.mainPart
  const document = await parseXml(await source.text(path), path)
  const relationships = await source.relationships(path)
  const stringsPath = relationships.find((relationship) => kindOf(relationship) === 'sharedStrings')?.target ?? null
  const strings = stringsPath && source.has(stringsPath) ? readSharedStrings(await source.text(stringsPath)) : []
  const read: BookSheet[] = []
  for (const [index, element] of elements(document, 'sheet').entries()) {
    const id = element.getAttribute('r:id') ?? element.getAttributeNS(OFFICE_NAMESPACE, 'id')
    const relationship = relationships.find((candidate) => candidate.id === id)
    if (!relationship || !source.has(relationship.target)) {
      const details = 'the sheet has no part of its own'
      findings.add({ code: 'TEMPLATE_INVALID', place: element.getAttribute('name') ?? '', details })
      continue
    }
    read.push(await readBookSheet(source, element, relationship, index, strings, names, findings))
  }
  for (const name of elements(document, 'definedName')) {
    if (!hasTagText(tokenize(name.textContent ?? ''))) continue
    const place = `name "${name.getAttribute('name') ?? ''}"`
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place, details: 'tags in defined names are not filled' })
  }
  const stylesPath = relationships.find((one) => kindOf(one) === 'styles')?.target
  if (stylesPath && source.has(stylesPath) && FORMAT_WITH_TAG.test(await source.text(stylesPath)))
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place: 'styles', details: 'tags in number formats are not filled' })
  const tagged = strings.some(({ text }) => text.includes('{{'))
  const sheets = withoutRowNames(document, read, findings)
  const book = { path, document, relationships, sheets, taggedStrings: tagged ? stringsPath : null }
  await checkSplits(source, book, findings)
  await checkRepeats(source, book, findings)
  return book
}

const FORMAT_WITH_TAG = /formatCode=(?:"[^"]*|'[^']*)\{\{/
const OFFICE_NAMESPACE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'

async function readBookSheet(
  source: OfficePackage,
  element: Element,
  relationship: Relationship,
  index: number,
  strings: readonly StringItem[],
  bookNames: Names,
  findings: Findings,
): Promise<BookSheet> {
  const name = element.getAttribute('name') ?? ''
  const path = relationship.target
  const { level, names, nameTags } = checkName(name, index, bookNames, findings)
  const relationships = await source.relationships(path)
  const base = { name, nameTags, path, element, relationships, level }
  for (const related of relationships) await checkRelated(source, related, { name, names, findings, level })
  if (kindOf(relationship) !== 'worksheet') return { ...base, plan: null }
  const sheet = readSheet(await source.text(path))
  const pivots = await pivotAreas(source, relationships)
  const tables = await tablesOf(source, relationships)
  const planned = planSheet(sheet, { name, strings, pivots, tables, names, findings })
  const plan = withNeighbours(planned, name, findings)
  await checkFrame(plan, { name, names, findings })
  return { ...base, plan }
}

interface NameCheck {
  readonly level: TagOf<'level'> | null
  readonly names: Names
  readonly nameTags: readonly TextPiece[]
}

function checkName(name: string, index: number, names: Names, findings: Findings): NameCheck {
  const tags = parseTags(name)
  const [level, second] = tags.filter((tag) => tag.kind === 'level')
  const place = `sheet name ${index + 1}`
  if (second) findings.add({ code: 'TEMPLATE_UNSUPPORTED', place, details: 'a sheet is repeated for one level' })
  let inner = names
  if (level) {
    const frame = findings.check(level, isLevel(level, names) ? `sheet "${name}"` : place, names)
    if (frame) inner = names.inside(frame)
  }
  for (const tag of tags) {
    if (tag.kind === 'level') continue
    if (tag.kind === 'open' || tag.kind === 'close') {
      findings.add({ code: 'TEMPLATE_LOOP', place, details: `${tag.source}: a loop in the name of a sheet` })
    } else findings.check(tag, place, inner)
  }
  return { level: level ?? null, names: inner, nameTags: piecesOf(name, tags) }
}

function isLevel(tag: TagOf<'level'>, names: Names): boolean {
  try {
    return Boolean(names.level(tag.path))
  } catch {
    return false
  }
}

async function tablesOf(source: OfficePackage, relationships: readonly Relationship[]): Promise<SheetTable[]> {
  const tables: SheetTable[] = []
  for (const relationship of relationships) {
    if (kindOf(relationship) !== 'table') continue
    const root = (await parseXml(await source.text(relationship.target), relationship.target)).documentElement
    const area = readArea(root?.getAttribute('ref') ?? '')
    const name = root?.getAttribute('displayName') ?? root?.getAttribute('name') ?? ''
    if (area) tables.push({ ...area, name, hasHeader: root?.getAttribute('headerRowCount') !== '0' })
  }
  return tables
}

async function pivotAreas(source: OfficePackage, relationships: readonly Relationship[]): Promise<Area[]> {
  const areas: Area[] = []
  for (const relationship of relationships) {
    if (kindOf(relationship) !== 'pivotTable') continue
    const document = await parseXml(await source.text(relationship.target), relationship.target)
    const area = readArea(elements(document, 'location')[0]?.getAttribute('ref') ?? '')
    const pages = elements(document, 'pageField').length
    // Page fields stand above the table, with an empty row between.
    if (area) areas.push(pages === 0 ? area : { ...area, top: Math.max(1, area.top - pages - 1) })
  }
  return areas
}

interface SheetCheck {
  readonly name: string
  readonly names: Names
  readonly findings: Findings
}

async function checkRelated(
  source: OfficePackage,
  relationship: Relationship,
  { name, names, findings, level }: SheetCheck & { readonly level: TagOf<'level'> | null },
): Promise<void> {
  const kind = kindOf(relationship)
  const unsupported = (details: string) => findings.add({ code: 'TEMPLATE_UNSUPPORTED', place: name, details })
  if (level && /^(pivotTable|slicer|timeline)$/.test(kind)) unsupported(`a ${kind} on a sheet that is repeated`)
  if (level && kind === 'ctrlProp') unsupported('a form control on a sheet that is repeated')
  if (relationship.external || !source.has(relationship.target)) return
  if (kind === 'drawing') await checkDrawing(relationship.target, { name, names, findings }, source)
  if (/^(comments|threadedComment)$/.test(kind) && (await source.text(relationship.target)).includes('{{')) {
    unsupported('tags in comments are not filled')
  }
}

async function checkFrame({ source, blocks }: SheetPlan, { name, names, findings }: SheetCheck): Promise<void> {
  const document = await parseXml(source.frame, name)
  for (const header of headerTexts(document)) {
    const place = `${/Footer$/.test(header.localName ?? '') ? 'footer' : 'header'} of ${name}`
    checkText(header.textContent ?? '', place, names, findings)
    header.textContent = ''
  }
  for (const element of elements(document, '*')) {
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.nodeValue?.includes('{{'))
    // What a link shows is the text of its cell, which LibreOffice writes once more.
    const inAttribute = Array.from(element.attributes).find(
      (one) => one.value.includes('{{') && one.localName !== 'display',
    )
    if (!own && !inAttribute) continue
    const place = element.hasAttribute('ref') ? `${name}!${element.getAttribute('ref')}` : name
    const where = inAttribute ? `<${element.localName} ${inAttribute.localName}>` : `<${element.localName}>`
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place, details: `tags in ${where} are not filled` })
  }
  for (const anchor of elements(document, 'from')) {
    const row = Number(elements(anchor, 'row')[0]?.textContent) + 1
    const column = Number(elements(anchor, 'col')[0]?.textContent ?? 0) + 1
    if (blockAt(blocks, { row, column })) {
      findings.add({ code: 'TEMPLATE_UNSUPPORTED', place: name, details: `a form control in the loop of row ${row}` })
    }
  }
}
