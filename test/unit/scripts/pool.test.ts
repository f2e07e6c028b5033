import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Job, nextJob, runJobs, shareOf } from '../../../scripts/lib/pool.ts'
import { declaredNeeds } from '../../support/servers.ts'

const PROCESSORS = 2

const job = (name: string, of: Partial<Job> = {}): Job => ({
  name,
  share: 1,
  wall: 1,
  after: [],
  run: async () => true,
  ...of,
})

test.each([
  ['was never measured', undefined, 1],
  ['uses a processor', { wall: 10_000, cpu: 9000 }, 0.9],
  ['uses more than one', { wall: 10_000, cpu: 15_000 }, 1],
  ['mostly waits', { wall: 10_000, cpu: 1000 }, 1 / 6],
] as const)('a file that %s', (_, timing, share) => {
  expect(shareOf(timing)).toBe(share)
})

describe('the next job', () => {
  const quiet = job('quiet', { share: 'all', wall: 99 })
  const waits = (name: string) => job(name, { share: 0.2 })
  test.each<[string, Job[], Job[], string[], string | undefined]>([
    ['is the longest', [job('a', { wall: 1 }), job('b', { wall: 3 }), job('c', { wall: 2 })], [], [], 'b'],
    ['is the first of equal ones', [job('a'), job('b')], [], [], 'a'],
    ['waits for a processor', [job('a')], [job('x'), waits('y')], [], undefined],
    ['is one that has room', [job('a', { wall: 9 }), waits('b')], [job('x'), waits('y')], [], 'b'],
    ['is the fifth of five that wait', [waits('e')], ['a', 'b', 'c', 'd'].map(waits), [], 'e'],
    ['waits for what it needs', [job('a', { after: ['build'] })], [job('build')], [], undefined],
    ['starts when that has succeeded', [job('a', { after: ['build'] })], [], ['build'], 'a'],
    ['does not measure time beside others', [quiet], [waits('x')], [], undefined],
    ['measures time at the end', [quiet, waits('a')], [], [], 'a'],
    ['measures time alone', [quiet], [], [], 'quiet'],
    ['waits for the end of a measurement', [waits('a')], [quiet], [], undefined],
  ])('%s', (_, waiting, running, succeeded, name) => {
    expect(nextJob(waiting, running, new Set(succeeded), PROCESSORS)?.name).toBe(name!)
  })
})

test.each<[string, Job[], number, string | undefined]>([
  ['starts more when they are idle', [job('a'), job('b')], 1.25, 'wanted'],
  ['leaves a part of them free', [job('a'), job('b')], 1.2, undefined],
  ['starts no more than six a processor', Array(12).fill(job('a', { share: 1 / 6 })), 2, undefined],
  ['leaves a measurement alone', [job('a', { share: 'all' })], 2, undefined],
])('beside jobs that take all processors it %s', (_, running, idle, name) => {
  expect(nextJob([job('wanted')], running, new Set(), PROCESSORS, idle)?.name).toBe(name!)
})

test('what the running jobs leave idle is used', async () => {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const waits = () => promise
  const last = async () => {
    resolve(true)
    return true
  }
  const all = [job('a', { run: waits }), job('b', { run: waits }), job('c', { run: last, wall: 0 })]
  expect(await runJobs(all, PROCESSORS, () => 2, 1)).toEqual([])
})

test('jobs behind one that failed are left out, and the others run', async () => {
  const ran: string[] = []
  const all = [
    job('build', { run: async () => false }),
    job('a', { after: ['build'] }),
    ...['b', 'c'].map((name) => job(name, { run: async () => ran.push(name) > 0 })),
    job('d', { share: 'all', after: ['a'] }),
  ]
  expect((await runJobs(all, PROCESSORS)).map(({ name }) => name)).toEqual(['a', 'd'])
  expect(ran).toEqual(['b', 'c'])
})

test('every job runs once, within the limits, in slots of its own, and measurements run alone', async () => {
  const shares = fc.array(fc.oneof(fc.constant('all' as const), fc.double({ min: 0.1, max: 1, noNaN: true })), {
    maxLength: 20,
  })
  await fc.assert(
    fc.asyncProperty(shares, fc.scheduler(), async (chosen, scheduler) => {
      const running = new Map<number, Job>()
      const ran: string[] = []
      const jobs = chosen.map((share, index): Job => {
        const one: Job = job(String(index), {
          share,
          wall: index % 7,
          async run(slot) {
            expect(running.has(slot)).toBe(false)
            running.set(slot, one)
            ran.push(one.name)
            const now = [...running.values()].map((other) => other.share)
            if (now.includes('all')) expect(now).toEqual(['all'])
            else expect(now.reduce((sum: number, each) => sum + Number(each), 0)).toBeLessThanOrEqual(PROCESSORS + 1e-9)
            await scheduler.schedule(Promise.resolve())
            return running.delete(slot)
          },
        })
        return one
      })
      const end = runJobs(jobs, PROCESSORS)
      await scheduler.waitFor(end)
      expect(await end).toEqual([])
      expect(ran.sort()).toEqual(jobs.map(({ name }) => name).sort())
    }),
  )
})

test.each([
  ["import x from 'y'\n\nneeds('influxd', 'quiet')\n", ['influxd', 'quiet']],
  ["import x from 'y'\n", []],
])('the needs of a file are read from its source', (source, names) => {
  expect(declaredNeeds(source)).toEqual(names as never)
})

test('a program that nothing knows is refused', () => {
  expect(() => declaredNeeds("needs('influx')\n")).toThrow("needs('influx') is unknown")
})
