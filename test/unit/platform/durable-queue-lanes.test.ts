/** The lanes of a durable queue: what each state makes of everything that can be seen in it, and that no item is forgotten. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createLanes, IDLE, type Lane, next, type Seen, type Turn } from '../../../src/platform/durable-queue-lanes.ts'

const READY: Lane = { is: 'ready' }
const SENDING: Lane = { is: 'sending', hasMore: false }
const MORE: Lane = { is: 'sending', hasMore: true }
const PAUSE: Lane = { is: 'resting', isGathering: false }
const GATHERING: Lane = { is: 'resting', isGathering: true }

const offered = (gatherMs = 0): Seen => ({ is: 'offered', gatherMs })
const ended = (turn: Turn): Seen => ({ is: 'ended', turn })
const taken: Seen = { is: 'taken' }
const rested: Seen = { is: 'rested' }
const stopping: Seen = { is: 'stopping' }

const ROWS: readonly (readonly [Lane, Seen, Lane, number?])[] = [
  [IDLE, offered(), READY],
  [IDLE, offered(50), GATHERING, 50],
  [IDLE, stopping, IDLE],
  [READY, offered(), READY],
  [READY, offered(50), GATHERING, 50],
  [READY, taken, SENDING],
  [READY, stopping, READY],
  [SENDING, offered(), MORE],
  [SENDING, offered(50), MORE],
  [SENDING, ended('empty'), IDLE],
  [SENDING, ended('more'), READY],
  [SENDING, ended(200), PAUSE, 200],
  [SENDING, ended(0), PAUSE, 0],
  [SENDING, stopping, SENDING],
  [MORE, offered(50), MORE],
  [MORE, ended('empty'), READY],
  [MORE, ended('more'), READY],
  [MORE, ended(200), PAUSE, 200],
  [PAUSE, offered(), PAUSE],
  [PAUSE, offered(50), PAUSE],
  [PAUSE, rested, READY],
  [PAUSE, stopping, IDLE],
  [GATHERING, offered(50), GATHERING],
  [GATHERING, offered(), READY],
  [GATHERING, rested, READY],
  [GATHERING, stopping, READY],
]

for (const [lane, seen, after, restMs = null] of ROWS) {
  test(`${JSON.stringify(lane)} ${JSON.stringify(seen)}`, () => {
    expect(next(lane, seen)).toEqual({ lane: after, restMs })
  })
}

test('after an offer, a lane has a turn that began later', () => {
  const seen = fc.oneof(
    fc.integer({ min: 0, max: 1 }).map(offered),
    fc.constantFrom<Turn>('empty', 'more', 0, 5).map(ended),
    fc.constantFrom(taken, rested),
  )
  fc.assert(
    fc.property(fc.array(seen, { maxLength: 20 }), (all) => {
      let lane = IDLE
      let isOwed = false
      for (const one of all) {
        const before = lane
        lane = next(lane, one).lane
        if (before.is === 'ready' && one.is === 'taken') isOwed = false
        if (one.is === 'offered') isOwed = true
        const willHaveTurn = lane.is === 'ready' || lane.is === 'resting' || (lane.is === 'sending' && lane.hasMore)
        if (isOwed) expect(willHaveTurn).toBe(true)
      }
    }),
  )
})

test('turns are given in order, so many at a time, and one at a time to each lane', async () => {
  const begun: string[] = []
  const ends: (() => void)[] = []
  const lanes = createLanes({
    concurrency: 2,
    isReady: () => true,
    take(lane) {
      begun.push(lane)
      return new Promise((resolve) => ends.push(() => resolve('empty')))
    },
  })
  lanes.start()
  for (const lane of ['a', 'b', 'c']) lanes.offer(lane, 0)
  lanes.pump()
  lanes.offer('a', 0)
  lanes.pump()
  expect(begun).toEqual(['a', 'b'])
  ends[1]!()
  await Promise.resolve()
  await Promise.resolve()
  expect(begun).toEqual(['a', 'b', 'c'])
  ends[0]!()
  await Promise.resolve()
  await Promise.resolve()
  expect(begun).toEqual(['a', 'b', 'c', 'a'])
  const stopped = lanes.stop()
  for (const end of ends) end()
  await stopped
})
