import { expect, test } from 'bun:test'
import { createLocalTime } from '../../../simulator/local-time.ts'
import { nextExecution } from '../../../simulator/scheduler/triggers.ts'
import type { SimSchemaEvent } from '../../../simulator/types.ts'

const time = createLocalTime('Europe/Stockholm')

function event(changes: Partial<SimSchemaEvent>): SimSchemaEvent {
  return {
    startDate: Date.parse('2026-01-01T05:00:00.000Z'),
    expirationDate: Date.parse('9999-12-30T23:59:59.000Z'),
    schemaFilterDescription: ['* * - * * * * *'],
    incrementDescription: '0 0 1 0',
    incrementOption: 2,
    ...changes,
  } as SimSchemaEvent
}
const next = (changes: Partial<SimSchemaEvent>, now: string) => {
  const at = nextExecution(event(changes), time, Date.parse(now))
  return at === null ? null : new Date(at).toISOString()
}

test.each<[string, Partial<SimSchemaEvent>, string, string | null]>([
  ['daily, today', {}, '2026-03-02T04:59:00Z', '2026-03-02T05:00:00.000Z'],
  ['daily, tomorrow', {}, '2026-03-02T05:00:00Z', '2026-03-03T05:00:00.000Z'],
  ['daily keeps its local time in summer', {}, '2026-03-28T12:00:00Z', '2026-03-29T04:00:00.000Z'],
  ['every third day', { incrementDescription: '0 0 3 0' }, '2026-01-01T12:00:00Z', '2026-01-04T05:00:00.000Z'],
  [
    'weekly on Monday and Thursday',
    { incrementOption: 3, schemaFilterDescription: ['* * - 1,4 1 * * *'] },
    '2026-03-02T12:00:00Z',
    '2026-03-05T05:00:00.000Z',
  ],
  [
    'monthly on 1 and 15',
    { incrementOption: 4, schemaFilterDescription: ['* * - * * 1,15 * *'] },
    '2026-03-02T12:00:00Z',
    '2026-03-15T05:00:00.000Z',
  ],
  [
    'hourly',
    { incrementOption: 1, incrementDescription: '0 1 0 0' },
    '2026-03-02T12:00:00Z',
    '2026-03-02T13:00:00.000Z',
  ],
  [
    'custom, 90 minutes',
    { incrementOption: 5, incrementDescription: '30 1 0 0' },
    '2026-01-01T06:00:00Z',
    '2026-01-01T06:30:00.000Z',
  ],
  ['once, ahead', { incrementOption: 0 }, '2025-12-31T00:00:00Z', '2026-01-01T05:00:00.000Z'],
  ['once, past', { incrementOption: 0 }, '2026-03-02T00:00:00Z', null],
  ['expired', { expirationDate: Date.parse('2026-02-01T00:00:00Z') }, '2026-03-02T00:00:00Z', null],
])('%s', (_name, changes, now, expected) => {
  expect(next(changes, now)).toBe(expected)
})
