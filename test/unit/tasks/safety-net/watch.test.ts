/** What the watchdog concludes: every state of a task, a start and a finding, without a table or a clock. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { QrsTask } from '../../../../src/qlik/qrs/types.ts'
import type { LiveTask } from '../../../../src/tasks/safety-net/site.ts'
import type { Finding } from '../../../../src/tasks/safety-net/store.ts'
import {
  type Breach,
  type Effect,
  ends,
  type Facts,
  initial,
  judgeDues,
  openDues,
  reports,
  type State,
  seeDues,
  seeExecutions,
} from '../../../../src/tasks/safety-net/watch.ts'
import { TASK_ID } from '../../../support/events.ts'
import { executionResult, qrsTask } from '../../../support/fake-qrs.ts'
import { HOUR, MINUTE, NOW, SECOND } from '../../../support/safety-net.ts'

const DAY = 24 * HOUR
const NEVER = '1753-01-01T00:00:00.000Z'
const RULES = { lateAfter: 15 * MINUTE, stuckFactor: 3, neverStartedAfter: 30 * MINUTE, minRuns: 5 }
const LOOKED: State = { ...initial, lookedAt: NOW - MINUTE }

const FACTS: Facts = {
  isDue: () => false,
  ranSince: () => false,
  isReported: () => false,
  policyOf: () => ({}),
  successes: () => [],
  isQuiet: () => false,
  executionOf: (resultId) => `e-${resultId}`,
}
const runs =
  (...minutes: readonly number[]) =>
  () =>
    minutes.map((count) => ({ runMs: count * MINUTE, queueMs: count * MINUTE }))

const live = (changes: Partial<LiveTask> = {}): LiveTask => ({
  task: qrsTask(),
  state: 'running',
  since: NOW - HOUR,
  resultId: 'r1',
  firstResultId: 'r1',
  node: 'qs-2',
  dueAt: null,
  ...changes,
})
const idle = (changes: Partial<LiveTask> = {}) => live({ state: 'idle', since: null, resultId: null, ...changes })
const off = qrsTask({ enabled: false })
const ranAt = (at: number): QrsTask => {
  const lastExecutionResult = executionResult({ startTime: new Date(at).toISOString(), stopTime: NEVER })
  return qrsTask({ operational: { nextExecution: NEVER, lastExecutionResult } })
}

/** In order; a warning with its count, and since how many minutes. */
const words = (effects: readonly Effect[]) =>
  effects.map((it) => (it.do === 'warn' ? `warn ${it.of} ${it.count} ${(it.since - NOW) / MINUTE}` : it.do))

describe('an execution', () => {
  type Row = readonly [what: string, live: LiveTask, facts: Partial<Facts>, breach: string | null]
  const LONG = { successes: runs(1, 1, 1, 1, 1) }
  const rows: readonly Row[] = [
    ['runs for long', live(), LONG, 'stuck 60 of 11'],
    ['runs for as long as it may', live({ since: NOW - 11 * MINUTE }), LONG, null],
    ['runs a little longer', live({ since: NOW - 11 * MINUTE - 1 }), LONG, 'stuck 11 of 11'],
    ['runs, and too few runs are known', live(), { successes: runs(1, 1, 1, 1) }, null],
    ['runs beyond a fixed limit', live(), { policyOf: () => ({ stuck: 59 * MINUTE }) }, 'stuck 60 of 59'],
    ['runs within a fixed limit', live(), { ...LONG, policyOf: () => ({ stuck: HOUR }) }, null],
    ['runs with a limit for the queue', live(), { policyOf: () => ({ late: MINUTE }) }, null],
    ['runs and is not watched', live(), { ...LONG, policyOf: () => ({ stuck: 'off' }) }, null],
    ['runs and is disabled', live({ task: off }), LONG, null],
    ['runs during maintenance', live(), { ...LONG, isQuiet: () => true }, null],
    ['runs since a time to come', live({ since: NOW + HOUR }), LONG, null],
    ['runs since nobody says when', live({ since: null }), LONG, null],
    ['waits for long', live({ state: 'queued' }), {}, 'late 60 of 15'],
    ['waits for as long as it may', live({ state: 'queued', since: NOW - 15 * MINUTE }), {}, null],
    ['usually waits as long', live({ state: 'queued' }), { successes: runs(60, 60) }, null],
    ['waits and is not watched', live({ state: 'queued' }), { policyOf: () => ({ late: 'off' }) }, null],
    ['is over', idle(), LONG, null],
    ['has no result', live({ resultId: null }), LONG, null],
  ]
  test.each(rows)('%s', (_what, one, facts, expected) => {
    const { breaches } = seeExecutions(initial, { now: NOW, tasks: [one] }, { ...FACTS, ...facts }, RULES)
    const found = breaches.map(
      ({ outcome, elapsedMs, limitMs }) =>
        `${outcome} ${Math.floor(elapsedMs / MINUTE)} of ${Math.floor(limitMs / MINUTE)}`,
    )
    expect(found).toEqual(expected === null ? [] : [expected])
  })

  test('has the usual time and its node in what is found', () => {
    const { breaches } = seeExecutions(
      initial,
      { now: NOW, tasks: [live()] },
      { ...FACTS, successes: runs(2, 2, 2, 2, 2) },
      RULES,
    )
    expect(breaches).toEqual([
      expect.objectContaining({ usualMs: 2 * MINUTE, node: 'qs-2', resultId: 'r1', dueAt: null }),
    ])
  })

  test.each([
    ['first seen at the first look: as Qlik Sense says', initial, NOW - HOUR, NOW - HOUR],
    ['since a little before the last look', LOOKED, NOW - 6 * MINUTE, NOW - 6 * MINUTE],
    ['since long before the last look, which did not find it: since now', LOOKED, NOW - 6 * MINUTE - 1, NOW],
    ['since a time to come: since now', initial, NOW + 1, NOW],
    ['seen before in this state', seen('running'), NOW - HOUR, NOW - 5 * SECOND],
    ['seen before in another state', seen('queued'), NOW - 2 * SECOND, NOW - 2 * SECOND],
  ])('%s', (_what, state, since, expected) => {
    const after = seeExecutions(state, { now: NOW, tasks: [live({ since })] }, FACTS, RULES).state
    expect([...after.firstSeen]).toEqual([['r1', { state: 'running', since: expected }]])
  })

  test('that is over is forgotten', () => {
    expect(seeExecutions(seen('running'), { now: NOW, tasks: [idle()] }, FACTS, RULES).state.firstSeen.size).toBe(0)
  })

  function seen(state: string): State {
    return { ...LOOKED, firstSeen: new Map([['r1', { state, since: NOW - 5 * SECOND }]]) }
  }
})

describe('a planned start', () => {
  const past = NOW - 7 * MINUTE
  type Row = readonly [what: string, state: State, live: LiveTask, facts: Partial<Facts>, effects: readonly string[]]
  const rows: readonly Row[] = [
    ['to come', LOOKED, idle({ dueAt: NOW + MINUTE }), {}, ['note due']],
    ['just passed', LOOKED, idle({ dueAt: NOW - 6 * MINUTE }), {}, ['note due']],
    ['passed before the first look', initial, idle({ dueAt: NOW - DAY }), {}, ['note due']],
    ['passed, and not planned before', LOOKED, idle({ dueAt: past }), {}, ['warn dues 1 -7']],
    ['passed, and planned before', LOOKED, idle({ dueAt: past }), { isDue: () => true }, ['note due']],
    ['passed, and reported', LOOKED, idle({ dueAt: past }), { isReported: () => true }, []],
    ['passed, with a run in the history', LOOKED, idle({ dueAt: past }), { ranSince: (_id, at) => at < past }, []],
    ['passed, with a run as its last', LOOKED, idle({ dueAt: past, task: ranAt(past - MINUTE) }), {}, []],
    [
      'passed, with an older run',
      LOOKED,
      idle({ dueAt: past, task: ranAt(past - 2 * MINUTE) }),
      {},
      ['warn dues 1 -7'],
    ],
    ['passed, said already', { ...LOOKED, hasUnlikelyDues: true }, idle({ dueAt: past }), {}, []],
    ['none', LOOKED, idle(), {}, []],
  ]
  test.each(rows)('%s', (_what, state, one, facts, expected) => {
    const turn = seeDues(state, { now: NOW, tasks: [one] }, { ...FACTS, ...facts })
    expect(words(turn.effects)).toEqual([...expected])
  })

  test('is complained about again when it was right in between', () => {
    const wrong = { now: NOW, tasks: [idle({ dueAt: past }), idle({ dueAt: past })] }
    const first = seeDues(LOOKED, wrong, FACTS)
    const again = seeDues(first.state, wrong, FACTS)
    const right = seeDues(again.state, { now: NOW, tasks: [idle()] }, FACTS)
    const later = seeDues(right.state, wrong, FACTS)
    expect([first, again, right, later].map(({ effects }) => words(effects))).toEqual([
      ['warn dues 2 -7'],
      [],
      [],
      ['warn dues 2 -7'],
    ])
  })
})

describe('a start that was due', () => {
  const due = { taskId: TASK_ID, dueAt: NOW - HOUR }

  test.each([
    ['nothing has run', idle(), {}, true],
    ['its task runs', live(), {}, false],
    ['its task waits', live({ state: 'queued' }), {}, false],
    ['a run is in the history', idle(), { ranSince: (_id: string, at: number) => at >= due.dueAt - MINUTE }, false],
    ['another task runs', live({ task: qrsTask({ id: 'other' }) }), {}, true],
  ])('%s', (_what, one, facts, isOpen) => {
    const { open, effects } = openDues([due], [one], { ...FACTS, ...facts })
    expect([open, words(effects)]).toEqual(isOpen ? [[due], []] : [[], ['forget due']])
  })

  type Row = readonly [
    what: string,
    task: QrsTask | undefined,
    late: number,
    facts: Partial<Facts>,
    expected: 'waits' | 'forgotten' | 'found',
  ]
  const rows: readonly Row[] = [
    ['a moment too long ago', qrsTask(), 30 * MINUTE + 1, {}, 'found'],
    ['as long ago as it may be', qrsTask(), 30 * MINUTE, {}, 'waits'],
    ['of a task that was deleted', undefined, MINUTE, {}, 'forgotten'],
    ['of a task that was disabled', off, MINUTE, {}, 'forgotten'],
    ['of a task that has run since', ranAt(NOW - MINUTE), MINUTE, {}, 'forgotten'],
    ['with a limit of its own', qrsTask(), 2 * HOUR, { policyOf: () => ({ neverStarted: 3 * HOUR }) }, 'waits'],
    ['that is not watched', qrsTask(), MINUTE, { policyOf: () => ({ neverStarted: 'off' }) }, 'forgotten'],
    ['in maintenance now', qrsTask(), HOUR, { isQuiet: (_task, _outcome, at) => at === NOW }, 'forgotten'],
    ['in maintenance then', qrsTask(), HOUR, { isQuiet: (_task, _outcome, at) => at === NOW - HOUR }, 'forgotten'],
  ]
  test.each(rows)('%s', (_what, task, lateMs, facts, expected) => {
    const dueAt = NOW - lateMs
    const at = { now: NOW, facts: { ...FACTS, ...facts }, rules: RULES }
    const { breaches, effects } = judgeDues([{ taskId: TASK_ID, dueAt }], () => task, at)
    expect([breaches.map(({ outcome }) => outcome), words(effects)]).toEqual([
      expected === 'found' ? ['neverStarted'] : [],
      expected === 'waits' ? [] : ['forget due'],
    ])
    if (expected === 'found') expect(breaches[0]).toMatchObject({ dueAt, elapsedMs: lateMs, limitMs: 30 * MINUTE })
  })
})

describe('what was found', () => {
  const breach = (elapsedMs: number, name = 'a'): Breach => ({
    resultId: `r-${name}-${elapsedMs}`,
    outcome: 'stuck',
    task: qrsTask({ name }),
    node: '',
    elapsedMs,
    limitMs: MINUTE,
    usualMs: null,
    dueAt: null,
  })
  const old = [DAY + 1, 2 * DAY, DAY + 2].map((ms) => breach(ms))

  test.each([
    ['nothing', [], []],
    ['one', [breach(HOUR)], ['report']],
    ['three of more than a day', old, ['report', 'report', 'report']],
    ['four of a day', [DAY, DAY, DAY, DAY].map((ms) => breach(ms)), ['report', 'report', 'report', 'report']],
    [
      'four of more than a day, and one that is new',
      [...old, breach(HOUR), breach(3 * DAY)],
      ['dismiss', 'dismiss', 'dismiss', 'dismiss', `warn ages 4 ${(-3 * DAY) / MINUTE}`, 'report'],
    ],
  ] as const)('%s', (_what, breaches, expected) => {
    expect(words(reports(breaches, NOW, FACTS))).toEqual([...expected])
  })

  test('is reported once, and what was reported is not counted', () => {
    const facts = { ...FACTS, isReported: ({ subject }: { subject: string }) => subject === `e-${old[0]!.resultId}` }
    expect(words(reports([...old, breach(3 * DAY)], NOW, facts))).toEqual(['report', 'report', 'report'])
  })

  test.each([
    ['an execution', breach(HOUR), { subject: `e-r-a-${HOUR}`, outcome: 'stuck' }],
    [
      'a start',
      { ...breach(HOUR), outcome: 'neverStarted', resultId: null, dueAt: NOW } as const,
      { subject: `${TASK_ID}|${NOW}`, outcome: 'neverStarted' },
    ],
  ] as const)('%s is the subject', (_what, one, finding) => {
    expect(reports([one], NOW, FACTS)).toEqual([
      { do: 'report', breach: one, finding: { ...finding, taskId: TASK_ID } },
    ])
  })
})

describe('a finding', () => {
  const finding = (outcome: Finding['outcome']): Finding => ({
    subject: outcome === 'neverStarted' ? `${TASK_ID}|${NOW}` : 'e-r1',
    outcome,
    taskId: TASK_ID,
  })
  const other = { resultId: 'r2' }
  const ran = { ranSince: (_id: string, at: number) => at === NOW }
  type Row = readonly [Finding['outcome'], what: string, LiveTask, Partial<Facts>, 'stays' | 'close' | 'recover']
  const rows: readonly Row[] = [
    ['late', 'still waits', live({ state: 'queued' }), {}, 'stays'],
    ['late', 'runs', live(), {}, 'recover'],
    ['late', 'another execution waits', live({ state: 'queued', ...other }), {}, 'close'],
    ['late', 'another execution runs', live(other), {}, 'close'],
    ['late', 'is over', idle(), {}, 'close'],
    ['stuck', 'waits again', live({ state: 'queued' }), {}, 'stays'],
    ['stuck', 'still runs', live(), {}, 'stays'],
    ['stuck', 'another execution runs', live(other), {}, 'close'],
    ['stuck', 'is over', idle(), {}, 'close'],
    ['stuck', 'runs without a result', live({ resultId: null }), {}, 'close'],
    ['neverStarted', 'waits', live({ state: 'queued', ...other }), {}, 'stays'],
    ['neverStarted', 'runs', live(other), {}, 'recover'],
    ['neverStarted', 'may still come', idle(), {}, 'stays'],
    ['neverStarted', 'has run', idle(), ran, 'close'],
  ]
  test.each(rows)('%s: %s', (outcome, _what, one, facts, expected) => {
    const effects = ends([finding(outcome)], [one], { ...FACTS, ...facts })
    expect(words(effects)).toEqual(expected === 'stays' ? [] : [expected])
  })
})

test('property: a task that waits and runs is never found twice in one look, and never before its limit', () => {
  const lives = fc.array(
    fc.record({ state: fc.constantFrom('queued', 'running', 'idle'), since: fc.integer({ min: -DAY, max: HOUR }) }),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(lives, fc.constantFrom(initial, LOOKED), (list, state) => {
      const tasks = list.map((one, at) =>
        live({ state: one.state as LiveTask['state'], since: NOW + one.since, resultId: `r${at}` }),
      )
      const { breaches } = seeExecutions(
        state,
        { now: NOW, tasks },
        { ...FACTS, successes: runs(1, 1, 1, 1, 1) },
        RULES,
      )
      expect(new Set(breaches.map(({ resultId }) => resultId)).size).toBe(breaches.length)
      for (const { elapsedMs, limitMs } of breaches) expect(elapsedMs).toBeGreaterThan(limitMs)
    }),
  )
})
