import { describe, expect, test } from 'bun:test'
import { createSimClock } from '../../../simulator/clock.ts'
import { atMost } from '../../support/wait.ts'

const NOON = Date.parse('2026-03-02T12:00:00.000Z')

describe('a manual clock', () => {
  test('runs what falls due in order, each at its own time', () => {
    const clock = createSimClock({ now: NOON, speed: 0 })
    const seen: [string, number][] = []
    const note = (name: string) => () => void seen.push([name, clock.now() - NOON])
    clock.schedule(30, note('c'))
    clock.schedule(10, note('a'))
    clock.schedule(10, note('b'))
    clock.schedule(40, note('late'))
    clock.advance(30)
    expect(seen).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 30],
    ])
    expect(clock.now()).toBe(NOON + 30)
  })

  test('runs what callbacks schedule within the same advance', () => {
    const clock = createSimClock({ now: NOON, speed: 0 })
    let ticks = 0
    const tick = () => {
      ticks += 1
      clock.schedule(10, tick)
    }
    clock.schedule(10, tick)
    clock.advance(100)
    expect(ticks).toBe(10)
  })

  test('forgets what was cancelled', () => {
    const clock = createSimClock({ now: NOON, speed: 0 })
    const timer = clock.schedule(10, () => expect.unreachable())
    clock.cancel(timer)
    clock.cancel(null)
    clock.advance(100)
  })

  test('can be set, forward with everything in between, backward without', () => {
    const clock = createSimClock({ now: NOON, speed: 0 })
    let fired = 0
    clock.schedule(3_600_000, () => fired++)
    clock.set(NOON - 1000)
    expect(clock.now()).toBe(NOON - 1000)
    clock.set(NOON + 7_200_000)
    expect(fired).toBe(1)
    expect(clock.now()).toBe(NOON + 7_200_000)
  })
})

describe('a running clock', () => {
  test('at speed 1000 a simulated minute takes 60 ms', async () => {
    const clock = createSimClock({ now: NOON, speed: 1000 })
    const started = performance.now()
    await new Promise<void>((resolve) => clock.schedule(60_000, resolve))
    const took = performance.now() - started
    expect(took).toBeGreaterThan(50)
    expect(took).toBeLessThan(atMost(1000))
    expect(clock.now()).toBeGreaterThanOrEqual(NOON + 60_000)
    clock.stop()
  })

  test('advancing by hand brings timers forward', async () => {
    const clock = createSimClock()
    const fired = new Promise<void>((resolve) => clock.schedule(3_600_000, resolve))
    clock.advance(3_600_000)
    await fired
    clock.stop()
  })
})
