/**
 * YAML as Butler reads it: version 1.2 with the core schema and merge keys, one document, no duplicate keys. The text
 * becomes a tree that knows its lines.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from 'yaml'
import { errorText } from '../platform/errors.ts'
import type { Place, ProblemList } from './problems.ts'
import { emptyMap, type MapNode, type Path, pathText, type TreeNode } from './tree.ts'

/** More nodes than any honest file has; aliases of aliases grow without limit. */
const MAX_NODES = 200_000
const MAX_DEPTH = 100

/** Texts that YAML 1.1 and Butler's parser read as a date or time. */
const TIMESTAMP =
  /^\d{4}-\d{2}-\d{2}$|^\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2}(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d{1,2}(?::?\d{2})?))?$/

/** Whether a parser of Butler would take the unquoted text for a date. */
export const looksLikeDate = (text: string): boolean => TIMESTAMP.test(text)

/** The text as the library reads it. */
export interface ParsedYaml {
  readonly document: Document.Parsed
  /** The text that was read; places and offsets refer to it. */
  readonly source: string
  /** Where an offset of the text stands. */
  place(offset: number): Place
}

/** The tree of the text; null when it cannot be read. `file` is only named in problems. */
export function readYaml(text: string, file: string, problems: ProblemList): TreeNode | null {
  const parsed = parseYaml(text, file, problems)
  return parsed && treeOf(parsed, problems)
}

/** The tree of what was parsed; null when it is more than a configuration can be. */
export function treeOf({ document, place }: ParsedYaml, problems: ProblemList): TreeNode | null {
  try {
    return createBuilder(document, place, problems).build()
  } catch (error) {
    const message = `is not valid YAML: ${firstLine(errorText(error))}`
    problems.add({ severity: 'error', path: '', message, ...place(0) })
    return null
  }
}

/** Parses the text; null when it is not valid YAML. */
export function parseYaml(text: string, file: string, problems: ProblemList): ParsedYaml | null {
  const lines = new LineCounter()
  const given = withoutEllipses(
    text.replace(/^\uFEFF/, '').replace(/^%YAML[ \t]+1\.1(?=\s)/, '%YAML 1.2'),
    file,
    problems,
  )
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const refuse = (offset: number, message: string, hint?: string): null => {
    problems.add({ severity: 'error', path: '', message, ...(hint ? { hint } : {}), ...place(offset) })
    return null
  }
  // The library takes a carriage return alone for no end of a line: the whole file would be one line.
  const hint = 'save the file with the line ends of Windows (CRLF) or Unix (LF)'
  if (given.includes('\r') && !given.includes('\n')) {
    return refuse(given.indexOf('\r'), 'has the line ends of old Macs (CR only)', hint)
  }
  // Among other ends of lines it is one, as it was for the predecessor: a comment would hide the next line. Offsets stay.
  const source = given.replace(/\r(?!\n)/g, '\n')
  try {
    const document = parseDocument(source, {
      lineCounter: lines,
      merge: true,
      prettyErrors: false,
      resolveKnownTags: false,
      version: '1.2',
    })
    const broken = withoutFollowUps([...document.errors, ...document.warnings], source)
    if (source !== given) {
      const message = 'has lines that end as on old Macs (CR only) among others; they are read as lines'
      problems.add({ severity: 'warning', path: '', message, hint, ...place(given.search(/\r(?!\n)/)) })
    }
    for (const { code, message, pos, hint } of broken) {
      refuse(pos[0], `is not valid YAML: ${MESSAGES[code] ?? firstLine(message)}`, hint ?? HINTS[code])
    }
    return broken.length > 0 ? null : { document, source, place }
  } catch (error) {
    return refuse(0, `is not valid YAML: ${firstLine(errorText(error))}`)
  }
}

interface YamlError {
  readonly code: string
  readonly message: string
  readonly pos: readonly [number, number]
  readonly hint?: string
}

/**
 * A tab or a wrong indentation puts everything below it in the wrong place: the errors that follow from it would hide the
 * reason.
 */
function withoutFollowUps(broken: readonly YamlError[], source: string): readonly YamlError[] {
  const tab = broken.find(({ code }) => code === 'TAB_AS_INDENT')
  const indent = indentError(broken, source)
  const first = indent && (!tab || indent.pos[0] < tab.pos[0]) ? indent : tab
  return first ? [...broken.filter((one) => one.pos[0] < first.pos[0] && !isAboutIndent(one)), first] : broken
}

const isAboutIndent = ({ code, message }: YamlError): boolean =>
  /^(BLOCK_AS_IMPLICIT_KEY|MULTILINE_IMPLICIT_KEY)$/.test(code) ||
  /^(All \w+ items|Sequence item without)/.test(message)

/** The first error about indentation, at the line that is wrong; null without one. */
function indentError(broken: readonly YamlError[], source: string): YamlError | null {
  for (const { code, message, pos } of broken) {
    if (/^(All \w+ items|Sequence item without)/.test(message)) return unfitting(source, pos[0])
    // The key that the library sees goes from the line above to the one that is indented too far.
    if (code === 'MULTILINE_IMPLICIT_KEY') {
      return source.slice(...pos).includes('\n') ? acrossLines(source, pos) : unfitting(source, pos[0])
    }
  }
  return null
}

const INDENT_HINT = 'indent the lines of one section alike; only a line that ends with ":" has deeper lines below it'

function unfitting(source: string, offset: number): YamlError {
  const { start, indent } = lineAt(source, offset)
  const message = `the line is indented by ${blanks(indent)}, which fits no line above it`
  return { code: 'INDENT', message, pos: [start + indent, start + indent], hint: INDENT_HINT }
}

function acrossLines(source: string, [from, to]: readonly [number, number]): YamlError {
  const above = lineAt(source, from)
  const line = lineAt(source, to - 1)
  if (line.indent <= above.indent) {
    const message = 'the line is no "key: value"'
    const at = above.start + above.indent
    return { code: 'NO_VALUE', message, pos: [at, at], hint: 'write a colon and a blank behind the key' }
  }
  const message = `the line is indented by ${blanks(line.indent)}, the line above it by ${blanks(above.indent)}`
  const at = line.start + line.indent
  return { code: 'INDENT', message, pos: [at, at], hint: INDENT_HINT }
}

/** Offset of the beginning of a line, and how many blanks it begins with. */
function lineAt(source: string, offset: number): { readonly start: number; readonly indent: number } {
  const start = source.lastIndexOf('\n', offset - 1) + 1
  return { start, indent: /^ */.exec(source.slice(start))![0].length }
}

const blanks = (count: number): string => `${count} ${count === 1 ? 'blank' : 'blanks'}`

const MESSAGES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'the key stands twice in its section',
  MULTIPLE_DOCS: 'more than one document in the file',
}

const HINTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'remove one of them',
  TAB_AS_INDENT: 'indent with blanks',
  BLOCK_AS_IMPLICIT_KEY: 'put a value that contains ": " in quotes',
  BAD_DQ_ESCAPE:
    'in double quotes a backslash begins a sign like \\t: take single quotes, or write every backslash twice',
  MULTIPLE_DOCS: 'remove the line ---',
  BAD_ALIAS: 'the anchor (&name) must stand above its alias (*name)',
  TAG_RESOLVE_FAILED: 'tags (!name) are not supported; remove it or put the value in quotes',
}

/** Lines of only `...`, as examples have them for "left out", are skipped. */
function withoutEllipses(text: string, file: string, problems: ProblemList): string {
  if (!/^[ \t]*\.\.\.[ \t]*$/m.test(text)) return text
  return text
    .split('\n')
    .map((line, index) => {
      if (!/^[ \t]*\.\.\.[ \t]*\r?$/.test(line)) return line
      const place = { file, line: index + 1, column: line.indexOf('.') + 1 }
      const hint = 'remove it'
      problems.add({ severity: 'warning', path: '', message: 'the line "..." is skipped', hint, ...place })
      return ''
    })
    .join('\n')
}

function firstLine(message: string): string {
  return message.split('\n')[0]?.replace(/:$/, '') ?? message
}

/** Thrown while building, reported by `readYaml`'s caller as a problem with a place. */
class Refused extends Error {}

function createBuilder(document: Document.Parsed, place: (offset: number) => Place, problems: ProblemList) {
  const targets = aliasTargets(document)
  let nodes = 0

  function build(): TreeNode | null {
    if (!document.contents) return emptyMap(place(0))
    try {
      return tree(document.contents, [], [])
    } catch (error) {
      if (error instanceof Refused) return null
      throw error
    }
  }

  function refuse(node: Node | null, path: Path, message: string): never {
    problems.add({ severity: 'error', path: pathText(path), message, ...at(node) })
    throw new Refused(message)
  }

  function at(node: Node | null | undefined): Place {
    return place(node?.range?.[0] ?? 0)
  }

  function tree(node: Node | null, path: Path, open: readonly Node[]): TreeNode {
    nodes++
    if (nodes > MAX_NODES) refuse(node, path, 'the file is too large: its aliases repeat too much')
    if (path.length > MAX_DEPTH) refuse(node, path, `is nested deeper than ${MAX_DEPTH} levels`)
    if (node === null) return { kind: 'scalar', value: null, at: place(0) }
    if (isAlias(node)) return aliased(node, path, open)
    if (isScalar(node)) return scalar(node, path)
    if (isSeq(node)) {
      const items = node.items.map((item, index) => tree(item as Node | null, [...path, index], [...open, node]))
      return { kind: 'list', items, at: at(node) }
    }
    if (isMap(node)) return map(node, path, [...open, node])
    return refuse(node, path, 'is not understood')
  }

  function aliased(node: Node, path: Path, open: readonly Node[]): TreeNode {
    const target = targets.get(node)
    if (!target) return refuse(node, path, 'is an alias without its anchor')
    if (open.includes(target)) return refuse(node, path, 'is an alias of a section that contains it')
    return tree(target, path, open)
  }

  function scalar(node: Scalar, path: Path): TreeNode {
    const { value } = node
    const plainText = node.type === 'PLAIN' && typeof value === 'string'
    if (value !== null && !['string', 'number', 'boolean'].includes(typeof value)) {
      return refuse(node, path, 'is not a text, number or boolean')
    }
    const date = plainText && TIMESTAMP.test(value)
    return { kind: 'scalar', value: value as string | number | boolean | null, at: at(node), ...(date ? { date } : {}) }
  }

  function map(node: Node, path: Path, open: readonly Node[]): MapNode {
    const result = emptyMap(at(node))
    if (!isMap(node)) return result
    const merged: MapNode[] = []
    for (const { key, value } of node.items) {
      if (isMergeKey(key)) {
        merged.push(...mergeSources(value as Node | null, path, open))
        continue
      }
      if (!isScalar(key)) refuse(key as Node, path, 'a key must be a text')
      const name = String((key as Scalar).value)
      if (name === '__proto__') refuse(key as Node, path, '"__proto__" cannot be a key')
      const child = tree(value as Node | null, [...path, name], open)
      result.entries.set(name, {
        at: at(key as Node),
        node: value === null ? { ...child, at: at(key as Node) } : child,
      })
    }
    // Own keys win, then the first source that has a key.
    for (const source of merged) {
      for (const [name, entry] of source.entries) if (!result.entries.has(name)) result.entries.set(name, entry)
    }
    return result
  }

  function mergeSources(value: Node | null, path: Path, open: readonly Node[]): MapNode[] {
    const node = tree(value, path, open)
    const sources = node.kind === 'list' ? node.items : [node]
    return sources.map((source) =>
      source.kind === 'map' ? source : refuse(value, path, 'a merge key (<<) needs a section or a list of sections'),
    )
  }

  return { build }
}

/** The node of each alias: the last one before it with its anchor. Resolved together, because each single lookup searches the whole file. */
function aliasTargets(document: Document.Parsed): ReadonlyMap<Node, Node> {
  const anchors = new Map<string, Node>()
  const targets = new Map<Node, Node>()

  function look(node: unknown): void {
    if (!isNode(node)) return
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target) targets.set(node, target)
      return
    }
    if (node.anchor) anchors.set(node.anchor, node)
    if (isSeq(node)) for (const item of node.items) look(item)
    if (!isMap(node)) return
    for (const { key, value } of node.items) {
      look(key)
      look(value)
    }
  }

  look(document.contents)
  return targets
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && typeof key.value === 'symbol'
}
