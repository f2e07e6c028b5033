import { expect, test } from 'bun:test'
import { once } from '../../../src/platform/once.ts'
import { hostZone } from '../../../src/platform/zone.ts'

test('a value is made when it is asked for first, and once', () => {
  let made = 0
  const value = once(() => {
    made += 1
    return undefined
  })
  expect(made).toBe(0)
  expect([value(), value()]).toEqual([undefined, undefined])
  expect(made).toBe(1)
})

test('a value that could not be made is tried again', () => {
  let tries = 0
  const value = once(() => {
    tries += 1
    if (tries === 1) throw new Error('not yet')
    return tries
  })
  expect(value).toThrow('not yet')
  expect(value()).toBe(2)
})

test('the zone of this computer is the one that date formats use', () => {
  expect(hostZone()).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone)
})
