/**
 * Defined names of cells in one row of a loop. Such a name becomes all copies of its cells; where a formula takes one value, as in
 * `=sold*2`, it means the cell of its own copy.
 */
import type { Document } from '@xmldom/xmldom'
import type { Findings } from '../names.ts'
import { createBookNames } from './charts.ts'
import { elements } from './dom.ts'
import { isSheetPrefix, type Reference, sourceOf, type Token, tokenize } from './formula.ts'
import { type Block, columnsOf, createLayout, type Layout } from './layout.ts'
import { takesRange } from './lists.ts'
import { placeOf, type SheetPlan } from './plan.ts'

interface NamedSheet {
  readonly name: string
  readonly plan: SheetPlan | null
}

/** Where a formula stands. */
interface Standpoint {
  /** The name in the template. */
  readonly sheet: string
  readonly row: number
  readonly column: number
}

interface ResolvedTokens {
  /** The formula with cells instead of names. */
  readonly tokens: readonly Token[]
  /** The cells that stand for a name; their rows are absolute. */
  readonly named: ReadonlySet<Token>
  readonly problems: readonly string[]
}

export interface RowNames {
  /** @param isRule of a conditional format or validation: the name is never left to Excel, which would take its first cell there */
  resolve(tokens: readonly Token[], from: Standpoint, isRule: boolean): ResolvedTokens
}

/** The cells of a name, and the loops around them, outermost first. */
interface Meant {
  readonly reference: Reference
  readonly sheet: string
  readonly loops: readonly Block[]
}

/** Null when no name means a row of a loop. */
export function createRowNames(document: Document, sheets: readonly NamedSheet[]): RowNames | null {
  const layouts = new Map<string, Layout>(
    sheets.map(({ name, plan }) => [name.toLowerCase(), createLayout(plan?.blocks ?? [], () => 1)]),
  )
  const meantBy = (formula: string): Meant | null => {
    const [reference, more] = tokenize(formula)
    if (more || reference?.kind !== 'reference' || reference.sheet === null || !isOneRow(reference)) return null
    const sheet = reference.sheet.toLowerCase()
    const blocks = layouts.get(sheet)?.blocksAt(reference.start.row ?? 0, columnsOf(reference)) ?? []
    const loops = blocks.filter(({ loop }) => loop)
    return loops.length > 0 ? { reference, sheet, loops } : null
  }
  if (!elements(document, 'definedName').some((name) => meantBy(name.textContent ?? ''))) return null
  const names = createBookNames(document, sheets)

  return {
    resolve(tokens, { sheet, row, column }, isRule) {
      const resolved: Token[] = []
      const named = new Set<Token>()
      const problems: string[] = []
      const around = layouts.get(sheet.toLowerCase())?.blocksAt(row, { left: column, right: column }) ?? []
      for (const [index, token] of tokens.entries()) {
        resolved.push(token)
        const before = tokens[index - 1]
        const prefix = isSheetPrefix(before) ? sourceOf(before!) : ''
        const formula = token.kind === 'name' ? names.formulaOf(prefix + token.text, sheet) : null
        const meant = formula === null ? null : meantBy(formula)
        if (!meant || token.kind !== 'name') continue
        const { reference, loops } = meant
        const name = prefix + token.text
        const loop = loops.at(-1)!
        const isInPieces = loops.length > 1 || loop.last > loop.first
        const use = takesRange(token)
        if (use === 'range' && isInPieces) {
          problems.push(
            `the name ${name} takes some rows of a loop and not the others between them, which works in functions such as SUM only; let it take all rows of the loop, or put what belongs together into one row`,
          )
        }
        if (use) continue
        const cell = inColumn(reference, column)
        if (meant.sheet !== sheet.toLowerCase() || !around.includes(loop)) {
          problems.push(
            `the name ${name} is all rows of the loop in row ${loop.first} here, and the formula takes one value; write SUM(${name}) or another function for all rows, ${sourceOf(reference)} for the first`,
          )
        } else if (cell && (isRule || isInPieces)) {
          resolved.splice(prefix === '' ? -1 : -2, Number.POSITIVE_INFINITY, cell)
          named.add(cell)
        }
      }
      return { tokens: resolved, named, problems }
    },
  }
}

/** The sheets with the cells of the own copy instead of names of a row of the loop; what a formula cannot say is reported. */
export function withoutRowNames<Sheet extends NamedSheet>(
  document: Document,
  sheets: readonly Sheet[],
  findings: Findings,
): readonly Sheet[] {
  const names = createRowNames(document, sheets)
  if (!names) return sheets
  return sheets.map((sheet) => {
    if (!sheet.plan) return sheet
    const cells = Array.from(sheet.plan.cells, ([row, list]) => {
      const resolved = list.map((cell) => {
        const formula = cell.content.kind === 'formula' ? cell.content.formula : null
        // The formula of an array takes all rows of a name.
        if (!formula || formula.attributes.has('t')) return cell
        const from = { sheet: sheet.name, row: cell.row, column: cell.column }
        const { named, problems } = names.resolve(formula.tokens(), from, false)
        const place = placeOf(sheet.name, cell)
        for (const details of problems) findings.add({ code: 'TEMPLATE_LOOP', place, details })
        if (named.size === 0) return cell
        const tokens = () => ownCells(names.resolve(formula.tokens(), from, false))
        return { ...cell, content: { kind: 'formula' as const, formula: { ...formula, tokens } } }
      })
      return [row, resolved] as const
    })
    return { ...sheet, plan: { ...sheet.plan, cells: new Map(cells) } }
  })
}

/** Right above or below an inner loop a cell of the outer one is no row before or behind. */
const ownCells = ({ tokens, named }: ResolvedTokens): readonly Token[] =>
  tokens.map((token) =>
    token.kind === 'reference' && named.has(token)
      ? { ...token, start: { ...token.start, rowAbsolute: false }, neighbour: 'total' as const }
      : token,
  )

const isOneRow = ({ start, end }: Reference): boolean =>
  start.rowAbsolute && start.column !== null && (end === null || (end.rowAbsolute && end.row === start.row))

/** The cell of a name on the sheet of the formula: of several columns that of the formula; null where it has none. */
function inColumn({ start, end, ...reference }: Reference, column: number): Reference | null {
  const { left, right } = columnsOf({ start, end })
  if (column < left && left !== right) return null
  if (column > right && left !== right) return null
  const own = left === right ? start : { ...start, column, columnAbsolute: false }
  return { ...reference, prefix: '', sheet: null, start: own, end: null }
}
