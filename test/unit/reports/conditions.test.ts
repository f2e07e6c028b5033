/** Rules of conditions on given data and facts. */
import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { ReportError } from '../../../src/reports/codes.ts'
import {
  type ConditionFacts,
  type ConditionState,
  evaluateCondition,
  type TaskState,
} from '../../../src/reports/conditions.ts'
import type { UnlimitedData } from '../../../src/reports/data/index.ts'
import { reportCondition } from '../../../src/reports/entities/condition.ts'
import { type Cell, EvaluationError, type Table } from '../../../src/reports/types.ts'
import type { Warning } from '../../support/report-engine.ts'

const TASK = '210832b5-6174-4572-bd19-3e61eda675ef'

type Value = string | number | null | Cell

interface Given {
  readonly values?: Readonly<Record<string, Value>>
  readonly rows?: readonly (readonly Value[])[]
  readonly lastReload?: string
  readonly task?: TaskState
  readonly pairs?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
  readonly lastRun?: string
  readonly now?: string
  readonly timezone?: string
  readonly previous?: ConditionState | null
}

const cell = (value: Value): Cell =>
  typeof value === 'object' && value !== null
    ? value
    : { text: value === null ? '' : String(value), number: typeof value === 'number' ? value : null }

function tableOf(rows: Given['rows'] = []): Table {
  const columns = ['Region', 'Sales'].map((label, index) => ({
    label,
    kind: index === 0 ? ('dimension' as const) : ('measure' as const),
    type: 'text' as const,
    format: null,
  }))
  async function* pages() {
    yield rows.slice(0, 2).map((row) => row.map(cell))
    yield rows.slice(2).map((row) => row.map(cell))
  }
  return { columns, rows: rows.length, totalRows: rows.length, totals: [cell(null), cell(rows.length)], pages }
}

function dataOf({ values = {}, rows, lastReload }: Given): UnlimitedData {
  const value = async (name: string) => {
    const found = values[name]
    if (found === undefined) throw new EvaluationError(`unknown field ${name}`)
    return cell(found)
  }
  const data: UnlimitedData = {
    app: { id: 'app', name: 'App', lastReload: lastReload ? new Date(lastReload) : null },
    filterText: '',
    evaluate: value,
    variable: value,
    table: async () => tableOf(rows),
    object: async (objectId) => ({
      objectId,
      visualization: 'table',
      title: '',
      properties: {},
      table: objectId === 'text' ? null : tableOf(rows),
    }),
    labelOf: async () => '',
    fieldValues: async () => [],
    within: (_selections, work) => work(data),
  }
  return data
}

function factsOf({ task, pairs = {}, files = {}, lastRun }: Given): ConditionFacts {
  return {
    async taskState() {
      if (!task) throw new ReportError('REPOSITORY_UNREACHABLE', 'down')
      return task
    },
    keyValue: async (namespace, key) => pairs[`${namespace}/${key}`] ?? null,
    file: async (spaceId, path) => {
      const modified = files[`${spaceId}:${path}`]
      return modified ? { modifiedAt: new Date(modified) } : null
    },
    lastRun: async () => (lastRun ? new Date(lastRun) : null),
  }
}

async function evaluate(condition: Record<string, unknown>, given: Given = {}) {
  const warnings: Warning[] = []
  const result = await evaluateCondition(reportCondition().parse({ name: 'Backlog', ...condition }), {
    data: async () => dataOf(given),
    facts: factsOf(given),
    previous: given.previous ?? null,
    now: new Date(given.now ?? '2025-11-21T06:30:00Z'),
    timezone: given.timezone ?? 'UTC',
    warn: (code, details) => void warnings.push({ code, details }),
  })
  return { ...result, warnings }
}

/** The result of a single rule, and the state that a delivering run keeps. */
async function rule(definition: Record<string, unknown>, given: Given = {}) {
  const { rules, delivered } = await evaluate({ rules: [definition] }, given)
  return { result: rules[0]!, state: delivered }
}

describe('value', () => {
  test.each([
    [
      { left: { expr: '=Sum(B)' }, op: 'gt', right: { variable: 'vLimit' } },
      { met: false, left: 88, right: 100 },
    ],
    [
      { left: { expr: '=Sum(B)' }, op: 'gt', right: { const: 80 } },
      { met: true, left: 88, right: 80 },
    ],
    [
      { left: { kpi: 'k' }, op: 'eq', right: { const: '1' } },
      { met: true, left: 1, right: '1' },
    ],
    [
      { left: { expr: '=Null()' }, op: 'empty' },
      { met: true, left: null },
    ],
    [
      { left: { const: 5 }, op: 'between', right: { const: 1 }, right2: { const: 9 } },
      { met: true, left: 5, right: 1, right2: 9 },
    ],
    [
      { left: { expr: '=Sum(B)' }, op: 'gt', right: { previous: true } },
      { met: false, left: 88, right: null, previous: null },
    ],
  ])('%j', async (definition, expected) => {
    const given = { values: { '=Sum(B)': 88, vLimit: 100, '=Null()': null }, rows: [['Nord', 1]] }
    const { result } = await rule({ type: 'value', ...definition }, given)
    expect(result).toEqual({ type: 'value', ...expected })
  })

  test('compares with the value of the last delivering run', async () => {
    const growing = { type: 'value', left: { expr: 'B' }, op: 'gt', right: { previous: true } }
    const { state } = await rule(growing, { values: { B: 70 } })
    const { result } = await rule(growing, { values: { B: 88 }, previous: state })
    expect(result).toEqual({ type: 'value', met: true, left: 88, right: 70, previous: 70 })
  })

  test('a text of the last run is no number to compare with, and does not stay', async () => {
    const growing = { type: 'value', left: { expr: 'B' }, op: 'gt', right: { previous: true } }
    const first = await rule(growing, { values: { B: 'n/a' } })
    const second = await rule(growing, { values: { B: 70 }, previous: first.state })
    expect(second.result).toMatchObject({ met: false, left: 70, previous: null })
    const third = await rule(growing, { values: { B: 71 }, previous: second.state })
    expect(third.result).toMatchObject({ met: true, previous: 70 })
  })

  test('forgets values when the rule changes', async () => {
    const { state } = await rule(
      { type: 'value', left: { expr: 'B' }, op: 'gt', right: { previous: true } },
      { values: { B: 70 } },
    )
    const changed = { type: 'value', left: { expr: 'C' }, op: 'gt', right: { previous: true } }
    const { result } = await rule(changed, { values: { C: 88 }, previous: state })
    expect(result).toMatchObject({ met: false, previous: null })
  })
})

test.each([
  [{ type: 'value', left: { expr: 'B' }, op: 'gt', right: { const: 100 } }, { values: { B: 'n/a' } }],
  [{ type: 'changedBy', expr: 'B', atLeast: 1, unit: 'absolute', direction: 'any' }, { values: { B: 'n/a' } }],
  [{ type: 'keyValue', namespace: 'N', key: 'K', op: 'lt', value: 5 }, { pairs: { 'N/K': 'n/a' } }],
])('a text beside a number is an error: %j', async (definition, given) => {
  await expect(evaluate({ rules: [definition] }, given)).rejects.toThrow(
    `rule 1 (${definition.type}): the text "n/a" has no order beside a number or date`,
  )
})

describe('rowCount', () => {
  test.each([
    ['gt', 0, [], false],
    ['gt', 0, [['Nord', 1]], true],
    [
      'eq',
      2,
      [
        ['Nord', 1],
        ['Syd', 2],
      ],
      true,
    ],
  ] as const)('%s %d', async (op, count, rows, met) => {
    const { result } = await rule({ type: 'rowCount', of: { objectId: 'o' }, op, count }, { rows })
    expect(result).toEqual({ type: 'rowCount', met, left: rows.length, right: count })
  })

  test('of an object without a table is an error', async () => {
    const condition = { rules: [{ type: 'rowCount', of: { objectId: 'text' }, op: 'gt', count: 0 }] }
    await expect(evaluate(condition)).rejects.toThrow(
      'CONDITION_ERROR: Backlog: rule 1 (rowCount): the object "text" holds no table',
    )
  })
})

describe('dataChanged', () => {
  const changed = { type: 'dataChanged', of: { objectId: 'o' } }
  const rows = [
    ['Syd', 2.5],
    ['Nord', 10],
    ['Öst', null],
  ] as const

  test('hashes labels and rows: sorted bytewise, numbers shortest, null as NUL', async () => {
    const text = 'Region\u001fSales\u001eNord\u001f10\u001eSyd\u001f2.5\u001eÖst\u001f\u0000'
    const { result, state } = await rule(changed, { rows })
    const hash = createHash('sha256').update(text).digest('hex')
    expect(result).toEqual({ type: 'dataChanged', met: true, left: hash, previous: null })
    expect(Object.values(state.rules)).toEqual([{ hash }])
  })

  test('is met when the data differs from that of the last delivering run', async () => {
    const { state } = await rule(changed, { rows })
    const later = async (other: Given['rows']) => (await rule(changed, { rows: other, previous: state })).result.met
    expect(await later(rows)).toBe(false)
    expect(await later([rows[2], rows[0], rows[1]])).toBe(false)
    expect(await later([rows[0], rows[1], ['Öst', 0]])).toBe(true)
    expect(await later([rows[0], rows[1]])).toBe(true)
  })

  test('sees a changed text of the same number, in tables and expressions', async () => {
    const [open, cancelled] = ['Open', 'Cancelled'].map((text): Cell => ({ text, number: 1 })) as [Cell, Cell]
    const { state } = await rule(changed, { rows: [[open, 2]] })
    expect((await rule(changed, { rows: [[open, 2]], previous: state })).result.met).toBe(false)
    expect((await rule(changed, { rows: [[cancelled, 2]], previous: state })).result.met).toBe(true)
    const only = { type: 'dataChanged', of: { expressions: ['A'] } }
    const first = await rule(only, { values: { A: open } })
    expect((await rule(only, { values: { A: open }, previous: first.state })).result.met).toBe(false)
    expect((await rule(only, { values: { A: cancelled }, previous: first.state })).result.met).toBe(true)
  })

  test('may regard the order', async () => {
    const ordered = { ...changed, ignoreOrder: false }
    const { state } = await rule(ordered, { rows })
    const other = [rows[1], rows[0], rows[2]]
    expect((await rule(ordered, { rows: other, previous: state })).result.met).toBe(true)
    expect((await rule(ordered, { rows, previous: state })).result.met).toBe(false)
  })

  test('looks at expressions', async () => {
    const of = { type: 'dataChanged', of: { expressions: ['A', 'B'] } }
    const { result, state } = await rule(of, { values: { A: 1, B: 'x' } })
    expect(result.left).toBe(createHash('sha256').update('A\u001fB\u001e1\u001fx').digest('hex'))
    expect((await rule(of, { values: { A: 1, B: 'x' }, previous: state })).result.met).toBe(false)
    expect((await rule(of, { values: { A: 1, B: 'y' }, previous: state })).result.met).toBe(true)
  })
})

describe('changedBy', () => {
  const cases: readonly [unit: string, direction: string, atLeast: number, from: number, to: number, met: boolean][] = [
    ['percent', 'up', 20, 70, 88, true],
    ['percent', 'up', 20, 70, 84, true],
    ['percent', 'up', 20, 70, 83.9, false],
    ['percent', 'up', 20, 70, 50, false],
    ['percent', 'down', 20, 70, 50, true],
    ['percent', 'any', 20, 70, 50, true],
    ['percent', 'up', 20, -70, -50, true],
    ['percent', 'any', 20, 0, 1, true],
    ['percent', 'any', 20, 0, 0, false],
    ['absolute', 'any', 5, 10, 15, true],
    ['absolute', 'down', 5, 10, 15, false],
    ['absolute', 'up', 0.3, 0.1, 0.4, true],
  ]
  test.each(cases)('%s %s %d: from %d to %d is %p', async (unit, direction, atLeast, from, to, met) => {
    const changedBy = { type: 'changedBy', expr: 'B', atLeast, unit, direction }
    const { state } = await rule(changedBy, { values: { B: from } })
    const { result } = await rule(changedBy, { values: { B: to }, previous: state })
    expect(result).toMatchObject({ met, left: to, previous: from })
  })

  test('is met at the first run, and shows the change', async () => {
    const changedBy = { type: 'changedBy', expr: 'B', atLeast: 20, unit: 'percent', direction: 'up' }
    const first = await rule(changedBy, { values: { B: 70 } })
    expect(first.result).toEqual({ type: 'changedBy', met: true, left: 70, previous: null, change: null })
    const second = await rule(changedBy, { values: { B: 88 }, previous: first.state })
    expect(second.result).toEqual({ type: 'changedBy', met: true, left: 88, previous: 70, change: 25.71 })
    // Without a number the value of before stays.
    const third = await rule(changedBy, { values: { B: null }, previous: second.state })
    expect(third.result).toEqual({ type: 'changedBy', met: false, left: null, previous: 88 })
    expect((await rule(changedBy, { values: { B: 89 }, previous: third.state })).result.met).toBe(false)
  })
})

describe('lastReload', () => {
  const cases: readonly [name: string, definition: object, given: Given, met: boolean][] = [
    // 23:30 UTC on the 20th is half past midnight on the 21st in Stockholm.
    [
      'today, where UTC is still yesterday',
      { is: 'today' },
      { lastReload: '2025-11-20T23:10:00Z', now: '2025-11-20T23:30:00Z', timezone: 'Europe/Stockholm' },
      true,
    ],
    [
      'not today, where UTC says so',
      { is: 'today' },
      { lastReload: '2025-11-20T22:50:00Z', now: '2025-11-20T23:30:00Z', timezone: 'Europe/Stockholm' },
      false,
    ],
    ['within 60 minutes', { is: 'withinMinutes', minutes: 60 }, { lastReload: '2025-11-21T05:30:00Z' }, true],
    ['not within 59 minutes', { is: 'withinMinutes', minutes: 59 }, { lastReload: '2025-11-21T05:30:00Z' }, false],
    [
      'since the last run',
      { is: 'sinceLastRun' },
      { lastReload: '2025-11-21T05:30:00Z', lastRun: '2025-11-21T05:00:00Z' },
      true,
    ],
    [
      'not since the last run',
      { is: 'sinceLastRun' },
      { lastReload: '2025-11-21T05:30:00Z', lastRun: '2025-11-21T06:00:00Z' },
      false,
    ],
    ['before the first run', { is: 'sinceLastRun' }, { lastReload: '2025-11-21T05:30:00Z' }, true],
    ['never', { is: 'today' }, {}, false],
  ]
  test.each(cases)('%s', async (_name, definition, given, met) => {
    expect((await rule({ type: 'lastReload', ...definition }, given)).result.met).toBe(met)
  })

  test('needs minutes', async () => {
    const condition = { rules: [{ type: 'lastReload', is: 'withinMinutes' }] }
    await expect(evaluate(condition, { lastReload: '2025-11-21T05:30:00Z' })).rejects.toThrow('needs minutes')
  })
})

describe('taskState', () => {
  const finished = (outcome: 'succeeded' | 'failed' | 'aborted', finishedAt: string, running = false): TaskState => ({
    status: running ? 'Started' : outcome,
    running,
    last: { outcome, finishedAt: new Date(finishedAt) },
  })
  const succeeded = finished('succeeded', '2025-11-21T05:00:00Z')
  test.each([
    [{ is: 'succeeded' }, { task: succeeded }, true],
    [{ is: 'failed' }, { task: succeeded }, false],
    [{ is: 'failed' }, { task: finished('failed', '2025-11-01T05:00:00Z') }, true],
    [{ is: 'failed' }, { task: finished('aborted', '2025-11-21T05:00:00Z') }, false],
    [{ is: 'succeeded', since: 'today' }, { task: succeeded }, true],
    [{ is: 'succeeded', since: 'today' }, { task: finished('succeeded', '2025-11-20T05:00:00Z') }, false],
    [{ is: 'succeeded', since: 'lastRun' }, { task: succeeded, lastRun: '2025-11-21T05:30:00Z' }, false],
    [{ is: 'succeeded', since: 'lastRun' }, { task: succeeded, lastRun: '2025-11-21T04:30:00Z' }, true],
    [{ is: 'notRunning' }, { task: succeeded }, true],
    [{ is: 'notRunning' }, { task: finished('succeeded', '2025-11-21T05:00:00Z', true) }, false],
    [{ is: 'succeeded' }, { task: { status: 'NeverStarted', running: false, last: null } }, false],
  ] as [object, Given, boolean][])('%j of %j is %p', async (definition, given, met) => {
    expect((await rule({ type: 'taskState', taskId: TASK, ...definition }, given)).result.met).toBe(met)
  })
})

describe('keyValue and file', () => {
  test.each([
    [{ op: 'eq', value: 'ready' }, true],
    [{ op: 'ne', value: 'READY' }, false],
    [{ op: 'notEmpty' }, true],
    [{ op: 'matches', value: '^re' }, true],
  ])('keyValue %j is %p', async (definition, met) => {
    const pairs = { 'Sales/state': 'Ready' }
    const { result } = await rule({ type: 'keyValue', namespace: 'Sales', key: 'state', ...definition }, { pairs })
    expect(result).toMatchObject({ met, left: 'Ready' })
  })

  test('pairs hold texts; numbers in them compare as numbers, missing pairs as null', async () => {
    const greater = { type: 'keyValue', namespace: 'Sales', key: 'rows', op: 'gt', value: 9 }
    expect((await rule(greater, { pairs: { 'Sales/rows': '10' } })).result.met).toBe(true)
    expect((await rule(greater)).result).toEqual({ type: 'keyValue', met: false, left: null, right: 9 })
  })

  test.each([
    ['exists', {}, false],
    ['exists', { files: { 's:done.txt': '2025-11-21T05:00:00Z' } }, true],
    ['newerThanLastRun', { files: { 's:done.txt': '2025-11-21T05:00:00Z' }, lastRun: '2025-11-21T04:00:00Z' }, true],
    ['newerThanLastRun', { files: { 's:done.txt': '2025-11-21T05:00:00Z' }, lastRun: '2025-11-21T05:00:00Z' }, false],
    ['newerThanLastRun', { files: { 's:done.txt': '2025-11-21T05:00:00Z' } }, true],
    ['newerThanLastRun', {}, false],
  ] as [string, Given, boolean][])('file %s of %j is %p', async (is, given, met) => {
    expect((await rule({ type: 'file', spaceId: 's', path: 'done.txt', is }, given)).result.met).toBe(met)
  })
})

describe('calendar', () => {
  // 2025-11-21 is a Friday; 07:30 in Stockholm.
  test.each([
    [{}, '2025-11-21T06:30:00Z', true],
    [{ weekdays: ['fri'] }, '2025-11-21T06:30:00Z', true],
    [{ weekdays: ['sat', 'sun'] }, '2025-11-21T06:30:00Z', false],
    [{ from: '07:30', to: '08:00' }, '2025-11-21T06:30:00Z', true],
    [{ from: '07:00', to: '07:30' }, '2025-11-21T06:30:00Z', false],
    [{ from: '07:31' }, '2025-11-21T06:30:00Z', false],
    [{ to: '08:00' }, '2025-11-21T06:30:00Z', true],
    // Over midnight the day is that of `from`.
    [{ from: '22:00', to: '06:00', weekdays: ['fri'] }, '2025-11-22T01:00:00Z', true],
    [{ from: '22:00', to: '06:00', weekdays: ['sat'] }, '2025-11-22T01:00:00Z', false],
    [{ from: '22:00', to: '06:00', weekdays: ['fri'] }, '2025-11-21T21:00:00Z', true],
    [{ from: '22:00', to: '06:00' }, '2025-11-21T12:00:00Z', false],
    [{ dates: ['2025-11-21'] }, '2025-11-21T06:30:00Z', true],
    [{ dates: ['2025-11-22'] }, '2025-11-21T23:30:00Z', true],
    [{ notDates: ['2025-11-21'] }, '2025-11-21T06:30:00Z', false],
    [{ monthDay: 21 }, '2025-11-21T06:30:00Z', true],
    [{ monthDay: 'first' }, '2025-11-30T23:30:00Z', true],
    [{ monthDay: 'last' }, '2025-11-30T06:30:00Z', true],
    [{ monthDay: 'last' }, '2024-02-28T06:30:00Z', false],
    [{ monthDay: 31 }, '2025-11-30T06:30:00Z', false],
    // November 2025 ends on a Sunday and begins on a Saturday.
    [{ workday: 'last' }, '2025-11-28T06:30:00Z', true],
    [{ workday: 'last' }, '2025-11-27T06:30:00Z', false],
    [{ workday: 'last', notDates: ['2025-11-28'] }, '2025-11-27T06:30:00Z', true],
    [{ workday: 'first' }, '2025-11-03T06:30:00Z', true],
    [{ workday: 'first' }, '2025-11-01T06:30:00Z', false],
    [{ workday: 'first' }, '2025-11-04T06:30:00Z', false],
    // The clock goes back at 03:00 and shows 02:30 twice.
    [{ from: '02:00', to: '03:00' }, '2026-10-25T00:30:00Z', true],
    [{ from: '02:00', to: '03:00' }, '2026-10-25T01:30:00Z', true],
    [{ from: '02:00', to: '03:00' }, '2026-10-25T02:30:00Z', false],
  ])('%j at %s is %p', async (allow, now, met) => {
    const { result } = await rule({ type: 'calendar', allow }, { now, timezone: 'Europe/Stockholm' })
    expect(result.met).toBe(met)
  })

  test('shows the local time', async () => {
    const { result } = await rule({ type: 'calendar', allow: {} }, { timezone: 'Europe/Stockholm' })
    expect(result.left).toBe('2025-11-21 07:30 fri')
  })
})

describe('conditions of several rules', () => {
  const above = { type: 'value', left: { expr: 'B' }, op: 'gt', right: { const: 100 } }
  const grown = { type: 'changedBy', expr: 'B', atLeast: 20, unit: 'percent', direction: 'up' }

  test('all or any of them must hold', async () => {
    const rules = [above, grown]
    expect((await evaluate({ rules, match: 'all' }, { values: { B: 88 } })).met).toBe(false)
    const any = await evaluate({ rules, match: 'any' }, { values: { B: 88 } })
    expect(any.met).toBe(true)
    expect(any.rules.map(({ met }) => met)).toEqual([false, true])
  })

  test('onBecomingTrue: true, true, false, true is met at 1 and 4', async () => {
    let previous: ConditionState | null = null
    const met: boolean[] = []
    for (const value of [120, 130, 90, 110]) {
      const result = await evaluate({ rules: [above], fire: 'onBecomingTrue' }, { values: { B: value }, previous })
      met.push(result.met)
      previous = result.met ? result.delivered : result.notDelivered
    }
    expect(met).toEqual([true, false, false, true])
  })

  test('onBecomingTrue fires again when the run delivered nothing', async () => {
    const condition = { rules: [above], fire: 'onBecomingTrue' }
    const first = await evaluate(condition, { values: { B: 120 } })
    const second = await evaluate(condition, { values: { B: 130 }, previous: first.notDelivered })
    expect([first.met, second.met]).toEqual([true, true])
  })

  test('values of before stay when nothing is delivered', async () => {
    const first = await evaluate({ rules: [grown] }, { values: { B: 70 } })
    const second = await evaluate({ rules: [grown] }, { values: { B: 75 }, previous: first.delivered })
    expect(second.met).toBe(false)
    const third = await evaluate({ rules: [grown] }, { values: { B: 84 }, previous: second.notDelivered })
    expect(third).toMatchObject({ met: true, rules: [{ previous: 70, change: 20 }] })
  })
})

describe('rules that fail', () => {
  const rules = [
    { type: 'value', left: { expr: 'B' }, op: 'gt', right: { const: 100 } },
    { type: 'value', left: { expr: 'C' }, op: 'gt', right: { const: 100 } },
  ]
  const given = { values: { B: 120 } }
  const details = 'Backlog: rule 2 (value): unknown field C'

  test('are an error, a condition that is not met, or one that is met', async () => {
    await expect(evaluate({ rules }, given)).rejects.toThrow(`CONDITION_ERROR: ${details}`)
    for (const [onError, met] of [
      ['skip', false],
      ['proceed', true],
    ] as const) {
      const result = await evaluate({ rules, onError, match: 'any' }, given)
      expect(result.met).toBe(met)
      expect(result.warnings).toEqual([{ code: 'CONDITION_SKIPPED_ON_ERROR', details }])
      expect(result.rules.map(({ error }) => error)).toEqual([undefined, 'unknown field C'])
    }
  })

  test('because a fact is out of reach, obey onError as well', async () => {
    const task = [{ type: 'taskState', taskId: TASK, is: 'succeeded' }]
    await expect(evaluate({ rules: task })).rejects.toThrow('REPOSITORY_UNREACHABLE: down')
    expect((await evaluate({ rules: task, onError: 'skip' })).met).toBe(false)
  })

  test('with operands that are missing', async () => {
    const [left, right] = [{ const: 1 }, { const: 2 }]
    for (const [definition, message] of [
      [{ type: 'value', left, op: 'gt' }, 'gt needs right'],
      [{ type: 'value', left, op: 'between', right }, 'between needs right and right2'],
      [{ type: 'rowCount', of: { objectId: 'o' }, op: 'between', count: 1 }, 'between needs two numbers'],
      [{ type: 'keyValue', namespace: 'n', key: 'k', op: 'eq' }, 'eq needs value'],
      [{ type: 'value', left, op: 'matches', right: { const: '(' } }, 'Invalid regular expression'],
    ] as const) {
      await expect(evaluate({ rules: [definition] })).rejects.toThrow(message)
    }
  })

  test('a lost engine is for the caller to retry', async () => {
    const lost = new ReportError('ENGINE_UNREACHABLE', 'lost')
    const work = evaluateCondition(reportCondition().parse({ name: 'Backlog', rules, onError: 'proceed' }), {
      data: () => Promise.reject(lost),
      facts: factsOf({}),
      previous: null,
      now: new Date(),
      timezone: 'UTC',
      warn: () => undefined,
    })
    await expect(work).rejects.toBe(lost)
  })
})
