import { describe, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import {
  directionMark,
  FONT_FAMILY,
  isolated,
  loadFonts,
  needsLayout,
  runsOf,
  shape,
} from '../../../../src/reports/documents/fonts.ts'

const fonts = await loadFonts()
const MATH = fileURLToPath(import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuMathTeXGyre.ttf'))
/** MATHEMATICAL BOLD CAPITAL A, which the additional font alone has. */
const BOLD_A = '\u{1d400}'

describe('the built-in font', () => {
  test('is DejaVu Sans Condensed, regular and bold', () => {
    expect([fonts.regular.family, fonts.bold.family]).toEqual([FONT_FAMILY, FONT_FAMILY])
    expect(fonts.faces.map(({ name }) => name)).toEqual(['regular', 'bold'])
  })

  test('has Latin, Greek, Cyrillic, Vietnamese, Hebrew, currencies and signs', () => {
    for (const char of 'Åé Αθ Жя ữ ש €₹₽ ▲▼●✓→─∑') {
      expect(fonts.fontFor(char)).toBe(fonts.regular)
      expect(fonts.fontFor(char, true)).toBe(fonts.bold)
    }
    expect(fonts.takeMissing()).toEqual([])
  })

  test('widths grow with the text, the size and the weight', () => {
    const width = fonts.measure('Sales 2025', 10)
    expect(width).toBeGreaterThan(40)
    expect(width).toBeLessThan(60)
    expect(fonts.measure('Sales 2025', 20)).toBeCloseTo(2 * width, 6)
    expect(fonts.measure('Sales 2025', 10, true)).toBeGreaterThan(width)
    expect(fonts.measure('', 10)).toBe(0)
    expect(fonts.measure('a\u200bb', 10)).toBeCloseTo(fonts.measure('ab', 10), 6)
    // A combining accent has no width of its own.
    expect(fonts.measure('e\u0301', 10)).toBeCloseTo(fonts.measure('e', 10), 1)
  })
})

test('the first ten missing characters are reported once', () => {
  for (const char of '一二三四五六七八九十百一') fonts.fontFor(char)
  expect(fonts.takeMissing()).toEqual([...'一二三四五六七八九十'])
  expect(fonts.takeMissing()).toEqual([])
  fonts.measure('一', 10)
  expect(fonts.takeMissing()).toEqual([])
})

test('additional fonts are asked in order, unreadable ones are named', async () => {
  const problems: string[] = []
  const set = await loadFonts(['/nowhere/font.ttf', import.meta.path, MATH], (path) => problems.push(path))
  expect(problems).toEqual(['/nowhere/font.ttf', import.meta.path])
  expect(set.fontFor(BOLD_A).name).toBe('additional-1')
  expect(set.fontFor('A').name).toBe('regular')
  const runs = runsOf(`A${BOLD_A}${BOLD_A}b`, (char) => set.fontFor(char))
  expect(runs.map(({ face, text }) => [face.name, text])).toEqual([
    ['regular', 'A'],
    ['additional-1', BOLD_A + BOLD_A],
    ['regular', 'b'],
  ])
})

test.each([
  ['Sales 1,5 € é', false],
  ['Αθήνα Москва ▲', false],
  ['שלום', true],
  ['مرحبا', true],
  ['हिन्दी', true],
  ['e\u0301', true],
  // Not among the presentation forms of Arabic around it.
  ['4\ufdd0 kr', false],
])('%s needs a layout: %p', (text, expected) => {
  expect(needsLayout(text)).toBe(expected)
})

/** The characters of a line from left to right, as their glyphs are drawn. */
const drawn = (text: string): string =>
  runsOf(text, (char) => fonts.fontFor(char))
    .map((run) => {
      if (!run.isShaped) return run.text
      const codes = shape(run.face.font, run).glyphs.flatMap(({ codePoints }) => codePoints)
      return String.fromCodePoint(...codes)
    })
    .join('')

test.each([
  ['Arabic digits', '٢٬٠٢٤', '٢٬٠٢٤'],
  ['Persian digits', '۲٬۰۷۳٫۵', '۲٬۰۷۳٫۵'],
  ['a date', '٢٧/١١/٢٠٢٦', '٢٧/١١/٢٠٢٦'],
  ['Latin words between digits', 'Text ۲۰۷۳٫۵ and ١٢٣ end', 'Text ۲۰۷۳٫۵ and ١٢٣ end'],
  ['digits in a Latin word', 'a١٢٣b', 'a١٢٣b'],
  ['digits after Arabic', 'عدد ١٢٣', '١٢٣ ددع'],
  ['Latin digits after Hebrew', 'שלום 123', '123 םולש'],
  ['digits at both sides of a sign after Arabic', 'عدد (12-34)', '(34-12) ددع'],
  ['brackets', 'שלום (עולם)', '(םלוע) םולש'],
  ['signs of another plane', 'א 😀😃 ב', 'ב 😃😀 א'],
  ['a forced direction', '\u202eabc (1\u202c', '1) cba'],
  ['Arabic that is forced to run ahead', '\u202dابج', 'ابج'],
  ['a mark of direction', '\u200fLatin שלום', 'םולש Latin'],
  [
    'a date with a month of Hebrew in a Latin line',
    `Sales · ${isolated('27 בנוב 2026, 10:25')} · x`,
    'Sales · 10:25 ,2026 בונב 27 · x',
  ],
  ['a date of Arabic in a Latin line', `Sales · ${isolated('27\u200f/11\u200f/2026')}`, 'Sales · 2026/11/27'],
  ['control characters in Hebrew', 'אב\u0001\ufdd0ג', 'גבא'],
  ['a minus of Arabic', '\u061c-٢٬٠٢٤', '٢٬٠٢٤-'],
])('the order of drawing: %s', (_what, text, expected) => {
  expect(drawn(text)).toBe(expected)
})

test('the width of a line is that of its glyphs in any direction', () => {
  expect(fonts.measure('٢٬٠٢٤', 10)).toBeCloseTo(
    [...'٢٬٠٢٤'].reduce((sum, char) => sum + fonts.measure(char, 10), 0),
    6,
  )
  expect(fonts.measure('\u200fabc', 10)).toBeCloseTo(fonts.measure('abc', 10), 6)
})

test.each([
  ['שלום Latin', 'Latin', '\u200f'],
  ['שלום Latin', 'שלום', ''],
  ['Latin שלום', 'שלום', '\u200e'],
  ['Latin', 'Latin', ''],
  ['שלום 12', '12', '\u200f'],
])('a line of the paragraph %p: %p', (paragraph, line, expected) => {
  expect(directionMark(paragraph, line)).toBe(expected)
})
