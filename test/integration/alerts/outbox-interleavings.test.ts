/** The promises of the outbox, whatever happens in whichever order: failures, kills, stops, calling off, sending again. */

import { afterEach, expect, test } from 'bun:test'
import fc from 'fast-check'
import { cancelDelivery, resendDeadLetters, resendDelivery } from '../../../src/alerts/history/resend.ts'
import { createOutbox, type Outbox } from '../../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../../src/alerts/router.ts'
import type { DeliveryResult, Destination, Message, Rule } from '../../../src/alerts/types.ts'
import { NOTHING_AWAITED } from '../../../src/events/event-router.ts'
import { loadTaskEvent } from '../../../src/events/store.ts'
import { createGroupWriter, type GroupWriter } from '../../../src/platform/group-commit.ts'
import { pipelineDatabase, storePending, taskEvent } from '../../support/events.ts'
import { closeOutboxes, DELIVERED, startOutbox } from '../../support/outbox.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const ROUTE = 'interleaved'
/** One lane is ordered by name, with more names than it sends at a time; the last one knows no order. */
const TARGETS = ['a', 'b', 'c', 'd']

type Answer = 'delivered' | 'retry' | 'down' | 'slow'

afterEach(closeOutboxes)

type Step =
  | { readonly do: 'fire'; readonly count: number }
  | { readonly do: 'cancel' | 'resend'; readonly which: number }
  | { readonly do: 'resendDead' | 'kill' | 'stop' }
  | { readonly do: 'answer'; readonly with: Answer }
  | { readonly do: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('fire' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('cancel', 'resend'), which: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('resendDead', 'kill', 'stop') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      with: fc.constantFrom<Answer>('delivered', 'retry', 'down', 'slow'),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 12 }) }) },
)

const cancellation = ({ isUnderWay }: Pick<Outbox, 'isUnderWay'>) => ({ by: 'test', now: Date.now(), isUnderWay })

interface Taken {
  readonly id: string
  readonly target: string
  readonly seq: number
}

async function play(steps: readonly Step[]) {
  const directory = tempDirectory()
  const db = pipelineDatabase(directory.join('footman.db'))
  const taken: Taken[] = []
  const cancelled = new Map<string, number>()
  let answer: Answer = 'delivered'
  let [kills, stops, fired] = [0, 0, 0]
  let generation = start()

  function start() {
    let killed = false
    const log = recordingLog()
    const clock = { now: () => Date.now() }
    const group = createGroupWriter(db)
    // What a killed process had not committed never happened.
    const writer: GroupWriter = {
      ...group,
      write: (work, when) =>
        group.write((tx) => {
          if (killed) throw new Error('killed')
          return work(tx)
        }, when),
    }
    const seqOf = (id: string) => db.get<{ seq: number }>('SELECT seq FROM delivery WHERE id = ?', id)!.seq
    async function deliver({ deliveryId: id, target }: Message, signal: AbortSignal): Promise<DeliveryResult> {
      const wish = answer
      if (wish === 'slow') {
        await new Promise((resolve) => {
          // Longer than a step of the model, so that a stop or a kill falls into it.
          const timer = setTimeout(resolve, 15)
          signal.addEventListener('abort', () => {
            clearTimeout(timer)
            resolve(null)
          })
        })
        if (signal.aborted) return { outcome: 'retry', detail: 'cut off' }
      }
      if (killed) return new Promise(() => {})
      if (wish === 'retry') return { outcome: 'retry', detail: 'later' }
      if (wish === 'down') return { outcome: 'retry', detail: 'refused', peerDown: true }
      taken.push({ id, target, seq: seqOf(id) })
      return { outcome: 'delivered', detail: 'ok' }
    }
    const route: Rule = {
      name: ROUTE,
      destination: 'sink',
      phase: 'enriched',
      needs: [],
      when: { types: ['reload'], outcomes: ['failed'] },
      plan: () =>
        TARGETS.map((target, index) =>
          index < 3 ? { target, lane: 'sink', orderKey: target } : { target, lane: 'sink/free' },
        ),
    }
    const destination: Destination = {
      name: 'sink',
      type: 'webhook',
      async render({ deliveryId, target, event }) {
        await new Promise((resolve) => setImmediate(resolve))
        return { deliveryId, target, subject: null, body: event.id, payload: null }
      },
      deliver: (batch, signal) => Promise.all(batch.map((message) => deliver(message, signal))),
    }
    const router = createRouter({ clock, log, onDeliveries: (lanes) => outbox.wake(lanes) }, [route])
    const outbox = createOutbox(
      {
        db,
        writer,
        log,
        clock,
        rule: router.rule,
        loadEvent: (id: string) => loadTaskEvent(db, id),
        destinations: new Map([['sink', destination]]),
      },
      {
        concurrency: 2,
        retry: { firstMs: 2, maxMs: 8, jitter: 0 },
        maxAgeMs: () => 60_000,
        shadow: false,
      },
    )
    outbox.start()
    return {
      outbox,
      router,
      writer,
      kill: async () => {
        killed = true
        await outbox.stop(0).catch(() => undefined)
      },
    }
  }

  const rows = () =>
    db.all<{ seq: number; id: string; target: string; state: string; reason: string | null; replayOf: string }>(
      'SELECT seq, id, target, state, reason, replay_of AS replayOf FROM delivery ORDER BY seq',
    )
  const pick = (which: number) => {
    const all = rows()
    return all.length === 0 ? undefined : all[which % all.length]
  }

  const acts: { [K in Step['do']]: (step: Extract<Step, { do: K }>) => Promise<void> | void } = {
    async fire({ count }) {
      const { writer, router } = generation
      await writer.write((tx) => {
        for (let n = 0; n < count; n += 1) {
          const event = taskEvent()
          storePending(tx, event)
          router.handle(tx, event, NOTHING_AWAITED)
        }
      })
      fired += count
      router.wake()
    },
    async cancel({ which }) {
      const id = pick(which)?.id
      if (!id) return
      const result = await generation.writer.write((tx) => cancelDelivery(tx, id, cancellation(generation.outbox)))
      if (!('lane' in result)) return
      cancelled.set(id, taken.filter((one) => one.id === id).length)
      generation.outbox.wake(new Set([result.lane]))
    },
    async resend({ which }) {
      const id = pick(which)?.id
      if (!id) return
      const resent = await generation.writer.write((tx) => resendDelivery(tx, id, Date.now()))
      if (resent.kind === 'reopened') cancelled.delete(id)
      if ('lane' in resent) generation.outbox.wake(new Set([resent.lane]))
    },
    async resendDead() {
      const filter = { id: null, destination: ['sink'], reason: null, from: null, to: null }
      const { lanes } = await generation.writer.write((tx) => resendDeadLetters(tx, filter, Date.now()))
      cancelled.clear()
      generation.outbox.wake(lanes)
    },
    async kill() {
      kills += 1
      await generation.kill()
      generation = start()
    },
    async stop() {
      stops += 1
      await generation.outbox.stop(200)
      generation = start()
    },
    answer({ with: next }) {
      answer = next
    },
    // A step of the model: time passes for the timers of the outbox.
    wait: ({ ms }) => Bun.sleep(ms),
  }

  try {
    for (const step of steps) await (acts[step.do] as (step: Step) => Promise<void>)(step)
    answer = 'delivered'
    // Nobody wakes anything any more.
    await until(() => rows().every(({ state }) => state !== 'pending' && state !== 'sending'), {
      timeout: 4000,
      what: 'all deliveries to end',
      state: () => rows().filter(({ state }) => state === 'pending' || state === 'sending'),
    })
    await generation.outbox.stop(200)
    return { rows: rows(), taken, cancelled, kills, stops, fired }
  } finally {
    await generation.kill()
    db.close()
    directory.remove()
  }
}

test('every delivery ends, is made at least once, and twice only after a kill', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 30 }), async (steps) => {
      const { rows, taken, cancelled, kills, fired } = await play(steps)
      expect(rows.filter(({ replayOf }) => replayOf === '')).toHaveLength(fired * TARGETS.length)
      for (const { id, state, reason } of rows) {
        const times = taken.filter((one) => one.id === id).length
        if (state === 'delivered') expect(times).toBeGreaterThanOrEqual(1)
        if (kills === 0) expect(times).toBeLessThanOrEqual(1)
        if (state === 'dead') expect(reason).toBe('CANCELLED')
        const before = cancelled.get(id)
        if (before !== undefined && kills === 0) expect([state, times]).toEqual(['dead', before])
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 40), interruptAfterTimeLimit: 60_000 },
  )
}, 90_000)

test('what has the same order key leaves in the order of arrival', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        step.filter(({ do: what }) => what !== 'resend' && what !== 'resendDead' && what !== 'kill'),
        { minLength: 3, maxLength: 30 },
      ),
      async (steps) => {
        const { taken } = await play(steps)
        for (const target of TARGETS.slice(0, 3)) {
          const order = taken.filter((one) => one.target === target).map(({ seq }) => seq)
          expect(order).toEqual(order.toSorted((a, b) => a - b))
        }
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 20), interruptAfterTimeLimit: 60_000 },
  )
}, 90_000)

test('what was called off in the queue does not hold up what stands behind it', async () => {
  const { promise: refused, resolve } = Promise.withResolvers<DeliveryResult>()
  const { outbox, fire, rows, db } = startOutbox({
    concurrency: 1,
    plan: ({ taskName }) => [{ target: 'sink', lane: 'sink', orderKey: taskName }],
    deliver: ({ payload }) => (payload === 'refused' ? refused : DELIVERED),
  })
  await fire({ taskName: 'refused' })
  await fire({ taskName: 'ordered' })
  await fire({ taskName: 'ordered' })
  outbox.start()
  await until(() => rows()[0]?.state === 'sending')
  expect(cancelDelivery(db, rows()[1]!.id, cancellation(outbox)).kind).toBe('cancelled')
  resolve({ outcome: 'rejected', detail: 'no' })
  await until(() => rows()[2]?.state === 'delivered', { timeout: 3000, state: rows })
  expect(rows().map(({ state }) => state)).toEqual(['dead', 'dead', 'delivered'])
})
