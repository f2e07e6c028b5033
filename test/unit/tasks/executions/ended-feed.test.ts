/** The feed of ended executions: which spans of time are asked for, and that each end comes once. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createEndedFeed, OVERLAP_MS, spansToRead } from '../../../../src/tasks/executions/ended-feed.ts'
import type { EndedReader } from '../../../../src/tasks/executions/types.ts'
import { qrsTask } from '../../../support/fake-qrs.ts'
import { endedExecution, HOUR, MINUTE, NOW } from '../../../support/safety-net.ts'

const DAY = 24 * HOUR
const signal = new AbortController().signal

describe('the questions of a turn', () => {
  type Row = readonly [
    what: string,
    checkpoint: number | null,
    since: number,
    settle: number,
    ahead: number,
    spans: readonly (readonly [from: number, upTo: number, doneUntil: number])[],
  ]
  const rows: readonly Row[] = [
    ['at the first: two minutes', null, -60, 0, 5, [[-2, 5, 0]]],
    ['a minute after the last', -1, -60, 0, 5, [[-3, 5, 0]]],
    ['with ends left to their messages', -3, -60, 2, 0, [[-5, -2, -2]]],
    ['of a subscriber that is new', -1, -2, 0, 5, [[-2, 5, 0]]],
    [
      'after an outage, an hour a question',
      -100,
      -1000,
      0,
      5,
      [
        [-102, -42, -42],
        [-42, 5, 0],
      ],
    ],
    [
      'after two days, a day and then an hour a question',
      -1480,
      -9000,
      2,
      0,
      [
        [-1482, -42, -42],
        [-42, -2, -2],
      ],
    ],
    ['after the clock was set back', 60, -60, 0, 5, [[-2, 5, 0]]],
    ['of a subscriber to come', -1, 1, 0, 5, []],
  ]
  test.each(rows)('%s', (_what, checkpoint, since, settle, ahead, expected) => {
    const minute = (count: number) => NOW + count * MINUTE
    const settings = { settleMs: settle * MINUTE, aheadMs: ahead * MINUTE }
    const spans = spansToRead(checkpoint === null ? null : minute(checkpoint), minute(since), NOW, settings)
    const inMinutes = spans.map(({ from, upTo, doneUntil }) => [from, upTo, doneUntil].map((at) => (at - NOW) / MINUTE))
    expect(inMinutes as unknown).toEqual(expected)
  })

  test('leave no gap and no question of more than a day', () => {
    const span = fc.integer({ min: 0, max: 90 * DAY })
    fc.assert(
      fc.property(span, span, fc.integer({ min: 0, max: 10 * MINUTE }), (checkpoint, since, settleMs) => {
        const spans = spansToRead(NOW - checkpoint, NOW - since, NOW, { settleMs, aheadMs: 0 })
        expect(spans.slice(1).every(({ from }, index) => from === spans[index]!.upTo)).toBe(true)
        expect(spans.every(({ from, upTo }) => from < upTo && upTo - from <= DAY)).toBe(true)
        if (spans.length > 0) expect(spans.at(-1)!.upTo).toBe(NOW - settleMs)
      }),
    )
  })
})

/** A site whose ends are shown some time after they happened. */
function siteOf(ends: readonly { readonly at: number; readonly shownAt: number }[], now: () => number) {
  const site: Pick<EndedReader, 'between'> = {
    async between(from, to, isHandled) {
      return ends.flatMap(({ at, shownAt }, index) => {
        const id = `result-${index}`
        if (at < from || at >= to || shownAt > now() || isHandled(id)) return []
        const execution = endedExecution({ resultId: id, stoppedAt: at })
        return [{ execution, task: qrsTask(), resultIds: [id] }]
      })
    },
  }
  return site
}

const aSite = fc.array(
  fc.record({ at: fc.integer({ min: 0, max: 3 * DAY }), delay: fc.integer({ min: 0, max: OVERLAP_MS - 1 }) }),
  { maxLength: 30 },
)
const someTurns = fc.array(
  fc.record({
    pause: fc.oneof(fc.integer({ min: MINUTE, max: 5 * MINUTE }), fc.integer({ min: MINUTE, max: DAY })),
    isTaken: fc.boolean(),
    restarts: fc.boolean(),
  }),
  { maxLength: 30 },
)

async function follow(
  ends: readonly { readonly at: number; readonly delay: number }[],
  turns: readonly { readonly pause: number; readonly isTaken: boolean; readonly restarts: boolean }[],
  settleMs: number,
): Promise<Map<string, number>> {
  let now = NOW
  let checkpoint: number | null = NOW
  const taken = new Map<string, number>()
  const shown = ends.map(({ at, delay }) => ({ at: NOW + at, shownAt: NOW + at + delay }))
  const created = () =>
    createEndedFeed(
      siteOf(shown, () => now),
      {
        read: () => checkpoint,
        write(at) {
          checkpoint = at
        },
      },
      { everyMs: MINUTE, settleMs, aheadMs: 0 },
    )
  let feed = created()
  for (const { pause, isTaken, restarts } of [...turns, { pause: 4 * DAY, isTaken: true, restarts: false }]) {
    now += pause
    if (restarts) feed = created()
    const turn = feed.read({ now, since: NOW, signal }, async (found) => {
      if (!isTaken) throw new Error('not now')
      for (const { execution } of found) {
        expect(now - execution.stoppedAt).toBeGreaterThanOrEqual(settleMs)
        taken.set(execution.resultId!, (taken.get(execution.resultId!) ?? 0) + 1)
      }
    })
    await turn.catch((error: Error) => expect(error.message).toBe('not now'))
  }
  return taken
}

describe('an end', () => {
  test('comes once, however the turns fall, and again when it was not taken', async () => {
    await fc.assert(
      fc.asyncProperty(aSite, someTurns, fc.constantFrom(0, 2 * MINUTE), async (ends, turns, settleMs) => {
        const taken = await follow(
          ends,
          turns.map((turn) => ({ ...turn, restarts: false })),
          settleMs,
        )
        expect(taken.size).toBe(ends.length)
        expect([...taken.values()].every((count) => count === 1)).toBe(true)
      }),
    )
  })

  test('is not lost at a restart', async () => {
    await fc.assert(
      fc.asyncProperty(aSite, someTurns, async (ends, turns) => {
        expect((await follow(ends, turns, 0)).size).toBe(ends.length)
      }),
    )
  })
})
