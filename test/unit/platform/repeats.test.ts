/** Lines that come again and again: once at once, then once a minute with their number. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createRepeats } from '../../../src/platform/repeats.ts'

function scene() {
  const said: [at: number, count: number, item: string][] = []
  let at = 0
  const repeats = createRepeats<string>(
    () => at,
    (count, item) => said.push([at, count, item]),
  )
  return {
    said,
    repeats,
    pass(ms: number) {
      at += ms
      repeats.flush()
    },
  }
}

test('the first at once, the others once a minute in the order in which they came last', () => {
  const { said, repeats, pass } = scene()
  for (const item of ['a1', 'b1', 'a2', 'b2', 'a3']) repeats.note(item[0]!, item)
  pass(59_999)
  expect(said).toEqual([
    [0, 1, 'a1'],
    [0, 1, 'b1'],
  ])
  pass(1)
  expect(said.slice(2)).toEqual([
    [60_000, 1, 'b2'],
    [60_000, 2, 'a3'],
  ])
  pass(60_000)
  pass(60_000)
  expect(repeats.size).toBe(0)
  repeats.note('a', 'a4')
  expect(said.slice(4)).toEqual([[180_000, 1, 'a4']])
})

test('at the end, and when the clock was set back, what was counted is said', () => {
  const { said, repeats, pass } = scene()
  repeats.note('a', 'a1')
  repeats.note('a', 'a2')
  pass(-1000)
  repeats.note('a', 'a3')
  repeats.flush(true)
  expect(said.map(([, , item]) => item)).toEqual(['a1', 'a2', 'a3'])
})

test('property: everything that comes is counted once, and no key is said twice within a minute', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(50_000)), { maxLength: 50 })
  fc.assert(
    fc.property(steps, (all) => {
      const { said, repeats, pass } = scene()
      for (const [key, ms] of all) {
        repeats.note(key, key)
        pass(ms)
      }
      for (const key of ['a', 'b', 'c']) {
        const times = said.filter(([, , item]) => item === key).map(([at]) => at)
        expect(times.every((at, index) => index === 0 || at - times[index - 1]! >= 60_000)).toBe(true)
      }
      repeats.flush(true)
      expect(said.reduce((sum, [, count]) => sum + count, 0)).toBe(all.length)
    }),
  )
})
