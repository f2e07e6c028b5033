/** Licences and release of the simulated site: watched, told, given back. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createSimClock } from '../../../simulator/clock.ts'
import { butler } from '../../../src/app/schema.ts'
import type { LicenseDetails } from '../../../src/events/types.ts'
import type { InfluxPoint } from '../../../src/metrics/influxdb/types.ts'
import { createLicenseRelease } from '../../../src/monitors/license/release.ts'
import { createServerLicenseMonitor } from '../../../src/monitors/license/server.ts'
import { createLicenseUsageMonitor, type LicenseUsage } from '../../../src/monitors/license/usage.ts'
import type { MonitorEvent } from '../../../src/monitors/types.ts'
import { createVersionMonitor } from '../../../src/monitors/version.ts'
import { createAboutClient } from '../../../src/qlik/about.ts'
import { createLicenseClient, type LicenseClient } from '../../../src/qlik/qrs/licenses.ts'
import { createQrsTransport } from '../../../src/qlik/qrs/transport.ts'
import { type RecordingLog, recordingLog } from '../../support/recording-log.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'

const NOW = Date.parse('2026-11-20T12:00:00.000Z')
const clock = createSimClock({ now: NOW, speed: 0 })
const { signal } = new AbortController()
const DAY_MS = 86_400_000

let site: TestSite
let licenses: LicenseClient
let log: RecordingLog
let points: InfluxPoint[]
let told: MonitorEvent[]

const writePoints = async (list: readonly InfluxPoint[]) => void points.push(...list)

beforeAll(async () => {
  site = await startSite({}, { clock })
  const { ca, client } = site.simulator.certificates.pem
  const transport = createQrsTransport(
    { log: recordingLog() },
    {
      host: '127.0.0.1',
      port: site.simulator.ports.qrs,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal; UserId=sa_repository' }],
      certificates: { ca: ca.pem, cert: client.cert.pem, key: client.key.pem },
    },
  )
  licenses = createLicenseClient(transport)
})
afterAll(async () => {
  licenses.close()
  await site[Symbol.asyncDispose]()
})
beforeEach(() => {
  site.simulator.reset()
  clock.set(NOW)
  log = recordingLog()
  points = []
  told = []
})

const settingsOf = (own: object) => butler.parse({ qlikSenseLicense: own }).qlikSenseLicense
const STORED = { influxDb: { enable: true, tag: { static: [{ name: 'foo', value: 'bar' }] } } }

describe('server licence', () => {
  const states: LicenseDetails[] = []
  function look(own: object = {}, isRepeat = false) {
    const settings = settingsOf({ serverLicenseMonitor: { enable: true, destination: STORED, ...own } })
    const emit = async (event: MonitorEvent) => `${told.push(event)}`
    const onState = (details: LicenseDetails) => void states.push(details)
    return createServerLicenseMonitor(
      { licenses, emit, clock, log, writePoints, onState },
      { ...settings.serverLicenseMonitor, host: 'qs-central' },
    )(signal, isRepeat)
  }

  test('far from its end: its state is told and stored', async () => {
    await look()
    const details: LicenseDetails = {
      kind: 'license',
      expired: false,
      expiryDate: '2027-10-21T00:00:00.000Z',
      daysRemaining: 335,
    }
    const common = { source: 'monitor', type: 'license', message: { host: 'qs-central' }, details }
    expect(told).toEqual([{ ...common, outcome: 'status' } as MonitorEvent])
    expect(states.at(-1)).toEqual(details)
    expect(points).toEqual([
      {
        measurement: 'qlik_sense_server_license',
        tags: { foo: 'bar' },
        fields: { license_expired: false, expiry_date: '2027-10-21', days_until_expiry: 335 },
        time: NOW,
      },
    ])
    expect(log.of('info')).toEqual([
      '[QSEOW] QLIK SENSE SERVER LICENSE: License expired: false',
      '[QSEOW] QLIK SENSE SERVER LICENSE: Qlik Sense server license expiry in 335 days',
      '[QSEOW] QLIK SENSE SERVER LICENSE: Expiry date: 2027-10-21',
    ])
  })

  test.each([
    ['expires-in-10-days', {}, ['status', 'expiring'], 10],
    ['expires-in-10-days', { alert: { thresholdDays: 9 } }, ['status'], 10],
    ['expires-in-10-days', { alert: { thresholdDays: 10 } }, ['status', 'expiring'], 10],
    ['expired-yesterday', {}, ['status', 'expired'], -1],
    ['two-lines', {}, ['status', 'expiring'], 20],
    ['time-part', {}, ['status'], 336],
    ['no-details', {}, ['status'], null],
  ])('%s with %j: %j', async (variant, own, outcomes, days) => {
    site.simulator.setServerLicence(variant)
    await look(own)
    expect(told.map(({ outcome }) => outcome) as string[]).toEqual(outcomes)
    expect(states.at(-1)?.daysRemaining).toBe(days)
    const warned = log.of('warn').some((line) => line.includes('about to expire'))
    expect(warned).toBe(outcomes.includes('expiring'))
  })

  test('a node that looks again after another one knows the state, and reports nothing', async () => {
    const before = states.length
    await look({}, true)
    expect([told, points]).toEqual([[], []])
    expect(states).toHaveLength(before + 1)
  })

  test('alerts repeat at every look', async () => {
    site.simulator.setServerLicence('expires-in-10-days')
    await look()
    await look()
    expect(told.filter(({ outcome }) => outcome === 'expiring')).toHaveLength(2)
    expect(log.of('warn')[0]).toBe(
      '[QSEOW] QLIK SENSE SERVER LICENSE: Qlik Sense server license is about to expire in 10 days!',
    )
  })

  test('InfluxDB that takes nothing keeps no alert back', async () => {
    site.simulator.setServerLicence('expired-yesterday')
    const settings = settingsOf({ serverLicenseMonitor: { enable: true, destination: STORED } })
    const run = createServerLicenseMonitor(
      {
        licenses,
        clock,
        log,
        onState: () => {},
        emit: async (event) => `${told.push(event)}`,
        writePoints: () => Promise.reject(new Error('disk full')),
      },
      { ...settings.serverLicenseMonitor, host: 'qs-central' },
    )
    await expect(run(signal)).rejects.toThrow('disk full')
    expect(told.map(({ outcome }) => outcome)).toEqual(['status', 'expired'])
  })

  test.each([['html'], ['status'], ['truncated-json']])('an answer that is none (%s) is refused', async (mode) => {
    site.simulator.fault({ listener: 'qrs', match: 'license', mode })
    await expect(look()).rejects.toThrow('The licence cannot be read: ')
    expect(told).toEqual([])
    site.simulator.clearFaults()
  })

  test('asks as sa_repository', async () => {
    await look()
    const [request] = site.simulator.requests({ listener: 'qrs' })
    expect(request?.path).toStartWith('/qrs/license?xrfkey=')
    expect(request?.headers['x-qlik-user']).toBe('UserDirectory=Internal; UserId=sa_repository')
  })
})

test('access licences: a point per type', async () => {
  const settings = settingsOf({ licenseMonitor: { enable: true, destination: STORED } })
  let usage: readonly LicenseUsage[] = []
  const onUsage = (found: readonly LicenseUsage[]) => {
    usage = found
  }
  await createLicenseUsageMonitor({ licenses, clock, log, writePoints, onUsage }, settings.licenseMonitor)(signal)
  expect(usage.map(({ type }) => type)).toEqual(['analyzer', 'analyzer_capacity', 'professional'])
  expect(points[2]).toMatchObject({
    measurement: 'qlik_sense_license',
    tags: { foo: 'bar', license_type: 'professional' },
    fields: { allocated: 9, available: 16, excess: 1, quarantined: 1, total: 25, used: 2 },
    time: NOW,
  })
  expect(log.of('info')).toEqual([
    '[QSEOW] END USER ACCESS LICENSE: Sent aggregated Qlik Sense license status to InfluxDB',
  ])
})

describe('release', () => {
  const NEVER_RELEASE = { tag: ['License-Keep'], user: [{ userDir: 'erp', userId: 'IVAN' }] }
  function run(own: object = {}, maxPerRun = 0) {
    const { licenseRelease } = settingsOf({
      licenseRelease: {
        enable: true,
        dryRun: false,
        neverRelease: NEVER_RELEASE,
        destination: STORED,
        licenseType: { analyzer: { enable: false } },
        ...own,
      },
    })
    return createLicenseRelease({ licenses, clock, log, writePoints }, { ...licenseRelease, maxPerRun })(signal)
  }
  const holders = () =>
    [...site.simulator.site.licences.professional.values()].map(({ user }) => user?.userId ?? 'deleted')
  const prefix = '[QSEOW] QLIKSENSE LICENSE RELEASE PROFESSIONAL: '
  const said = () => log.of('info').map((line) => line.replace(prefix, ''))
  const deleted = () => site.simulator.requests({ listener: 'qrs' }).filter(({ method }) => method === 'DELETE').length

  test('what nobody uses goes, what a rule protects stays', async () => {
    await run()
    expect(holders()).toEqual(['anna', 'carla', 'hanna', 'ivan', 'erik', 'deleted'])
    expect(said()).toEqual([
      'Releasing license for user LAB\\bertil (never used, given out 120 days ago)',
      'Releasing license for user LAB\\dora (days since last use: 45)',
      `License for user LAB\\hanna not released because: User tagged with 'license-keep', which is in the neverRelease.tag list`,
      'License for user ERP\\ivan not released because: User is in the neverRelease.user list',
      'Releasing license for user ERP\\jonna (days since last use: 70)',
      'License 21000000-0000-4000-8000-000000000009 not released because: Its user was deleted, release it in the QMC',
      'License release professional: candidates 6, kept 3, released 3, failed 0',
    ])
    const stored = (user: string, days: number) => ({
      measurement: 'qlik_sense_license_release',
      tags: { license_type: 'professional', user, foo: 'bar' },
      fields: { days_since_last_use: days },
      time: NOW,
    })
    expect(points).toEqual([stored('LAB\\bertil', 120), stored('LAB\\dora', 45), stored('ERP\\jonna', 70)])
    const [list] = site.simulator.requests({ listener: 'qrs' })
    expect(list?.decodedFilter).toBe(`lastUsed le '2026-10-21T12:00:00.000Z'`)
    expect(list?.path).toStartWith('/qrs/license/professionalaccesstype/full?filter=lastUsed%20le%20%27')
  })

  test('a dry run names what would go, and takes nothing', async () => {
    await run({ dryRun: true })
    expect(holders()).toHaveLength(9)
    expect(deleted()).toBe(0)
    expect(points).toEqual([])
    expect(said()).toContain('Dry-run enabled. No licenses will be released')
    expect(said()).toContain('Dry-run: would release license for user LAB\\dora (days since last use: 45)')
    expect(said().at(-1)).toBe('License release professional: candidates 6, kept 3, would be released 3, failed 0')
  })

  test('a licence that was given out yesterday and never used stays', async () => {
    for (const one of site.simulator.site.licences.professional.values()) {
      if (one.user?.userId === 'bertil') one.createdDate = NOW - DAY_MS
    }
    await run()
    expect(holders()).toContain('bertil')
    expect(holders()).not.toContain('dora')
  })

  test('users who cannot be read and releases that are refused: the rest goes on', async () => {
    site.simulator.fault({
      listener: 'qrs',
      match: '/qrs/user/80000000-0000-4000-8000-000000000004',
      mode: 'status',
      args: [500],
    })
    site.simulator.fault({
      listener: 'qrs',
      match: 'professionalaccesstype/21000000-0000-4000-8000-000000000002',
      mode: 'status',
      args: [409],
    })
    await run({ licenseType: { analyzer: { enable: true, releaseThresholdDays: 110 } } })
    site.simulator.clearFaults()
    expect(holders()).toEqual(['anna', 'bertil', 'carla', 'dora', 'hanna', 'ivan', 'erik', 'deleted'])
    expect(said()).toContain('License release professional: candidates 6, kept 3, released 1, failed 2')
    expect(log.of('error').map((line) => line.replace(prefix, ''))).toEqual([
      'License for user LAB\\bertil: QRS answered 409',
      'License for user LAB\\dora: QRS answered 500',
    ])
    expect(said().at(-1)).toStartWith(
      '[QSEOW] QLIKSENSE LICENSE RELEASE ANALYZER: License release analyzer: candidates ',
    )
  })

  test('a list that cannot be read ends its type only', async () => {
    site.simulator.fault({ listener: 'qrs', match: 'professionalaccesstype', mode: 'status', args: [500] })
    await run({ dryRun: true, licenseType: {} })
    site.simulator.clearFaults()
    expect(log.of('error')[0]).toBe(`${prefix}The licences cannot be listed: QRS answered 500`)
    expect(said().at(-1)).toContain('License release analyzer: candidates ')
  })

  test('no more than maxPerRun in one run', async () => {
    await run({}, 2)
    expect(deleted()).toBe(2)
    expect(said().at(-1)).toBe(
      'License release professional: candidates 6, kept 3, released 2, failed 0, left for the next run 1',
    )
    site.simulator.clearRequests()
    await run({}, 2)
    expect(deleted()).toBe(1)
  })

  test('without its InfluxDB switch nothing is stored', async () => {
    await run({ destination: {} })
    expect(deleted()).toBe(3)
    expect(points).toEqual([])
  })

  test('without rules, both types go through to the end', async () => {
    await run({ dryRun: true, neverRelease: {}, licenseType: {} })
    expect(log.of('error').filter((line) => !line.includes('LAB\\gone'))).toEqual([])
    expect(said()).toContain('License release professional: candidates 6, kept 1, would be released 5, failed 0')
    expect(said().at(-1)).toContain('License release analyzer: candidates ')
  })
})

describe('version', () => {
  const about = (own: object = {}) => {
    const { ca, client } = site.simulator.certificates.pem
    return createAboutClient({
      host: '127.0.0.1',
      port: site.simulator.ports.about,
      rejectUnauthorized: true,
      certificates: () => ({ ca: ca.pem, cert: client.cert.pem, key: client.key.pem }),
      ...own,
    })
  }
  const settings = butler.parse({ qlikSenseVersion: { versionMonitor: { enable: true, destination: STORED } } })
  async function look(client = about()) {
    await createVersionMonitor(
      { about: client, clock, log, writePoints },
      settings.qlikSenseVersion.versionMonitor,
    )(signal)
    client.close()
  }

  test('logged and stored; the certificate authority of the site is trusted', async () => {
    await look()
    expect(log.of('info')).toEqual([
      '[QSEOW] QLIKSENSE VERSION MONITOR: Qlik Sense product name: Qlik Sense',
      '[QSEOW] QLIKSENSE VERSION MONITOR: Qlik Sense deployment type: QlikSenseServer',
      '[QSEOW] QLIKSENSE VERSION MONITOR: Qlik Sense version: 14.187.6',
      '[QSEOW] QLIKSENSE VERSION MONITOR: Qlik Sense release: May 2024 Patch 4',
    ])
    expect(points).toEqual([
      {
        measurement: 'qlik_sense_version',
        tags: { foo: 'bar' },
        fields: {
          content_hash: 'aeec25c5394920d0f5f4d6',
          sense_id: 'qliksenseserver:14.187.6',
          version: '14.187.6',
          deployment_type: 'QlikSenseServer',
          release_label: 'May 2024 Patch 4',
          deprecated_product_version: '4.0.X',
          product_name: 'Qlik Sense',
          copyright_year_range: '1993-2024',
        },
        time: NOW,
      },
    ])
  })

  test.each([['html'], ['status'], ['empty'], ['reset']])('an answer that is none (%s) is refused', async (mode) => {
    site.simulator.fault({ listener: 'about', mode })
    await expect(look()).rejects.toThrow()
    site.simulator.clearFaults()
    expect(points).toEqual([])
  })

  test('nobody listens, and no certificates', async () => {
    await expect(look(about({ port: 1 }))).rejects.toThrow()
    await expect(look(about({ certificates: () => null }))).rejects.toThrow('the client certificates cannot be read')
  })
})
