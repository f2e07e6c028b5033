/** Conditions on the data of the simulated engine, over several runs and a reload. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { addOrderLines } from '../../../simulator/acme/load.ts'
import { type ConditionFacts, type ConditionState, evaluateCondition } from '../../../src/reports/conditions.ts'
import type { UnlimitedData } from '../../../src/reports/data/index.ts'
import { isEngineLost } from '../../../src/reports/data/retry.ts'
import { reportCondition } from '../../../src/reports/entities/condition.ts'
import { type ReportEngine, startReportEngine, values } from '../../support/report-engine.ts'

const SALES_DASHBOARD = 2
const INVENTORY = 8
const ORDER_LINES = 11
let engine: ReportEngine

beforeAll(async () => {
  engine = await startReportEngine()
  addOrderLines(engine.site)
})
afterAll(() => engine.stop())

const noFacts: ConditionFacts = {
  taskState: () => Promise.reject(new Error('not asked for')),
  keyValue: () => Promise.reject(new Error('not asked for')),
  file: () => Promise.reject(new Error('not asked for')),
  lastRun: async () => null,
}

async function evaluate(data: UnlimitedData, rules: readonly object[], previous: ConditionState | null = null) {
  const condition = reportCondition().parse({ name: 'Test', rules })
  const context = { data: async () => data, facts: noFacts, previous, timezone: 'Europe/Stockholm' }
  const now = new Date('2026-03-01T23:30:00Z')
  return evaluateCondition(condition, { ...context, now, warn: () => undefined })
}

const openedUnder = async (
  app: number,
  ...filters: Parameters<Awaited<ReturnType<ReportEngine['openData']>>['apply']>[0]
) => (await (await engine.openData(app)).apply(filters)).unlimited

describe('values', () => {
  test('of expressions, variables and figures, under the filters', async () => {
    const nordic = await openedUnder(SALES_DASHBOARD, values('Region', ['Nordic']))
    const target = { left: { expr: '=Sum(Sales)' }, op: 'lt', right: { variable: 'vTarget' } }
    const { met, rules } = await evaluate(nordic, [
      { type: 'value', ...target },
      { type: 'value', left: { kpi: 'kpSales' }, op: 'eq', right: { expr: '=Sum(Sales)' } },
      { type: 'value', left: { expr: '=Concat(distinct Region)' }, op: 'eq', right: { const: 'NORDIC' } },
      { type: 'value', left: { variable: 'vCurrency' }, op: 'eq', right: { const: 'eur' } },
    ])
    expect(met).toBe(true)
    expect(rules[0]?.right).toBeCloseTo(Number(rules[0]?.left) * 1.1)
    await expect(evaluate(nordic, [{ type: 'value', left: { variable: 'vNone' }, op: 'notEmpty' }])).rejects.toThrow(
      'has no variable "vNone"',
    )
  })

  test('rows are counted beyond the limit of tables, without a warning', async () => {
    const open = await engine.openData(ORDER_LINES)
    const { unlimited } = await open.apply([])
    const count = { type: 'rowCount', of: { objectId: 'tbLines' }, op: 'eq', count: 134_211 }
    expect((await evaluate(unlimited, [count])).met).toBe(true)
    expect(open.warnings).toEqual([])
  })

  test('no rows under the filters', async () => {
    const sweden = await openedUnder(SALES_DASHBOARD, values('Country', ['Sweden']))
    const columns = [
      { label: 'Region', expr: 'Region', kind: 'dimension' },
      { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
    ]
    const rowCount = (count: number) => ({ type: 'rowCount', of: { table: columns }, op: 'gt', count })
    expect((await evaluate(sweden, [rowCount(0)])).rules).toEqual([{ type: 'rowCount', met: true, left: 1, right: 0 }])
    expect((await evaluate(sweden, [rowCount(1)])).met).toBe(false)
  })

  test('a reload of yesterday in UTC is one of today in Stockholm', async () => {
    const data = await openedUnder(SALES_DASHBOARD)
    // 18:00Z of March 1st; the run starts half past midnight of March 2nd in Stockholm.
    const today = { type: 'lastReload', is: 'today' }
    expect((await evaluate(data, [today])).rules).toEqual([
      { type: 'lastReload', met: false, left: '2026-03-01T18:00:00.000Z' },
    ])
    const { app } = data
    const late = { ...data, app: { ...app, lastReload: new Date('2026-03-01T23:05:00Z') } }
    expect((await evaluate(late, [today])).met).toBe(true)
  })
})

describe('data that changed', () => {
  const rules = [{ type: 'dataChanged', of: { objectId: 'ch0008' } }]

  test('is noticed after a reload only', async () => {
    const first = await evaluate(await openedUnder(INVENTORY), rules)
    expect(first.met).toBe(true)
    const second = await evaluate(await openedUnder(INVENTORY), rules, first.delivered)
    expect(second.met).toBe(false)

    const { global, doc } = await engine.openApp(INVENTORY)
    const reload = doc.doReload(0, true)
    // An answer to a later request shows that the engine has begun.
    await global.engineVersion()
    engine.clock.advance(3_600_000)
    expect(await reload).toBe(true)
    await doc.doSave()
    const third = await evaluate(await openedUnder(INVENTORY), rules, second.notDelivered)
    expect(third.met).toBe(true)
    const fourth = await evaluate(await openedUnder(INVENTORY), rules, third.delivered)
    expect(fourth.met).toBe(false)
  })

  test('134,211 rows have one hash in every order', async () => {
    const data = await openedUnder(ORDER_LINES)
    const { delivered } = await evaluate(data, [{ type: 'dataChanged', of: { objectId: 'tbLines' } }])
    const other = await evaluate(data, [{ type: 'dataChanged', of: { objectId: 'tbLines' } }], delivered)
    expect(other.met).toBe(false)
  }, 60_000)

  test('is not decided by an engine that is lost', async () => {
    const data = await openedUnder(INVENTORY)
    engine.faults.add({ listener: 'engine', mode: 'engine-close', args: [1001, 'GetHyperCubeData'], times: 1 })
    const error = await evaluate(data, rules).catch((reason: unknown) => reason)
    expect(isEngineLost(error)).toBe(true)
  })
})
