import { expect, test } from 'bun:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createRecurringJob } from '../../../src/platform/recurring-job.ts'
import { until } from '../../support/wait.ts'

test('the work runs again and again, from the first time on', async () => {
  let runs = 0
  const job = createRecurringJob({ everyMs: 5 }, () => {
    runs += 1
  })
  job.start()
  job.start()
  expect(runs).toBe(0)
  await until(() => runs === 3)
  await job.stop()
  const ended = runs
  await pause(20)
  expect(runs).toBe(ended)
})

test('with a first time of 0 the work begins during the start', async () => {
  let runs = 0
  const job = createRecurringJob({ everyMs: 60_000, firstMs: 0 }, () => {
    runs += 1
  })
  job.start()
  expect(runs).toBe(1)
  await job.stop()
})

test('runs never overlap, and run() joins the one under way', async () => {
  const gate = Promise.withResolvers<void>()
  let runs = 0
  const job = createRecurringJob({ everyMs: 1, firstMs: 0 }, () => {
    runs += 1
    return gate.promise
  })
  job.start()
  const joined = job.run()
  await pause(20)
  expect(runs).toBe(1)
  gate.resolve()
  await joined
  await until(() => runs > 1)
  await job.stop()
})

test('stop() aborts the signal and waits for the run under way; the job can be started again', async () => {
  const seen: string[] = []
  const job = createRecurringJob({ everyMs: 60_000, firstMs: 0 }, async (signal) => {
    seen.push('begins')
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    seen.push('ends')
  })
  job.start()
  await job.stop()
  expect(seen).toEqual(['begins', 'ends'])
  job.start()
  await job.stop()
  expect(seen).toEqual(['begins', 'ends', 'begins', 'ends'])
})

test('errors are reported and do not end the job; those after stop() are not', async () => {
  const errors: string[] = []
  let runs = 0
  const job = createRecurringJob(
    { everyMs: 1, firstMs: 0, onError: (error) => errors.push(String(error)) },
    (signal) => {
      runs += 1
      if (runs < 3) throw new Error(`run ${runs}`)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))
    },
  )
  job.start()
  await until(() => runs === 3)
  await job.stop()
  expect(errors).toEqual(['Error: run 1', 'Error: run 2'])
})

test('wake() runs it at once and keeps the pace from there; nothing while a run is under way, or after stop()', async () => {
  let runs = 0
  let everyMs = 60_000
  const gate = Promise.withResolvers<void>()
  const job = createRecurringJob({ everyMs: () => everyMs, firstMs: 60_000 }, () => {
    runs += 1
    return runs === 1 ? gate.promise : undefined
  })
  job.wake()
  expect(runs).toBe(0)
  job.start()
  job.wake()
  job.wake()
  expect(runs).toBe(1)
  everyMs = 1
  gate.resolve()
  await until(() => runs > 2)
  await job.stop()
  const before = runs
  job.wake()
  expect(runs).toBe(before)
})
