/** Everything that is measured, switched on against the simulated site and a real InfluxDB 1: what dashboards ask is there. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { dashboardQueries, fieldTypeOf } from '../support/dashboard-contract.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type Influxd, startInfluxd } from '../support/influxd.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type FakeSystemctl, fakeSystemctl } from '../support/systemctl.ts'
import { runEveryOutcome, runTask } from '../support/task-outcomes.ts'
import { until } from '../support/wait.ts'

needs('influxd')

const DATABASE = 'contract'
const WAIT = { timeout: 60_000 }
const ON = { enable: true }
const isHere = process.platform === 'linux'
/** The reload task that succeeds; it gets the custom property that says so. */
const STORED = '70000000-0000-4000-8000-000000000003'
/** Succeeds as well, and is not to be stored. */
const OTHER = '70000000-0000-4000-8000-000000000004'
/** The events of all outcomes of all types, and that one. */
const EVENTS = 16

const tags = (section: string) => ({ static: [{ name: 'section', value: section }] })
const dynamic = { useAppTags: true, useTaskTags: true }
const stored = (section: string) => ({ influxDb: { ...ON, tag: tags(section) } })

function influxDb(hostPort: number) {
  const types = ['userSync', 'externalProgram', 'distribute', 'preload']
  const kinds = types.flatMap((type) => [`${type}TaskSuccess`, `${type}TaskFailure`])
  return {
    ...ON,
    version: 1,
    hostIP: '127.0.0.1',
    hostPort,
    v1Config: { dbName: DATABASE, retentionPolicy: { name: '10d', duration: '10d' } },
    tag: { static: [{ name: 'qs_env', value: 'prod' }] },
    reloadTaskFailure: { ...ON, tailScriptLogLines: 20, tag: { ...tags('reload failed'), dynamic } },
    reloadTaskSuccess: {
      ...ON,
      headScriptLogLines: 15,
      tailScriptLogLines: 25,
      tag: { ...tags('reload success'), dynamic },
      allReloadTasks: { enable: false },
      byCustomProperty: { ...ON, customPropertyName: 'Butler_SuccessReloadTask_InfluxDB', enabledValue: 'Yes' },
    },
    ...Object.fromEntries(kinds.map((kind) => [kind, { ...ON, tag: { ...tags(kind), dynamic } }])),
  }
}

function everything(site: TestSite, influx: number) {
  return {
    influxDb: influxDb(influx),
    uptimeMonitor: { ...ON, frequency: 'PT1S', storeInInfluxdb: ON },
    serviceMonitor: {
      ...ON,
      frequency: 'PT1S',
      alertDestination: { influxDb: ON },
      monitor: [{ host: 'localhost', services: [{ name: 'QlikSenseSchedulerService', friendlyName: 'Scheduler' }] }],
    },
    qlikSenseVersion: {
      versionMonitor: { ...ON, host: '127.0.0.1', rejectUnauthorized: true, destination: stored('version') },
    },
    qlikSenseLicense: {
      serverLicenseMonitor: { ...ON, destination: stored('server') },
      licenseMonitor: { ...ON, destination: stored('usage') },
      licenseRelease: { ...ON, dryRun: false, destination: stored('release') },
    },
    udpServerConfig: {
      queueMetrics: { influxdb: { ...ON, writeFrequency: 500, tags: [{ name: 'section', value: 'queue' }] } },
    },
    footman: { distribute: { pollInterval: '1s' }, versionMonitor: { port: site.simulator.ports.about } },
  }
}

/** Gives a task the custom property. */
function mark({ simulator: { site } }: TestSite, task: string): void {
  const marked = [...site.tasks.values()].flatMap(({ customProperties }) => customProperties)
  const isYes = ({ value, definition }: (typeof marked)[number]) =>
    value === 'Yes' && definition.name === 'Butler_SuccessReloadTask_InfluxDB'
  site.tasks.get(task)!.customProperties.push(marked.find(isYes)!)
}

const TASK_MEASUREMENTS = ['distribute', 'external_program', 'preload', 'reload', 'user_sync'].flatMap((type) => [
  `${type}_task_failed`,
  `${type}_task_success`,
])
const MEASUREMENTS = [
  'butler_memory_usage',
  'butler_udp_queue',
  'qlik_sense_license',
  'qlik_sense_license_release',
  'qlik_sense_server_license',
  'qlik_sense_version',
  'win_service_state',
  ...TASK_MEASUREMENTS,
]

describe.skipIf(!isHere)('the simulated site with everything measured', () => {
  let site: TestSite
  let influxd: Influxd
  let systemctl: FakeSystemctl
  let product: Footman
  const rows = (query: string) => influxd.rows(query, DATABASE)
  const measurements = async () => (await rows('SHOW MEASUREMENTS')).map(({ name }) => String(name)).sort()

  beforeAll(async () => {
    systemctl = fakeSystemctl('Qlik Sense Scheduler Service')
    ;[site, influxd] = await Promise.all([
      startSite({ modes: { scheduler: { userSyncFailures: true } } }),
      startInfluxd(),
    ])
    product = await footman({
      simulator: site.simulator,
      env: { PATH: systemctl.path },
      config: everything(site, influxd.port),
    })
    mark(site, STORED)
    await product.start()
    await runEveryOutcome(site.simulator)
    await runTask(site.simulator, OTHER, 'success')
    await until(async () => (await measurements()).includes('win_service_state'), WAIT)
    systemctl.become('inactive')
    const settled = () => {
      const [row] = product.rows<{ events: number; open: number }>(
        `SELECT (SELECT count(*) FROM event WHERE state = 'routed' AND source = 'udp') AS events,
           (SELECT count(*) FROM delivery WHERE state IN ('pending', 'sending')) AS open`,
      )
      return row!.events === EVENTS && row!.open === 0
    }
    await until(settled, { ...WAIT, what: 'all events in InfluxDB' })
    await until(async () => (await measurements()).length >= MEASUREMENTS.length, {
      ...WAIT,
      what: 'all measurements in InfluxDB',
    })
    await until(async () => (await rows('SELECT * FROM win_service_state WHERE state_num = 1')).length > 0, WAIT)
    const processed = async () => Number((await rows('SELECT sum(messages_processed) FROM butler_udp_queue'))[0]?.sum)
    await until(async () => (await processed()) >= EVENTS, WAIT)
  }, 150_000)

  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), influxd?.stop()])
    systemctl?.remove()
  })

  /** Matchers stand for texts. */
  const typeOf = (value: unknown) => (typeof value === 'object' ? 'string' : typeof value)
  const queries = dashboardQueries({ during: 'time > now() - 1h' })

  test.each(queries.map((query) => [query.name, query] as const))(
    '%s: rows with all their columns',
    async (_, asked) => {
      const columns = Object.keys(asked.row)
      const isWhole = (row: Record<string, unknown>) => columns.every((column) => (row[column] ?? '') !== '')
      // One measurement holds several kinds of licences, which have fields of their own.
      const [found] = (await rows(asked.query)).filter(isWhole)
      const types = columns.map((column) => [column, typeof found?.[column]])
      expect(types).toEqual(columns.map((column) => [column, typeOf(asked.row[column])]))
    },
  )

  test('exactly the known measurements are there, with the tags of the site and of their section', async () => {
    expect(await measurements()).toEqual(MEASUREMENTS.toSorted())
    for (const measurement of MEASUREMENTS) {
      const keys = (await rows(`SHOW TAG KEYS FROM "${measurement}"`)).map(({ tagKey }) => tagKey)
      const isPlain = ['butler_memory_usage', 'win_service_state'].includes(measurement)
      expect([measurement, keys.includes('qs_env'), keys.includes('section')]).toEqual([measurement, true, !isPlain])
    }
  })

  test('every field has the type that dashboards count on', async () => {
    for (const measurement of MEASUREMENTS.filter((name) => name !== 'butler_udp_queue')) {
      for (const { fieldKey: field, fieldType } of await rows(`SHOW FIELD KEYS FROM "${measurement}"`)) {
        expect(`${measurement} ${field} ${fieldType}`).toBe(`${measurement} ${field} ${fieldTypeOf(String(field))}`)
      }
    }
  })

  test('one point for each execution that is wanted, under both spellings of the status', async () => {
    for (const measurement of TASK_MEASUREMENTS) {
      const points = await rows(`SELECT * FROM "${measurement}"`)
      expect(points).toHaveLength(1)
      const text = measurement.endsWith('failed') ? 'FinishedFail' : 'FinishedSuccess'
      expect(points[0]).toMatchObject({ task_exeuctionStatusText: text, task_executionStatusText: text })
    }
  })

  test('tags of Qlik Sense and lines of the script log', async () => {
    const [success] = await rows('SELECT * FROM reload_task_success')
    expect(success).toMatchObject({ task_id: STORED, 'taskTag_daily-reports': 'true', section: 'reload success' })
    expect(success!.scriptLog).toContain('---------- SCRIPT LOG HEAD (15 lines) ----------')
    expect(success!.scriptLog).toContain('---------- SCRIPT LOG TAIL (25 lines) ----------')
    const [failed] = await rows('SELECT * FROM reload_task_failed')
    expect(Object.keys(failed!).some((name) => name.startsWith('appTag_'))).toBe(true)
    expect(failed).toMatchObject({ 'taskTag_financial-reports': 'true', task_scriptLogTailCount: 20 })
    expect(failed!.reload_log).toBe(failed!.scriptLog)
  })

  test('what was measured is what the site has', async () => {
    const [version] = await rows('SELECT * FROM qlik_sense_version')
    expect(version).toMatchObject({ version: '14.187.6', release_label: 'May 2024 Patch 4' })
    const released = () => rows('SELECT * FROM qlik_sense_license_release')
    expect((await released()).map(({ user }) => user)).toContain('LAB\\hanna')
    const taken = () => site.simulator.requests({ listener: 'qrs' }).filter(({ method }) => method === 'DELETE')
    // A run of the release may be under way.
    await until(async () => (await released()).length === taken().length, {
      timeout: 20_000,
      state: () => `${taken().length} taken`,
    })
    const [license] = await rows('SELECT * FROM qlik_sense_server_license')
    expect(license).toMatchObject({ days_until_expiry: 335, license_expired: false })
    const states = await rows('SELECT * FROM win_service_state')
    expect(states.at(0)).toMatchObject({ state_text: 'RUNNING', startup_mode_text: 'Automatic', host: 'localhost' })
    expect(states.at(-1)).toMatchObject({ state_text: 'STOPPED', display_name: 'Qlik Sense Scheduler Service' })
  })

  test('nothing was refused, and the custom property is there', async () => {
    const points = await (await product.call('GET', '/v4/influxdb/points')).json()
    expect(points).toMatchObject({ dead: [] })
    const dead = product.rows(`SELECT reason, detail FROM delivery WHERE destination = 'influxdb' AND state = 'dead'`)
    expect(dead).toEqual([])
    const { checks } = (await (await product.call('GET', '/health')).json()) as { checks: object }
    expect(checks).toMatchObject({ influxdb: 'up', influxDbByCustomProperty: 'up' })
  })
})

describe.skipIf(!isHere)('points of monitors that InfluxDB refuses', () => {
  test('are dead letters, told, and accepted once when they are sent again', async () => {
    const influxd = await startInfluxd()
    const product = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      config: {
        influxDb: influxDb(influxd.port),
        uptimeMonitor: { ...ON, frequency: 'PT1S', storeInInfluxdb: ON },
      },
    })
    const rows = (query: string) => influxd.rows(query, DATABASE)
    const points = async () => (await product.call('GET', '/v4/influxdb/points')).json() as Promise<Points>
    try {
      await influxd.query(`CREATE DATABASE "${DATABASE}"`)
      const asText = 'butler_memory_usage heap_used="a text"'
      await fetch(`http://127.0.0.1:${influxd.port}/write?db=${DATABASE}`, { method: 'POST', body: asText })
      await product.start()
      const { dead } = await until(
        async () => {
          const found = await points()
          return (found.dead[0]?.points ?? 0) >= 2 && found
        },
        { ...WAIT, what: 'refused points' },
      )
      expect(dead[0]).toMatchObject({ measurement: 'butler_memory_usage', reason: 'REJECTED' })
      expect(dead[0]!.detail).toContain('field type conflict')
      const at = dead[0]!.oldestAt
      await influxd.query('DROP MEASUREMENT butler_memory_usage', DATABASE)
      const nothing = await product.call('POST', '/v4/deliveries/-/resend', { destination: ['email'] })
      expect(await nothing.json()).toEqual({ resent: 0 })
      const answer = await product.call('POST', '/v4/deliveries/-/resend', { destination: ['influxdb'] })
      expect(answer.status).toBe(202)
      const { resent } = (await answer.json()) as { resent: number }
      expect(resent).toBeGreaterThanOrEqual(2)
      await until(async () => (await rows('SELECT heap_used FROM butler_memory_usage')).length >= resent, WAIT)
      expect((await points()).dead).toEqual([])
      const [first] = await rows('SELECT heap_used FROM butler_memory_usage')
      expect(Math.abs(Number(String(first!.time).slice(0, -6)) - Date.parse(at))).toBeLessThan(1000)
    } finally {
      await product[Symbol.asyncDispose]()
      await influxd.stop()
    }
  }, 60_000)
})

interface Points {
  readonly waiting: number
  readonly dead: readonly { readonly points: number; readonly oldestAt: string; readonly detail: string }[]
}
