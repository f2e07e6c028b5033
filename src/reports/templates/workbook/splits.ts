/** Finds the areas of a workbook that a loop in some columns would pull apart: no such area can stay one. */
import type { Document, Element } from '@xmldom/xmldom'
import type { Findings } from '../names.ts'
import type { OfficePackage } from '../package.ts'
import { kindOf, type Relationship } from '../parts.ts'
import { parseXml } from '../xml.ts'
import { elements } from './dom.ts'
import { columnLetters, type Reference, sourceOf, tokenize } from './formula.ts'
import {
  ALL_COLUMNS,
  type Area,
  areaOf,
  type Columns,
  createLayout,
  isWholeColumns,
  overlap,
  splitBy,
} from './layout.ts'
import { readArea } from './moves.ts'
import { isOverWholeRows, type PlanBlock, placeOf, type SheetPlan } from './plan.ts'
import { cellsOf } from './sheet.ts'

/** Elements whose text is a formula: of rules, sparklines, tables and charts. */
const FORMULAS = ['formula', 'formula1', 'formula2', 'f', 'calculatedColumnFormula', 'totalsRowFormula']
/** Elements whose `ref` is an area that has to stay one. */
const AREAS: Readonly<Record<string, string>> = {
  mergeCell: 'the merged cells',
  hyperlink: 'the link',
  autoFilter: 'the filter',
  table: 'the table',
  location: 'the pivot table',
  worksheetSource: 'the source of the pivot table',
}
const RULES = ['conditionalFormatting', 'dataValidation']

interface Workbook {
  readonly document: Document
  readonly relationships: readonly Relationship[]
  readonly sheets: readonly {
    readonly name: string
    readonly plan: SheetPlan | null
    readonly relationships: readonly Relationship[]
  }[]
}

interface TouchingCells {
  readonly block: PlanBlock
  readonly column: number
  /** The area holds the cells together with others of their column: one above is their head. */
  reachedBy(area: Area): boolean
}

/** The cells that loops repeat because they touch them, which may be the first ones of a list with gaps. */
function touchingLoops({ blocks, source }: SheetPlan): readonly TouchingCells[] {
  let filled: ReadonlyMap<number, readonly { readonly row: number }[]> | null = null
  /** Cells with content of a column; all are read at the first question, which most workbooks do not ask. */
  const cellsIn = (column: number): readonly { readonly row: number }[] => {
    filled ??= Map.groupBy(
      source.rows.flatMap((row) =>
        cellsOf(row).flatMap(({ inner, ...cell }) => (inner === '' ? [] : [{ row: cell.row, column: cell.column }])),
      ),
      (cell) => cell.column,
    )
    return filled.get(column) ?? []
  }
  const visit = (level: readonly PlanBlock[]): TouchingCells[] =>
    level.flatMap((block) => [
      ...block.touching.map((column) => ({
        block,
        column,
        reachedBy: (area: Area) =>
          !isWholeColumns(area) &&
          overlap(area, { left: column, right: column }) &&
          area.top <= block.last &&
          block.first <= area.bottom &&
          cellsIn(column).some(
            ({ row }) => area.top <= row && row <= area.bottom && (row < block.first - 1 || row > block.last),
          ),
      })),
      ...visit(block.children),
    ])
  return visit(blocks)
}

/** Reports merged cells, tables, formulas and rules that reach over columns of a loop and columns beside it, where it moves them. */
export async function checkSplits(source: OfficePackage, book: Workbook, findings: Findings): Promise<void> {
  const blocks = new Map(book.sheets.map(({ name, plan }) => [name.toLowerCase(), plan?.blocks ?? []]))
  const touched = new Map(book.sheets.map(({ name, plan }) => [name.toLowerCase(), plan ? touchingLoops(plan) : []]))
  const isSimple = [...blocks.values()].every((list) => list.every(isOverWholeRows))
  if (isSimple && [...touched.values()].every((list) => list.length === 0)) return
  const reported = new Set<string>()

  function checkArea(area: Area, sheet: string, subject: string, place: string): void {
    const name = sheet.toLowerCase()
    const counted = touched.get(name)?.find((one) => one.reachedBy(area))
    if (counted) {
      const { column, block } = counted
      const cell = `${columnLetters(column)}${block.first}`
      const details = `${subject} takes ${cell}, which touches the loop ${block.open.source} and would be repeated, together with cells that stay; to repeat it, put a tag of the loop into its column, to keep it, leave an empty column between`
      if (!reported.has(place + details)) findings.add({ code: 'TEMPLATE_LOOP', place, details })
      reported.add(place + details)
    }
    const block = splitBy(area, blocks.get(name) ?? [])
    if (!block) return
    const columns = `${columnLetters(block.left)} to ${columnLetters(block.right)}`
    const details = `${subject} reaches over columns ${columns} of the loop ${block.open.source} and columns beside them, which move apart; keep it to one of the two, or above row ${block.first}`
    if (reported.has(place + details)) return
    reported.add(place + details)
    findings.add({ code: 'TEMPLATE_LOOP', place, details })
  }
  const checkReference = (reference: Reference, sheet: string | null, place: string): void => {
    const target = reference.sheet ?? sheet
    if (target !== null) checkArea(areaOf(reference), target, `the reference ${sourceOf(reference)}`, place)
  }
  const checkFormula = (formula: string, sheet: string | null, place: string): void => {
    for (const token of tokenize(formula)) if (token.kind === 'reference') checkReference(token, sheet, place)
  }
  function checkRef(ref: string, sheet: string, subject: string): void {
    const area = readArea(ref)
    if (area) checkArea(area, sheet, `${subject} ${ref}`, `${sheet}!${ref}`)
  }

  function checkXml(document: Document, sheet: string, what = ''): void {
    const place = what === '' ? sheet : `${what} on ${sheet}`
    for (const name of FORMULAS) {
      for (const element of elements(document, name)) {
        if (element.getElementsByTagName('*').length === 0) checkFormula(element.textContent ?? '', sheet, place)
      }
    }
    for (const [name, subject] of Object.entries(AREAS)) {
      for (const element of elements(document, name)) {
        checkRef(element.getAttribute('ref') ?? '', element.getAttribute('sheet') ?? sheet, subject)
      }
    }
    const { bands } = createLayout(blocks.get(sheet.toLowerCase()) ?? [], () => 1)
    for (const rule of RULES.flatMap((name) => elements(document, name))) checkRule(rule, sheet, bands, checkArea)
  }

  async function checkRelated(relationship: Relationship, sheet: string): Promise<void> {
    const { target, external } = relationship
    const kind = kindOf(relationship)
    if (external || !source.has(target) || !/^(table|pivotTable|pivotCacheDefinition|drawing|chart)$/.test(kind)) return
    if (kind === 'drawing') {
      for (const inner of await source.relationships(target)) await checkRelated(inner, sheet)
    } else checkXml(await parseXml(await source.text(target), target), sheet, kind)
  }

  for (const { name, plan, relationships } of book.sheets) {
    for (const cell of [...(plan?.cells.values() ?? [])].flat()) {
      if (cell.content.kind !== 'formula') continue
      const place = placeOf(name, cell)
      for (const token of cell.content.formula.tokens())
        if (token.kind === 'reference') checkReference(token, name, place)
      checkRef(cell.content.formula.attributes.get('ref') ?? '', name, 'the array formula')
    }
    if (plan) checkXml(await parseXml(plan.source.frame, name), name)
    for (const relationship of relationships) await checkRelated(relationship, name)
  }
  for (const relationship of book.relationships) await checkRelated(relationship, '')
  for (const element of elements(book.document, 'definedName')) {
    const name = element.getAttribute('name') ?? ''
    // Names of Excel itself, such as the print area, may cover more than their cells.
    if (!name.startsWith('_xlnm.')) checkFormula(element.textContent ?? '', null, `name "${name}"`)
  }
}

/**
 * Excel reads relative references of a rule for each of its cells, as seen from its first one: they have to move like the cells.
 * Calls `check` with the cells of the rule that move together, and with those that its formulas refer to from there.
 * @param bands columns of the sheet that move together
 */
function checkRule(
  rule: Element,
  sheet: string,
  bands: readonly Columns[],
  check: (area: Area, sheet: string, subject: string, place: string) => void,
): void {
  const formulas = FORMULAS.flatMap((name) => elements(rule, name)).flatMap((one) => tokenize(one.textContent ?? ''))
  const list = elements(rule, 'sqref')[0]?.textContent ?? rule.getAttribute('sqref') ?? ''
  const parts = list.split(/\s+/).flatMap((part) => {
    const area = readArea(part)
    return area ? [{ part, area }] : []
  })
  const [base] = parts
  for (const { part, area } of parts) {
    for (const token of formulas) {
      if (token.kind !== 'reference' || token.sheet !== null || token.start.rowAbsolute) continue
      for (const band of bands.filter((one) => overlap(one, area))) {
        const own = { left: Math.max(area.left, band.left), right: Math.min(area.right, band.right) }
        const reached = [token.start, token.end ?? token.start].flatMap(({ column, columnAbsolute }) => {
          if (column === null) return [ALL_COLUMNS.left, ALL_COLUMNS.right]
          return columnAbsolute ? [column] : [own.left, own.right].map((one) => column + one - base!.area.left)
        })
        const both = { ...area, left: Math.min(own.left, ...reached), right: Math.max(own.right, ...reached) }
        check(both, sheet, `the rule of ${part} with ${sourceOf(token)}`, `${sheet}!${part}`)
      }
    }
  }
}
