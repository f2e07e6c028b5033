/** One entry of the schedule file: its YAML read, written and changed. */
import { Document, isMap, isScalar, isSeq, parseDocument, Scalar } from 'yaml'

export type EntryValues = Readonly<Record<string, unknown>>

const YAML = { version: '1.2', merge: true, prettyErrors: false, resolveKnownTags: false } as const
const STYLE = { indent: 2, indentSeq: true, lineWidth: 80, minContentWidth: 0, singleQuote: true } as const
const LINE_WIDTH = 80

/** Null when the entry cannot be read by itself: it is no map, or it uses anchors of other entries. */
export function readEntry(text: string): EntryValues | null {
  const quick = readPlain(text)
  if (quick) return quick
  const document = parseDocument(text, YAML)
  if (document.errors.length > 0 || document.warnings.length > 0 || !isSeq(document.contents)) return null
  const [item, ...more] = document.contents.items
  return isMap(item) && more.length === 0 ? (document.toJS()[0] as EntryValues) : null
}

/** A word, or a text in single quotes without any inside: nothing that YAML could take for something else. */
const PLAIN = /^[A-Za-z0-9](?:[^#:'"\\]|:(?=[^\s#]))*$/
const QUOTED = /^'([^'\\]*)'$/
const NO_TEXT = /^(?:[-+.]?\d[\d_.]*(?:e[-+]?\d+)?|0x[\da-f]+|0o[0-7]+|true|false|null|yes|no|on|off)$/i

/**
 * The plain form in which Footman and Butler write entries, a hundred times faster than YAML as such. Null for
 * everything else.
 */
function readPlain(text: string): EntryValues | null {
  const values: Record<string, unknown> = {}
  let list: string[] | null = null
  let indent = -1
  for (const line of text.split('\n')) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const lead = line.length - line.trimStart().length
    const opens = indent < 0 ? /^- {1,4}(?=\S)/.exec(trimmed) : null
    if (indent < 0 && !opens) return null
    if (opens) indent = lead + opens[0].length
    const content = opens ? trimmed.slice(opens[0].length) : trimmed
    if (!opens && lead > indent && list !== null && content.startsWith('- ')) {
      const item = plainText(content.slice(2))
      if (item === null) return null
      list.push(item)
      continue
    }
    const match = /^([A-Za-z_]\w*):(?: +(\S.*))?$/.exec(content)
    if (!match || (!opens && lead !== indent) || match[1]! in values) return null
    const [, key = '', value] = match
    list = null
    if (value === undefined) {
      list = []
      values[key] = list
    } else {
      const read = plainText(value)
      if (read === null) return null
      values[key] = read
    }
  }
  // A key without a value is null, not an empty list.
  const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0
  return indent < 0 || Object.values(values).some(isEmptyList) ? null : values
}

function plainText(text: string): string | null {
  const quoted = QUOTED.exec(text)
  if (quoted) return quoted[1]!
  return PLAIN.test(text) && !NO_TEXT.test(text) && !text.endsWith(':') ? text : null
}

/** A new entry in the style of Butler: `  - name: ...`. */
export function writeEntry(values: EntryValues, indent: number): string {
  const document = new Document([values], { version: '1.2', compat: 'yaml-1.1' })
  if (isSeq(document.contents)) foldLong(document.contents.items[0], indent)
  return indented(document.toString({ ...STYLE, lineWidth: LINE_WIDTH - indent }), indent)
}

/** The entry with these members set, or taken out where they are undefined; comments stay. */
export function changeEntry(text: string, indent: number, changes: EntryValues): string {
  const [[key, value] = [], ...more] = Object.entries(changes)
  const quick =
    more.length === 0 && typeof value === 'string'
      ? (changeLine(text, key!, value) ?? appendLine(text, key!, value))
      : null
  if (quick !== null) return quick
  const document = parseDocument(text, { ...YAML, compat: 'yaml-1.1' })
  for (const [name, wanted] of Object.entries(changes)) {
    const node = document.getIn([0, name], true)
    if (wanted === undefined) document.deleteIn([0, name])
    // The node with its comment stays where it can.
    else if (isScalar(node) && isPlainValue(wanted)) node.value = wanted
    else document.setIn([0, name], document.createNode(wanted))
  }
  if (isSeq(document.contents)) foldLong(document.contents.items[0], indent)
  const ends = /\n*$/.exec(text)?.[0] ?? '\n'
  return indented(document.toString({ ...STYLE, lineWidth: LINE_WIDTH - indent }), indent).replace(/\n*$/, ends || '\n')
}

/** A word that stands alone on its line is replaced there; null when that would change anything else. */
function changeLine(text: string, key: string, value: string): string | null {
  const line = new RegExp(`^([ ]*(?:- +)?${key}:[ ]+)[A-Za-z]+([ ]*(?:#.*)?)$`, 'm')
  if (!/^[A-Za-z]+$/.test(value) || !line.test(text)) return null
  return onlyChanging(text, text.replace(line, `$1${value}$2`), key, value)
}

/** A member that is not there yet, with a word as its value, goes behind the last one; null where that is not so simple. */
function appendLine(text: string, key: string, value: string): string | null {
  const before = readEntry(text)
  const opening = /^([ ]*- +)[A-Za-z_]\w*:/m.exec(text)
  if (!/^[A-Za-z]+$/.test(value) || !opening || !before || key in before) return null
  const lines = text.split('\n')
  const last = lines.findLastIndex((line) => /^\s*[^\s#]/.test(line))
  const added = `${' '.repeat(opening[1]!.length)}${key}: ${value}`
  return onlyChanging(text, lines.toSpliced(last + 1, 0, added).join('\n'), key, value)
}

/** `changed` when it is the entry with that member, and nothing else is different. */
function onlyChanging(text: string, changed: string, key: string, value: string): string | null {
  const expected = JSON.stringify({ ...readEntry(text), [key]: value })
  return JSON.stringify(readEntry(changed)) === expected ? changed : null
}

const isPlainValue = (value: unknown): boolean => typeof value !== 'object' || value === null

/** Texts that do not fit on their line are written as Butler does: folded. */
function foldLong(map: unknown, indent: number): void {
  if (!isMap(map)) return
  for (const { key, value } of map.items) {
    const text = isScalar(value) ? value.value : null
    if (!isScalar(value) || typeof text !== 'string' || /\n|^ | $| {2}/.test(text) || !text.includes(' ')) continue
    if (indent + 4 + String(key).length + text.length > LINE_WIDTH) value.type = Scalar.BLOCK_FOLDED
  }
}

/** Only `\n` ends a line: the line separators of Unicode, which `^` takes for one, are text like any other. */
function indented(text: string, indent: number): string {
  const lines = text.split('\n').map((line) => (line === '' ? line : ' '.repeat(indent) + line))
  return lines.join('\n')
}
