/** JSON from outside. */
import { LOST, LOST_SIGN, placeIn } from './encodings.ts'

/** Nothing that Footman reads is nested half as deep; the engine, and all code that walks through values, is slow with deep ones. */
const MOST_DEPTH = 100

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT, COMMA] = [0x5b, 0x5d, 0x7b, 0x7d, 0x2c]

/** A text that is JSON, or looks like it, and that nothing is done with. */
export class RefusedJson extends SyntaxError {
  override readonly name: string = 'RefusedJson'
}

/** One that would be stored as something else: with half of a surrogate pair, a lost letter, or a member that is there twice. */
export class LossyJson extends RefusedJson {
  override readonly name = 'LossyJson'
}

/**
 * The value of a JSON text. Throws a `SyntaxError` when it is none. Throws a `RefusedJson` when it is nested deeper than 100
 * (RFC 8259, section 9), has a member `__proto__`, however that is spelled, as it could change the objects of the code that
 * handles it, or has a text with half of a surrogate pair, which could not be stored: UTF-8 has U+FFFD in its place.
 */
export function parseOutsideJson(text: string): unknown {
  if (isDeep(text)) throw new RefusedJson(`it is nested deeper than ${MOST_DEPTH}`)
  const value: unknown = JSON.parse(text)
  if (MAY_HOLD_PROTO.test(text) && holdsProto(value)) throw new RefusedJson('a member is called __proto__')
  const half = MAY_HOLD_HALF.test(text) ? placeOfHalf(value, '') : null
  if (half === null) return value
  throw new LossyJson(`${half} holds half a character, an escape from \\ud800 to \\udfff without its other half`)
}

/**
 * The value of a JSON text that is imported. Throws in addition a `LossyJson` for a member that its object has twice, and for the
 * sign U+FFFD, which stands where a program has read another encoding as UTF-8. As the escape `\\ufffd` it is meant.
 */
export function parseImportedJson(text: string): unknown {
  const at = text.indexOf(LOST)
  if (at >= 0)
    throw new LossyJson(`${placeText(text, at)} ${LOST_SIGN}, or write \\ufffd where the sign itself is meant`)
  const value = parseOutsideJson(text)
  refuseRepeatedNames(text)
  return value
}

/** JSON that an import takes: the sign U+FFFD of a value as its escape. */
export const importableJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replaceAll(LOST, '\\ufffd')

/** Throws a `LossyJson` for a member that its object has twice: only the last one would count. `text` is JSON. */
export function refuseRepeatedNames(text: string): void {
  /** The names so far of each object around the place; null for a list. */
  const around: (Set<string> | null)[] = []
  let isName = false
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at)
    if (sign === QUOTE) {
      const end = endOfString(text, at)
      if (isName) addName(around.at(-1)!, text, at, end)
      isName = false
      at = end
    } else if (sign === OPEN_OBJECT || sign === OPEN_LIST) {
      isName = sign === OPEN_OBJECT
      around.push(isName ? new Set() : null)
    } else if (sign === CLOSE_OBJECT || sign === CLOSE_LIST) around.pop()
    else if (sign === COMMA) isName = Boolean(around.at(-1))
  }
}

function addName(names: Set<string>, text: string, start: number, end: number): void {
  const written = text.slice(start, end + 1)
  const name = JSON.parse(written) as string
  if (names.has(name))
    throw new LossyJson(`${placeText(text, start)} has the member ${written.slice(0, 200)} a second time`)
  names.add(name)
}

function placeText(text: string, at: number): string {
  const { line, column } = placeIn(text, at)
  return `line ${line}, column ${column}`
}

/** Few texts have the name or an escape at all; the others are not searched. */
const MAY_HOLD_PROTO = /__proto__|\\u00/

function holdsProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(holdsProto)
}

const MAY_HOLD_HALF = /\\u[dD][89a-fA-F]/

/** Names the first text with half of a surrogate pair: `the text at pairs/0/key`; null = there is none. */
function placeOfHalf(value: unknown, place: string): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : `the text${place && ` at ${place}`}`
  if (typeof value !== 'object' || value === null) return null
  for (const [name, member] of Object.entries(value)) {
    if (!name.isWellFormed()) return `the name of a member${place && ` of ${place}`}`
    const found = placeOfHalf(member, place ? `${place}/${name}` : name)
    if (found !== null) return found
  }
  return null
}

function isDeep(text: string): boolean {
  if (text.length <= MOST_DEPTH) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at)
    if (sign === QUOTE) at = endOfString(text, at)
    else if (sign === OPEN_LIST || sign === OPEN_OBJECT) {
      depth += 1
      if (depth > MOST_DEPTH) return true
    } else if (sign === CLOSE_LIST || sign === CLOSE_OBJECT) depth -= 1
  }
  return false
}

/** The place of the quote that ends the string; the end of the text without one. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const sign = text.charCodeAt(at)
    if (sign === QUOTE) return at
    if (sign === BACKSLASH) at += 1
  }
  return text.length
}
