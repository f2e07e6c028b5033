/** Reloads in Qlik Cloud, from a real broker with TLS to every destination of Butler's sections. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import type { Envelope } from '../../simulator/cloud/events.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { freeTcpPort } from '../support/ports.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const TENANT = 'KyYpXz1tTenantIdxxxxxxxxxxxxxxx'
const FAILED = '65f1a2b3c4d5e6f708192a3b'
const EXCEEDED = '65f1a2b3c4d5e6f708192a3d'
const SUCCEEDED = '65f1a2b3c4d5e6f708192a3a'
const CANCELED = '65f1a2b3c4d5e6f708192a3c'
const APP = 'b2000000-0000-4000-8000-000000000001'
const WAIT = { timeout: 30_000 }

let site: TestSite
let broker: Mosquitto
let tlsPort: number
let publisher: MqttClient
let chat: HttpSink
let mail: SmtpSink
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  site = await startSite({ cloud: { tls: false, token: 'cloud-token' } })
  const { ca, server } = site.simulator.certificates.pem
  tlsPort = await freeTcpPort()
  broker = await startMosquitto({
    lines: () => [
      `listener ${tlsPort} 127.0.0.1`,
      'allow_anonymous true',
      `cafile ${ca.path}`,
      `certfile ${server.cert.path}`,
      `keyfile ${server.key.path}`,
    ],
  })
  publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`)
  chat = await startHttpSink()
  mail = await startSmtpSink()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  chat.requests.length = 0
  mail.mails.length = 0
  chat.answer({})
})
afterAll(async () => {
  await publisher.endAsync(true)
  await broker.stop()
  await chat.stop()
  await mail[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

interface Changes {
  readonly tenantUrl?: string
  readonly tag?: string
  readonly enrichmentTimeout?: string
  /** Template of the mail's subject. */
  readonly subject?: string
  /** Merged over the rest. */
  readonly config?: { readonly footman?: object; readonly [key: string]: unknown }
}

async function start(changes: Changes = {}): Promise<Footman> {
  const tenantUrl = changes.tenantUrl ?? `http://127.0.0.1:${site.simulator.ports.cloud}`
  const section = {
    enable: true,
    rateLimit: 0,
    alertEnableByTag: { enable: changes.tag !== undefined, tag: changes.tag ?? '' },
  }
  const running = await footman({
    simulator: null,
    mqttPort: broker.port,
    smtpPort: mail.port,
    args: ['--no-qs-connection'],
    config: {
      mqttConfig: {
        qlikSenseCloud: { event: { mqttForward: { enable: true, broker: { host: '127.0.0.1', port: tlsPort } } } },
      },
      qlikSenseCloud: {
        enable: true,
        event: {
          mqtt: {
            tenant: {
              id: TENANT,
              tenantUrl,
              comment: 'Acme in the cloud',
              qlikSenseUrls: {
                qmc: 'https://acme.eu.qlikcloud.com/console',
                hub: 'https://acme.eu.qlikcloud.com/analytics/home',
              },
              auth: { jwt: { token: 'cloud-token' } },
              alert: {
                slackNotification: { reloadAppFailure: { ...section, webhookURL: `${chat.url}/slack` } },
                teamsNotification: { reloadAppFailure: { ...section, webhookURL: `${chat.url}/teams` } },
                emailNotification: {
                  reloadAppFailure: {
                    ...section,
                    fromAddress: 'noreply@acme.example',
                    recipients: ['ops@acme.example'],
                    appOwnerAlert: { enable: true },
                    ...(changes.subject && { subject: changes.subject }),
                  },
                },
              },
            },
          },
        },
      },
      scriptLog: { storeOnDisk: { qsCloud: { appReloadFailure: { enable: true, logDirectory: 'logs' } } } },
      ...changes.config,
      footman: {
        ...changes.config?.footman,
        qlikCloud: { tls: { caFile: site.simulator.certificates.pem.ca.path } },
        delivery: { enrichmentTimeout: changes.enrichmentTimeout ?? '30s' },
      },
    },
  })
  cleanups.push(async () => running[Symbol.asyncDispose]())
  await running.start()
  await connected(running)
  return running
}

const connected = ({ process }: Footman) => process.waitForLine(/Subscribed to qscloud\/#/, 20_000)

const send = (body: unknown, topic = `qscloud/app/reload/${TENANT}`) =>
  publisher.publishAsync(topic, typeof body === 'string' ? body : JSON.stringify(body), { qos: 1 })

const event = (reloadId: string, envelope: Envelope) => site.simulator.cloudEvent(reloadId, envelope)

const events = (running: Footman) =>
  running.rows<{ outcome: string; app_name: string; missing_parts: string; execution_id: string }>(
    `SELECT outcome, app_name, missing_parts, execution_id FROM event WHERE type = 'cloudReload' ORDER BY seq`,
  )

const stored = (running: Footman) =>
  readdirSync(running.directory.path, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.log'))

const to = (path: string) => ({ ...WAIT, match: ({ url }: { url: string }) => url === path })

describe('a reload in Qlik Cloud', () => {
  test('reaches Slack, Teams, mail and disk with what the tenant knows; each end once, in whatever form it is told', async () => {
    const running = await start()
    await send(event(FAILED, '1.0'))
    await send(event(FAILED, 'reload'))
    await send(event(FAILED, '0.1'))
    await send(event(EXCEEDED, 'reload'))
    await send(event(SUCCEEDED, 'hybrid'))
    await send(event(CANCELED, 'reload'))
    await send({ ...(event(EXCEEDED, '1.0') as object), tenantid: 'another-tenant' })
    await send('no json', `qscloud/app/reload/${TENANT}`)
    await send(event(FAILED, '1.0'), 'qscloud/other')
    const slack = await chat.received(2, to('/slack'))
    const teams = await chat.received(2, to('/teams'))
    const mails = await mail.received(4, WAIT)

    const first = slack.find(({ body }) => body.includes('Cloud Sales'))?.body ?? ''
    expect(first).toContain('Anna Andersson')
    expect(first).toContain('EngineConnectorError')
    expect(teams.some(({ body }) => body.includes(`/sense/app/${APP}`))).toBe(true)
    expect(mails.map(({ envelope }) => envelope.to[0]).sort()).toEqual([
      'anna@acme.example',
      'anna@acme.example',
      'ops@acme.example',
      'ops@acme.example',
    ])
    expect(mails[0]?.parsed.subject).toContain('Qlik Sense reload failed: "Cloud')
    await until(() => stored(running).length === 2, { ...WAIT, what: 'script logs' })
    const log = stored(running).find((path) => path.includes(APP)) ?? ''
    expect(log).toMatch(
      new RegExp(
        `logs/\\d{4}-\\d\\d-\\d\\d/\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d_appId=${APP}_reloadId=${FAILED}\\.log$`,
      ),
    )
    expect(readFileSync(join(running.directory.path, log), 'utf8')).toContain('Cannot open file')
    await until(() => events(running).length === 3, { ...WAIT, what: 'events' })
    expect(
      events(running)
        .map((row) => [row.execution_id, row.outcome, row.missing_parts])
        .sort(),
    ).toEqual([
      [SUCCEEDED, 'success', '[]'],
      [FAILED, 'failed', '[]'],
      [EXCEEDED, 'failed', '[]'],
    ])
    const dropped = running.rows<{ reason: string }>('SELECT reason FROM dropped_datagram ORDER BY reason')
    expect(dropped.map(({ reason }) => reason)).toEqual(['DUPLICATE', 'DUPLICATE', 'INVALID', 'SOURCE_NOT_ALLOWED'])
  }, 60_000)

  test('has links to the tenant in every message, named mail destinations included', async () => {
    const links = '{{qlikSenseQMC}} {{qlikSenseHub}} {{qliksSenseQMC}} {{qliksSenseHub}}'
    const running = await start({
      subject: links,
      config: {
        qlikSenseUrls: { qmc: 'https://qs.acme.example/qmc', hub: 'https://qs.acme.example/hub' },
        footman: {
          destinations: {
            post: { type: 'email', from: 'noreply@acme.example', recipients: ['night@acme.example'] },
            hook: { type: 'webhook', url: `${chat.url}/hook` },
          },
          alertRoutes: [{ name: 'cloud', match: { type: 'cloudReload' }, to: ['post', 'hook'], title: links }],
        },
      },
    })
    await send(event(FAILED, '1.0'))
    const mails = await mail.received(3, WAIT)
    const [slack] = await chat.received(1, to('/slack'))
    const [hook] = await chat.received(1, to('/hook'))
    const [qmc, hub] = ['https://acme.eu.qlikcloud.com/console', 'https://acme.eu.qlikcloud.com/analytics/home']
    expect(mails.map(({ envelope, parsed }) => [envelope.to[0], parsed.subject]).sort()).toEqual([
      ['anna@acme.example', `${qmc} ${hub} ${qmc} ${hub}`],
      ['night@acme.example', `${qmc} ${hub} ${qmc} ${hub}`],
      ['ops@acme.example', `${qmc} ${hub} ${qmc} ${hub}`],
    ])
    for (const { parsed } of mails) expect(parsed.html).toContain(qmc)
    for (const text of [slack!.body, hook!.body, ...mails.map(({ raw }) => raw)])
      expect(text).not.toContain('qs.acme.example')
    expect(JSON.parse(hook!.body).links).toContainEqual({ text: 'Open QMC', url: qmc })
    const [{ id } = { id: '' }] = running.rows<{ id: string }>('SELECT id FROM event')
    const { record } = (await (await running.call('GET', `/v4/events/${id}`)).json()) as { record: object }
    expect(record).toMatchObject({ qlikSenseQMC: qmc, qlikSenseHub: hub })
  }, 60_000)

  test('of an app without the tag alerts nobody, and says why', async () => {
    const running = await start({ tag: 'Some other tag' })
    await send(event(FAILED, '1.0'))
    await until(() => events(running).length === 1, { ...WAIT, what: 'event' })
    const rows = running.rows<{ destination: string; state: string; reason: string | null }>(
      'SELECT destination, state, reason FROM delivery',
    )
    const held = rows.filter(({ destination }) => destination !== 'scriptlog')
    expect(held.filter(({ destination }) => destination !== 'email')).toEqual([
      { destination: 'slack', state: 'suppressed', reason: 'TAG' },
      { destination: 'teams', state: 'suppressed', reason: 'TAG' },
    ])
    // The owner is told whatever the tag says.
    await mail.received(1, { ...WAIT, match: ({ envelope }) => envelope.to[0] === 'anna@acme.example' })
    expect(chat.requests).toEqual([])
  }, 60_000)
})

describe('when the tenant', () => {
  test('cannot find one thing and fails at another, the alerts go out and say what is missing', async () => {
    const tenant = await startHttpSink()
    cleanups.push(() => tenant.stop())
    tenant.answer(({ url }) => {
      if (url.startsWith('/api/v1/items')) return { status: 500 }
      if (url.startsWith('/api/v1/users')) return { status: 403 }
      if (url.includes('/logs/')) return { status: 404 }
      if (url.startsWith('/api/v1/reloads')) return { body: JSON.stringify({ status: 'FAILED', errorCode: 'E17' }) }
      return { body: JSON.stringify({ attributes: { name: 'Renamed', description: 'd' } }) }
    })
    const running = await start({ tenantUrl: tenant.url, enrichmentTimeout: '3s', tag: 'any' })
    await send(event(FAILED, 'reload'))
    await chat.received(1, to('/slack'))
    await chat.received(1, to('/teams'))
    await mail.received(1, WAIT)
    expect(JSON.parse(events(running)[0]?.missing_parts ?? '[]').sort()).toEqual(['app', 'owner', 'scriptLog'])
    expect(events(running)[0]?.app_name).toBe('Renamed')
    expect(running.process.stdout.join('\n')).not.toContain('cloud-token')
    const asked = tenant.requests.filter(({ url }) => url.startsWith('/api/v1/users')).length
    expect(asked).toBe(1)
    expect(tenant.requests.every(({ headers }) => headers.authorization === 'Bearer cloud-token')).toBe(true)
  }, 60_000)

  test('is down, the alerts go out with what the event says', async () => {
    const running = await start({ tenantUrl: `http://127.0.0.1:${await freeTcpPort()}`, enrichmentTimeout: '2s' })
    await send(event(FAILED, '0.1'))
    const [slack] = await chat.received(1, to('/slack'))
    expect(slack?.body).toContain('Cloud Sales')
    await mail.received(1, WAIT)
    expect(JSON.parse(events(running)[0]?.missing_parts ?? '[]').sort()).toEqual([
      'app',
      'execution',
      'owner',
      'scriptLog',
    ])
  }, 60_000)
})

test('kill -9 while the tenant is asked, and events while nothing runs: each arrives once', async () => {
  const silent = await startHttpSink()
  cleanups.push(() => silent.stop())
  silent.answer({ hang: true })
  const running = await start({ tenantUrl: silent.url, enrichmentTimeout: '60s' })
  await send(event(FAILED, '1.0'))
  await silent.received(1, WAIT)
  await running.process.kill9()
  await send(event(EXCEEDED, '1.0'))
  expect(chat.requests).toEqual([])
  silent.answer({ status: 404 })
  await running.start()
  await connected(running)
  await chat.received(2, to('/slack'))
  await until(() => events(running).length === 2, { ...WAIT, what: 'both events' })
  // The broker does not know that the first one was taken, were it to send it again.
  await send(event(FAILED, '1.0'))
  await until(() => running.rows(`SELECT 1 FROM dropped_datagram WHERE reason = 'DUPLICATE'`).length >= 1, {
    ...WAIT,
    what: 'the repeat to be recognised',
  })
  expect(events(running)).toHaveLength(2)
  expect(chat.requests.filter(({ url }) => url === '/slack')).toHaveLength(2)
  expect(running.rows('SELECT id FROM cloud_message')).toEqual([])
}, 60_000)
