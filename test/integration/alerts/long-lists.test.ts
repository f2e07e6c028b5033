/** Lists over many rows: a rare filter uses an index, others end when their time is over, and paging to the end loses nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { listDeliveries } from '../../../src/alerts/history/deliveries.ts'
import { listEvents } from '../../../src/alerts/history/events.ts'
import { type Page, type PageQuery, readPage } from '../../../src/alerts/history/lists.ts'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { listHistory } from '../../../src/tasks/executions/history-worker.ts'

const ROWS = 120_000
const START = Date.parse('2026-01-01T00:00:00Z')
const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const ALWAYS = { from: null, to: null }
const CONTEXT = { typeOf: () => null, retryOf: () => null }
const PAGE = { before: null, limit: 100 }
let db: Database

/** Every 20,000th event is rare: failed, of a licence, still pending, about TASK, with a dead delivery to `old-mail`. */
beforeAll(() => {
  db = openDatabase(':memory:', { migrations: MIGRATIONS })
  db.exec('DROP TRIGGER event_added; DROP TRIGGER delivery_added; DROP TRIGGER execution_added')
  db.transaction(() => {
    for (let n = 1; n <= ROWS; n += 1) {
      const rare = n % 20_000 === 0
      const id = `event-${n}`
      const [at, task] = [START + n * 1000, rare ? TASK : `task-${n % 500}`]
      db.run(
        `INSERT INTO event (id, received_at, source, sender, type, announced, outcome, severity, state, deadline_at,
           next_attempt_at, host, user, task_id, task_name, app_id, app_name, execution_id, log_time, log_level, log_message)
         VALUES (?, ?, ?, '', ?, 'success', ?, 'info', ?, 0, 0, 'qs-1', 'x', ?, ?, '', '', ?, '', '', '')`,
        id,
        at,
        rare ? 'cloud' : 'udp',
        rare ? 'license' : 'reload',
        rare ? 'failed' : 'success',
        rare ? 'pending' : 'routed',
        task,
        rare ? 'Rare one' : 'Usual',
        `e-${n}`,
      )
      db.run(
        `INSERT INTO delivery (id, event_id, kind, route, destination, target, lane, severity, state, created_at, next_attempt_at)
         VALUES (?, ?, 'alert', 'r', ?, 't', 'l', 'info', ?, ?, 0)`,
        `delivery-${n}`,
        id,
        rare ? 'old-mail' : 'influxdb',
        rare ? 'dead' : 'delivered',
        at,
      )
      db.run(
        `INSERT INTO execution (execution_id, task_id, task_name, task_type, outcome, actor, stopped_at, attempts)
         VALUES (?, ?, 'x', 'reload', ?, ?, ?, 1)`,
        `e-${n}`,
        task,
        rare ? 'failed' : 'success',
        rare ? 'key:rare' : 'key:ops',
        at,
      )
    }
  })
}, 60_000)
afterAll(() => db.close())

const RARE = [120_000, 100_000, 80_000, 60_000, 40_000, 20_000]

describe('what an index finds comes in one page', () => {
  const events: readonly [string, Partial<Parameters<typeof listEvents>[1]>][] = [
    ['outcome', { outcome: ['failed'] }],
    ['type', { type: ['license'] }],
    ['source', { source: ['cloud'] }],
    ['state', { state: ['pending'] }],
    ['task', { taskId: [TASK.toUpperCase()] }],
    ['ids', { id: RARE.map((n) => `EVENT-${n}`) }],
  ]
  test.each(events)('events by %s', async (_name, filter) => {
    const page = await listEvents(db, { ...ALWAYS, ...filter }, PAGE)
    expect(page.rows.map(({ id }) => id)).toEqual(RARE.map((n) => `event-${n}`))
    expect([page.next, page.partial]).toEqual([null, false])
  })

  const deliveries: readonly [string, Partial<Parameters<typeof listDeliveries>[1]>][] = [
    ['state', { state: ['dead'] }],
    ['destination', { destination: ['old-mail'] }],
    ['ids', { id: RARE.map((n) => `delivery-${n}`) }],
  ]
  test.each(deliveries)('deliveries by %s', async (_name, filter) => {
    const page = await listDeliveries(db, { ...ALWAYS, ...filter }, PAGE, CONTEXT)
    expect(page.rows.map(({ id }) => id)).toEqual(RARE.map((n) => `delivery-${n}`))
    expect([page.next, page.partial]).toEqual([null, false])
  })

  test.each([
    ['event', 'outcome', "outcome = 'failed'", 'event_outcome'],
    ['event', 'type', "type = 'license'", 'event_kind'],
    ['event', 'source', "source IN (?) AND source <> 'udp'", 'event_source'],
    ['event', 'state', "state IN (?) AND state <> 'routed'", 'event_state'],
    ['event', 'times', "+received_at >= 1 AND outcome IN ('failed')", 'event_outcome'],
    ['delivery', 'state', "state IN (?) AND state <> 'delivered'", 'delivery_state'],
    ['delivery', 'destination', 'destination IN (?)', 'delivery_destination'],
  ])('the plan for %s by %s', (table, _name, where, index) => {
    const values = where.includes('?') ? ['x'] : []
    const plan = db.all<{ detail: string }>(
      `EXPLAIN QUERY PLAN SELECT * FROM ${table} WHERE seq < 120001 AND seq >= 1 AND ${where} ORDER BY seq DESC LIMIT 101`,
      ...values,
    )
    expect(plan.map(({ detail }) => detail).join()).toContain(index)
  })
})

test('alerted: what was delivered to a destination that records does not count', async () => {
  const ids = ['event-20000', 'event-19999']
  const list = async (alerted: 'none' | 'some', recording: string[]) =>
    (await listEvents(db, { ...ALWAYS, id: ids, alerted }, PAGE, recording)).rows.map(({ id }) => id)
  expect(await list('some', [])).toEqual(['event-19999'])
  expect(await list('none', [])).toEqual(['event-20000'])
  expect(await list('some', ['influxdb'])).toEqual([])
  expect(await list('none', ['influxdb'])).toEqual(ids)
})

test('a range of time reads that range only, wherever it is', async () => {
  const range = { from: START + 30_000_000, to: START + 30_050_000 }
  const page = await listEvents(db, range, PAGE)
  expect(page.rows).toHaveLength(50)
  expect([page.rows[0]?.id, page.rows.at(-1)?.id]).toEqual(['event-30049', 'event-30000'])
  expect([page.next, page.partial]).toEqual([null, false])
  expect((await listEvents(db, { from: START + 10 * ROWS * 1000, to: null }, PAGE)).rows).toEqual([])
  expect((await listDeliveries(db, { from: null, to: START }, PAGE, CONTEXT)).rows).toEqual([])
})

test('a search whose time is over says how far it came, and goes on there to the end', async () => {
  const where = { sql: "event.task_name LIKE '%rare%'", values: [] }
  const found: number[] = []
  let pages = 0
  let before: number | null = null
  do {
    const query: PageQuery = {
      select: 'seq FROM event',
      seq: 'seq',
      table: 'event',
      where,
      before,
      limit: 2,
      budgetMs: 0,
    }
    const page: Page<{ seq: number }> = await readPage<{ seq: number }>(db, query)
    found.push(...page.rows.map(({ seq }) => seq))
    expect(page.partial).toBe(page.rows.length < 2 && page.next !== null)
    before = page.next
    pages += 1
  } while (before !== null && pages < 100)
  expect(found).toEqual(RARE)
  expect(pages).toBeGreaterThan(2)
})

describe('the history of executions', () => {
  const NONE = {
    id: null,
    taskId: null,
    taskName: null,
    appId: null,
    type: null,
    outcome: null,
    node: null,
    actor: null,
  }
  const ask = (filter: object, after: Parameters<typeof listHistory>[1]['after'] = null, budgetMs = 80) =>
    listHistory(db, { kind: 'list', filter: { ...NONE, ...ALWAYS, ...filter }, after, limit: 4 }, { budgetMs })
  const all = RARE.map((n) => `e-${n}`)

  test('by outcome and by id in pages', () => {
    const first = ask({ outcome: ['failed'] })
    expect(first.executions.map(({ executionId }) => executionId)).toEqual(all.slice(0, 4))
    const second = ask({ outcome: ['failed'] }, first.next)
    expect(second).toMatchObject({ executions: [{}, {}], next: null, partial: false })
    expect(ask({ id: ['e-20000', 'e-7'] }).executions.map(({ executionId }) => executionId)).toEqual(['e-20000', 'e-7'])
  })

  test('a rare caller: the search ends with its time and goes on there', () => {
    const found: (string | null)[] = []
    let after: Parameters<typeof listHistory>[1]['after'] = null
    let partial = 0
    for (let page = 0; page < 50; page += 1) {
      const answer = ask({ actor: ['key:rare'] }, after, 0)
      found.push(...answer.executions.map(({ executionId }) => executionId))
      if (answer.partial) partial += 1
      after = answer.next
      if (after === null) break
    }
    expect(found).toEqual(all)
    expect(partial).toBeGreaterThan(0)
  })
})
