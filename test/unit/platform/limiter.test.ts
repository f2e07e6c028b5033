/** A number of places, taken in the order of the calls. */
import { expect, test } from 'bun:test'
import { createLimiter } from '../../../src/platform/limiter.ts'

test('those that wait come in the order of their calls, before newcomers', async () => {
  const limiter = createLimiter(1)
  const order: string[] = []
  const leave = await limiter.enter()
  expect(limiter.isFull).toBe(true)
  const first = limiter.enter().then((done) => {
    order.push('first')
    return done
  })
  const second = limiter.enter().then((done) => {
    order.push('second')
    return done
  })
  leave()
  const newcomer = limiter.enter().then((done) => {
    order.push('newcomer')
    return done
  })
  for (const entered of [first, second, newcomer]) (await entered)()
  expect(order).toEqual(['first', 'second', 'newcomer'])
  expect(limiter.isFull).toBe(false)
})

test('one that gives up while it waits takes no place, and neither does one that comes too late', async () => {
  const limiter = createLimiter(1)
  const leave = await limiter.enter()
  const aborter = new AbortController()
  const waits = limiter.enter(aborter.signal)
  aborter.abort(new Error('no longer'))
  expect(waits).rejects.toThrow('no longer')
  expect(limiter.enter(aborter.signal)).rejects.toThrow('no longer')
  leave()
  expect(limiter.isFull).toBe(false)
})
