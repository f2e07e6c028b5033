import { afterAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Aedes } from 'aedes'
import { certificatePair } from '../../../support/certificates.ts'
import { codes, diagnose } from '../../../support/doctor.ts'
import { freeTcpPort } from '../../../support/ports.ts'
import { tempDirectory } from '../../../support/temp.ts'

const only = ['mqtt']
const stops: (() => Promise<void> | void)[] = []
afterAll(async () => {
  for (const stop of stops) await stop()
})

interface BrokerOptions {
  readonly password?: string
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly mayRead?: boolean
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  stops.push(() => void server.close())
  return (server.address() as AddressInfo).port
}

async function broker({ password, tls, mayRead = true }: BrokerOptions = {}) {
  const clients: string[] = []
  const published: string[] = []
  const aedes = await Aedes.createBroker({
    authenticate: (client, _user, given, done) => {
      clients.push(client.id)
      const fine = password === undefined || given?.toString() === password
      done(fine ? null : Object.assign(new Error('no'), { returnCode: 5 as const }), fine)
    },
    authorizeSubscribe: (_client, subscription, done) => done(null, mayRead ? subscription : null),
  })
  aedes.on('publish', ({ topic }, client) => void (client && published.push(topic)))
  stops.push(() => new Promise<void>((done) => aedes.close(done)))
  const handle = (socket: Socket) => void aedes.handle(socket)
  const port = await listen(tls ? createTlsServer(tls, handle) : createServer(handle))
  return { port, clients, published }
}

const mqtt = (port: number, footman: Record<string, unknown> = {}) => ({
  mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: port },
  footman: { mqtt: footman },
})

describe('a broker', () => {
  test('that lets Footman in; the doctor comes with an id of its own and says nothing', async () => {
    const { port, clients, published } = await broker()
    const found = await diagnose(mqtt(port, { clientId: 'footman-live' }), { only })
    expect([codes(found), found.code]).toEqual([['mqtt.ready'], 0])
    expect(clients).toEqual([expect.stringMatching(/^footman_doctor_/)])
    expect(published).toEqual([])
  })
  test('that is not there', async () => {
    expect(codes(await diagnose(mqtt(await freeTcpPort()), { only }))).toEqual(['mqtt.refused'])
  })
  test('that refuses the login, whose password is not shown', async () => {
    const { port } = await broker({ password: 'right-password' })
    const found = await diagnose(mqtt(port, { username: 'footman', password: 'wrong-password' }), { only })
    expect(found.findings).toEqual([
      expect.objectContaining({ code: 'mqtt.login', fix: expect.stringContaining('Butler.footman.mqtt.username') }),
    ])
    expect(found.text).not.toContain('wrong-password')
  })
  test('that keeps the topic to itself', async () => {
    const { port } = await broker({ mayRead: false })
    expect(codes(await diagnose(mqtt(port), { only }))).toEqual(['mqtt.topic'])
  })
  test('that never answers', async () => {
    const port = await listen(createServer((socket) => void socket.on('error', () => {})))
    const { findings } = await diagnose(mqtt(port), { only, timeout: 2000 })
    expect(findings).toEqual([expect.objectContaining({ code: 'mqtt.no-mqtt', fix: expect.stringContaining('mqtts') })])
  })
})

describe('TLS of a broker', () => {
  test('with its authority, without it, and spoken to without TLS', async () => {
    await using directory = tempDirectory()
    const pair = await certificatePair('127.0.0.1')
    writeFileSync(directory.join('ca.pem'), pair.ca)
    const { port } = await broker({ tls: pair })
    const tls = { caFile: directory.join('ca.pem') }
    expect(codes(await diagnose(mqtt(port, { protocol: 'mqtts', tls }), { only }))).toEqual(['mqtt.ready'])
    const strange = await diagnose(mqtt(port, { protocol: 'mqtts' }), { only })
    expect(strange.findings).toEqual([
      expect.objectContaining({
        code: 'mqtt.certificate',
        fix: expect.stringContaining('Butler.footman.mqtt.tls.caFile'),
      }),
    ])
    expect(codes(await diagnose(mqtt(port), { only, timeout: 2000 }))).toEqual(['mqtt.no-mqtt'])
  })
  test('that ends soon, is over, or is for another name', async () => {
    await using directory = tempDirectory()
    const tls = { caFile: directory.join('ca.pem') }
    const cases = [
      ['127.0.0.1', 10, ['mqtt.certificate-ending', 'mqtt.ready']],
      ['127.0.0.1', -1, ['mqtt.certificate']],
      ['elsewhere.example', 90, ['mqtt.certificate']],
    ] as const
    for (const [name, days, expected] of cases) {
      const pair = await certificatePair(name, { days })
      writeFileSync(directory.join('ca.pem'), pair.ca)
      const { port } = await broker({ tls: pair })
      const found = await diagnose(mqtt(port, { protocol: 'mqtts', tls }), { only })
      expect(codes(found)).toEqual([...expected])
    }
  })
})
