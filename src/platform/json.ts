/** JSON from outside. */

/** Nothing that Footman reads is nested half as deep; the engine, and all code that walks through values, is slow with deep ones. */
const MOST_DEPTH = 100

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** A text that is JSON, or looks like it, and that nothing is done with. */
export class RefusedJson extends SyntaxError {
  override readonly name: string = 'RefusedJson'
}

/** One with half of a surrogate pair. */
export class HalfCharacter extends RefusedJson {
  override readonly name = 'HalfCharacter'
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
  throw new HalfCharacter(`${half} holds half a character, an escape from \\ud800 to \\udfff without its other half`)
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
