/** Ends of report runs on their way to InfluxDB and the broker, when Footman is killed while both are away. */
import { afterEach, expect, test } from 'bun:test'
import { connectAsync } from 'mqtt'
import { startHttpSink } from '../support/http-sink.ts'
import { linesOf } from '../support/influx-double.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { freeTcpPort } from '../support/ports.ts'
import { startReportSite } from '../support/report-tasks.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

test('killed when a run has ended, InfluxDB and the broker away: both learn of every run after the start', async () => {
  const brokerPort = await freeTcpPort()
  const influx = await startHttpSink()
  cleanups.push(() => influx.stop())
  influx.answer({ status: 503 })
  const reports = await startReportSite(
    {},
    {
      influxDb: { enable: true, hostIP: '127.0.0.1', hostPort: influx.port },
      mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort },
    },
  )
  cleanups.push(() => reports[Symbol.asyncDispose]())
  const report = await reports.salesReport('Announced')
  const task = await reports.mailTask('Announced', report.id)
  const off = await reports.mailTask('Switched off', report.id, { enabled: false })
  const first = await reports.run(task.id)
  await reports.call('POST', '/v4/reporttask/start', { taskId: [off.id] }, 200)
  const second = await reports.run(task.id, { test: true, testAddress: 'test@acme.example' })
  await reports.product.process.kill9()

  influx.answer({ status: 204 })
  const broker = await startMosquitto({ port: brokerPort })
  cleanups.push(() => broker.stop())
  const subscriber = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`)
  cleanups.push(() => subscriber.endAsync(true))
  const messages: { id: string; taskId: string; outcome: string }[] = []
  subscriber.on('message', (_topic, payload) => void messages.push(JSON.parse(payload.toString())))
  await subscriber.subscribeAsync('qliksense/report_task/finished', { qos: 1 })
  const requestsBefore = influx.requests.length
  await reports.product.start()

  const points = () =>
    influx.requests
      .slice(requestsBefore)
      .flatMap(({ body }) => linesOf(body))
      .filter((line) => line.startsWith('report_task,'))
  await until(() => messages.length >= 2 && points().length >= 2, {
    timeout: 40_000,
    state: () => [messages, points()],
  })
  expect(messages.map(({ id, outcome }) => [id, outcome])).toEqual([
    [first.id, 'success'],
    [second.id, 'success'],
  ])
  expect(points().map((line) => /outcome=(\w+)/.exec(line)?.[1])).toEqual(['success', 'success'])
  // The start of the disabled task is counted, and is no message.
  expect(messages.map(({ taskId }) => taskId)).not.toContain(off.id)
}, 120_000)
