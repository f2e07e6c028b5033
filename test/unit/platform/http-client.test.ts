import { expect, test } from 'bun:test'
import { parseRetryAfter } from '../../../src/platform/http-client.ts'

const NOW = Date.parse('2026-03-02T06:00:00.000Z')

test.each([
  ['0', 0],
  ['120', 120_000],
  ['1.5', 1500],
  ['Mon, 02 Mar 2026 06:00:30 GMT', 30_000],
  ['Mon, 02 Mar 2026 05:00:00 GMT', 0],
  ['soon', null],
  ['', null],
  [undefined, null],
])('Retry-After %p', (value, expected) => {
  expect(parseRetryAfter(value, NOW)).toBe(expected)
})
