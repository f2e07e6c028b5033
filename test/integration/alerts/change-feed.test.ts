/** `/v4/stream` and its position: where a follower begins, what it misses, which topics there are. */
import { afterEach, describe, expect, test } from 'bun:test'
import { createChangeFeed, purgeChanges, streamRoutes } from '../../../src/alerts/history/change-feed.ts'
import { CHANGES, TOPICS, type Topic } from '../../../src/alerts/history/stream-contract.ts'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { createEventStreams } from '../../../src/http/endpoint/event-stream.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { storePending, taskEvent } from '../../support/events.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { routesApi } from '../../support/routes-api.ts'
import { until } from '../../support/wait.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function scene(maxStreams = 100) {
  const db = openDatabase(':memory:', { migrations: MIGRATIONS })
  const writer = createGroupWriter(db)
  const feed = createChangeFeed({ db, writer, clock: systemClock, log: recordingLog() })
  const streams = createEventStreams({ maxStreams: () => maxStreams, maxPerCaller: maxStreams })
  const api = await routesApi(streamRoutes({ feed, streams }))
  cleanups.push(
    () => db.close(),
    () => api[Symbol.asyncDispose](),
    () => streams.stop(),
  )
  const publish = (key: string) => feed.publish('attention', { key, kind: 'taskFailed', open: true })
  const last = () => feed.position().seq

  async function follow(query = '', headers: Record<string, string> = {}) {
    const aborter = new AbortController()
    cleanups.push(() => aborter.abort())
    const answer = await fetch(`http://127.0.0.1:${api.port}/v4/stream${query}`, { signal: aborter.signal, headers })
    let text = ''
    const ended = (async () => {
      for await (const chunk of answer.body!) text += new TextDecoder().decode(chunk)
    })().catch(() => undefined)
    const messages = () =>
      [...text.matchAll(/^(?:id: (\d+)\n)?event: (\w+)\ndata: (.*)\n\n/gm)].map(([, id, event, data]) => ({
        event,
        ...(id !== undefined && { id: Number(id) }),
        data: JSON.parse(data!),
      }))
    if (answer.status === 200) await until(() => text.startsWith('retry: 3000\n\n'))
    return { status: answer.status, messages, ended, hangUp: () => aborter.abort() }
  }

  const position = async () => JSON.parse((await api.send('GET', '/v4/stream/position')).body)
  return { db, feed, streams, publish, last, follow, position }
}

test('changes of pairs go to those who ask for them, as they come and without a number', async () => {
  const { feed, publish, last, follow } = await scene()
  const [all, pairs] = [await follow(), await follow('?topic=keyValue')]
  const change = { event: 'set', namespace: 'Sales', key: 'last run', revision: 7 } as const
  feed.pass({ ...change, value: 'not sent' } as typeof change)
  publish('a')
  await until(() => all.messages().length === 1 && pairs.messages().length === 1)
  expect(pairs.messages()).toEqual([{ event: 'keyValue', data: change }])
  expect([all.messages()[0]!.event, last()]).toEqual(['attention', 1])
})

describe('the position', () => {
  test('is 0 before the first change, then that of the last one; what retention removes is no longer there', async () => {
    const { db, publish, last, position } = await scene()
    expect(await position()).toEqual({ seq: 0, oldest: 1 })
    for (const key of ['a', 'b', 'c']) publish(key)
    await until(() => last() === 3)
    expect(await position()).toEqual({ seq: 3, oldest: 1 })
    purgeChanges(db, Date.now() + 1000, 2)
    expect(await position()).toEqual({ seq: 3, oldest: 3 })
    purgeChanges(db, Date.now() + 1000, 10)
    expect(await position()).toEqual({ seq: 3, oldest: 4 })
  })
})

describe('a follower', () => {
  test('that begins after a change gets the position, then everything since', async () => {
    const { publish, last, follow } = await scene()
    for (const key of ['a', 'b', 'c']) publish(key)
    await until(() => last() === 3)
    const stream = await follow('?after=1')
    await until(() => stream.messages().length === 3)
    publish('d')
    await until(() => stream.messages().length === 4)
    expect(stream.messages()).toEqual([
      { event: 'hello', data: { seq: 3, oldest: 1 } },
      { id: 2, event: 'attention', data: { key: 'b', kind: 'taskFailed', open: true } },
      { id: 3, event: 'attention', data: { key: 'c', kind: 'taskFailed', open: true } },
      { id: 4, event: 'attention', data: { key: 'd', kind: 'taskFailed', open: true } },
    ])
  })

  test.each([
    ['older than what is kept', 1],
    ['newer than the last one', 9],
  ])('whose change is %s is reset, and gets what comes from then on', async (_name, after) => {
    const { db, publish, last, follow } = await scene()
    for (const key of ['a', 'b', 'c', 'd']) publish(key)
    await until(() => last() === 4)
    purgeChanges(db, Date.now() + 1000, 2)
    const stream = await follow(`?after=${after}`)
    publish('e')
    await until(() => stream.messages().length === 3)
    expect(stream.messages()).toEqual([
      { event: 'hello', data: { seq: 4, oldest: 3 } },
      { event: 'reset', data: { seq: 4 } },
      { id: 5, event: 'attention', data: { key: 'e', kind: 'taskFailed', open: true } },
    ])
  })

  test('that comes back goes on after its last message, whatever the address says; without `after` there is no greeting', async () => {
    const { publish, last, follow } = await scene()
    for (const key of ['a', 'b', 'c']) publish(key)
    await until(() => last() === 3)
    const back = await follow('?after=0', { 'last-event-id': '2' })
    await until(() => back.messages().length === 2)
    expect(back.messages().map(({ event, id }) => id ?? event)).toEqual(['hello', 3])
    const plain = await follow('', { 'last-event-id': '2' })
    await until(() => plain.messages().length === 1)
    expect(plain.messages().map(({ id }) => id)).toEqual([3])
    expect((await follow('?after=-1')).status).toBe(400)
  })

  test('one too many is refused, until another one hangs up', async () => {
    const { follow, streams } = await scene(2)
    const [first] = [await follow(), await follow()]
    expect((await follow()).status).toBe(503)
    first!.hangUp()
    await until(() => streams.count === 1)
    expect((await follow()).status).toBe(200)
  })

  test('of a topic is announced when the first one comes and when the last one has gone', async () => {
    const { feed, follow } = await scene()
    const calls: boolean[] = []
    feed.onFollowed('execution', (isFollowed) => calls.push(isFollowed))
    const other = await follow('?topic=event')
    const one = await follow('?topic=execution&topic=event')
    const two = await follow()
    one.hangUp()
    other.hangUp()
    await Promise.all([one.ended, other.ended])
    two.hangUp()
    await until(() => calls.length === 2)
    expect(calls).toEqual([true, false])
  })
})

test('200 followers get every change once', async () => {
  const { publish, follow } = await scene(400)
  const all = await Promise.all(Array.from({ length: 200 }, () => follow('?topic=attention')))
  const keys = Array.from({ length: 20 }, (_, n) => `key-${n}`)
  for (const key of keys) publish(key)
  await until(() => all.every(({ messages }) => messages().length >= keys.length))
  for (const { messages } of all) expect(messages().map(({ data }) => data.key)).toEqual(keys)
}, 90_000)

test('the tables log the states of executions, runs of schedules and of report tasks', async () => {
  const { db } = await scene()
  const now = Date.now()
  const at = new Date(now).toISOString()
  const name = 'Sales "ETL"\nhourly'
  db.run(
    `INSERT INTO task_start (id, request, task_id, task_name, actor, execution_id, started_at)
    VALUES ('s1', 'r1', 't1', ?, 'key:ops', 'e1', ?)`,
    name,
    now,
  )
  db.run(
    `INSERT INTO task_start (id, request, task_id, task_name, actor, started_at, error)
    VALUES ('s2', 'r1', 't2', 'refused', 'key:ops', ?, 'no')`,
    now,
  )
  const ended = `INSERT INTO execution (execution_id, task_id, task_name, task_type, outcome, started_at, stopped_at, attempts)
    VALUES (?, 't1', ?, 'reload', 'failed', ?, ?, 1)`
  db.run(ended, 'e1', name, now, now)
  db.run(ended, 'e0', 'old', now - 7_200_000, now - 7_100_000)
  db.run(`UPDATE execution SET run_ms = 0 WHERE execution_id = 'e1'`)
  db.run(`INSERT INTO schedule_run (id, schedule_id, due_at, trigger, state) VALUES ('q1', 'p1', 1, 'cron', 'running')`)
  db.run(`UPDATE schedule_run SET state = 'finished', outcome = 'done'`)
  db.run(`UPDATE schedule_run SET detail = 'x'`)
  db.run(`INSERT INTO report_run (id, task_id, task_name, task_revision, project, priority, trigger, options, state, test, queued_at)
    VALUES ('u1', 'v1', 'x', 1, 'p', 1, '{}', '{}', 'queued', 0, 1)`)
  db.run(`UPDATE report_run SET state = 'finished', outcome = 'success'`)
  const rows = db.all<{ topic: Topic; data: string }>('SELECT topic, data FROM change_log ORDER BY seq')
  const execution = { executionId: 'e1', taskId: 't1', taskName: name }
  const finished = {
    ...execution,
    state: 'finished',
    outcome: 'failed',
    triggeredAt: null,
    startedAt: at,
    stoppedAt: at,
  }
  const run = { id: 'p1', state: null, runId: 'q1', reason: null }
  const report = { runId: 'u1', taskId: 'v1' }
  expect(rows.map(({ topic, data }) => [topic, JSON.parse(data)])).toEqual([
    ['execution', { ...execution, state: 'queued', outcome: null, triggeredAt: at, startedAt: null, stoppedAt: null }],
    ['execution', finished],
    ['execution', finished],
    ['schedule', { ...run, runState: 'running', outcome: null }],
    ['schedule', { ...run, runState: 'finished', outcome: 'done' }],
    ['report', { ...report, state: 'queued', outcome: null }],
    ['report', { ...report, state: 'finished', outcome: 'success' }],
  ])
  expect(TOPICS).toContain('attention')
  for (const { topic, data } of rows) expect(CHANGES[topic]().safeParse(JSON.parse(data)).error, topic).toBeUndefined()
  // The stream sends them as they are, so there must be no line break.
  for (const { data } of rows) expect(data).not.toContain('\n')
})

test('the tables log the states of events and deliveries in the form of the contract', async () => {
  const { db } = await scene()
  const event = taskEvent({ outcome: 'failed' })
  storePending(db, event)
  db.run(
    `INSERT INTO delivery (id, event_id, kind, route, destination, target, lane, severity, state, reason, created_at, next_attempt_at)
    VALUES ('d1', ?, 'alert', 'r', 'ops-mail', 'ops@acme.example', 'ops-mail', 'error', 'suppressed', 'SNOOZED', 1, 1)`,
    event.id,
  )
  db.run(`UPDATE delivery SET state = 'pending', reason = NULL`)
  db.run(`UPDATE event SET state = 'routed'`)
  const rows = db.all<{ topic: Topic; data: string }>('SELECT topic, data FROM change_log ORDER BY seq')
  for (const { topic, data } of rows) expect(CHANGES[topic]().safeParse(JSON.parse(data)).error, topic).toBeUndefined()
  expect(rows.map(({ topic, data }) => [topic, JSON.parse(data).id, JSON.parse(data).state])).toEqual([
    ['event', event.id, 'pending'],
    ['delivery', 'd1', 'suppressed'],
    ['delivery', 'd1', 'pending'],
    ['event', event.id, 'routed'],
  ])
})
