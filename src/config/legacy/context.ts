/** Operations of the translations of old layouts: read, move and report keys. Paths are below `Butler`, separated by dots. */
import type { Place, Problem, ProblemSeverity } from '../problems.ts'
import { type MapNode, nodeAt, placeOf, type Scalar, scalar, setAt, type TreeNode, takeAt } from '../tree.ts'

export interface LegacyContext {
  /** Whether a section without `enable` of a layout that had none is on. */
  readonly presenceMeansOn: boolean
  get(path: string): TreeNode | undefined
  has(path: string): boolean
  /** The value when it is a scalar. */
  value(path: string): Scalar | undefined
  place(path: string): Place
  set(path: string, node: TreeNode, at: Place): void
  setValue(path: string, value: Scalar, at: Place): void
  drop(path: string): void
  /** Moves a key with the note of a deprecated one; a key that exists in the new place wins. */
  move(from: string, to: string, versions?: string): void
  /** "is read as", without moving anything. */
  deprecated(from: string, versions: string, to: string, at?: Place): void
  note(severity: ProblemSeverity, path: string, message: string, at?: Place): void
  /** A note about an older layout; `summarised` reports only the number of these notes. */
  older(path: string, message: string, at?: Place): void
}

/** `notes` are collected unsorted. */
export function createLegacyContext(root: MapNode, notes: Problem[], presenceMeansOn = false): LegacyContext {
  const full = (path: string) => ['Butler', ...path.split('.')]
  const get = (path: string) => nodeAt(root, full(path))

  function note(severity: ProblemSeverity, path: string, message: string, at = placeOf(root, full(path))): void {
    notes.push({ severity, path: `Butler.${path}`, message, standalone: true, ...at })
  }

  function older(path: string, message: string, at = placeOf(root, full(path))): void {
    notes.push({ severity: 'warning', path: `Butler.${path}`, message, standalone: true, older: true, ...at })
  }

  function deprecated(from: string, versions: string, to: string, at?: Place): void {
    const message = `CONFIG DEPRECATED: 'Butler.${from}' (Butler ${versions}) is read as 'Butler.${to}'. Please update the config file.`
    older(from, message, at)
  }

  function move(from: string, to: string, versions?: string): void {
    const entry = takeAt(root, full(from))
    if (!entry) return
    pruneEmpty(from)
    const existing = get(to)
    if (existing?.kind === 'map' && entry.node.kind === 'map') {
      fillIn(existing, entry.node)
    } else if (existing === undefined) {
      setAt(root, full(to), entry.node, entry.at)
    } else if (!isSameValue(existing, entry.node)) {
      note('warning', from, `CONFIG DEPRECATED: 'Butler.${from}' is ignored because 'Butler.${to}' is set.`, entry.at)
      return
    }
    if (versions) deprecated(from, versions, to, entry.at)
    else note('info', from, `CONFIG: 'Butler.${from}' is read as 'Butler.${to}'.`, entry.at)
  }

  /** A section from which everything was moved is gone. */
  function pruneEmpty(path: string): void {
    const parent = path.slice(0, Math.max(path.lastIndexOf('.'), 0))
    const node = parent === '' ? undefined : get(parent)
    if (node?.kind !== 'map' || node.entries.size > 0) return
    takeAt(root, full(parent))
    pruneEmpty(parent)
  }

  return {
    presenceMeansOn,
    get,
    has: (path) => get(path) !== undefined,
    value: (path) => {
      const node = get(path)
      return node?.kind === 'scalar' ? node.value : undefined
    },
    place: (path) => placeOf(root, full(path)),
    set: (path, node, at) => setAt(root, full(path), node, at),
    setValue: (path, value, at) => setAt(root, full(path), scalar(value, at), at),
    drop: (path) => void takeAt(root, full(path)),
    move,
    deprecated,
    note,
    older,
  }
}

const isSameValue = (a: TreeNode, b: TreeNode): boolean =>
  a.kind === 'scalar' && b.kind === 'scalar' && a.value === b.value

/** Keys of the old section that the new one lacks. */
function fillIn(target: MapNode, source: MapNode): void {
  for (const [key, entry] of source.entries) {
    const existing = target.entries.get(key)
    if (!existing) target.entries.set(key, entry)
    else if (existing.node.kind === 'map' && entry.node.kind === 'map') fillIn(existing.node, entry.node)
  }
}

/** `a.{b,c}.d` to `a.b.d` and `a.c.d`. */
export function expand(pattern: string): string[] {
  const match = /\{([^}]*)\}/.exec(pattern)
  if (!match) return [pattern]
  const before = pattern.slice(0, match.index)
  const after = pattern.slice(match.index + match[0].length)
  return match[1]!.split(',').flatMap((word) => expand(`${before}${word}${after}`))
}
