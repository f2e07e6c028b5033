import { describe, expect, test } from 'bun:test'
import { createMqttDestination, mqttRules } from '../../../../src/alerts/butler-sections/mqtt.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { MqttError } from '../../../../src/mqtt/connection.ts'
import type { MqttService } from '../../../../src/mqtt/types.ts'
import { ALERT } from '../../../support/alerts.ts'

const CONFIG = {
  mqttConfig: {
    enable: true,
    taskFailureSendFull: true,
    taskAbortedSendFull: true,
    taskFailureTopic: 'qliksense/task_failure',
    taskFailureFullTopic: 'qliksense/task_failure_full',
    taskAbortedTopic: 'qliksense/task_aborted',
    taskAbortedFullTopic: 'qliksense/task_aborted_full',
  },
}

const TASK = {
  id: 'e3b27f50-b1c0-4879-88fc-c7cdd9c1cf3e',
  name: 'Reload of Operations monitor',
  taskType: 0,
  enabled: true,
  tags: [{ id: '9c0b1d2e-3f40-4a51-8b62-7c8d9e0fa1b2', name: 'ops', privileges: null }],
  customProperties: [{ value: 'tasks1', definition: { id: '0c2f1f0e', name: 'taskGroup' } }],
  schemaPath: 'ReloadTask',
}
const APP = {
  id: '210832b5-6174-4572-bd19-3e61eda675ef',
  name: 'Operations monitor',
  tags: [{ id: '1', name: 'Finance daily' }],
  customProperties: [{ value: 'joe@company.com', definition: { id: '2', name: 'Butler_FailedTask_AlertEmail' } }],
}

const EVENT: TaskEvent = {
  id: '019cad24-bb20-78e1-b80b-d70ae0784c78',
  receivedAt: 0,
  source: 'udp',
  type: 'reload',
  outcome: 'aborted',
  severity: 'error',
  host: 'pro2-win1',
  user: 'LAB\\\\goran',
  taskName: 'Reload of Operations monitor',
  taskId: 'e3b27f50-b1c0-4879-88fc-c7cdd9c1cf3e',
  appName: 'Operations monitor',
  appId: '210832b5-6174-4572-bd19-3e61eda675ef',
  logTimeStamp: '2024-04-12 08:01:10,022',
  logLevel: 'INFO',
  executionId: '5d0b0a4c-6a2f-4f7d-a9c4-5b0d4f2a7c31',
  logMessage: 'Execution State Change to Aborting',
  task: TASK,
  app: APP,
  owner: null,
  execution: null,
  scriptLog: null,
  missingParts: [],
  details: null,
  code: null,
  history: null,
  retry: null,
  test: false,
}

const HEAD =
  '{"hostName":"pro2-win1","user":"LAB\\\\goran","taskName":"Reload of Operations monitor","taskId":"e3b27f50-b1c0-4879-88fc-c7cdd9c1cf3e","appName":"Operations monitor","appId":"210832b5-6174-4572-bd19-3e61eda675ef","logTimeStamp":"2024-04-12 08:01:10,022","logLevel":"INFO","executionId":"5d0b0a4c-6a2f-4f7d-a9c4-5b0d4f2a7c31","logMessage":"Execution State Change to Aborting"'

function broker(answers: (Error | null)[] = []): MqttService & { published: string[][] } {
  const published: string[][] = []
  return {
    published,
    connected: true,
    onConnected() {},
    onMessage() {},
    publishStatus() {},
    async publish(topic, payload) {
      const answer = answers.shift()
      if (answer) throw answer
      published.push([topic, String(payload)])
    },
  }
}

async function rendered(name: string, event: TaskEvent) {
  const rule = mqttRules(CONFIG).find((one) => one.name === name)!
  const [planned] = rule.plan(event)
  return createMqttDestination({ mqtt: broker() }).render({
    event,
    rule,
    target: planned!.target,
    deliveryId: 'd1',
    suppressed: 0,
    ...ALERT,
  })
}

describe('routes', () => {
  test('four routes, short ones at arrival, full ones when enriched', () => {
    const summary = mqttRules(CONFIG).map(({ name, when, phase, needs, plan }) => [
      name,
      when,
      phase,
      needs,
      plan(EVENT),
    ])
    const lane = (topic: string) => [{ target: topic, lane: 'mqtt', orderKey: topic }]
    const when = (outcome: string) => ({ types: ['reload'], outcomes: [outcome] })
    expect(summary).toEqual([
      ['butler.mqttConfig.taskFailureTopic', when('failed'), 'arrival', [], lane('qliksense/task_failure')],
      [
        'butler.mqttConfig.taskFailureFullTopic',
        when('failed'),
        'enriched',
        ['app'],
        lane('qliksense/task_failure_full'),
      ],
      ['butler.mqttConfig.taskAbortedTopic', when('aborted'), 'arrival', [], lane('qliksense/task_aborted')],
      [
        'butler.mqttConfig.taskAbortedFullTopic',
        when('aborted'),
        'enriched',
        ['app'],
        lane('qliksense/task_aborted_full'),
      ],
    ] as never)
  })

  test('nothing when MQTT is off, no route for an empty topic or a full message that is switched off', () => {
    const names = (changes: object) =>
      mqttRules({ mqttConfig: { ...CONFIG.mqttConfig, ...changes } }).map((route) => route.name.split('.').at(-1))
    expect(names({ enable: false })).toEqual([])
    expect(names({ taskFailureTopic: '', taskAbortedFullTopic: '' })).toEqual([
      'taskFailureFullTopic',
      'taskAbortedTopic',
    ])
    expect(names({ taskFailureSendFull: false, taskAbortedSendFull: false })).toEqual([
      'taskFailureTopic',
      'taskAbortedTopic',
    ])
  })

  test('successful reloads when their topics are set', () => {
    const footman = { mqtt: { taskSuccessTopic: 'ok', taskSuccessFullTopic: 'ok_full' } }
    expect(
      mqttRules({ ...CONFIG, footman })
        .slice(4)
        .map((route) => [route.name, route.phase]),
    ).toEqual([
      ['butler.footman.mqtt.taskSuccessTopic', 'arrival'],
      ['butler.footman.mqtt.taskSuccessFullTopic', 'enriched'],
    ])
  })
})

describe('messages', () => {
  test('short: the task name', async () => {
    const name = 'Reload of Test failing reloads 1 (emojis supported! 🤪)'
    const message = await rendered('butler.mqttConfig.taskFailureTopic', { ...EVENT, taskName: name })
    expect(message).toEqual({
      deliveryId: 'd1',
      target: 'qliksense/task_failure',
      subject: null,
      body: name,
      payload: { topic: 'qliksense/task_failure', body: name },
    })
  })

  test('full: keys in order, Qlik objects unchanged', async () => {
    const expected = `${HEAD},"qs_appTags":["Finance daily"],"qs_appCustomProperties":[{"name":"Butler_FailedTask_AlertEmail","value":"joe@company.com"}],"qs_taskTags":["ops"],"qs_taskCustomProperties":[{"name":"taskGroup","value":"tasks1"}],"qs_appMetadata":${JSON.stringify(APP)},"qs_taskMetadata":${JSON.stringify(TASK)}}`
    for (const name of ['butler.mqttConfig.taskAbortedFullTopic', 'butler.mqttConfig.taskFailureFullTopic']) {
      expect((await rendered(name, EVENT)).body).toBe(expected)
    }
  })

  test('full without Qlik data: empty lists, no metadata', async () => {
    const message = await rendered('butler.mqttConfig.taskAbortedFullTopic', { ...EVENT, task: null, app: null })
    expect(message.body).toBe(
      `${HEAD},"qs_appTags":[],"qs_appCustomProperties":[],"qs_taskTags":[],"qs_taskCustomProperties":[]}`,
    )
  })
})

test('deliver: one result a message, in order', async () => {
  const mqtt = broker([null, new MqttError('TIMEOUT', 'slow'), new MqttError('INVALID_TOPIC', 'bad topic')])
  const destination = createMqttDestination({ mqtt })
  const message = (body: string) => ({
    deliveryId: body,
    target: 't',
    subject: null,
    body,
    payload: { topic: 't', body },
  })
  const results = await destination.deliver(['a', 'b', 'c'].map(message), new AbortController().signal)
  expect(results).toEqual([
    { outcome: 'delivered', detail: 'published to t' },
    { outcome: 'retry', detail: 'slow' },
    { outcome: 'rejected', detail: 'bad topic' },
  ])
  expect(mqtt.published).toEqual([['t', 'a']])
  expect(destination.ready?.()).toBe(true)
})
