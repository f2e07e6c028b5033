/** Drawings of a sheet: anchors that move with their rows, text boxes, pictures that charts and images replace, native charts. */
import type { Document, Node } from '@xmldom/xmldom'
import type { Names } from '../names.ts'
import type { OfficePackage } from '../package.ts'
import { kindOf, type Relationship } from '../parts.ts'
import { checkPictures, fillPictures } from '../pictures.ts'
import { DRAWING_DIALECT } from '../presentation.ts'
import { hasTags, type Occurrence, pairTags, parseTags } from '../tags.ts'
import { type Places, visitText } from '../text.ts'
import { checkVisitor, fillVisitor } from '../visitors.ts'
import { parseXml, serializeXml } from '../xml.ts'
import { type ChartRequest, fillChart, moveLinks } from './charts.ts'
import { child, Edits, elements } from './dom.ts'
import { cellAt, movedBy, type SheetPlace } from './moves.ts'
import type { SheetContext } from './plan.ts'

/** Fills a drawing part; a copy gets charts of its own. Returns the path of the part in the filled file. */
export async function fillDrawing(path: string, copy: boolean, request: ChartRequest): Promise<string> {
  const { parts, place, scope } = request
  const text = await parts.source.text(path)
  const document = await parseXml(text, path)
  const edits = new Edits()
  moveAnchors(document, place, edits)
  moveLinks(document, request, edits)
  const known = await parts.source.relationships(path)
  const relationships = await Promise.all(known.map((relationship) => relatedTarget(relationship, copy, request)))
  const related = relationships.some(({ target, fragment }, index) => {
    const before = known[index]
    return target !== before?.target || fragment !== before.fragment
  })
  if (!copy && !edits.changed && !related && !hasTags(text)) return path
  const written = copy ? parts.free(path) : path
  await parts.writeRelationships(written, relationships)
  if (hasTags(text)) {
    const pictures = (root: Node) => fillPictures(root, written, scope, parts.draft)
    await visitText(document, fillVisitor(scope, pictures), DRAWING_DIALECT, new Map())
  }
  parts.write(written, await serializeXml(document), parts.typeOf(path))
  return written
}

async function relatedTarget(relationship: Relationship, copy: boolean, request: ChartRequest): Promise<Relationship> {
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

/** An anchor moves with the row that it begins in; its height in rows stays, so that nothing is stretched over a long table. */
function moveAnchors(document: Document, { layout }: SheetPlace, edits: Edits): void {
  for (const anchor of [...elements(document, 'twoCellAnchor'), ...elements(document, 'oneCellAnchor')]) {
    const from = child(anchor, 'from')
    const start = from && child(from, 'row')
    if (!start) continue
    const row = Number(start.textContent)
    const by = movedBy(cellAt(row, Number(child(from, 'col')?.textContent ?? 0)), layout)
    edits.text(start, String(row + by))
    const to = child(anchor, 'to')
    const end = to && child(to, 'row')
    if (end) edits.mapText(end, (text) => String(Number(text) + by))
  }
}

/** Checks the tags of text boxes, chart titles and pictures. */
export async function checkDrawing(
  path: string,
  { name, names, findings }: Pick<SheetContext, 'name' | 'names' | 'findings'>,
  source: OfficePackage,
): Promise<void> {
  const visitor = checkVisitor(findings, names, (root, here) => checkPictures(root, findings, here, `on ${name}`))
  const document = await parseXml(await source.text(path), path)
  const places: Places = new Map()
  for (const shape of elements(document, 'sp')) {
    const box = elements(shape, 'cNvPr')[0]?.getAttribute('name') ?? ''
    for (const paragraph of elements(shape, 'p')) places.set(paragraph, `text box "${box}" on ${name}`)
  }
  await visitText(document, visitor, DRAWING_DIALECT, places)
  for (const relationship of await source.relationships(path)) {
    const kind = kindOf(relationship)
    if (kind !== 'chart' && kind !== 'chartEx') continue
    const chart = await parseXml(await source.text(relationship.target), relationship.target)
    const paragraphs = elements(chart, 'p').map((paragraph) => [paragraph, `chart on ${name}`] as const)
    // Cached texts of cells are no tags; only paragraphs are visited.
    await visitText(chart, visitor, DRAWING_DIALECT, new Map(paragraphs))
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
