/** A changed configuration file, while everything runs. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { startSite } from '../support/simulator.ts'
import { fakeSystemctl } from '../support/systemctl.ts'
import { until } from '../support/wait.ts'

type Tree = Record<string, unknown>

const WAIT = { timeout: 30_000 }
const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
let sink: HttpSink
const sender = createSocket('udp4')
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  sink = await startHttpSink()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  sink.requests.length = 0
  sink.answer({})
})
afterAll(async () => {
  sender.close()
  await sink.stop()
})

const webhook = (path: string, more: Tree = {}) => ({ type: 'webhook', url: `${sink.url}/${path}`, ...more })
const route = (name: string, ...to: string[]) => ({
  name,
  match: { type: 'reload', outcome: 'failed' },
  limit: 'none',
  to,
})

async function start(own: Tree): Promise<Footman> {
  const running = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: { logLevel: 'info', footman: { watchConfig: false, ...own } },
  })
  cleanups.push(async () => running[Symbol.asyncDispose]())
  await running.start()
  return running
}

/** Rewrites the file in one step, as editors do. */
function change({ configFile }: Footman, edit: (butler: Tree & { footman: Tree }) => void): void {
  const whole = JSON.parse(readFileSync(configFile, 'utf8')) as { Butler: Tree & { footman: Tree } }
  edit(whole.Butler)
  writeFileSync(`${configFile}.new`, JSON.stringify(whole, null, 2))
  renameSync(`${configFile}.new`, configFile)
}

interface Answer {
  readonly changed: string[]
  readonly needsRestart: string[]
  readonly dryRun: boolean
  readonly inUseSince?: string
  readonly code?: string
  readonly issues?: readonly { path: string; message: string }[]
}

async function reload(running: Footman, body: Tree = {}): Promise<Answer & { status: number }> {
  const response = await running.call('POST', '/v4/config/reload', body)
  return { status: response.status, ...((await response.json()) as Answer) }
}

let executions = 0
/** Tells of a failed reload, as the scheduler does. */
async function fail({ udpPort }: Footman): Promise<string> {
  executions += 1
  const execution = `e9000000-0000-4000-8000-${String(executions).padStart(12, '0')}`
  const fields = [
    '/scheduler-task-failed/',
    'qs-central',
    'Financial Dashboard Reload',
    'Sales Dashboard',
    'INTERNAL\\sa_scheduler',
    TASK,
    'a1000000-0000-4000-8000-000000000002',
    '2026-03-02 07:00:00,000',
    'ERROR',
    execution,
    'Max retries reached',
  ]
  await new Promise<void>((done, failed) => {
    sender.send(fields.join(';'), udpPort, '127.0.0.1', (error) => (error ? failed(error) : done()))
  })
  return execution
}

const got = (path: string) => sink.requests.filter(({ url }) => url === `/${path}`)
const deliveries = (running: Footman) =>
  running.rows<{ destination: string; state: string; reason: string | null }>(
    'SELECT destination, state, reason FROM delivery ORDER BY seq',
  )

describe('a new route', () => {
  test('gets the next event, one that is gone gets none; the rest waits for a restart; no secret is told', async () => {
    const running = await start({
      destinations: { first: webhook('first') },
      alertRoutes: [route('one', 'first')],
    })
    await fail(running)
    await until(() => got('first').length === 1, WAIT)
    change(running, ({ footman, restServerConfig }) => {
      footman.destinations = { second: webhook('second', { headers: { Authorization: 'Bearer top-secret-token' } }) }
      footman.alertRoutes = [route('two', 'second')]
      ;(restServerConfig as Tree).serverPort = 1
    })
    const expected = {
      changed: [
        'Butler.footman.destinations.first',
        'Butler.footman.destinations.second',
        'Butler.footman.alertRoutes',
      ],
      needsRestart: ['Butler.restServerConfig.serverPort'],
    }
    const dry = await reload(running, { dryRun: true })
    expect({ ...dry, changed: dry.changed.sort() }).toEqual({
      inUseSince: expect.stringMatching(/Z$/),
      ...expected,
      changed: expected.changed.sort(),
      status: 200,
      dryRun: true,
    })
    await fail(running)
    await until(() => got('first').length === 2, WAIT)

    expect(await reload(running)).toMatchObject({ status: 200, dryRun: false, needsRestart: expected.needsRestart })
    await fail(running)
    await until(() => got('second').length === 1, WAIT)
    expect(got('first')).toHaveLength(2)
    expect(got('second')[0]?.headers.authorization).toBe('Bearer top-secret-token')
    const output = running.process.stdout.join('\n')
    expect(output).toContain('Butler.footman.alertRoutes[0].name changed from "one" to "two"')
    expect(output).toContain('Butler.restServerConfig.serverPort has changed and needs a restart')
    expect(output).not.toContain('top-secret-token')
    // What waits for a restart is told until then; nothing else is left to change.
    expect(await reload(running)).toMatchObject({ changed: [], needsRestart: expected.needsRestart })
    const unknown = await reload(running, { dry: true })
    expect(unknown).toMatchObject({ status: 400, code: 'VALIDATION' })
    const listed = (await (await running.call('GET', '/v4/alertroutes')).json()) as { alertRoutes: { name: string }[] }
    expect(listed.alertRoutes.map(({ name }) => name)).toContain('two')
  }, 60_000)

  test.each([
    ['the file', null],
    ['SIGHUP', 'SIGHUP' as const],
  ])(
    'is found by %s',
    async (_, signal) => {
      const running = await start({ watchConfig: signal === null, destinations: { first: webhook('first') } })
      change(running, ({ footman }) => {
        footman.alertRoutes = [route('one', 'first')]
      })
      if (signal) running.process.signal(signal)
      await running.process.waitForLine(/CONFIG: Reloaded: 1 settings changed, 0 need a restart/, 20_000)
      await fail(running)
      await until(() => got('first').length === 1, WAIT)
    },
    60_000,
  )

  test('by command', async () => {
    const running = await start({ destinations: { first: webhook('first') } })
    const command = (...more: string[]) =>
      runToEnd(['reload', '--url', `http://127.0.0.1:${running.restPort}`, ...more], { cwd: running.directory.path })
    expect((await command()).stdout).toMatch(/^Nothing has changed: these settings are in use since 20\d\d-.*Z\.$/)
    change(running, ({ footman }) => {
      footman.alertRoutes = [route('one', 'first')]
    })
    expect((await command('--dry-run')).stdout).toBe('would change: Butler.footman.alertRoutes')
    expect((await command()).stdout).toBe('changed: Butler.footman.alertRoutes')
    change(running, ({ footman }) => {
      footman.alertRoutes = [{ ...route('one', 'first'), match: { taks: 'x' } }]
    })
    const misspelt = await command()
    expect(misspelt.code).not.toBe(0)
    expect(misspelt.stderr).toContain('Butler.footman.alertRoutes[0].match.taks')
    change(running, ({ footman }) => {
      footman.alertRoutes = 'all of them'
    })
    const broken = await command()
    expect(broken.code).not.toBe(0)
    expect(broken.stderr).toContain('Butler.footman.alertRoutes')
  }, 60_000)
})

test('a broken file changes nothing, is told, and its repair too', async () => {
  const running = await start({
    destinations: { first: webhook('first'), ops: webhook('ops') },
    alertRoutes: [route('one', 'first')],
    selfAlerts: { to: ['ops'] },
  })
  const good = readFileSync(running.configFile, 'utf8')
  change(running, ({ footman }) => {
    footman.alertRoutes = [route('two', 'nowhere')]
    footman.destinations = { first: webhook('other'), ops: webhook('ops') }
  })
  const answer = await reload(running)
  expect(answer).toMatchObject({ status: 400, code: 'VALIDATION' })
  expect(answer.issues).toEqual([
    { path: 'Butler.footman.alertRoutes[0].to[0]', message: expect.stringContaining('nowhere') },
  ])
  writeFileSync(running.configFile, 'Butler:\n  footman: [')
  expect(await reload(running)).toMatchObject({ status: 400, code: 'VALIDATION' })
  await fail(running)
  await until(() => got('first').length === 1, WAIT)
  expect(got('other')).toEqual([])
  await until(() => got('ops').length === 1, { ...WAIT, what: 'the self-alert' })
  expect(got('ops')[0]?.body).toContain('CONFIG_INVALID')
  writeFileSync(running.configFile, good)
  expect(await reload(running)).toMatchObject({ status: 200, changed: [], needsRestart: [] })
  await running.process.waitForLine(/SELF CONFIG_INVALID cleared/, 20_000)
}, 60_000)

test('a delivery whose destination disappears is dead; one whose address was wrong leaves at once', async () => {
  sink.answer(({ url }) => (url === '/right' ? {} : { status: 404 }))
  const running = await start({
    destinations: { gone: webhook('wrong'), moved: webhook('wrong') },
    alertRoutes: [route('one', 'gone', 'moved')],
  })
  await fail(running)
  await until(() => got('wrong').length === 2, WAIT)
  await until(() => deliveries(running).every(({ state }) => state === 'pending'), WAIT)
  change(running, ({ footman }) => {
    footman.destinations = { moved: webhook('right') }
    footman.alertRoutes = [route('one', 'moved')]
  })
  expect((await reload(running)).status).toBe(200)
  await until(() => deliveries(running).every(({ state }) => state !== 'pending' && state !== 'sending'), WAIT)
  expect(deliveries(running)).toEqual([
    { destination: 'gone', state: 'dead', reason: 'DESTINATION_REMOVED' },
    { destination: 'moved', state: 'delivered', reason: null },
  ])
  expect(got('right')).toHaveLength(1)
}, 60_000)

test('200 events during five reloads: each is delivered once, none is lost', async () => {
  sink.answer({ delay: 20 })
  const running = await start({
    destinations: { first: webhook('first') },
    alertRoutes: [route('one', 'first')],
  })
  const told: string[] = []
  for (let n = 0; n < 200; n += 1) {
    told.push(await fail(running))
    if (n % 40 !== 20) continue
    change(running, ({ footman }) => {
      footman.destinations = { first: webhook('first', { headers: { 'X-Version': String(n) } }) }
      footman.windows = { [`office-${n}`]: { days: ['mon-fri'] } }
    })
    expect((await reload(running)).status).toBe(200)
  }
  await until(() => got('first').length >= 200, { ...WAIT, what: '200 messages' })
  await until(() => deliveries(running).filter(({ state }) => state === 'delivered').length === 200, WAIT)
  expect(deliveries(running)).toHaveLength(200)
  expect(got('first')).toHaveLength(200)
  const ids = running.rows<{ id: string }>('SELECT execution_id AS id FROM event').map(({ id }) => id)
  expect(ids.sort()).toEqual(told.sort())
  expect(new Set(got('first').map(({ headers }) => headers['idempotency-key'])).size).toBe(200)
}, 90_000)

test('access, limits and log level take effect at once', async () => {
  const running = await start({})
  const ping = () => running.call('GET', '/v4/events')
  expect((await ping()).status).toBe(200)
  change(running, (butler) => {
    butler.logLevel = 'debug'
    butler.footman.api = { rateLimitPerMinute: 3 }
    butler.footman.access = { enable: true, anonymous: { scopes: ['kv:read'] } }
  })
  const answer = await reload(running)
  expect(answer.issues).toBeUndefined()
  expect(answer.changed.sort()).toEqual(
    [
      'Butler.footman.access.anonymous.scopes',
      'Butler.footman.access.enable',
      'Butler.footman.api.rateLimitPerMinute',
      'Butler.logLevel',
    ].sort(),
  )
  const refused = await ping()
  expect(refused.status).toBe(401)
  expect(refused.headers.get('x-ratelimit-limit')).toBe('3')
  await running.process.waitForLine(/ verbose: /, 10_000)
  // The command finds the new local key.
  const back = await runToEnd(['reload', '-c', running.configFile, '--dry-run'], { cwd: running.directory.path })
  expect(back).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Nothing has changed: /) })
  for (let n = 0; n < 3; n += 1) await ping()
  expect((await ping()).status).toBe(429)
}, 60_000)

test.skipIf(process.platform !== 'linux')(
  'monitors are switched on, changed and switched off',
  async () => {
    const systemctl = fakeSystemctl('Engine')
    cleanups.push(async () => systemctl.remove())
    const site = await startSite()
    cleanups.unshift(async () => site[Symbol.asyncDispose]())
    const beat = (path: string) => ({ enable: true, remoteURL: `${sink.url}/${path}`, frequency: 'PT1S' })
    const running = await footman({
      simulator: site.simulator,
      env: { PATH: systemctl.path },
      config: { logLevel: 'info', heartbeat: beat('one'), footman: { watchConfig: false } },
    })
    cleanups.unshift(async () => running[Symbol.asyncDispose]())
    await running.start()
    await until(() => got('one').length > 0, WAIT)
    const metrics = async () => (await running.call('GET', '/metrics')).text()
    expect(await metrics()).not.toContain('footman_service_state{')

    const host = { host: 'localhost', services: [{ name: 'engine', friendlyName: 'Engine' }] }
    change(running, (butler) => {
      butler.heartbeat = beat('two')
      butler.uptimeMonitor = { enable: true, frequency: 'PT1S', logLevel: 'info' }
      butler.serviceMonitor = { enable: true, frequency: 'PT1S', monitor: [host] }
      butler.qlikSenseVersion = { versionMonitor: { enable: true, host: '127.0.0.1' } }
      butler.qlikSenseLicense = { serverLicenseMonitor: { enable: true }, licenseMonitor: { enable: true } }
      butler.footman.versionMonitor = { port: site.simulator.ports.about }
      butler.dockerHealthCheck = { enable: true }
    })
    const on = await reload(running)
    expect(on).toMatchObject({ status: 200, needsRestart: ['Butler.dockerHealthCheck.enable'] })
    expect(on.changed).toContain('Butler.heartbeat.remoteURL')
    await running.process.waitForLine(/Iteration # 2, Uptime: /, 20_000)
    await running.process.waitForLine(/QLIKSENSE VERSION MONITOR: Qlik Sense version: /, 20_000)
    await until(async () => {
      const text = await metrics()
      return ['footman_service_state{host="localhost",service="engine"} 4', 'footman_license_days_remaining 3'].every(
        (series) => text.includes(series),
      )
    }, WAIT)
    await until(() => got('two').length > 0, WAIT)
    const before = got('one').length
    await until(() => got('two').length > 2, WAIT)
    expect(got('one')).toHaveLength(before)

    change(running, (butler) => {
      for (const name of ['heartbeat', 'uptimeMonitor', 'serviceMonitor', 'qlikSenseLicense']) delete butler[name]
    })
    expect((await reload(running)).status).toBe(200)
    const off = await metrics()
    expect(off).not.toContain('footman_service_state{')
    expect(off).not.toMatch(/^footman_license_days_remaining /m)
    const beats = got('two').length
    // Two of its intervals, in real time.
    await Bun.sleep(1000)
    expect(got('two')).toHaveLength(beats)
    expect(await running.process.stop()).toBe(0)
  },
  60_000,
)
