/** Files of older Butlers start unchanged, under any name of the executable, and can be rewritten. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { get as getTls } from 'node:https'
import { footmanBinary, runBinary, runToEnd } from '../support/binary.ts'
import { OLDER_FILES, type OlderSite, olderSite, PLACEHOLDER_FILES } from '../support/older.ts'

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

/** Sections of the templates that are switched off, with values in them that cannot be used. */
const OFF_SINCE: readonly (readonly [version: number, sections: readonly string[]])[] = [
  [3, ['mqttConfig', 'slackNotification']],
  [4, ['heartbeat', 'dockerHealthCheck', 'teamsNotification', 'emailNotification', 'qlikSenseUrls']],
  [5, ['webhookNotification']],
  [7, ['incidentTool']],
  [9, ['influxDb', 'serviceMonitor']],
  [12, ['qlikSenseVersion', 'qlikSenseLicense']],
  [13, ['configVisualisation', 'qlikSenseCloud']],
  [16, ['udpServerConfig']],
]

const TEMPLATES = PLACEHOLDER_FILES.map((name) => {
  const version = Number.parseInt(name.replace('template-', ''), 10)
  return { name, sections: OFF_SINCE.filter(([since]) => version >= since).flatMap(([, sections]) => sections) }
})

describe('starts unchanged', () => {
  const sites = new Map<string, OlderSite>()
  const started = new Map<string, Promise<Started>>()
  const AT_A_TIME = 4

  beforeAll(async () => {
    footmanBinary()
    const waiting = [...OLDER_FILES, ...PLACEHOLDER_FILES]
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
    // What else is deprecated has consequences of its own.
    const lines = log.filter(
      (line) => line.includes('CONFIG DEPRECATED') && !/is ignored because|really released/.test(line),
    )
    expect(lines.length).toBe(/documents|-1[456]$/.test(name) ? 0 : 1)
    for (const line of lines) expect(line).toMatch(/\d+ settings? stands? where .*footman migrate-config butler\.yaml/)
    expect(told(/CONFIG: 'Butler\.([^']+)' belongs to a feature that no longer exists/).sort()).toEqual(
      [...(REMOVED[name] ?? [])].sort(),
    )
    // Nobody answers for influx01.acme.example.
    // Servers and certificates that the example names do not exist here.
    const isExpected = (line: string) => line.includes('InfluxDB') || /certCA: the file .* does not exist/.test(line)
    expect(log.filter((line) => / error: (CONFIG|MAIN)/.test(line) && !isExpected(line))).toEqual([])
  })

  test.each(TEMPLATES)('$name with placeholders in what is switched off', async ({ name, sections }) => {
    const { log, ping, exitCode } = await started.get(name)!
    expect([ping, exitCode]).toEqual([200, 0])
    // No repository service answers here; a slow start has the time to say so.
    const isExpected = (line: string) => line.includes('QRS: not reachable')
    expect(log.filter((line) => / error: /.test(line) && !isExpected(line))).toEqual([])
    const check = await runToEnd(['check', '-c', 'butler.yaml'], { cwd: sites.get(name)!.directory.path })
    expect([check.code, check.stdout]).toEqual([0, expect.stringContaining('butler.yaml: valid, 0 errors')])
    const unused = /info CONFIG: \d+ values that are not needed .*: (.*)/.exec(check.stdout)?.[1]?.split(', ') ?? []
    for (const section of sections) expect(unused).toContain(`Butler.${section}`)
  })
})

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
