import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { cut, cutStart, utf8, utf16 } from '../../../../src/alerts/message-text/cut.ts'

test('what fits stays as it is', () => {
  expect(cut('abc', 3)).toBe('abc')
  expect(cut('äöü', 6, utf8)).toBe('äöü')
})

test('what does not fit ends in an ellipsis that counts', () => {
  expect(cut('abcdef', 4)).toBe('abc…')
  expect(cut('abcdef', 5, utf8)).toBe('ab…')
})

test('what people see as one character is never cut in two', () => {
  expect(cut('ab👩‍👩‍👧‍👦cd', 8)).toBe('ab…')
  expect(cut('e\u0301e\u0301e\u0301', 4)).toBe('e\u0301…')
  expect(cut('🇸🇪🇸🇪🇸🇪', 9)).toBe('🇸🇪🇸🇪…')
})

test('one endless character is cut between its parts', () => {
  const endless = `a${'\u0301'.repeat(100)}`
  expect(cut(endless, 10)).toHaveLength(10)
})

test('nothing longer than the limit, nothing broken, for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.integer({ min: 3, max: 40 }), (text, limit) => {
      for (const size of [utf16, utf8]) {
        const made = cut(text, limit, size)
        expect(size(made)).toBeLessThanOrEqual(limit)
        expect(made.isWellFormed()).toBe(true)
        expect(made === text || (made.endsWith('…') && text.startsWith(made.slice(0, -1)))).toBe(true)
      }
    }),
  )
})

test('the last lines of a log are kept whole', () => {
  expect(cutStart('one\ntwo\nthree', 100)).toBe('one\ntwo\nthree')
  expect(cutStart('one\ntwo\nthree', 12)).toBe('…\ntwo\nthree')
  expect(cutStart('one\ntwo\nthree', 8)).toBe('…\nthree')
  expect(cutStart('a long line', 5)).toBe('a lo…')
})
