/** Names, logs and datagrams that would forge log lines, steer terminals or show links: nowhere do they get through. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connectAsync, type MqttClient } from 'mqtt'
import { footmanBinary, runBinary } from '../support/binary.ts'
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
const APP = 'a1000000-0000-4000-8000-000000000002'
const WAIT = { timeout: 30_000 }

const hostile = (word: string) =>
  `${word}\u202e\u001b]0;owned\u0007\nAUDIT: forged <!channel> [Reset](http://evil.example) <a> @everyone`
const [TASK_NAME, APP_NAME, USER_NAME] = [hostile('Task'), hostile('App'), hostile('User')]
/** Of the same, as it is shown: on one line, with each kind of markup escaped. */
const PLAIN = 'Task]0;owned AUDIT: forged <!channel> [Reset](http://evil.example) <a> @everyone'
const TITLE = `Reload failed: ${PLAIN}`
const ANGLES = TITLE.replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const NO_LINKS = TITLE.replace('](', '] (')
const APP_LINKLESS = 'App]0;owned AUDIT: forged <!channel> [Reset] (http://evil.example) <a> @everyone'
const LOG = [
  '20260302T070310.804+0100 \u001b[31mred\u202e <!channel>',
  '20260302T070311.804+0100 Error: [Reset](http://evil.example) <http://evil.example|x>\u0007',
].join('\r\n')

// biome-ignore lint/suspicious/noControlCharactersInRegex: these must not occur
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/
const RECORD = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:error|warn|info|verbose|debug|silly): /
const FORGED = /^(?:\s*|\S+ (?:error|warn|info|verbose|debug|silly): )AUDIT: forged/m

const SERVICES = {
  'events.pagerduty.com': { status: 202, body: '{"status":"success"}' },
  'api.opsgenie.com': { status: 202, body: '{"result":"Request will be processed"}' },
  'discord.com': { status: 200, body: '{"id":"1"}' },
  'api.telegram.org': { status: 200, body: '{"ok":true,"result":{}}' },
  'chat.googleapis.com': { status: 200, body: '{}' },
}

describe('hostile texts', () => {
  let site: TestSite
  let sink: HttpSink
  /** Stands for InfluxDB 1. */
  let points: HttpSink
  let mailbox: SmtpSink
  let broker: Mosquitto
  let services: TlsProxy
  let product: Footman
  let publisher: MqttClient
  const published: { topic: string; payload: string }[] = []
  const files = tempDirectory()

  beforeAll(async () => {
    ;[site, sink, points, mailbox, broker, services] = await Promise.all([
      startSite(),
      startHttpSink(),
      startHttpSink(),
      startSmtpSink(),
      startMosquitto(),
      startTlsProxy(SERVICES),
    ])
    points.answer(({ url }) => (url.startsWith('/write') ? { status: 204 } : { body: '{"results":[{}]}' }))
    writeFileSync(files.join('ca.pem'), services.authority)
    const caFile = files.join('ca.pem')
    const destinations = {
      mail: { type: 'email', recipients: ['team@acme.example'] },
      chat: { type: 'slack', webhookURL: `${sink.url}/slack` },
      card: { type: 'teams', webhookURL: `${sink.url}/teams` },
      line: { type: 'teams', webhookURL: `${sink.url}/basic`, messageType: 'basic' },
      hook: { type: 'webhook', url: `${sink.url}/hook` },
      phone: { type: 'ntfy', server: `${sink.url}/ntfy`, topic: 'qlik' },
      matter: { type: 'mattermost', webhookURL: `${sink.url}/mattermost` },
      duty: { type: 'signl4', url: `${sink.url}/signl4` },
      topic: { type: 'mqtt', topic: 'events/{{type}}/{{outcome}}', message: 'body' },
      pager: { type: 'pagerduty', routingKey: '0123456789abcdef0123456789abcdef', caFile },
      genie: { type: 'opsgenie', apiKey: 'opsgenie-secret', caFile },
      guild: { type: 'discord', webhookURL: 'https://discord.com/api/webhooks/1/discord-secret', caFile },
      gram: { type: 'telegram', botToken: '1:telegram-secret', chatId: -100, caFile },
      relic: { type: 'newrelic', account: ['main'] },
      otel: { type: 'otlp', endpoint: `${sink.url}/otel` },
      whole: { type: 'mqtt', topic: 'whole' },
      space: {
        type: 'googlechat',
        webhookURL: 'https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=google-secret',
        caFile,
      },
    }
    const influx = { useAppTags: true, useTaskTags: true }
    product = await footman({
      simulator: site.simulator,
      smtpPort: mailbox.port,
      mqttPort: broker.port,
      env: { HTTPS_PROXY: services.url },
      config: {
        logLevel: 'silly',
        fileLogging: true,
        logDirectory: files.join('log'),
        emailNotification: { enable: false },
        mqttConfig: { taskStartTopic: 'start' },
        incidentTool: { newRelic: { url: { event: `${sink.url}/relic`, log: `${sink.url}/relic` } } },
        thirdPartyToolsCredentials: { newRelic: [{ accountName: 'main', accountId: '7', insertApiKey: 'k' }] },
        influxDb: {
          enable: true,
          hostIP: '127.0.0.1',
          hostPort: points.port,
          dbName: 'SenseOps',
          reloadTaskFailure: { enable: true, tailScriptLogLines: 20, tag: { static: [], dynamic: influx } },
        },
        footman: {
          destinations,
          alertRoutes: [{ name: 'all', to: Object.keys(destinations), limit: 'none' }],
          mqtt: { receivedTopics: ['plant/#'] },
        },
      },
    })
    await product.start()
    publisher = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    publisher.on('message', (topic, payload) => void published.push({ topic, payload: payload.toString() }))
    await publisher.subscribeAsync(['whole', 'events/#'], { qos: 1 })
  }, 60_000)

  afterAll(async () => {
    await publisher?.endAsync(true)
    await product?.[Symbol.asyncDispose]()
    await Promise.all([
      site?.[Symbol.asyncDispose](),
      sink?.stop(),
      points?.stop(),
      mailbox?.stop(),
      broker?.stop(),
      services?.stop(),
    ])
    files.remove()
  })

  const logText = () => {
    const folder = files.join('log')
    return readdirSync(folder)
      .map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
      .join('')
  }

  function send(text: string): Promise<void> {
    const socket = createSocket('udp4')
    return new Promise((resolve, reject) =>
      socket.send(text, product.udpPort, '127.0.0.1', (error) => {
        socket.close()
        if (error) reject(error)
        else resolve()
      }),
    )
  }

  /** Through no library that would refuse it. */
  function get(path: string, headers: Record<string, string>): Promise<void> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: product.restPort, path, headers }
      request(options, (answer) => answer.resume().on('end', () => resolve()))
        .on('error', reject)
        .end()
    })
  }

  const at = async (path: string) => {
    const [found] = await sink.received(1, { ...WAIT, match: ({ url }) => url.startsWith(path) })
    return JSON.parse(found!.body)
  }
  const from = async (host: keyof typeof SERVICES) => JSON.parse((await services.received(host)).body)

  test('a failed reload: each destination shows the names of Qlik Sense, and nothing more', async () => {
    const { apps } = site.simulator.site
    const app = apps.get(APP)!
    app.name = APP_NAME
    app.owner.name = USER_NAME
    site.simulator.setTask(TASK, { name: TASK_NAME, outcome: 'fail', durationMs: 200, log: LOG })
    // The scheduler's own message comes through: its names have been sanitised, and those of Qlik Sense win.
    site.simulator.runTask(TASK)

    const hook = await at('/hook')
    expect(hook).toMatchObject({ title: TITLE, task: { id: TASK, name: TASK_NAME }, app: { id: APP, name: APP_NAME } })

    const shown: Record<string, unknown> = {}
    shown.slack = await at('/slack')
    expect(shown.slack).toMatchObject({ text: ANGLES })
    shown.teams = await at('/teams')
    const { body } = (shown.teams as { attachments: { content: { body: Record<string, unknown>[] } }[] })
      .attachments[0]!.content
    expect(body[0]).toMatchObject({ type: 'TextBlock', text: NO_LINKS })
    expect(body[1]!.facts).toContainEqual({ title: 'App', value: APP_LINKLESS })
    shown.basic = await at('/basic')
    expect(shown.basic).toMatchObject({ attachments: [{ content: { body: [{ text: NO_LINKS }] } }] })
    shown.ntfy = await at('/ntfy/')
    expect(shown.ntfy).toMatchObject({ title: TITLE })
    shown.signl4 = await at('/signl4')
    expect(shown.signl4).toMatchObject({ Title: TITLE })
    shown.pagerduty = await from('events.pagerduty.com')
    expect(shown.pagerduty).toMatchObject({ payload: { summary: TITLE } })
    shown.opsgenie = await from('api.opsgenie.com')
    expect(shown.opsgenie).toMatchObject({ message: TITLE.replace('<!', '< !').replace('<a', '< a') })
    shown.discord = await from('discord.com')
    expect(shown.discord).toMatchObject({
      content: '',
      allowed_mentions: { parse: [] },
      embeds: [{ title: NO_LINKS, fields: expect.arrayContaining([expect.objectContaining({ value: APP_LINKLESS })]) }],
    })
    shown.telegram = await from('api.telegram.org')
    expect((shown.telegram as { text: string }).text).toStartWith(`<b>${ANGLES}</b>\n`)

    shown.mattermost = await at('/mattermost')
    const defanged = ANGLES.replace('[Reset]', '\\[Reset\\]')
      .replace('Task]', 'Task\\]')
      .replace('@everyone', '@ everyone')
    expect(shown.mattermost).toMatchObject({ text: `**${defanged}**` })
    shown.googlechat = await from('chat.googleapis.com')
    // Neither a link nor a mention in its markup.
    expect((shown.googlechat as { text: string }).text).toStartWith(`*${TITLE}*\n`)

    const [mail] = await mailbox.received(1, WAIT)
    const { subject, html = '', text = '' } = mail!.parsed
    expect(subject).toBe(TITLE)
    expect(html).toContain('AUDIT: forged &lt;!channel&gt; [Reset](http://evil.example) &lt;a&gt;')
    expect(html).not.toMatch(/href="[^"]*evil|<!channel|<a>/)
    shown.mail = { subject, html, text }

    for (const [name, message] of Object.entries(shown)) {
      for (const one of textsOf(message)) expect([name, ACTING.exec(one)?.[0]]).toEqual([name, undefined])
    }
    expect(JSON.stringify([shown.teams, shown.basic, shown.discord])).not.toContain('](http')
    expect(JSON.stringify(shown.slack)).not.toMatch(/<(?:!|@|#|http:\/\/evil)/)
  }, 60_000)

  test('what records the failure has the names as they are, in one record', async () => {
    expect(await at('/relic/')).toEqual([expect.objectContaining({ qs_taskName: TASK_NAME, qs_appName: APP_NAME })])
    const { logRecords } = (await at('/otel/')).resourceLogs[0].scopeLogs[0]
    expect(logRecords).toEqual([expect.objectContaining({ body: { stringValue: TITLE } })])
    const name = { key: 'qlik.task.name', value: { stringValue: TASK_NAME } }
    expect(logRecords[0].attributes).toContainEqual(name)

    const [written] = await points.received(1, { ...WAIT, match: ({ body }) => body.includes('forged') })
    // Texts between quotes may have lines; tags have none.
    const lines = written!.body
      .replace(/"(?:[^"\\]|\\.)*"/g, '""')
      .trimEnd()
      .split('\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^reload_task_failed,/)
    expect(lines[0]).toContain(`,task_name=${TASK_NAME.replace('\n', '\\n').replaceAll(' ', '\\ ')},`)

    const payload = async (topic: string) =>
      (await until(() => published.find((one) => one.topic === topic), WAIT)).payload
    expect(JSON.parse(await payload('whole'))).toMatchObject({ taskName: TASK_NAME, appName: APP_NAME })
    expect(ACTING.exec(await payload('events/reload/failed'))).toBeNull()
  }, 60_000)

  test('datagrams, HTTP and MQTT: one line each in the log, rejected datagrams once', async () => {
    const lie = (execution: string) =>
      ['/scheduler-task-failed/', hostile('Host'), 'LIE', 'LIE', hostile('ACME\\user'), TASK, APP]
        .concat(['2026-03-02 07:03:11,482', 'INFO', execution, hostile('Message')])
        .join(';')
    await send(lie('e5000000-0000-4000-8000-00000000ffff'))
    for (let n = 0; n < 50; n += 1) await send(`\u001b]0;owned\u0007\r\nAUDIT: forged ${n};x`)
    await get(`/v4/${encodeURIComponent(hostile('path'))}`, {
      'user-agent': 'x\tAUDIT: forged',
      'x-request-id': 'a\tb',
    })
    await product.call('PUT', `/v4/reloadtask/${encodeURIComponent(hostile('id'))}/start`)
    await publisher.publishAsync('start', hostile('start'), { qos: 1 })
    await publisher.publishAsync('plant/x', hostile('plant'), { qos: 1 })
    const hits = () => sink.requests.filter(({ url }) => url === '/hook').length
    await until(() => hits() >= 2, { ...WAIT, state: hits })
    await until(() => logText().includes('AUDIT: forged 0'), WAIT)
    const lies = sink.requests.filter(({ body }) => body.includes('"LIE'))
    expect(lies).toEqual([])

    const rejected = logText()
      .split('\n')
      .filter((line) => RECORD.test(line) && line.includes(' warn: ') && line.includes('AUDIT: forged'))
      .filter((line) => line.includes('Rejected '))
    expect(rejected).toHaveLength(1)
    expect(rejected[0]).toContain('Rejected 1 message from 127.0.0.1: ')
    expect(rejected[0]).toContain('\\u001b]0;owned\\u0007\\r\\nAUDIT: forged 0')
  }, 60_000)

  const COMMANDS: readonly (readonly string[])[] = [
    ['events', 'list'],
    ['events', 'list', '--wide'],
    ['events', 'dropped'],
    ['deliveries', 'list'],
    ['tasks'],
    ['history'],
    ['history', '--summary'],
    ['history', '--format', 'csv'],
    ['routes', 'list'],
    ['routes', 'explain', '--type', 'reload', '--outcome', 'failed', '--task', TASK],
    ['destinations'],
    ['audit'],
    ['schedules', 'list'],
    ['snooze', 'list'],
    ['custom-properties'],
    ['doctor'],
    ['start-task', TASK, '--wait', '20', '--log'],
    ['start-task', hostile('no task')],
    ['fire', '--type', 'reload', '--outcome', 'failed', '--task', TASK, '--to', 'card', '--dry-run'],
  ]

  async function shownBy(args: readonly string[]): Promise<string> {
    return new Promise((resolve) => {
      const options = { cwd: product.directory.path, timeout: 40_000, maxBuffer: 1 << 26 }
      const all = [...args, '-c', product.configFile]
      execFile(footmanBinary(), all, options, (_, stdout, stderr) => resolve(`${stdout}\n${stderr}`))
    })
  }

  test.each(COMMANDS.map((args) => [args.join(' ').replace(/\P{ASCII}|\p{Cc}/gu, '?'), args] as const))(
    'footman %s',
    async (_, args) => {
      for (const form of args.includes('csv') || args[0] === 'fire' ? [[]] : [[], ['--json']]) {
        const text = await shownBy([...args, ...form])
        expect(text).not.toContain('unknown option')
        expect(text).not.toMatch(ACTING)
        expect(text).not.toMatch(/^\s*AUDIT: forged/m)
      }
    },
    90_000,
  )

  test('names are there, and seen', async () => {
    expect(await shownBy(['tasks', '--wide'])).toContain('Task\\u202e\\u001b]0;owned\\u0007\\nAUDIT: forged <!channel>')
    const event = product.rows<{ id: string }>("SELECT id FROM event WHERE outcome = 'failed' LIMIT 1")[0]!
    const delivery = product.rows<{ id: string }>("SELECT id FROM delivery WHERE destination = 'mail' LIMIT 1")[0]!
    const execution = product.rows<{ id: string }>('SELECT execution_id AS id FROM event LIMIT 1')[0]!
    for (const args of [
      ['events', 'show', event.id],
      ['deliveries', 'show', delivery.id],
      ['execution', execution.id, '--log'],
    ]) {
      const text = await shownBy(args)
      expect(text).toContain('forged')
      expect(text).not.toMatch(ACTING)
      expect(text).not.toMatch(/^\s*AUDIT: forged/m)
    }
  }, 60_000)

  test('footman events tail', async () => {
    await using tail = runBinary(['events', 'tail', '-c', product.configFile], { cwd: product.directory.path })
    const told = () => tail.stdout.join('\n')
    await until(
      async () => {
        await product.call('POST', '/v4/events/fire', { type: 'reload', outcome: 'failed', taskId: TASK, to: ['hook'] })
        return tail.stdout.length > 0
      },
      { ...WAIT, state: told },
    )
    expect(told()).not.toMatch(ACTING)
    expect(told()).not.toMatch(/^\s*AUDIT: forged/m)
  }, 60_000)

  test('log file and standard output: every line is a record of its own, or the indented rest of one', () => {
    for (const lines of [logText().replace(/\n$/, '').split('\n'), product.process.stdout]) {
      expect(lines.length).toBeGreaterThan(50)
      expect(lines.filter((line) => !RECORD.test(line) && !line.startsWith('    '))).toEqual([])
      expect(lines.filter((line) => ACTING.test(line) || line.includes('\t'))).toEqual([])
      expect(lines.filter((line) => FORGED.test(line))).toEqual([])
    }
  })
})

/** Every text in a message. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}
