/**
 * Every kind of destination at once, each with a peer of its own that is well, down, silent, refusing or flapping; the
 * faults go round until every kind has had each. Nothing is lost, nothing comes twice, and who is well does not notice.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { listDeliveries } from '../../../src/alerts/history/deliveries.ts'
import { type EveryDestination, startEveryDestination } from '../../support/every-destination.ts'
import { FAULTS, type Fault } from '../../support/fault-peers.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto')

const EVENTS = 40
const TIMEOUT_MS = 1000
const WAIT = { timeout: 30_000 }
/** What a busy machine may add to the latency of who is well. */
const SLACK_MS = 250
/** Only after such an end of an attempt a message may come again: nobody knows whether it had arrived. */
const CUT_OFF = /within|in time|time-?d? ?out|broker lost/i

/**
 * Fires the events of a phase while every destination has its fault (none without `shift`); then mends all and sends
 * again what was refused. The result, in milliseconds: the 95th percentile of latency of those that were well, and how
 * long firing took, which tells how busy the machine is.
 */
async function endure(pipeline: EveryDestination, phase: number, shift: number | null) {
  const { db, peers, rows, failures, fire, resend, latencies } = pipeline
  const names = Object.keys(peers)
  const wanted = (index: number): Fault => (shift === null ? 'well' : FAULTS[(index + shift) % FAULTS.length]!)
  const faults = new Map(
    names.map((name, i) => [name, peers[name]!.can.includes(wanted(i)) ? wanted(i) : ('well' as const)]),
  )
  const having = (fault: Fault) => names.filter((name) => faults.get(name) === fault)
  const of = (name: string) => rows(phase).filter(({ destination }) => destination === name)
  const counts = (state: string) => {
    const all = rows(phase)
    const inState = (name: string) => all.filter((row) => row.destination === name && row.state === state).length
    return Object.fromEntries(names.map((name) => [name, inState(name)]))
  }
  const all = (state: string, which: readonly string[]) =>
    until(
      () => {
        const found = counts(state)
        return which.every((name) => found[name] === EVENTS)
      },
      { ...WAIT, what: `all ${state}: ${which}`, state: () => [counts(state), [...faults]] },
    )

  latencies.clear()
  await Promise.all(names.map((name) => peers[name]!.suffer(faults.get(name)!)))
  const startedAt = performance.now()
  for (let i = 0; i < EVENTS; i++) await fire(phase, i)
  const firingMs = performance.now() - startedAt
  await Promise.all([all('delivered', having('well')), all('dead', having('refusing'))])
  const failing = names.filter((name) => peers[name]!.failsWhen.includes(faults.get(name)!))
  const tried = () => new Set(failures(phase).map(({ destination }) => destination))
  await until(() => failing.every((name) => tried().has(name)), { ...WAIT, state: () => [failing, ...tried()] })
  const p95 = new Map(having('well').map((name) => [name, percentile(latencies.get(name)!)]))

  const mute = [...having('down'), ...having('slow')]
  const early = mute.map((name) => [name, counts('delivered')[name]])
  expect(early).toEqual(mute.map((name) => [name, 0]))
  const filter = { from: null, to: null }
  for (const name of having('refusing')) {
    const wish = { ...filter, state: ['dead' as const], reason: ['REJECTED' as const], destination: [name] }
    const { rows: dead } = await listDeliveries(
      db,
      wish,
      { before: null, limit: 100 },
      { typeOf: () => null, retryOf: () => null },
    )
    expect([name, dead.length]).toEqual([name, EVENTS])
    for (const { detail } of dead) expect(detail).toMatch(/422|550/)
  }

  await Promise.all(names.map((name) => peers[name]!.suffer('well')))
  const one = having('refusing').map((name) => of(name)[7]!)
  const lanes = new Set(rows(phase).map(({ lane }) => lane))
  await resend(
    one.map(({ id }) => id),
    lanes,
  )
  await until(() => one.every(({ destination }) => counts('delivered')[destination] === 1), {
    ...WAIT,
    state: () => one,
  })
  await resend(null, lanes)
  await all('delivered', names)

  const failed = failures(phase)
  const ids = Array.from({ length: EVENTS }, (_, i) => `T${phase}x${i}x`).sort()
  for (const name of names) {
    expect([name, of(name).length]).toEqual([name, EVENTS])
    const taken = peers[name]!.taken().filter((task) => task.startsWith(`T${phase}x`))
    expect([name, [...new Set(taken)].sort()]).toEqual([name, ids])
    const repeated = taken.toSorted().filter((task, i, sorted) => task === sorted[i - 1])
    for (const { destination, task, detail } of failed) {
      if (destination === name && CUT_OFF.test(detail) && repeated.includes(task))
        repeated.splice(repeated.indexOf(task), 1)
    }
    expect([name, repeated]).toEqual([name, []])
  }
  return { p95, firingMs }
}

function percentile(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1]!
}

describe('every kind of destination', () => {
  let pipeline: EveryDestination
  let usual: Awaited<ReturnType<typeof endure>>
  beforeAll(async () => {
    pipeline = await startEveryDestination(TIMEOUT_MS)
  }, 60_000)
  afterAll(() => pipeline?.stop())

  test('gets everything once when all is well', async () => {
    usual = await endure(pipeline, 0, null)
  }, 60_000)

  test.each(FAULTS.map((_, shift) => [shift] as const))(
    'nothing lost, nothing twice, the others on time: rotation %i',
    async (shift) => {
      const { p95, firingMs } = await endure(pipeline, shift + 1, shift)
      const busier = Math.max(firingMs / usual.firingMs, 1)
      const late = [...p95].filter(([name, ms]) => ms > 2 * usual.p95.get(name)! * busier + SLACK_MS)
      expect(late).toEqual([])
    },
    60_000,
  )
})
