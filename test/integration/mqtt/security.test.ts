import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { loadCertificates } from '../../../simulator/certificates.ts'
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.ts'
import { findExecutable, needs } from '../../support/servers.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'
import { service } from './support.ts'

needs('mosquitto')

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

let directory: TempDirectory
let files: Awaited<ReturnType<typeof loadCertificates>>
beforeAll(async () => {
  directory = tempDirectory()
  files = await loadCertificates(directory.path)
})
afterAll(() => directory.remove())

async function broker(settings: Parameters<typeof startMosquitto>[0]): Promise<Mosquitto> {
  const started = await startMosquitto(settings)
  cleanups.push(() => started.stop())
  return started
}

async function client(...args: Parameters<typeof service>) {
  const made = service(...args)
  cleanups.push(() => made.mqtt.stop(500))
  await made.mqtt.start()
  return made
}

const connected = (mqtt: { connected: boolean }) => until(() => mqtt.connected, { what: 'connection' })

function passwordFile(): string {
  const path = directory.join('passwords')
  const result = spawnSync(findExecutable('mosquitto_passwd')!, ['-b', '-c', path, 'butler', 'geheim'])
  if (result.status !== 0) throw new Error(String(result.stderr))
  return path
}

describe('user and password', () => {
  test('right: connected; wrong: goes on trying with one error line, and never logs the password', async () => {
    const passwords = passwordFile()
    const { port } = await broker({ anonymous: false, lines: () => [`password_file ${passwords}`] })
    await connected((await client(port, { mqtt: { username: 'butler', password: 'geheim' } })).mqtt)
    const wrong = await client(port, { mqtt: { username: 'butler', password: 'falsch' } })
    await until(() => wrong.log.of('debug').filter((line) => line.includes('Cannot connect')).length >= 2)
    expect(wrong.log.of('error')).toHaveLength(1)
    expect(JSON.stringify(wrong.log.lines)).not.toContain('falsch')
  })
})

const serverLines = (more: string[] = []) => [
  `cafile ${files.ca.path}`,
  `certfile ${files.server.cert.path}`,
  `keyfile ${files.server.key.path}`,
  ...more,
]
const tls = (settings: object) => ({ caFile: '', certFile: '', keyFile: '', rejectUnauthorized: true, ...settings })

describe('TLS', () => {
  test('with the CA of the broker', async () => {
    const { port } = await broker({ lines: () => serverLines() })
    await connected((await client(port, { mqtt: { protocol: 'mqtts', tls: tls({ caFile: files.ca.path }) } })).mqtt)
  })

  test('an unknown CA is refused, unless told otherwise', async () => {
    const { port } = await broker({ lines: () => serverLines() })
    const strict = await client(port, { mqtt: { protocol: 'mqtts', tls: tls({}) } })
    await until(() => strict.log.of('error').length === 1)
    expect(strict.log.of('error')[0]).toMatch(/Cannot connect to broker .*(certificate|TLS|issuer|self.signed)/i)
    expect(strict.mqtt.connected).toBe(false)
    await connected((await client(port, { mqtt: { protocol: 'mqtts', tls: tls({ rejectUnauthorized: false }) } })).mqtt)
  })

  test('with a client certificate', async () => {
    const { port } = await broker({ lines: () => serverLines(['require_certificate true']) })
    const own = { caFile: files.ca.path, certFile: files.client.cert.path, keyFile: files.client.key.path }
    await connected((await client(port, { mqtt: { protocol: 'mqtts', tls: tls(own) } })).mqtt)
    const without = await client(port, { mqtt: { protocol: 'mqtts', tls: tls({ caFile: files.ca.path }) } })
    await until(() => without.log.of('error').length >= 1)
    expect(without.log.of('error')[0]).toContain('MQTT:')
  })

  test('a file that is missing: MQTT stays off, the next attempt is a minute away', async () => {
    const { log } = await client(1, { mqtt: { protocol: 'mqtts', tls: tls({ caFile: '/nowhere/ca.pem' }) } })
    await until(() => log.of('error').length === 1)
    expect(log.of('error')[0]).toContain('MQTT CA file could not be loaded (/nowhere/ca.pem): ENOENT')
    expect(log.of('error')[0]).toContain('Next attempt in 60 s')
  })
})

describe('Azure Event Grid', () => {
  const azure = (changes: object = {}) => ({
    azureEventGrid: {
      enable: true,
      clientId: 'butler-azure',
      clientCertFile: files.client.cert.path,
      clientKeyFile: files.client.key.path,
      ...changes,
    },
  })

  test('is given client certificate, client id and user name; its certificate must come from a known authority', async () => {
    // The system knows no authority of this test, so the handshake must end there.
    const { port } = await broker({ lines: () => serverLines(['require_certificate true']) })
    const { log } = await client(port, { mqttConfig: azure() })
    await until(() => log.of('error').length >= 1)
    expect(log.of('error')[0]).toMatch(/certificate|issuer|TLS/i)
  })

  test('names the file that is missing', async () => {
    const { log } = await client(1, { mqttConfig: azure({ clientKeyFile: join('/nowhere', 'key.pem') }) })
    await until(() => log.of('error').length === 1)
    expect(log.of('error')[0]).toContain('MQTT client key file could not be loaded (/nowhere/key.pem)')
  })
})
