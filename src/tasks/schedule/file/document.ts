/** A schedule file as a whole. */
import { isMap, isNode, isSeq, LineCounter, parseDocument, stringify, visit } from 'yaml'
import { type EntryValues, readEntry } from './entry.ts'
import { joinEntries, type ScheduleText, splitEntries } from './split.ts'

export interface FileEntry {
  readonly values: EntryValues
  readonly text: string
  /** Where it begins in the file, from 1; null when that is not known. */
  readonly line: number | null
  /** The text is not what stands in the file, only means the same. */
  readonly rewritten?: true
}

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

/** Throws a `ScheduleFileError` that says what is wrong with the file, and where. */
export function readDocument(text: string): ScheduleDocument {
  const bom = text.startsWith('\uFEFF') ? '\uFEFF' : ''
  const eol = /\r\n/.test(text) ? '\r\n' : '\n'
  const plain = text.slice(bom.length).replaceAll('\r\n', '\n')
  const { parts, entries } = readQuickly(plain) ?? readFully(plain)
  return {
    indent: parts.indent,
    entries,
    write: (changed) => bom + joinEntries(parts, changed).replaceAll('\n', eol),
  }
}

interface Read {
  readonly parts: ScheduleText
  readonly entries: readonly FileEntry[]
}

function readQuickly(text: string, trusted = false): Read | null {
  const parts = splitEntries(text, trusted)
  if (!parts) return null
  const entries: FileEntry[] = []
  let line = 1 + lineEnds(parts.head)
  for (const entry of parts.entries) {
    const values = readEntry(entry)
    if (!values) return null
    entries.push({ values, text: entry, line: line + lineEnds(/^(?:[ ]*(?:#.*)?\n)*/.exec(entry)?.[0] ?? '') })
    line += lineEnds(entry)
  }
  return { parts, entries }
}

const lineEnds = (text: string): number => text.split('\n').length - 1

/** Whatever YAML allows; what is not a plain list becomes one when the file is written. */
function readFully(text: string): Read {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    ...{ version: '1.2', merge: true, prettyErrors: false, resolveKnownTags: false },
    lineCounter: lines,
  })
  const [broken] = [...document.errors, ...document.warnings]
  if (broken) throw new ScheduleFileError(broken.message.split('\n')[0]!, lines.linePos(broken.pos[0]).line)
  const root: unknown = document.toJS()
  if (!isMap(document.contents) || !document.has('butlerSchedule')) {
    throw new ScheduleFileError('the key butlerSchedule with a list of schedules is missing')
  }
  const list = (root as { butlerSchedule: unknown }).butlerSchedule ?? []
  if (!Array.isArray(list)) throw new ScheduleFileError('butlerSchedule must be a list')
  const stranger = list.findIndex((item) => typeof item !== 'object' || item === null || Array.isArray(item))
  if (stranger >= 0)
    throw new ScheduleFileError(`entry ${stranger + 1} of butlerSchedule must have members like name and cronSchedule`)
  const nodes = document.get('butlerSchedule')
  const starts = isSeq(nodes) ? nodes.items.map((node) => (isNode(node) ? (node.range?.[0] ?? null) : null)) : []
  const lineOf = (index: number): number | null => {
    const start = starts[index] ?? null
    return start === null ? null : lines.linePos(start).line
  }
  visit(document, (_, node) => {
    if (isSeq(node) || isMap(node)) node.flow = false
  })
  for (const candidate of [
    () => text,
    () => document.toString(),
    () => stringify(root, { aliasDuplicateObjects: false }),
  ]) {
    const written = candidate()
    const read = readQuickly(written, true)
    if (read && JSON.stringify(read.entries.map(({ values }) => values)) === JSON.stringify(list)) {
      if (written === text) return read
      const placed = read.entries.map((entry, index) => ({ ...entry, line: lineOf(index), rewritten: true as const }))
      return { ...read, entries: placed }
    }
  }
  throw new ScheduleFileError('it is written in a way that cannot be kept; write butlerSchedule as a plain list')
}
