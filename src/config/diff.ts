/** What differs between two configurations. */
import { maskConfig } from './mask.ts'
import type { Config } from './schema.ts'

export interface Difference {
  /** Below `Butler`: `footman.alertRoutes`. Lists are compared as a whole. */
  readonly path: string
  /** Fit for showing: secrets masked, long values cut. */
  readonly before: string
  readonly after: string
}

export function differences(before: Config, after: Config): Difference[] {
  const [shownBefore, shownAfter] = [maskConfig(before), maskConfig(after)]
  return changedPaths(before, after, []).map((path) => ({
    path: path.join('.'),
    before: shown(valueAt(shownBefore, path)),
    after: shown(valueAt(shownAfter, path)),
  }))
}

type Path = readonly string[]
type Tree = Readonly<Record<string, unknown>>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

function changedPaths(before: unknown, after: unknown, path: Path): Path[] {
  if (isTree(before) && isTree(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) => changedPaths(before[key], after[key], [...path, key]))
  }
  return isSame(before, after) ? [] : [path]
}

/** Regular expressions and dates have no JSON of their own. */
function isSame(before: unknown, after: unknown): boolean {
  return before === after || text(before) === text(after)
}

function text(value: unknown): string {
  const plain = (_key: string, one: unknown) => (one instanceof RegExp ? String(one) : one)
  return JSON.stringify(value, plain) ?? 'undefined'
}

function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (isTree(value) ? value[key] : undefined), tree)
}

const MAX_SHOWN = 200

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const whole = text(value)
  return whole.length > MAX_SHOWN ? `${whole.slice(0, MAX_SHOWN)}...` : whole
}
