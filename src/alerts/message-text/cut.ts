/** Cuts texts at the limits of their receivers. */

import { once } from '../../platform/once.ts'

const ELLIPSIS = '…'
const graphemes = once(() => new Intl.Segmenter('en', { granularity: 'grapheme' }))

/** How a receiver counts. */
export type Size = (text: string) => number

export const utf16: Size = (text) => text.length
export const utf8: Size = (text) => Buffer.byteLength(text)

/**
 * The text itself when it fits, else its longest beginning that fits together with `…`. A grapheme is
 * never cut in two. `size` must be additive and at least 1 for every UTF-16 code unit but the second of a pair.
 */
export function cut(text: string, limit: number, size: Size = utf16): string {
  if (text.length <= limit && size(text) <= limit) return text
  const room = limit - size(ELLIPSIS)
  if (room < 0) return ''
  // No character beyond this index can fit.
  const start = text.slice(0, 2 * limit + 2)
  const end = fitting(characters(start), room, size) || fitting(start, room, size)
  return `${start.slice(0, end)}${ELLIPSIS}`
}

/** The last lines that fit, whole; the end of the last line when it does not fit either. */
export function cutStart(text: string, limit: number, size: Size = utf16): string {
  if (size(text) <= limit) return text
  const lines = text.split('\n')
  const kept: string[] = []
  let used = size(ELLIPSIS)
  for (const line of lines.reverse()) {
    used += size(`${line}\n`)
    if (used > limit) break
    kept.unshift(line)
  }
  return kept.length > 0 ? `${ELLIPSIS}\n${kept.join('\n')}` : cut(lines[0] ?? '', limit, size)
}

function* characters(text: string): Generator<string> {
  for (const { segment } of graphemes().segment(text)) yield segment
}

/** Code units of the longest sequence of pieces whose size is within the room. */
function fitting(pieces: Iterable<string>, room: number, size: Size): number {
  let used = 0
  let end = 0
  for (const piece of pieces) {
    used += size(piece)
    if (used > room) break
    end += piece.length
  }
  return end
}
