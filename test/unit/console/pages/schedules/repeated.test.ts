/** The starts of a day: many of one schedule are one line. */
import { expect, test } from 'bun:test'
import { repeated } from '../../../../../src/console/pages/schedules/calendar.tsx'

const starts = (text: string) => text.split('').map((id, n) => ({ source: 'footman' as const, id, at: n }))
const shown = (text: string) => repeated(starts(text)).map((group) => group.map(({ id }) => id).join(''))

test.each([
  ['', []],
  ['abc', ['a', 'b', 'c']],
  ['aabab', ['a', 'a', 'b', 'a', 'b']],
  ['abaaca', ['aaaa', 'b', 'c']],
])('%s', (text, groups) => {
  expect(shown(text)).toEqual(groups)
})

test('a task and a schedule with the same id are apart', () => {
  const other = starts('aaaa').map((one, n) => ({ ...one, source: n % 2 ? ('qlik' as const) : one.source }))
  expect(repeated(other)).toHaveLength(4)
})
