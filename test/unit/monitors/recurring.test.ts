/** Work at the times of a frequency. */
import { describe, expect, test } from 'bun:test'
import { createRecurring } from '../../../src/monitors/recurring.ts'
import { type Frequency, parseFrequency } from '../../../src/platform/frequency.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

function every(text: string) {
  const parsed = parseFrequency(text)
  if (!parsed.ok) throw new Error(parsed.error)
  return parsed.value
}

/** Fires again and again without waiting for full seconds. */
const OFTEN: Frequency = { next: (now: number) => now + 5, warning: null }

function setUp(own: { atStart: boolean; run: (signal: AbortSignal) => Promise<void> }, frequency = OFTEN) {
  const log = recordingLog()
  const work = { name: 'work', label: 'WORK', frequency, ...own }
  return { log, recurring: createRecurring({ clock: systemClock, log }, work) }
}

test('a run that takes longer than the interval is never overlapped; the next comes after it', async () => {
  let [running, most, runs] = [0, 0, 0]
  let finish = () => {}
  const { log, recurring } = setUp({
    atStart: true,
    async run() {
      runs += 1
      running += 1
      most = Math.max(most, running)
      if (runs === 1) await new Promise<void>((done) => (finish = done))
      running -= 1
    },
  })
  await recurring.start()
  await until(() => log.of('verbose').length >= 3)
  expect(runs).toBe(1)
  finish()
  await until(() => runs >= 3)
  expect(most).toBe(1)
  await recurring.stop(1000)
})

test('a failure is told and ends nothing; start waits for no run', async () => {
  let runs = 0
  const { log, recurring } = setUp({
    atStart: true,
    async run() {
      runs += 1
      throw new Error('out of order')
    },
  })
  await recurring.start()
  await until(() => runs >= 2)
  await recurring.stop(1000)
  expect(log.of('error')[0]).toBe('WORK: out of order')
})

test('stop ends what runs, and nothing comes after it', async () => {
  let [runs, ended] = [0, false]
  const { recurring } = setUp({
    atStart: true,
    run: (signal) =>
      new Promise((_, reject) => {
        runs += 1
        signal.addEventListener('abort', () => {
          ended = true
          reject(signal.reason)
        })
      }),
  })
  await recurring.start()
  await until(() => runs === 1)
  await recurring.stop(1000)
  expect(ended).toBe(true)
})

test('a text: at the next time of the clock, not at the start', async () => {
  let at = 0
  const { recurring } = setUp(
    {
      atStart: false,
      async run() {
        at ||= Date.now()
      },
    },
    every('every 1 second'),
  )
  const before = Date.now()
  await recurring.start()
  await until(() => at > 0, { timeout: 15_000 })
  await recurring.stop(1000)
  expect(at).toBeGreaterThanOrEqual(Math.ceil((before + 1000) / 1000) * 1000 - 20)
})

describe('work that processes do one after the other', () => {
  /** One process with what the one before has left. */
  function next(kept: Map<string, number>, run: (signal: AbortSignal) => Promise<void> = async () => {}) {
    const marks = {
      read: (name: string) => kept.get(name) ?? null,
      write: async (name: string, at: number) => void kept.set(name, at),
    }
    let runs = 0
    const work = {
      name: 'work',
      label: 'WORK',
      frequency: every('every 24 hours'),
      atStart: true,
      async run(signal: AbortSignal) {
        runs += 1
        await run(signal)
      },
    }
    const log = recordingLog()
    const recurring = createRecurring({ clock: systemClock, log, marks }, work)
    return { log, recurring, runs: () => runs }
  }

  test('is done once for each time', async () => {
    const kept = new Map<string, number>()
    const first = next(kept)
    await first.recurring.start()
    await until(() => kept.has('work.done'))
    const second = next(kept)
    await second.recurring.start()
    expect(second.log.of('verbose').join()).toContain('It was done at')
    expect([first.runs(), second.runs()]).toEqual([1, 0])
    for (const one of [first, second]) await one.recurring.stop(1000)
  })

  test('looks again where it keeps what it has found', async () => {
    const now = Date.now()
    const marks = { read: () => now, write: () => Promise.reject(new Error('it is done')) }
    const looks: boolean[] = []
    const work = {
      name: 'work',
      label: 'WORK',
      frequency: every('every 24 hours'),
      atStart: true,
      repeats: true,
      run: async (_signal: AbortSignal, isRepeat: boolean) => void looks.push(isRepeat),
    }
    const recurring = createRecurring({ clock: systemClock, log: recordingLog(), marks }, work)
    await recurring.start()
    await recurring.stop(1000)
    expect(looks).toEqual([true])
  })

  test('is done at the start when its time has come since', async () => {
    const before = Date.now() - 2 * 86_400_000
    const late = next(
      new Map([
        ['work.begun', before],
        ['work.done', before],
      ]),
    )
    await late.recurring.start()
    await until(() => late.runs() === 1)
    await late.recurring.stop(1000)
  })

  test('is taken up by the next one when it was cut short', async () => {
    const kept = new Map<string, number>()
    const first = next(kept, (signal) => new Promise((done) => signal.addEventListener('abort', () => done())))
    await first.recurring.start()
    await until(() => first.runs() === 1)
    await first.recurring.stop(1000)
    const second = next(kept)
    await second.recurring.start()
    await until(() => second.runs() === 1)
    await second.recurring.stop(1000)
  })

  test('is not done when that cannot be stored', async () => {
    const log = recordingLog()
    const marks = { read: () => null, write: () => Promise.reject(new Error('another node leads now')) }
    const run = () => Promise.reject(new Error('begun'))
    const work = { name: 'work', label: 'WORK', frequency: every('every 24 hours'), atStart: true, run }
    const recurring = createRecurring({ clock: systemClock, log, marks }, work)
    await recurring.start()
    await until(() => log.of('error').length === 1)
    expect(log.of('error')).toEqual(['WORK: another node leads now'])
    await recurring.stop(1000)
  })
})
