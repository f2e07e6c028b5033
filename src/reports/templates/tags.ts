/** Tags in the texts of Office templates: `{{name | format}}`, `{{=expression}}`, `{{#rows}} ... {{/rows}}`, `{{@level}}`. */

import type { TemplateProblem } from './contract.ts'
import { parseFormat, type TextFormat } from './formats.ts'

/** Names joined by dots, brackets removed: `{{detail.$total.[Sales amount]}}` = detail, $total, Sales amount. */
export type Path = readonly string[]

interface Source {
  /** Offsets in the text. */
  readonly start: number
  readonly end: number
  /** With its braces. */
  readonly source: string
}
interface Kinds {
  value: { readonly path: Path; readonly format: TextFormat | null }
  expression: { readonly expression: string }
  /** `#` or, with `not`, `^`. */
  open: { readonly path: Path; readonly not: boolean }
  close: { readonly path: Path }
  level: { readonly path: Path; readonly pageBreak: boolean }
  levelEnd: { readonly path: Path }
  /** `{{{{`, which stands for two braces. */
  literal: object
  invalid: { readonly problem: string }
}
export type Tag = { [Kind in keyof Kinds]: Source & { readonly kind: Kind } & Kinds[Kind] }[keyof Kinds]
export type TagOf<Kind extends Tag['kind']> = Extract<Tag, { readonly kind: Kind }>
/** A tag that is replaced by a text. */
export type TextTag = TagOf<'value' | 'expression'>

type Parsed = { [Kind in keyof Kinds]: { readonly kind: Kind } & Kinds[Kind] }[keyof Kinds]

const LITERAL = '{{{{'
const EXPRESSION = /\s*=/y
const SEGMENT = /\s*(?:\[([^\]]+)\]|(\$?[\p{L}_][\p{L}\p{N}_]*))\s*/uy

/** The tags of a text in their order; text between them is none of ours. Never throws: a bad tag has the kind `invalid`. */
export function parseTags(text: string): Tag[] {
  const tags: Tag[] = []
  const lastBracket = text.lastIndexOf(']')
  for (let start = text.indexOf('{{'); start >= 0; ) {
    const end = endOf(text, start, lastBracket)
    const source = text.slice(start, end)
    tags.push({ ...parseTag(source), start, end, source } as Tag)
    start = text.indexOf('{{', end)
  }
  return tags
}

export const hasTags = (text: string): boolean => text.includes('{{')

/** Whether XML source holds tags, in texts or attributes; they may be split over elements. */
export const holdsTags = (xml: string): boolean => hasTags(xml) || hasTags(xml.replaceAll(/<[^<>]*>/g, ''))

/** Column labels in brackets may hold `}}`; an expression ends at the first `}}`. `lastBracket`: of the text, -1 = none. */
function endOf(text: string, start: number, lastBracket: number): number {
  if (text.startsWith(LITERAL, start)) return start + LITERAL.length
  EXPRESSION.lastIndex = start + 2
  const isExpression = EXPRESSION.test(text)
  for (let at = start + 2; at < text.length; at++) {
    if (text.startsWith('}}', at)) return at + 2
    if (!isExpression && text[at] === '[' && at < lastBracket) at = text.indexOf(']', at)
  }
  return text.length
}

function parseTag(source: string): Parsed {
  if (source === LITERAL) return { kind: 'literal' }
  if (!source.endsWith('}}')) return invalid('the tag is not closed by }}')
  const inner = source.slice(2, -2).trim()
  const rest = inner.slice(1).trim()
  switch (inner[0]) {
    case undefined:
      return invalid('the tag is empty')
    case '=':
      return rest === '' ? invalid('the expression is missing') : { kind: 'expression', expression: rest }
    case '#':
    case '^':
      return named(rest, (path) => ({ kind: 'open', path, not: inner[0] === '^' }))
    case '/':
      return rest.startsWith('@')
        ? named(rest.slice(1), (path) => ({ kind: 'levelEnd', path }))
        : named(rest, (path) => ({ kind: 'close', path }))
    case '@':
      return parseLevel(rest)
    default:
      return parseValue(inner)
  }
}

const invalid = (problem: string): Parsed => ({ kind: 'invalid', problem })

function parseLevel(inner: string): Parsed {
  const [name = '', ...options] = inner.split(/\s+/)
  const unknown = options.find((option) => option !== 'pageBreak')
  if (unknown !== undefined) return invalid(`unknown option "${unknown}"; the only one is pageBreak`)
  return named(name, (path) => ({ kind: 'level', path, pageBreak: options.length > 0 }))
}

function parseValue(inner: string): Parsed {
  const bar = barOf(inner)
  if (bar < 0) return named(inner, (path) => ({ kind: 'value', path, format: null }))
  const format = parseFormat(inner.slice(bar + 1))
  if (typeof format === 'string') return invalid(format)
  return named(inner.slice(0, bar), (path) => ({ kind: 'value', path, format }))
}

/** The place of the first `|` outside of labels in brackets; -1 = none. */
function barOf(inner: string): number {
  for (let at = 0; at < inner.length; at++) {
    if (inner[at] === '|') return at
    if (inner[at] !== '[') continue
    const closing = inner.indexOf(']', at)
    if (closing < 0) return inner.indexOf('|', at)
    at = closing
  }
  return -1
}

function named(text: string, make: (path: Path) => Parsed): Parsed {
  const path: string[] = []
  for (let at = 0; ; at++) {
    SEGMENT.lastIndex = at
    const match = SEGMENT.exec(text)
    if (!match) break
    path.push((match[1]?.trim() ?? match[2])!)
    at = SEGMENT.lastIndex
    if (at === text.length) return make(path)
    if (text[at] !== '.') break
  }
  return invalid(`"${text}" is no name; a label that is no plain word stands in brackets: [Sales amount]`)
}

const PLAIN = /^\$?[\p{L}_][\p{L}\p{N}_]*$/u

/** A path as it is written in a tag. */
export const pathText = (path: Path): string =>
  path.map((segment) => (PLAIN.test(segment) ? segment : `[${segment}]`)).join('.')

/** A tag somewhere in a template. */
export interface Occurrence {
  readonly tag: Tag
  readonly place: string
}

/** An opening tag with its closing tag and the pairs between them. */
export interface Pair<Item extends Occurrence> {
  readonly open: Item
  readonly close: Item
  readonly inner: readonly Pair<Item>[]
}

/**
 * Pairs opening and closing tags of a text in reading order; tags of levels too when `pairLevels`. A tag without its
 * partner is a `TEMPLATE_LOOP` problem and is left out.
 */
export function pairTags<Item extends Occurrence>(
  items: readonly Item[],
  { pairLevels }: { readonly pairLevels: boolean },
): { readonly pairs: readonly Pair<Item>[]; readonly problems: readonly TemplateProblem[] } {
  const problems: TemplateProblem[] = []
  const pairs: Pair<Item>[] = []
  const open: { readonly item: Item; readonly key: string; readonly inner: Pair<Item>[] }[] = []
  const problem = ({ tag, place }: Item, details: string) =>
    problems.push({ code: 'TEMPLATE_LOOP', place, details: `${tag.source}: ${details}` })

  for (const item of items) {
    const { tag } = item
    const isLevel = tag.kind === 'level' || tag.kind === 'levelEnd'
    if (isLevel && !pairLevels) {
      if (tag.kind === 'levelEnd') problem(item, 'sheets and slides are repeated as a whole; there is no closing tag')
    } else if (tag.kind === 'open' || tag.kind === 'level') {
      open.push({ item, key: keyOf(isLevel, tag.path), inner: [] })
    } else if (tag.kind === 'close' || tag.kind === 'levelEnd') {
      const at = open.findLastIndex(({ key }) => key === keyOf(isLevel, tag.path))
      const opening = open[at]
      if (!opening) {
        problem(item, 'there is no opening tag before it')
        continue
      }
      for (const { item: left } of open.splice(at + 1)) {
        problem(left, `is closed after ${tag.source}, or not at all; loops must not overlap`)
      }
      open.pop()
      const siblings = open.at(-1)?.inner ?? pairs
      siblings.push({ open: opening.item, close: item, inner: opening.inner })
    }
  }
  for (const { item, key } of open) problem(item, `the closing tag {{/${key}}} is missing`)
  return { pairs, problems }
}

const keyOf = (isLevel: boolean, path: Path) => `${isLevel ? '@' : ''}${pathText(path)}`
