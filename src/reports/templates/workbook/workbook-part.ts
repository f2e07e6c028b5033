/** The part that lists the sheets and names of a workbook, and says when its formulas are computed. */
import type { Document, Element } from '@xmldom/xmldom'
import { freeRelationshipId, kindOf, type Relationship } from '../parts.ts'
import type { Book, BookSheet } from './book.ts'
import { child, elements } from './dom.ts'
import type { Moves, SheetPlace } from './moves.ts'

interface Output {
  readonly sheet: BookSheet
  readonly place: SheetPlace
  readonly path: string
}

/** Changes the document of the book. Returns the relationships of the part. */
export function fillWorkbookPart(book: Book, outputs: readonly Output[], moves: Moves): Relationship[] {
  const relationships = book.relationships.filter((relationship) => kindOf(relationship) !== 'calcChain')
  moveNames(book, outputs, moves)
  moveViews(book, outputs)
  const kept = listSheets(book, outputs, relationships)
  computeOnLoad(book.document)
  return kept
}

function listSheets(
  { sheets, document }: Book,
  outputs: readonly Output[],
  relationships: readonly Relationship[],
): Relationship[] {
  const listed = [...relationships]
  const ids = elements(document, 'sheet').map((element) => Number(element.getAttribute('sheetId')))
  const kept = new Set<string>()
  const lastCopies = new Map<BookSheet, Element>()
  for (const { sheet, place, path } of outputs) {
    const { element } = sheet
    if (place.index === 0) {
      element.setAttribute('name', place.name)
      kept.add(sheet.path)
      continue
    }
    const copy = element.cloneNode(true) as Element
    const id = freeRelationshipId(listed)
    const type = listed.find(({ target }) => target === sheet.path)?.type ?? ''
    listed.push({ id, type, target: path, external: false, fragment: '' })
    ids.push(Math.max(...ids) + 1)
    copy.setAttribute('name', place.name)
    copy.setAttribute('sheetId', String(ids.at(-1)))
    const attribute = Array.from(copy.attributes).find(({ localName, prefix }) => localName === 'id' && prefix)
    if (attribute) attribute.value = id
    const last = lastCopies.get(sheet) ?? element
    last.parentNode?.insertBefore(copy, last.nextSibling)
    lastCopies.set(sheet, copy)
  }
  const left = sheets.filter(({ path }) => !kept.has(path))
  for (const { element } of left) element.parentNode?.removeChild(element)
  return listed.filter(({ target }) => !left.some(({ path }) => path === target))
}

/** Names of a sheet come along with each copy; ranges over loops grow. */
function moveNames({ sheets, document }: Book, outputs: readonly Output[], moves: Moves): void {
  for (const name of elements(document, 'definedName')) {
    const formula = name.textContent ?? ''
    const at = `name "${name.getAttribute('name') ?? ''}"`
    const local = name.getAttribute('localSheetId')
    // Names of Excel itself, such as the print area, are areas: a list would become several pages.
    const as = name.getAttribute('name')?.startsWith('_xlnm.') ? 'area' : 'list'
    if (local === null) {
      name.textContent = moves.formula(formula, null, { as, at })
      continue
    }
    const sheet = sheets[Number(local)]
    for (const [index, output] of outputs.entries()) {
      if (output.sheet !== sheet) continue
      const copy = name.cloneNode(true) as Element
      copy.setAttribute('localSheetId', String(index))
      copy.textContent = moves.formula(formula, output.place, { as, at })
      name.parentNode?.insertBefore(copy, name)
    }
    name.parentNode?.removeChild(name)
  }
  for (const list of elements(document, 'definedNames')) {
    if (elements(list, 'definedName').length === 0) list.parentNode?.removeChild(list)
  }
}

/** The numbers of the open sheet and of the first tab. */
function moveViews({ sheets, document }: Book, outputs: readonly Output[]): void {
  for (const view of elements(document, 'workbookView')) {
    for (const name of ['activeTab', 'firstSheet']) {
      const number = view.getAttribute(name)
      if (number === null) continue
      const index = outputs.findIndex(({ sheet }) => sheet === sheets[Number(number)])
      view.setAttribute(name, String(Math.max(0, index)))
    }
  }
}

/** Results of formulas are not in the file: Office and LibreOffice compute them when it is opened. */
function computeOnLoad(document: Document): void {
  const root = document.documentElement
  if (!root) return
  const existing = child(root, 'calcPr')
  const properties =
    existing ?? document.createElementNS(root.namespaceURI ?? '', root.prefix ? `${root.prefix}:calcPr` : 'calcPr')
  properties.setAttribute('fullCalcOnLoad', '1')
  if (existing) return
  const before = ['definedNames', 'externalReferences', 'functionGroups', 'sheets']
    .map((name) => child(root, name))
    .find(Boolean)
  root.insertBefore(properties, before?.nextSibling ?? null)
}
