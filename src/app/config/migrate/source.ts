/**
 * The text of a configuration as lines that belong to keys: what stands above a key, what behind it, where it ends.
 * Every line belongs to exactly one thing, so that nothing is lost when keys move.
 */
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, type Node, type Pair } from 'yaml'
import type { Place } from '../../../config/problems.ts'
import type { ParsedYaml } from '../../../config/yaml.ts'

/** Lines `from` up to, not including, `to`; counted from 0. */
export type Span = readonly [from: number, to: number]

/** A key with its value, or an item of a list. */
export interface Member {
  readonly kind: 'pair' | 'item' | 'merge'
  /** '' when it has none. */
  readonly key: string
  /** The key as it is written. */
  readonly keyText: string
  readonly line: number
  readonly column: number
  readonly value: Node | null
  /** Comments and blank lines above that a blank line separates from the member. */
  readonly detached: Span
  /** Comments directly above. */
  readonly own: Span
  /** The line behind its last. */
  readonly end: number
  /** Inside `{}` or `[]`: has no lines of its own. */
  readonly flow: boolean
  /** Its content, when that has its own lines. */
  readonly block: Block | null
}

export interface Block {
  readonly members: readonly Member[]
  readonly column: number
  /** Comments behind the last member. */
  readonly tail: Span
}

export interface Source {
  readonly lines: readonly string[]
  /** Null when the file is not written in lines (`{...}`). */
  readonly root: Block | null
  readonly preamble: Span
  /** Blanks of one level. */
  readonly step: number
  /** The pair whose key stands there. */
  pairAt(place: Place): Member | undefined
  /** The whole content of the file. */
  readonly contents: Node | null
  /** The pair whose value stands there. */
  pairOfValueAt(place: Place): Member | undefined
  /** The item of a list whose value stands there. */
  itemAt(place: Place): Member | undefined
  /** The value of a pair or item that stands there. */
  valueAt(place: Place): Node | null
  /** Where the key of a pair stands; '' for an item. */
  keyPlace(member: Member): string
  /** The text of a value on one line; null when it has several, or stands for something else. */
  valueText(value: Node | null): string | null
  /** Line of the first and column behind the last character of a value on one line. */
  valueSpan(value: Node | null): { readonly line: number; readonly from: number; readonly to: number } | null
  /** Whether the value contains anchors or aliases. */
  linked(member: Member): boolean
  /** Comments inside a value that is written as `{}` or `[]`, or behind one on one line. */
  commentsIn(value: Node | null): string[]
}

export const placeKey = ({ line, column }: Place): string => `${line}:${column}`

export function readSource({ document, source, place }: ParsedYaml): Source {
  const layout = createLayout(source, place)
  const { lines, lineOf, columnOf } = layout
  const index = createIndex(place)

  /** `first`: the first line whose comments may belong to the block; `end`: behind its last. */
  function blockOf(node: BlockNode, first: number, end: number): Block | null {
    const starts = node.items.map((item) => (isPair(item) ? layout.keyStart(item) : layout.dashStart(node, item)))
    const column = starts[0]?.column
    if (column === undefined || starts.some((start) => start === null)) return null
    const members: Member[] = []
    let from = first
    for (const [at, item] of node.items.entries()) {
      const { line } = starts[at]!
      const next = starts[at + 1]?.line ?? end
      const content = layout.lastLine(item, line) + 1
      const stop = content + layout.deeperComments(content, next, column)
      members.push(member(item, { line, column, from: Math.min(from, line), end: stop }))
      from = stop
    }
    return { members, column, tail: [from, end] }
  }

  function member(item: unknown, { line, column, from, end }: Extent): Member {
    const value = contentOf(item)
    const own = layout.firstOfParagraph(from, line)
    const made: Member = {
      ...facts(item, source),
      line,
      column,
      value,
      end,
      flow: false,
      detached: [from, own],
      own: [own, line],
      block: isBlock(value) ? blockOf(value, layout.firstInside(value, line), end) : null,
    }
    index.add(item, made)
    if (!made.block) flowMembers(value)
    return made
  }

  function flowMembers(node: unknown): void {
    if (isMap(node) || isSeq(node)) for (const item of node.items) flowMember(item)
  }

  function flowMember(item: unknown): void {
    const value = contentOf(item)
    const start = isPair(item) ? startOf(item.key) : startOf(item)
    const none: Span = [0, 0]
    index.add(item, {
      ...facts(item, source),
      line: lineOf(start),
      column: columnOf(start),
      value,
      end: 0,
      detached: none,
      own: none,
      flow: true,
      block: null,
    })
    flowMembers(value)
  }

  const contents = document.contents as Node | null
  const first = contents ? layout.firstLine(contents) : 0
  const root = isBlock(contents) ? blockOf(contents, first, lines.length) : null
  if (!root) flowMembers(contents)

  return {
    lines,
    root,
    contents,
    preamble: [0, first],
    step: stepOf(root),
    pairAt: index.pairAt,
    pairOfValueAt: index.pairOfValueAt,
    itemAt: index.itemAt,
    valueAt: (at) => (index.pairOfValueAt(at) ?? index.itemAt(at))?.value ?? null,
    keyPlace: index.keyPlace,
    valueSpan: layout.valueSpan,
    valueText(value) {
      const span = layout.valueSpan(value)
      return span && lines[span.line]!.slice(span.from, span.to)
    },
    linked: ({ value }) => hasLinks(value),
    commentsIn: (value) => commentsOf(value),
  }
}

/** The lines of a member: `from` the first of its comments, `line` that of its key, `end` behind its last. */
interface Extent {
  readonly line: number
  readonly column: number
  readonly from: number
  readonly end: number
}

/** Where nodes stand in the text. Lines and columns are counted from 0. */
function createLayout(source: string, place: ParsedYaml['place']) {
  const lines = source.split('\n')
  const lineOf = (offset: number) => place(offset).line - 1
  const columnOf = (offset: number) => place(offset).column - 1

  /** The last line that the value itself needs. */
  function lastLine(node: unknown, fallback: number): number {
    if (isPair(node)) return lastLine(node.value, lastLine(node.key, fallback))
    if (isBlock(node)) return node.items.reduce<number>((last, item) => lastLine(item, last), fallback)
    if (!isNode(node) || !node.range) return fallback
    const [from, to] = node.range
    return to > from ? Math.max(fallback, lineOf(to - 1)) : fallback
  }

  /** `? key` and keys with an anchor or a tag. */
  function isExplicit(key: Node): boolean {
    const before = lines[lineOf(startOf(key))]!.slice(0, columnOf(startOf(key)))
    return !/^[ \t]*(?:-[ \t]+)*$/.test(before)
  }

  return {
    lines,
    lineOf,
    columnOf,
    lastLine,

    /** Null for a key that is written in a way that is not moved line by line. */
    keyStart({ key }: Pair): Start | null {
      if (!isScalar(key) || !key.range || isExplicit(key)) return null
      return { line: lineOf(key.range[0]), column: columnOf(key.range[0]) }
    },

    dashStart(list: Node, item: unknown): Start | null {
      const column = columnOf(startOf(list))
      const first = lineOf(startOf(list))
      for (let line = lineOf(startOf(item)); line >= first; line--) {
        const text = lines[line]!
        if (text[column] === '-' && (line === first || text.slice(0, column).trim() === '')) return { line, column }
      }
      return null
    },

    /** How many of the lines behind a member are comments that stand deeper than it, and so belong to it. */
    deeperComments(from: number, to: number, column: number): number {
      let count = 0
      for (let index = from; index < to; index++) {
        const line = lines[index]!
        if (line.trim() !== '' && line.search(/\S/) > column) count = index - from + 1
      }
      return count
    },

    /** The first of the lines above `line`, not above `from`, that no blank line separates from it. */
    firstOfParagraph(from: number, line: number): number {
      let first = line
      while (first > from && lines[first - 1]!.trim() !== '') first--
      return first
    },

    /** The first line below the key; the line of the item itself where its first key stands behind the dash. */
    firstInside: (value: Node, line: number): number => Math.min(line + 1, Math.max(line, lineOf(startOf(value)))),

    /** The first line of the content: behind directives and the line `---`. */
    firstLine(contents: Node): number {
      const at = lineOf(startOf(contents))
      return lines.findIndex((line, index) => index < at && /^---(\s|$)/.test(line)) + 1
    },

    valueSpan(value: Node | null) {
      if (!value?.range || isAlias(value)) return null
      const [from, to] = value.range
      const text = source.slice(from, to)
      if (text.includes('\n') || (isScalar(value) && /^BLOCK/.test(value.type ?? ''))) return null
      return { line: lineOf(from), from: columnOf(from), to: columnOf(from) + text.length }
    },
  }
}

/** The members by the places of their keys and values. */
function createIndex(place: ParsedYaml['place']) {
  const keys = new Map<string, Member>()
  const values = new Map<string, Member>()
  const items = new Map<string, Member>()
  const places = new Map<Member, string>()
  return {
    add(item: unknown, made: Member): void {
      if (!isPair(item)) {
        items.set(placeKey(place(startOf(item))), made)
        return
      }
      const at = placeKey(place(startOf(item.key)))
      keys.set(at, made)
      places.set(made, at)
      if (item.value) values.set(placeKey(place(startOf(item.value))), made)
    },
    pairAt: (at: Place) => keys.get(placeKey(at)),
    pairOfValueAt: (at: Place) => values.get(placeKey(at)),
    itemAt: (at: Place) => items.get(placeKey(at)),
    keyPlace: (pair: Member) => places.get(pair) ?? '',
  }
}

/** The kind of the member and its key. */
function facts(item: unknown, source: string): Pick<Member, 'kind' | 'key' | 'keyText'> {
  if (!isPair(item)) return { kind: 'item', key: '', keyText: '' }
  const key = item.key
  if (!isScalar(key)) return { kind: 'pair', key: '', keyText: '' }
  const [start = 0, end = 0] = key.range ?? []
  const kind = typeof key.value === 'symbol' ? 'merge' : 'pair'
  return { kind, key: kind === 'pair' ? String(key.value) : '<<', keyText: source.slice(start, end) }
}

const startOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0)

const contentOf = (item: unknown): Node | null => (isPair(item) ? item.value : item) as Node | null

type BlockNode = Node & { readonly items: readonly unknown[] }

interface Start {
  readonly line: number
  readonly column: number
}

function isBlock(node: unknown): node is BlockNode {
  return (isMap(node) || isSeq(node)) && node.flow !== true && node.items.length > 0
}

function stepOf(block: Block | null): number {
  const below = block?.members.find((member) => member.block && member.kind === 'pair')
  return below?.block ? Math.max(below.block.column - below.column, 1) : 2
}

function hasLinks(node: unknown): boolean {
  if (!isNode(node)) return false
  if (isAlias(node) || node.anchor) return true
  if (!isMap(node) && !isSeq(node)) return false
  return node.items.some((item) => (isPair(item) ? hasLinks(item.value) || isMerge(item) : hasLinks(item)))
}

const isMerge = (pair: Pair): boolean => isScalar(pair.key) && typeof pair.key.value === 'symbol'

/** The lines of the comments, each with its `#`. */
function commentsOf(node: unknown): string[] {
  if (!isNode(node)) return []
  const inside =
    isMap(node) || isSeq(node)
      ? node.items.flatMap((item) =>
          isPair(item) ? [...commentsOf(item.key), ...commentsOf(item.value)] : commentsOf(item),
        )
      : []
  return [...commentLines(node.commentBefore), ...inside, ...commentLines(node.comment)]
}

const commentLines = (comment: string | null | undefined): string[] =>
  comment ? comment.split('\n').map((line) => `#${line}`) : []
