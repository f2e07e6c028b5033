/** Conditions of a run: which of them are asked, in which app, what is shown, and which states are kept. */
import { expect, test } from 'bun:test'
import { ReportError } from '../../../../src/reports/codes.ts'
import type { AppliedData, UnlimitedData } from '../../../../src/reports/data/index.ts'
import { reportCondition } from '../../../../src/reports/entities/condition.ts'
import { createGate, type GateRequest, type GateSettings } from '../../../../src/reports/runs/gate.ts'
import { exampleDefinition, TASK } from '../../../support/report-runs.ts'

const OTHER_APP = 'a1000000-0000-4000-8000-000000000009'

/** A pair of the store as a condition; its name is the key of the pair. */
const pair = (key: string, value: string, changes: object = {}) => ({
  name: key,
  rules: [{ type: 'keyValue', namespace: 'Sales', key, op: 'eq', value }],
  ...changes,
})
const backlog = (changes: object = {}) => ({
  name: 'backlog',
  rules: [{ type: 'value', left: { expr: '=Sum(Backlog)' }, op: 'gt', right: { const: 100 } }],
  ...changes,
})

/** An app in which each expression has this value. */
const appWith = (value: number) =>
  ({
    data: {},
    unlimited: { evaluate: async () => ({ text: String(value), number: value }) } as unknown as UnlimitedData,
  }) as AppliedData

function gateOf(conditions: readonly object[], settings: Partial<GateSettings> = {}) {
  const lines: string[] = []
  const asked: string[] = []
  const warnings: unknown[] = []
  const saved = { createdAt: '', createdBy: '', modifiedAt: '', modifiedBy: '', revision: 1 }
  const gate = createGate({
    definition: {
      ...exampleDefinition(),
      conditions: conditions.map((one, index) => ({ ...reportCondition().parse(one), id: `c${index}`, ...saved })),
    },
    facts: {
      taskState: () => Promise.reject(new Error('not asked for')),
      async keyValue(_namespace, key) {
        asked.push(key)
        if (key === 'broken') throw new Error('the store is off')
        return key === 'ready' ? '1' : null
      },
      file: async () => null,
      lastRun: async () => null,
    },
    states: {},
    startedAt: Date.UTC(2026, 2, 2, 6),
    timezone: 'UTC',
    ignore: false,
    warn: (...all) => void warnings.push(all),
    line: (text) => void lines.push(text),
    elsewhere: () => Promise.reject(new Error('another app is not asked for')),
    ...settings,
  })
  const holds = (changes: Partial<GateRequest> = {}) =>
    gate.holds({
      ids: conditions.map((_, index) => `c${index}`),
      report: null,
      cycle: [],
      appId: 'app',
      applied: async () => appWith(120),
      ...changes,
    })
  return { gate, holds, lines, asked, warnings }
}

test.each<[string, readonly object[], boolean]>([
  ['no condition', [], true],
  ['one that holds', [pair('ready', '1')], true],
  ['one that does not', [pair('ready', '2')], false],
  ['all that hold', [pair('ready', '1'), backlog()], true],
  ['the first does not', [pair('ready', '2'), backlog()], false],
  ['the last does not', [backlog(), pair('missing', '1')], false],
])('%s', async (_, conditions, expected) => {
  expect(await gateOf(conditions).holds()).toBe(expected)
})

test('all conditions are evaluated in their order and shown, also behind one that does not hold', async () => {
  const { gate, holds, lines } = gateOf([pair('missing', '1'), backlog(), pair('ready', '1')])
  await holds()
  expect(lines).toEqual(['condition "missing" not met', 'condition "backlog" met', 'condition "ready" met'])
  expect(gate.results).toEqual([
    {
      conditionId: 'c0',
      name: 'missing',
      met: false,
      rules: [{ type: 'keyValue', met: false, left: null, right: '1' }],
    },
    { conditionId: 'c1', name: 'backlog', met: true, rules: [{ type: 'value', met: true, left: 120, right: 100 }] },
    { conditionId: 'c2', name: 'ready', met: true, rules: [{ type: 'keyValue', met: true, left: '1', right: '1' }] },
  ])
})

test('ignored conditions are not evaluated, and keep no state', async () => {
  const { gate, holds, asked } = gateOf([pair('broken', '1'), pair('missing', '1')], { ignore: true })
  expect(await holds()).toBe(true)
  expect([asked, gate.results, gate.states]).toEqual([[], [], { delivered: {}, notDelivered: {} }])
})

test('the conditions of a report and of a cycle value are results of their own, with their place', async () => {
  const { gate, holds, lines } = gateOf([backlog()])
  const region = (text: string) => [{ field: 'Region', value: { text, number: null } }]
  expect(await holds({ report: 'pack', cycle: region('Nord') })).toBe(true)
  expect(await holds({ report: 'pack', cycle: region('Syd'), applied: async () => appWith(7) })).toBe(false)
  expect(lines).toEqual(['condition "backlog" of pack/Nord met', 'condition "backlog" of pack/Syd not met'])
  expect(gate.results.map(({ report, cycle, met }) => [report, cycle, met])).toEqual([
    ['pack', { Region: 'Nord' }, true],
    ['pack', { Region: 'Syd' }, false],
  ])
  expect(Object.keys(gate.states.delivered)).toEqual([
    JSON.stringify([TASK, 'pack', ['Nord'], 'c0']),
    JSON.stringify([TASK, 'pack', ['Syd'], 'c0']),
  ])
})

test('work that is repeated after a lost engine replaces its results', async () => {
  const { gate, holds } = gateOf([backlog()])
  await holds({ applied: async () => appWith(7) })
  await holds({ applied: async () => appWith(120) })
  expect(gate.results.map(({ met }) => met)).toEqual([true])
})

test('a condition that is bound to another app is evaluated there', async () => {
  const apps: string[] = []
  const { holds } = gateOf([backlog({ appId: OTHER_APP })], {
    async elsewhere(appId) {
      apps.push(appId)
      return appWith(3)
    },
  })
  expect([await holds(), apps]).toEqual([false, [OTHER_APP]])
  expect([await holds({ appId: OTHER_APP }), apps]).toEqual([true, [OTHER_APP]])
})

test('onBecomingTrue: true, true, false, true holds at the first and the fourth, with the states that runs keep', async () => {
  let states: Readonly<Record<string, unknown>> = {}
  const held: boolean[] = []
  for (const value of [120, 120, 7, 120]) {
    const { gate, holds } = gateOf([backlog({ fire: 'onBecomingTrue' })], { states })
    const isMet = await holds({ applied: async () => appWith(value) })
    held.push(isMet)
    // A run that sends nothing keeps the other states.
    states = { ...states, ...(isMet ? gate.states.delivered : gate.states.notDelivered) }
  }
  expect(held).toEqual([true, false, false, true])
})

test.each([
  ['skip', false, ['CONDITION_SKIPPED_ON_ERROR']],
  ['proceed', true, ['CONDITION_SKIPPED_ON_ERROR']],
])('a condition that cannot be evaluated, onError: %s', async (onError, expected, codes) => {
  const { gate, holds, warnings } = gateOf([pair('broken', '1', { onError })])
  expect(await holds()).toBe(expected)
  expect(warnings.map((one) => (one as string[])[0])).toEqual(codes as never)
  expect(gate.results[0]!.rules).toEqual([{ type: 'keyValue', met: false, error: 'the store is off' }])
})

test('a condition that cannot be evaluated, onError: error', async () => {
  const failure = await gateOf([pair('broken', '1')])
    .holds()
    .catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(ReportError)
  expect((failure as ReportError).code).toBe('CONDITION_ERROR')
})
