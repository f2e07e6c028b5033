/** What a node becomes, and does, by what it sees: every pair of a part and something seen. */
import { describe, expect, test } from 'bun:test'
import type { Fitness } from '../../../src/cluster/fitness.ts'
import { type Effect, type Facts, initial, next, type Rules, type Seen, type State } from '../../../src/cluster/part.ts'

const NOW = 1_000_000
const FACTS: Facts = { now: NOW, databaseMs: 5_000_000, canWrite: true }
const RULES: Rules = {
  candidate: true,
  leaseMs: 12_000,
  aloneAfterMs: 20_000,
  refusedAfterMs: 300_000,
  whenDatabaseDown: 'alert',
  dutiesWhenDatabaseDown: 'stop',
}

const joining: State = {
  ...initial(NOW - 100_000, { timeline: 1, history: 'h' }),
  answeredAt: NOW - 1000,
  aliveAt: NOW,
}
const follower: State = { ...joining, mode: 'follower', hasJoined: true }
const leader: State = { ...follower, part: 'leader', mode: 'leader' }
const away = { reason: 'away', refusedSince: null }
const alone: State = { ...follower, part: 'alone', mode: 'alone', outage: away, answeredAt: NOW - 60_000 }
const refused: State = {
  ...alone,
  aloneBecause: 'refused',
  outage: { reason: 'refused', refusedSince: NOW - 60_000 },
}
const leaving: State = { ...leader, mode: 'leaving', isStopping: true }

const STATES = { joining, follower, leader, alone, refused, leaving }
type Name = keyof typeof STATES

const WELL: Fitness = { own: {}, since: {}, others: [{}] }
const FULL: Fitness = { own: { disk: 'full' }, since: { disk: NOW - 60_000 }, others: [{}] }
const CUT_OFF: Fitness = { own: { repository: 'away' }, since: { repository: NOW - 60_000 }, others: [{}] }
const found = { head: 10, history: 'h', timeline: 1, knownRev: 10, isCaughtUp: true }
const lease = { is: 'lease', isFree: false, leads: false, ...found } as const

/** Part and mode afterwards, then what is done, in order. */
const words = (state: State, effects: readonly Effect[]) =>
  [`${state.part}/${state.mode}`, ...effects.map((it) => (it.do === 'count' ? `count ${it.what}` : it.do))].join(', ')

interface Row {
  readonly what: string
  readonly seen: Seen
  readonly facts?: Partial<Facts>
  readonly rules?: Partial<Rules>
  /** Of the state before. */
  readonly after?: Partial<State>
  readonly becomes: Readonly<Record<Name, string>>
}

const SAME = {
  joining: 'follower/joining',
  follower: 'follower/follower',
  leader: 'leader/leader',
  alone: 'alone/alone',
  refused: 'alone/alone',
  leaving: 'leader/leaving',
}
const GOES_ALONE = 'alone/alone, say, drop, leave, build'
const RETURNS = 'follower/joining, leave, build'
const BACK = { alone: RETURNS, refused: RETURNS }
const PUT_BACK = 'follower/joining, count rewind, say, drop, leave, build'
const COMES_BACK_LATE = 'follower/joining, count rewind, say, leave, build'
const DROPS: Row['becomes'] = {
  joining: PUT_BACK,
  follower: PUT_BACK,
  leader: PUT_BACK,
  alone: PUT_BACK,
  refused: PUT_BACK,
  leaving: 'leader/leaving, count rewind, say, drop',
}
const REFUSAL = { reason: 'refused', refusedSince: NOW - 60_000 }
const LONG_REFUSAL = { reason: 'refused', refusedSince: NOW - 300_000 }

const ROWS: readonly Row[] = [
  { what: 'the process runs', seen: { is: 'alive' }, becomes: SAME },
  {
    what: 'the process runs again after a halt without the database',
    seen: { is: 'alive' },
    after: { outage: away, answeredAt: NOW - 60_000, aliveAt: NOW - 60_000 },
    becomes: SAME,
  },
  {
    what: 'the database is away for a while',
    seen: { is: 'alive' },
    after: { outage: away, answeredAt: NOW - 19_999 },
    becomes: SAME,
  },
  {
    what: 'the database is away for too long',
    seen: { is: 'alive' },
    after: { outage: away, answeredAt: NOW - 20_000 },
    becomes: { ...SAME, joining: GOES_ALONE, follower: GOES_ALONE, leader: GOES_ALONE, refused: GOES_ALONE },
  },
  {
    what: 'it is away, and messages are to wait',
    seen: { is: 'alive' },
    after: { outage: away, answeredAt: NOW - 20_000 },
    rules: { whenDatabaseDown: 'wait' },
    becomes: SAME,
  },
  {
    what: 'it is away, and the disk is full',
    seen: { is: 'alive' },
    after: { outage: away, answeredAt: NOW - 20_000 },
    facts: { canWrite: false },
    becomes: {
      ...SAME,
      joining: 'alone/alone, say, drop, leave',
      follower: 'alone/alone, say, drop, leave',
      leader: 'alone/alone, say, drop, leave',
      refused: 'alone/alone, say, drop, leave',
    },
  },
  {
    what: 'the database refuses this node',
    seen: { is: 'alive' },
    after: { outage: REFUSAL, answeredAt: NOW - 60_000 },
    becomes: { ...SAME, joining: GOES_ALONE, follower: GOES_ALONE, leader: GOES_ALONE, alone: GOES_ALONE },
  },
  {
    what: 'it has refused it for long',
    seen: { is: 'alive' },
    after: { outage: LONG_REFUSAL, answeredAt: NOW - 400_000 },
    becomes: {
      ...SAME,
      joining: GOES_ALONE,
      follower: GOES_ALONE,
      leader: GOES_ALONE,
      alone: GOES_ALONE,
      refused: GOES_ALONE,
    },
  },
  {
    what: 'it has refused it for long, and messages are to wait',
    seen: { is: 'alive' },
    after: { outage: LONG_REFUSAL, answeredAt: NOW - 400_000 },
    rules: { whenDatabaseDown: 'wait' },
    becomes: { ...SAME, joining: GOES_ALONE, follower: GOES_ALONE, leader: GOES_ALONE, alone: GOES_ALONE },
  },
  { what: 'it looks, and lacks nothing', seen: { is: 'looking', fitness: WELL }, becomes: SAME },
  {
    what: 'it looks, and its disk is full',
    seen: { is: 'looking', fitness: FULL },
    becomes: { ...SAME, leader: 'follower/joining, say, rest, release, leave, build' },
  },
  {
    what: 'it looks, and cannot reach the repository',
    seen: { is: 'looking', fitness: CUT_OFF },
    becomes: { ...SAME, leader: 'leader/leader, say, rest, finish, build' },
  },
  {
    what: 'it looks, and the app is owed',
    seen: { is: 'looking', fitness: WELL },
    after: { owed: { because: 'why' } },
    becomes: {
      ...SAME,
      joining: 'follower/joining, build',
      follower: 'follower/follower, build',
      leader: 'leader/leader, build',
      alone: 'alone/alone, build',
      refused: 'alone/alone, build',
    },
  },
  {
    what: 'it looks, the app is owed and the disk still full',
    seen: { is: 'looking', fitness: WELL },
    after: { owed: { because: 'why' } },
    facts: { canWrite: false },
    becomes: SAME,
  },
  { what: 'another node leads', seen: lease, becomes: { ...SAME, joining: 'follower/follower, save', ...BACK } },
  {
    what: 'another node leads, and not everything was followed yet',
    seen: { ...lease, isCaughtUp: false },
    becomes: { ...SAME, ...BACK },
  },
  {
    what: 'another node leads, and the app is being built',
    seen: lease,
    after: { isBuilding: true },
    becomes: { ...SAME, ...BACK },
  },
  {
    what: 'the lead is free',
    seen: { ...lease, isFree: true },
    becomes: { ...SAME, joining: 'follower/follower, save, try', follower: 'follower/follower, try', ...BACK },
  },
  {
    what: 'the lead is free, for candidates only',
    seen: { ...lease, isFree: true },
    rules: { candidate: false },
    becomes: { ...SAME, joining: 'follower/follower, save', ...BACK },
  },
  {
    what: 'the lead is free, and was given away a moment ago',
    seen: { ...lease, isFree: true },
    after: { steppedDownUntil: NOW + 1 },
    becomes: { ...SAME, joining: 'follower/follower, save', ...BACK },
  },
  {
    what: 'the lead is free after an outage: the last leader first',
    seen: { ...lease, isFree: true },
    after: { outage: away, answeredAt: NOW - 6001 },
    becomes: { ...SAME, joining: 'follower/follower, save', ...BACK },
  },
  {
    what: 'this node leads by the database',
    seen: { ...lease, leads: true },
    becomes: { ...SAME, joining: 'follower/follower, save, try', follower: 'follower/follower, try', ...BACK },
  },
  {
    what: 'the database has fewer rows',
    seen: { ...lease, head: 9 },
    becomes: { ...DROPS, alone: COMES_BACK_LATE, refused: COMES_BACK_LATE },
  },
  {
    what: 'the database has another history',
    seen: { ...lease, history: 'other' },
    becomes: { ...DROPS, alone: COMES_BACK_LATE, refused: COMES_BACK_LATE },
  },
  {
    what: 'another server answers',
    seen: { ...lease, timeline: 2 },
    becomes: { ...DROPS, alone: COMES_BACK_LATE, refused: COMES_BACK_LATE },
  },
  { what: 'the lease is renewed', seen: { is: 'renewal', isHeld: true, ...found }, becomes: SAME },
  {
    what: 'the lease is lost',
    seen: { is: 'renewal', isHeld: false, ...found },
    becomes: {
      ...SAME,
      leader: 'follower/joining, drop, count fenced, say, leave, build',
      leaving: 'leader/leaving, drop, count fenced, say',
    },
  },
  {
    what: 'the lease is renewed by a database that was put back',
    seen: { is: 'renewal', isHeld: true, ...found, head: 9 },
    becomes: DROPS,
  },
  {
    what: 'it tried, and is fit',
    seen: { is: 'tried', fitness: WELL, awaited: 0 },
    becomes: { ...SAME, follower: 'follower/follower, acquire' },
  },
  {
    what: 'it tried, and the rows of other nodes come first',
    seen: { is: 'tried', fitness: WELL, awaited: 1 },
    becomes: SAME,
  },
  {
    what: 'it tried, and its disk is full',
    seen: { is: 'tried', fitness: FULL, awaited: 0 },
    becomes: { ...SAME, follower: 'follower/follower, say' },
  },
  {
    what: 'it tried again, and its disk is still full',
    seen: { is: 'tried', fitness: FULL, awaited: 0 },
    after: { unfitBecause: 'full' },
    becomes: SAME,
  },
  {
    what: 'it tried, and another node is better',
    seen: { is: 'tried', fitness: CUT_OFF, awaited: 0 },
    after: { freeSince: NOW - 1 },
    becomes: { ...SAME, follower: 'follower/follower, say' },
  },
  {
    what: 'it tried, and no better one has taken the lead',
    seen: { is: 'tried', fitness: CUT_OFF, awaited: 0 },
    after: { freeSince: NOW - 5000 },
    becomes: { ...SAME, follower: 'follower/follower, acquire' },
  },
  {
    what: 'the state of the last leader is here',
    seen: { is: 'caught up' },
    becomes: { ...SAME, follower: 'leader/leader, leave, build' },
  },
  { what: 'the database answered', seen: { is: 'answered' }, becomes: SAME },
  {
    what: 'the database did not answer',
    seen: { is: 'failed', reason: 'r', isRefused: false },
    becomes: {
      ...SAME,
      joining: 'follower/joining, say',
      follower: 'follower/follower, say',
      leader: 'leader/leader, say',
      refused: GOES_ALONE,
      leaving: 'leader/leaving, say',
    },
  },
  {
    what: 'the database did not answer again',
    seen: { is: 'failed', reason: 'r', isRefused: false },
    after: { outage: away },
    becomes: { ...SAME, refused: GOES_ALONE },
  },
  {
    what: 'the database refused it',
    seen: { is: 'failed', reason: 'r', isRefused: true },
    after: { outage: away },
    becomes: {
      ...SAME,
      joining: 'follower/joining, say',
      follower: 'follower/follower, say',
      leader: 'leader/leader, say',
      alone: 'alone/alone, say',
      refused: 'alone/alone, say',
      leaving: 'leader/leaving, say',
    },
  },
  {
    what: 'a write was refused',
    seen: { is: 'fenced' },
    becomes: {
      ...SAME,
      leader: 'follower/joining, drop, count fenced, say, leave, build',
      leaving: 'leader/leaving, drop, count fenced, say',
    },
  },
  { what: 'rows are missing', seen: { is: 'forgotten', head: 9, isCaughtUp: true }, becomes: DROPS },
  {
    what: 'rows are missing, which is known',
    seen: { is: 'forgotten', head: 9, isCaughtUp: false },
    after: { forgotten: { since: null, history: 'h' } },
    becomes: {
      ...SAME,
      follower: PUT_BACK,
      leader: PUT_BACK,
      alone: PUT_BACK,
      refused: PUT_BACK,
      leaving: 'leader/leaving, count rewind, say, drop',
    },
  },
  { what: 'another node is to lead', seen: { is: 'step down' }, becomes: SAME },
  {
    what: 'calls of other nodes are answered',
    seen: { is: 'finished' },
    after: { isHandingOver: true },
    becomes: { ...SAME, leader: 'leader/leader, build' },
  },
  { what: 'the app is built', seen: { is: 'built' }, becomes: SAME },
  {
    what: 'the app is built after it gave the lead away',
    seen: { is: 'built' },
    after: { isHandingOver: true },
    becomes: { ...SAME, leader: 'follower/joining, release' },
  },
  {
    what: 'the process ends',
    seen: { is: 'stopping' },
    becomes: {
      ...SAME,
      joining: 'follower/leaving',
      follower: 'follower/leaving',
      leader: 'leader/leaving',
      alone: 'alone/leaving',
      refused: 'alone/leaving',
    },
  },
]

describe('the part of a node', () => {
  const cells = ROWS.flatMap((row) =>
    (Object.keys(STATES) as Name[]).map((name) => ({ ...row, name, expected: row.becomes[name] })),
  )
  test.each(cells)('$name: $what', ({ name, seen, facts, rules, after, expected }) => {
    const turn = next({ ...STATES[name], ...after }, seen, { ...FACTS, ...facts }, { ...RULES, ...rules })
    expect(words(turn.state, turn.effects)).toBe(expected)
  })

  test('everything that can be seen is in the table', () => {
    const kinds: Readonly<Record<Seen['is'], true>> = {
      alive: true,
      looking: true,
      lease: true,
      renewal: true,
      tried: true,
      'caught up': true,
      answered: true,
      failed: true,
      fenced: true,
      forgotten: true,
      'step down': true,
      finished: true,
      built: true,
      stopping: true,
    }
    expect(new Set(ROWS.map(({ seen }) => seen.is))).toEqual(new Set(Object.keys(kinds) as Seen['is'][]))
  })
})
