import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { ellipsis, fittingSize, wrap } from '../../../../src/reports/documents/pdf-page.ts'
import { testFonts } from '../../../support/report-documents.ts'

const fonts = await testFonts()
const SIZE = 10
const width = (text: string) => fonts.measure(text, SIZE)
const lines = (text: string, room: number, most?: number) => wrap(fonts, text, room, { size: SIZE }, most)

test('a text that fits stays one line', () => {
  expect(lines('North and South', 500)).toEqual(['North and South'])
  expect(lines('', 500)).toEqual([])
})

test('lines break between words, after hyphens and at line feeds', () => {
  expect(lines('North and South', width('North and'))).toEqual(['North and', 'South'])
  expect(lines('north-south', width('north-'))).toEqual(['north-', 'south'])
  expect(lines('North\r\n\nSouth', 500)).toEqual(['North', '', 'South'])
})

test('the lines of a paragraph have the direction of its first letter', () => {
  expect(lines('שלום Latin end שלום', width('שלום Latin'))).toEqual(['שלום Latin', '\u200fend שלום'])
  expect(lines('Latin שלום\nשלום', width('Latin'))).toEqual(['Latin', '\u200eשלום', 'שלום'])
})

test('a word that is longer than the line is cut between characters', () => {
  const cut = lines('abcdefgh', width('abc'))
  expect(cut.join('')).toBe('abcdefgh')
  expect(cut.length).toBeGreaterThan(2)
})

test('text that needs more lines than allowed ends with an ellipsis', () => {
  expect(lines('one two three four', width('one two'), 1)).toEqual(['one t…'])
  expect(lines('one\ntwo\nthree', 500, 2)).toEqual(['one', 'two…'])
})

test('an ellipsis cuts no character in two', () => {
  expect(ellipsis(fonts, '\u{1d7ce}\u{1d7cf}\u{1d7d0}', 1, { size: SIZE })).toBe('…')
  expect(ellipsis(fonts, 'Stockholm', width('Stock…'), { size: SIZE })).toBe('Stock…')
})

test('a text that was sized to fit is not cut', () => {
  const text = '12 345 678,90 kr'
  const size = fittingSize(fonts, text, 60, 18, 5)
  expect(size).toBeLessThan(18)
  expect(ellipsis(fonts, text, 60, { size, bold: true })).toBe(text)
})

test('no line is wider than asked for, and no word is lost', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.integer({ min: 20, max: 200 }), (text, room) => {
      const broken = lines(text, room)
      for (const line of broken) {
        if ([...line].length > 1) expect(width(line)).toBeLessThanOrEqual(room + 0.1)
      }
      const visible = (shown: string) => shown.replaceAll(/[\s\u200e\u200f]/gu, '')
      expect(visible(broken.join(''))).toBe(visible(text))
    }),
    { numRuns: 300 },
  )
})
