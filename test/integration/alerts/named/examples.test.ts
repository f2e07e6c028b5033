/** The request of every type of destination, whole, against examples written by hand. */
import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import type { RenderInput } from '../../../../src/alerts/types.ts'
import { type HttpSink, startHttpSink } from '../../../support/http-sink.ts'
import { exampleEvent, inputFor, namedDestination } from '../../../support/named.ts'

const TEXT =
  "App: Sales Dashboard\nHost: qs-central\nStarted by: INTERNAL/sa_scheduler\nStart: 2026-03-02 07:00:01 +01:00, duration 0:03:10\nFailures in a row: 2\n\nError: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)"
const ERROR = "Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)"
const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const APP = 'a1000000-0000-4000-8000-000000000002'
const EXECUTION = 'e5000000-0000-4000-8000-000000000001'
const APP_URL = `https://qs.acme.example/sense/app/${APP}`
const KEY = `footman:reload:${TASK}`

interface Example {
  readonly settings: Parameters<typeof namedDestination>[0]
  readonly method?: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly status: number
  readonly answer?: string
  /** The whole body, or `part`: the members that are of interest. */
  readonly body?: unknown
  readonly part?: object
  readonly target: string
  /** A value of the settings that must not be seen in what is stored. */
  readonly secret?: string
  readonly recovery?: { readonly url?: string; readonly body: unknown }
}

const EXAMPLES: Readonly<Record<string, Example>> = {
  webhook: {
    settings: { type: 'webhook', url: 'https://hooks.acme.example/in/0123456789abcdef' },
    url: 'https://hooks.acme.example/in/0123456789abcdef',
    status: 204,
    target: 'hooks.acme.example',
    body: {
      version: 1,
      id: '019cad24-c0ec-7b7c-b06b-c8fb46460cb1',
      eventId: '019cad24-bb20-78e1-b80b-d70ae0784c78',
      kind: 'alert',
      type: 'reload',
      outcome: 'failed',
      severity: 'error',
      key: KEY,
      route: 'finance-ops',
      time: '2026-03-02T06:03:11.520Z',
      title: 'Reload failed: Financial Dashboard Reload',
      text: TEXT,
      host: 'qs-central',
      user: 'INTERNAL/sa_scheduler',
      message: 'Max retries reached',
      task: {
        id: TASK,
        name: 'Financial Dashboard Reload',
        tags: ['financial-reports'],
        customProperties: [{ name: 'taskGroup', value: 'financial-reports' }],
      },
      app: { id: APP, name: 'Sales Dashboard', stream: 'Finance', owner: 'LAB\\anna', url: APP_URL },
      execution: {
        id: EXECUTION,
        node: 'qs-central',
        statusText: 'FinishedFail',
        startedAt: '2026-03-02T06:00:01.120Z',
        stoppedAt: '2026-03-02T06:03:11.482Z',
        durationMs: 190362,
      },
      consecutiveFailures: 2,
      suppressedCount: 0,
      retry: null,
      chain: null,
      missingParts: [],
      links: [
        { text: 'Open app', url: APP_URL },
        { text: 'Open QMC', url: 'https://qs.acme.example/qmc' },
      ],
    },
  },
  ntfy: {
    settings: { type: 'ntfy', topic: 'acme-qlik-7f3k', token: 'tk_0123456789abcdef' },
    url: 'https://ntfy.sh/',
    headers: { authorization: 'Bearer tk_0123456789abcdef' },
    status: 200,
    target: 'ntfy.sh/**********',
    secret: 'tk_0123456789abcdef',
    body: {
      topic: 'acme-qlik-7f3k',
      title: 'Reload failed: Financial Dashboard Reload',
      message: TEXT,
      priority: 4,
      tags: ['x'],
      click: APP_URL,
      actions: [
        { action: 'view', label: 'Open app', url: APP_URL },
        { action: 'view', label: 'Open QMC', url: 'https://qs.acme.example/qmc' },
      ],
    },
  },
  pagerduty: {
    settings: { type: 'pagerduty', routingKey: '0123456789abcdef0123456789abcdef', tailScriptLogLines: 2 },
    url: 'https://events.pagerduty.com/v2/enqueue',
    status: 202,
    target: 'events.pagerduty.com',
    secret: '0123456789abcdef0123456789abcdef',
    body: {
      routing_key: '0123456789abcdef0123456789abcdef',
      event_action: 'trigger',
      dedup_key: KEY,
      client: 'Footman',
      client_url: 'https://qs.acme.example/qmc',
      links: [
        { href: APP_URL, text: 'Open app' },
        { href: 'https://qs.acme.example/qmc', text: 'Open QMC' },
      ],
      payload: {
        summary: 'Reload failed: Financial Dashboard Reload',
        timestamp: '2026-03-02T06:03:11.520Z',
        severity: 'error',
        source: 'qs-central',
        component: 'Financial Dashboard Reload',
        group: 'Finance',
        class: 'reload',
        custom_details: {
          text: TEXT,
          taskId: TASK,
          appId: APP,
          executionId: EXECUTION,
          scriptLogTail:
            '20260302T070310.804+0100      Execution Failed\n20260302T070310.804+0100      Execution finished.',
        },
      },
    },
    recovery: {
      body: { routing_key: '0123456789abcdef0123456789abcdef', event_action: 'resolve', dedup_key: KEY },
    },
  },
  opsgenie: {
    settings: {
      type: 'opsgenie',
      apiKey: '11111111-aaaa-4bbb-8ccc-222222222222',
      responders: [{ type: 'team', name: 'BI operations' }],
    },
    url: 'https://api.opsgenie.com/v2/alerts',
    headers: { authorization: 'GenieKey 11111111-aaaa-4bbb-8ccc-222222222222' },
    status: 202,
    target: 'api.opsgenie.com',
    secret: '11111111-aaaa-4bbb-8ccc-222222222222',
    body: {
      message: 'Reload failed: Financial Dashboard Reload',
      alias: KEY,
      description: TEXT,
      responders: [{ type: 'team', name: 'BI operations' }],
      tags: ['qlik', 'reload', 'failed'],
      details: { taskId: TASK, appId: APP, executionId: EXECUTION, openApp: APP_URL },
      entity: 'Financial Dashboard Reload',
      source: 'Footman qs-central',
      priority: 'P2',
    },
    recovery: {
      url: `https://api.opsgenie.com/v2/alerts/footman%3Areload%3A${TASK}/close?identifierType=alias`,
      body: { source: 'Footman qs-central', note: 'Reload recovered: Financial Dashboard Reload' },
    },
  },
  discord: {
    settings: { type: 'discord', webhookURL: 'https://discord.com/api/webhooks/123456/abcdefghijklmnop' },
    url: 'https://discord.com/api/webhooks/123456/abcdefghijklmnop?wait=true',
    status: 200,
    target: 'discord.com',
    secret: 'abcdefghijklmnop',
    body: {
      username: 'Footman',
      content: '',
      embeds: [
        {
          title: 'Reload failed: Financial Dashboard Reload',
          url: APP_URL,
          description: ERROR,
          color: 15158332,
          timestamp: '2026-03-02T06:03:11.520Z',
          fields: [
            { name: 'App', value: 'Sales Dashboard', inline: true },
            { name: 'Host', value: 'qs-central', inline: true },
            { name: 'Started by', value: 'INTERNAL/sa_scheduler', inline: true },
            { name: 'Start', value: '2026-03-02 07:00:01 +01:00, duration 0:03:10', inline: false },
            { name: 'Failures in a row', value: '2', inline: true },
          ],
          footer: { text: 'Footman - finance-ops' },
        },
      ],
      allowed_mentions: { parse: [] },
    },
  },
  'discord with roles and thread': {
    settings: {
      type: 'discord',
      webhookURL: 'https://discord.com/api/webhooks/123456/abcdefghijklmnop',
      threadId: '42',
      mentionRoles: ['123'],
    },
    url: 'https://discord.com/api/webhooks/123456/abcdefghijklmnop?wait=true&thread_id=42',
    status: 200,
    target: 'discord.com',
    part: { content: '<@&123>', allowed_mentions: { parse: [], roles: ['123'] } },
  },
  telegram: {
    settings: { type: 'telegram', botToken: '123456:ABC-DEF1234ghIkl', chatId: -1001234567890, threadId: 7 },
    url: 'https://api.telegram.org/bot123456:ABC-DEF1234ghIkl/sendMessage',
    status: 200,
    answer: '{"ok":true,"result":{}}',
    target: '-1001234567890',
    secret: '123456:ABC-DEF1234ghIkl',
    body: {
      chat_id: -1001234567890,
      message_thread_id: 7,
      text: `<b>Reload failed: Financial Dashboard Reload</b>\nApp: Sales Dashboard\nHost: qs-central\nStarted by: INTERNAL/sa_scheduler\nStart: 2026-03-02 07:00:01 +01:00, duration 0:03:10\nFailures in a row: 2\n\n<pre>${ERROR}</pre>`,
      parse_mode: 'HTML',
      disable_notification: false,
      link_preview_options: { is_disabled: true },
      reply_markup: {
        inline_keyboard: [
          [
            { text: 'Open app', url: APP_URL },
            { text: 'Open QMC', url: 'https://qs.acme.example/qmc' },
          ],
        ],
      },
    },
  },
  otlp: {
    settings: { type: 'otlp', headers: { 'x-api-key': 'otlp-secret-1' } },
    url: 'http://localhost:4318/v1/logs',
    headers: { 'x-api-key': 'otlp-secret-1', 'content-type': 'application/json' },
    status: 200,
    answer: '{}',
    target: 'localhost:4318',
    secret: 'otlp-secret-1',
    body: {
      resourceLogs: [
        {
          resource: {
            attributes: [
              { key: 'service.name', value: { stringValue: 'footman' } },
              { key: 'service.version', value: { stringValue: '1.0.0' } },
              { key: 'service.instance.id', value: { stringValue: 'qs-central' } },
            ],
          },
          scopeLogs: [
            {
              scope: { name: 'footman.events' },
              logRecords: [
                {
                  timeUnixNano: '1772431391520000000',
                  observedTimeUnixNano: '1772431391520000000',
                  severityNumber: 17,
                  severityText: 'ERROR',
                  eventName: 'qlik.reload.failed',
                  body: { stringValue: 'Reload failed: Financial Dashboard Reload' },
                  attributes: [
                    { key: 'footman.event.id', value: { stringValue: '019cad24-bb20-78e1-b80b-d70ae0784c78' } },
                    { key: 'qlik.task.id', value: { stringValue: TASK } },
                    { key: 'qlik.task.name', value: { stringValue: 'Financial Dashboard Reload' } },
                    { key: 'qlik.app.id', value: { stringValue: APP } },
                    { key: 'qlik.app.name', value: { stringValue: 'Sales Dashboard' } },
                    { key: 'qlik.execution.id', value: { stringValue: EXECUTION } },
                    { key: 'qlik.execution.duration_ms', value: { intValue: '190362' } },
                    { key: 'qlik.error', value: { stringValue: ERROR } },
                    { key: 'host.name', value: { stringValue: 'qs-central' } },
                    { key: 'user.name', value: { stringValue: 'INTERNAL/sa_scheduler' } },
                  ],
                },
              ],
            },
          ],
        },
      ],
    },
  },
}

let sink: HttpSink

beforeAll(async () => {
  sink = await startHttpSink()
})
afterEach(() => {
  sink.requests.length = 0
})
afterAll(() => sink.stop())

async function sent(example: Example, input: RenderInput) {
  sink.answer({ status: example.status, body: example.answer })
  const { send, destination, urls } = namedDestination(example.settings, { sink })
  const { message, result } = await send(input)
  await destination.close?.()
  return { request: sink.requests.at(-1)!, url: urls.at(-1), message, result, target: destination.targets(input.event) }
}

for (const [name, example] of Object.entries(EXAMPLES)) {
  test(`${name}: the request of an alert`, async () => {
    const { request, url, message, result, target } = await sent(example, inputFor(exampleEvent()))
    expect(result).toEqual({ outcome: 'delivered', detail: `HTTP ${example.status}` })
    expect(url).toBe(example.url)
    expect(request.method).toBe('POST')
    expect(request.headers).toMatchObject({
      'user-agent': 'Footman/1.0.0',
      'idempotency-key': '019cad24-c0ec-7b7c-b06b-c8fb46460cb1',
      ...example.headers,
    })
    if (example.part) expect(JSON.parse(request.body)).toMatchObject(example.part)
    else expect(request.body).toBe(JSON.stringify(example.body))
    expect(target.map((planned) => planned.target)).toEqual([example.target])
    expect(message.subject).toBe('Reload failed: Financial Dashboard Reload')
    if (example.secret)
      expect(JSON.stringify([message.body, message.subject, target, result])).not.toContain(example.secret)
  })

  const { recovery } = example
  if (!recovery) continue
  test(`${name}: the request of a recovery`, async () => {
    const event = exampleEvent({ outcome: 'success', severity: 'info' })
    const { request, url } = await sent(example, inputFor(event, { kind: 'recovery' }))
    expect(url).toBe(recovery.url ?? example.url)
    expect(request.body).toBe(JSON.stringify(recovery.body))
  })
}
