/** Everything of a worksheet beside its cells: merged cells, rules, links, sparklines, page set-up. */
import type { Document, Element } from '@xmldom/xmldom'
import type { Warn } from '../../types.ts'
import type { Scope } from '../scope.ts'
import { parseTags } from '../tags.ts'
import { escapeAttribute, parseXml, serializeXml } from '../xml.ts'
import type { BookNames } from './charts.ts'
import { child, children, Edits, elements } from './dom.ts'
import { ALL_COLUMNS } from './layout.ts'
import {
  cellAt,
  firstIteration,
  formatArea,
  growArea,
  type Moves,
  movedBy,
  readArea,
  repeatArea,
  ruleAreas,
  type SheetPlace,
} from './moves.ts'
import type { RowNames } from './names.ts'
import { createNeighbours } from './neighbours.ts'
import { piecesOf, type SheetPlan } from './plan.ts'
import { renderText } from './rows.ts'
import { type RuleSheet, readRule, tokensOfCopy, tokensOfRule } from './rules.ts'

/** Characters of a header or footer that Excel accepts. */
const MAX_HEADER = 255
/** Page breaks that Excel accepts. */
const MAX_BREAKS = 1026

interface FilledFrame {
  /** A reference, a header or a name in it has changed. */
  readonly changed: boolean
  /** The whole sheet around these rows. */
  write(rows: AsyncIterable<string>): AsyncIterable<string>
}

interface FrameRequest {
  readonly plan: SheetPlan
  readonly place: SheetPlace
  readonly scope: Scope
  readonly moves: Moves
  readonly names: BookNames
  readonly rowNames: RowNames | null
  readonly warn: Warn
}

export async function fillFrame(request: FrameRequest): Promise<FilledFrame> {
  const { frame } = request.plan.source
  const document = await parseXml(frame, request.place.templateName)
  const edits = new Edits()
  const parts = new Repeated(document)
  moveElements(document, request, edits, parts)
  await fillHeaders(document, request.scope, edits)
  if (request.place.index > 0) asFurtherCopy(document, edits)
  const changed = edits.changed || parts.changed
  const text = changed ? await serializeXml(document) : frame
  return {
    changed,
    async *write(rows) {
      const [before = '', after = ''] = text.split(/<sheetData\s*\/>|<sheetData\s*>\s*<\/sheetData>/)
      yield `${before}<sheetData>`
      yield* rows
      yield '</sheetData>'
      yield* parts.write(after)
    },
  }
}

/** Elements that are written once for each row of a loop. They are made while the sheet is written; a comment marks their place. */
class Repeated {
  changed = false
  private readonly lists: (() => Iterable<string>)[] = []

  constructor(private readonly document: Document) {}

  replace(element: Element, texts: () => Iterable<string>): void {
    this.changed = true
    const marker = this.document.createComment(`repeated ${this.lists.length}`)
    this.lists.push(texts)
    element.parentNode?.replaceChild(marker, element)
  }

  *write(text: string): Generator<string> {
    for (const [index, piece] of text.split(/<!--repeated (\d+)-->/).entries()) {
      if (index % 2 === 0) yield piece
      else yield* this.lists[Number(piece)]?.() ?? []
    }
  }
}

function moveElements(document: Document, request: FrameRequest, edits: Edits, parts: Repeated): void {
  const { place, plan, moves, rowNames } = request
  const { layout, templateName } = place
  const on: RuleSheet = {
    name: templateName,
    layout,
    neighbours: createNeighbours(plan, templateName),
    names: rowNames,
    layoutOf: (sheet) => moves.placesOf(sheet)[0]?.layout,
  }
  for (const element of elements(document, '*')) {
    switch (element.localName) {
      case 'mergeCell':
        repeatByRef(element, request, edits, parts)
        break
      case 'hyperlink':
        repeatByRef(element, request, edits, parts)
        break
      case 'sparklineGroup':
        moveDateAxis(element, request, edits)
        break
      case 'sparkline':
        repeatSparkline(element, request, edits, parts)
        break
      case 'conditionalFormatting':
      case 'dataValidation':
        moveRule(element, request, on, edits)
        break
      case 'brk':
        if (element.parentNode?.localName === 'rowBreaks') moveBreak(element, request, parts)
        break
      case 'row':
        // Anchors of controls count rows from 0.
        edits.mapText(element, (row) =>
          String(Number(row) + movedBy(cellAt(Number(row), columnBeside(element)), layout)),
        )
        break
      default:
        moveAttributes(element, request, edits)
    }
  }
  recount(document)
}

/** The column of an anchor, from 0. */
const columnBeside = (row: Element): number =>
  Number((row.parentNode && child(row.parentNode as Element, 'col')?.textContent) ?? 0)

const AREA_LISTS = new Set(['selection', 'protectedRange', 'ignoredError', 'scenarios'])

function moveAttributes(element: Element, { place, moves }: FrameRequest, edits: Edits): void {
  const { layout } = place
  const grow = (source: string) => {
    const area = readArea(source)
    return area ? formatArea(growArea(area, layout)) : source
  }
  const first = (source: string) => {
    const area = readArea(source)
    if (!area) return source
    const row = area.top + movedBy(area, layout)
    return formatArea({ ...area, top: row, bottom: row })
  }
  if (AREA_LISTS.has(element.localName ?? '')) {
    edits.mapAttribute(element, 'sqref', (list) => list.split(/\s+/).map(grow).join(' '))
  }
  for (const name of ['activeCell', 'topLeftCell']) edits.mapAttribute(element, name, first)
  if (/^(dimension|autoFilter|sortState|sortCondition|dataRef)$/.test(element.localName ?? ''))
    edits.mapAttribute(element, 'ref', grow)
  if (/^(cellWatch|inputCells|singleXmlCell)$/.test(element.localName ?? '')) edits.mapAttribute(element, 'r', first)
  if (element.localName === 'controlPr') {
    for (const name of ['linkedCell', 'listFillRange'])
      edits.mapAttribute(element, name, (source) => moves.formula(source, place, { as: 'area' }))
  }
}

const sourceOf = (element: Element): string => withoutInherited(element)(element.toString())

/** Removes declarations of namespaces from the source of an element that the elements around it have made. */
function withoutInherited(element: Element): (source: string) => string {
  const outer = element.parentNode
  return (source) =>
    source.replace(/\sxmlns(?::([\w.-]+))?="([^"]*)"/g, (declaration, prefix: string | undefined, uri: string) =>
      outer?.lookupNamespaceURI(prefix ?? '') === uri ? '' : declaration,
    )
}

/** Merged cells and links, which may lead to a cell of their own copy. */
function repeatByRef(element: Element, { place, moves, names }: FrameRequest, edits: Edits, parts: Repeated): void {
  const area = readArea(element.getAttribute('ref') ?? '')
  if (!area) return
  if (element.getAttribute('display')?.includes('{{')) edits.attribute(element, 'display', null)
  const isMerge = element.localName === 'mergeCell'
  const location = element.getAttribute('location')
  if (place.layout.blocksAt(area.top, area).length === 0) {
    edits.attribute(element, 'ref', formatArea(growArea(area, place.layout)))
    if (location !== null) edits.attribute(element, 'location', moves.formula(location, place, { as: 'area' }))
    return
  }
  const first = growArea(area, place.layout, firstIteration(area, place.layout))
  if (isMerge && first.top === first.bottom && first.left === first.right) {
    // An empty loop has one row; cells merged over several of its rows are one cell then.
    edits.remove(element)
    return
  }
  const text = sourceOf(element)
  // A cell beside the loop stays the one that it is, also the one right below.
  const target =
    location === null
      ? null
      : tokensOfCopy(location, area, place.layout, place.templateName, names).map((token) =>
          token.kind === 'reference' ? { ...token, neighbour: 'total' as const } : token,
        )
  parts.replace(element, function* () {
    for (const { area: moved, within } of repeatArea(area, place.layout)) {
      const copy = text.replace(/\sref="[^"]*"/, ` ref="${formatArea(moved)}"`)
      if (target === null) yield copy
      else {
        const own = escapeAttribute(moves.formula(target, place, { within, as: 'area' }))
        yield copy.replace(/\slocation="[^"]*"/, () => ` location="${own}"`)
      }
    }
  })
}

/** The dates of a group of sparklines. */
function moveDateAxis(group: Element, { place, moves }: FrameRequest, edits: Edits): void {
  const source = child(group, 'f')
  if (source) edits.mapText(source, (formula) => moves.formula(formula, place, { as: 'area' }))
}

function repeatSparkline(element: Element, { place, moves, names }: FrameRequest, edits: Edits, parts: Repeated): void {
  const source = child(element, 'f')
  const cell = child(element, 'sqref')
  const area = readArea(cell?.textContent ?? '')
  if (!cell || !area) return
  if (place.layout.blocksAt(area.top, area).length === 0) {
    edits.text(cell, formatArea(growArea(area, place.layout)))
    if (source) edits.mapText(source, (formula) => moves.formula(formula, place, { as: 'area' }))
    return
  }
  const formula = tokensOfCopy(source?.textContent ?? '', area, place.layout, place.templateName, names)
  const strip = withoutInherited(element)
  parts.replace(element, function* () {
    for (const { area: moved, within } of repeatArea(area, place.layout)) {
      cell.textContent = formatArea(moved)
      if (source) source.textContent = moves.formula(formula, place, { within, as: 'area' })
      yield strip(element.toString())
    }
  })
}

/** Conditional formats that compare their cells with one another. */
const COMPARING = ['colorScale', 'dataBar', 'iconSet']
const isComparing = (rule: Element): boolean =>
  /^(top10|aboveAverage|duplicateValues|uniqueValues)$/.test(rule.getAttribute('type') ?? '')

/** Conditional formats and validations. */
function moveRule(element: Element, { place, moves, warn }: FrameRequest, on: RuleSheet, edits: Edits): void {
  const { layout } = place
  const rule = readRule(element)
  const [base] = rule.areas
  const list = child(element, 'sqref')
  const compares =
    COMPARING.some((name) => elements(element, name).length > 0) || elements(element, 'cfRule').some(isComparing)
  const { sqref, coversOthers } = ruleAreas(rule.sqref, layout, compares)
  if (coversOthers) {
    const details = compares ? 'Excel compares no more than 253 areas' : 'there are too many of them'
    warn(
      'TEMPLATE_REFERENCE',
      `${place.templateName}!${rule.sqref}: the rule covers the other rows of the loop between its cells, too, as ${details}; put what it is about into one row`,
    )
  }
  if (list) edits.text(list, sqref)
  else edits.attribute(element, 'sqref', sqref)
  const from = base ? { within: firstIteration(base, layout), cell: { row: base.top, column: base.left } } : {}
  for (const formula of rule.formulas) {
    const moved = moves.formula(tokensOfRule(rule, formula, on).tokens, place, from)
    if (moved !== formula.source) edits.change(() => formula.write(moved))
  }
}

/** Breaks below a row of a loop come back after each iteration; where columns move apart, they stand below the longest. */
function moveBreak(element: Element, { place }: FrameRequest, parts: Repeated): void {
  const row = Number(element.getAttribute('id'))
  const text = sourceOf(element)
  const { layout } = place
  if (!(row > 0) || layout.rowOf(row, ALL_COLUMNS, 'last') === row) return
  parts.replace(element, function* () {
    let count = 0
    for (const { area } of repeatArea({ top: row, bottom: row, ...ALL_COLUMNS }, layout)) {
      if (count++ >= MAX_BREAKS) return
      yield text.replace(/\sid="[^"]*"/, ` id="${area.bottom}"`)
    }
  })
}

/** Counts of lists are optional, and wrong after rows were repeated. */
function recount(document: Document): void {
  for (const name of ['mergeCells', 'rowBreaks', 'dataValidations']) {
    for (const list of elements(document, name)) {
      list.removeAttribute('count')
      list.removeAttribute('manualBreakCount')
      // A list must not be empty: an element of a loop counts, as a loop has at least one row.
      if (list.childNodes.length === 0) list.parentNode?.removeChild(list)
    }
  }
}

/** Texts of headers and footers with tags. */
export const headerTexts = (document: Document): readonly Element[] =>
  elements(document, 'headerFooter')
    .flatMap((list) => children(list))
    .filter((element) => element.textContent?.includes('{{'))

async function fillHeaders(document: Document, scope: Scope, edits: Edits): Promise<void> {
  for (const element of headerTexts(document)) {
    // A number behind the font size `&12` would be read as part of it.
    const template = (element.textContent ?? '').replace(/(&\d+)\{\{/g, '$1 {{')
    const text = await renderText(piecesOf(template, parseTags(template)), scope, (value) =>
      value.replaceAll('&', '&&'),
    )
    edits.text(element, text.slice(0, MAX_HEADER).replace(/(^|[^&])((?:&&)*)&$/, '$1$2'))
  }
}

function asFurtherCopy(document: Document, edits: Edits): void {
  for (const view of elements(document, 'sheetView')) edits.attribute(view, 'tabSelected', null)
  for (const properties of elements(document, 'sheetPr')) edits.attribute(properties, 'codeName', null)
}
