/** JSON from outside. */
import { LOST, LOST_SIGN, placeIn } from './encodings.ts'

/** Nothing that Footman reads is nested half as deep; the engine, and all code that walks through values, is slow with deep ones. */
const MOST_DEPTH = 100

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]
const [COMMA, COLON] = [0x2c, 0x3a]

/** A text that is JSON, or looks like it, and that nothing is done with. */
export class RefusedJson extends SyntaxError {
  override readonly name: string = 'RefusedJson'
}

/** One that would be stored as something else: with half of a surrogate pair, a lost letter, or a member that is there twice. */
export class LossyJson extends RefusedJson {
  override readonly name = 'LossyJson'
}

/**
 * The value of a JSON text. Throws a `SyntaxError` with line and column when it is none. Throws a `RefusedJson` when it is nested
 * deeper than 100 (RFC 8259, section 9), has a member `__proto__`, however that is spelled, as it could change the objects of the
 * code that handles it, has a member that its object has already, as only one of the two would count, or has a text with half of
 * a surrogate pair, which could not be stored: UTF-8 has U+FFFD in its place.
 */
export function parseOutsideJson(text: string): unknown {
  refuseDepth(text)
  const value = parsed(text)
  checkNames(text)
  const half = MAY_HOLD_HALF.test(text) ? placeOfHalf(value, '') : null
  if (half === null) return value
  throw new LossyJson(`${half} holds half a character, an escape from \\ud800 to \\udfff without its other half`)
}

/**
 * The value of a JSON text that is imported. Throws in addition a `LossyJson` for the sign U+FFFD, which stands where a program has
 * read another encoding as UTF-8. As the escape `\\ufffd` it is meant.
 */
export function parseImportedJson(text: string): unknown {
  const at = text.indexOf(LOST)
  if (at >= 0)
    throw new LossyJson(`${placeText(text, at)} ${LOST_SIGN}, or write \\ufffd where the sign itself is meant`)
  return parseOutsideJson(text)
}

/** The value of a JSON text that Footman has written itself, in the form that its writer gave it. */
export const ownJson = <T>(text: string): T => JSON.parse(text) as T

/** JSON that an import takes: the sign U+FFFD of a value as its escape. */
export const importableJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replaceAll(LOST, '\\ufffd')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const at = offsetOfFault(text)
    const place = placeText(text, at)
    throw new SyntaxError(
      at < text.length ? `${place} has an unexpected ${shown(text.codePointAt(at)!)}` : `it stops short in ${place}`,
    )
  }
}

const shown = (sign: number): string =>
  sign > 0x20 && sign < 0x7f ? String.fromCharCode(sign) : `U+${sign.toString(16).toUpperCase().padStart(4, '0')}`

/** `value` and `name` come behind a comma, `first` ones may be missing. */
type Expected = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'more'

/**
 * Offset of the first sign that JSON does not have at its place, the length of a text that stops short; the messages of the
 * JavaScript engines do not name it. Takes time in proportion to the length.
 */
export function offsetOfFault(text: string): number {
  const open: number[] = []
  let expected: Expected = 'value'
  let at = 0
  for (;;) {
    while (isBlank(text.charCodeAt(at))) at += 1
    const sign = text.charCodeAt(at)
    const isName: boolean = expected === 'name' || expected === 'first name'
    const isValue = expected === 'value' || expected === 'first value'
    if (expected === 'more' && open.length === 0) return at
    if (sign === QUOTE && (isName || isValue)) {
      const end = endOfText(text, at)
      if (text.charCodeAt(end) !== QUOTE) return end
      at = end + 1
      expected = isName ? 'colon' : 'more'
    } else if (isOpening(sign) && isValue) {
      open.push(sign)
      expected = sign === OPEN_OBJECT ? 'first name' : 'first value'
      at += 1
    } else if (closes(sign, open.at(-1)) && (expected === 'more' || expected.startsWith('first'))) {
      open.pop()
      expected = 'more'
      at += 1
    } else if (sign === COMMA && expected === 'more') {
      expected = open.at(-1) === OPEN_OBJECT ? 'name' : 'value'
      at += 1
    } else if (sign === COLON && expected === 'colon') {
      expected = 'value'
      at += 1
    } else {
      SCALAR.lastIndex = at
      if (!isValue || !SCALAR.test(text)) return at
      at = SCALAR.lastIndex
      expected = 'more'
    }
  }
}

const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y
const isBlank = (sign: number): boolean => sign === 0x20 || sign === 0x0a || sign === 0x0d || sign === 0x09
const isOpening = (sign: number): boolean => sign === OPEN_OBJECT || sign === OPEN_LIST
const closes = (sign: number, opening: number | undefined): boolean =>
  (sign === CLOSE_OBJECT && opening === OPEN_OBJECT) || (sign === CLOSE_LIST && opening === OPEN_LIST)

/** The place of the quote that ends the string, or of the first sign that none may have. */
function endOfText(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text.charCodeAt(at) !== QUOTE && text.charCodeAt(at) >= 0x20) {
    ESCAPE.lastIndex = at
    if (text.charCodeAt(at) !== BACKSLASH) at += 1
    else if (ESCAPE.test(text)) at = ESCAPE.lastIndex
    else return at
  }
  return at
}

/** Refuses the name `__proto__`, and one that its object has twice: only the last one would count. `text` is JSON. */
function checkNames(text: string): void {
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
    } else if (isOpening(sign)) {
      isName = sign === OPEN_OBJECT
      around.push(isName ? new Set() : null)
    } else if (sign === CLOSE_OBJECT || sign === CLOSE_LIST) around.pop()
    else if (sign === COMMA) isName = Boolean(around.at(-1))
  }
}

function addName(names: Set<string>, text: string, start: number, end: number): void {
  const written = text.slice(start, end + 1)
  const name = written.includes('\\') ? String(JSON.parse(written)) : written.slice(1, -1)
  if (name === '__proto__') throw new RefusedJson(`${placeText(text, start)} has a member __proto__`)
  if (names.has(name))
    throw new LossyJson(`${placeText(text, start)} has the member ${written.slice(0, 200)} a second time`)
  names.add(name)
}

function placeText(text: string, at: number): string {
  const { line, column } = placeIn(text, at)
  return `line ${line}, column ${column}`
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

function refuseDepth(text: string): void {
  if (text.length <= MOST_DEPTH) return
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at)
    if (sign === QUOTE) at = endOfString(text, at)
    else if (isOpening(sign)) {
      depth += 1
      if (depth > MOST_DEPTH) throw new RefusedJson(`${placeText(text, at)} is nested deeper than ${MOST_DEPTH}`)
    } else if (sign === CLOSE_LIST || sign === CLOSE_OBJECT) depth -= 1
  }
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
