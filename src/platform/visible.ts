/**
 * Text from outside (datagrams, names in Qlik Sense, script logs, MQTT, HTTP) made safe to be shown. Characters that act
 * on a log, a terminal or a reader instead of being seen are written as escapes, or left out where people read messages.
 */

/** Control characters, line and paragraph separators, bidirectional controls, and characters without width that only hide. */
const ACTING =
  '\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2064\\u2066-\\u206f\\ufeff\\ufff9-\\ufffb'
const ACTING_CHARACTERS = new RegExp(`[${ACTING}]`, 'g')
const ACTING_BUT_BREAKS = new RegExp(`(?![\\t\\r\\n])[${ACTING}]`, 'g')
const ACTING_BUT_LINE_FEEDS = new RegExp(`(?![\\t\\n])[${ACTING}]`, 'g')
const ACTING_RUNS = new RegExp(`[${ACTING}]+`, 'g')
const LINE_BREAKS = /\r(?!\n)|[\u0085\u2028\u2029]/g

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** One line, in which every acting character is an escape: `\n`, `\u001b`. JSON text keeps its meaning. */
export function visible(text: string): string {
  return text.replace(ACTING_CHARACTERS, (character) => SHORT[character] ?? unicodeEscape(character))
}

/** The same for text of several lines: line feeds and tabs stay. */
export function visibleLines(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(ACTING_BUT_LINE_FEEDS, unicodeEscape)
}

/** The same, with all lines but the first indented, so that none of them looks like a line of its own. */
export function visibleBlock(text: string): string {
  return visibleLines(text).replaceAll('\n', '\n    ')
}

/** Line breaks, with the blanks around them, become one blank each. Reads the text once, however many blanks it has. */
export const unbroken = (text: string): string =>
  text.replace(/\s+/g, (blanks) => (/[\r\n]/.test(blanks) ? ' ' : blanks))

/** For messages that people read: acting characters are left out, line breaks and tabs stay. */
export function withoutActing(text: string): string {
  return text.replace(LINE_BREAKS, '\n').replace(ACTING_BUT_BREAKS, '')
}

/** For titles and names in messages: a blank in the place of acting characters. */
export function onOneLine(text: string): string {
  return text.replace(ACTING_RUNS, ' ')
}

const unicodeEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** For text and attribute values of HTML, quoted or not. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`=]/g, (sign) => HTML_ENTITIES[sign]!)
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
