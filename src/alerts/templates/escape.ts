/** How values are written into the different kinds of output. */

/**
 * `html`: the HTML part of a mail. `text`: its plain text part. `line`: one line of plain text (subject, title).
 * `slack`, `teams`: the text of a JSON document.
 */
export type Target = keyof typeof ESCAPING

export interface Escaping {
  /** `{{x}}`, `<%= x %>` */
  readonly escaped: (text: string) => string
  /** `{{{x}}}`, `<%~ x %>` */
  readonly raw: (text: string) => string
  /** Variables that are escaped even where the template asks for them raw. */
  readonly neverRaw: ReadonlySet<string>
  /** Applied to the whole rendered text. */
  readonly finish: (text: string) => string
}

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#x27;',
  '`': '&#x60;',
  '=': '&#x3D;',
}

const same = (text: string) => text
const html = (text: string) => text.replace(/[&<>"'`=]/g, (sign) => HTML_ENTITIES[sign]!)
/** Anything that a mail or chat client might take for a line break, and other control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go
const oneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
/** The inside of a JSON string literal. */
const json = (text: string) => JSON.stringify(text).slice(1, -1)
/** Slack reads these three signs as markup. */
const slackSigns = (text: string) => text.replace(/[&<>]/g, (sign) => HTML_ENTITIES[sign]!)

const NONE: ReadonlySet<string> = new Set()
/** Whole texts of foreign origin: nobody means a mention by them. */
const FOREIGN_TEXTS: ReadonlySet<string> = new Set([
  'scriptLogHead',
  'scriptLogTail',
  'executionDetailsConcatenated',
  'logMessage',
])

export const ESCAPING = {
  html: { escaped: html, raw: same, neverRaw: NONE, finish: same },
  text: { escaped: same, raw: same, neverRaw: NONE, finish: same },
  line: { escaped: oneLine, raw: oneLine, neverRaw: NONE, finish: (text: string) => oneLine(text).trim() },
  slack: { escaped: (text: string) => json(slackSigns(text)), raw: json, neverRaw: FOREIGN_TEXTS, finish: same },
  teams: { escaped: json, raw: json, neverRaw: NONE, finish: same },
} as const satisfies Record<string, Escaping>

export const TARGETS = Object.keys(ESCAPING) as readonly Target[]

/** How any value is written: nothing for null and undefined, lists joined with commas. */
export function toText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(toText).join(',')
  if (typeof value === 'object') return '[object Object]'
  return String(value)
}
