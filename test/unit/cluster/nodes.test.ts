/** Whether a process that starts may work under the name of its node, by what it sees of another one. */
import { expect, test } from 'bun:test'
import { nextWatch, type Sign, type Watch } from '../../../src/cluster/nodes.ts'

const sign = (seenAt: number, more: Partial<Sign> = {}): Sign => ({
  mode: 'leader',
  isRemoved: false,
  seenAt,
  ...more,
})
const waiting = (seenAt: number, beats: number): Watch => ({ is: 'waiting', seenAt, beats })
const FREE: Watch = { is: 'free' }

test.each<[string, Watch, Sign | null, number, Watch]>([
  ['no process had the name', FREE, null, 0, FREE],
  ['it was removed', FREE, sign(1000, { isRemoved: true }), 1000, FREE],
  ['it has stopped cleanly', FREE, sign(1000, { mode: 'leaving' }), 1000, FREE],
  ['it was killed long ago', FREE, sign(1000), 60_000, FREE],
  ['it was killed a beat and a half ago', FREE, sign(1000), 4000, FREE],
  ['it may live', FREE, sign(1000), 3999, waiting(1000, 0)],
  ['nothing new was seen', waiting(1000, 0), sign(1000), 3000, waiting(1000, 0)],
  ['its last beat came late', waiting(1000, 0), sign(2000), 2000, waiting(2000, 1)],
  ['it is silent after a late beat', waiting(2000, 1), sign(2000), 5000, FREE],
  ['it goes on', waiting(2000, 1), sign(4000), 4000, { is: 'taken' }],
  ['it stopped cleanly meanwhile', waiting(2000, 1), sign(4000, { mode: 'leaving' }), 4000, FREE],
])('%s', (_, before, seen, now, after) => {
  expect(nextWatch(before, seen, now)).toEqual(after)
})
