/** Keeps a mail below the size at which Gmail hides the rest of it, whatever the data are. */
import { ESCAPING } from '../../../templates/escape.ts'

const ELLIPSIS = '…'

export interface Budget {
  /** The text, or its beginning with an ellipsis when it or the rest of the budget is too small. */
  fit(text: string, maxBytes: number): string
  /** As many whole lines as fit, from the beginning or from the end; a single huge line is cut. */
  fitLines(lines: readonly string[], maxBytes: number, from: 'start' | 'end'): readonly string[]
}

/** `total` and all limits are bytes of escaped HTML in UTF-8. */
export function createBudget(total: number): Budget {
  let left = total

  function fit(text: string, maxBytes: number): string {
    const limit = Math.max(0, Math.min(maxBytes, left))
    const fitted = shorten(text, limit)
    left -= size(fitted)
    return fitted
  }

  return {
    fit,
    fitLines(lines, maxBytes, from) {
      const end = left - Math.min(maxBytes, left)
      const kept: string[] = []
      for (const line of from === 'start' ? lines : [...lines].reverse()) {
        const room = left - end - LINE_MARKUP
        if (room < 1) break
        const fitted = shorten(line, Math.min(room, MAX_LINE))
        if (fitted !== line && kept.length > 0 && size(line) <= MAX_LINE) break
        left -= size(fitted) + LINE_MARKUP
        kept.push(fitted)
      }
      return from === 'start' ? kept : kept.reverse()
    },
  }
}

/** What a line break and the mark of a bad line take. */
const LINE_MARKUP = 60
const MAX_LINE = 1500

function size(text: string): number {
  return Buffer.byteLength(ESCAPING.html.escaped(text))
}

function shorten(text: string, limit: number): string {
  // Most texts are short: their size is at most six bytes a sign.
  if (text.length * 6 <= limit || size(text) <= limit) return text
  let [low, high] = [0, Math.min(text.length, limit)]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (size(text.slice(0, middle)) + 3 <= limit) low = middle
    else high = middle - 1
  }
  return low === 0
    ? ''
    : `${text
        .slice(0, low)
        .toWellFormed()
        .replace(/\ufffd$/, '')}${ELLIPSIS}`
}
