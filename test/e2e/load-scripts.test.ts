/** The calls of load scripts, byte by byte as the Qlik REST connector sends them, against the compiled executable. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type Spy, spy } from '../integration/mqtt/support.ts'
import { ALL_ENDPOINTS } from '../support/everything.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { type RawAnswer, rawBytes, rawContinue } from '../support/raw-http.ts'
import { needs } from '../support/servers.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const SALES = 'b9c5d234-efe5-6789-abcd-ef0123456789'
const HR_DAILY = '70000000-0000-4000-8000-000000000003'
const SALES_APP = 'a1000000-0000-4000-8000-000000000002'

/** Sent by a connection when a call gives no body of its own. */
const STORED_BODY = '{"key":"abc","value":"123","ttl":"5000"}'

interface Call {
  readonly sub: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `X-HTTP-Method-Override`. */
  readonly override?: 'PUT' | 'DELETE'
  readonly body?: string
  readonly status: number
  /** Members of the answer; absent = it has no body. */
  readonly answer?: unknown
  /** The call gives this header itself, whatever the stored connection says. */
  readonly contentType?: string
}

const START = (sub: string, id: string, body: string, started: readonly string[]): Call => ({
  sub,
  method: 'POST',
  path: `/v4/reloadtask/${id}/start`,
  override: 'PUT',
  body,
  status: 200,
  answer: { tasksId: { started: started.map((taskId) => expect.objectContaining({ taskId })) } },
})

const item = (type: string, payload: string) => `{"type":"${type}", "payload":{${payload}}}`

const CALLS: readonly Call[] = [
  {
    sub: 'GetEnabledButlerAPIEndpoints',
    method: 'GET',
    path: '/v4/configfile/endpointsenabled',
    status: 200,
    answer: expect.arrayContaining(['apiListEnabledEndpoints', 'mqttPublishMessage', 'senseStartTask']),
  },
  {
    sub: 'ReloadSenseApp',
    method: 'POST',
    path: `/v4/app/${SALES_APP}/reload`,
    override: 'PUT',
    body: `{"partialReload":"true", "reloadMode":0, "startQSEoWTaskOnSuccess":["${HR_DAILY}"], "startQSEoWTaskOnFailure":[]}`,
    status: 201,
    answer: { appId: SALES_APP },
  },
  START('StartTask', DASHBOARD, '[]', [DASHBOARD]),
  START('StartTask', '', `[${item('starttaskid', `"taskId":"${SALES}"`)}]`, [SALES]),
  START('StartTask', '-', `[${[DASHBOARD, SALES].map((id) => item('starttaskid', `"taskId":"${id}"`)).join(',')}]`, [
    DASHBOARD,
    SALES,
  ]),
  {
    ...START('StartTask', '-', `[${item('starttasktag', '"tag":"financial-reports"')}]`, []),
    answer: { tasksTag: [expect.objectContaining({ taskId: DASHBOARD }), expect.objectContaining({ taskId: SALES })] },
  },
  START(
    'StartTask_KeyValue',
    DASHBOARD,
    `[${item('keyvaluestore', '"namespace":"MyNamespace", "key":"An important key 1", "value":"The value", "ttl":"3000"')}]`,
    [DASHBOARD],
  ),
  {
    sub: 'PostToMQTT',
    method: 'POST',
    path: '/v4/mqttpublishmessage',
    override: 'PUT',
    body: '{"topic":"qliksense/new_data_notification/sales", "message":"dt=20201028"}',
    status: 201,
    answer: { topic: 'qliksense/new_data_notification/sales', message: 'dt=20201028' },
  },
  {
    sub: 'PostToSlack',
    method: 'POST',
    path: '/v4/slackpostmessage',
    override: 'PUT',
    body: '{"channel":"#general", "from_user":"Butler the Bot", "msg":"Grüße", "emoji":":ghost:"}',
    status: 201,
    answer: { channel: '#general', from_user: 'Butler the Bot', msg: 'Grüße', emoji: ':ghost:' },
  },
  // In this order: each finds what the ones before have left.
  {
    sub: 'AddKeyValue',
    method: 'POST',
    path: '/v4/keyvalues/Sales%20ETL%20step%202',
    contentType: 'application/json',
    body: '{"key": "Last extract timestamp", "value": "2020-09-29 17:14:56", "ttl": "60000"}',
    status: 201,
    answer: {
      namespace: 'Sales ETL step 2',
      key: 'Last extract timestamp',
      value: '2020-09-29 17:14:56',
      ttl: 60_000,
    },
  },
  {
    sub: 'AddKeyValue',
    method: 'POST',
    path: '/v4/keyvalues/Sales%20ETL%20step%202',
    contentType: 'application/json',
    body: '{"key": "k", "value": "v"}',
    status: 201,
    answer: { namespace: 'Sales ETL step 2', key: 'k', value: 'v', ttl: 0 },
  },
  {
    sub: 'GetKeyValue',
    method: 'GET',
    path: '/v4/keyvalues/Sales%20ETL%20step%202?key=Last%20extract%20timestamp',
    status: 200,
    answer: { namespace: 'Sales ETL step 2', key: 'Last extract timestamp', value: '2020-09-29 17:14:56' },
  },
  {
    sub: 'ExistsKeyValue',
    method: 'GET',
    path: '/v4/keyvalues/Sales%20ETL%20step%202/keyexists?key=k',
    status: 200,
    answer: { keyExists: true, keyValue: { namespace: 'Sales ETL step 2', key: 'k', value: 'v' } },
  },
  {
    sub: 'GetAllKeysInNamespace',
    method: 'GET',
    path: '/v4/keylist/Sales%20ETL%20step%202',
    status: 200,
    answer: { namespace: 'Sales ETL step 2', keys: [{ key: 'Last extract timestamp' }, { key: 'k' }] },
  },
  {
    sub: 'GetKeyValueNamespaces',
    method: 'GET',
    path: '/v4/keyvaluesnamespaces',
    status: 200,
    answer: expect.arrayContaining(['Sales ETL step 2']),
  },
  // No body of its own: the one stored with the connection is sent, and must not matter.
  {
    sub: 'DeleteKeyValue',
    method: 'POST',
    path: '/v4/keyvalues/Sales%20ETL%20step%202/k',
    override: 'DELETE',
    status: 204,
  },
  {
    sub: 'ExistsKeyValue',
    method: 'GET',
    path: '/v4/keyvalues/Sales%20ETL%20step%202/keyexists?key=k',
    status: 200,
    answer: { keyExists: false, keyValue: {} },
  },
  {
    sub: 'DeleteKeyValueNamespace',
    method: 'POST',
    path: '/v4/keyvalues/Sales%20ETL%20step%202',
    override: 'DELETE',
    status: 204,
  },
  {
    sub: 'CopyFile',
    method: 'POST',
    path: '/v4/filecopy',
    override: 'PUT',
    body: '{"fromFile":"data5/qvd/a.txt", "toFile":"data5/archive/a%23.txt", "overwrite":"true", "preserveTimestamp":"true"}',
    status: 201,
    answer: {
      fromFile: 'data5/qvd/a.txt',
      toFile: 'data5/archive/a#.txt',
      overwrite: true,
      preserveTimestamp: true,
    },
  },
  {
    sub: 'MoveFile',
    method: 'POST',
    path: '/v4/filemove',
    override: 'PUT',
    body: '{"fromFile":"data5/qvd/a.txt", "toFile":"data5/archive/b.txt", "overwrite":"false"}',
    status: 201,
    answer: { fromFile: 'data5/qvd/a.txt', toFile: 'data5/archive/b.txt', overwrite: false },
  },
  {
    sub: 'DeleteFile',
    method: 'POST',
    path: '/v4/filedelete',
    override: 'DELETE',
    body: '{"deleteFile":"data5/archive/a%23.txt"}',
    status: 204,
  },
  {
    sub: 'CreateDir',
    method: 'POST',
    path: '/v4/createdir',
    contentType: 'application/json',
    body: '{"directory":"data5/archive/2026/10"}',
    status: 201,
    answer: { directory: 'data5/archive/2026/10' },
  },
  {
    sub: 'CreateDirQVD',
    method: 'POST',
    path: '/v4/createdirqvd',
    contentType: 'application/json',
    body: '{"directory":"subfolder/2020-10"}',
    status: 201,
    answer: { directory: 'subfolder/2020-10' },
  },
  {
    sub: 'GetMQTTMessages',
    method: 'GET',
    path: '/v4/mqttmessages?topic=sales%2F%23&limit=1',
    status: 200,
    answer: { nextCursor: null },
  },
]

const SCHEDULE = 'Manually-added-schedule-1'
const schedule = { id: SCHEDULE, name: 'Mornings' }
const SCHEDULE_FILE = `butlerSchedule:
  - name: Mornings
    cronSchedule: 0 6 * * 1-5
    timezone: Europe/Stockholm
    qlikSenseTaskId: ${DASHBOARD}
    startupState: stopped
    id: ${SCHEDULE}
`

/** The subs that Butler announced and never had, in this order, with the schedule of the file. */
const SCHEDULE_CALLS: readonly Call[] = [
  {
    sub: 'AddSchedule',
    method: 'POST',
    path: '/v4/schedules',
    contentType: 'application/json',
    body: `{"name":"Evenings","cronSchedule":"0 18 * * 1-5","timezone":"Europe/Stockholm","qlikSenseTaskId":"${DASHBOARD}","startupState":"stopped"}`,
    status: 201,
    answer: { name: 'Evenings', startupState: 'stopped', lastKnownState: 'stopped' },
  },
  {
    sub: 'GetSchedule',
    method: 'GET',
    path: `/v4/schedules?id=${SCHEDULE}`,
    status: 200,
    answer: [expect.objectContaining(schedule)],
  },
  {
    sub: 'UpdateSchedule',
    method: 'POST',
    path: `/v4/schedules/${SCHEDULE}`,
    override: 'PUT',
    body: '{"cronSchedule":"0 7 * * 1-5"}',
    status: 200,
    answer: [expect.objectContaining({ ...schedule, cronSchedule: '0 7 * * 1-5' })],
  },
  // No body of their own.
  {
    sub: 'StartSchedule',
    method: 'POST',
    path: `/v4/schedules/${SCHEDULE}/start`,
    override: 'PUT',
    status: 200,
    answer: [expect.objectContaining({ ...schedule, lastKnownState: 'started' })],
  },
  {
    sub: 'StopSchedule',
    method: 'POST',
    path: `/v4/schedules/${SCHEDULE}/stop`,
    override: 'PUT',
    status: 200,
    answer: [expect.objectContaining({ ...schedule, lastKnownState: 'stopped' })],
  },
  { sub: 'DeleteSchedule', method: 'POST', path: `/v4/schedules/${SCHEDULE}`, override: 'DELETE', status: 204 },
]

test('all subs of Butler that make a request are replayed', () => {
  const replayed = new Set(CALLS.map(({ sub }) => sub).filter((sub) => sub !== 'GetMQTTMessages'))
  expect(replayed.size).toBe(18)
})

describe('load scripts', () => {
  let site: TestSite
  let slack: HttpSink
  let broker: Mosquitto
  let watcher: Spy
  let product: Footman

  beforeAll(async () => {
    site = await startSite()
    slack = await startHttpSink()
    broker = await startMosquitto()
    watcher = await spy(broker.port)
    product = await footman({
      simulator: site.simulator,
      mqttPort: broker.port,
      config: {
        configEngine: {
          engineVersion: '12.612.0',
          host: '127.0.0.1',
          port: site.simulator.ports.engine,
          useSSL: true,
          rejectUnauthorized: true,
          headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
        },
        slackNotification: { enable: false, restMessage: { webhookURL: `${slack.url}/services/T/B/x` } },
        restServerEndpointsEnable: {
          apiListEnabledEndpoints: true,
          keyValueStore: true,
          senseAppReload: true,
          mqttPublishMessage: true,
          slackPostMessage: true,
          fileCopy: true,
          fileMove: true,
          fileDelete: true,
          createDir: true,
          createDirQVD: true,
          scheduler: ALL_ENDPOINTS.scheduler,
        },
        scheduler: { enable: true, configfile: 'schedule.yaml' },
        // Relative to the folder in which it runs.
        fileCopyApprovedDirectories: [{ fromDirectory: 'data5/qvd', toDirectory: 'data5/archive' }],
        fileMoveApprovedDirectories: [{ fromDirectory: 'data5/qvd', toDirectory: 'data5/archive' }],
        fileDeleteApprovedDirectories: ['data5/archive'],
        configDirectories: { qvdPath: 'qvd' },
        footman: { mqtt: { receivedTopics: ['sales/#'] } },
      },
    })
    mkdirSync(product.directory.join('data5/qvd'), { recursive: true })
    writeFileSync(product.directory.join('data5/qvd/a.txt'), 'content')
    writeFileSync(product.directory.join('schedule.yaml'), SCHEDULE_FILE)
    await product.start()
    await product.process.waitForLine(/MQTT: Subscribed to sales\/#/, 10_000)
  }, 60_000)
  beforeEach(() => site.simulator.reset())
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await watcher?.end()
    await broker?.stop()
    await slack?.stop()
    await site?.[Symbol.asyncDispose]()
  })

  /** What goes over the wire; `storedType` = the content type that the stored connection adds. */
  function connector(call: Call, storedType = 'application/json'): Promise<RawAnswer> {
    const { method, path, override, body = STORED_BODY, contentType = storedType } = call
    const common = [`Host: 127.0.0.1:${product.restPort}`, 'Connection: close']
    if (method === 'GET') return rawBytes(product.restPort, [`GET ${path} HTTP/1.1`, ...common, '', ''].join('\r\n'))
    const head = [
      `POST ${path} HTTP/1.1`,
      ...common,
      `Content-Type: ${contentType}`,
      ...(override ? [`X-HTTP-Method-Override: ${override}`] : []),
      'Expect: 100-continue',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      '',
    ]
    return rawContinue(product.restPort, head.join('\r\n'), body)
  }

  test.each([...CALLS, ...SCHEDULE_CALLS].map((call) => [`${call.sub} ${call.path}`, call] as const))(
    '%s',
    async (_, call) => {
      const answer = await connector(call)
      expect([answer.status, answer.body]).toEqual([call.status, expect.any(String)])
      if (call.method === 'POST') expect(answer.interim).toHaveLength(1)
      if (call.answer === undefined) return expect(answer.body).toBe('')
      const body = JSON.parse(answer.body)
      if (Array.isArray(body)) expect(body).toEqual(call.answer as unknown[])
      else expect(body).toMatchObject(call.answer as object)
    },
  )

  test('the pair that was sent with a start can be read by the task', async () => {
    const call = CALLS.find(({ sub }) => sub === 'StartTask_KeyValue')!
    await connector(call)
    const read = { sub: 'GetKeyValue', method: 'GET', path: '/v4/keyvalues/MyNamespace?key=An%20important%20key%201' }
    const answer = await connector({ ...read, method: 'GET', status: 200 })
    expect([answer.status, JSON.parse(answer.body).value]).toEqual([200, 'The value'])
  })

  test('a stored connection without a JSON content type works as well', async () => {
    const call = CALLS.find(({ sub }) => sub === 'StartTask')!
    const answer = await connector(call, 'application/x-www-form-urlencoded')
    expect(answer.status).toBe(200)
  })

  test('a quote in a value that an old sub pastes unescaped is refused, not misread', async () => {
    const call = CALLS.find(({ sub }) => sub === 'PostToMQTT')!
    const answer = await connector({ ...call, body: '{"topic":"t", "message":"a "quoted" word"}' })
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, 'FST_ERR_CTP_INVALID_JSON_BODY'])
  })

  test('what was posted has arrived', async () => {
    await until(() => watcher.received.some(({ payload }) => payload === 'dt=20201028'))
    expect(JSON.parse(slack.requests[0]!.body)).toMatchObject({
      channel: '#general',
      blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'Grüße' } }],
    })
  })

  test('a load script reads the last message of a topic', async () => {
    await watcher.publish('sales/new_data', 'dt=20260302')
    const call = CALLS.find(({ sub }) => sub === 'GetMQTTMessages')!
    const found = await until(async () => {
      const { messages } = JSON.parse((await connector(call)).body)
      return messages.length > 0 && messages
    })
    expect(found).toEqual([
      expect.objectContaining({ topic: 'sales/new_data', payload: 'dt=20260302', payloadBase64: null }),
    ])
  })

  test('messages in both directions are counted', async () => {
    const text = await (await product.call('GET', '/metrics')).text()
    expect(text).toMatch(/^footman_mqtt_connected\{broker="127\.0\.0\.1:\d+"\} 1$/m)
    expect(text).toMatch(/^footman_mqtt_messages_total\{direction="in"\} [1-9]/m)
    expect(text).toMatch(/^footman_mqtt_messages_total\{direction="out"\} [1-9]/m)
  })

  test('a message posted while the broker is away survives a killed process and arrives once', async () => {
    const call = CALLS.find(({ sub }) => sub === 'PostToMQTT')!
    await broker.kill()
    await product.process.waitForLine(/MQTT: (Lost|Cannot connect)/, 10_000)
    const body = '{"topic":"qliksense/late", "message":"still here"}'
    expect((await connector({ ...call, body })).status).toBe(201)
    await product.process.kill9()
    await product.start()
    await broker.start()
    const late = () => watcher.received.filter(({ payload }) => payload === 'still here')
    await until(() => late().length > 0, { timeout: 20_000 })
    await until(() => product.rows('SELECT seq FROM mqtt_outgoing').length === 0)
    expect(late()).toHaveLength(1)
  }, 90_000)
})
