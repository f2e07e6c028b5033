/** Instants of schema events and firings of composite events; expected values by hand. */
import { describe, expect, test } from 'bun:test'
import { createOffsets } from '../../../../src/platform/offsets.ts'
import type { QrsCompositeEvent, QrsSchemaEvent } from '../../../../src/qlik/qrs/triggers.ts'
import { firingsOf, instantsOf, textOfSchema } from '../../../../src/tasks/overview/triggers.ts'

const STOCKHOLM = createOffsets('Europe/Stockholm')
const event = (changes: Partial<QrsSchemaEvent>): QrsSchemaEvent => ({
  id: 't1',
  name: 'Nightly',
  enabled: true,
  taskId: 'a',
  taskName: 'A',
  modifiedAt: null,
  timezone: 'Europe/Stockholm',
  startAt: Date.parse('2026-01-01T01:00:00Z'),
  expiresAt: null,
  nextAt: null,
  increment: 'daily',
  every: [0, 0, 1, 0],
  filter: '* * - * * * * *'.split(' '),
  ...changes,
})

describe('the instants of a schema event', () => {
  test.each<[string, Partial<QrsSchemaEvent>, string, string, string[]]>([
    [
      'daily, over the change of clocks',
      {},
      '2026-03-28T00:00:00Z',
      '2026-03-30T12:00:00Z',
      // 02:00 does not exist on the 29th: the end of the gap, 03:00.
      ['2026-03-28T01:00:00Z', '2026-03-29T01:00:00Z', '2026-03-30T00:00:00Z'],
    ],
    [
      'every second day, from its next execution',
      { every: [0, 0, 2, 0], nextAt: Date.parse('2026-03-02T01:00:00Z') },
      '2026-02-27T00:00:00Z',
      '2026-03-04T12:00:00Z',
      ['2026-02-28T01:00:00Z', '2026-03-02T01:00:00Z', '2026-03-04T01:00:00Z'],
    ],
    [
      'on Mondays and Thursdays',
      { increment: 'weekly', filter: '* * - 1,4 1 * * *'.split(' ') },
      '2026-03-02T00:00:00Z',
      '2026-03-09T00:00:00Z',
      ['2026-03-02T01:00:00Z', '2026-03-05T01:00:00Z'],
    ],
    [
      'on days 1 and 15',
      { increment: 'monthly', filter: '* * - * * 1,15 * *'.split(' ') },
      '2026-02-20T00:00:00Z',
      '2026-03-31T00:00:00Z',
      ['2026-03-01T01:00:00Z', '2026-03-15T01:00:00Z'],
    ],
    [
      'every six hours',
      { increment: 'hourly', every: [0, 6, 0, 0], nextAt: Date.parse('2026-03-02T05:30:00Z') },
      '2026-03-02T00:00:00Z',
      '2026-03-02T18:00:00Z',
      ['2026-03-02T05:30:00Z', '2026-03-02T11:30:00Z', '2026-03-02T17:30:00Z'],
    ],
    [
      'once',
      { increment: 'once', nextAt: Date.parse('2026-03-02T05:30:00Z') },
      '2026-03-02T00:00:00Z',
      '2026-03-03T00:00:00Z',
      ['2026-03-02T05:30:00Z'],
    ],
    [
      'until it expires',
      { expiresAt: Date.parse('2026-03-02T12:00:00Z') },
      '2026-03-02T00:00:00Z',
      '2026-03-04T00:00:00Z',
      ['2026-03-02T01:00:00Z'],
    ],
    ['disabled', { enabled: false }, '2026-03-02T00:00:00Z', '2026-03-04T00:00:00Z', []],
    ['without a step', { increment: 'custom', every: [0] }, '2026-03-02T00:00:00Z', '2026-03-04T00:00:00Z', []],
  ])('%s', (_, changes, from, to, expected) => {
    const found = instantsOf(event(changes), STOCKHOLM, Date.parse(from), Date.parse(to))
    expect(found.map((one) => new Date(one).toISOString().replace('.000', ''))).toEqual(expected)
  })

  test.each<[Partial<QrsSchemaEvent>, string]>([
    [{}, 'daily at 02:00'],
    [{ increment: 'hourly', every: [0, 6, 0, 0] }, 'every 6 hours'],
    [{ increment: 'hourly', every: [0, 1, 0, 0] }, 'every hour'],
    [{ increment: 'custom', every: [30, 0, 1, 0] }, 'every day 30 minutes'],
    [{ increment: 'weekly', filter: '* * - 1,4 1 * * *'.split(' ') }, 'Monday, Thursday at 02:00'],
    [{ increment: 'monthly', filter: '* * - * * 1,15 * *'.split(' ') }, 'on day 1, 15 at 02:00'],
    [{ increment: 'once' }, 'once, 2026-01-01 at 02:00'],
  ])('%p is %p', (changes, text) => expect(textOfSchema(event(changes), STOCKHOLM)).toBe(text))
})

describe('a composite event', () => {
  const gate = (withinMs: number | null, ...rules: [string, 'success' | 'failure'][]): QrsCompositeEvent => ({
    id: 'g',
    name: 'After both',
    enabled: true,
    taskId: 'c',
    taskName: 'C',
    modifiedAt: null,
    withinMs,
    rules: rules.map(([taskId, on]) => ({ taskId, taskName: taskId.toUpperCase(), on })),
  })
  const end = (taskId: string, at: number, outcome = 'success') => ({ taskId, outcome, at })

  test.each<[string, QrsCompositeEvent, ReturnType<typeof end>[], number[]]>([
    ['fires after the last rule', gate(null, ['a', 'success'], ['b', 'success']), [end('a', 10), end('b', 20)], [20]],
    [
      'forgets its marks when it fires',
      gate(null, ['a', 'success'], ['b', 'success']),
      [end('a', 10), end('b', 20), end('b', 30), end('a', 40)],
      [20, 40],
    ],
    ['not after too long', gate(5, ['a', 'success'], ['b', 'success']), [end('a', 10), end('b', 20)], []],
    ['not after a failure', gate(null, ['a', 'success']), [end('a', 10, 'failed')], []],
    ['on a failure', gate(null, ['a', 'failure']), [end('a', 10), end('a', 20, 'failed')], [20]],
    [
      'a failure takes the mark away',
      gate(null, ['a', 'success'], ['b', 'success']),
      [end('a', 10), end('a', 15, 'failed'), end('b', 20)],
      [],
    ],
    ['never without rules', gate(null), [end('a', 10)], []],
  ])('%s', (_, one, ends, expected) => expect(firingsOf(one, ends)).toEqual(expected))
})
