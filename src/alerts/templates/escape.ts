/** How values are written into the different kinds of output. Control characters: `platform/visible.ts`. */
import { escapeHtml, onOneLine, withoutActing } from '../../platform/visible.ts'

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

const same = (text: string) => text
/** The inside of a JSON string literal. */
const json = (text: string) => JSON.stringify(text).slice(1, -1)

/** The three signs that Slack and Telegram read as markup; Slack's links and mentions need them. */
export const escapeAngles = (text: string): string => text.replace(/[&<>]/g, (sign) => ENTITIES[sign]!)

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/**
 * For the Markdown of Teams and Discord: no text becomes a link with another address than it shows, and none a mention.
 * A blank tears these apart; everything else stays as it is, `[lib://x](qvd)` of a script included.
 */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/\](?=\((?!\w+[\s,)]))/g, '] ')
    .replace(/^( {0,3}\[(?:\\.|[^\]\\\n])*\])(?=:)/gm, '$1 ')
    .replace(/<(?=(?:[@#][!&]?\d+|a?:\w+:\d+|t:-?\d+(?::\w)?|\/[^<>]+:\d+|id:\w+)>)/g, '< ')
}

/** For receivers that show some HTML without saying where: a blank behind the sign that begins a tag. */
export const escapeTags = (text: string): string => text.replace(/<(?=[a-z/!?])/gi, '< ')

/** Text of several lines in a message: line feeds and tabs are the only control characters, no half of a character. */
export function cleanText(text: string): string {
  return withoutActing(text.toWellFormed()).replaceAll('\r\n', '\n')
}

/** Changes every text of a template's variables, however deep it stands. */
export function mapTexts<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapTexts(item, change)])) as T
}

const NONE: ReadonlySet<string> = new Set()
/** Texts of foreign origin, which must never become a mention. */
const FOREIGN_TEXTS: ReadonlySet<string> = new Set([
  'scriptLogHead',
  'scriptLogTail',
  'executionDetailsConcatenated',
  'logMessage',
  'errorText',
  'errorMessage',
])

export const ESCAPING = {
  html: { escaped: escapeHtml, raw: same, neverRaw: NONE, finish: same },
  text: { escaped: same, raw: same, neverRaw: NONE, finish: same },
  line: { escaped: onOneLine, raw: onOneLine, neverRaw: NONE, finish: (text: string) => onOneLine(text).trim() },
  slack: { escaped: (text: string) => json(escapeAngles(text)), raw: json, neverRaw: FOREIGN_TEXTS, finish: same },
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
