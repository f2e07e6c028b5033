/** `footman doctor` beside a running Footman: it finds its own, disturbs nobody and sends nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import type { Finding } from '../../src/cli/doctor/types.ts'
import { runBinary } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const LIVE = 'footman-live'
const clients = { seen: [] as string[], gone: [] as string[] }

let broker: Aedes
let listener: Server
let hook: HttpSink
let mail: SmtpSink
let product: Footman

beforeAll(async () => {
  broker = await Aedes.createBroker()
  broker.on('clientReady', ({ id }) => void clients.seen.push(id))
  broker.on('clientDisconnect', ({ id }) => void clients.gone.push(id))
  listener = createServer((socket: Socket) => void broker.handle(socket))
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done))
  hook = await startHttpSink()
  mail = await startSmtpSink()
  product = await footman({
    simulator: null,
    webhookUrl: `${hook.url}/hook`,
    smtpPort: mail.port,
    mqttPort: (listener.address() as AddressInfo).port,
    config: { footman: { mqtt: { clientId: LIVE } } },
    args: ['--no-qs-connection'],
  })
  const whole = JSON.parse(readFileSync(product.configFile, 'utf8')) as { Butler: { footman: Record<string, unknown> } }
  whole.Butler.footman.console = { publicUrl: `http://127.0.0.1:${product.restPort}` }
  writeFileSync(product.configFile, JSON.stringify(whole))
  await product.start()
  await until(() => clients.seen.includes(LIVE), { timeout: 15_000, what: 'the broker connection of Footman' })
}, 90_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await mail?.stop()
  await hook?.stop()
  listener?.close()
  await new Promise<void>((done) => broker.close(done))
})

async function doctor(args: readonly string[]) {
  const running = runBinary(['doctor', '-c', product.configFile, '--no-qs-connection', ...args], {
    cwd: product.directory.path,
    env: { NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' },
  })
  const { code } = await running.ended
  return { code, out: running.stdout.join('\n'), err: running.stderr.join('\n') }
}

describe('beside a running Footman', () => {
  test('all is in order: ports and data directory are its own', async () => {
    const published: string[] = []
    broker.on('publish', ({ topic }, client) => void (client && client.id !== LIVE && published.push(topic)))
    const { code, out } = await doctor(['--json'])
    const { findings } = JSON.parse(out) as { findings: Finding[] }
    const codes = new Set(findings.map((one) => one.code))
    expect(findings.filter(({ level }) => level === 'error')).toEqual([])
    expect(code).toBe(0)
    for (const one of ['ports.ours', 'mqtt.ready', 'smtp.ready', 'destinations.reached', 'console.ready'])
      expect([...codes]).toContain(one)
    expect(out).toContain('in use by the running Footman')
    expect([hook.requests, mail.mails, published]).toEqual([[], [], []])
    // Its own connection came and went; that of Footman stayed.
    await until(() => clients.gone.length === 1, { timeout: 10_000, what: 'the goodbye of the doctor' })
    expect(clients.gone).toEqual([expect.stringMatching(/^footman_doctor_/)])
    expect(clients.seen.filter((id) => id === LIVE)).toHaveLength(1)
  })
})

test.each([
  ['in the folder of the configuration', ['own/cert']],
  ['in the working directory', ['cert']],
])('a certificate that is missing %s is missed there, wherever the others are looked for', async (_where, [folder]) => {
  await using directory = tempDirectory()
  for (const one of ['own', folder!]) mkdirSync(directory.join(one), { recursive: true })
  const cert = { clientCert: 'cert/client.pem', clientCertKey: 'cert/client_key.pem', clientCertCA: 'cert/root.pem' }
  writeFileSync(
    directory.join('own/footman.yaml'),
    JSON.stringify({ Butler: { cert, configQRS: { host: '127.0.0.1' } } }),
  )
  writeFileSync(directory.join(folder!, 'root.pem'), 'x')
  const running = runBinary(['doctor', '-c', 'own/footman.yaml', '--only', 'certificate', '--json'], {
    cwd: directory.path,
  })
  await running.ended
  const { findings } = JSON.parse(running.stdout.join('\n')) as { findings: Finding[] }
  const missing = findings.filter(({ code }) => code === 'certificate.missing')
  expect(missing.map(({ target }) => target)).toEqual(
    ['client.pem', 'client_key.pem'].map((name) => directory.join(folder!, name)),
  )
  for (const one of ['cert', 'own/cert']) {
    expect(missing[0]!.message).toContain(directory.join(one, 'client.pem'))
  }
})

test('--help has examples and the exit codes', async () => {
  const { code, out } = await doctor(['--help'])
  expect(code).toBe(0)
  expect(out).toContain('footman doctor -c footman.yaml --only smtp influxdb')
  expect(out).toContain('3 something is broken')
})
