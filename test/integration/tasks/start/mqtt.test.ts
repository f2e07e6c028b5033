import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createMqttOutgoing, outgoingMigrations } from '../../../../src/mqtt/outgoing.ts'
import type { MqttService } from '../../../../src/mqtt/types.ts'
import { insertItem, waitingItems } from '../../../../src/platform/durable-queue-store.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { type FileDatabase, openDatabase, StorageError } from '../../../../src/platform/sqlite.ts'
import { type Clock, type Logger, systemClock } from '../../../../src/platform/types.ts'
import { createStartRequests } from '../../../../src/tasks/start/mqtt.ts'
import { createRequestStore, migrations, REQUEST_TABLE } from '../../../../src/tasks/start/request-store.ts'
import type { StartFilterSettings } from '../../../../src/tasks/start/select.ts'
import { createStartTask } from '../../../../src/tasks/start/start.ts'
import { type Mosquitto, startMosquitto } from '../../../support/mosquitto.ts'
import { needs } from '../../../support/servers.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'
import { type Spy, service, spy } from '../../mqtt/support.ts'
import { DASHBOARD, filterOf, NO_FILTER, SALES, type Site, startSite, task, UNKNOWN } from './support.ts'

needs('mosquitto')

const START = 'qliksense/start_task'
const RESULT = 'qliksense/start_result'

let site: Site
let broker: Mosquitto
let watcher: Spy
let directory: TempDirectory
const running: { stop(): Promise<void> }[] = []

beforeAll(async () => {
  site = await startSite()
  broker = await startMosquitto()
  watcher = await spy(broker.port)
})
afterAll(async () => {
  await watcher.end()
  await broker.stop()
  await site.stop()
})
beforeEach(() => {
  directory = tempDirectory()
  site.simulator.reset()
  site.simulator.clearRequests()
  watcher.received.length = 0
})
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
  directory.remove()
})

interface Options {
  /** Given the database before anything uses it. */
  onDatabase?: (db: FileDatabase) => void
  filter?: StartFilterSettings
  resultTopic?: string
  mqtt?: Parameters<typeof service>[1]
  clock?: Clock
}

function openStorage() {
  const db = openDatabase(directory.join('footman.db'), { migrations: [...outgoingMigrations, ...migrations] })
  return { db, writer: createGroupWriter(db), pending: () => waitingItems(db, REQUEST_TABLE) }
}

const outgoingMessages = (
  deps: Pick<ReturnType<typeof openStorage>, 'db' | 'writer'>,
  mqtt: MqttService,
  log: Logger,
) =>
  createMqttOutgoing(
    { db: deps.db, writer: deps.writer, mqtt, log, clock: systemClock },
    { retry: { firstMs: 20, maxMs: 200 }, maxAgeMs: 3_600_000, maxBacklog: 1000, concurrency: 4 },
  )

/** Footman's part: journal, start requests and broker connection; `crash` leaves everything as it is on disk. */
async function footman(options: Options = {}) {
  const clock = options.clock ?? systemClock
  const { mqtt, log } = service(broker.port, options.mqtt)
  const { db, writer, pending } = openStorage()
  const outgoing = outgoingMessages({ db, writer }, mqtt, log)
  options.onDatabase?.(db)
  const start = createStartTask({ qrs: site.qrs, log, clock }, { ...(options.filter ?? NO_FILTER), shadow: false })
  const settings = {
    subscriptionRootTopic: 'qliksense/#',
    taskStartTopic: START,
    taskStartResultTopic: options.resultTopic ?? RESULT,
    shadow: false,
    retryFirstMs: 20,
  }
  const requests = createStartRequests({ db, writer, mqtt, outgoing, start, log, clock }, settings)
  let stopped = false
  const stop = async () => {
    if (stopped) return
    stopped = true
    await outgoing.stop(500)
    await mqtt.stop(500)
    await requests.stop(2000)
    db.close()
  }
  running.push({ stop })
  await requests.start()
  await mqtt.start()
  await outgoing.start()
  await until(() => log.of('verbose').some((line) => line.startsWith('MQTT: Subscribed')))
  return { mqtt, log, pending, stop }
}

const answers = (topic = RESULT) => watcher.received.filter((one) => one.topic === topic).map((one) => one.payload)
const answer = (count = 1, topic = RESULT) => until(() => answers(topic).length >= count && answers(topic)[count - 1])

const ref = (taskId: string, taskName: string) => ({ taskId, taskName, status: 'started' })
const started = (...tasks: object[]) => ({ tasksStarted: tasks, tasksNotFound: [], totalTasksStarted: tasks.length })
const FINANCIAL = ref(DASHBOARD, 'Financial Dashboard Reload')
const REPORT = ref(SALES, 'Sales Report Update')
const HR = ref(task('03'), 'HR Insights daily')
const SLOW = ref(task('07'), 'Slow Warehouse Load')
const THREE = ref(task('12'), 'Task with 3 values of one property')

test('while nothing can be stored a request waits, and is carried out once when it can', async () => {
  let database: FileDatabase | null = null
  const { log } = await footman({
    onDatabase(db) {
      database = db
    },
  })
  database!.refuseWrites(new StorageError('database or disk is full'))
  await watcher.publish(START, DASHBOARD)
  await until(() => log.of('error').some((line) => line.includes('waits until it can be stored')))
  expect(answers()).toEqual([])
  database!.refuseWrites(null)
  expect(JSON.parse(await answer())).toEqual(started(FINANCIAL))
  expect(answers()).toHaveLength(1)
})

describe('payloads', () => {
  const ROWS: [name: string, payload: string, expected: object][] = [
    ['a task id', DASHBOARD, started(FINANCIAL)],
    ['a task id with white space', `  ${DASHBOARD}\r\n`, started(FINANCIAL)],
    ['a byte order mark', `\ufeff${DASHBOARD}`, started(FINANCIAL)],
    ['upper case', DASHBOARD.toUpperCase(), started(FINANCIAL)],
    ['a JSON string', JSON.stringify(DASHBOARD), started(FINANCIAL)],
    ['an array of ids', JSON.stringify([DASHBOARD, SALES]), started(FINANCIAL, REPORT)],
    ['{ "tag": ["daily-reports"] }', '{ "tag": ["daily-reports"] }', started(REPORT, HR)],
    ['{"tag":"daily-reports"}', '{"tag":"daily-reports"}', started(REPORT, HR)],
    [
      'properties',
      '{"customProperty":[{"name":"taskGroup","value":"operational-dashboards"},{"name":"priority","value":"high"}]}',
      started(SLOW, THREE),
    ],
    ['tag and id overlap', JSON.stringify({ taskId: [SALES], tag: ['daily-reports'] }), started(REPORT, HR)],
    ['match all', JSON.stringify({ tag: ['daily-reports', 'financial-reports'], match: 'all' }), started(REPORT)],
    [
      'array dialect',
      JSON.stringify([
        { type: 'starttasktag', payload: { tag: 'daily-reports' } },
        { type: 'starttaskid', payload: { taskId: 'bad' } },
      ]),
      started(REPORT, HR),
    ],
    ['a bad id is skipped', '{"taskId":["not-a-guid"],"tag":["daily-reports"]}', started(REPORT, HR)],
    ['a bad tag is skipped', '{"tag":["",7,{},"daily-reports"]}', started(REPORT, HR)],
    ['unknown members', JSON.stringify({ tag: 'daily-reports', colour: 1 }), started(REPORT, HR)],
    ['the id of a missing task', UNKNOWN, { ...started(), tasksNotFound: [UNKNOWN] }],
    ['a tag that nobody has', '{"tag":"nobody"}', started()],
  ]
  test.each(ROWS)('%s', async (_, payload, expected) => {
    await footman()
    await watcher.publish(START, payload)
    expect(JSON.parse(await answer())).toEqual(expected)
    const ids = (expected as { tasksStarted: { taskId: string }[] }).tasksStarted.map((one) => one.taskId)
    expect(site.startedIds().sort()).toEqual(ids.sort())
  })

  const ID = { error: 'Invalid task ID format', details: 'Task ID must be a valid GUID' }
  const body = (details: string) => ({ error: 'Invalid request body', details: expect.stringContaining(details) })
  const BAD: [name: string, payload: string, expected: object][] = [
    ['no selector', '{"foo":1}', body('none of taskId, tag, customProperty')],
    ['broken JSON', '{', body('not valid JSON')],
    ['empty', '', body('empty')],
    ['white space', ' \n', body('empty')],
    ['no GUID', 'abc', ID],
    ['only bad ids', '{"taskId":["abc"]}', ID],
    ['a skipped selector would widen "all"', '{"taskId":["abc"],"tag":["daily-reports"],"match":"all"}', ID],
    ['unknown match', '{"tag":["daily-reports"],"match":"both"}', body('match must be')],
  ]
  test.each(BAD)('%s: nothing started, a log line, connection stays', async (_, payload, expected) => {
    const { mqtt, log } = await footman()
    await watcher.publish(START, payload)
    expect(JSON.parse(await answer())).toEqual(expected)
    expect(site.startedIds()).toEqual([])
    expect(log.of('error').join()).toContain('MQTT start request refused')
    expect(mqtt.connected).toBe(true)
  })

  test('bad elements are named in the log', async () => {
    const { log } = await footman()
    await watcher.publish(START, '{"taskId":["not-a-guid"],"tag":["daily-reports"],"colour":1}')
    await answer()
    expect(log.of('warn')).toContain('STARTTASK: MQTT start request: task ID not valid: not-a-guid')
    expect(log.of('warn')).toContain('STARTTASK: MQTT start request: unknown member "colour" is ignored')
    expect(log.of('info').filter((line) => line.startsWith('STARTTASK: Started task ID'))).toHaveLength(2)
    expect(
      log.of('info').filter((line) => line.startsWith(`STARTTASK: mqtt request from topic ${START}`)),
    ).toHaveLength(1)
  })

  test('tasks are selected by name as over REST', async () => {
    await footman()
    await watcher.publish(START, '{"taskName":"sales rep*"}')
    expect(JSON.parse(await answer())).toEqual(started(REPORT))
  })

  test('a retained request is ignored', async () => {
    await watcher.publish(START, DASHBOARD, { retain: true })
    const { log } = await footman()
    await until(() => log.of('warn').some((line) => line.includes('Retained')))
    await watcher.publish(START, '', { retain: true })
    expect(site.startedIds()).toEqual([])
  })
})

describe('filter', () => {
  test('applies to MQTT', async () => {
    const { log } = await footman({ filter: filterOf({ taskId: [DASHBOARD] }) })
    await watcher.publish(START, SALES)
    expect(JSON.parse(await answer())).toEqual({ ...started(), tasksDenied: [{ taskId: SALES }] })
    expect(log.of('warn')).toContain(`STARTTASK: Task ID in msg body is not allowed: ${SALES}`)
  })

  test('not when mqtt is taken out of appliesTo', async () => {
    await footman({ filter: { ...filterOf({}), startFilter: { appliesTo: ['rest'] } } })
    await watcher.publish(START, SALES)
    expect(JSON.parse(await answer())).toEqual(started(REPORT))
  })
})

describe('answers', () => {
  test('with the id of the request, to its own topic', async () => {
    await footman()
    const request = { taskId: [DASHBOARD], requestId: 'erp-17', replyTopic: 'qliksense/erp/answer' }
    await watcher.publish(START, JSON.stringify(request))
    expect(await answer(1, 'qliksense/erp/answer')).toBe(
      `{"requestId":"erp-17","tasksStarted":[{"taskId":"${DASHBOARD}","taskName":"Financial Dashboard Reload","status":"started"}],"tasksNotFound":[],"totalTasksStarted":1}`,
    )
    expect(answers()).toEqual([])
  })

  test('errors too', async () => {
    await footman()
    await watcher.publish(START, '{"taskId":["x"],"requestId":"erp-17"}')
    expect(await answer()).toBe(
      '{"requestId":"erp-17","error":"Invalid task ID format","details":"Task ID must be a valid GUID"}',
    )
  })

  test.each([START, 'qliksense/+', 'qliksense/#', 'elsewhere/answer', ''])(
    'reply topic %p is refused, the request goes on',
    async (replyTopic) => {
      const { log } = await footman()
      await watcher.publish(START, JSON.stringify({ taskId: [DASHBOARD], replyTopic }))
      expect(JSON.parse(await answer())).toEqual(started(FINANCIAL))
      expect(log.of('warn')[0]).toContain('is refused')
      expect(site.startedIds()).toEqual([DASHBOARD])
    },
  )

  test('the start topic is no result topic', async () => {
    const { log } = await footman({ resultTopic: START })
    await watcher.publish(START, DASHBOARD)
    await until(() => site.startedIds().length === 1)
    expect(log.of('error')[0]).toContain('it is the topic of start requests')
  })

  test('none without a topic', async () => {
    const { pending } = await footman({ resultTopic: '' })
    await watcher.publish(START, DASHBOARD)
    await until(() => site.startedIds().length === 1)
    await until(() => pending() === 0)
    expect(watcher.received.map((one) => one.topic)).not.toContain(RESULT)
  })
})

describe('repeats', () => {
  test('a repeated requestId is answered again and starts nothing', async () => {
    await footman()
    const request = JSON.stringify({ taskId: [task('03')], requestId: 'erp-18' })
    await watcher.publish(START, request)
    const first = await answer()
    await watcher.publish(START, request)
    expect(await answer(2)).toBe(first)
    expect(site.startedIds()).toEqual([task('03')])
  })

  test('a plain repeat is a new request', async () => {
    await footman()
    await watcher.publish(START, '{"tag":"daily-refresh"}')
    await answer()
    await watcher.publish(START, '{"tag":"daily-refresh"}')
    await answer(2)
    expect(site.startedIds()).toHaveLength(4)
  })

  test('what the broker delivers again after a lost acknowledgement starts nothing', async () => {
    const { deliver, log } = await handFed()
    const message = { topic: START, payload: Buffer.from(DASHBOARD), retain: false, qos: 1, packetId: 7 } as const
    await deliver({ ...message, dup: false })
    await until(() => site.startedIds().length === 1)
    await deliver({ ...message, dup: true })
    expect(log.of('info').join()).toContain('repeated (redelivery)')
    expect(site.startedIds()).toEqual([DASHBOARD])
  })

  test('what the broker delivers again starts its tasks, when only another message like it came before', async () => {
    const { deliver } = await handFed()
    site.simulator.setTask(DASHBOARD, { durationMs: 30, outcome: 'success' })
    const ended = site.simulator.ended(DASHBOARD)
    const message = { topic: START, payload: Buffer.from(DASHBOARD), retain: false, qos: 1 } as const
    await deliver({ ...message, packetId: 7, dup: false })
    await ended
    await deliver({ ...message, packetId: 8, dup: true })
    await until(() => site.startedIds().length === 2)
  })
})

/** Start requests without a broker: packets are handed in by the test. */
async function handFed() {
  const { db, writer } = openStorage()
  const { log } = service(broker.port)
  const start = createStartTask({ qrs: site.qrs, log, clock: systemClock }, { ...NO_FILTER, shadow: false })
  let deliver: Parameters<ReturnType<typeof service>['mqtt']['onMessage']>[1] = async () => {}
  const mqtt = {
    connected: false,
    onConnected() {},
    publishStatus() {},
    publish: () => Promise.reject(new Error('not connected')),
    onMessage(_: string, handler: typeof deliver) {
      deliver = handler
    },
  }
  const settings = { subscriptionRootTopic: '#', taskStartTopic: START, taskStartResultTopic: '', shadow: false }
  const outgoing = outgoingMessages({ db, writer }, mqtt, log)
  const requests = createStartRequests({ db, writer, mqtt, outgoing, start, log, clock: systemClock }, settings)
  await requests.start()
  running.push({
    stop: async () => {
      await requests.stop(1000)
      db.close()
    },
  })
  return { deliver: (message: Parameters<typeof deliver>[0]) => deliver(message), log }
}

describe('trouble', () => {
  test('QRS away: the request waits, is tried again and started once', async () => {
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503] })
    const { log, pending } = await footman()
    await watcher.publish(START, DASHBOARD)
    await until(() => log.of('warn').filter((line) => line.includes('waits for QRS')).length >= 2)
    expect(pending()).toBe(1)
    site.simulator.clearFaults()
    expect(JSON.parse(await answer())).toEqual(started(FINANCIAL))
    expect(site.startedIds()).toEqual([DASHBOARD])
  })

  test('stopped while QRS was away: taken up again at the next start', async () => {
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503] })
    const first = await footman()
    await watcher.publish(START, DASHBOARD)
    await until(() => first.pending() === 1)
    await first.stop()
    site.simulator.clearFaults()
    const second = await footman()
    expect(JSON.parse(await answer())).toEqual(started(FINANCIAL))
    expect(site.startedIds()).toEqual([DASHBOARD])
    expect(second.log.of('info')).toContain('STARTTASK: Taking up 1 start request(s) of the last run')
    await until(() => second.pending() === 0)
  })

  test('tasks that were started before the crash are not started again', async () => {
    const { db, writer } = openStorage()
    const store = createRequestStore({ db, writer })
    const id = '019cad24-bb20-78e1-b80b-d70ae0784c78'
    const payload = Buffer.from('{"tag":"daily-reports"}')
    const request = {
      id,
      receivedAt: Date.now(),
      topic: START,
      payload,
      fingerprint: 'f',
      packetId: 7,
      requestId: null,
    }
    await store.add(request, (tx) => insertItem(tx, REQUEST_TABLE, { key: id, body: id, createdAt: Date.now() }))
    await store.addStarted(id, SALES, 'e5000000-0000-4000-8000-000000000001')
    db.close()
    await footman()
    expect(JSON.parse(await answer())).toEqual(started(REPORT, HR))
    expect(site.startedIds()).toEqual([task('03')])
  })

  test('a start whose answer was lost is not made again', async () => {
    site.simulator.setTask(DASHBOARD, { durationMs: 30, outcome: 'success' })
    site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1], times: 1 })
    await footman()
    await watcher.publish(START, DASHBOARD)
    expect(JSON.parse(await answer())).toEqual(started(FINANCIAL))
    expect(site.startedIds()).toEqual([DASHBOARD])
  })

  test('a start that did not reach Qlik Sense is made again', async () => {
    site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'reset', times: 1 })
    await footman()
    await watcher.publish(START, DASHBOARD)
    expect(JSON.parse(await answer())).toEqual(started(FINANCIAL))
    expect(site.startedIds()).toEqual([DASHBOARD, DASHBOARD])
  })

  test('nothing starts more than ten minutes late, not even after a restart', async () => {
    let now = Date.now()
    const clock = { now: () => now }
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503] })
    const first = await footman({ clock })
    await watcher.publish(START, DASHBOARD)
    await until(() => first.pending() === 1)
    await first.stop()
    now += 10 * 60_000 + 1
    site.simulator.clearFaults()
    const second = await footman({ clock })
    expect(JSON.parse(await answer())).toMatchObject({ error: 'Failed starting task' })
    expect(second.log.of('error').join()).toContain('given up')
    expect(site.startedIds()).toEqual([])
  })

  test('an answer waits for the broker', async () => {
    // Slow to come back, so that the watcher is there before.
    const { mqtt, pending } = await footman({ mqtt: { retryFirstMs: 1000 } })
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503] })
    await watcher.publish(START, DASHBOARD)
    await until(() => pending() === 1)
    await broker.kill()
    await until(() => !mqtt.connected)
    site.simulator.clearFaults()
    await until(() => site.startedIds().length === 1)
    await broker.start()
    expect(JSON.parse(await answerAfterReconnect())).toEqual(started(FINANCIAL))
  })

  test('an answer that waits for the broker survives a restart', async () => {
    const first = await footman({ mqtt: { retryFirstMs: 60_000 } })
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503] })
    await watcher.publish(START, DASHBOARD)
    await until(() => first.pending() === 1)
    await broker.kill()
    await until(() => !first.mqtt.connected)
    site.simulator.clearFaults()
    await until(() => first.pending() === 0)
    await first.stop()
    await broker.start()
    const again = await spy(broker.port)
    await footman()
    expect(JSON.parse(await until(() => again.received.find((one) => one.topic === RESULT)?.payload))).toEqual(
      started(FINANCIAL),
    )
    expect(site.startedIds()).toEqual([DASHBOARD])
    await again.end()
  })

  test('a persistent session: a request sent while Footman was down is started once', async () => {
    const session = { mqtt: { mqtt: { clientId: 'footman-durable', cleanSession: false } } }
    const first = await footman(session)
    await first.stop()
    await watcher.publish(START, DASHBOARD)
    await footman(session)
    // The answer of the test before may come as late as its watcher has connected again: the start is of this one.
    await until(() => site.startedIds().length > 0)
    expect(JSON.parse(await answer())).toEqual(started(FINANCIAL))
    expect(site.startedIds()).toEqual([DASHBOARD])
  })
})

/** The watcher's own subscription is gone with the broker: a fresh one sees what comes from now on. */
async function answerAfterReconnect(): Promise<string> {
  const again = await spy(broker.port)
  try {
    return await until(() => again.received.find((one) => one.topic === RESULT)?.payload)
  } finally {
    await again.end()
  }
}
