/** Number formats of workbooks (ECMA-376 part 1, 18.8.31) made of Qlik's format patterns. */
import { type Display, decimalsOf, type Written } from '../display.ts'
import { OPTIONAL_FRACTION } from '../serials.ts'
import type { Column, NumberKind } from '../types.ts'

/** Formats of columns without a pattern. */
const DEFAULTS: Readonly<Record<NumberKind, string>> = {
  text: 'General',
  number: 'General',
  integer: '#,##0',
  money: '#,##0.00',
  date: 'yyyy\\-mm\\-dd',
  timestamp: 'yyyy\\-mm\\-dd\\ hh:mm:ss',
  time: 'hh:mm:ss',
  interval: '[h]:mm:ss',
}

/**
 * The number format of a column. `General` for a pattern that says nothing about numbers. Null when Excel has no format for the parts
 * of a date: the cells are the texts of Qlik.
 */
export function numberFormat({ type, format }: Pick<Column, 'type' | 'format'>): string | null {
  if (format === null || format.trim() === '' || type === 'text') return DEFAULTS[type]
  if (type === 'interval') return intervalFormat(format) ?? DEFAULTS.interval
  if (type === 'date' || type === 'timestamp' || type === 'time') {
    const pattern = format.replace(OPTIONAL_FRACTION, '')
    return hasCodes(pattern) ? (dateFormat(pattern) ?? DEFAULTS[type]) : null
  }
  return format.split(';').slice(0, 3).map(sectionFormat).join(';')
}

/** Excel counts a 29 February 1900 that never was; its dates before that are a day off. It shows no negative times. */
export const FIRST_DATE = 61

/** Whether Excel shows a serial number as another date or not at all. */
export const isBeyondExcel = (display: Display, column: Pick<Column, 'type'> | null): boolean =>
  display.as === 'time' && display.number < (column?.type === 'date' || column?.type === 'timestamp' ? FIRST_DATE : 0)

/** Excel reads a few hundred formats of a workbook. */
const MOST_FORMATS = 100

/** The formats that a workbook has so far. */
export type KnownFormats = readonly string[]

/** Excel shows a negative time only as a text of its format; in days when the workbook has no room for more formats. */
export function negativeTimeFormat(pattern: string, text: string, known: KnownFormats): string {
  const exact = `${pattern};${quoted(text)}`
  return known.includes(exact) || known.length < MOST_FORMATS ? exact : `${pattern};-0.0000 "d"`
}

/** The number format of a cell; `pattern`: that of its column, by `numberFormat`. */
export function cellFormat(display: Display, pattern: string): string {
  switch (display.as) {
    case 'text':
      return 'General'
    case 'time':
    case 'pattern':
      return pattern
    case 'locale':
      return digits('#,##0', decimalsOf(display.number))
    case 'written':
      return writtenFormat(display.written)
    case 'dash':
      return `General;-General;${quoted(display.text)}`
  }
}

/** `12,4 %` is a percentage with one decimal. A sign that is not the first character needs a format for negative numbers. */
function writtenFormat({ prefix, suffix, group, decimals, thousands, isPercent, exponent = '' }: Written): string {
  const number = digits(group === '' ? '0' : '#,##0', decimals) + ','.repeat(thousands) + exponent
  const format = (before: string, after: string) => {
    const exact = (text: string) =>
      text
        .split('"')
        .map((part) => literal(part, isPercent))
        .join('\\"')
    return `${exact(before)}${number}${exact(after)}`
  }
  if (/^\s*[-−]$/.test(suffix)) return `${format(prefix, '')};${format(prefix, suffix)}`
  if (!/[-−(]/.test(prefix)) return format(prefix, suffix)
  const positive = format(prefix.replace(/[-−(]/, ''), suffix.replace(')', ''))
  return /^[-−][^(]*$/.test(prefix) ? positive : `${positive};${format(prefix, suffix)}`
}

const digits = (whole: string, decimals: number): string => (decimals > 0 ? `${whole}.${'0'.repeat(decimals)}` : whole)

const BODY = /[#0](?:[#0.,\s'’]*[#0])?/u

/** One part of `positive;negative;zero`. */
function sectionFormat(section: string): string {
  const body = BODY.exec(section)
  if (body === null) return section.trim() === '' ? '' : literal(section)
  const before = section.slice(0, body.index)
  // `A` asks Qlik to abbreviate (1.2k); the full number is better in a workbook.
  const rest = section.slice(body.index + body[0].length)
  const after = rest.endsWith('A') ? rest.slice(0, -1).trimEnd() : rest
  const [exponent = ''] = /^[Ee][-+]?0+/.exec(after) ?? []
  const scientific = exponent.toUpperCase().replace(/^E0/, 'E-0')
  return `${literal(before)}${digitsFormat(body[0])}${scientific}${literal(after.slice(exponent.length))}`
}

/** Excel writes `,` and `.` in the format and shows the separators of the reader's language. */
function digitsFormat(body: string): string {
  const separators = [...body.matchAll(/[^#0]/gu)]
  const last = separators.at(-1)
  if (last === undefined) return body
  const kinds = new Set(separators.map(([separator]) => (/\s/u.test(separator) ? ' ' : separator)))
  const tail = body.slice(last.index + 1)
  const groupsOnly = kinds.size === 1 && (separators.length > 1 || tail === '##0' || /\s|['’]/u.test(last[0]))
  if (groupsOnly) return `#,##${lastPlaces(body, 1)}`
  const whole = body.slice(0, last.index)
  return `${kinds.size > 1 ? `#,##${lastPlaces(whole, 1)}` : whole}.${tail}`
}

const lastPlaces = (digits: string, count: number): string => digits.replaceAll(/[^#0]/gu, '').slice(-count) || '0'

/** Texts around the number; characters that Excel takes as they are stay bare. A bare `%` shows hundredths. */
const literal = (text: string, isPercent = true): string =>
  text.replaceAll(/%|[-+()$\s]+|[^-+()$\s%]+/gu, (part) => {
    if ((part === '%' && isPercent) || /^[-+()$ ]+$/.test(part)) return part
    return quoted(part)
  })

const quoted = (text: string): string => {
  const bare = text.replaceAll('"', '').replaceAll(/\s/gu, ' ')
  return bare === '' ? '' : `"${bare}"`
}

const DATE_TOKENS = /Y+|y+|M+|D+|d+|W+|w+|h+|H+|m+|s+|\[?\.?[fF]+\]?|TT|tt|./gsu

/** Whether Excel has a code for each part of a date; in its codes, months beside hours or seconds are minutes, and minutes elsewhere months. Fractions stand behind a point. */
function hasCodes(pattern: string): boolean {
  if (/(?<!s\.|[fF])[fF]/.test(pattern)) return false
  const tokens = (pattern.match(DATE_TOKENS) ?? []).filter((part) => dateToken(part) !== null && !/TT|f/i.test(part))
  return tokens.every((token, at) => {
    const [before = '', after = ''] = [tokens[at - 1], tokens[at + 1]]
    if (/^m/.test(token)) return /^h/i.test(before) || /^s/.test(after)
    if (/^M{1,2}$/.test(token)) return !/^[hs]/i.test(before) && !/^[hs]/i.test(after)
    return !/^(?:w{1,2}|y|yyy)$/i.test(token)
  })
}

/** Null when the pattern holds no token of dates. */
function dateFormat(pattern: string): string | null {
  let tokens = 0
  let text = ''
  for (const [part] of pattern.matchAll(DATE_TOKENS)) {
    const token = dateToken(part)
    if (token !== null) tokens += 1
    text += token ?? escaped(part)
  }
  return tokens === 0 ? null : text
}

function dateToken(part: string): string | null {
  const size = part.length
  if (/^y+$/i.test(part)) return size > 2 ? 'yyyy' : 'yy'
  if (/^M+$/.test(part)) return 'm'.repeat(Math.min(size, 4))
  if (/^m+$/.test(part)) return 'm'.repeat(Math.min(size, 2))
  if (/^d+$/i.test(part)) return 'd'.repeat(Math.min(size, 2))
  if (/^w+$/i.test(part)) return size > 3 ? 'dddd' : 'ddd'
  if (/^h+$/i.test(part)) return 'h'.repeat(Math.min(size, 2))
  if (/^s+$/.test(part)) return 's'.repeat(Math.min(size, 2))
  if (/^\[?\.?[fF]+\]?$/.test(part)) return `.${'0'.repeat(Math.min(part.replaceAll(/[^fF]/g, '').length, 3))}`
  return part === 'TT' || part === 'tt' ? 'AM/PM' : null
}

const escaped = (character: string): string => (/[:\s]/.test(character) ? character : `\\${character}`)

/** `D hh:mm:ss`: Excel cannot count days, so the hours go on beyond 24. */
function intervalFormat(pattern: string): string | null {
  const text = dateFormat(pattern.replaceAll(/[Dd]+\s*/g, ''))
  if (text === null) return null
  return text.includes('h') ? text.replace(/h+/, '[$&]') : text.replace(/m+|s+/, '[$&]')
}
