/** Ended runs of report tasks on their way to InfluxDB and to the broker. */
import { afterEach, expect, test } from 'bun:test'
import { createReportAnnouncer } from '../../../src/app/report-announcer.ts'
import { createPointQueue, influxMigrations } from '../../../src/metrics/influxdb/points.ts'
import { createMqttOutgoing, outgoingMigrations } from '../../../src/mqtt/outgoing.ts'
import type { MqttService } from '../../../src/mqtt/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import type { RunRecord } from '../../../src/reports/runs/ledger.ts'
import { finishedMessage } from '../../../src/reports/triggers/messages.ts'
import { startHttpSink } from '../../support/http-sink.ts'
import { linesOf } from '../../support/influx-double.ts'
import { influxServer } from '../../support/influx-server.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

const ENDED = Date.parse('2025-11-21T06:30:15.250Z')
const DAY = 24 * 3_600_000
const TOPIC = 'qliksense/report_task/finished'
const RETRY = { firstMs: 10, maxMs: 20, jitter: 0 }
const closing: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const RUN: RunRecord = {
  id: '019aa504-90d2-7000-8000-00006a0c1e10',
  taskId: '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e',
  taskName: 'Weekly sales pack',
  taskRevision: 7,
  project: 'Sales',
  priority: 5,
  trigger: {
    type: 'qlikEvent',
    triggerId: 't1',
    key: 'x',
    firedAt: '2025-11-21T06:30:00.000Z',
    detail: { executionId: 'x' },
  },
  merged: [],
  options: {
    test: false,
    testAddress: null,
    dryRun: false,
    ignoreConditions: false,
    reports: null,
    recipients: null,
    reason: null,
  },
  state: 'finished',
  outcome: 'error',
  reason: 'FILTER_VALUE_UNKNOWN',
  test: false,
  cancelled: false,
  attempt: 1,
  repeats: 1,
  queuedAt: ENDED - 15_000,
  startedAt: ENDED - 14_838,
  sealedAt: ENDED - 5000,
  finishedAt: ENDED,
  sealed: null,
  counts: {
    documents: 11,
    mailsSent: 19,
    mailsFailed: 0,
    mailsHeld: 0,
    filesWritten: 1,
    hubItems: 11,
    warnings: 1,
    errors: 1,
  },
}

/** Queues on a database in memory; the broker is away until `connected` is set. */
async function scene(settings: { shadow?: boolean; startTopic?: string } = {}) {
  const sink = await startHttpSink()
  sink.answer({ status: 204 })
  const db = openDatabase(':memory:', { migrations: [...influxMigrations, ...outgoingMigrations] })
  const clock = { now: () => ENDED + 60_000 }
  const log = recordingLog()
  const { server } = influxServer({ hostPort: sink.port }, {}, clock.now)
  const base = { db, writer: createGroupWriter(db), clock, log }
  const points = createPointQueue({ ...base, server }, { retry: RETRY, maxAgeMs: DAY, gatherMs: 5 })
  const published: [string, unknown][] = []
  const broker = { connected: false }
  const mqtt = {
    get connected() {
      return broker.connected
    },
    onConnected: () => {},
    publish: async (topic: string, payload: string) => void published.push([topic, JSON.parse(payload)]),
  } as unknown as MqttService
  const outgoing = createMqttOutgoing(
    { ...base, mqtt },
    { retry: RETRY, maxAgeMs: DAY, maxBacklog: 100, concurrency: 1 },
  )
  await points.start()
  await outgoing.start()
  closing.push(
    sink.stop,
    db.close,
    server.close,
    () => points.stop(100),
    () => outgoing.stop(100),
  )
  const announcer = createReportAnnouncer({ log, influx: { points }, messages: { outgoing } }, finishedMessage, {
    shadow: settings.shadow ?? false,
    startTopic: settings.startTopic ?? 'qliksense/start_task',
  })
  const announce = (run: RunRecord) => base.writer.write((tx) => announcer({ run, formats: {} }, tx))
  const waiting = () => db.get<{ n: number }>('SELECT count(*) AS n FROM mqtt_outgoing')!.n
  const lines = () => sink.requests.flatMap(({ body }) => linesOf(body))
  return {
    announce,
    published,
    waiting,
    lines,
    log,
    connect() {
      broker.connected = true
      outgoing.wake()
    },
  }
}

test('a run is a point at its own end, and a message that waits for the broker', async () => {
  const { announce, published, waiting, lines, connect, log } = await scene()
  await announce(RUN)
  await until(() => lines().length === 1 && waiting() === 1)
  expect(lines()).toEqual([
    'report_task,outcome=error,project=Sales,qs_env=prod,report_task_id=5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e,report_task_name=Weekly\\ sales\\ pack,trigger_type=qlikEvent documents=11,duration_ms=14838,errors=1,mails_failed=0,mails_sent=19,warnings=1 1763706615250000000',
  ])
  expect(published).toEqual([])
  connect()
  await until(() => published.length === 1)
  const { id, taskId, taskName, taskRevision, trigger, options, state, outcome, reason, test: isTest, counts } = RUN
  const own = { id, taskId, taskName, taskRevision, trigger, options, state, outcome, reason, test: isTest, counts }
  const times = {
    queuedAt: '2025-11-21T06:30:00.250Z',
    startedAt: '2025-11-21T06:30:00.412Z',
    finishedAt: '2025-11-21T06:30:15.250Z',
  }
  expect(published).toEqual([[TOPIC, { ...own, ...times, dryRun: false, durationMs: 14838, events: [] }]])
  expect(log.of('error')).toEqual([])
})

test('runs that repeat deliveries or never began are messages, and no points; one that was cancelled in the queue took no time', async () => {
  const { announce, published, lines, connect } = await scene()
  connect()
  await announce({ ...RUN, id: 'a', trigger: { ...RUN.trigger, type: 'resend' } })
  await announce({ ...RUN, id: 'b', outcome: 'skipped', reason: 'MISSED_SCHEDULE', startedAt: null })
  await announce({ ...RUN, id: 'c', outcome: 'skipped', reason: 'CONDITION_NOT_MET', taskName: 'Skipped' })
  await announce({ ...RUN, id: 'd', outcome: 'cancelled', reason: null, startedAt: null, taskName: 'Cancelled' })
  await until(() => published.length === 4 && lines().length === 2)
  expect(lines().map((line) => /outcome=(\w+).*task_name=(\w+).*duration_ms=(\d+)/.exec(line)!.slice(1))).toEqual([
    ['skipped', 'Skipped', '14838'],
    ['cancelled', 'Cancelled', '0'],
  ])
  expect(published.map(([, run]) => (run as RunRecord).id)).toEqual(['a', 'b', 'c', 'd'])
})

test('a start that a disabled task does not follow is no message', async () => {
  const { announce, waiting } = await scene()
  await announce({ ...RUN, outcome: 'skipped', reason: 'TASK_DISABLED', startedAt: null })
  await announce({ ...RUN, outcome: 'skipped', reason: 'TASK_BUSY', startedAt: null })
  expect(waiting()).toBe(1)
})

test('in shadow mode nothing waits for the broker', async () => {
  const { announce, lines, waiting } = await scene({ shadow: true })
  await announce(RUN)
  await until(() => lines().length === 1)
  expect(waiting()).toBe(0)
})

test('a message that would start tasks is an error in the log', async () => {
  const { announce, log, waiting } = await scene({ startTopic: 'qliksense/#' })
  await announce(RUN)
  expect(log.of('error')).toEqual([
    `REPORTTASK: run=6a0c1e10 is not published to MQTT: messages to ${TOPIC} start tasks`,
  ])
  expect(waiting()).toBe(0)
})
