/** A failed reload reaches every type of named destination, and its end closes incidents, through the executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { connectAsync, type MqttClient } from 'mqtt'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { tempDirectory } from '../support/temp.ts'
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const KEY = `footman:reload:${TASK}`
const TITLE = 'Reload failed: Financial Dashboard Reload'
const WAIT = { timeout: 30_000 }

const SERVICES = {
  'events.pagerduty.com': { status: 202, body: '{"status":"success"}' },
  'api.opsgenie.com': { status: 202, body: '{"result":"Request will be processed"}' },
  'discord.com': { status: 200, body: '{"id":"1"}' },
  'api.telegram.org': { status: 200, body: '{"ok":true,"result":{}}' },
  'chat.googleapis.com': { status: 200, body: '{"name":"spaces/A/messages/1"}' },
}
const SECRETS = [
  'pagerduty-secret-0123456789abcde',
  'opsgenie-secret',
  'discord-secret-1',
  '1:telegram-secret',
  'google-secret-1',
]

describe('named destinations of the executable', () => {
  let site: TestSite
  let sink: HttpSink
  let mailbox: SmtpSink
  let broker: Mosquitto
  let services: TlsProxy
  let product: Footman
  let subscriber: MqttClient
  const files = tempDirectory()
  const published: { topic: string; payload: string }[] = []

  beforeAll(async () => {
    ;[site, sink, mailbox, broker, services] = await Promise.all([
      startSite(),
      startHttpSink(),
      startSmtpSink(),
      startMosquitto(),
      startTlsProxy(SERVICES),
    ])
    writeFileSync(files.join('ca.pem'), services.authority)
    subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    subscriber.on('message', (topic, payload) => void published.push({ topic, payload: payload.toString() }))
    await subscriber.subscribeAsync('events/#', { qos: 1 })
    const caFile = files.join('ca.pem')
    const destinations = {
      mail: { type: 'email', recipients: ['team@acme.example'] },
      chat: { type: 'slack', webhookURL: `${sink.url}/slack` },
      card: { type: 'teams', webhookURL: `${sink.url}/teams` },
      hook: { type: 'webhook', url: `${sink.url}/hook` },
      phone: { type: 'ntfy', server: `${sink.url}/ntfy`, topic: 'acme-qlik-7f3k' },
      matter: { type: 'mattermost', webhookURL: `${sink.url}/matter/mattermost-secret-1` },
      duty: { type: 'signl4', url: `${sink.url}/signl4` },
      relic: { type: 'newrelic', account: ['main'] },
      logs: { type: 'otlp', endpoint: `${sink.url}/otel` },
      topic: { type: 'mqtt', topic: 'events/{{type}}/{{outcome}}', message: 'body' },
      pager: { type: 'pagerduty', routingKey: SECRETS[0], caFile },
      genie: { type: 'opsgenie', apiKey: SECRETS[1], caFile },
      guild: { type: 'discord', webhookURL: `https://discord.com/api/webhooks/1/${SECRETS[2]}`, caFile },
      gram: { type: 'telegram', botToken: SECRETS[3], chatId: -100, caFile },
      space: {
        type: 'googlechat',
        webhookURL: `https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=${SECRETS[4]}`,
        caFile,
      },
    }
    product = await footman({
      simulator: site.simulator,
      smtpPort: mailbox.port,
      mqttPort: broker.port,
      env: { HTTPS_PROXY: services.url },
      config: {
        emailNotification: { enable: false },
        incidentTool: { newRelic: { url: { event: `${sink.url}/relic`, log: `${sink.url}/relic` } } },
        thirdPartyToolsCredentials: {
          newRelic: [{ accountName: 'main', accountId: '7', insertApiKey: 'newrelic-secret' }],
        },
        footman: {
          destinations,
          alertRoutes: [{ name: 'all', to: Object.keys(destinations), limit: 'none', recovery: 'auto' }],
        },
      },
    })
    await product.start()
  }, 60_000)

  afterAll(async () => {
    await subscriber?.endAsync(true)
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop(), mailbox?.stop(), broker?.stop(), services?.stop()])
    files.remove()
  })

  const at = async (path: string) => {
    const [request] = await sink.received(1, { ...WAIT, match: ({ url }) => url.startsWith(path) })
    return JSON.parse(request!.body) as Record<string, unknown>
  }
  const from = async (host: keyof typeof SERVICES) => {
    const { url, body } = await services.received(host)
    return { url, body: JSON.parse(body) as Record<string, unknown> }
  }

  test('one failure, every destination', async () => {
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 200 })
    site.simulator.runTask(TASK)

    expect(await at('/hook')).toMatchObject({ version: 1, route: 'all', key: KEY, title: TITLE, kind: 'alert' })
    expect(await at('/slack')).toMatchObject({ text: TITLE, username: 'Qlik Sense' })
    expect(await at('/teams')).toMatchObject({ type: 'message' })
    expect(await at('/ntfy/')).toMatchObject({ topic: 'acme-qlik-7f3k', title: TITLE, priority: 4 })
    expect(await at('/matter/')).toMatchObject({ username: 'Footman', text: `**${TITLE}**` })
    expect(await at('/signl4')).toMatchObject({ Title: TITLE, 'X-S4-ExternalID': TASK, 'X-S4-Status': 'new' })
    expect(await at('/relic/v1/accounts/7/events')).toMatchObject([{ eventType: 'qs_reloadTaskFailedEvent' }])
    expect(JSON.stringify(await at('/otel/v1/logs'))).toContain('"eventName":"qlik.reload.failed"')
    const [mail] = await mailbox.received(1, WAIT)
    expect(mail!.parsed.subject).toBe(TITLE)
    await until(() => published.length > 0, WAIT)
    expect(published[0]!.topic).toBe('events/reload/failed')
    expect(published[0]!.payload).toMatch(/^App: Sales Dashboard\nHost: /)

    expect(await from('events.pagerduty.com')).toMatchObject({
      url: 'https://events.pagerduty.com/v2/enqueue',
      body: { routing_key: SECRETS[0], event_action: 'trigger', dedup_key: KEY, payload: { summary: TITLE } },
    })
    expect(await from('api.opsgenie.com')).toMatchObject({
      url: 'https://api.opsgenie.com/v2/alerts',
      body: { message: TITLE, alias: KEY, priority: 'P2' },
    })
    expect(await from('discord.com')).toMatchObject({
      url: `https://discord.com/api/webhooks/1/${SECRETS[2]}?wait=true`,
      body: { embeds: [{ title: TITLE }] },
    })
    expect(await from('api.telegram.org')).toMatchObject({
      url: `https://api.telegram.org/bot${SECRETS[3]}/sendMessage`,
      body: { chat_id: -100, parse_mode: 'HTML' },
    })
    const threaded = 'messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD'
    expect(await from('chat.googleapis.com')).toMatchObject({
      url: `https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=${SECRETS[4]}&${threaded}`,
      body: { text: expect.stringContaining(`*${TITLE}*\nApp: Sales Dashboard\n`), thread: { threadKey: KEY } },
    })
  }, 60_000)

  test('all are delivered once, and no secret is stored or logged', async () => {
    interface Row {
      readonly state: string
      readonly attempts: number
    }
    const rows = () => product.rows<Row>("SELECT * FROM delivery WHERE kind = 'alert' AND route = 'all'")
    await until(() => rows().length === 15 && rows().every(({ state }) => state === 'delivered'), {
      ...WAIT,
      state: rows,
    })
    expect(rows().map(({ attempts }) => attempts)).toEqual(Array(15).fill(1))
    const seen = JSON.stringify([
      product.rows('SELECT * FROM delivery'),
      product.rows('SELECT * FROM delivery_attempt'),
      product.process.stdout,
      await (await product.call('GET', '/v4/destinations')).json(),
      await (await product.call('GET', '/v4/deliveries')).json(),
    ])
    for (const secret of [...SECRETS, 'newrelic-secret', 'acme-qlik-7f3k', 'mattermost-secret-1'])
      expect(seen).not.toContain(secret)
  }, 60_000)

  test('a success closes the incidents', async () => {
    site.simulator.setTask(TASK, { outcome: 'success', durationMs: 200 })
    site.simulator.runTask(TASK)
    const bodies = () => services.requests.map(({ body }) => body)
    const closed = (): boolean => bodies().some((body) => body.includes('"event_action":"resolve"'))
    await until(closed, { ...WAIT, state: bodies })
    await until(() => services.requests.some(({ url }) => url.endsWith('/close?identifierType=alias')), WAIT)
    await sink.received(1, { ...WAIT, match: ({ url, body }) => url === '/signl4' && body.includes('"resolved"') })
  }, 60_000)
})
