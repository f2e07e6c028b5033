/** Which entry of the start queue goes next, and how long one may wait. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { firstAllowed, whyExpired } from '../../../../src/tasks/start/queue.ts'

/** As `request` or `request:limit`; in capitals while it is held. */
type Word = string

const entryOf = (word: Word) => {
  const [request = '', limit] = word.split(':')
  return { word, entry: { request: request.toLowerCase(), requestLimit: limit === undefined ? null : Number(limit) } }
}

function nextOf(waiting: readonly Word[], running: readonly string[], most: number): number | null {
  const line = waiting.map(entryOf)
  const held = new Set(line.filter(({ word }) => word !== word.toLowerCase()))
  const open = running.map((request) => ({ request }))
  const next = firstAllowed(line, held, open, most)
  return next ? line.indexOf(next) : null
}

test.each<[string, readonly Word[], readonly string[], number, number | null]>([
  ['nothing waits', [], [], 0, null],
  ['first in, first out', ['a', 'b'], [], 0, 0],
  ['one that is held is passed over', ['A', 'b'], [], 0, 1],
  ['without a limit', ['a'], ['x', 'y', 'z'], 0, 0],
  ['below the limit', ['a'], ['x'], 2, 0],
  ['at the limit', ['a'], ['x', 'y'], 2, null],
  ['held entries count as running', ['A', 'a'], ['x'], 2, null],
  ['a request at its own limit does not hold up others', ['a:1', 'b'], ['a'], 0, 1],
  ['its own held entries count, too', ['A:2', 'a:2', 'b'], ['a'], 0, 2],
  ['below its own limit', ['a:2'], ['a', 'b', 'b'], 0, 0],
  ['all at their own limits', ['a:1', 'b:1'], ['a', 'b'], 0, null],
])('%s', (_what, waiting, running, most, expected) => {
  expect(nextOf(waiting, running, most)).toBe(expected)
})

test('property: an entry without a limit of its own waits for the common limit and for those before it alone', () => {
  const words = fc.array(fc.constantFrom('a', 'A', 'b:1', 'B:1', 'c:2'), { maxLength: 8 })
  fc.assert(
    fc.property(
      words,
      fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 }),
      fc.nat(6),
      (waiting, running, most) => {
        const next = nextOf(waiting, running, most)
        const held = waiting.filter((word) => word !== word.toLowerCase()).length
        if (most > 0 && running.length + held >= most) expect(next).toBeNull()
        else if (waiting.includes('a')) expect(next!).toBeLessThanOrEqual(waiting.indexOf('a'))
      },
    ),
  )
})

test.each([
  [60_000, null],
  [60_001, 'It waited in the start queue for longer than 60 s'],
])('after %d ms of 60 s', (waitedMs, expected) => {
  expect(whyExpired({ queuedAt: 1000 }, 1000 + waitedMs, 60_000)).toBe(expected)
})
