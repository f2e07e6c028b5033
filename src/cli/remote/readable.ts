/** Messages as a terminal can show them. */

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }
/** Styles, comments (Outlook's included) and text that mail programs show in their list only. */
const UNSEEN = /<(style|script|title)\b[\s\S]*?<\/\1>|<!--[\s\S]*?-->|<(\w+)[^>]*\bdisplay:\s*none[\s\S]*?<\/\2>/gi
const BREAKS = /<(?:br|\/(?:p|div|tr|li|h[1-6]|td|table))\b[^>]*>/gi

/** The text of an HTML document, a line for each line or cell; anything else as it is. */
export function readable(body: string): string {
  if (!/^\s*<(!doctype html|html)\b/i.test(body)) return body
  const text = body
    .replace(UNSEEN, '')
    .replace(/\s+/g, ' ')
    .replace(BREAKS, '\n')
    .replace(/<[^>]*>/g, '')
  const lines = text.replace(/&(?:#(x?[0-9a-f]+)|(\w+));/gi, character).split('\n')
  return lines
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
    .join('\n')
}

function character(whole: string, code: string | undefined, name: string | undefined): string {
  if (code === undefined) return ENTITIES[name?.toLowerCase() ?? ''] ?? whole
  const point = /^x/i.test(code) ? Number.parseInt(code.slice(1), 16) : Number.parseInt(code, 10)
  return point >= 0x20 && point <= 0x10ffff ? String.fromCodePoint(point) : ''
}
