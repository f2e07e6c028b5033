/** `Butler.footman.compatibility`: a file of Butler goes on as it did; `strict` refuses what is dangerous. */
import { describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { runBinary, runToEnd } from '../support/binary.ts'
import { certificatePair } from '../support/certificates.ts'
import { codes, diagnose } from '../support/doctor.ts'
import { type Footman, type FootmanSettings, footman } from '../support/footman.ts'
import { freeTcpPort } from '../support/ports.ts'
import { startSite } from '../support/simulator.ts'
import { startSmtpSink } from '../support/smtp-sink.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'

type Section = Readonly<Record<string, unknown>>

/** `mode`: auto = without settings of Footman's own, as Butler's file is. */
async function product(mode: 'auto' | 'butler' | 'strict', settings: FootmanSettings): Promise<Footman> {
  const made = await footman(settings)
  const { Butler } = JSON.parse(readFileSync(made.configFile, 'utf8')) as { Butler: Record<string, unknown> }
  const { footman: _own, ...butler } = Butler
  const own = mode === 'auto' ? {} : { footman: { compatibility: mode } }
  writeFileSync(made.configFile, JSON.stringify({ Butler: { ...butler, ...own } }, null, 2))
  return made
}

describe('mail through a relay without STARTTLS, with requireTLS: true as templates of Butler have it', () => {
  const mail = (port: number, own: Section = {}) => ({
    emailNotification: {
      enable: true,
      smtp: { host: '127.0.0.1', port, secure: false, tls: { requireTLS: true, rejectUnauthorized: false } },
    },
    ...own,
  })
  const config = { emailNotification: { smtp: { tls: { ignoreTLS: false, requireTLS: true } } } }

  test('leaves with a file of Butler, with one warning', async () => {
    await using site = await startSite()
    await using relay = await startSmtpSink()
    await using footman = await product('auto', { simulator: site.simulator, smtpPort: relay.port, config })
    await footman.start()
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 200 })
    site.simulator.runTask(TASK)
    const [arrived] = await relay.received(1, { timeout: 20_000 })
    expect([arrived!.envelope.to, arrived!.secure]).toEqual([['ops@acme.example'], false])
    const warnings = footman.process.stdout.filter((line) => line.includes('requireTLS'))
    expect(warnings).toEqual([
      expect.stringContaining('requireTLS: has no effect, as in Butler: mail leaves unencrypted'),
    ])
  }, 60_000)

  test('uses STARTTLS when the relay offers it', async () => {
    await using relay = await startSmtpSink({ tls: await certificatePair('127.0.0.1') })
    const ignoring = { emailNotification: { smtp: { tls: { ignoreTLS: true, requireTLS: false } } } }
    await using footman = await product('auto', { simulator: null, smtpPort: relay.port, config: ignoring })
    await footman.start(['--no-qs-connection', '--test-email-address', 'ops@acme.example'])
    const [arrived] = await relay.received(1, { timeout: 20_000 })
    expect(arrived!.secure).toBe(true)
  }, 60_000)

  test('stays with strict', async () => {
    await using relay = await startSmtpSink()
    await using footman = await product('strict', { simulator: null, smtpPort: relay.port, config })
    await footman.start(['--no-qs-connection', '--test-email-address', 'ops@acme.example'])
    await footman.process.waitForLine(/Test mail to ops@acme\.example was not sent: .*requireTLS forbids/)
    expect(relay.mails).toEqual([])
  }, 60_000)

  test('the doctor names it', async () => {
    await using relay = await startSmtpSink()
    const only = ['smtp']
    const found = await diagnose(mail(relay.port), { only })
    expect(codes(found)).toEqual(['smtp.unencrypted', 'smtp.ready'])
    expect(found.findings[0]).toMatchObject({ level: 'warning', message: expect.stringContaining('no STARTTLS') })
    const strict = await diagnose(mail(relay.port, { footman: { compatibility: 'strict' } }), { only })
    expect(codes(strict)).toEqual(['smtp.no-starttls'])
  })
})

describe('directories made over REST outside of the approved ones', () => {
  const config = { restServerEndpointsEnable: { createDir: true } }

  test.each([
    ['auto', 201],
    ['butler', 201],
    ['strict', 403],
  ] as const)(
    '%s: %p',
    async (mode, status) => {
      await using elsewhere = tempDirectory()
      await using footman = await product(mode, { simulator: null, config })
      await footman.start(['--no-qs-connection'])
      const directory = elsewhere.join('made')
      const answer = await footman.call('POST', '/v4/createdir', { directory })
      expect([answer.status, existsSync(directory)]).toEqual([status, status === 201])
      const warned = footman.process.stdout.some((line) => line.includes('can make directories anywhere, as in Butler'))
      expect(warned).toBe(status === 201)
    },
    60_000,
  )
})

describe('source validation with an empty list', () => {
  const config = { udpServerConfig: { enableSourceValidation: true, allowedSources: [] } }

  test('accepts every sender with a file of Butler', async () => {
    await using footman = await product('auto', { simulator: null, config })
    await footman.start(['--no-qs-connection'])
    expect(footman.process.stdout.join('\n')).toContain('every sender is accepted although enableSourceValidation')
    const socket = createSocket('udp4')
    const fields = ['/scheduler-reload-failed/', 'qs-central', 'Reload 1', 'App', 'LAB\\anna', TASK, TASK]
    const message = [...fields, '2026-03-02 07:03:11,482', 'INFO', TASK, 'Max retries reached'].join(';')
    socket.send(message, footman.udpPort, '127.0.0.1')
    await footman.process.waitForLine(/Reload 1/, 20_000)
    socket.close()
  }, 60_000)

  test('keeps the listener off with strict, and says so', async () => {
    await using footman = await product('strict', { simulator: null, config })
    const cwd = footman.directory.path
    const { code, stdout } = await runToEnd(['check', '-c', footman.configFile, '--no-qs-connection'], { cwd })
    expect([code, stdout]).toEqual([3, expect.stringContaining('starts, Butler.udpServerConfig off, 1 error')])
  })
})

test('a problem of one feature leaves the rest running, and the log says loudly what is off', async () => {
  const config = {
    heartbeat: { enable: true, remoteURL: 'not an address', frequency: 'every 30 seconds' },
    mqttConfig: { enable: true, brokerHost: 'mqtt://broker:1883' },
  }
  await using footman = await product('auto', { simulator: null, config })
  await footman.start(['--no-qs-connection'])
  expect((await footman.call('GET', '/v4/butlerping')).status).toBe(200)
  expect(footman.process.stdout.join('\n')).toMatch(
    /error: CONFIG: Errors in the configuration keep these off: Butler\.(heartbeat|mqttConfig), Butler\.(heartbeat|mqttConfig)\. "footman check"/,
  )
}, 60_000)

describe('exit codes of check, and whether the file starts', () => {
  test.each([
    ['logLevel: loud', 0],
    ['heartbeat: {enable: false, remoteURL: <address>}', 0],
    ['heartbeat: {enable: true, remoteURL: <address>}', 3],
    ['fileDeleteApprovedDirectories: [/]', 3],
    ['startTaskFilter: {enable: maybe}', 1],
    ['footman: {access: {enabled: true}}', 1],
    ['configQRS: {host: <host>}', 1],
    ['restServerConfig: {enable: true, serverPort: <port>}', 1],
    ['heartbeat: {enable: true', 1],
  ] as const)(
    '%s: %p',
    async (text, expected) => {
      await using directory = tempDirectory()
      const health = await freeTcpPort()
      writeFileSync(
        directory.join('butler.yaml'),
        `Butler:\n  dockerHealthCheck: {enable: true, port: ${health}}\n  ${text}\n`,
      )
      const cwd = directory.path
      const check = await runToEnd(['check', '-c', 'butler.yaml', '--no-qs-connection'], { cwd })
      expect({ text, code: check.code, out: check.stdout }).toMatchObject({ text, code: expected })
      if (expected === 1) {
        expect((await runToEnd(['-c', 'butler.yaml', '--no-qs-connection'], { cwd })).code).toBe(1)
        return
      }

      const running = runBinary(['-c', 'butler.yaml', '--no-qs-connection'], { cwd })
      try {
        await until(async () => (await fetch(`http://localhost:${health}/health`).catch(() => null))?.status === 200)
        expect(await running.stop()).toBe(0)
      } finally {
        await running.kill9()
      }
    },
    60_000,
  )
})

test('a file in Windows-1252 is read, with a warning, and rewritten as UTF-8 under any name', async () => {
  await using directory = tempDirectory()
  const cwd = directory.path
  const text = "Butler:\n  # Größe\n  qvdPath: 'D:/Größe' # für alle\n"
  writeFileSync(directory.join('butler.yaml'), Buffer.from(text, 'latin1'))
  const check = await runToEnd(['check', '-c', 'butler.yaml', '--no-qs-connection'], { cwd })
  expect([check.code, check.stdout]).toEqual([
    0,
    expect.stringContaining(
      'butler.yaml warning is not UTF-8; it is read as Windows-1252. Hint: save the file with the encoding UTF-8',
    ),
  ])
  const migrated = await runToEnd(['migrate-config', 'butler.yaml', '--output', 'butler.new'], { cwd })
  expect(migrated.code).toBe(0)
  expect(readFileSync(directory.join('butler.new'), 'utf8')).toBe(
    "Butler:\n  configDirectories:\n    # Größe\n    qvdPath: 'D:/Größe' # für alle\n  footman:\n    compatibility: butler\n",
  )
})
