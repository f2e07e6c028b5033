import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { onOneLine, visible, visibleBlock, visibleLines, withoutActing } from '../../../src/platform/visible.ts'

/** Written out by hand: what must never reach a log or a terminal. */
const ACTING = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, n) => 0x7f + n),
  0x061c,
  0x200b,
  0x200e,
  0x200f,
  0x2028,
  0x2029,
  0x202a,
  0x202b,
  0x202c,
  0x202d,
  0x202e,
  0x2060,
  0x2066,
  0x2067,
  0x2068,
  0x2069,
  0xfeff,
].map((code) => String.fromCharCode(code))
const hasActing = (text: string, allowed = '') => ACTING.some((one) => !allowed.includes(one) && text.includes(one))

const hostile = fc
  .array(fc.oneof(fc.constantFrom(...ACTING), fc.string({ unit: 'grapheme', maxLength: 4 })), { maxLength: 40 })
  .map((parts) => parts.join(''))
/** Names in many scripts; joiners belong to emoji and to Persian. */
const ordinary = fc
  .array(
    fc.constantFrom(
      'Sales ETL',
      '-',
      ' ',
      'Åäö',
      '売上',
      'پروژه‌ها',
      '👩‍👩‍👧‍👦',
      '[EU] (1)',
      '<a> & "b"',
      '\\n',
      '#*_~`',
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''))

describe.each([
  ['visible', visible, ''],
  ['visibleLines', visibleLines, '\n\t'],
  ['visibleBlock', visibleBlock, '\n\t'],
  ['withoutActing', withoutActing, '\r\n\t'],
  ['onOneLine', onOneLine, ''],
] as const)('%s', (_, shown, allowed) => {
  test('property: lets nothing through that acts instead of being seen', () => {
    fc.assert(fc.property(hostile, (text) => expect(hasActing(shown(text), allowed)).toBe(false)))
  })

  test('property: leaves ordinary text as it is', () => {
    fc.assert(fc.property(ordinary, (text) => expect(shown(text)).toBe(text)))
  })
})

test.each([
  ['task\nAUDIT: forged', 'task\\nAUDIT: forged'],
  ['a\r\n\tb', 'a\\r\\n\\tb'],
  ['\x1b]0;owned\x07', '\\u001b]0;owned\\u0007'],
  ['\u009b31m', '\\u009b31m'],
  ['gpj.\u202eexe\u2028x\u0085y\ufeff', 'gpj.\\u202eexe\\u2028x\\u0085y\\ufeff'],
])('%j is shown as %j', (text, shown) => expect(visible(text)).toBe(shown))

test('property: JSON keeps its meaning', () => {
  fc.assert(fc.property(hostile, (text) => expect(JSON.parse(visible(JSON.stringify({ text })))).toEqual({ text })))
})

test('no line but the first begins at the margin', () => {
  expect(visibleBlock('Error: a\r\nAUDIT: forged\n    at b')).toBe('Error: a\n    AUDIT: forged\n        at b')
})

test('in messages separators become line feeds', () => {
  expect(withoutActing('a\u2028b\u0085c\rd\r\ne\u202e\x1b[2J')).toBe('a\nb\nc\nd\r\ne[2J')
})
