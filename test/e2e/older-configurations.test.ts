/** Files of older Butlers start unchanged, under any name of the executable, and can be rewritten. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { get as getTls } from 'node:https'
import { footmanBinary, runBinary, runToEnd } from '../support/binary.ts'
import { OLDER_FILES, type OlderSite, olderSite } from '../support/older.ts'

/** Old keys of each file, as the manuals of that time name them, with what is said of them. */
const DEPRECATED: Readonly<Record<string, readonly string[]>> = {
  'butler-2': [
    'configEngine.server',
    'configEngine.serverPort',
    'configEngine.isSecure',
    'configEngine.headers.X-Qlik-User',
    'configEngine.cert',
    'configEngine.key',
    'configQRS.headerKey',
    'configQRS.port',
    'configQRS.cert',
    'configQRS.key',
    'configQRS.ca',
    'qvdPath',
    'slackConfig.webhookURL',
    'slackConfig.taskFailureChannel',
    'mqttConfig',
    'mqttConfig.brokerIP',
    'udpServerConfig',
    'udpServerConfig.serverIP',
    'restServerConfig',
  ],
  'butler-3': [
    'heartbeat.enabled',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'slackConfig.enable',
    'slackConfig.webhookURL',
    'slackConfig.taskFailureChannel',
  ],
  'butler-4': [
    ...['hostIP', 'hostPort', 'auth', 'dbName', 'instanceTag', 'retentionPolicy'].map(
      (key) => `uptimeMonitor.storeInInfluxdb.${key}`,
    ),
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    ...['enable', 'webhookURL', 'taskFailureChannel', 'taskAbortedChannel'].map((key) => `slackConfig.${key}`),
    'teamsConfig.enable',
    'teamsConfig.taskFailureWebhookURL',
    'emailNotification.reladTaskAborted',
    'emailNotification.reladTaskFailure',
    'restServerEndpointsEnable.apiListEnbledEndpoints',
  ],
  'butler-5': [
    'cert.rejectUnauthorized',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'slackNotification.restMessage.enable',
    'emailNotification.reloadTaskFailure.fromAdress',
    'emailNotification.serviceStopped.fromAdress',
  ],
  'butler-7': [
    'thirdPartyToolsCredentials.newRelic',
    'scriptLog.storeOnDisk.reloadTaskFailure',
    'incidentTool.newRelic.url',
    ...['enable', 'rateLimit', 'header', 'attribute.static'].map(
      (key) => `incidentTool.newRelic.reloadTaskFailure.${key}`,
    ),
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
  ],
  'butler-9': [
    'influxDb.instanceTag',
    'incidentTool.newRelic',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'emailNotification.serviceStarted.fromAdress',
    'restServerEndpointsEnable.apiListEnbledEndpoints',
  ],
  'butler-11': [
    'qlikSenseLicense.licenseRelease.neverReleaseUsers',
    'qlikSenseLicense.licenseRelease.dryRun',
    'scriptLog.storeOnDisk.reloadTaskFailure',
    'influxDb.instanceTag',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
  ],
  'butler-12': [
    'influxDb.instanceTag',
    'emailNotification.reloadTaskFailure.fromAdress',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'restServerEndpointsEnable.apiListEnbledEndpoints',
  ],
  'butler-13': ['restServerEndpointsEnable.apiListEnbledEndpoints'],
  'butler-14': [],
  'butler-15': [],
  'butler-16': [],
  documents: [],
}

const REMOVED: Readonly<Record<string, readonly string[]>> = {
  'butler-2': [
    'slackConfig.loginNotificationChannel',
    'mqttConfig.sessionStartTopic',
    'mqttConfig.sessionStopTopic',
    'mqttConfig.activeUserCountTopic',
    'udpServerConfig.portSessionConnectionEvents',
    'gitHub',
  ],
  'butler-3': [
    'gitHub',
    'slackConfig.loginNotificationChannel',
    'mqttConfig.sessionStartTopic',
    'udpServerConfig.portSessionConnectionEvents',
    'restServerEndpointsEnable.activeUserCount',
    'restServerEndpointsEnable.activeUsers',
  ],
  'butler-4': ['mqttConfig.activeUsersTopic'],
  'butler-5': ['slackNotification.userSessionEvents', 'teamsNotification.userSessionEvents'],
}

const START_MS = 30_000

interface Started {
  readonly log: readonly string[]
  readonly ping: number
  readonly exitCode: number | null
}

/** Runs the file as a service entry of Butler calls it: `butler -c FILE`. */
async function startOf({ directory, restPort, udpPort }: OlderSite, tls: boolean, command?: string): Promise<Started> {
  const running = runBinary(['-c', 'butler.yaml'], { cwd: directory.path, ...(command && { command }) })
  try {
    await Promise.all([
      running.waitForLine(new RegExp(`UDP server listening on .*:${udpPort}`), START_MS),
      running.waitForLine(new RegExp(`REST server listening on .*:${restPort}`), START_MS),
    ])
    const ping = await statusOf(restPort, tls)
    return { ping, exitCode: await running.stop(), log: [...running.stdout, ...running.stderr] }
  } finally {
    await running.kill9()
  }
}

function statusOf(port: number, tls: boolean): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const options = { host: '127.0.0.1', port, path: '/v4/butlerping', rejectUnauthorized: false, timeout: START_MS }
  const request = (tls ? getTls : get)(options, (answer) => {
    answer.resume()
    resolve(answer.statusCode ?? 0)
  })
  request.on('error', reject)
  return promise
}

test('there is a file for each generation', () => {
  expect([...OLDER_FILES].sort()).toEqual(Object.keys(DEPRECATED).sort())
})

describe('starts unchanged', () => {
  const sites = new Map<string, OlderSite>()
  const started = new Map<string, Promise<Started>>()
  const AT_A_TIME = 4

  beforeAll(async () => {
    footmanBinary()
    const waiting = [...OLDER_FILES]
    const lane = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const site = await olderSite(name)
        sites.set(name, site)
        const start = startOf(site, name === 'butler-16')
        start.catch(() => {})
        started.set(name, start)
        await start.catch(() => {})
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, lane))
  }, 180_000)
  afterAll(() => {
    for (const { directory } of sites.values()) directory.remove()
  })

  test.each([...OLDER_FILES])('%s', async (name) => {
    const { log, ping, exitCode } = await started.get(name)!
    expect([ping, exitCode]).toEqual([200, 0])
    const told = (pattern: RegExp) => log.flatMap((line) => pattern.exec(line)?.slice(1) ?? [])
    const deprecated = told(/CONFIG DEPRECATED: 'Butler\.([^']+)'/)
    expect([...new Set(deprecated)].filter((key) => !isFollowUp(key, name)).sort()).toEqual(
      [...DEPRECATED[name]!].sort(),
    )
    expect(told(/CONFIG: 'Butler\.([^']+)' belongs to a feature that no longer exists/).sort()).toEqual(
      [...(REMOVED[name] ?? [])].sort(),
    )
    // Nobody answers for influx01.acme.example.
    expect(log.filter((line) => / error: (CONFIG|MAIN)/.test(line) && !line.includes('InfluxDB'))).toEqual([])
  })
})

/** A key that a translation made of another old one, told of a second time. */
function isFollowUp(key: string, name: string): boolean {
  const made: Readonly<Record<string, readonly string[]>> = {
    'butler-2': ['configEngine.port', 'configEngine.useSSL'],
    'butler-4': [
      'influxDb.instanceTag',
      'emailNotification.reloadTaskAborted.toAdress',
      'emailNotification.reloadTaskFailure.toAdress',
    ],
  }
  return made[name]?.includes(key) ?? false
}

test('a service entry that calls butler -c FILE works with the executable under that name', async () => {
  await using site = await olderSite('butler-16')
  const command = site.directory.join('butler')
  copyFileSync(footmanBinary(), command)
  chmodSync(command, 0o755)
  const { ping, exitCode } = await startOf(site, true, command)
  expect([ping, exitCode]).toEqual([200, 0])
}, 60_000)

test('rewritten, a file passes check and starts without a word about older layouts', async () => {
  await using site = await olderSite('butler-4')
  const cwd = site.directory.path
  const before = readFileSync(site.directory.join('butler.yaml'), 'utf8')
  expect((await runToEnd(['migrate-config', 'butler.yaml', '--in-place'], { cwd })).code).toBe(0)
  expect(readFileSync(site.directory.join('butler.yaml.old'), 'utf8')).toBe(before)
  const check = await runToEnd(['check', '-c', 'butler.yaml'], { cwd })
  expect([check.code, `${check.stdout}${check.stderr}`]).toEqual([0, expect.not.stringMatching(/DEPRECATED|no longer/)])
  const { ping, log } = await startOf(site, false)
  expect([ping, log.filter((line) => line.includes('DEPRECATED'))]).toEqual([200, []])
}, 60_000)
