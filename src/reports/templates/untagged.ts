/**
 * Keeps the paragraphs, tables and rows of a document that hold no tag as text: a tree of all of them takes seconds and hundreds of
 * megabytes. A comment stands for them in the tree.
 */
import { parseTags } from './tags.ts'
import { unescapeXml } from './xml.ts'

export const WORD = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main'

/** Elements of a comment, by kind. */
export interface Counts {
  readonly p: number
  readonly tbl: number
  readonly tr: number
}

export interface Untagged {
  /** The part with comments. */
  readonly xml: string
  /** The texts that the comments stand for, by their numbers. */
  readonly texts: readonly string[]
}

/** Content that is filled, numbered anew or looked for in the whole document, in an attribute or a text; `{` as an entity included. */
const NEEDS_TREE =
  /[{]|&#|[<:](?:drawing|pict|object|sectPr|docPr|bookmark\w+|comment\w+|perm(?:Start|End)|(?:foot|end)noteReference|dataBinding|AlternateContent|txbxContent)[\s/>]/

const commentOf = (index: number, { p, tbl, tr }: Counts): string => `footman-text:${index} ${p} ${tbl} ${tr}`
/** The comments that stand for texts, those of filled rows included, with the number of the text. */
export const COMMENT = /<!--footman-text:(\d+)(?: \d+ \d+ \d+)?-->/g

/** The elements that a comment stands for; null for other comments. */
export function countsOf(comment: string): Counts | null {
  const [, p, tbl, tr] = /^footman-text:\d+ (\d+) (\d+) (\d+)$/.exec(comment) ?? []
  return tr === undefined ? null : { p: Number(p), tbl: Number(tbl), tr: Number(tr) }
}

/** Takes what holds no tag out of the main part of a document, the content of loops excepted. The XML has to be well-formed. */
export function takeUntagged(xml: string): Untagged {
  // Other prefixes are rare, and in a comment or section the beginning of an element is none.
  if (!xml.includes(`xmlns:w="${WORD}"`) || xml.includes('<!')) return { xml, texts: [] }
  const texts: string[] = []
  const pieces: string[] = []
  let behind = 0
  let open: { readonly start: number; end: number; counts: Counts } | null = null
  /** Loops and levels that are open: their content is copied as a tree. */
  let depth = 0

  function close(): void {
    if (!open) return
    const { start, end, counts } = open
    pieces.push(xml.slice(behind, start), `<!--${commentOf(texts.length, counts)}-->`)
    texts.push(xml.slice(start, end))
    behind = end
    open = null
  }
  function take({ start, end, name }: Found): void {
    if (!open || xml.slice(open.end, start).trim() !== '') {
      close()
      open = { start, end, counts: { p: 0, tbl: 0, tr: 0 } }
    }
    open.end = end
    open.counts = { ...open.counts, [name]: open.counts[name] + 1 }
  }
  function visit(from: number, to: number, tags: RegExp): void {
    for (const found of outermost(xml, from, to, tags)) {
      const source = xml.slice(found.start, found.end)
      if (depth === 0 && !NEEDS_TREE.test(source)) take(found)
      else {
        close()
        if (found.name === 'tbl') visit(found.start, found.end, ROW_TAGS)
        else if (source.includes('{')) depth = Math.max(0, depth + openedBy(source))
      }
    }
    close()
  }

  visit(0, xml.length, BLOCK_TAGS)
  pieces.push(xml.slice(behind))
  return { xml: pieces.join(''), texts }
}

interface Found {
  readonly name: keyof Counts
  readonly start: number
  readonly end: number
}

const BLOCK_TAGS = /<(\/?)w:(p|tbl)(?=[\s/>])(?:[^>"']|"[^"]*"|'[^']*')*>/g
const ROW_TAGS = /<(\/?)w:(tr)(?=[\s/>])(?:[^>"']|"[^"]*"|'[^']*')*>/g

/** The elements of these tags that lie in no other of them. */
function* outermost(xml: string, from: number, to: number, tags: RegExp): Generator<Found> {
  let start = 0
  let depth = 0
  let end = from
  for (;;) {
    tags.lastIndex = end
    const match = tags.exec(xml)
    if (!match || match.index >= to) return
    end = tags.lastIndex
    const name = match[2] as keyof Counts
    const isClosing = match[1] === '/'
    if (depth === 0) start = match.index
    if (isClosing) depth--
    else if (!match[0].endsWith('/>')) depth++
    if (depth === 0) yield { name, start, end }
  }
}

/** Loops and levels that the text opens and does not close; negative when it closes more. */
function openedBy(source: string): number {
  const tags = parseTags(unescapeXml(source.replaceAll(/<[^<>]*>/g, '')))
  return tags.reduce((depth, { kind }) => {
    if (kind === 'open' || kind === 'level') return depth + 1
    return kind === 'close' || kind === 'levelEnd' ? depth - 1 : depth
  }, 0)
}
