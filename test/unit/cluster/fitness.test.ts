import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, writeFileSync } from 'node:fs'
import { diskProblem, type Fitness, type Lacks, lacksOf, stepOf } from '../../../src/cluster/fitness.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

const DISK: Lacks = { disk: 'full' }
const QRS: Lacks = { repository: 'away' }
const QUEUE: Lacks = { queue: 'stands' }
const WELL: Lacks = {}

interface Row {
  readonly what: string
  readonly part: 'leader' | 'follower'
  readonly own: Lacks
  /** Milliseconds since it lacks them. */
  readonly for?: number
  readonly others?: readonly Lacks[]
  /** Milliseconds since the lead is free. */
  readonly free?: number
  readonly leaves: string | null
}

const ROWS: readonly Row[] = [
  { what: 'a leader that lacks nothing', part: 'leader', own: WELL, others: [WELL], leaves: null },
  { what: 'a full disk, a moment', part: 'leader', own: DISK, for: 2999, others: [WELL], leaves: null },
  { what: 'a full disk', part: 'leader', own: DISK, for: 3000, others: [WELL], leaves: 'full' },
  { what: 'a full disk, and no other node', part: 'leader', own: DISK, for: 3000, leaves: 'full' },
  { what: 'full disks everywhere', part: 'leader', own: DISK, for: 3000, others: [DISK], leaves: 'full' },
  { what: 'no repository, a moment', part: 'leader', own: QRS, for: 29_999, others: [WELL], leaves: null },
  { what: 'no repository', part: 'leader', own: QRS, for: 30_000, others: [QRS, WELL], leaves: 'away' },
  { what: 'no repository for any node', part: 'leader', own: QRS, for: 90_000, others: [QRS, DISK], leaves: null },
  { what: 'no repository for a single node', part: 'leader', own: QRS, for: 90_000, leaves: null },
  { what: 'a queue that stands', part: 'leader', own: QUEUE, for: 60_000, others: [WELL], leaves: 'stands' },
  { what: 'a queue that stands, others rest', part: 'leader', own: QUEUE, for: 60_000, others: [QUEUE], leaves: null },
  { what: 'both', part: 'leader', own: { ...QRS, ...DISK }, for: 3000, others: [WELL], leaves: 'full' },
  { what: 'a free lead', part: 'follower', own: WELL, free: 0, leaves: null },
  { what: 'a free lead and a full disk', part: 'follower', own: DISK, for: 0, free: 600_000, leaves: 'full' },
  {
    what: 'a free lead, another one is better',
    part: 'follower',
    own: QRS,
    others: [WELL],
    free: 4999,
    leaves: 'away',
  },
  {
    what: 'a free lead that no better one takes',
    part: 'follower',
    own: QRS,
    others: [WELL],
    free: 5000,
    leaves: null,
  },
  { what: 'a free lead, none is better', part: 'follower', own: QRS, others: [DISK], free: 0, leaves: null },
]

describe('who leads', () => {
  test.each(ROWS)('$part: $what', ({ part, own, for: ms = 0, others = [], free = null, leaves }) => {
    const at = 1_000_000
    const since = Object.fromEntries(Object.keys(own).map((need) => [need, at - ms])) as Fitness['since']
    const step = stepOf(part, { own, since, others, freeSince: free === null ? null : at - free }, at)
    expect(step.step === 'leave' ? step.because : null).toBe(leaves)
  })
})

test('what nodes of other versions lack is read from the states of their parts', () => {
  expect(lacksOf({ database: 'down', qrs: 'up' })).toHaveProperty('disk')
  expect(lacksOf({ database: 'degraded', qrs: 'down' })).toEqual({ repository: expect.any(String) })
  expect(lacksOf({ database: 'down', lacks: {} })).toEqual({})
  expect(lacksOf({})).toEqual({})
})

describe('the disk is tried by writing to it', () => {
  let directory: TempDirectory
  beforeEach(() => {
    directory = tempDirectory()
  })
  afterEach(() => directory.remove())

  test('a folder that can be written', async () => {
    expect(await diskProblem(directory.path)).toBeNull()
    while (existsSync(directory.join('.write-test'))) await new Promise((done) => setImmediate(done))
  })

  test('one that cannot', async () => {
    writeFileSync(directory.join('file'), '')
    expect(await diskProblem(directory.join('file'))).toContain('nothing can be written')
  })
})
