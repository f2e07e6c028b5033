/**
 * Writes a translated configuration in the words of the file it comes from: what has not changed stays as it is, byte by
 * byte; what has moved takes its comments along; only what is new is written anew.
 */
import { stringify } from 'yaml'
import {
  type ListNode,
  type MapEntry,
  type MapNode,
  plain,
  type ScalarNode,
  type TreeNode,
} from '../../../config/tree.ts'
import { looksLikeDate } from '../../../config/yaml.ts'
import { type Origins, sameNode } from './origins.ts'
import type { Block, Member, Source, Span } from './source.ts'

export interface PrintOptions {
  /** Writes out what aliases and merge keys stand for. */
  readonly expand: boolean
  /** Lines of the file, from 0, that say nothing. */
  readonly gone: ReadonlySet<number>
}

/** The source of a written section or list. */
interface From {
  readonly block: Block
  readonly before: TreeNode | undefined
}

interface Piece {
  readonly position: number
  readonly lines: readonly string[]
}

/** The lines of the file with the content of `after`. `before` is what was read. */
export function printMigrated(
  source: Source,
  origins: Origins,
  { before, after }: { readonly before: MapNode; readonly after: MapNode },
  { expand, gone }: PrintOptions,
): string[] {
  const { step } = source
  const { span, moved, commentBehind, replacedScalar, scalarText } = createQuotes(source, gone)

  function printMap(node: MapNode, from: From | null, indent: number): string[] {
    const members = from?.block.members ?? []
    const merged = expand ? null : mergedNames(node, from)
    const pieces: Piece[] = []
    for (const member of members) {
      if (member.kind === 'merge' && merged) pieces.push({ position: member.line, lines: moved(member, indent) })
      else if (![...node.entries.values()].some((entry) => origins.claimOf(entry) === member)) {
        pieces.push({ position: member.line - 0.5, lines: leftBehind(member, indent) })
      }
    }
    for (const [key, entry] of node.entries) {
      if (merged?.has(key)) continue
      pieces.push({
        position: positionOf(origins.firstLine(entry), from),
        lines: printEntry(key, entry, members, indent),
      })
    }
    return pieces.sort((a, b) => a.position - b.position).flatMap((piece) => piece.lines)
  }

  /** Comments that stay where a key has gone. */
  function leftBehind(member: Member, indent: number): string[] {
    const above = span(member.detached)
    const kept = above.some(isComment) ? above : []
    if (origins.isClaimed(member) || !origins.isUsedWithin(member)) return shift(kept, indent - member.column)
    const behind = commentBehind(member).map((comment) => ' '.repeat(member.column) + comment)
    const own = [...kept, ...span(member.own), ...behind]
    const inside = (member.block?.members ?? []).flatMap((below) => leftBehind(below, indent))
    return [...shift(own, indent - member.column), ...inside]
  }

  function printEntry(key: string, entry: MapEntry, siblings: readonly Member[], indent: number): string[] {
    const member = origins.claimOf(entry)
    if (!member || member.flow) return printNew(key, entry, indent)
    const above = siblings.includes(member) ? [...span(member.detached), ...span(member.own)] : span(member.own)
    return [...shift(above, indent - member.column), ...printFrom(key, entry, member, indent)]
  }

  function printFrom(key: string, entry: MapEntry, member: Member, indent: number): string[] {
    const was = origins.original(member)?.node
    const free = expand && source.linked(member)
    if (was && !free && sameNode(was, entry.node)) return renamed(moved(member, indent), key, member)
    const { block } = member
    if (block && was && entry.node.kind === was.kind && entry.node.kind !== 'scalar') {
      return printSection(key, { member, block, was }, entry.node, indent)
    }
    const replaced = entry.node.kind === 'scalar' && !free ? replacedScalar(member, entry.node) : null
    if (replaced !== null) return renamed([' '.repeat(indent) + replaced], key, member)
    const comments = block ? commentBehind(member) : source.commentsIn(member.value)
    const behind = entry.node.kind === 'scalar' && comments.length === 1
    const written = printNew(key, entry, indent)
    if (behind) return [`${written[0]} ${comments[0]}`, ...written.slice(1)]
    return [...comments.map((comment) => ' '.repeat(indent) + comment), ...written]
  }

  /** A section or list in which something has changed. */
  function printSection(
    key: string,
    { member, block, was }: { readonly member: Member; readonly block: Block; readonly was: TreeNode },
    node: MapNode | ListNode,
    indent: number,
  ): string[] {
    const below = indent + block.column - member.column
    const from = { block, before: was }
    const inside = node.kind === 'map' ? printMap(node, from, below) : printList(node, from, below)
    const tail = shift(span(block.tail), below - block.column)
    const size = node.kind === 'map' ? node.entries.size : node.items.length
    const empty = node.kind === 'map' ? '{}' : '[]'
    const first = block.members[0]!
    const header =
      expand || size === 0
        ? [`${' '.repeat(indent)}${keyText(key)}:${size === 0 ? ` ${empty}` : ''}`]
        : renamed(moved(member, indent, Math.max(first.detached[0], member.line + 1)), key, member)
    return [...header, ...inside, ...tail]
  }

  function printList(node: ListNode, from: From | null, indent: number): string[] {
    const members = from?.block.members ?? []
    const items = from?.before?.kind === 'list' ? from.before.items : []
    return node.items.flatMap((item) => {
      const found = source.itemAt(item.at)
      const member = found && members.includes(found) ? found : undefined
      const was = member && items[members.indexOf(member)]
      if (!member || !was) return printItem(item, null, indent)
      const above = shift([...span(member.detached), ...span(member.own)], indent - member.column)
      const free = expand && source.linked(member)
      if (!free && sameNode(was, item)) return [...above, ...moved(member, indent)]
      const alone = member.block && member.block.members[0]!.line > member.line ? commentBehind(member) : []
      const behind = alone.map((comment) => ' '.repeat(indent) + comment)
      return [
        ...above,
        ...behind,
        ...printItem(item, member.block && { block: member.block, before: was }, indent, member),
      ]
    })
  }

  function printItem(item: TreeNode, from: From | null, indent: number, member?: Member): string[] {
    const dash = ' '.repeat(indent)
    if (item.kind === 'scalar') return [`${dash}- ${scalarText(item)}`]
    if (item.kind === 'list' || item.entries.size === 0) return [`${dash}- ${JSON.stringify(plain(item))}`]
    const below = indent + (from && member ? Math.max(from.block.column - member.column, 2) : 2)
    const inside = printMap(item, from, below)
    const first = inside.findIndex((line) => line.trim() !== '' && !isComment(line))
    const before = shift(inside.slice(0, first), indent - below)
    const head = dash + '-'.padEnd(below - indent) + inside[first]!.slice(below)
    const tail = from ? shift(span(from.block.tail), below - from.block.column) : []
    return [...before, head, ...inside.slice(first + 1), ...tail]
  }

  /** Something that has no lines of its own in the file. */
  function printNew(key: string, { node }: MapEntry, indent: number): string[] {
    const head = `${' '.repeat(indent)}${keyText(key)}:`
    if (node.kind === 'scalar') return [node.value === null ? head : `${head} ${scalarText(node)}`]
    if (node.kind === 'list') {
      return node.items.length === 0 ? [`${head} []`] : [head, ...printList(node, null, indent + step)]
    }
    return node.entries.size === 0 ? [`${head} {}`] : [head, ...printMap(node, null, indent + step)]
  }

  const from = source.root ? { block: source.root, before } : null
  const body = printMap(after, from, source.root?.column ?? 0)
  const comments = source.root ? [] : source.commentsIn(source.contents)
  return [...span(source.preamble), ...comments, ...body, ...(source.root ? span(source.root.tail) : [])]
}

/** Keys keep their order in a section, by the line of the file that each comes from; those of other sections come last. */
function positionOf(line: number, from: From | null): number {
  const first = from?.block.members[0]?.line ?? Number.POSITIVE_INFINITY
  const end = from?.block.members.at(-1)?.end ?? 0
  return from === null || (line >= first && line < end) ? line : Number.POSITIVE_INFINITY
}

/** The keys that come from `<<`, when all of them are as they were; else they are written out. */
function mergedNames(node: MapNode, from: From | null): ReadonlySet<string> | null {
  if (from?.before?.kind !== 'map' || !from.block.members.some(({ kind }) => kind === 'merge')) return null
  const own = new Set(from.block.members.map(({ key }) => key))
  const names = [...from.before.entries].filter(([key]) => !own.has(key))
  const intact = names.every(([key, entry]) => {
    const now = node.entries.get(key)
    return now !== undefined && sameNode(now.node, entry.node)
  })
  return intact ? new Set(names.map(([key]) => key)) : null
}

/** The text of the file, in pieces that go to another place. */
function createQuotes(source: Source, gone: PrintOptions['gone']) {
  const { lines } = source

  const span = ([from, to]: Span) => lines.slice(from, to).filter((_, index) => !gone.has(from + index))

  /** The lines of a member, up to `end`, at another depth. */
  function moved(member: Member, indent: number, end = member.end): string[] {
    // An empty key after the end of a document has no line; the result is read again before it is used.
    const [first = '', ...rest] = span([member.line, end])
    return [' '.repeat(indent) + first.slice(member.column), ...shift(rest, indent - member.column)]
  }

  /** The comment behind the key of a section. */
  function commentBehind({ line, column, keyText }: Member): string[] {
    const found = /\s(#.*)$/.exec(lines[line]!.slice(column + keyText.length))?.[1]
    return found ? [found] : []
  }

  /** The line of a member with another value. */
  function replacedScalar(member: Member, node: ScalarNode): string | null {
    const at = source.valueSpan(member.value)
    if (!at || at.line !== member.line) return null
    const line = lines[member.line]!
    const gap = line.slice(0, at.from).endsWith(':') ? ' ' : ''
    return `${line.slice(member.column, at.from)}${gap}${scalarText(node)}${line.slice(at.to)}`
  }

  /** The value as the file has it, when it comes from there. */
  function scalarText(node: ScalarNode): string {
    const written = source.valueAt(node.at)
    const value = written && source.valueText(written)
    if (value && written && 'value' in written && written.value === node.value) return value
    return freshScalar(node.value)
  }

  return { span, moved, commentBehind, replacedScalar, scalarText }
}

/** The lines with `key` in place of the key of the member, with which the first line begins. */
function renamed(
  [first = '', ...rest]: readonly string[],
  key: string,
  { key: was, keyText: written }: Member,
): string[] {
  if (key === was) return [first, ...rest]
  const at = first.indexOf(written)
  return [first.slice(0, at) + keyText(key) + first.slice(at + written.length), ...rest]
}

const isComment = (line: string): boolean => line.trimStart().startsWith('#')
const keyText = (key: string): string => freshScalar(key)

/** Text, number, boolean or null on one line. */
function freshScalar(value: ScalarNode['value']): string {
  const text = stringify(value, { lineWidth: 0, version: '1.2' }).trimEnd()
  const awkward = typeof value === 'string' && (/[\n\r\t]/.test(value) || looksLikeDate(value) || text.includes('\n'))
  return awkward ? JSON.stringify(value) : text
}

/** Moves lines to the right, or to the left as far as they have blanks. */
function shift(lines: readonly string[], by: number): string[] {
  if (by === 0) return [...lines]
  return lines.map((line) => {
    if (line.trim() === '') return line
    if (by > 0) return ' '.repeat(by) + line
    const blanks = line.search(/[^ ]/)
    return line.slice(Math.min(-by, blanks))
  })
}
