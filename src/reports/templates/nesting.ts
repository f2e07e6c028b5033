/** A loop within a loop: it repeats all rows of its table in each row of the outer one, as each table is read once. */
import type { Binding } from '../entities/report.ts'
import type { Column } from '../types.ts'

/** A table that is repeated. */
interface List {
  readonly binding: Extract<Binding, { readonly type: 'table' | 'object' }>
  /** Columns of an object, which are known when its data has been read; null before. */
  readonly columns: readonly Column[] | null
}

/** The reason to refuse a loop within others: who repeats the same dimension in both expects the rows of each group. */
export function nestingProblem(inner: List, around: readonly List[]): string | null {
  for (const outer of around) {
    const dimension = sharedDimension(inner, outer)
    if (dimension === null) continue
    return `the loop over "${outer.binding.key}" around it has the dimension ${dimension} too, but each of its rows would hold all rows of "${inner.binding.key}"; ${groupsBy('that field')}`
  }
  return null
}

/**
 * The warning about a loop within another one that may be meant so: all rows each time. In the same words when the file is checked and in
 * a run.
 */
export const nestingWarning = (inner: Binding, outer: Binding): string =>
  `each row of the loop over "${outer.key}" around it holds all rows of "${inner.key}"; where only those of a group are meant, ${groupsBy('the field of the group')}`

const groupsBy = (field: string): string =>
  `make groups with a level of ${field}, or from one table that is sorted by it`

/** An addition for lists of objects of the app: only a run reads their dimensions. */
export const knownInRuns = (...bindings: readonly Binding[]): string =>
  bindings.some(({ type }) => type === 'object') ? '; a run refuses it where both have the same dimension' : ''

/** By field or expression; where one of them is an object of the app, whose fields are not read, also by label. */
function sharedDimension(inner: List, outer: List): string | null {
  const byLabel = inner.binding.type === 'object' || outer.binding.type === 'object'
  const names = new Set(dimensionsOf(outer, byLabel))
  return dimensionsOf(inner, byLabel).find((name) => names.has(name)) ?? null
}

function dimensionsOf({ binding, columns }: List, byLabel: boolean): string[] {
  if (binding.type === 'object')
    return (columns ?? []).flatMap(({ kind, label }) => (kind === 'dimension' ? [label] : []))
  return binding.columns
    .filter(({ kind }) => kind === 'dimension')
    .flatMap(({ expr, key, label = key }) => (byLabel ? [fieldOf(expr), label] : [fieldOf(expr)]))
}

/** `Region` of `=[Region]`. */
function fieldOf(expr: string | { readonly libraryId: string }): string {
  if (typeof expr !== 'string') return `of the master item ${expr.libraryId}`
  const source = expr.replace(/^\s*=/, '').trim()
  return /^\[([^\]]*)\]$|^"([^"]*)"$/.exec(source)?.slice(1).find(Boolean) ?? source
}
