import { expect, test } from 'bun:test'
import { within } from '../../../src/platform/deadline.ts'

const never = new Promise<string>(() => undefined)

test('settles as the work does when that is in time', async () => {
  expect(await within(Promise.resolve('done'), 1000, () => 'late')).toBe('done')
  await expect(within(Promise.reject(new Error('broken')), 1000, () => 'late')).rejects.toThrow('broken')
})

test('settles as the deadline says when the work is late', async () => {
  expect(await within(never, 1, () => null)).toBeNull()
  expect(await within(never, 1, async () => 'later')).toBe('later')
  const failing = within(never, 1, () => {
    throw new Error('too late')
  })
  await expect(failing).rejects.toThrow('too late')
})

test('the failure of work that is late is ignored', async () => {
  const work = Promise.withResolvers<string>()
  expect(await within(work.promise, 1, () => 'late')).toBe('late')
  work.reject(new Error('after the deadline'))
  // Unhandled, it would end the test.
  await new Promise((resolve) => setImmediate(resolve))
})
