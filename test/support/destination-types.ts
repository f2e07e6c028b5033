/** One row per type of destination that is an HTTP request: its request for an alert, and how its service answers. */
import type { DestinationConfig } from '../../src/alerts/config-destinations.ts'
import type { SinkAnswer } from './http-sink.ts'

const FACTS = [
  'App: Sales Dashboard',
  'Host: qs-central',
  'Started by: INTERNAL/sa_scheduler',
  'Start: 2026-03-02 07:00:01 +01:00, duration 0:03:10',
  'Failures in a row: 2',
].join('\n')
const ERROR = "Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)"
const TEXT = `${FACTS}\n\n${ERROR}`
const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const APP = 'a1000000-0000-4000-8000-000000000002'
const EXECUTION = 'e5000000-0000-4000-8000-000000000001'
const APP_URL = `https://qs.acme.example/sense/app/${APP}`
const KEY = `footman:reload:${TASK}`

export interface DestinationExample {
  readonly settings: { readonly type: DestinationConfig['type'] } & Record<string, unknown>
  /** A value of the settings that must not be seen in what is stored, shown or logged. */
  readonly secret: string
  readonly success: SinkAnswer & { readonly status: number }
  /** A 429 in the form of the service: 2 seconds. Default: `Retry-After`. */
  readonly busy?: SinkAnswer
  /** A status that means: try again. Default 500. */
  readonly failure?: number
  readonly target: string
  /** Where the request for `exampleEvent` goes. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** The whole body of that request; types without it have tests of their own. */
  readonly body?: unknown
  readonly recovery?: { readonly url?: string; readonly body: unknown }
}

export const DESTINATION_EXAMPLES: Readonly<Record<string, DestinationExample>> = {
  webhook: {
    settings: { type: 'webhook', url: 'https://hooks.acme.example/in/0123456789abcdef' },
    url: 'https://hooks.acme.example/in/0123456789abcdef',
    secret: '0123456789abcdef',
    success: { status: 204 },
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
    success: { status: 200, body: '{}' },
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
    success: { status: 202, body: '{"status":"success"}' },
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
    success: { status: 202, body: '{"result":"Request will be processed"}' },
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
    success: { status: 200, body: '{"id":"1"}' },
    busy: { status: 429, body: '{"message":"You are being rate limited.","retry_after":2,"global":false}' },
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
  telegram: {
    settings: { type: 'telegram', botToken: '123456:ABC-DEF1234ghIkl', chatId: -1001234567890, threadId: 7 },
    url: 'https://api.telegram.org/bot123456:ABC-DEF1234ghIkl/sendMessage',
    success: { status: 200, body: '{"ok":true,"result":{"message_id":1}}' },
    busy: {
      status: 429,
      body: '{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":2}}',
    },
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
    success: { status: 200, body: '{}' },
    failure: 503,
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
  slack: {
    settings: { type: 'slack', webhookURL: 'https://hooks.slack.com/services/T0/B0/slack-secret-12' },
    secret: 'slack-secret-12',
    success: { status: 200, body: 'ok' },
    target: 'hooks.slack.com',
    url: 'https://hooks.slack.com/services/T0/B0/slack-secret-12',
  },
  teams: {
    settings: {
      type: 'teams',
      webhookURL: 'https://x.logic.azure.com/workflows/teams-secret-12/run?sig=teams-secret-13',
    },
    secret: 'teams-secret-12',
    success: { status: 202 },
    failure: 502,
    target: 'x.logic.azure.com',
    url: 'https://x.logic.azure.com/workflows/teams-secret-12/run?sig=teams-secret-13',
  },
  signl4: {
    settings: { type: 'signl4', url: 'https://connect.signl4.com/webhook/signl4-secret-1' },
    secret: 'signl4-secret-1',
    success: { status: 201, body: '{"eventId":"1"}' },
    target: 'connect.signl4.com',
    url: 'https://connect.signl4.com/webhook/signl4-secret-1',
  },
  newrelic: {
    settings: { type: 'newrelic', account: ['main'] },
    secret: 'newrelic-secret-1',
    success: { status: 200, body: '{"success":true}' },
    target: 'main (event)',
    url: 'https://insights-collector.eu01.nr-data.net/v1/accounts/12345/events',
  },
  mattermost: {
    settings: { type: 'mattermost', webhookURL: 'https://chat.acme.example/hooks/mattermost-secret-1' },
    url: 'https://chat.acme.example/hooks/mattermost-secret-1',
    success: { status: 200, body: 'ok' },
    target: 'chat.acme.example',
    secret: 'mattermost-secret-1',
    body: {
      username: 'Footman',
      text: '**Reload failed: Financial Dashboard Reload**',
      attachments: [
        {
          color: '#e74c3c',
          text: [
            '**App:** Sales Dashboard',
            '**Host:** qs-central',
            '**Started by:** INTERNAL/sa_scheduler',
            '**Start:** 2026-03-02 07:00:01 +01:00, duration 0:03:10',
            '**Failures in a row:** 2',
            '',
            "Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\\\\\fs01\\\\erp\\\\orders.qvd)",
            '',
            `[Open app](${APP_URL}) | [Open QMC](https://qs.acme.example/qmc)`,
          ].join('\n'),
        },
      ],
    },
  },
  googlechat: {
    settings: {
      type: 'googlechat',
      webhookURL: 'https://chat.googleapis.com/v1/spaces/AAAAxyz/messages?key=AIzaSyA-0123&token=google-secret-1',
    },
    url: 'https://chat.googleapis.com/v1/spaces/AAAAxyz/messages?key=AIzaSyA-0123&token=google-secret-1&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD',
    success: { status: 200, body: '{"name":"spaces/AAAAxyz/messages/1"}' },
    target: 'chat.googleapis.com',
    secret: 'google-secret-1',
    body: {
      text: `*Reload failed: Financial Dashboard Reload*\n${TEXT}\n\n<${APP_URL}|Open app> | <https://qs.acme.example/qmc|Open QMC>`,
      thread: { threadKey: KEY },
    },
    recovery: {
      body: {
        text: `*Reload recovered: Financial Dashboard Reload*\n${FACTS}\n\nMax retries reached\n\n<${APP_URL}|Open app> | <https://qs.acme.example/qmc|Open QMC>`,
        thread: { threadKey: KEY },
      },
    },
  },
}
