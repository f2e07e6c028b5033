/** Duals of apps in five locales, and the texts that a spreadsheet shows for numbers. */
import fc from 'fast-check'
import { createFormatter, parseFormat } from '../../src/reports/templates/formats.ts'
import type { Cell } from '../../src/reports/types.ts'

/** The separators of the apps and of the spreadsheets that open their documents. */
export const LOCALES = [
  { locale: 'en-GB', decimal: '.', group: ',' },
  { locale: 'de-DE', decimal: ',', group: '.' },
  { locale: 'sv-SE', decimal: ',', group: '\u00a0' },
  { locale: 'pl-PL', decimal: ',', group: '\u00a0' },
  { locale: 'de-CH', decimal: '.', group: '’' },
] as const

/** Currencies and units in many spellings, with the number that 1 of them is. */
export const AFFIXES: readonly (readonly [before: string, after: string, scale?: number])[] = [
  ['', ''],
  ['', '%', 0.01],
  ['', '\u00a0%', 0.01],
  ['', ' %'],
  ['€', ''],
  ['', ' €'],
  ['', '\u202f€'],
  ['$', ''],
  ['', ' kr'],
  ['', ' kr.'],
  ['EUR ', ''],
  ['USD', ''],
  ['CHF ', '.–'],
  ['R$ ', ''],
  ['Rs.', ''],
  ['', ' h'],
  ['', ' kg/m2'],
  ['', ' ₪'],
  ['', ' د.إ.\u200f'],
  ['', 'M', 1e6],
  ['', ' tkr', 1e3],
  ['TEUR ', '', 1e3],
  ['', ' Mio. €', 1e6],
  ['', '\u00a0млрд', 1e9],
]

/** A number as an app writes it, with its sign, separators and unit. */
export const amounts = ({ decimal, group }: (typeof LOCALES)[number]): fc.Arbitrary<Cell> => {
  const grouped = (digits: string) => digits.replace(/\B(?=(\d{3})+$)/g, group)
  return fc
    .record({
      whole: fc.integer({ min: 0, max: 2_000_000_000 }),
      fraction: fc.integer({ min: 0, max: 9999 }),
      decimals: fc.constantFrom(0, 0, 1, 2, 4),
      isNegative: fc.boolean(),
      isGrouped: fc.boolean(),
      affix: fc.constantFrom(...AFFIXES),
      sign: fc.constantFrom('-', '−', '('),
    })
    .map(({ whole, fraction, decimals, isNegative, isGrouped, affix: [before, after, scale = 1], sign }): Cell => {
      const end = decimals === 0 ? '' : String(fraction % 10 ** decimals).padStart(decimals, '0')
      const digits = `${isGrouped ? grouped(String(whole)) : whole}${end && decimal}${end}`
      const number = Number(`${whole}.${end}`) * scale
      if (!isNegative || number === 0) return { text: `${before}${digits}${after}`, number }
      return { text: `${sign}${before}${digits}${after}${sign === '(' ? ')' : ''}`, number: -number }
    })
}

/** A dual of an app: a number in one of its formats, or a text with a number that happens to stand for it. */
export const duals = (marks: (typeof LOCALES)[number]): fc.Arbitrary<Cell> => {
  const codes = fc
    .tuple(fc.constantFrom('', '0', '00', '+', 'Q', '12345678901'), fc.integer({ min: 0, max: 99_999_999 }))
    .map(
      ([before, number]): Cell => ({
        text: `${before}${number}`,
        number: Number(`${before.replace('Q', '')}${number}`),
      }),
    )
  const others = fc.record({
    text: fc.constantFrom(
      'Jan',
      '1E5',
      '2024',
      '12:30',
      '2024-04-01',
      '46 70 123 45 67',
      '1-2',
      '555-1234',
      '=1',
      'n/a',
    ),
    number: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 99_999 })),
  })
  return fc.oneof({ weight: 3, arbitrary: amounts(marks) }, codes, others)
}

/** The text that a spreadsheet in the locale shows for a number in a cell with the format. */
export function spreadsheetText(number: number, format: string, marks: (typeof LOCALES)[number]): string {
  if (format === 'General') return String(number).replace('.', marks.decimal)
  const [, , zeros = '', sign = '', power = ''] = /^(0(?:\.(0+))?)E([+-])(0+)$/.exec(format) ?? []
  if (power !== '') {
    const [mantissa = '', exponent = ''] = number.toExponential(zeros.length).split('e')
    const shown = exponent.startsWith('-') ? '-' : sign === '+' ? '+' : ''
    return `${mantissa.replace('.', marks.decimal)}E${shown}${exponent.slice(1).padStart(power.length, '0')}`
  }
  const parsed = parseFormat(format)
  if (typeof parsed === 'string') throw new Error(`${format}: ${parsed}`)
  return createFormatter(marks.locale, marks).text({ cell: { text: '', number }, column: null }, parsed)
}

export const plain = (text: string) => text.replaceAll(/\s/g, ' ').replaceAll('−', '-')
