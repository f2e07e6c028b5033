/** A schedule file as a whole. */
import { isMap, isSeq, LineCounter, parseDocument, stringify, visit } from 'yaml'
import { type EntryValues, readEntry } from './entry.ts'
import { joinEntries, type ScheduleText, splitEntries } from './split.ts'

export interface FileEntry {
  readonly values: EntryValues
  readonly text: string
}

export interface ScheduleDocument {
  /** Blanks before the dash of an entry. */
  readonly indent: number
  readonly entries: readonly FileEntry[]
  /** The text of the file with these entries, in order. */
  write(entries: readonly string[]): string
}

/** Throws an error that says what is wrong with the file, and where. */
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
  for (const entry of parts.entries) {
    const values = readEntry(entry)
    if (!values) return null
    entries.push({ values, text: entry })
  }
  return { parts, entries }
}

/** Whatever YAML allows; what is not a plain list becomes one when the file is written. */
function readFully(text: string): Read {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    ...{ version: '1.2', merge: true, prettyErrors: false, resolveKnownTags: false },
    lineCounter: lines,
  })
  const [broken] = [...document.errors, ...document.warnings]
  if (broken) throw new Error(`line ${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0]}`)
  const root: unknown = document.toJS()
  if (!isMap(document.contents) || !document.has('butlerSchedule')) {
    throw new Error('the key butlerSchedule with a list of schedules is missing')
  }
  const list = (root as { butlerSchedule: unknown }).butlerSchedule ?? []
  if (!Array.isArray(list)) throw new Error('butlerSchedule must be a list')
  const stranger = list.findIndex((item) => typeof item !== 'object' || item === null || Array.isArray(item))
  if (stranger >= 0)
    throw new Error(`entry ${stranger + 1} of butlerSchedule must have members like name and cronSchedule`)
  visit(document, (_, node) => {
    if (isSeq(node) || isMap(node)) node.flow = false
  })
  for (const candidate of [
    () => text,
    () => document.toString(),
    () => stringify(root, { aliasDuplicateObjects: false }),
  ]) {
    const read = readQuickly(candidate(), true)
    if (read && JSON.stringify(read.entries.map(({ values }) => values)) === JSON.stringify(list)) return read
  }
  throw new Error('it is written in a way that cannot be kept; write butlerSchedule as a plain list')
}
