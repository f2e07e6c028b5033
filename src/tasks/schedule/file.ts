/**
 * The schedule file. The yaml library reads it and says where each entry stands, so that a change rewrites one entry and
 * leaves every other character as it is: comments, blank lines, quotes, order.
 */
import { mkdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import {
  Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  stringify,
  visit,
  type YAMLMap,
} from 'yaml'
import { encodingNote, lostNote, refuseMarkup, strictText, TextError } from '../../platform/encodings.ts'
import { writeFileAtomic } from '../../platform/files.ts'
import type { ScheduleValues } from './types.ts'

export interface FileEntry {
  readonly values: ScheduleValues
  /** The entry as it stands in the file, with the comments directly above it and its line ends. */
  readonly text: string
  /** Line of the first member, from 1; null when that is not known. */
  readonly line: number | null
  /** The text differs from the one in the file and means the same. */
  readonly rewritten?: true
}

export type EntryPlace = Omit<FileEntry, 'values'>

export interface ScheduleDocument {
  /** Blanks before the dash of an entry. */
  readonly indent: number
  readonly entries: readonly FileEntry[]
  /** The text of the file with these entries, in order. */
  write(entries: readonly string[]): string
}

/** The file holds no schedules as it stands. */
export class ScheduleFileError extends Error {
  override readonly name = 'ScheduleFileError'
  constructor(
    readonly reason: string,
    /** From 1; null when it is about the whole file. */
    readonly line: number | null = null,
  ) {
    super(line === null ? reason : `line ${line}: ${reason}`)
  }
}

const KEY = 'butlerSchedule'
const MARK = '\uFEFF'
const YAML = { version: '1.2', merge: true, prettyErrors: false, resolveKnownTags: false } as const
const LINE_WIDTH = 80
/** That of Butler. */
const STYLE = { indent: 2, indentSeq: true, lineWidth: LINE_WIDTH, minContentWidth: 0, singleQuote: true } as const

/**
 * The text of a schedule file, with the byte order mark of UTF-8, which stays when the file is written. Files of other
 * encodings become UTF-8 then. A lost letter of a name is worth a note: the schedules run all the same. Throws a
 * `ScheduleFileError` for bytes that are no text.
 */
export function scheduleText(bytes: Uint8Array): { readonly text: string; readonly note: string | null } {
  try {
    const { text, encoding } = strictText(bytes)
    refuseMarkup(text)
    const mark = Buffer.from(bytes.subarray(0, 3)).toString() === MARK ? MARK : ''
    return { text: mark + text, note: encodingNote(encoding) ?? lostNote(text) }
  } catch (error) {
    if (!(error instanceof TextError)) throw error
    throw new ScheduleFileError(error.reason, error.line || null)
  }
}

/** Throws a `ScheduleFileError` with the reason and the line when the file cannot be used. */
export function readDocument(text: string): ScheduleDocument {
  const bom = text.startsWith(MARK) ? MARK : ''
  const eol = /\r\n/.test(text) ? '\r\n' : '\n'
  const { indent, entries, write } = read(text.slice(bom.length).replace(/\r\n?/g, '\n'))
  return { indent, entries, write: (changed) => bom + write(changed).replaceAll('\n', eol) }
}

function read(text: string): ScheduleDocument {
  const parsed = parse(text)
  const found = cut(parsed)
  if (found) return found
  // A list in brackets, or one with anchors, becomes a plain list when the file is written.
  const { document, values } = parsed
  visit(document, (_, node) => {
    if (isSeq(node) || isMap(node)) node.flow = false
  })
  for (const candidate of [document.toString(), stringify(document.toJS(), { aliasDuplicateObjects: false })]) {
    const plain = cut(parse(candidate))
    if (!plain || JSON.stringify(plain.entries.map((entry) => entry.values)) !== JSON.stringify(values)) continue
    const entries = plain.entries.map((entry, i) => ({ ...entry, line: lineOf(parsed, i), rewritten: true as const }))
    return { ...plain, entries }
  }
  throw new ScheduleFileError(`it is written in a way that cannot be kept; write ${KEY} as a plain list`)
}

interface Parsed {
  readonly text: string
  readonly document: ReturnType<typeof parseDocument>
  readonly values: readonly ScheduleValues[]
  readonly lines: LineCounter
}

function parse(text: string): Parsed {
  const lines = new LineCounter()
  const document = parseDocument(text, { ...YAML, lineCounter: lines })
  const [broken] = [...document.errors, ...document.warnings]
  if (broken) throw new ScheduleFileError(broken.message.split('\n')[0]!, lines.linePos(broken.pos[0]).line)
  if (document.contents === null) return { text, document, values: [], lines }
  if (!isMap(document.contents) || !document.has(KEY)) {
    throw new ScheduleFileError(`the key ${KEY} with a list of schedules is missing`)
  }
  const list = (document.toJS() as Record<string, unknown>)[KEY] ?? []
  if (!Array.isArray(list)) throw new ScheduleFileError(`${KEY} must be a list`)
  const stranger = list.findIndex((item) => typeof item !== 'object' || item === null || Array.isArray(item))
  if (stranger >= 0)
    throw new ScheduleFileError(`entry ${stranger + 1} of ${KEY} must have members like name and cronSchedule`)
  return { text, document, values: list, lines }
}

function lineOf({ document, lines }: Parsed, index: number): number | null {
  const node = document.getIn([KEY, index], true)
  return isNode(node) && node.range ? lines.linePos(node.range[0]).line : null
}

/** Null when the list is not written as entries one below the other, each with a meaning of its own. */
function cut(parsed: Parsed): ScheduleDocument | null {
  const { text, document, values } = parsed
  if (document.contents === null) return documentOf({ head: `${ended(text)}${KEY}:`, between: '\n', tail: '' })
  const root = document.contents as YAMLMap<Scalar, Node | null>
  if (root.flow) return null
  const { key, value } = root.items.find((pair) => pair.key.value === KEY)!
  const colon = text.indexOf(':', key.range![1]) + 1
  const head = text.slice(0, colon)
  if (!isSeq(value) || value.items.length === 0) {
    const [from, to] = value?.range ?? [colon, colon]
    const rest = from === to ? colon : to
    return documentOf({ head, between: text.slice(rest, lineEnd(text, rest)), tail: text.slice(lineEnd(text, rest)) })
  }
  const indent = columnOf(text, value.range![0])
  const places = value.items.map((node) => placeOf(text, node, indent))
  if (value.flow || !places.every((place) => place !== null)) return null
  const starts = places.map(({ dash }, i) => {
    const gap = text.slice(places[i - 1]?.end ?? lineEnd(text, colon), dash)
    return dash - commentsAbove(gap, indent)
  })
  const below = places.at(-1)!.end
  const tail = below + deeperComments(text.slice(below), indent)
  const entries = starts.map((start, i) => ({
    values: values[i]!,
    text: text.slice(start, starts[i + 1] ?? tail),
    line: lineOf(parsed, i),
  }))
  if (
    text.includes('&') &&
    hasAlias(document) &&
    entries.some((entry) => JSON.stringify(readEntry(entry.text)) !== JSON.stringify(entry.values))
  )
    return null
  const frame = { head, between: text.slice(colon, starts[0]), tail: text.slice(tail) }
  return documentOf(frame, entries, indent)
}

interface Frame {
  /** Up to the colon of the key. */
  readonly head: string
  /** The rest of its line, and the lines above the comments of the first entry. */
  readonly between: string
  /** Everything below the entries. */
  readonly tail: string
}

function documentOf({ head, between, tail }: Frame, entries: readonly FileEntry[] = [], indent: number = STYLE.indent) {
  const write = (changed: readonly string[]): string =>
    `${head}${changed.length === 0 ? ' []' : ''}${ended(between) || '\n'}${changed.map(ended).join('')}${tail}`
  return { indent, entries, write }
}

const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)
const columnOf = (text: string, at: number): number => at - (text.lastIndexOf('\n', at - 1) + 1)

/** Behind the line that the character before `at` ends or belongs to. */
function lineEnd(text: string, at: number): number {
  if (text[at - 1] === '\n') return at
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end + 1
}

/** Where the line of its dash begins, and where the last line of its members ends; null when no plain dash is before it. */
function placeOf(text: string, node: unknown, indent: number): { readonly dash: number; readonly end: number } | null {
  const range = isMap(node) ? node.range : null
  if (!range) return null
  const dash = text.lastIndexOf('-', range[0] - 1)
  if (dash < 0 || text.slice(dash + 1, range[0]).trim() !== '' || columnOf(text, dash) !== indent) return null
  return { dash: dash - indent, end: lineEnd(text, range[1]) }
}

/** Length of the comments that stand directly above an entry; those that stand deeper belong to the entry before. */
function commentsAbove(gap: string, indent: number): number {
  let length = 0
  for (const line of gap.split('\n').slice(0, -1).reverse()) {
    if (!line.trimStart().startsWith('#') || line.indexOf('#') > indent) break
    length += line.length + 1
  }
  return length
}

/** Length of the comments below the last member that are deeper than its dash, and so belong to its entry. */
function deeperComments(rest: string, indent: number): number {
  let [length, at] = [0, 0]
  for (const line of rest.split('\n')) {
    const column = line.search(/\S/)
    if (column >= 0 && line[column] !== '#') break
    at += line.length + 1
    if (column > indent) length = Math.min(at, rest.length)
  }
  return length
}

function hasAlias(document: Document): boolean {
  const found: unknown[] = []
  visit(document, (_, node) => void (isAlias(node) && found.push(node)))
  return found.length > 0
}

function entryOf(text: string) {
  const document = parseDocument(text, { ...YAML, compat: 'yaml-1.1' })
  const item = isSeq(document.contents) && document.contents.items.length === 1 ? document.contents.items[0] : null
  return isMap(item) && document.errors.length === 0 ? { document, map: item as YAMLMap<Scalar, Node | null> } : null
}

/** The members of an entry; null when it cannot be read by itself. */
export const readEntry = (text: string): ScheduleValues | null =>
  (entryOf(text)?.document.toJS() as ScheduleValues[] | undefined)?.[0] ?? null

/** A new entry in the style of Butler: `  - name: ...`. */
export const writeEntry = (values: ScheduleValues, indent: number): string =>
  written(new Document([values], { version: '1.2', compat: 'yaml-1.1' }), indent)

/** The entry with these members set, or taken out where they are undefined; comments stay. */
export function changeEntry(text: string, indent: number, changes: ScheduleValues): string {
  return Object.entries(changes).reduce((changed, [name, value]) => changeMember(changed, indent, name, value), text)
}

function changeMember(text: string, indent: number, name: string, value: unknown): string {
  const { document, map } = entryOf(text)!
  const node = map.items.find(({ key }) => key.value === name)?.value
  const line = value === undefined || map.flow ? null : oneLine(name, value)
  // A value that fits on a line changes nothing but that line.
  if (line !== null && isScalar(node) && isOneLine(text, node))
    return text.slice(0, node.range![0]) + line.slice(name.length + 2) + text.slice(node.range![1])
  if (line !== null && node === undefined) return appended(text, map, line)
  if (value === undefined) document.deleteIn([0, name])
  // The node with its comment stays where it can.
  else if (isScalar(node) && !isObject(value)) node.value = value
  else document.setIn([0, name], document.createNode(value))
  return written(document, indent).replace(/\n*$/, /\n*$/.exec(text)?.[0] || '\n')
}

/** `name: value`; null when it takes several lines. */
function oneLine(name: string, value: unknown): string | null {
  if (isObject(value)) return null
  const options = { ...STYLE, lineWidth: 0, version: '1.2', compat: 'yaml-1.1' } as const
  // A value may end with a blank of Unicode, which stands there without quotes.
  const text = stringify({ [name]: value }, options).replace(/\n+$/, '')
  return text.startsWith(`${name}: `) && !text.includes('\n') && text.length + 6 <= LINE_WIDTH ? text : null
}

const isOneLine = (text: string, { range }: Scalar): boolean =>
  range![0] < range![1] && !text.slice(range![0], range![1]).includes('\n')

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

/** With a member more, behind the last one. */
function appended(text: string, map: YAMLMap<Scalar, Node | null>, line: string): string {
  const { key, value } = map.items.at(-1)!
  const end = lineEnd(text, (value?.range ?? key.range!)[1])
  return `${ended(text.slice(0, end))}${' '.repeat(columnOf(text, map.range![0]))}${line}\n${text.slice(end)}`
}

function written(document: Document, indent: number): string {
  if (isSeq(document.contents)) foldLong(document.contents.items[0], indent)
  const text = document.toString({ ...STYLE, lineWidth: LINE_WIDTH - indent })
  // Only `\n` ends a line: the line separators of Unicode, which `^` takes for one, are text like any other.
  const lines = text.split('\n').map((line) => (line === '' ? line : ' '.repeat(indent) + line))
  return lines.join('\n')
}

/** Texts that do not fit on their line are written as Butler does: folded. */
function foldLong(map: unknown, indent: number): void {
  if (!isMap(map)) return
  for (const { key, value } of map.items) {
    const text = isScalar(value) ? value.value : null
    if (!isScalar(value) || typeof text !== 'string' || /\n|^ | $| {2}/.test(text) || !text.includes(' ')) continue
    if (indent + 4 + String(key).length + text.length > LINE_WIDTH) value.type = Scalar.BLOCK_FOLDED
  }
}

/** The line of a member, of the entry when the member is not there. */
export function lineOfMember({ text, line, rewritten }: EntryPlace, member: string): number | null {
  const entry = line === null || rewritten ? null : entryOf(text)
  const key = entry?.map.items.find((pair) => pair.key.value === member)?.key
  if (!entry || !key) return line
  return line! + text.slice(entry.map.range![0], key.range![0]).split('\n').length - 1
}

/** ` (schedule.yaml:12)`, for the end of a line of the log. */
export const placeText = (file: string, line: number | null): string =>
  ` (${basename(file)}${line === null ? '' : `:${line}`})`

/** The file on disk: read, watched for changes by others, and replaced in one step. */
export interface ScheduleFile {
  readonly path: string
  /**
   * The document, when the file is another one than at the last reading or writing; null when it isn't. A file that is
   * missing is empty. Throws when it cannot be read or makes no sense; it is then new at the next call too.
   */
  readIfChanged(): Promise<{
    readonly document: ScheduleDocument
    readonly missing: boolean
    /** About the encoding that was assumed; null for Unicode. */
    readonly note: string | null
  } | null>
  /** Rejects when the file could not be replaced; it is the old one then. */
  write(text: string): Promise<void>
}

export function createScheduleFile(path: string): ScheduleFile {
  /** Inode, size and time of the file at the last reading or writing; null = never. */
  let stamp: string | null = null
  let content: string | null = null

  async function stampOf(): Promise<string> {
    try {
      const { mtimeMs, size, ino } = await stat(path)
      return `${ino} ${size} ${mtimeMs}`
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
      throw error
    }
  }

  return {
    path,
    async readIfChanged() {
      const now = await stampOf()
      if (now === stamp) return null
      const { text, note } = scheduleText(now === 'missing' ? Buffer.from('') : await readFile(path))
      if (text === content) {
        stamp = now
        return null
      }
      const document = readDocument(text)
      stamp = now
      content = text
      return { document, missing: now === 'missing', note }
    },
    async write(text) {
      await mkdir(dirname(path), { recursive: true })
      await writeFileAtomic(path, text)
      content = text
      stamp = await stampOf().catch(() => null)
    },
  }
}
