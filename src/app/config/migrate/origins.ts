/** Which key of the file each key of the translated configuration comes from. */
import { type MapEntry, type MapNode, plain, type TreeNode } from '../../../config/tree.ts'
import { type Member, placeKey, type Source } from './source.ts'

/** A key of the file as it was read. */
export interface Original {
  readonly node: TreeNode
  /** `Butler.a.b`, without the indexes of lists. */
  readonly path: string
}

export interface Origins {
  /** The key of the file whose comments go with this entry. */
  claimOf(entry: MapEntry): Member | undefined
  isClaimed(member: Member): boolean
  /** The value that was read there. */
  original(member: Member): Original | undefined
  /** The first line of the file that this entry comes from; Infinity for a new entry. */
  firstLine(entry: MapEntry): number
  /** Whether something in this member is still in use. */
  isUsedWithin(member: Member): boolean
}

interface Step {
  readonly entry: MapEntry
  readonly path: string
}

/** Every entry below a node, sections before what is in them. */
export function* entriesOf(node: TreeNode, path = ''): Generator<Step> {
  if (node.kind === 'list') for (const item of node.items) yield* entriesOf(item, `${path}[]`)
  if (node.kind !== 'map') return
  for (const [key, entry] of node.entries) {
    const below = path === '' ? key : `${path}.${key}`
    yield { entry, path: below }
    yield* entriesOf(entry.node, below)
  }
}

export function findOrigins(source: Source, before: MapNode, after: MapNode): Origins {
  const originals = new Map<string, Original>()
  const byPath = new Map<string, Member>()
  for (const { entry, path } of entriesOf(before)) {
    const at = placeKey(entry.at)
    if (!originals.has(at)) originals.set(at, { node: entry.node, path })
    const member = source.pairAt(entry.at)
    if (member && !path.includes('[]')) byPath.set(path, member)
  }
  const original = (member: Member) => originals.get(source.keyPlace(member))
  const steps = [...entriesOf(after)]
  const claims = new Map<MapEntry, Member>()
  const claimed = new Set<Member>()

  const byPlace = ({ entry }: Step) => source.pairAt(entry.at) ?? source.pairOfValueAt(entry.at)

  function claim(find: (step: Step) => Member | undefined, fits: (step: Step, was: Original) => boolean): void {
    for (const step of steps) {
      if (claims.has(step.entry)) continue
      const member = find(step)
      const was = member && original(member)
      if (!member || !was || claimed.has(member) || !fits(step, was)) continue
      claims.set(step.entry, member)
      claimed.add(member)
    }
  }

  const carried = (node: TreeNode, was: TreeNode) => node.kind === was.kind && placeKey(node.at) === placeKey(was.at)
  claim(byPlace, ({ entry, path }, was) => path === was.path && carried(entry.node, was.node))
  claim(byPlace, ({ entry }, was) => carried(entry.node, was.node))
  // Made anew where something stood before.
  claim(
    ({ path }) => byPath.get(path),
    () => true,
  )
  claim(byPlace, () => true)

  function firstLine(entry: MapEntry): number {
    const own = claims.get(entry)
    if (own) return own.line
    let least = Number.POSITIVE_INFINITY
    for (const { entry: below } of entriesOf(entry.node)) least = Math.min(least, claims.get(below)?.line ?? least)
    return least
  }

  function isUsedWithin(member: Member): boolean {
    return [...claimed].some(({ line, flow }) => !flow && line > member.line && line < member.end)
  }

  return {
    claimOf: (entry) => claims.get(entry),
    isClaimed: (member) => claimed.has(member),
    original,
    firstLine,
    isUsedWithin,
  }
}

/** Whether two nodes mean the same; the order of keys does not matter. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => sameValue(item, b[i]))
  if (!isSection(a) || !isSection(b)) return Object.is(a, b)
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key], b[key]))
  )
}

export const sameNode = (a: TreeNode, b: TreeNode): boolean => sameValue(plain(a), plain(b))

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
