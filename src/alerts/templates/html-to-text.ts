/** A readable text part for HTML templates that bring none. */

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  middot: '·',
  ndash: '–',
  mdash: '—',
  hellip: '…',
  zwnj: '',
}
const INVISIBLE = /<!--[\s\S]*?-->|<(head|style|script|title)\b[\s\S]*?<\/\1\s*>/gi
const LINK = /<a\b[^>]*\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>([\s\S]*?)<\/a\s*>/gi
const BREAK = /<br\s*\/?>|<\/(?:p|div|h[1-6]|li|tr|table|pre|blockquote|ul|ol|section)\s*>|<hr\b[^>]*>/gi
/** Attribute values may hold a `>`. */
const TAG = /<\/?[a-z!](?:"[^"]*"|'[^']*'|[^'">])*>/gi
/** Stand for what must survive the folding of blanks: private characters that no text part needs. */
const KEPT_BREAK = '\ue001'
const KEPT_BLANK = '\ue002'

/** Keeps line breaks of blocks and of preformatted text, writes links as `text (address)`. */
export function htmlToText(html: string): string {
  const text = html
    .replace(INVISIBLE, '')
    .replace(/<pre\b[^>]*>([\s\S]*?)<\/pre\s*>/gi, (_, body: string) => keep(body))
    .replace(/\s+/g, ' ')
    .replace(LINK, link)
    .replace(BREAK, KEPT_BREAK)
    .replace(/<li\b[^>]*>/gi, '- ')
    .replace(/<\/t[dh]\s*>/gi, '  ')
    .replace(TAG, '')
  return decode(text.replace(/ *\ue001 */g, '\n'))
    .replace(/[ \t]+$/gm, '')
    .replace(/^ {1,2}(?=\S)/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
    .replaceAll(KEPT_BLANK, ' ')
}

function keep(preformatted: string): string {
  return `${KEPT_BREAK}${preformatted.replace(/\r\n|\r|\n/g, KEPT_BREAK).replace(/[ \t]/g, KEPT_BLANK)}${KEPT_BREAK}`
}

function link(_: string, double: string | undefined, single: string | undefined, label: string): string {
  const address = double ?? single ?? ''
  const text = label.replace(TAG, '').trim()
  return text === '' || text === address ? address : `${text} (${address})`
}

function decode(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|([a-z]+));/gi, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name.toLowerCase()] ?? whole
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : ''
  })
}
