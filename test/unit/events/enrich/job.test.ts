/** The life of an event that waits for data: each state, and all that can be seen in it. */
import { describe, expect, test } from 'bun:test'
import {
  type Contact,
  type Effect,
  type Facts,
  next,
  patientUntil,
  type Rules,
  type Seen,
  type State,
  type Turn,
  taken,
} from '../../../../src/events/enrich/job.ts'
import { roundsOf } from '../../../../src/events/enrich/rounds.ts'

const NOW = 1_000_000
const FACTS: Facts = { now: NOW, isCrowded: false }
const RULES: Rules = { qrsEnabled: true, distributePollMs: 3000 }
const CONTACT: Contact = { startedAt: NOW - 500_000, answeredAt: NOW, isOpen: true }

const event = { announced: 'failed', receivedAt: NOW - 1000, deadlineAt: NOW + 60_000 } as const
const ready: State = { is: 'ready', event, since: NOW - 1000, deadline: NOW + 60_000, hasComplained: false }
const STATES = {
  ready,
  asked: { ...ready, is: 'asked' },
  waiting: { ...ready, is: 'waiting' },
  ending: { ...ready, is: 'ending' },
  stuck: { ...ready, is: 'stuck' },
  over: { ...ready, is: 'over' },
} as const satisfies Readonly<Record<string, State>>
type Name = keyof typeof STATES

const textOf = (effect: Effect) =>
  Object.entries(effect)
    .filter(([key]) => key !== 'reason')
    .map(([, value]) => String(value))
    .join(' ')
/** The state afterwards, then what is done, in order. */
const words = ({ state, effects }: Turn) => [state.is, ...effects.map(textOf)].join(', ')

interface Row {
  readonly what: string
  readonly seen: Seen
  readonly facts?: Partial<Facts>
  readonly rules?: Partial<Rules>
  /** Of the state before. */
  readonly after?: Partial<State>
  /** Of the event. */
  readonly event?: Partial<State['event']>
  /** Where it is not the same state, and nothing to do. */
  readonly becomes: Readonly<Partial<Record<Name, string>>>
}

const COMPLETE: Seen = { is: 'answered', progress: 'complete' }
const WAITING: Seen = { is: 'answered', progress: 'waiting' }
const FAILED: Seen = { is: 'failed', reason: 'r', isUnreachable: false }
const AWAY: Seen = { is: 'failed', reason: 'r', isUnreachable: true }
const YIELDS = {
  ready: 'ready, yield',
  waiting: 'waiting, yield',
  ending: 'ending, yield',
  stuck: 'stuck, yield',
  over: 'over, yield',
}
const FINISHES = { ready: 'ending, finish false', asked: 'ending, finish false', waiting: 'ending, finish false' }
const FINISHES_LATE = { ready: 'ending, finish true', asked: 'ending, finish true', waiting: 'ending, finish true' }
const IGNORES = (why: string) => ({ asked: `ending, ignore ${why}` })

const ROWS: readonly Row[] = [
  { what: 'its round begins', seen: { is: 'round' }, becomes: { ready: 'asked' } },
  { what: 'everything is known', seen: COMPLETE, becomes: { asked: 'ending, finish false' } },
  {
    what: 'everything is known, after its deadline',
    seen: COMPLETE,
    event: { deadlineAt: NOW },
    becomes: { asked: 'ending, finish true' },
  },
  ...(['taskNotFound', 'appNotFound', 'taskTypeUnknown', 'endUnknowable', 'noDistribution'] as const).map(
    (progress): Row => ({
      what: `it is to be ignored: ${progress}`,
      seen: { is: 'answered', progress },
      becomes: IGNORES(progress),
    }),
  ),
  { what: 'not everything is known', seen: WAITING, becomes: { asked: 'waiting, yield, wait 500' } },
  {
    what: 'not everything is known for 20 seconds',
    seen: WAITING,
    after: { since: NOW - 20_000 },
    becomes: { asked: 'waiting, yield, wait 3000' },
  },
  {
    what: 'not everything is known for long',
    seen: WAITING,
    after: { since: NOW - 40_000 },
    becomes: { asked: `ending, yield, park ${NOW + 6000}` },
  },
  {
    what: 'not everything is known for very long',
    seen: WAITING,
    after: { since: NOW - 4_000_000 },
    becomes: { asked: `ending, yield, park ${NOW + 30_000}` },
  },
  {
    what: 'not everything is known for long, and the deadline comes first',
    seen: WAITING,
    after: { since: NOW - 40_000, deadline: NOW + 6000 },
    becomes: { asked: 'waiting, yield, wait 6000' },
  },
  {
    what: 'not everything is known, and memory is full',
    seen: WAITING,
    facts: { isCrowded: true },
    becomes: { asked: `ending, yield, park ${NOW + 500}` },
  },
  {
    what: 'not everything is known, memory is full, and the deadline comes first',
    seen: WAITING,
    facts: { isCrowded: true },
    after: { deadline: NOW + 500 },
    becomes: { asked: 'waiting, yield, wait 500' },
  },
  {
    what: 'a distribution has not ended',
    seen: WAITING,
    event: { announced: 'distribute' },
    after: { since: NOW - 4_000_000 },
    becomes: { asked: 'waiting, yield, wait 3000' },
  },
  {
    what: 'a distribution has not ended, and is looked at seldom',
    seen: WAITING,
    event: { announced: 'distribute' },
    rules: { distributePollMs: 4000 },
    becomes: { asked: `ending, yield, park ${NOW + 4000}` },
  },
  {
    what: 'QRS could not answer',
    seen: FAILED,
    becomes: { ...YIELDS, asked: 'waiting, yield, complain warn, wait 500' },
  },
  {
    what: 'QRS could not answer again',
    seen: FAILED,
    after: { hasComplained: true },
    becomes: { ...YIELDS, asked: 'waiting, yield, complain verbose, wait 500' },
  },
  {
    what: 'QRS could not answer, and memory is full',
    seen: FAILED,
    facts: { isCrowded: true },
    becomes: { ...YIELDS, asked: `ending, yield, complain warn, park ${NOW + 500}` },
  },
  { what: 'QRS is away', seen: AWAY, becomes: { ...YIELDS, asked: 'ready, yield, close gate, queue' } },
  {
    what: 'the wait is over',
    seen: { is: 'waited' },
    becomes: { waiting: 'ready, queue, begin', stuck: 'over, read again, leave' },
  },
  { what: 'the deadline is over', seen: { is: 'expired' }, event: { deadlineAt: NOW }, becomes: FINISHES_LATE },
  { what: 'the clock was set back, and the deadline is over', seen: { is: 'expired' }, becomes: FINISHES },
  {
    what: 'its end is stored',
    seen: { is: 'stored' },
    becomes: {
      ready: 'over, leave',
      asked: 'over, leave',
      waiting: 'over, leave',
      ending: 'over, leave',
      stuck: 'over, leave',
      over: 'over, leave',
    },
  },
  { what: 'its end cannot be stored', seen: { is: 'not stored' }, becomes: { ending: 'stuck, wait 60000' } },
  {
    what: 'Footman stops',
    seen: { is: 'stopping' },
    becomes: {
      ready: 'over, release',
      asked: 'over, release',
      waiting: 'over, release',
      ending: 'over, release',
      stuck: 'over, release',
      over: 'over, release',
    },
  },
]

describe('an event in memory', () => {
  const cells = ROWS.flatMap((row) =>
    (Object.keys(STATES) as Name[]).map((name) => ({ ...row, name, expected: row.becomes[name] ?? name })),
  )
  test.each(cells)('$name: $what', (row) => {
    const before: State = { ...STATES[row.name], ...row.after, event: { ...event, ...row.event } }
    expect(words(next(before, row.seen, { ...FACTS, ...row.facts }, { ...RULES, ...row.rules }))).toBe(row.expected)
  })

  test('that QRS failed for is complained about once', () => {
    const failed = next(STATES.asked, FAILED, FACTS, RULES).state
    expect(words(next({ ...failed, is: 'asked' }, FAILED, FACTS, RULES))).toContain('complain verbose')
    expect(
      words(next({ ...next(STATES.asked, AWAY, FACTS, RULES).state, is: 'asked' }, FAILED, FACTS, RULES)),
    ).toContain('complain warn')
  })
})

interface Taken {
  readonly what: string
  readonly event?: Partial<State['event']>
  readonly contact?: Partial<Contact>
  readonly rules?: Partial<Rules>
  readonly becomes: string
  /** Since when QRS counts as being asked. */
  readonly since: number
}

const LATE = { receivedAt: NOW - 700_000, deadlineAt: NOW - 640_000 }
const SHORT = { receivedAt: NOW - 700_000, deadlineAt: NOW - 695_000 }
const SILENT = { answeredAt: NOW - 10_001 }

describe('an event that comes into memory', () => {
  test.each<Taken>([
    { what: 'in time', becomes: 'ready, expire 60000, queue', since: NOW - 1000 },
    {
      what: 'in time while QRS is away',
      contact: { isOpen: false },
      becomes: 'ready, expire 60000, queue',
      since: NOW - 1000,
    },
    { what: 'late', event: { deadlineAt: NOW }, becomes: 'ending, finish true', since: NOW - 1000 },
    { what: 'late at the start', event: LATE, becomes: 'ready, expire 10000, queue', since: NOW },
    {
      what: 'late at the start, with a short deadline',
      event: SHORT,
      becomes: 'ready, expire 5000, queue',
      since: NOW,
    },
    {
      what: 'late at the start, 10 seconds after the last answer',
      event: LATE,
      contact: { answeredAt: NOW - 10_000 },
      becomes: 'ready, expire 10000, queue',
      since: NOW,
    },
    {
      what: 'late at the start while QRS is silent',
      event: LATE,
      contact: SILENT,
      becomes: 'ending, finish true',
      since: NOW,
    },
    {
      what: 'late at the start while QRS is away',
      event: LATE,
      contact: { isOpen: false },
      becomes: 'ending, finish true',
      since: NOW,
    },
    { what: 'without QRS', rules: { qrsEnabled: false }, becomes: 'ending, finish false', since: NOW - 1000 },
    {
      what: 'a distribution without QRS, which alone could say how it ends',
      event: { announced: 'distribute' },
      rules: { qrsEnabled: false },
      becomes: 'ending, ignore endUnknowable',
      since: NOW - 1000,
    },
  ])('$what', ({ event: own, contact, rules, becomes, since }) => {
    const turn = taken({ ...event, ...own }, { ...CONTACT, ...contact }, NOW, { ...RULES, ...rules })
    expect(words(turn)).toBe(becomes)
    expect(turn.state.since).toBe(since)
  })

  test('waits for its turn although it was late at the start, as long as QRS answers', () => {
    expect(patientUntil(CONTACT, NOW)).toBe(CONTACT.startedAt)
    expect(patientUntil({ ...CONTACT, ...SILENT }, NOW)).toBe(0)
    expect(patientUntil({ ...CONTACT, isOpen: false }, NOW)).toBe(0)
  })
})

const ofTask = (taskId: string, n: number) => ({ n, event: { taskId } })
const [a1, b2, a3, c4] = [ofTask('a', 1), ofTask('b', 2), ofTask('a', 3), ofTask('c', 4)]

interface Rounds {
  readonly what: string
  readonly busy: readonly string[]
  readonly room: number
  readonly begun: Record<string, number[]>
  readonly rest: number[]
}

describe('rounds of questions', () => {
  test.each<Rounds>([
    { what: 'the events of a task together', busy: [], room: 10, begun: { a: [1, 3], b: [2], c: [4] }, rest: [] },
    { what: 'no second one about a task', busy: ['a'], room: 10, begun: { b: [2], c: [4] }, rest: [1, 3] },
    { what: 'while there is room', busy: [], room: 3, begun: { a: [1, 3], b: [2] }, rest: [4] },
    { what: 'all of a task, beyond the room', busy: [], room: 1, begun: { a: [1, 3] }, rest: [2, 4] },
    { what: 'a busy task takes no room', busy: ['a'], room: 1, begun: { b: [2] }, rest: [1, 3, 4] },
    { what: 'none without room', busy: [], room: 0, begun: {}, rest: [1, 3, 2, 4] },
  ])('$what', ({ busy, room, begun, rest }) => {
    const found = roundsOf([a1, b2, a3, c4], new Set(busy), room)
    expect(Object.fromEntries([...found.begun].map(([task, all]) => [task, all.map(({ n }) => n)]))).toEqual(begun)
    expect(found.rest.map(({ n }) => n)).toEqual(rest)
  })
})
