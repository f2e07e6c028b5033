/** The states of a guarded database: each event in each state, and how often the file is looked at. */
import { expect, test } from 'bun:test'
import { after, delayOf, type Failure, type FailureKind, type State } from '../../../src/platform/storage/states.ts'

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
