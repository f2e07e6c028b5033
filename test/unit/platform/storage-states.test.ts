/** The states of a guarded database: each event in each state, what is done in each, and how often the file is looked at. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type Action,
  type AtPath,
  after,
  atPath,
  delayOf,
  type Failure,
  type FailureKind,
  isNotable,
  isReplacedTooOften,
  needsOpening,
  type State,
  shown,
} from '../../../src/platform/storage/states.ts'

const BEFORE = 1000
const NOW = 5000

const failure = (kind: FailureKind, isConsequence = false): Failure => ({
  kind,
  reason: `${kind}!`,
  isConsequence,
})
const outage = (kind: FailureKind, since = BEFORE) => ({ outage: { kind, reason: `${kind}!`, since } })
const gone = failure('gone')

const UP: State = { name: 'up' }
const FULL: State = { name: 'unwritable', ...outage('full'), looks: 3 }
const DAMAGED: State = { name: 'damaged', ...outage('damaged'), looks: 3 }
const MISSING: State = { name: 'missing', ...outage('gone'), looks: 3, emptySince: 2000 }
const FOREIGN: State = { name: 'foreign', ...outage('gone'), looks: 3, version: 'a' }
const NEWER: State = { ...FOREIGN, ...outage('newer') }

const failed = (state: State, kind: FailureKind, isConsequence = false) =>
  after(state, 'failed', failure(kind, isConsequence), NOW)
const nothing = (state: State) => after(state, 'nothing', { gone }, NOW)
const other = (state: State, version: string) => after(state, 'other', { gone, version }, NOW)

const ROWS: readonly (readonly [string, State, State])[] = [
  ['a failed write', failed(UP, 'full'), { name: 'unwritable', ...outage('full', NOW), looks: 0 }],
  ['a damaged file', failed(UP, 'damaged'), { name: 'damaged', ...outage('damaged', NOW), looks: 0 }],
  [
    'a closed connection at first',
    failed(UP, 'failing', true),
    { name: 'unwritable', ...outage('failing', NOW), looks: 0 },
  ],
  ['a closed connection during an outage', failed(FULL, 'failing', true), FULL],
  ['the same kind again', failed(FULL, 'full'), FULL],
  [
    'another kind of the same outage',
    failed(FULL, 'readOnly'),
    { name: 'unwritable', ...outage('readOnly'), looks: 0 },
  ],
  ['damage during an outage', failed(FULL, 'damaged'), { name: 'damaged', ...outage('damaged'), looks: 0 }],
  ['a full disk when it is made anew', failed(MISSING, 'full'), { ...MISSING, ...outage('full'), looks: 0 }],
  ['a newer database in its place', failed(FOREIGN, 'newer'), { ...FOREIGN, ...outage('newer'), looks: 0 }],
  ['the file is gone', nothing(UP), { name: 'missing', ...outage('gone', NOW), looks: 0, emptySince: NOW }],
  [
    'the file is gone during an outage',
    nothing(DAMAGED),
    { name: 'missing', ...outage('gone'), looks: 0, emptySince: NOW },
  ],
  ['the file is still gone', nothing(MISSING), MISSING],
  ['the other file is gone', nothing(FOREIGN), { name: 'missing', ...outage('gone'), looks: 3, emptySince: NOW }],
  ['the newer database is gone', nothing(NEWER), { name: 'missing', ...outage('gone'), looks: 0, emptySince: NOW }],
  ['another file in its place', other(UP, 'b'), { name: 'foreign', ...outage('gone', NOW), looks: 0, version: 'b' }],
  [
    'another file after it was gone',
    other(MISSING, 'b'),
    { name: 'foreign', ...outage('gone'), looks: 3, version: 'b' },
  ],
  ['another file that is written to', other(FOREIGN, 'b'), { ...FOREIGN, version: 'b' }],
  ['a look while all is well', after(UP, 'look', {}, NOW), UP],
  ['a look during an outage', after(FULL, 'look', {}, NOW), { ...FULL, looks: 4 }],
  ['a recovery', after(NEWER, 'recovered', {}, NOW), UP],
]

test.each(ROWS)('%s', (_, is, expected) => {
  expect(is).toEqual(expected)
})

test.each([
  ['all is well', UP, 2000],
  ['just begun', { ...FULL, looks: 0 }, 1000],
  ['after some looks', { ...FULL, looks: 2 }, 4000],
  ['at last', { ...FULL, looks: 20 }, 10_000],
  ['a file that may be put back at any time', { ...MISSING, looks: 20 }, 2000],
] as const)('the next look: %s', (_, state, expected) => {
  expect(delayOf(state as State, 2000)).toBe(expected)
})

const GRACE_MS = 3000
const OURS: AtPath = { is: 'ours' }
const NOTHING: AtPath = { is: 'nothing' }
const otherFile = (version: string): AtPath => ({ is: 'other', version })
const look = (state: State, found: AtPath, now = NOW) => atPath(state, found, { gone, graceMs: GRACE_MS, now })

/** The state afterwards, and what is done. */
const LOOKS: readonly (readonly [string, State, AtPath, State['name'], Action])[] = [
  ['all is well', UP, OURS, 'up', 'keep'],
  ['it could not be written', FULL, OURS, 'unwritable', 'write'],
  ['it could not be replaced', DAMAGED, OURS, 'damaged', 'repair'],
  ['it is back', MISSING, OURS, 'missing', 'go on'],
  ['it is back in place of another', FOREIGN, OURS, 'foreign', 'go on'],
  ['it is back in place of a newer one', NEWER, OURS, 'foreign', 'go on'],
  ['it is gone', UP, NOTHING, 'missing', 'wait'],
  ['it is gone during an outage', FULL, NOTHING, 'missing', 'wait'],
  ['it is gone when it could not be replaced', DAMAGED, NOTHING, 'missing', 'wait'],
  ['it is gone for a while', { ...MISSING, emptySince: NOW - GRACE_MS + 1 }, NOTHING, 'missing', 'wait'],
  ['it is gone for long', { ...MISSING, emptySince: NOW - GRACE_MS }, NOTHING, 'missing', 'make anew'],
  ['the other one is gone', FOREIGN, NOTHING, 'missing', 'wait'],
  ['another one is there', UP, otherFile('a'), 'foreign', 'wait'],
  ['another one is there during an outage', FULL, otherFile('a'), 'foreign', 'wait'],
  ['another one is there instead of a damaged one', DAMAGED, otherFile('a'), 'foreign', 'wait'],
  ['another one is there after it was gone for long', { ...MISSING, emptySince: 0 }, otherFile('a'), 'foreign', 'wait'],
  ['another one is being copied', FOREIGN, otherFile('b'), 'foreign', 'wait'],
  ['another one is complete', FOREIGN, otherFile('a'), 'foreign', 'adopt'],
  ['a newer one is still there', NEWER, otherFile('a'), 'foreign', 'adopt'],
]

test.each(LOOKS)('a check: %s', (_, before, found, name, action) => {
  const seen = look(before, found)
  expect([seen.state.name, seen.action]).toEqual([name, action])
})

test('whatever comes and goes: nothing is made anew while it may be put back, no file is used while it grows', () => {
  const found = fc.oneof(fc.constant(OURS), fc.constant(NOTHING), fc.constantFrom('a', 'b', 'c').map(otherFile))
  const check = fc.record({
    found,
    ms: fc.integer({ min: 1, max: 2000 }),
    fails: fc.option(fc.constantFrom('full', 'damaged', 'newer')),
  })
  fc.assert(
    fc.property(fc.array(check, { maxLength: 40 }), (checks) => {
      let state = UP as State
      let [now, goneSince] = [0, null as number | null]
      let before: AtPath = OURS
      for (const { found, ms, fails } of checks) {
        now += ms
        goneSince = found.is === 'nothing' ? (goneSince ?? now) : null
        const seen = look(after(state, 'look', {}, now), found, now)
        if (seen.action === 'make anew') expect(now - goneSince!).toBeGreaterThanOrEqual(GRACE_MS)
        else if (seen.action === 'adopt') expect(found).toEqual(before)
        else expect(seen.action === 'wait').toBe(found.is !== 'ours')
        // That a file is back cannot fail.
        const isDone = seen.action !== 'wait' && (fails === null || seen.action === 'go on')
        state = isDone ? after(seen.state, 'recovered', {}, now) : seen.state
        if (fails !== null) state = after(state, 'failed', failure(fails), now)
        if (isDone) [goneSince, before] = [null, OURS]
        else before = found
      }
    }),
  )
})

test('a file that fails is opened anew from the second check on', () => {
  const failing: State = { ...FULL, ...outage('failing') }
  expect([1, 2].map((looks) => needsOpening({ ...failing, looks } as State))).toEqual([false, true])
  for (const state of [UP, FULL, DAMAGED, MISSING, FOREIGN]) expect(needsOpening(state)).toBeFalse()
})

test('damaged files are replaced three times within an hour', () => {
  const hour = 3_600_000
  expect(isReplacedTooOften([], hour)).toBeFalse()
  expect(isReplacedTooOften([1, 2], hour)).toBeFalse()
  expect(isReplacedTooOften([1, 2, 3], hour)).toBeTrue()
  expect(isReplacedTooOften([0, 2, 3], hour)).toBeFalse()
})

test('a loss, and an outage of a minute, are worth a note', () => {
  expect(isNotable(null, 59_999)).toBeFalse()
  expect(isNotable(null, 60_000)).toBeTrue()
  expect(isNotable(true, 0)).toBeTrue()
  expect(isNotable(false, 0)).toBeTrue()
})

test.each([
  ['up', UP, null, { state: 'up', reason: '' }],
  ['up after a long outage', UP, { at: NOW, text: 'it was full', lost: false }, { state: 'up', reason: '' }],
  ['up after a loss', UP, { at: NOW, text: 'it was lost', lost: true }, { state: 'degraded', reason: 'it was lost' }],
  ['down after a loss', FULL, { at: NOW, text: 'it was lost', lost: true }, { state: 'down', reason: 'full!' }],
] as const)('is shown as %s', (_, state, note, expected) => {
  expect(shown(state, note)).toEqual(expected)
})
