/** Who a report may reach, tried from outside: test addresses, several addresses in one, MQTT messages with options. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { type Named, type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const INSIDE = 'inside@acme.example'
const OUTSIDE = 'stranger@evil.example'
const WAIT = { timeout: 20_000 }
/** Each names an address outside of `allowedRecipientDomains`, or more than one. */
const BAD = [
  OUTSIDE,
  `${INSIDE}, ${OUTSIDE}`,
  `${INSIDE};${OUTSIDE}`,
  `${INSIDE}, other@acme.example`,
  `"x" <${OUTSIDE}>`,
  `${OUTSIDE}\r\nBcc: ${OUTSIDE}`,
  'stranger@evil.example.acme.example.evil.example',
  'stranger@acme.example@evil.example',
]

let broker: Mosquitto
let client: MqttClient
let reports: ReportSite
let report: Named

beforeAll(async () => {
  broker = await startMosquitto()
  reports = await startReportSite(
    { allowedRecipientDomains: ['acme.example'] },
    { mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: broker.port } },
  )
  client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
  report = await reports.salesReport('Reach')
}, 60_000)
afterAll(async () => {
  await client?.endAsync(true)
  await reports?.[Symbol.asyncDispose]()
  await broker?.stop()
})

const logged = (text: string) => reports.product.process.stdout.filter((line) => line.includes(text)).length
const reached = () => reports.mailbox.mails.flatMap(({ envelope }) => envelope.to)
/** Nothing has left for anybody else. */
const onlyInside = () => reached().filter((address) => !address.endsWith('@acme.example'))

/** The answer to a request that must be refused. */
async function refused(method: string, path: string, body: object): Promise<number> {
  const answer = await reports.product.call(method, path, body)
  await answer.text()
  return answer.status
}

const startOf = ({ id }: Named) => `/v4/reporttask/${id}/start`

test('no test address of a start leads outside, and none is a list', async () => {
  const task = await reports.mailTask('Tested', report.id)
  for (const testAddress of BAD) {
    expect([testAddress, await refused('POST', startOf(task), { test: true, testAddress })]).toEqual([testAddress, 400])
  }
  const { runs } = await reports.call<{ runs: unknown[] }>('GET', `/v4/reporttask/${task.id}/runs`)
  expect(runs).toEqual([])
  const run = await reports.run(task.id, { test: true, testAddress: INSIDE })
  expect([run.outcome, reports.mailsTo(INSIDE).length]).toEqual(['success', 1])
  expect(reports.mailsTo('tested@acme.example')).toEqual([])
  expect(onlyInside()).toEqual([])
}, 60_000)

test('no member of a task takes such an address', async () => {
  const members = (address: string): readonly object[] => [
    { testMode: { enabled: true, address } },
    { recipients: [{ type: 'address', address }] },
    { email: { enabled: true, cc: [address] } },
    { email: { enabled: true, bcc: [address] } },
    { email: { enabled: true, replyTo: address } },
    { notifications: [{ on: ['error'], recipients: [address] }] },
  ]
  const task = await reports.mailTask('Kept', report.id)
  const taken: object[] = []
  for (const address of BAD) {
    for (const changes of members(address)) {
      if ((await refused('PATCH', `/v4/reporttask/${task.id}`, changes)) !== 400) taken.push(changes)
    }
  }
  expect(taken).toEqual([])
  expect(await refused('POST', '/v4/recipient', { name: 'X', email: `${INSIDE}, ${OUTSIDE}` })).toBe(400)
}, 60_000)

test('an expression and a corrected address lead nowhere outside', async () => {
  const task = await reports.mailTask('Expression', report.id, {
    recipients: [
      { type: 'expression', expr: `='${OUTSIDE};${INSIDE}'` },
      { type: 'address', address: 'expression@acme.example' },
    ],
  })
  const run = await reports.run(task.id)
  expect(run.events.map(({ code }) => code)).toContain('ADDRESS_NOT_ALLOWED')
  expect(reports.mailsTo('expression@acme.example')).toHaveLength(1)
  for (const address of BAD) {
    const body = { states: ['sent'], confirmDuplicates: true, corrections: { 'expression@acme.example': address } }
    expect([address, await refused('POST', `/v4/reportrun/${run.id}/resend`, body)]).toEqual([address, 400])
  }
  expect(onlyInside()).toEqual([])
}, 60_000)

test('a start for some reports or addresses is refused when one of them does not exist', async () => {
  const task = await reports.mailTask('Limited start', report.id)
  const answer = await reports.product.call('POST', startOf(task), { reports: ['pack', 'pakc'] })
  expect([answer.status, ((await answer.json()) as { issues: unknown }).issues]).toEqual([
    400,
    [{ path: 'reports.1', message: 'No report of the task has the key pakc; there are pack' }],
  ])
  const recipients = ['limited-start@acme.example', 'limitd-start@acme.example']
  const run = await reports.run(task.id, { recipients })
  expect(run.outcome).toBe('error')
  expect(run.events.map(({ code, details }) => [code, details])).toEqual([
    [
      'NO_RECIPIENTS',
      `the start is limited to ${recipients.join(', ')}, and limitd-start@acme.example is no recipient of the task`,
    ],
  ])
  expect(reports.mailsTo('limited-start@acme.example')).toEqual([])
}, 60_000)

test('a message sets no option that its trigger does not list, and never an address outside', async () => {
  const closed = await reports.mailTask('Closed trigger', report.id, {
    triggers: [{ type: 'mqtt', topic: 'reports/closed' }],
  })
  const open = await reports.mailTask('Open trigger', report.id, {
    triggers: [{ type: 'mqtt', topic: 'reports/open', allowedOptions: ['test', 'testAddress', 'reports'] }],
  })
  const runsOf = async ({ id }: Named) =>
    (await reports.call<{ runs: { id: string; test: boolean; state: string }[] }>('GET', `/v4/reporttask/${id}/runs`))
      .runs
  // The first messages show that Footman hears the topics.
  for (const [topic, task] of [
    ['reports/closed', closed],
    ['reports/open', open],
  ] as const) {
    await until(async () => {
      if ((await runsOf(task)).length > 0) return true
      await client.publishAsync(topic, 'go', { qos: 1 })
      return false
    }, WAIT)
    await until(async () => (await runsOf(task)).every(({ state }) => state === 'finished'), WAIT)
  }
  const before = [(await runsOf(closed)).length, (await runsOf(open)).length]

  const message = (topic: string, options: object) => client.publishAsync(topic, JSON.stringify(options), { qos: 1 })
  const unlisted = [
    { taskId: [closed.id], test: true, testAddress: OUTSIDE },
    { taskId: [closed.id], test: true, testAddress: INSIDE },
    { taskId: [closed.id], recipients: [OUTSIDE] },
    { dryRun: true },
  ]
  for (const options of unlisted) await message('reports/closed', options)
  await until(() => logged('allowedOptions of the trigger does not list') >= unlisted.length, WAIT)
  expect((await runsOf(closed)).length).toBe(before[0]!)

  await message('reports/open', { reports: ['pack', 'pakc'] })
  await until(() => logged('the task has no report pakc; its keys are pack') > 0, WAIT)
  expect((await runsOf(open)).length).toBe(before[1]!)

  await message('reports/open', { recipients: [OUTSIDE], test: true, testAddress: INSIDE })
  for (const testAddress of BAD) await message('reports/open', { taskId: [open.id], test: true, testAddress })
  const mailsBefore = reports.mailsTo(INSIDE).length
  await message('reports/open', { taskId: [open.id], test: true, testAddress: INSIDE })
  await until(() => reports.mailsTo(INSIDE).length > mailsBefore, WAIT)
  await until(async () => (await runsOf(open)).every(({ state }) => state === 'finished'), WAIT)
  expect(onlyInside()).toEqual([])
  expect(reports.mailsTo(INSIDE).length).toBe(mailsBefore + 1)
}, 90_000)
