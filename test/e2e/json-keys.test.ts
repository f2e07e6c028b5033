/** A member `__proto__`, plain and in escapes, and one that is there twice, at every door of the executable that takes JSON: refused alike. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { connectAsync, type MqttClient } from 'mqtt'
import { runToEnd } from '../support/binary.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const TASK = '70000000-0000-4000-8000-000000000001'
const RESULT = 'acme/result'
const SPELLINGS = [
  '__proto__',
  '\\u005f_proto__',
  '\\u005F\\u005fproto\\u005F\\u005f',
  '__pr\\u006fto__',
  '__p\\u0072oto__',
]

let broker: Mosquitto
let client: MqttClient
let reports: ReportSite
const answers: string[] = []
beforeAll(async () => {
  broker = await startMosquitto()
  reports = await startReportSite(
    {},
    {
      mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: broker.port, taskStartTopic: 'acme/start' },
      restServerEndpointsEnable: { keyValueStore: true, mqttPublishMessage: true },
      footman: { mqtt: { taskStartResultTopic: RESULT } },
    },
  )
  client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
  client.on('message', (_topic, payload) => answers.push(payload.toString()))
  await client.subscribeAsync(RESULT, { qos: 1 })
  await until(() => broker.log().includes('acme/start (QoS 1)'), { what: 'the subscription' })
}, 90_000)
afterAll(async () => {
  await client?.endAsync(true)
  await reports?.[Symbol.asyncDispose]()
  await broker?.stop()
})

const send = (path: string, method: string, body: string) =>
  fetch(`http://127.0.0.1:${reports.product.restPort}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body,
  })

type Door = [method: string, path: string, body: string]

/** Calls with JSON, each with the text in an object of its body. */
const doors = (text: string): Door[] => [
  ['POST', '/v4/keyvalues/doors', `{"key": "k", "value": "v", ${text}}`],
  ['POST', '/v4/reloadtask/-/start', `{"taskId": ["${TASK}"], "deep": [{"er": {${text}}}]}`],
  ['PUT', '/v4/mqttpublishmessage', `{"topic": "acme/x", "message": "m", ${text}}`],
  ['POST', '/v4/events/fire', `{"type": "reload", "outcome": "failed", "taskId": "${TASK}", ${text}}`],
  ['POST', '/v4/report', `{"name": "x", ${text}}`],
  ['POST', '/v4/keyvaluesimport', `{"format": "footman.kv/1", "namespaces": {"doors": []}, ${text}}`],
  ['POST', '/v4/recipient/import', `[{"email": "x@acme.example", "name": "X", ${text}}]`],
]

describe.each(SPELLINGS)('%s', (key) => {
  const evil = `"${key}": {"admin": true}`

  test.each([
    ...doors(evil),
    [
      'POST',
      '/v4/keyvaluesimport',
      `{"format": "footman.kv/1", "namespaces": {"${key}": [{"key": "k", "value": "v"}]}}`,
    ] as Door,
  ])('%s %s', async (method, path, body) => {
    const answer = await send(path, method, body)
    expect([path, answer.status, await answer.text()]).toEqual([path, 400, expect.stringMatching(/json/i)])
  })

  test('a start request by MQTT', async () => {
    const before = answers.length
    await client.publishAsync('acme/start', `{"taskId": ["${TASK}"], ${evil}}`, { qos: 1 })
    await until(() => answers.length > before, { what: 'an answer' })
    expect(answers.at(-1)).toContain('not valid JSON')
  })

  test.each([
    ['pairs', `{"format": "footman.kv/1", "namespaces": {"${key}": [{"key": "k", "value": "v"}]}}`],
    ['a pair', `{"format": "footman.kv/1", "namespaces": {"doors": [{"key": "k", "value": "v", ${evil}}]}}`],
  ])('footman kv import: %s', async (_what, text) => {
    const file = reports.product.directory.join('pairs.json')
    writeFileSync(file, text)
    const { code, stderr } = await runToEnd(['kv', 'import', file, '-c', reports.product.configFile])
    expect([code, stderr]).toEqual([1, expect.stringContaining('__proto__')])
  })

  test.each([
    ['footman.yaml', `{"Butler": {"footman": {${evil}}}}`],
    ['footman.json', `{"Butler": {${evil}, "logLevel": "info"}}`],
  ])('the configuration %s', async (name, text) => {
    const file = reports.product.directory.join(name)
    writeFileSync(file, text)
    const { code, stdout, stderr } = await runToEnd(['check', '-c', file])
    expect([code, `${stdout}${stderr}`]).toEqual([1, expect.stringContaining('"__proto__" cannot be a key')])
  })
})

describe('half of a surrogate pair', () => {
  const half = '"a\\ud800"'

  test.each<[method: string, path: string, body: string, place: string]>([
    ['POST', '/v4/keyvalues/halves', `{"key": ${half}, "value": "v"}`, 'key'],
    ['POST', '/v4/keyvalues/halves', `{"key": "k", "value": "\\uDFFF\\ud83d"}`, 'value'],
    ['POST', '/v4/keyvalues/halves/increment', `{"key": ${half}}`, 'key'],
    ['PUT', '/v4/mqttpublishmessage', `{"topic": "acme/x", "message": ${half}}`, 'message'],
    ['POST', '/v4/snoozes', `{"reason": ${half}}`, 'reason'],
    ['POST', '/v4/report', `{"name": ${half}}`, 'name'],
    ['POST', '/v4/recipient/import', `[{"email": "x@acme.example", "name": ${half}}]`, '0/name'],
    ['POST', '/v4/keyvaluesimport', `{"namespaces": {${half}: []}}`, 'a member of namespaces'],
    ['POST', '/v4/reporttask/import', `{"tasks": [{"name": ${half}}]}`, 'tasks/0/name'],
  ])('%s %s', async (method, path, body, place) => {
    const answer = await send(path, method, body)
    expect([path, answer.status, await answer.text()]).toEqual([path, 400, expect.stringContaining(`${place} holds`)])
  })

  test('a start request by MQTT', async () => {
    const before = answers.length
    await client.publishAsync('acme/start', `{"taskId": ["${TASK}"], "requestId": ${half}}`, { qos: 1 })
    await until(() => answers.length > before, { what: 'an answer' })
    expect(answers.at(-1)).toContain('requestId holds half a character')
  })

  test('a whole pair is a character', async () => {
    const set = await send('/v4/keyvalues/halves', 'POST', '{"key": "\\ud83d\\ude00", "value": "\\\\ud800"}')
    expect([set.status, await set.json()]).toMatchObject([201, { key: '😀', value: '\\ud800' }])
  })
})

test('a value may hold the name', async () => {
  const value = '{"__proto__": 1}'
  const set = await send('/v4/keyvalues/doors', 'POST', JSON.stringify({ key: '__proto__', value }))
  expect(set.status).toBe(201)
  const found = await reports.product.call('GET', '/v4/keyvalues/doors?key=__proto__')
  expect(await found.json()).toMatchObject({ key: '__proto__', value })
})

describe('a member twice', () => {
  const twice = '"x": 1, "\\u0078": 2'

  test.each([...doors(twice), ['POST', '/v4/keyvalues/doors', '{"key": "k", "key": "l", "value": "v"}'] as Door])(
    '%s %s',
    async (method, path, body) => {
      const answer = await send(path, method, body)
      expect([path, answer.status, await answer.text()]).toEqual([path, 400, expect.stringContaining('a second time')])
    },
  )

  test('a start request by MQTT', async () => {
    const before = answers.length
    await client.publishAsync('acme/start', `{"taskId": ["${TASK}"], "taskId": []}`, { qos: 1 })
    await until(() => answers.length > before, { what: 'an answer' })
    expect(answers.at(-1)).toContain('has the member \\"taskId\\" a second time')
  })

  test('the configuration', async () => {
    const file = reports.product.directory.join('twice.json')
    writeFileSync(file, '{"Butler": {"logLevel": "info", "logLevel": "debug"}}')
    const { code, stdout, stderr } = await runToEnd(['check', '-c', file])
    expect([code, `${stdout}${stderr}`]).toEqual([
      1,
      expect.stringContaining('1:33 error is not valid YAML: the key stands twice'),
    ])
  })
})
