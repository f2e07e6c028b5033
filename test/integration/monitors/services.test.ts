/** The service monitor with a scripted reader, its memory in a real database. */
import { afterEach, describe, expect, test } from 'bun:test'
import { createServiceMonitor } from '../../../src/monitors/services/monitor.ts'
import { createServiceStateStore, monitorMigrations } from '../../../src/monitors/services/store.ts'
import type { ServiceAnswer, ServiceInfo, ServiceReader } from '../../../src/monitors/services/types.ts'
import type { MonitorEvent } from '../../../src/monitors/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { recordingLog } from '../../support/recording-log.ts'

const ENGINE: ServiceInfo = {
  displayName: 'Qlik Sense Engine Service',
  startType: 'Automatic',
  exePath: '"C:\\Program Files\\Qlik\\Sense\\Engine\\Engine.exe" -S',
  dependencies: ['QlikSenseServiceDispatcher'],
}
const MONITOR = [{ host: 'srv1', services: [{ name: 'QlikSenseEngineService', friendlyName: 'Engine' }] }]
const NOON = Date.parse('2026-11-30T12:00:00.000Z')
const signal = new AbortController().signal

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

function setUp(monitor: Parameters<typeof createServiceMonitor>[1]['monitor'] = MONITOR) {
  const db = openDatabase(':memory:', { migrations: monitorMigrations })
  closers.push(() => db.close())
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const told: MonitorEvent[] = []
  const published: [string, object][] = []
  const points: object[] = []
  const site = {
    states: {} as Record<string, ServiceAnswer | Error>,
    hosts: {} as Record<string, Error>,
    info: (): ServiceInfo => ENGINE,
    infoCalls: 0,
    emitFails: false,
  }
  const reader: ServiceReader = {
    refusal: (host) => (host === 'elsewhere' ? 'it cannot be read from here' : null),
    async states(host, names) {
      if (site.hosts[host]) throw site.hosts[host]
      return new Map(names.map((name) => [name, site.states[name] ?? null]))
    },
    async info() {
      site.infoCalls += 1
      return site.info()
    },
  }
  const create = () =>
    createServiceMonitor(
      {
        reader,
        log,
        clock: { now: () => NOON },
        store: createServiceStateStore({ db, writer }),
        async emit(event, also) {
          if (site.emitFails) throw new Error('disk full')
          await writer.write((tx) => also?.(tx, 'id'))
          told.push(event)
          return 'id'
        },
        publishState: (host, details) => void published.push([host, details]),
        writePoints: async (list) => void points.push(...list),
        tellLatest: async () => true,
      },
      { monitor, unreachableAlert: true, unreachableChecks: 3 },
    )
  let current = create()
  return {
    site,
    log,
    told,
    published,
    points,
    get looks() {
      return current.looks
    },
    get states() {
      return current.states()
    },
    prepare: () => current.prepare(),
    async restart() {
      current = create()
      await current.prepare()
    },
    async check() {
      await Promise.all(
        current.looks.map(({ look }) => look(signal).catch((error: unknown) => log.error(`look: ${error}`))),
      )
    },
    changes: () =>
      told.map(({ outcome, message, details }) => {
        if (details.kind !== 'service') throw new Error('a service was expected')
        return `${outcome} ${message.host}/${details.serviceName} ${details.previousStatus}>${details.status}`
      }),
  }
}

describe('services', () => {
  test('all running at start: no event, states and points at every look', async () => {
    const run = setUp()
    run.site.states = { QlikSenseEngineService: 'RUNNING' }
    await run.prepare()
    await run.check()
    await run.check()
    expect(run.told).toEqual([])
    expect(run.published).toHaveLength(2)
    expect(run.points).toHaveLength(2)
    expect(run.points[0]).toEqual({
      measurement: 'win_service_state',
      tags: {
        host: 'srv1',
        service_name: 'QlikSenseEngineService',
        display_name: 'Qlik Sense Engine Service',
        friendly_name: 'Engine',
      },
      fields: { state_num: 4, state_text: 'RUNNING', startup_mode_num: 0, startup_mode_text: 'Automatic' },
      time: NOON,
    })
    expect(run.log.of('info')).toEqual([
      'VERIFY WIN SERVICES EXIST: Verifying that all Windows services specified in config file exist and can be reached.',
      'SERVICE MONITOR INIT: Setting up monitor for Windows services:',
      'SERVICE MONITOR INIT: --- Host: srv1',
      'SERVICE MONITOR INIT: ---          QlikSenseEngineService',
    ])
    // Asked once, as long as nothing changes.
    expect(run.site.infoCalls).toBe(1)
  })

  test('stop and start: an event each, with everything that is known', async () => {
    const run = setUp()
    run.site.states = { QlikSenseEngineService: 'RUNNING' }
    await run.prepare()
    await run.check()
    run.site.states = { QlikSenseEngineService: 'STOPPED' }
    await run.check()
    await run.check()
    run.site.states = { QlikSenseEngineService: 'START_PENDING' }
    await run.check()
    run.site.states = { QlikSenseEngineService: 'RUNNING' }
    await run.check()
    expect(run.changes()).toEqual([
      'stopped srv1/QlikSenseEngineService RUNNING>STOPPED',
      'started srv1/QlikSenseEngineService STOPPED>RUNNING',
    ])
    expect(run.told[0]).toEqual({
      source: 'monitor',
      type: 'service',
      outcome: 'stopped',
      message: { host: 'srv1' },
      details: {
        kind: 'service',
        serviceName: 'QlikSenseEngineService',
        displayName: 'Qlik Sense Engine Service',
        friendlyName: 'Engine',
        status: 'STOPPED',
        previousStatus: 'RUNNING',
        startType: 'Automatic',
        exePath: ENGINE.exePath,
        dependencies: ['QlikSenseServiceDispatcher'],
      },
    })
    expect(run.log.of('warn')).toEqual([
      'Service "Qlik Sense Engine Service" on host "srv1" is stopped',
      'Service "Qlik Sense Engine Service" on host "srv1" has stopped!',
      'Service "Qlik Sense Engine Service" on host "srv1" is stopped',
    ])
    expect(run.log.of('info')).toContain('Service "Qlik Sense Engine Service" on host "srv1" has started.')
    const texts = run.points.map((point) => (point as { fields: { state_text: string } }).fields.state_text)
    expect(texts).toEqual(['RUNNING', 'STOPPED', 'STOPPED', 'START_PENDING', 'RUNNING'])
  })

  test('stopped at the first look: one event with PAUSED before; a restart of Footman repeats nothing and misses nothing', async () => {
    const run = setUp()
    run.site.states = { QlikSenseEngineService: 'STOPPED' }
    await run.prepare()
    await run.check()
    expect(run.changes()).toEqual(['stopped srv1/QlikSenseEngineService PAUSED>STOPPED'])
    await run.restart()
    await run.check()
    expect(run.told).toHaveLength(1)
    run.site.states = { QlikSenseEngineService: 'RUNNING' }
    await run.restart()
    await run.check()
    expect(run.changes()[1]).toBe('started srv1/QlikSenseEngineService STOPPED>RUNNING')
    await run.restart()
    await run.check()
    expect(run.told).toHaveLength(2)
  })

  test('an event that cannot be stored is told at the next look', async () => {
    const run = setUp()
    run.site.states = { QlikSenseEngineService: 'RUNNING' }
    await run.prepare()
    await run.check()
    run.site.states = { QlikSenseEngineService: 'STOPPED' }
    run.site.emitFails = true
    await run.check()
    expect(run.told).toEqual([])
    run.site.emitFails = false
    await run.check()
    expect(run.changes()).toEqual(['stopped srv1/QlikSenseEngineService RUNNING>STOPPED'])
  })

  test('details that cannot be read are one error line: the alert goes out, the rest goes on', async () => {
    const run = setUp()
    run.site.states = { QlikSenseEngineService: 'STOPPED' }
    run.site.info = () => {
      throw new Error('[SC] OpenService FAILED 5: Access is denied.')
    }
    await run.prepare()
    await run.check()
    await run.check()
    expect(run.told).toHaveLength(1)
    expect(run.told[0]?.details).toMatchObject({
      displayName: 'QlikSenseEngineService',
      dependencies: [],
      startType: '',
    })
    expect(run.log.of('error')).toEqual([
      'SERVICE MONITOR: Details of service QlikSenseEngineService on host srv1 cannot be read: [SC] OpenService FAILED 5: Access is denied.',
    ])
  })
})

describe('what cannot be reached', () => {
  const TWO_HOSTS = [...MONITOR, { host: 'srv2', services: [{ name: 'QlikSenseProxyService', friendlyName: 'Proxy' }] }]

  test('a host that is down: told after three looks, others are watched all the while; the end is told too', async () => {
    const run = setUp(TWO_HOSTS)
    run.site.states = { QlikSenseEngineService: 'RUNNING', QlikSenseProxyService: 'RUNNING' }
    run.site.hosts = { srv1: new Error('[SC] OpenSCManager FAILED 1722: The RPC server is unavailable.') }
    await run.prepare()
    await run.check()
    await run.check()
    expect(run.told).toEqual([])
    await run.check()
    await run.check()
    expect(run.changes()).toEqual(['unreachable srv1/QlikSenseEngineService PAUSED>UNREACHABLE'])
    const host =
      'SERVICE MONITOR: Error getting service info for host srv1: [SC] OpenSCManager FAILED 1722: The RPC server is unavailable.'
    expect(run.log.of('error')).toEqual([host])
    expect(run.states).toEqual([
      { host: 'srv1', service: 'QlikSenseEngineService', friendlyName: 'Engine', state: 'UNREACHABLE' },
      { host: 'srv2', service: 'QlikSenseProxyService', friendlyName: 'Proxy', state: 'RUNNING' },
    ])
    expect(run.points.at(-1)).toMatchObject({ fields: { state_text: expect.any(String) } })
    run.site.hosts = {}
    await run.check()
    expect(run.changes()[1]).toBe('started srv1/QlikSenseEngineService UNREACHABLE>RUNNING')
  })

  test('a misspelt service disables nothing else; case of letters is no difference', async () => {
    const run = setUp([
      {
        host: 'srv1',
        services: [
          { name: 'QlikSenseEngineService', friendlyName: 'Engine' },
          { name: 'qliksenseengineservice', friendlyName: 'Again' },
          { name: 'QlikSenseEngin', friendlyName: 'Typo' },
        ],
      },
      { host: 'SRV1', services: [{ name: 'QlikSenseProxyService', friendlyName: 'Proxy' }] },
    ])
    expect(run.looks).toHaveLength(1)
    run.site.states = { QlikSenseEngineService: 'RUNNING', QlikSenseProxyService: 'RUNNING' }
    await run.prepare()
    for (let i = 0; i < 4; i++) await run.check()
    expect(run.changes()).toEqual(['unreachable srv1/QlikSenseEngin PAUSED>NOT_FOUND'])
    expect(run.log.of('error')).toEqual([
      'Service QlikSenseEngin (="Typo") on host srv1 does not exist or cannot be reached.',
    ])
    expect(run.states.map(({ state }) => state)).toEqual(['RUNNING', 'NOT_FOUND', 'RUNNING'])
  })

  test('hosts that cannot be read from here are named once, and never asked', async () => {
    const run = setUp([...MONITOR, { host: 'elsewhere', services: [{ name: 'A', friendlyName: 'A' }] }])
    run.site.states = { QlikSenseEngineService: 'RUNNING' }
    await run.prepare()
    await run.check()
    await run.check()
    expect(run.log.of('error')).toEqual([
      'SERVICE MONITOR INIT: Services on host elsewhere are not watched: it cannot be read from here.',
    ])
    expect(run.looks.map(({ host }) => host)).toEqual(['srv1'])
  })

  test('nothing to watch is said', async () => {
    const run = setUp([{ host: 'srv1', services: [] }])
    await run.prepare()
    expect(run.log.of('warn')).toEqual([
      'SERVICE MONITOR INIT: Missing or empty section in config file: Butler.serviceMonitor.monitor',
    ])
    expect(run.looks).toEqual([])
  })
})
