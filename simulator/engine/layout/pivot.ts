import { ownNumber, type Value } from '../calc/functions.ts'
import { asNumber, orNaN } from '../json.ts'
import type { Cube } from './cube.ts'
import { type Area, clip, measureText } from './pages.ts'

/** A cell of the left or top side; `qType`: N normal, A pseudo dimension of the measures, U null, R root, V value. */
export interface PivotNode {
  readonly qText: string
  readonly qElemNo: number
  readonly qValue: number | 'NaN'
  readonly qType: 'N' | 'A' | 'U' | 'R' | 'V'
  readonly qCanExpand: boolean
  readonly qCanCollapse: boolean
  readonly qSubNodes: readonly PivotNode[]
}

interface Branch {
  readonly children: Map<number, Branch>
}

/** The pivot table laid out: every dimension expanded, no subtotals. */
export interface PivotTable {
  readonly left: readonly PivotNode[]
  readonly top: readonly PivotNode[]
  readonly columns: number
  readonly rows: number
  value(row: number, column: number): { readonly measure: number; readonly value: Value } | null
}

interface Leaf {
  readonly path: readonly number[]
}

/** Turns the rows of a cube into a pivot table: the first `qNoOfLeftDims` dimensions go down, the others across. */
export function layOutPivot(cube: Cube): PivotTable {
  const wanted = asNumber(cube.definition.qNoOfLeftDims, -1)
  const leftCount = wanted < 0 ? cube.dimensions.length : Math.min(wanted, cube.dimensions.length)
  const left: Branch = { children: new Map() }
  const top: Branch = { children: new Map() }
  const rowOf = new Map<string, number>()
  for (let row = 0; row < cube.rowCount; row++) {
    const codes = cube.dimensions.map((_, dimension) => cube.code(row, dimension))
    addPath(left, codes.slice(0, leftCount))
    addPath(top, codes.slice(leftCount))
    rowOf.set(codes.join(','), row)
  }
  const rows = leaves(left)
  const topLeaves = leaves(top)
  const measureCount = Math.max(1, cube.measures.length)
  return {
    left: nodes(cube, left, 0, []),
    top: nodes(cube, top, leftCount, cube.measures.length > 1 ? pseudoNodes(cube) : []),
    rows: cube.rowCount === 0 ? 0 : rows.length,
    columns: cube.rowCount === 0 ? 0 : topLeaves.length * measureCount,
    value(row, column) {
      const measure = column % measureCount
      const path = [...(rows[row]?.path ?? []), ...(topLeaves[Math.floor(column / measureCount)]?.path ?? [])]
      const found = rowOf.get(path.join(','))
      return found === undefined ? null : { measure, value: cube.value(found, measure) }
    },
  }
}

/** Pages of `GetHyperCubePivotData`. */
export function pivotPages(cube: Cube, areas: readonly Area[]) {
  const table = layOutPivot(cube)
  return areas.map((requested) => {
    const area = clip(requested, table.columns, table.rows)
    return {
      qLeft: slice(table.left, area.qTop, area.qHeight),
      qTop: slice(table.top, area.qLeft, area.qWidth),
      qData: Array.from({ length: area.qHeight }, (_, y) =>
        Array.from({ length: area.qWidth }, (_, x) => valueCell(cube, table.value(area.qTop + y, area.qLeft + x))),
      ),
      qArea: area,
    }
  })
}

/** Pages of `GetHyperCubeStackData`: a root with a node for each first dimension value, stacked by the second. */
export function stackPages(cube: Cube, areas: readonly Area[]) {
  const root: Branch = { children: new Map() }
  const rowOf = new Map<string, number>()
  for (let row = 0; row < cube.rowCount; row++) {
    const codes = cube.dimensions.map((_, dimension) => cube.code(row, dimension))
    addPath(root, codes)
    rowOf.set(codes.join(','), row)
  }
  const withValues = (branch: Branch, depth: number, path: readonly number[]): PivotNode[] =>
    [...branch.children].map(([code, child]) => {
      const here = [...path, code]
      const row = rowOf.get(here.join(','))
      const qSubNodes = row === undefined ? withValues(child, depth + 1, here) : valueNodes(cube, row)
      return { ...dimensionNode(cube, depth, code), qSubNodes }
    })
  const all = withValues(root, 0, [])
  return areas.map((requested) => {
    const area = clip(requested, all.length, Math.max(1, requested.qTop + requested.qHeight))
    const qSubNodes = all.slice(area.qLeft, area.qLeft + area.qWidth)
    return { qData: [{ ...plainNode('', -1, 'R'), qSubNodes }], qArea: area }
  })
}

const plainNode = (qText: string, qElemNo: number, qType: PivotNode['qType'], num = Number.NaN): PivotNode => ({
  qText,
  qElemNo,
  qValue: orNaN(num),
  qType,
  qCanExpand: false,
  qCanCollapse: false,
  qSubNodes: [],
})

const valueNodes = (cube: Cube, row: number): PivotNode[] =>
  cube.measures.map((measure, index) => {
    const value = cube.value(row, index)
    return plainNode(measureText(measure, value), index, 'V', ownNumber(value))
  })

function addPath(branch: Branch, codes: readonly number[]) {
  let current = branch
  for (const code of codes) {
    const next = current.children.get(code) ?? { children: new Map() }
    current.children.set(code, next)
    current = next
  }
}

function leaves(branch: Branch, path: readonly number[] = []): Leaf[] {
  if (branch.children.size === 0) return [{ path }]
  return [...branch.children].flatMap(([code, child]) => leaves(child, [...path, code]))
}

function dimensionNode(cube: Cube, depth: number, code: number): PivotNode {
  const symbol = code < 0 ? null : cube.dimensions[depth]?.field.column.symbol(code)
  return symbol ? plainNode(symbol.text, code, 'N', symbol.num) : plainNode('-', -2, 'U')
}

/** Nodes below a branch; with `ends` they stand below the innermost ones. */
function nodes(cube: Cube, branch: Branch, depth: number, ends: readonly PivotNode[]): readonly PivotNode[] {
  if (branch.children.size === 0) return ends
  return [...branch.children].map(([code, child]) => ({
    ...dimensionNode(cube, depth, code),
    qSubNodes: nodes(cube, child, depth + 1, ends),
  }))
}

/** Several measures stand side by side as the innermost level of the top side. */
const pseudoNodes = (cube: Cube): PivotNode[] =>
  cube.measures.map((measure, index) => plainNode(measure.title, -(index + 1), 'A'))

/** The nodes that cover the wanted leaves, cut to them. */
function slice(all: readonly PivotNode[], from: number, length: number): PivotNode[] {
  const kept: PivotNode[] = []
  let position = 0
  for (const node of all) {
    const size = leafCount(node)
    const start = Math.max(from, position)
    const end = Math.min(from + length, position + size)
    if (end > start) {
      kept.push(
        node.qSubNodes.length === 0
          ? node
          : { ...node, qSubNodes: slice(node.qSubNodes, start - position, end - start) },
      )
    }
    position += size
  }
  return kept
}

const leafCount = (node: PivotNode): number =>
  node.qSubNodes.length === 0 ? 1 : node.qSubNodes.reduce((sum, child) => sum + leafCount(child), 0)

function valueCell(cube: Cube, cell: { measure: number; value: Value } | null) {
  const measure = cell ? cube.measures[cell.measure] : undefined
  if (!cell?.value || !measure) return { qText: '-', qNum: 'NaN' as const, qType: 'U' as const }
  return { qText: measureText(measure, cell.value), qNum: orNaN(ownNumber(cell.value)), qType: 'V' as const }
}
