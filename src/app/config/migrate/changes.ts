/** A list of the changes of a migration, as text without values. */
import type { Problem } from '../../../config/problems.ts'
import type { MapNode, TreeNode } from '../../../config/tree.ts'
import { entriesOf, type Origins, sameNode } from './origins.ts'
import type { Source } from './source.ts'

export interface Change {
  readonly kind: 'moved' | 'changed' | 'added' | 'removed'
  /** Line of the old file. */
  readonly line: number
  readonly text: string
}

interface Trees {
  readonly before: MapNode
  readonly after: MapNode
}

/** In the order of the old file. `notes` are what was said while the old layout was translated. */
export function changesOf(source: Source, origins: Origins, trees: Trees, notes: readonly Problem[]): Change[] {
  const changes = [...ofEntries(source, origins, trees), ...removed(source, origins, trees, notes)]
  const targets = new Set(changes.map(({ text }) => text.split(' -> ')[1]))
  return changes.filter(({ text }) => !targets.has(text)).sort((a, b) => a.line - b.line)
}

function ofEntries(source: Source, origins: Origins, { before, after }: Trees): Change[] {
  const changes: Change[] = []
  const old = new Map([...entriesOf(before)].map(({ path, entry }) => [path, entry.node]))
  // Where the sections that have moved stood.
  const stood = new Map<string, string>()
  for (const { path, entry } of entriesOf(after)) {
    const { line } = entry.at
    const claimed = origins.claimOf(entry)
    const member = claimed ?? source.pairAt(entry.at)
    const was = member && origins.original(member)
    const before = formerPath(path, stood)
    if (was && claimed) stood.set(path, was.path)
    if (was && claimed && was.path !== before) {
      changes.push({ kind: 'moved', line, text: `${was.path} -> ${was.path.includes('[]') ? path : listOf(path)}` })
      continue
    }
    const same = was && was.path === before
    // For new entries of a list only the list is listed.
    if (!same && path.includes('[]')) continue
    const node = same ? was.node : old.get(path)
    if (node === undefined) {
      if (entry.node.kind !== 'map') changes.push({ kind: 'added', line, text: path })
    } else if (isChanged(node, entry.node)) changes.push({ kind: 'changed', line, text: path })
  }
  return changes
}

/** The former path of an entry, if only the sections around it have moved. */
function formerPath(path: string, stood: ReadonlyMap<string, string>): string {
  const at = path.lastIndexOf('.')
  if (at < 0) return path
  const parent = path.slice(0, at)
  const section = listOf(parent)
  return (stood.get(section) ?? section) + parent.slice(section.length) + path.slice(at)
}

/** The list that a path leads into, or the path. */
const listOf = (path: string): string => path.split('[]')[0]!

/** Sections never count as changed: their entries are listed instead. */
function isChanged(was: TreeNode, is: TreeNode): boolean {
  if (was.kind === 'map' && is.kind === 'map') return false
  if (was.kind === 'list' && is.kind === 'list') return was.items.length !== is.items.length
  return !sameNode(was, is)
}

function removed(source: Source, origins: Origins, { before, after }: Trees, notes: readonly Problem[]): Change[] {
  const changes: Change[] = []
  const left = new Set([...entriesOf(after)].map(({ path }) => path))
  let inside = ''
  for (const { path, entry } of entriesOf(before)) {
    const member = source.pairAt(entry.at)
    if (left.has(path) || !member || origins.isClaimed(member) || origins.isUsedWithin(member)) continue
    if (inside !== '' && path.startsWith(`${inside}.`)) continue
    inside = path
    changes.push({ kind: 'removed', line: entry.at.line, text: `${path}${reason(path, notes)}` })
  }
  return changes
}

function reason(path: string, notes: readonly Problem[]): string {
  const message = notes.find((note) => note.path === path)?.message ?? ''
  const why = /belongs to a feature that no longer exists|is ignored because '[^']+' is set|is read as '[^']+'/.exec(
    message,
  )
  return why ? `: ${why[0].replace(/'/g, '')}` : ''
}
