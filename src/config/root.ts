/** The bytes of a configuration file and the one key that all settings stand below. */
import { type DecodedText, type Encoding, encodingNote, lenientText } from '../platform/encodings.ts'
import type { ProblemList } from './problems.ts'
import { emptyMap, type MapNode } from './tree.ts'

/** Decodes the encodings of Windows editors; null when the bytes are no text. */
export function decode(bytes: Uint8Array): DecodedText | null {
  const decoded = lenientText(bytes)
  return decoded.text.includes('\0') ? null : decoded
}

/** The warning about a file in another encoding. */
export const ENCODING_HINT = 'save the file with the encoding UTF-8'
export const readAs = (encoding: Encoding): string => encodingNote(encoding) ?? 'is UTF-16'

/** The key `Butler` in any case; undefined when there is none. */
export function butlerKey(root: MapNode): string | undefined {
  return root.entries.has('Butler') ? 'Butler' : [...root.entries.keys()].find((name) => /^butler$/i.test(name))
}

/** The root with a section `Butler` and nothing else; null when there is no such key. */
export function withButler(root: MapNode, problems: ProblemList): MapNode | null {
  const key = butlerKey(root)
  if (key === undefined) return null
  const entry = root.entries.get(key)!
  for (const [name, { at }] of root.entries) {
    if (name === key) continue
    problems.add({
      severity: 'warning',
      path: name,
      message: 'unknown key, ignored',
      hint: 'all settings stand below Butler:',
      ...at,
    })
  }
  if (key !== 'Butler') {
    problems.add({
      severity: 'warning',
      path: key,
      message: `CONFIG: '${key}' is read as 'Butler'.`,
      standalone: true,
      ...entry.at,
    })
  }
  const empty = entry.node.kind === 'scalar' && entry.node.value === null
  if (entry.node.kind !== 'map' && !empty) {
    problems.add({ severity: 'error', path: 'Butler', message: 'must be a section with keys', ...entry.at })
  }
  const node = entry.node.kind === 'map' ? entry.node : emptyMap(entry.at)
  return { kind: 'map', at: root.at, entries: new Map([['Butler', { at: entry.at, node }]]) }
}
