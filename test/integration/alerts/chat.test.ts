/** Slack and Teams sections as routes, and what their answers mean. */
import { afterEach, describe, expect, test } from 'bun:test'
import {
  chatProblems,
  createSlackDestination,
  createTeamsDestination,
  slackRules,
  teamsRules,
} from '../../../src/alerts/butler-sections/chat.ts'
import { sampleEvent } from '../../../src/alerts/sample-event.ts'
import type { DeliveryResult } from '../../../src/alerts/types.ts'
import { butler } from '../../../src/app/schema.ts'
import type { TaskEvent } from '../../../src/events/types.ts'
import { fullEvent, LINKS, renderInput, STOCKHOLM, templateEngine } from '../../support/alerts.ts'
import { TASK_ID } from '../../support/events.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { slackFaults } from '../../support/slack-blocks.ts'
import { repositoryRoot } from '../../support/source.ts'

const never = new AbortController().signal
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function sink(): Promise<HttpSink> {
  const server = await startHttpSink()
  cleanups.push(() => server.stop())
  return server
}

const CHANNELS = {
  slack: { create: createSlackDestination, routes: slackRules },
  teams: { create: createTeamsDestination, routes: teamsRules },
} as const
type Channel = keyof typeof CHANNELS

/** The same settings for both channels; sections of services are always there. */
function configured(
  url: string,
  { section = {}, chat = {}, more = {} }: { section?: object; chat?: object; more?: object } = {},
) {
  const common = { webhookURL: url, ...section }
  const notification = {
    enable: true,
    reloadTaskFailure: { enable: true, ...common },
    reloadTaskAborted: { enable: true, ...common },
    serviceStopped: common,
    serviceStarted: common,
    ...chat,
  }
  return butler.parse({
    ...LINKS,
    slackNotification: notification,
    teamsNotification: notification,
    serviceMonitor: { enable: true, alertDestination: { slack: { enable: true }, teams: { enable: true } } },
    ...more,
  })
}

type Config = ReturnType<typeof configured>

function sender(channel: Channel, config: Config, timeoutMs?: number) {
  const log = recordingLog()
  const clock = { now: () => Date.parse('2026-03-02T06:00:00.000Z') }
  const deps = { clock, log, engine: templateEngine(['/']), times: STOCKHOLM, ...(timeoutMs ? { timeoutMs } : {}) }
  const destination = CHANNELS[channel].create(deps, config)
  cleanups.push(() => destination.close?.())
  return {
    log,
    async send(event: TaskEvent = fullEvent()): Promise<DeliveryResult> {
      const route = CHANNELS[channel]
        .routes(config)
        .find(({ when }) => when.types.includes(event.type) && when.outcomes.includes(event.outcome))!
      const message = await destination.render(renderInput(route, event))
      const [result] = await destination.deliver([message], never)
      return result!
    },
  }
}

describe.each(['slack', 'teams'] as const)('%s: the routes', (channel) => {
  const url = 'https://chat.acme.example/services/secret'
  const names = (config: Config) => CHANNELS[channel].routes(config).map(({ name }) => name)
  const base = `butler.${channel}Notification`
  const ALL = ['reloadTaskFailure', 'reloadTaskAborted', 'serviceStopped', 'serviceStarted']

  test('one per section, which its switches switch', () => {
    expect(names(configured(url))).toEqual(ALL.map((section) => `${base}.${section}`))
    expect(names(configured(url, { chat: { enable: false } }))).toEqual([])
    expect(names(configured(url, { section: { enable: false } }))).toEqual([
      `${base}.serviceStopped`,
      `${base}.serviceStarted`,
    ])
    expect(names(configured(url, { more: { serviceMonitor: {} } }))).toEqual([
      `${base}.reloadTaskFailure`,
      `${base}.reloadTaskAborted`,
    ])
  })

  test('windows count by task, and by host and service for stop and start apart', () => {
    const config = configured(url, { section: { rateLimit: 30 } })
    const keys = CHANNELS[channel].routes(config).map((route) => {
      const event =
        route.when.types[0] === 'service' ? sampleEvent('x', route.when.outcomes[0]!, 0, 'service') : fullEvent()
      const [planned] = route.plan(event)
      expect(planned!.limit!.windowMs).toBe(30_000)
      expect(planned!.lane).toBe(`${channel}:https://chat.acme.example:443`)
      expect(JSON.stringify(planned)).not.toContain('secret')
      return planned!.limit!.key
    })
    const service = 'sample-host|QlikSenseEngineService'
    expect(keys).toEqual([TASK_ID, TASK_ID, service, service].map((subject, i) => `${base}.${ALL[i]}|${subject}`))
  })

  test('the script log is asked for only when it is shown', () => {
    const needs = (section: object) => CHANNELS[channel].routes(configured(url, { section }))[0]!.needs
    expect(needs({})).toContain('scriptLog')
    expect(needs({ headScriptLogLines: 0, tailScriptLogLines: 0 })).not.toContain('scriptLog')
    expect(needs({ messageType: 'basic' })).not.toContain('scriptLog')
    expect(needs({ messageType: 'basic', basicMsgTemplate: '{{scriptLogTail}}' })).toContain('scriptLog')
  })

  test('an address that cannot be called is said', () => {
    const [planned] = CHANNELS[channel].routes(configured('ftp://x/secret'))[0]!.plan(fullEvent())
    expect(planned!.suppress).toMatchObject({ reason: 'RECIPIENT_INVALID' })
  })

  test('of Qlik Cloud: own switches, the tag, the app as key of the window', () => {
    const cloud = (alert: object, enable = true) => ({
      slackNotification: {},
      teamsNotification: {},
      qlikSenseCloud: {
        enable,
        event: { mqtt: { tenant: { alert: { [`${channel}Notification`]: { reloadAppFailure: alert } } } } },
      },
    })
    const route = (alert: object, enable?: boolean) =>
      CHANNELS[channel].routes(configured(url, { more: cloud({ webhookURL: url, ...alert }, enable) }))
    const event = sampleEvent('x', 'failed', 0, 'cloudReload')
    expect(route({ enable: true }, false)).toEqual([])
    expect(route({ enable: false })).toEqual([])
    const [plain] = route({ enable: true })
    expect(plain!.name).toBe(`butler.qlikSenseCloud.${channel}Notification.reloadAppFailure`)
    expect(plain!.plan(event)[0]!.limit!.key).toBe(`${plain!.name}|${event.appId}`)
    const tagged = (tag: string) => route({ enable: true, alertEnableByTag: { enable: true, tag } })[0]!
    expect(tagged('sample-app-tag').plan(event)[0]!.suppress).toBeUndefined()
    expect(tagged('other').plan(event)[0]!.suppress).toEqual({
      reason: 'TAG',
      detail: 'the app has no tag "other"',
      by: { tag: { name: 'other' } },
    })
    const unread = { ...event, details: { kind: 'cloudReload' as const, variables: {} } }
    expect(tagged('other').plan(unread)[0]!.suppress).toBeUndefined()
  })
})

describe.each(['slack', 'teams'] as const)('%s: the request', (channel) => {
  test('is JSON with a stable key', async () => {
    const server = await sink()
    expect(await sender(channel, configured(`${server.url}/hook?sig=1`)).send()).toEqual({
      outcome: 'delivered',
      detail: 'HTTP 200',
    })
    const [request] = server.requests
    expect(request).toMatchObject({ method: 'POST', url: '/hook?sig=1' })
    expect(request!.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'idempotency-key': '019cad24-c0ec-7b7c-b06b-c8fb46460cb1',
    })
    expect(JSON.parse(request!.body)).toBeObject()
  })

  const ANSWERS: readonly (readonly [number, Record<string, string>, object])[] = [
    [202, {}, { outcome: 'delivered' }],
    [302, { location: 'https://login.acme.example' }, { outcome: 'rejected' }],
    [401, {}, { outcome: 'retry', slow: true }],
    [404, {}, { outcome: 'retry', slow: true }],
    [410, {}, { outcome: 'rejected' }],
    [413, {}, { outcome: 'rejected' }],
    [429, { 'retry-after': '7' }, { outcome: 'retry', retryAfterMs: 7000 }],
    [503, {}, { outcome: 'retry' }],
  ]
  test.each(ANSWERS)('answered with %d', async (status, headers, expected) => {
    const server = await sink()
    server.answer({ status, headers })
    const { send } = sender(channel, configured(server.url))
    expect(await send()).toMatchObject({ ...expected, detail: `HTTP ${status}` })
    expect(server.requests).toHaveLength(1)
  })

  test('without an answer says why, and never where to', async () => {
    const server = await sink()
    const { send, log } = sender(channel, configured(`${server.url}/secret-path`), 100)
    server.answer({ hang: true })
    expect(await send()).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('did not answer within') })
    await server.down()
    const refused = await send()
    expect(refused).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('refused the connection') })
    expect(JSON.stringify([refused, log.lines])).not.toContain('secret-path')
  })
})

describe('Slack answers in words', () => {
  test('that are told', async () => {
    const server = await sink()
    server.answer({ status: 403, body: 'invalid_token' })
    expect(await sender('slack', configured(server.url)).send()).toEqual({
      outcome: 'retry',
      detail: 'HTTP 403: invalid_token',
      slow: true,
    })
  })

  test('blocks that it refuses are followed by the same in plain words', async () => {
    const server = await sink()
    server.answerOnce({ status: 400, body: 'invalid_blocks' })
    const result = await sender('slack', configured(server.url)).send()
    expect(result).toMatchObject({ outcome: 'delivered', detail: expect.stringContaining('invalid_blocks') })
    const plain = JSON.parse(server.requests[1]!.body)
    expect(plain).toEqual({
      username: 'Qlik Sense',
      channel: 'sense-task-failure',
      icon_emoji: ':ghost:',
      text: "Reload failed: Sales DW - hourly\nApp: Sales DW\nHost: qs-prod-1\nError: Field 'Amount' not found",
    })
    expect(slackFaults(plain)).toEqual([])
  })

  test('a message that it refuses in any form is given up', async () => {
    const server = await sink()
    server.answer({ status: 400, body: 'invalid_payload' })
    expect(await sender('slack', configured(server.url)).send()).toEqual({
      outcome: 'rejected',
      detail: 'HTTP 400: invalid_payload',
    })
    expect(server.requests).toHaveLength(2)
  })

  test('a workflow that says no has not taken it', async () => {
    const server = await sink()
    server.answer({ body: '{"ok":false,"error":"x"}' })
    expect(await sender('slack', configured(server.url)).send()).toMatchObject({ outcome: 'rejected' })
  })
})

test('a connector of Teams that hides an error behind status 200 has not taken the message', async () => {
  const server = await sink()
  const text =
    'Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x'
  server.answer({ body: text })
  expect(await sender('teams', configured(server.url)).send()).toEqual({ outcome: 'retry', detail: 'HTTP 429' })
})

describe.each(['slack', 'teams'] as const)('%s: settings of one channel', (channel) => {
  test('basicContentOnly takes the script log from this channel and from no other', async () => {
    const server = await sink()
    const alert = { enable: true, webhookURL: server.url }
    const tenant = {
      alert: {
        slackNotification: { reloadAppFailure: { ...alert, basicContentOnly: channel === 'slack' } },
        teamsNotification: { reloadAppFailure: { ...alert, basicContentOnly: channel === 'teams' } },
      },
    }
    const config = configured(server.url, { more: { qlikSenseCloud: { enable: true, event: { mqtt: { tenant } } } } })
    const event = sampleEvent('x', 'failed', 0, 'cloudReload')
    await sender('slack', config).send(event)
    await sender('teams', config).send(event)
    const shows = server.requests.map(({ body }) => body.includes('SET x=1'))
    expect(shows).toEqual(channel === 'slack' ? [false, true] : [true, false])
  })

  test('templates are checked before an alert needs them', async () => {
    const problems = async (section: object) =>
      (await chatProblems(templateEngine(['/']), configured('https://x', { section })))
        .filter(({ path }) => path.startsWith(`Butler.${channel}Notification.reloadTaskFailure`))
        .map(({ severity, path, message }) => `${severity} ${path.split('.').pop()}: ${message}`)
    expect(await problems({})).toEqual([])
    const file = `${repositoryRoot}/test/fixtures/templates/${channel}-user.handlebars`
    expect(await problems({ templateFile: file })).toEqual([])
    expect(await problems({ templateFile: '/nowhere.handlebars' })).toEqual([
      'warning templateFile: there is no template "/nowhere.handlebars" (looked for /nowhere.handlebars); the built-in one is used',
    ])
    expect(await problems({ templateFile: '/nowhere.html' })).toEqual([
      'warning templateFile: "/nowhere.html" is no name of a template; the built-in one is used',
    ])
    expect(await problems({ templateFile: `${repositoryRoot}/templates/email/layout.eta` })).toHaveLength(1)
    expect(await problems({ messageType: 'basic', basicMsgTemplate: '{{#if' })).toHaveLength(1)
  })
})
