/** The differences between two configurations. */
import { maskConfig } from './mask.ts'
import { pathText } from './tree.ts'

export interface Difference {
  /** Below `Butler`: `footman.alertRoutes`. Lists are compared as a whole. */
  readonly path: string
  /** The changed values below it, with paths as deep as possible. */
  readonly details: readonly Detail[]
}

export interface Detail {
  /** Below `Butler`: `footman.alertRoutes[1].except`. */
  readonly path: string
  /** The value as text, secrets masked; a long one is cut to the part that differs. */
  readonly before: string
  readonly after: string
}

export function differences(before: object, after: object): Difference[] {
  const [shownBefore, shownAfter] = [maskConfig(before), maskConfig(after)]
  return changedPaths(before, after, []).map((path) => {
    const values = { from: valueAt(before, path), to: valueAt(after, path) }
    const details = deepest(values, { before: path, after: path }).map(({ before: was, after: is }) => ({
      path: pathText(is ?? was ?? path),
      ...shown(valueAt(shownBefore, was), valueAt(shownAfter, is)),
    }))
    return { path: path.join('.'), details }
  })
}

type Path = readonly (string | number)[]
type Tree = Readonly<Record<string, unknown>>

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

function changedPaths(before: unknown, after: unknown, path: Path): Path[] {
  if (isTree(before) && isTree(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) => changedPaths(before[key], after[key], [...path, key]))
  }
  return isSame(before, after) ? [] : [path]
}

interface Pair {
  readonly from: unknown
  readonly to: unknown
}

/** Paths of a value before and after, because items of lists move. Null = no value. */
interface Places {
  readonly before: Path | null
  readonly after: Path | null
}

function deepest({ from, to }: Pair, { before, after }: Places): Places[] {
  if (isSame(from, to)) return []
  if (before === null || after === null) return [{ before, after }]
  if (isTree(from) && isTree(to)) {
    const keys = new Set([...Object.keys(from), ...Object.keys(to)])
    return [...keys].flatMap((key) =>
      deepest({ from: from[key], to: to[key] }, { before: [...before, key], after: [...after, key] }),
    )
  }
  if (!Array.isArray(from) || !Array.isArray(to)) return [{ before, after }]
  return itemPairs(from, to).flatMap(([was, is]) =>
    deepest(
      { from: was === null ? undefined : from[was], to: is === null ? undefined : to[is] },
      { before: was === null ? null : [...before, was], after: is === null ? null : [...after, is] },
    ),
  )
}

/** Index pairs of matching items, without the equal items at both ends. */
function itemPairs(from: readonly unknown[], to: readonly unknown[]): [number | null, number | null][] {
  const shorter = Math.min(from.length, to.length)
  let start = 0
  while (start < shorter && isSame(from[start], to[start])) start += 1
  let end = 0
  while (end < shorter - start && isSame(from.at(-1 - end), to.at(-1 - end))) end += 1
  const [was, is] = [from.length - start - end, to.length - start - end]
  return Array.from({ length: Math.max(was, is) }, (_, offset) => [
    offset < was ? start + offset : null,
    offset < is ? start + offset : null,
  ])
}

/** Regular expressions and dates have no JSON of their own. */
function isSame(before: unknown, after: unknown): boolean {
  return before === after || text(before) === text(after)
}

function text(value: unknown): string {
  const plain = (_key: string, one: unknown) => (one instanceof RegExp ? String(one) : one)
  return JSON.stringify(value, plain) ?? 'undefined'
}

function valueAt(tree: unknown, path: Path | null): unknown {
  if (path === null) return undefined
  return path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return value[Number(key)]
    return isTree(value) ? value[key] : undefined
  }, tree)
}

const MAX_SHOWN = 200
/** Equal characters shown before the difference. */
const LEAD = 40

function shown(before: unknown, after: unknown): { readonly before: string; readonly after: string } {
  const [was, is] = [before, after].map((value) => (value === undefined ? 'nothing' : text(value))) as [string, string]
  let same = 0
  while (same < was.length && was[same] === is[same]) same += 1
  const from = Math.max(was.length, is.length) > MAX_SHOWN ? Math.max(0, same - LEAD) : 0
  return { before: cut(was, from), after: cut(is, from) }
}

function cut(whole: string, from: number): string {
  const part = whole.slice(from, from + MAX_SHOWN)
  return `${from > 0 ? '...' : ''}${part}${from + MAX_SHOWN < whole.length ? '...' : ''}`
}
