/**
 * The configuration as a tree that remembers where everything was written. Old layouts are translated by moving
 * nodes, so a problem found later still points at the line of the file.
 */
import type { Place } from './problems.ts'

export type Scalar = string | number | boolean | null

export interface ScalarNode {
  readonly kind: 'scalar'
  value: Scalar
  readonly at: Place
  /** An unquoted date: YAML parsers of Butler make a date object of it. */
  readonly date?: boolean
  /** Came from an environment variable or a file: always text, converted to what the key needs. */
  readonly external?: boolean
  /** The text with placeholders that the value was made of. */
  readonly written?: string
}

export interface MapEntry {
  /** Where the key stands. */
  readonly at: Place
  node: TreeNode
}

export interface MapNode {
  readonly kind: 'map'
  readonly entries: Map<string, MapEntry>
  readonly at: Place
}

export interface ListNode {
  readonly kind: 'list'
  readonly items: TreeNode[]
  readonly at: Place
}

export type TreeNode = ScalarNode | MapNode | ListNode
/** Keys of maps and indexes of lists, from the root (`['Butler', 'mqttConfig']`). */
export type Path = readonly (string | number)[]

export const scalar = (value: Scalar, at: Place): ScalarNode => ({ kind: 'scalar', value, at })
export const emptyMap = (at: Place): MapNode => ({ kind: 'map', entries: new Map(), at })
export const listOf = (items: TreeNode[], at: Place): ListNode => ({ kind: 'list', items, at })

/** `Butler.webhooks[0].url` */
export function pathText(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${step}`))
    .join('')
}

/** The node at a path, or undefined. */
export function nodeAt(root: TreeNode, path: Path): TreeNode | undefined {
  let node: TreeNode | undefined = root
  for (const step of path) node = childOf(node, step)
  return node
}

function childOf(node: TreeNode | undefined, step: string | number): TreeNode | undefined {
  if (node?.kind === 'map') return node.entries.get(String(step))?.node
  if (node?.kind === 'list') return node.items[Number(step)]
  return undefined
}

/** The place of the key at a path; of the nearest thing above it when the key is absent. */
export function placeOf(root: TreeNode, path: Path): Place {
  let node = root
  let place = root.at
  for (const step of path) {
    const entry = node.kind === 'map' ? node.entries.get(String(step)) : undefined
    const next = entry?.node ?? childOf(node, step)
    if (!next) return place
    place = entry?.at ?? next.at
    node = next
  }
  return place
}

/**
 * Puts a node at a path; makes the maps in between (also where the file has an empty key). False when a value stands in
 * the way, which is then left for the check to complain about.
 */
export function setAt(root: MapNode, path: Path, node: TreeNode, at: Place): boolean {
  let map = root
  for (const step of path.slice(0, -1)) {
    const below = mapBelow(map, String(step), at)
    if (!below) return false
    map = below
  }
  const key = String(path.at(-1))
  const entry = map.entries.get(key)
  map.entries.set(key, { at: entry?.at ?? at, node })
  return true
}

function mapBelow(map: MapNode, key: string, at: Place): MapNode | null {
  const entry = map.entries.get(key)
  if (entry?.node.kind === 'map') return entry.node
  if (entry && !(entry.node.kind === 'scalar' && entry.node.value === null)) return null
  const created = emptyMap(entry?.at ?? at)
  map.entries.set(key, { at: entry?.at ?? at, node: created })
  return created
}

/** Takes a key out and returns it. */
export function takeAt(root: TreeNode, path: Path): MapEntry | undefined {
  const parent = nodeAt(root, path.slice(0, -1))
  if (parent?.kind !== 'map') return undefined
  const key = String(path.at(-1))
  const entry = parent.entries.get(key)
  parent.entries.delete(key)
  return entry
}

/** Plain objects, lists and scalars. */
export function plain(node: TreeNode): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plain(entry.node)]))
}

/** Every scalar below a node, with its path. */
export function* scalars(node: TreeNode, path: Path = []): Generator<{ node: ScalarNode; path: Path }> {
  if (node.kind === 'scalar') yield { node, path }
  else if (node.kind === 'list')
    for (const [index, item] of node.items.entries()) yield* scalars(item, [...path, index])
  else for (const [key, entry] of node.entries) yield* scalars(entry.node, [...path, key])
}

/** A copy that can be changed on its own. */
export function clone(node: TreeNode): TreeNode {
  if (node.kind === 'scalar') return { ...node }
  if (node.kind === 'list') return { ...node, items: node.items.map(clone) }
  const entries = [...node.entries].map(([key, entry]): [string, MapEntry] => [
    key,
    { ...entry, node: clone(entry.node) },
  ])
  return { ...node, entries: new Map(entries) }
}

/** `a.b[0].c` to its steps. */
export function stepsOf(path: string): (string | number)[] {
  return path
    .split(/[.[]/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+\]$/.test(step) ? Number(step.slice(0, -1)) : step))
}
