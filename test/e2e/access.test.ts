/** Who may call the REST API, through the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import process from 'node:process'
import { connectAsync } from 'mqtt'
import { runBinary, runToEnd } from '../support/binary.ts'
import { ALL_ENDPOINTS } from '../support/everything.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const FINANCIAL = 'a8b4c123-def4-5678-9abc-def012345678'

interface Started {
  readonly tasksStarted: readonly { readonly taskId: string }[]
  readonly totalTasksStarted: number
  readonly tasksDenied?: readonly unknown[]
}

interface AuditRow {
  readonly actor: string
  readonly action: string
  readonly status: number
  readonly outcome: string
  readonly detail: string | null
}

/** A key made by the command line. */
async function makeKey(id: string, ...args: string[]): Promise<{ id: string; key: string; hash: string }> {
  const { code, stdout } = await runToEnd(['key', 'create', '--id', id, '--json', ...args])
  expect(code).toBe(0)
  return JSON.parse(stdout) as { id: string; key: string; hash: string }
}

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` })

describe('the key command', () => {
  test('prints a key once, with its entry', async () => {
    const args = ['key', 'create', '--id', 'erp', '--scope', 'task:run', '--scope', 'task:read']
    const { code, stdout } = await runToEnd([
      ...args,
      '--tag',
      'hourly-reload',
      '--namespace',
      'Sales*',
      '--expires',
      '2027-06-30',
    ])
    expect(code).toBe(0)
    const [key = '', ...entry] = stdout.split('\n')
    expect(key).toMatch(/^fm_[A-Za-z0-9_-]{43}$/)
    const hashed = runBinary(['key', 'hash'])
    hashed.write(`${key}\n`)
    hashed.endInput()
    const [hash] = await hashed.waitForLine(/^sha256:[0-9a-f]{64}$/)
    expect(Bun.YAML.parse(entry.join('\n'))).toEqual([
      {
        id: 'erp',
        hash,
        scopes: ['task:run', 'task:read'],
        startFilter: { tag: ['hourly-reload'] },
        keyValueNamespaces: ['Sales*'],
        expires: '2027-06-30',
      },
    ])
  })

  test.each([
    [['--id', 'E R', '--scope', 'task:run'], '--id'],
    [['--id', 'erp', '--scope', 'task:fly'], '--scope'],
    [['--id', 'erp', '--scope', 'task:run', '--expires', 'soon'], '--expires'],
  ])('%p is refused', async (args, option) => {
    const { code, stdout, stderr } = await runToEnd(['key', 'create', ...args])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toStartWith(`error: ${option} must be `)
  })
})

describe('without access control', () => {
  let site: TestSite
  let product: Footman

  beforeAll(async () => {
    site = await startSite()
    product = await footman({ simulator: site.simulator })
    await product.start()
  }, 90_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  test('tasks are started without credentials, and the audit tells', async () => {
    const answer = await product.call('PUT', '/v4/reloadtask/-/start', { taskId: [FINANCIAL] })
    expect(answer.status).toBe(200)
    expect(((await answer.json()) as Started).totalTasksStarted).toBe(1)
    const rows = await until(() => {
      const found = product.rows<AuditRow>('SELECT actor, action, status, outcome, detail FROM audit')
      return found.length > 0 ? found : null
    })
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { actor: 'anonymous', action: 'task.start', status: 200, outcome: 'ok', detail: '1 started' },
    ])
  })

  test('a malformed id is named in the audit and in the log', async () => {
    const answer = await product.call('PUT', '/v4/reloadtask/-/start', { taskId: [FINANCIAL, 'fbf645f0'] })
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error: 'Invalid task ID format', details: 'Task ID must be a valid GUID' },
    ] as never)
    await product.process.waitForLine(
      /AUDIT: actor=anonymous .*action=task\.start outcome=failed status=400 .*target=fbf645f0/,
    )
    // The line is written before the row.
    await until(async () => {
      const answer = await product.call('GET', '/v4/audit?outcome=failed')
      const { audit } = (await answer.json()) as { audit: AuditRow[] }
      return audit[0]?.detail === 'Task ID not valid: fbf645f0'
    })
  })

  test('what Butler did not have is for this machine only', async () => {
    expect((await product.call('GET', '/v4/events')).status).toBe(200)
    expect((await product.call('GET', '/v4/events', undefined, { 'x-forwarded-for': '10.1.2.3' })).status).toBe(403)
    expect((await product.call('GET', '/v4/events', undefined, { host: 'evil.example' })).status).toBe(403)
  })
})

const ownAddress = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

test.skipIf(ownAddress === undefined)(
  'callers on this machine may come by its own address',
  async () => {
    await using product = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      config: { restServerConfig: { serverHost: '0.0.0.0' } },
    })
    await product.start()
    await product.process.waitForLine(/ACCESS: The REST API listens on 0\.0\.0\.0:\d+ without access control/)
    const url = `http://${ownAddress}:${product.restPort}/v4/events`
    expect((await fetch(url)).status).toBe(200)
    expect((await fetch(url, { headers: { 'x-forwarded-for': '10.1.2.3' } })).status).toBe(403)
    expect((await fetch(url, { headers: { host: 'evil.example' } })).status).toBe(403)
  },
  30_000,
)

describe('with access control', () => {
  let site: TestSite
  let product: Footman
  let erp: { key: string; hash: string }
  let limited: { key: string; hash: string }

  beforeAll(async () => {
    site = await startSite()
    erp = await makeKey('erp', '--scope', 'task:run')
    limited = await makeKey('limited', '--scope', 'task:run')
    const keys = [
      { id: 'erp', hash: erp.hash, scopes: ['task:run'] },
      { id: 'limited', hash: limited.hash, scopes: ['task:run'], startFilter: { tag: ['hourly-reload'] } },
    ]
    product = await footman({
      simulator: site.simulator,
      config: {
        logLevel: 'debug',
        restServerEndpointsEnable: { fileCopy: true, senseListApps: false },
        footman: { access: { enable: true, keys } },
      },
    })
    await product.start()
  }, 90_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  const start = async (body: unknown, headers: Record<string, string> = {}) => {
    site.simulator.reset()
    const answer = await product.call('POST', '/v4/reloadtask/-/start', body, headers)
    return { status: answer.status, body: (await answer.json()) as Started & { code?: string } }
  }
  const startsSeen = () =>
    site.simulator
      .requests({ listener: 'qrs' })
      .filter(({ method, path }) => method === 'POST' && path.includes('/start'))

  test('a key starts tasks and nothing else', async () => {
    expect((await start({ taskId: [FINANCIAL] }, bearer(erp.key))).body.totalTasksStarted).toBe(1)
    const copy = { fromFile: '/x/a', toFile: '/x/b' }
    expect((await product.call('PUT', '/v4/filecopy', copy, bearer(erp.key))).status).toBe(403)
  })

  test('without a key nothing starts; ping and health answer; what is off is a 404', async () => {
    const refused = await start({ taskId: [FINANCIAL] })
    expect([refused.status, refused.body.code, startsSeen().length]).toEqual([401, 'UNAUTHENTICATED', 0])
    expect((await product.call('PUT', '/v4/filecopy', {})).status).toBe(401)
    expect((await product.call('GET', '/v4/butlerping')).status).toBe(200)
    expect((await product.call('GET', '/health')).status).toBe(200)
    for (const headers of [{}, bearer(erp.key)]) {
      expect((await product.call('GET', '/v4/senselistapps', undefined, headers)).status).toBe(404)
    }
  })

  test('a key with a start filter starts what the filter lists', async () => {
    const tagged = await start({ tag: ['hourly-reload'] }, bearer(limited.key))
    expect([tagged.status, tagged.body.totalTasksStarted]).toEqual([200, 6])
    const urgent = await start({ tag: ['urgent'] }, bearer(limited.key))
    expect([urgent.status, urgent.body.totalTasksStarted, urgent.body.tasksDenied]).toEqual([
      200,
      0,
      [{ tag: 'urgent' }],
    ])
    expect(startsSeen()).toEqual([])
    const carrying = [...site.simulator.site.tasks.values()].find(({ tags }) =>
      tags.some(({ name }) => name === 'hourly-reload'),
    )!
    const byId = await start({ taskId: [carrying.id] }, bearer(limited.key))
    expect(byId.body.tasksStarted.map(({ taskId }) => taskId)).toEqual([carrying.id])
    const other = [...site.simulator.site.tasks.values()].find(
      ({ tags }) => !tags.some(({ name }) => name === 'hourly-reload'),
    )!
    const denied = await start({ taskId: [other.id] }, bearer(limited.key))
    expect([denied.body.totalTasksStarted, denied.body.tasksDenied]).toEqual([0, [{ taskId: other.id }]])
  })

  test('the local key reads the audit, which tells who did what', async () => {
    const file = product.directory.join('data', 'local.key')
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
    await start({ tag: ['urgent'] }, bearer(limited.key))
    const local = bearer(readFileSync(file, 'utf8').trim())
    const newest = { entry: null as AuditRow | null }
    // Entries are stored shortly after the answer.
    await until(
      async () => {
        const answer = await product.call('GET', '/v4/audit?actor=key:limited&limit=1', undefined, local)
        newest.entry = ((await answer.json()) as { audit: AuditRow[] }).audit[0] ?? null
        return newest.entry?.outcome === 'denied'
      },
      { state: () => newest },
    )
    expect(newest.entry).toMatchObject({ action: 'task.start', status: 200, detail: '0 started, 1 denied' })
    await product.process.waitForLine(
      /AUDIT: actor=key:limited address=127\.0\.0\.1 action=task\.start outcome=denied status=200/,
    )
  })

  test('no key is in the log or in the database', async () => {
    await start({ taskId: [] }, { 'x-api-key': erp.key })
    await product.call('GET', `/v4/nope?key=${erp.key}`)
    await product.process.waitForLine(/\/v4\/nope/)
    const written = JSON.stringify([
      product.process.stdout,
      product.process.stderr,
      product.rows('SELECT * FROM audit'),
    ])
    for (const { key } of [erp, limited]) expect(written).not.toContain(key.slice(3))
  })
})

const schedule = (id: string, target: string) => `  - name: ${id}
    id: ${id}
    cronSchedule: 0 6 1 1 *
    timezone: UTC
    qlikSenseTaskId: ''
    startupState: stopped
    target: ${target}
`

describe('schedules, and who may set them going', () => {
  let site: TestSite
  let product: Footman
  const keys = new Map<string, string>()

  beforeAll(async () => {
    site = await startSite()
    const grants = [
      { id: 'timer', scopes: ['schedule:*'] },
      { id: 'limited', scopes: ['schedule:*', 'task:run'], startFilter: { tag: ['hourly-reload'] } },
      { id: 'starter', scopes: ['schedule:*', 'task:run'] },
      { id: 'storing', scopes: ['schedule:*', 'task:run', 'kv:write'], keyValueNamespaces: ['Sales*'] },
    ]
    const entries = await Promise.all(
      grants.map(async (grant) => {
        const { key, hash } = await makeKey(grant.id, '--scope', 'task:run')
        keys.set(grant.id, key)
        return { ...grant, hash }
      }),
    )
    product = await footman({
      simulator: site.simulator,
      config: {
        scheduler: { enable: true, configfile: 'schedule.yaml' },
        restServerEndpointsEnable: ALL_ENDPOINTS,
        footman: { access: { enable: true, keys: entries } },
      },
    })
    const pairs = (namespace: string) =>
      `{taskId: [${FINANCIAL}], keyValueStore: [{namespace: ${namespace}, key: a, value: b}]}`
    const file = [
      'butlerSchedule:\n',
      schedule('hourly', '{tag: [hourly-reload]}'),
      schedule('urgent', '{tag: [urgent]}'),
    ]
    writeFileSync(
      product.directory.join('schedule.yaml'),
      [...file, schedule('sales', pairs('Sales EU')), schedule('hr', pairs('HR'))].join(''),
    )
    await product.start()
  }, 60_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  /** Per schedule: the statuses of starting it, of starting it by a list, and of running it. */
  const EXPECTED: readonly [key: string, Record<string, [start: number, list: number, run: number]>, all: number][] = [
    ['timer', { hourly: [403, 403, 403], urgent: [403, 403, 403], sales: [403, 403, 403], hr: [403, 403, 403] }, 403],
    ['limited', { hourly: [200, 200, 202], urgent: [403, 403, 403], sales: [403, 403, 403], hr: [403, 403, 403] }, 403],
    ['starter', { hourly: [200, 200, 202], urgent: [200, 200, 202], sales: [403, 403, 403], hr: [403, 403, 403] }, 403],
    ['storing', { hourly: [200, 200, 202], urgent: [200, 200, 202], sales: [200, 200, 202], hr: [403, 403, 403] }, 403],
  ]

  test.each(EXPECTED)('the key %s', async (id, expected, all) => {
    const headers = bearer(keys.get(id)!)
    const status = async (method: string, path: string, body?: unknown) =>
      (await product.call(method, `/v4/schedules/${path}`, body, headers)).status
    const found: Record<string, number[]> = {}
    for (const name of Object.keys(expected)) {
      found[name] = [
        await status('PUT', `${name}/start`),
        await status('PUT', 'startall', { id: [name] }),
        await status('POST', `${name}/run`),
      ]
      expect(await status('PUT', `${name}/stop`)).toBe(200)
    }
    expect([found, await status('PUT', 'startall')]).toEqual([expected, all])
    const listed = (await (await product.call('GET', '/v4/schedules', undefined, headers)).json()) as {
      lastKnownState?: string
    }[]
    expect(listed.filter(({ lastKnownState }) => lastKnownState === 'started')).toEqual([])
  })

  test('a new one with pairs needs kv:write for their namespace', async () => {
    const body = {
      name: 'New',
      cronSchedule: '0 6 1 1 *',
      timezone: 'UTC',
      startupState: 'stopped',
      qlikSenseTaskId: FINANCIAL,
      target: { keyValueStore: [{ namespace: 'HR', key: 'a', value: 'b' }], tag: ['urgent'] },
    }
    const create = async (id: string, namespace: string) => {
      body.target.keyValueStore[0]!.namespace = namespace
      return (await product.call('POST', '/v4/schedules', body, bearer(keys.get(id)!))).status
    }
    expect([await create('starter', 'Sales'), await create('storing', 'HR'), await create('storing', 'Sales')]).toEqual(
      [403, 403, 201],
    )
  })
})

describe('publishing to the topic that starts tasks', () => {
  const TOPIC = 'qliksense/start_task'
  let site: TestSite
  let broker: Mosquitto
  let product: Footman
  const keys = new Map<string, string>()

  beforeAll(async () => {
    ;[site, broker] = await Promise.all([startSite(), startMosquitto()])
    const grants = {
      publisher: { scopes: ['message:run'] },
      starter: { scopes: ['message:run', 'task:run'] },
      storer: { scopes: ['message:run', 'task:run', 'kv:write'], keyValueNamespaces: ['Sales*'] },
      limited: { scopes: ['message:run', 'task:run'], startFilter: { tag: ['hourly-reload'] } },
      shouter: { scopes: ['event:run'] },
    }
    const made = await Promise.all(Object.keys(grants).map((id) => makeKey(id, '--scope', 'message:run')))
    for (const { id, key } of made) keys.set(id, key)
    product = await footman({
      simulator: site.simulator,
      mqttPort: broker.port,
      config: {
        restServerEndpointsEnable: { mqttPublishMessage: true, keyValueStore: true },
        footman: {
          access: {
            enable: true,
            keys: made.map(({ id, hash }) => ({ id, hash, ...grants[id as keyof typeof grants] })),
          },
          destinations: { loop: { type: 'mqtt', topic: '{{taskName}}', message: 'body' } },
          alertRoutes: [{ name: 'loop', to: ['loop'] }],
        },
      },
    })
    await product.start()
    await product.process.waitForLine(/MQTT: Connected to broker/)
  }, 90_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await broker?.stop()
    await site?.[Symbol.asyncDispose]()
  })

  const publish = async (key: string, message: string, topic = TOPIC) => {
    const answer = await product.call('PUT', '/v4/mqttpublishmessage', { topic, message }, bearer(keys.get(key)!))
    const body = (await answer.json()) as { code?: string; details?: string; tasksDenied?: unknown }
    return { status: answer.status, body }
  }
  const starts = () =>
    site.simulator
      .requests({ listener: 'qrs' })
      .filter(({ method, path }) => method === 'POST' && path.includes('/start')).length
  const audited = (actor: string) =>
    product
      .rows<AuditRow>(`SELECT * FROM audit WHERE actor = '${actor}' ORDER BY id`)
      .map(({ action, outcome }) => `${action} ${outcome}`)
  const tasks = () => [...site.simulator.site.tasks.values()]
  const isTagged = ({ tags }: { tags: readonly { name: string }[] }) =>
    tags.some(({ name }) => name === 'hourly-reload')

  test('a key that may only publish starts nothing', async () => {
    for (const message of [FINANCIAL, JSON.stringify([FINANCIAL]), '{"tag":["hourly-reload"]}', 'nonsense']) {
      for (const topic of [TOPIC, `$share/any/${TOPIC}`]) {
        const { status, body } = await publish('publisher', message, topic)
        expect([status, body.details]).toEqual([403, 'Scope task:run is required'])
      }
    }
    expect((await publish('publisher', FINANCIAL, 'qliksense/other')).status).toBe(201)
    expect(starts()).toBe(0)
    await until(() => audited('key:publisher').includes('mqtt.publish denied'))
  })

  test('a key with task:run starts, and the audit names it', async () => {
    site.simulator.reset()
    site.simulator.clearRequests()
    expect((await publish('starter', FINANCIAL)).status).toBe(201)
    await until(() => audited('key:starter').includes('task.start ok'))
    expect([starts(), audited('key:starter')]).toEqual([1, ['mqtt.publish ok', 'task.start ok']])
    expect(audited(`mqtt:${TOPIC}`)).toEqual([])
  })

  test('what another client of the broker asks for is not taken for the key’s', async () => {
    site.simulator.reset()
    const client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    await client.publishAsync(TOPIC, FINANCIAL, { qos: 1 })
    await until(() => audited(`mqtt:${TOPIC}`).includes('task.start ok'))
    await client.endAsync()
    expect(audited('key:starter')).toEqual(['mqtt.publish ok', 'task.start ok'])
  })

  test('pairs in a message need kv:write for their namespace', async () => {
    const message = (namespace: string) => JSON.stringify({ keyValueStore: [{ namespace, key: 'k', value: 'v' }] })
    expect((await publish('starter', message('Sales'))).body.details).toBe('Scope kv:write is required')
    expect((await publish('storer', message('HR'))).status).toBe(403)
    expect((await publish('storer', message('Sales'))).status).toBe(201)
  })

  test('a start filter of the key holds in every form of a message', async () => {
    site.simulator.reset()
    site.simulator.clearRequests()
    const seen: string[] = []
    const client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    client.on('message', (_, payload) => void seen.push(payload.toString()))
    await client.subscribeAsync(TOPIC, { qos: 1 })
    const other = tasks().find((task) => !isTagged(task))!
    const allowed = tasks().find(isTagged)!
    const id = (taskId: string) => ({ taskId })
    const denied: readonly [message: string, tasksDenied: unknown][] = [
      [other.id, [id(other.id)]],
      [JSON.stringify(other.id), [id(other.id)]],
      [` ${other.id}\n`, [id(other.id)]],
      [JSON.stringify([allowed.id, other.id]), [id(other.id)]],
      [JSON.stringify({ taskId: other.id }), [id(other.id)]],
      [JSON.stringify({ tag: ['hourly-reload', 'urgent'] }), [{ tag: 'urgent' }]],
      [JSON.stringify({ tag: ['hourly-reload'], taskId: [other.id], match: 'all' }), [id(other.id)]],
      [JSON.stringify({ taskName: [other.name] }), [id(other.id)]],
      [
        JSON.stringify({ customProperty: [{ name: 'P', value: 'v' }] }),
        [{ customProperty: { name: 'P', value: 'v' } }],
      ],
      [JSON.stringify([{ type: 'starttasktag', payload: { tag: 'urgent' } }]), [{ tag: 'urgent' }]],
      [JSON.stringify({ type: 'starttaskid', payload: { taskId: other.id } }), [id(other.id)]],
    ]
    for (const [message, tasksDenied] of denied) {
      const { status, body } = await publish('limited', message)
      expect([message, status, body.code, body.tasksDenied]).toEqual([message, 403, 'FORBIDDEN', tasksDenied])
    }
    for (const message of ['nonsense', '{"tag":', '', '{}']) {
      const { status, body } = await publish('limited', message)
      expect([message, status, body.code]).toEqual([message, 403, 'FORBIDDEN'])
    }
    const granted = JSON.stringify({ taskId: [allowed.id] })
    expect((await publish('limited', granted)).status).toBe(201)
    await until(() => starts() === 1)
    await until(() => seen.length > 0)
    expect(seen).toEqual([granted])
    await client.endAsync()
    await until(() => audited('key:limited').includes('task.start ok'))
  })

  test('an alert whose topic comes from an event never reaches it', async () => {
    site.simulator.clearRequests()
    const values = { taskName: TOPIC, logMessage: FINANCIAL }
    const body = { to: ['loop'], values }
    const answer = await product.call('POST', '/v4/events/fire', body, bearer(keys.get('shouter')!))
    expect([answer.status, await answer.text()]).toEqual([202, expect.stringContaining('deliveries')])
    await product.process.waitForLine(/NOTIFY dead channel=loop .*messages to qliksense\/start_task start tasks/)
    expect(starts()).toBe(0)
  })
})

test('a configuration that lets nobody in does not start', async () => {
  await using product = await footman({ simulator: null, config: { footman: { access: { enable: true } } } })
  const { code, stdout, stderr } = await runToEnd(['-c', product.configFile], { cwd: product.directory.path })
  expect(code).toBe(1)
  expect(stdout + stderr).toContain('there is no way to authenticate')
})
