/** What a caller reads or causes by way of another part: each operation that does more than its scope says, and what else it asks for. */
import { expect, test } from 'bun:test'
import { createApp } from '../../../../src/app/app.ts'
import { butler } from '../../../../src/app/schema.ts'
import { createPathResolver } from '../../../../src/config/paths.ts'
import { hubPages } from '../../../../src/console/hub/index.ts'
import { createReports } from '../../../../src/reports/index.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { bearer, makeKey } from './support.ts'

const SCOPES = [
  ['message:run'],
  ['message:run', 'report:run'],
  ['report:run'],
  ['report:read'],
  ['report:write'],
  ['report:read', 'report:write'],
  ['report:write', 'kv:read'],
  ['report:write', 'message:read'],
  ['report:write', 'kv:read', 'message:read'],
  ['report:run', 'kv:read'],
  ['report:run', 'kv:read', 'message:read'],
  ['message:run', 'report:run', 'kv:read'],
]
const keys = new Map(SCOPES.map((scopes) => [scopes.join(), { ...makeKey(), scopes }]))

type Switches = { readonly [name: string]: boolean | Switches }
const allOn = (switches: Switches): Switches =>
  Object.fromEntries(Object.entries(switches).map(([name, one]) => [name, typeof one === 'object' ? allOn(one) : true]))

function appIn(directory: { readonly path: string }) {
  const config = butler.parse({
    restServerConfig: { enable: true, serverHost: 'localhost' },
    mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: 1 },
    udpServerConfig: { enable: false },
    footman: {
      mqtt: { receivedTopics: ['#'] },
      reportTask: { enable: true, hub: { enable: true } },
      access: {
        enable: true,
        keys: [...keys.values()].map(({ hash, scopes }, index) => ({
          id: `key-${index}`,
          hash,
          scopes,
          keyValueNamespaces: ['Reports'],
        })),
      },
    },
  })
  const { restServerEndpointsEnable: switches } = config
  return createApp(
    {
      log: recordingLog(),
      paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }),
      databaseFile: `${directory.path}/footman.db`,
      reports: { createReports, hubPages },
    },
    {
      config: {
        ...config,
        restServerConfig: { ...config.restServerConfig, serverPort: 0 },
        restServerEndpointsEnable: allOn(switches) as typeof switches,
      },
      dataDirectory: directory.path,
      qrsConnection: false,
      shadow: false,
      degraded: false,
      apiRateLimit: null,
    },
  )
}

/** Operations that cause or read more than their scope says: what, and which scopes they ask for besides. */
const INDIRECT: readonly {
  readonly causes: string
  readonly alsoAsks: string
  readonly operations: readonly string[]
}[] = [
  {
    causes: 'decides conditions on files, changes templates, in approved directories',
    alsoAsks: 'nothing: directories of the configuration',
    operations: [
      'DELETE /v4/filedelete',
      'POST /v4/createdir',
      'POST /v4/createdirqvd',
      'PUT /v4/filecopy',
      'PUT /v4/filemove',
    ],
  },
  {
    causes: 'starts report tasks, decides conditions, publishes changes',
    alsoAsks: 'nothing: the author of the trigger chose the pair',
    operations: [
      'DELETE /v4/keyvalues/{namespace}',
      'DELETE /v4/keyvalues/{namespace}/{key}',
      'POST /v4/keyvalues/{namespace}',
      'POST /v4/keyvalues/{namespace}/increment',
      'POST /v4/keyvaluesimport',
      'POST /v4/kvstore/{namespace}',
      'PUT /v4/keyvalues/{namespace}/increment',
      'PUT /v4/keyvaluesimport',
    ],
  },
  {
    causes: 'a condition reads pairs',
    alsoAsks: 'kv:read',
    operations: ['PATCH /v4/reportcondition/{id}', 'POST /v4/reportcondition', 'PUT /v4/reportcondition/{id}'],
  },
  {
    causes: 'a task reads apps, and pairs by its conditions and triggers',
    alsoAsks: 'kv:read',
    operations: ['PATCH /v4/reporttask/{taskId}', 'POST /v4/reporttask', 'PUT /v4/reporttask/{taskId}'],
  },
  {
    causes: 'an MQTT destination publishes to the topic of its configuration',
    alsoAsks: 'nothing: never the start topic',
    operations: [
      'POST /v4/deliveries/-/resend',
      'POST /v4/deliveries/{id}/resend',
      'POST /v4/destinations/{name}/test',
      'POST /v4/events/fire',
      'POST /v4/events/{id}/replay',
      'PUT /v4/deliveries/-/resend',
      'PUT /v4/deliveries/{id}/resend',
      'PUT /v4/destinations/{name}/test',
      'PUT /v4/events/fire',
      'PUT /v4/events/{id}/replay',
    ],
  },
  {
    causes: 'sets pairs; its end starts report tasks and schedules',
    alsoAsks: 'kv:write for pairs',
    operations: [
      'POST /v4/reloadtask/start',
      'POST /v4/reloadtask/{taskId}/start',
      'PUT /v4/reloadtask/start',
      'PUT /v4/reloadtask/{taskId}/start',
    ],
  },
  {
    causes: 'evaluates expressions in any app',
    alsoAsks: 'nothing: report:write itself',
    operations: ['POST /v4/report/-/preview', 'POST /v4/reporttask/-/preview'],
  },
  {
    causes: 'evaluates what was saved',
    alsoAsks: 'nothing',
    operations: ['POST /v4/report/{id}/render'],
  },
  {
    causes: 'evaluates expressions, reads pairs',
    alsoAsks: 'kv:read',
    operations: ['POST /v4/reportcondition/{id}/test'],
  },
  {
    causes: 'sends stored documents to corrected addresses',
    alsoAsks: 'nothing: allowedRecipientDomains',
    operations: ['POST /v4/reportrun/{runId}/resend', 'PUT /v4/reportrun/{runId}/resend'],
  },
  {
    causes: 'triggers fire, with what their author saved; the task reads pairs',
    alsoAsks: 'kv:read for pairs of conditions and triggers',
    operations: [
      'POST /v4/reporttask/-/enable',
      'POST /v4/reporttask/{taskId}/enable',
      'PUT /v4/reporttask/-/enable',
      'PUT /v4/reporttask/{taskId}/enable',
    ],
  },
  {
    causes: 'a document with conditions and tasks',
    alsoAsks: 'kv:read for pairs of conditions and triggers',
    operations: ['POST /v4/reporttask/import'],
  },
  {
    causes: 'sends documents, starts other report tasks, compares pairs',
    alsoAsks: 'kv:read for conditions; for addresses allowedRecipientDomains',
    operations: [
      'POST /v4/reporttask/start',
      'POST /v4/reporttask/{taskId}/start',
      'PUT /v4/reporttask/start',
      'PUT /v4/reporttask/{taskId}/start',
    ],
  },
  {
    causes: 'a copy of a task, which is off',
    alsoAsks: 'kv:read for pairs of conditions and triggers, as to save it',
    operations: ['POST /v4/reporttask/{taskId}/copy'],
  },
  {
    causes: 'evaluates expressions, reads pairs',
    alsoAsks: 'report:write for an unsaved task, kv:read',
    operations: ['POST /v4/reporttask/{taskId}/plan'],
  },
  {
    causes: 'starts tasks, dumps apps, calls webhooks',
    alsoAsks: 'task:run, app:read, event:run, kv:write',
    operations: [
      'POST /v4/schedules',
      'POST /v4/schedules/{id}/run',
      'PUT /v4/schedules/startall',
      'PUT /v4/schedules/{id}',
      'PUT /v4/schedules/{id}/start',
    ],
  },
  {
    causes: 'starts follow-up tasks; its end starts report tasks',
    alsoAsks: 'task:run for follow-ups',
    operations: ['PUT /v4/app/{appId}/reload'],
  },
  {
    causes: 'starts tasks and report tasks',
    alsoAsks: 'task:run, kv:write, report:run, kv:read for conditions',
    operations: ['PUT /v4/mqttpublishmessage'],
  },
]

/** Operations that change what their scope names, and nothing else. Operations of GET read what their scope names. */
const DIRECT: readonly string[] = [
  'DELETE /v4/attention/{key}/taken',
  'DELETE /v4/cluster/nodes/{name}',
  'DELETE /v4/filejobs/{jobId}',
  'DELETE /v4/kvstore/{namespace}',
  'DELETE /v4/maintenance/{id}',
  'DELETE /v4/recipient/{id}',
  'DELETE /v4/recipientgroup/{id}',
  'DELETE /v4/report/{id}',
  'DELETE /v4/report/{id}/template',
  'DELETE /v4/reportcondition/{id}',
  'DELETE /v4/reportfilter/{id}',
  'DELETE /v4/reporttask/{taskId}',
  'DELETE /v4/schedules/{id}',
  'DELETE /v4/sessions/{id}',
  // A policy also asks for task:run, switches and maintenance for the scope of what they set in motion, keys for admin.
  'DELETE /v4/settings/{kind}/{name}',
  'PATCH /v4/settings/{kind}/{name}/position',
  'POST /v4/settings/import',
  'POST /v4/settings/{kind}/{name}/adopt',
  'POST /v4/settings/{kind}/{name}/restore',
  'POST /v4/settings/{kind}/{name}/test',
  'PUT /v4/settings/{kind}/{name}',
  'DELETE /v4/snoozes/{id}',
  'DELETE /v4/startqueue/{queueId}',
  'PATCH /v4/recipient/{id}',
  'PATCH /v4/recipientgroup/{id}',
  'PATCH /v4/report/{id}',
  'PATCH /v4/reportfilter/{id}',
  'POST /v4/alertroutes/explain',
  'POST /v4/cluster/stepdown',
  'POST /v4/config/reload',
  'POST /v4/deliveries/{id}/cancel',
  'POST /v4/maintenance',
  'POST /v4/newrelic/event',
  'POST /v4/newrelic/metric',
  'POST /v4/recipient',
  'POST /v4/recipient/import',
  'POST /v4/recipientgroup',
  'POST /v4/report',
  'POST /v4/report/{id}/template/check',
  'POST /v4/reportfilter',
  'POST /v4/reportrun/{runId}/cancel',
  'POST /v4/reporttask/-/disable',
  'POST /v4/reporttask/{taskId}/disable',
  'POST /v4/schedules/preview',
  'POST /v4/sessions/link',
  'POST /v4/snoozes',
  'POST /v4/udp/self-test',
  'PUT /v4/alertroutes/explain',
  'PUT /v4/attention/{key}/taken',
  'PUT /v4/config/reload',
  'PUT /v4/deliveries/{id}/cancel',
  'PUT /v4/maintenance/{id}',
  'PUT /v4/recipient/{id}',
  'PUT /v4/recipientgroup/{id}',
  'PUT /v4/report/{id}',
  'PUT /v4/report/{id}/template',
  'PUT /v4/reportfilter/{id}',
  'PUT /v4/reportrun/{runId}/cancel',
  'PUT /v4/reporttask/-/disable',
  'PUT /v4/reporttask/{taskId}/disable',
  'PUT /v4/schedules/stopall',
  'PUT /v4/schedules/{id}/stop',
  'PUT /v4/slackpostmessage',
  'PUT /v4/snoozes',
]

test('every operation is in one of the two tables', async () => {
  const directory = tempDirectory()
  const { paths } = (await appIn(directory).describe()) as { paths: Record<string, Record<string, unknown>> }
  const found = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  )
  directory.remove()
  const listed = [...INDIRECT.flatMap(({ operations }) => operations), ...DIRECT]
  expect(listed.toSorted()).toEqual(found.filter((one) => !one.startsWith('GET ')).toSorted())
})

test('messages, previews, plans and conditions ask for every right that they use', async () => {
  const directory = tempDirectory()
  const app = appIn(directory)
  await app.start()
  const call = async (scopes: string, method: string, path: string, body: object) => {
    const response = await fetch(`http://localhost:${app.restPort}${path}`, {
      method,
      body: JSON.stringify(body),
      headers: { ...bearer(keys.get(scopes)!.key), 'Content-Type': 'application/json' },
    })
    const text = await response.text()
    return { status: response.status, details: response.status === 403 ? (JSON.parse(text).details ?? '') : '', text }
  }
  const verdict = async (...all: Parameters<typeof call>) => {
    const { status, details } = await call(...all)
    return status === 403 ? details : 'allowed'
  }
  try {
    const task = { name: 'T', triggers: [{ type: 'mqtt', topic: 'reports/+/start' }] }
    expect((await call('report:write,message:read', 'POST', '/v4/reporttask', task)).status).toBe(201)
    const condition = (namespace: string, name = namespace) => ({
      name,
      appId: null,
      rules: [{ type: 'keyValue', namespace, key: 'k', op: 'eq', value: 'x' }],
    })
    const ended = { type: 'qlikEvent', event: 'taskFailed' }
    const failed = { type: 'taskState', taskId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77', is: 'failed' }
    const state = { name: 'State', appId: null, rules: [failed] }
    const saved = await call('report:write,kv:read', 'POST', '/v4/reportcondition', condition('Reports'))
    const { id } = JSON.parse(saved.text)
    const publish = (topic: string) => ['PUT', '/v4/mqttpublishmessage', { topic, message: 'go' }] as const
    const conditionTest = ['POST', `/v4/reportcondition/${id}/test`, {}] as const
    const planned = ['POST', '/v4/reporttask/-/plan', {}] as const
    const imported = {
      format: 'footman-reports',
      version: 1,
      reportConditions: [{ id, ...condition('Reports', 'Again') }],
    }
    const expected: readonly [string, string, ...(readonly [string, string, object])][] = [
      ['Scope report:run is required', 'message:run', ...publish('reports/sales/start')],
      ['allowed', 'message:run,report:run', ...publish('reports/sales/start')],
      ['allowed', 'message:run', ...publish('plant/state')],
      ['Scope report:write is required', 'report:run', 'POST', '/v4/report/-/preview', {}],
      ['Scope report:write is required', 'report:run', 'POST', '/v4/reporttask/-/preview', {}],
      ['Scope report:write is required', 'report:read', ...planned],
      ['allowed', 'report:read,report:write', ...planned],
      ['Scope kv:read is required', 'report:write', 'POST', '/v4/reportcondition', condition('Reports', 'New')],
      [
        'Namespace Hr is not granted for kv:read',
        'report:write,kv:read',
        'POST',
        '/v4/reportcondition',
        condition('Hr'),
      ],
      ['Scope message:read is required', 'report:write', 'POST', '/v4/reporttask', { ...task, name: 'V' }],
      ['Scope task:read is required', 'report:write', 'POST', '/v4/reporttask', { name: 'V', triggers: [ended] }],
      ['Scope task:read is required', 'report:write', 'POST', '/v4/reportcondition', state],
      ['Scope kv:read is required', 'report:run', ...conditionTest],
      ['allowed', 'report:run,kv:read', ...conditionTest],
      ['Scope kv:read is required', 'report:write', 'POST', '/v4/reporttask/import', imported],
      ['Scope kv:read is required', 'report:write', 'POST', '/v4/reporttask', { name: 'U', conditionIds: [id] }],
      ['allowed', 'report:write,kv:read', 'POST', '/v4/reporttask', { name: 'U', conditionIds: [id] }],
    ]
    const found = []
    for (const [, ...request] of expected) found.push([await verdict(...request), ...request])
    expect(found).toEqual(expected.map((one) => [...one]))
  } finally {
    await app.stop(1000)
    directory.remove()
  }
})

test('a task that reads pairs asks for kv:read at every door that makes it read them', async () => {
  const directory = tempDirectory()
  const app = appIn(directory)
  await app.start()
  const call = async (scopes: string, method: string, path: string, body?: object) => {
    const response = await fetch(`http://localhost:${app.restPort}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
      headers: { ...bearer(keys.get(scopes)!.key), ...(body && { 'Content-Type': 'application/json' }) },
    })
    const answer = JSON.parse((await response.text()) || '{}')
    return { status: response.status, answer }
  }
  const author = 'report:write,kv:read,message:read'
  const created = async (path: string, body: object, scopes = author) => {
    const { status, answer } = await call(scopes, 'POST', path, body)
    expect([status, answer.code]).toEqual([201, undefined])
    return answer.id as string
  }
  try {
    const rules = [{ type: 'keyValue', namespace: 'Reports', key: 'k', op: 'eq', value: 'x' }]
    const condition = await created('/v4/reportcondition', { name: 'C', appId: null, rules })
    const triggers = [{ type: 'keyValue', namespace: 'Reports', key: 'k' }]
    const report = await created('/v4/report', {
      name: 'R',
      appId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77',
      blocks: [{ key: 'text', type: 'text', markdown: 'x' }],
    })
    const use = { key: 'r', reportId: report, format: 'pdf' }
    const recipients = [{ type: 'address', address: 'a@x.example' }]
    const whole = { recipients, reports: [use], email: { enabled: true } }
    const ids = {
      condition: await created('/v4/reporttask', { ...whole, name: 'by a condition', conditionIds: [condition] }),
      'condition of a report': await created('/v4/reporttask', {
        ...whole,
        name: 'by a report',
        reports: [{ ...use, conditionIds: [condition] }],
      }),
      trigger: await created('/v4/reporttask', { ...whole, name: 'by a trigger', triggers }),
      none: await created('/v4/reporttask', { ...whole, name: 'by nothing' }),
      topic: await created('/v4/reporttask', {
        ...whole,
        name: 'by a topic',
        conditionIds: [condition],
        triggers: [{ type: 'mqtt', topic: 'reports/pairs' }],
      }),
    }
    const NEEDED = 'Scope kv:read is required'
    const refusals = async (scopes: string, method: string, path: (id: string) => string, body?: object) => {
      const found: Record<string, unknown> = {}
      for (const [kind, id] of Object.entries(ids)) {
        const { status, answer } = await call(scopes, method, path(id), body)
        found[kind] = status === 403 ? answer.details : status < 300 || status === 409 ? 'allowed' : answer
      }
      return found
    }
    const none = { none: 'allowed' }
    const byConditions = { condition: NEEDED, 'condition of a report': NEEDED, topic: NEEDED }
    const all = { ...byConditions, trigger: NEEDED, ...none }
    const nothing = Object.fromEntries(Object.keys(ids).map((kind) => [kind, 'allowed']))

    const enable = (id: string) => `/v4/reporttask/${id}/enable`
    expect(await refusals('report:run', 'POST', enable)).toEqual(all)
    expect(await refusals('report:run,kv:read,message:read', 'POST', enable)).toEqual(nothing)
    expect(await refusals('report:run', 'POST', (id) => `/v4/reporttask/${id}/disable`)).toEqual(nothing)

    const bulk = await call('report:run', 'POST', '/v4/reporttask/-/enable', { all: true })
    const refused = bulk.answer.tasksRefused as { taskId: string; code: string; details: string }[]
    expect(bulk.status).toBe(200)
    expect(bulk.answer.tasksChanged.map(({ taskId }: { taskId: string }) => taskId)).toEqual([ids.none])
    expect(new Set(refused.map(({ code, details }) => `${code} ${details}`))).toEqual(new Set([`FORBIDDEN ${NEEDED}`]))

    // A start evaluates the conditions; the pair of a trigger is not read.
    const start = (id: string) => `/v4/reporttask/${id}/start`
    expect(await refusals('report:run', 'POST', start, {})).toEqual({ ...byConditions, trigger: 'allowed', ...none })
    expect(await refusals('report:run,kv:read', 'POST', start, {})).toEqual(nothing)

    const copy = (id: string) => `/v4/reporttask/${id}/copy`
    expect(await refusals('report:write', 'POST', copy, {})).toEqual(all)
    expect(await refusals(author, 'POST', copy, {})).toEqual(nothing)

    const one = (id: string) => `/v4/reporttask/${id}`
    expect(await refusals('report:write', 'PATCH', one, { tags: ['t'] })).toEqual(all)
    expect(await refusals(author, 'PATCH', one, { tags: ['t'] })).toEqual(nothing)

    const publish = ['PUT', '/v4/mqttpublishmessage', { topic: 'reports/pairs', message: 'go' }] as const
    expect((await call('message:run,report:run', ...publish)).answer.details).toBe(NEEDED)
    expect((await call('message:run,report:run,kv:read', ...publish)).status).not.toBe(403)

    const foreign = [{ type: 'keyValue', namespace: 'Hr', key: 'k' }]
    const elsewhere = await call(author, 'POST', '/v4/reporttask', { name: 'V', triggers: foreign })
    expect(elsewhere.answer.details).toBe('Namespace Hr is not granted for kv:read')
    const document = {
      format: 'footman-reports',
      version: 1,
      reportTasks: [{ id: crypto.randomUUID(), name: 'W', triggers }],
    }
    expect((await call('report:write', 'POST', '/v4/reporttask/import', document)).answer.details).toBe(NEEDED)
    expect((await call(author, 'POST', '/v4/reporttask/import', document)).status).toBe(200)
  } finally {
    await app.stop(1000)
    directory.remove()
  }
}, 90_000)
