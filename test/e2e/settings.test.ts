/** Settings that people change while Footman runs, from outside. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from '../support/binary.ts'
import { sendDatagrams } from '../support/cluster/datagrams.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { until } from '../support/wait.ts'

type Tree = Record<string, unknown>

const CANARY = 'c4n4ry-of-a-secret'
let sink: HttpSink
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  sink = await startHttpSink()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  sink.requests.length = 0
})
afterAll(() => sink.stop())

async function start(own: Tree = {}, env: Readonly<Record<string, string>> = {}): Promise<Footman> {
  const running = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    env,
    config: {
      logLevel: 'info',
      footman: { watchConfig: false, settings: { allowHosts: ['127.0.0.1'] }, ...own },
    },
  })
  cleanups.push(async () => running[Symbol.asyncDispose]())
  await running.start()
  return running
}

const webhook = (path: string, more: Tree = {}) => ({ type: 'webhook', url: `${sink.url}/${path}`, ...more })
const rule = (...to: string[]) => ({ match: { type: 'reload', outcome: 'failed' }, limit: 'none', to })

interface Answer {
  readonly status: number
  readonly body: {
    readonly revision?: number
    readonly state?: string
    readonly value?: Tree
    readonly code?: string
    readonly details?: string
    readonly issues?: readonly { path: string; message: string }[]
    readonly settings?: readonly { name: string; source: string; state: string; value: Tree; line: number | null }[]
    readonly changes?: readonly { name: string; by: string; deleted: boolean; difference: string[]; revision: number }[]
    readonly entries?: readonly { name: string; what: string }[]
  }
}

async function ask(running: Footman, method: string, path: string, body?: unknown, ifMatch?: number): Promise<Answer> {
  const headers: Record<string, string> = ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }
  const response = await running.call(method, `/v4/settings/${path}`, body, headers)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, body: isJson ? JSON.parse(text) : { text } }
}
const put = (running: Footman, path: string, value: unknown, ifMatch?: number) =>
  ask(running, 'PUT', path, { value }, ifMatch)

let executions = 0
/** Reports a failed reload, as the scheduler does. */
const fail = ({ udpPort }: Footman) =>
  sendDatagrams({ first: executions++, count: 1, perSecond: 1, ports: () => [udpPort] })
const got = (path: string) => sink.requests.filter(({ url }) => url === `/${path}`).length

/** Replaces the file in one step, and reads it again. */
async function edit(running: Footman, change: (footmanSection: Tree) => void): Promise<Response> {
  const whole = JSON.parse(readFileSync(running.configFile, 'utf8')) as { Butler: { footman: Tree } }
  change(whole.Butler.footman)
  writeFileSync(`${running.configFile}.new`, JSON.stringify(whole))
  renameSync(`${running.configFile}.new`, running.configFile)
  return running.call('POST', '/v4/config/reload', {})
}

describe('a setting', () => {
  test('is in use with the answer, survives kill -9, and can be undone', async () => {
    const running = await start()
    expect(await put(running, 'destination/ops', webhook('ops'))).toMatchObject({ status: 201, body: { revision: 1 } })
    expect(await put(running, 'rule/night', rule('ops'))).toMatchObject({ status: 201 })
    await fail(running)
    await until(() => got('ops') === 1)
    await running.process.kill9()
    await running.start()
    await fail(running)
    await until(() => got('ops') === 2)
    const moved = await put(running, 'destination/ops', webhook('moved'), 1)
    expect(moved).toMatchObject({ status: 200, body: { revision: 2 } })
    await fail(running)
    await until(() => got('moved') === 1)
    const restored = await ask(running, 'POST', 'destination/ops/restore', { revision: 1 })
    expect(restored.status).toBe(200)
    await fail(running)
    await until(() => got('ops') === 3)
    const { changes } = (await ask(running, 'GET', 'destination/ops/history')).body
    expect(changes!.map(({ revision }) => revision)).toEqual([3, 2, 1])
    // A revision never comes back.
    await ask(running, 'DELETE', 'rule/night')
    expect((await ask(running, 'POST', 'rule/night/restore', { revision: 1 })).status).toBe(200)
    expect((await ask(running, 'GET', 'rule/night')).body.revision).toBe(3)
    expect((await put(running, 'rule/night', rule('ops'), 1)).status).toBe(409)
    expect(await put(running, 'rule/night', rule('ops'), 3)).toMatchObject({ status: 200, body: { revision: 4 } })
  }, 60_000)

  test('that somebody else has changed is not overwritten', async () => {
    const running = await start()
    await put(running, 'calendar/holidays', { dates: ['2030-12-25'] })
    expect((await put(running, 'calendar/holidays', { dates: [] })).status).toBe(428)
    const both = await Promise.all(
      ['2030-01-01', '2030-01-02'].map((date) => put(running, 'calendar/holidays', { dates: [date] }, 1)),
    )
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    expect(both.find(({ status }) => status === 409)!.body.code).toBe('SETTING_CHANGED')
    expect((await ask(running, 'GET', 'calendar/holidays')).body.revision).toBe(2)
  })

  test('in use is not deleted, one with a new name takes its users along', async () => {
    const running = await start()
    await put(running, 'destination/ops', webhook('ops'))
    await put(running, 'rule/night', rule('ops'))
    const refused = await ask(running, 'DELETE', 'destination/ops')
    expect(refused).toMatchObject({ status: 409, body: { code: 'SETTING_IN_USE' } })
    expect(refused.body.details).toContain('rule night')
    const renamed = await ask(running, 'PUT', 'destination/ops', { name: 'team', value: webhook('ops') }, 1)
    expect(renamed.status).toBe(200)
    expect((await ask(running, 'GET', 'rule/night')).body.value).toMatchObject({ to: ['team'] })
    await fail(running)
    await until(() => got('ops') === 1)
    expect((await ask(running, 'DELETE', 'rule/night')).status).toBe(204)
    expect((await ask(running, 'DELETE', 'destination/team')).status).toBe(204)
  })

  test('of the file wins and comes back, when the file lets it go', async () => {
    const running = await start({
      alertRoutes: [{ name: 'all', ...rule('ops') }],
      destinations: { ops: webhook('file') },
    })
    expect(await put(running, 'destination/ops', webhook('mine'))).toMatchObject({
      status: 409,
      body: { code: 'FROM_FILE' },
    })
    await put(running, 'destination/night', webhook('stored'))
    await edit(running, (section) => {
      section.destinations = { ...(section.destinations as Tree), night: webhook('of-file') }
    })
    const { settings } = (await ask(running, 'GET', 'destination')).body
    expect(settings!.map(({ name, source, state }) => [name, source, state])).toEqual([
      ['ops', 'file', 'used'],
      ['night', 'file', 'used'],
      ['night', 'console', 'hidden'],
    ])
    await edit(running, (section) => {
      section.destinations = { ops: webhook('file') }
      section.alertRoutes = [{ name: 'all', ...rule('night') }]
    })
    await fail(running)
    await until(() => got('stored') === 1)
    expect((await ask(running, 'DELETE', 'destination/night')).body.details).toMatch(/alertRoutes\[0\].*no destination/)
  })

  test('with a mistake names the member and changes nothing', async () => {
    const running = await start()
    const wrong = await put(running, 'destination/ops', webhook('ops', { method: 'SHOUT', colour: 'red' }))
    expect(wrong.body.issues!.map(({ path }) => path).sort()).toEqual(['value/colour', 'value/method'])
    expect((await put(running, 'rule/x', rule('nowhere'))).body.issues).toMatchObject([{ path: 'value/to/0' }])
    expect((await put(running, 'rule/x', 'text')).status).toBe(400)
    expect((await put(running, 'switch/restServerConfig.serverPort', 1)).status).toBe(400)
    expect((await put(running, 'destination/email', webhook('x'))).status).toBe(400)
    const dry = await ask(running, 'PUT', 'destination/ops?dryRun=true', { value: webhook('ops') })
    expect(dry.status).toBe(201)
    expect((await ask(running, 'GET', 'changes')).body.changes).toEqual([])
  })

  test('switches a feature on without a restart of the process', async () => {
    const running = await start()
    expect((await running.call('GET', '/v4/keyvaluesnamespaces')).status).toBe(404)
    expect((await put(running, 'switch/restServerEndpointsEnable.keyValueStore', true)).status).toBe(201)
    const answers = async () => (await running.call('GET', '/v4/keyvaluesnamespaces').catch(() => null))?.status === 200
    await until(answers)
  })

  test('named by a schedule stays', async () => {
    const running = await start()
    await put(running, 'calendar/holidays', { dates: ['2030-12-25'] })
    const yaml =
      'Butler: {scheduler: {enable: true}, restServerEndpointsEnable: {scheduler: {createNewSchedule: true}}}'
    expect((await ask(running, 'POST', 'import', { yaml })).status).toBe(200)
    const schedule = {
      name: 'Working days',
      cronSchedule: '0 6 * * 1-5',
      timezone: 'Europe/Stockholm',
      qlikSenseTaskId: 'a8b4c123-def4-5678-9abc-def012345678',
      startupState: 'stopped',
      notOn: ['holidays'],
    }
    // The parts are built anew.
    await until(async () => (await running.call('POST', '/v4/schedules', schedule).catch(() => null))?.status === 201)
    const refused = await ask(running, 'DELETE', 'calendar/holidays')
    expect(refused).toMatchObject({ status: 409, body: { code: 'SETTING_IN_USE' } })
    expect(refused.body.details).toContain('schedule Working days')
    const renamed = await ask(running, 'PUT', 'calendar/holidays', { name: 'days', value: { dates: [] } }, 1)
    expect(renamed.status).toBe(409)
    expect((await put(running, 'calendar/holidays', { dates: ['2031-12-25'] }, 1)).status).toBe(200)
  })
})

test('one text sets up a whole site', async () => {
  const running = await start({ access: { enable: false } })
  const yaml = JSON.stringify({
    Butler: {
      scheduler: { enable: true },
      restServerEndpointsEnable: { keyValueStore: true, scheduler: { getSchedule: true, createNewSchedule: true } },
      footman: {
        timezone: 'Europe/Stockholm',
        reportTask: { enable: true },
        destinations: { 'on-call': webhook('on-call'), team: webhook('team') },
        calendars: { holidays: { dates: ['2030-12-25'] } },
        windows: {
          office: { days: 'mon-fri', from: '08:00', to: '17:00', notOn: 'holidays' },
          always: { from: '00:00' },
        },
        alertRoutes: [
          { name: 'night', match: { outcome: 'failed', during: 'always' }, to: ['on-call'], limit: 'none' },
        ],
        maintenance: [{ name: 'patches', during: 'office', match: { host: 'qs9' } }],
        taskPolicies: [{ name: 'finance', match: { stream: 'Finance' }, retry: '3x/5m' }],
        access: { keys: [{ id: 'anna', hash: `sha256:${'a'.repeat(64)}`, scopes: ['event:read'] }] },
      },
    },
  })
  const planned = await ask(running, 'POST', 'import?dryRun=true', { yaml })
  expect(planned.body.entries!.map(({ what }) => what)).toEqual(Array(15).fill('added'))
  expect((await ask(running, 'GET', 'rule')).body.settings).toEqual([])
  expect((await ask(running, 'POST', 'import', { yaml })).status).toBe(200)
  const enabled = (path: string) => async () => (await running.call('GET', path).catch(() => null))?.status === 200
  await until(enabled('/v4/reporttask'))
  await until(enabled('/v4/schedules'))
  await fail(running)
  await until(() => got('on-call') === 1)
  expect(got('team')).toBe(0)
  const again = await ask(running, 'POST', 'import', { yaml })
  // The answer does not say whether a secret is the stored one.
  const changed = again.body.entries!.filter(({ what }) => what !== 'same').map(({ name }) => name)
  expect(changed).toEqual(['on-call', 'team', 'anna'])
}, 60_000)

describe('a secret', () => {
  test('appears nowhere, is kept by its mask, and never goes elsewhere with it', async () => {
    const running = await start()
    const secret = (path: string) => webhook(path, { headers: { Authorization: CANARY } })
    const answers: unknown[] = [await put(running, 'destination/ops', secret('ops'))]
    answers.push(await put(running, 'rule/all', rule('ops')))
    const masked = (url: string) => ({ type: 'webhook', url, headers: { Authorization: '********' } })
    // The address of a webhook is a secret, too.
    const kept = await put(running, 'destination/ops', { ...masked('********'), method: 'PUT' }, 1)
    expect(kept.status).toBe(200)
    answers.push(kept)
    const entered = { ...masked('********'), headers: { Authorization: `${CANARY}-2` }, method: 'PUT' }
    const changed = await put(running, 'destination/ops', entered, kept.body.revision)
    const [newest] = (await ask(running, 'GET', 'destination/ops/history')).body.changes!
    expect(newest!.difference).toEqual(['~ headers/Authorization: changed'])
    const moved = await put(running, 'destination/ops', masked(`${sink.url}/elsewhere`), changed.body.revision)
    expect(moved.status).toBe(400)
    expect(await put(running, 'destination/other', masked('********'))).toMatchObject({ status: 400 })
    await fail(running)
    await until(() => got('ops') === 1)
    expect(sink.requests.find(({ url }) => url === '/ops')!.headers.authorization).toBe(`${CANARY}-2`)
    for (const path of ['destination', 'destination/ops', 'destination/ops/history', 'changes', 'export'])
      answers.push(await ask(running, 'GET', path))
    answers.push(await (await running.call('GET', '/v4/audit')).text())
    answers.push(await (await running.call('GET', '/v4/config')).text())
    expect(JSON.stringify(answers)).not.toContain(CANARY)
    expect(running.process.stdout.join('\n')).not.toContain(CANARY)
    const data = join(running.directory.path, 'data')
    for (const file of readdirSync(data)) {
      if (file.startsWith('footman.db')) expect(readFileSync(join(data, file)).includes(CANARY), file).toBe(false)
    }
  }, 60_000)

  test('whose key is lost takes only its setting out of use', async () => {
    const running = await start()
    await put(running, 'destination/ops', webhook('ops', { headers: { 'X-Token': CANARY } }))
    await put(running, 'destination/plain', webhook('plain'))
    await put(running, 'rule/all', rule('ops', 'plain'))
    await running.process.stop()
    rmSync(join(running.directory.path, 'data', 'settings.key'))
    await running.start()
    const { settings } = (await ask(running, 'GET', 'destination')).body
    expect(settings!.find(({ name }) => name === 'ops')!.state).toBe('unusable')
    expect((await ask(running, 'GET', 'rule/all')).body.state).toBe('used')
    const again = await put(running, 'destination/ops', webhook('again', { headers: { 'X-Token': 'new' } }), 1)
    expect(again).toMatchObject({ status: 200, body: { state: 'used' } })
    await fail(running)
    await until(() => got('again') === 1)
  })
})

describe('a key with setting:write', () => {
  test('reaches nothing more by what it sets', async () => {
    const hash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`
    const [writer, admin] = [`fk_${'w'.repeat(43)}`, `fk_${'a'.repeat(43)}`]
    const running = await start(
      {
        destinations: { file: webhook('file', { body: `\${env:KNOWN}` }) },
        access: {
          enable: true,
          keys: [
            { id: 'writer', hash: hash(writer), scopes: ['setting:read', 'setting:write'] },
            { id: 'boss', hash: hash(admin), scopes: ['admin'] },
          ],
        },
      },
      { KNOWN: 'from outside', OTHER: 'hidden' },
    )
    const call = async (
      key: string,
      method: string,
      path: string,
      body?: unknown,
      more: Record<string, string> = {},
    ) => {
      const response = await running.call(method, `/v4/settings/${path}`, body, {
        authorization: `Bearer ${key}`,
        ...more,
      })
      const text = await response.text()
      return { status: response.status, text }
    }
    const value = (body: string) => ({ value: webhook('x', { body }) })
    const issue = (status: number, text: string) => ({ status, text: expect.stringContaining(text) })
    expect(await call(writer, 'PUT', 'destination/a', value(`\${env:KNOWN}`))).toMatchObject({ status: 201 })
    expect(await call(writer, 'PUT', 'destination/b', value(`\${env:OTHER}`))).toEqual(
      issue(400, 'only the scope admin'),
    )
    expect(await call(writer, 'POST', 'destination/b/test', value(`\${env:OTHER}`))).toMatchObject({ status: 400 })
    expect(await call(admin, 'PUT', 'destination/b', value(`\${env:OTHER}`))).toMatchObject({ status: 201 })
    expect(await call(admin, 'DELETE', 'destination/b')).toMatchObject({ status: 204 })
    expect(await call(writer, 'POST', 'destination/b/restore', { revision: 1 })).toMatchObject({ status: 400 })
    expect(await call(admin, 'POST', 'destination/b/restore', { revision: 1 }, { 'if-match': '"7"' })).toMatchObject({
      status: 409,
    })
    expect(await call(admin, 'POST', 'destination/b/restore', { revision: 1 })).toMatchObject({ status: 200 })
    expect(await call(writer, 'POST', 'access/boss/adopt')).toMatchObject({ status: 403 })
    const key = await call(admin, 'POST', 'access/boss/adopt')
    expect(key).toEqual(issue(200, '"isAlone":true'))
    expect(key.text).not.toContain(hash(admin))
    expect(await call(writer, 'POST', 'destination/file/adopt?dryRun=true')).toEqual(issue(200, `\${env:KNOWN}`))
    for (const key of [writer, admin]) {
      const code = { value: { ...rule('a'), body: '<% process.exit(1) %>' } }
      expect(await call(key, 'PUT', 'rule/code', code)).toEqual(issue(400, 'must not hold <%'))
      const yaml = 'Butler: {footman: {alertRoutes: [{name: code, to: [a], title: "<%= 1 %>"}]}}'
      expect(await call(key, 'POST', 'import', { yaml })).toEqual(issue(400, 'must not hold <%'))
    }
    const policy = { value: { match: { task: 'x' }, retry: '3x/5m' } }
    expect(await call(writer, 'PUT', 'policy/x', policy)).toMatchObject({ status: 403 })
    expect(await call(writer, 'PUT', 'switch/scheduler.enable', { value: true })).toMatchObject({ status: 403 })
    expect(await call(writer, 'GET', 'access')).toMatchObject({ status: 403 })
    const shown = await call(writer, 'GET', 'destination')
    expect(shown.text).not.toContain('from outside')
    expect(shown.text).toContain(`\${env:KNOWN}`)
  })
})

describe('the order of rules', () => {
  test('changes by their positions, at the revision that the caller means', async () => {
    const running = await start()
    await put(running, 'destination/ops', webhook('ops', { headers: { 'X-Token': CANARY } }))
    for (const name of ['a', 'b', 'c']) await put(running, `rule/${name}`, { to: [{ destination: 'ops', body: name }] })
    const move = (name: string, position: number, ifMatch?: number) =>
      ask(running, 'PATCH', `rule/${name}/position`, { position }, ifMatch)
    expect((await move('c', 0, 7)).status).toBe(409)
    expect((await move('c', 0, 1)).status).toBe(200)
    expect((await move('a', 9)).status).toBe(200)
    const { settings } = (await ask(running, 'GET', 'rule')).body
    expect(settings!.map(({ name }) => name)).toEqual(['c', 'b', 'a'])
    expect((await ask(running, 'DELETE', 'rule/a', undefined, 1)).status).toBe(409)
  })
})

describe('all settings', () => {
  test('leave by an export and come back by an import', async () => {
    const [one, two] = [await start(), await start()]
    await put(one, 'calendar/holidays', { dates: ['2030-12-25'] })
    await put(one, 'window/night', { from: '20:00', to: '06:00', notOn: ['holidays'] })
    await put(one, 'destination/ops', webhook('ops'))
    await put(one, 'rule/b', { ...rule('ops'), match: { during: 'night' } })
    await put(one, 'rule/a', rule('ops'))
    await put(one, 'policy/finance', { match: { stream: 'Finance' }, retry: '3x/5m' })
    const response = await one.call('GET', '/v4/settings/export')
    const yaml = (await response.text()).replace(/url: .*/, `url: ${sink.url}/two`)
    expect(yaml).toContain('footman:')
    const plan = await ask(two, 'POST', 'import?dryRun=true', { yaml })
    expect(plan.body.entries!.map(({ what }) => what)).toEqual(Array(6).fill('added'))
    expect((await ask(two, 'GET', 'changes')).body.changes).toEqual([])
    expect((await ask(two, 'POST', 'import', { yaml })).status).toBe(200)
    const { settings } = (await ask(two, 'GET', 'rule')).body
    expect(settings!.map(({ name }) => name)).toEqual(['b', 'a'])
    await fail(two)
    await until(() => got('two') >= 1)
    const twice = await ask(two, 'POST', 'import', { yaml: 'Butler:\n  footman: {}\n  footman: {}\n' })
    expect(twice).toMatchObject({ status: 400, body: { issues: [{ path: 'yaml:3' }] } })
    const bad = await ask(two, 'POST', 'import', { yaml: `${yaml}\n  restServerConfig: {serverPort: 1}\n` })
    expect(bad).toMatchObject({ status: 400 })
    expect(JSON.stringify(bad.body.issues)).toContain('restServerConfig.serverPort')
  }, 60_000)

  test('are changed by commands', async () => {
    const running = await start()
    const file = join(running.directory.path, 'value.yaml')
    const settings = async (...args: string[]) => {
      const { code, stdout, stderr } = await runToEnd([
        'settings',
        ...args,
        '--url',
        `http://127.0.0.1:${running.restPort}`,
      ])
      return { code, out: stdout, err: stderr }
    }
    const given = (text: string) => writeFileSync(file, text)
    given(`{type: webhook, url: "${sink.url}/cli"}`)
    expect(await settings('set', 'destination', 'ops', file)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Created'),
    })
    given('to: [ops]\nmatch: {outcome: failed}\nlimit: none\n')
    expect(await settings('set', 'rule', 'all', file, '--dry-run')).toMatchObject({
      code: 0,
      out: expect.stringContaining('Nothing is wrong'),
    })
    expect((await settings('show', 'rule', 'all')).code).toBe(3)
    expect((await settings('set', 'rule', 'all', file)).code).toBe(0)
    given('to: [ops]\nlimit: often\n')
    const wrong = await settings('set', 'rule', 'all', file)
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringMatching(/is refused\n +limit: /)])
    given('to: [ops]\nlimit: none\n')
    expect((await settings('set', 'rule', 'all', file, '--revision', '7')).code).not.toBe(0)
    expect((await settings('set', 'rule', 'all', file)).out).toContain('Changed')
    expect((await settings('list', 'rule')).out).toMatch(/all +store +used +2/)
    expect((await settings('changes', '--kind', 'rule')).out).toMatch(/rule all +2/)
    expect((await settings('restore', 'rule', 'all', '1')).code).toBe(0)
    expect((await settings('show', 'rule', 'all')).out).toContain('outcome: failed')
    await fail(running)
    await until(() => got('cli') === 1)
    const text = await settings('export')
    expect(text.out).toContain('url: "********"')
    given(text.out)
    expect((await settings('import', file)).out).toContain('same: rule all')
    expect((await settings('delete', 'destination', 'ops')).code).toBe(2)
    expect((await settings('delete', 'rule', 'all')).code).toBe(0)
    expect((await settings('delete', 'destination', 'ops')).code).toBe(0)
  }, 60_000)

  test('are locked where the files rule', async () => {
    const running = await start({ settings: { editable: false } })
    expect(await put(running, 'calendar/x', { dates: [] })).toMatchObject({
      status: 409,
      body: { code: 'SETTINGS_LOCKED' },
    })
  })
})
