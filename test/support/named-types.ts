/** The destinations that are one HTTP request a message: minimal settings with a secret, and how they answer. */
import type { namedDestination } from './named.ts'

export interface NamedHttpType {
  readonly settings: Parameters<typeof namedDestination>[0]
  readonly secret: string
  readonly success: { readonly status: number; readonly body?: string }
  /** A 429 in the form of the service: 2 seconds. */
  readonly busy: { readonly status: 429; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** An answer that means: try again. */
  readonly failure: number
}

const RETRY_AFTER = { status: 429, headers: { 'retry-after': '2' } } as const

export const NAMED_HTTP_TYPES: Readonly<Record<string, NamedHttpType>> = {
  webhook: {
    settings: { type: 'webhook', url: 'https://hooks.acme.example/in/hook-secret-1234' },
    secret: 'hook-secret-1234',
    success: { status: 204 },
    busy: RETRY_AFTER,
    failure: 500,
  },
  ntfy: {
    settings: { type: 'ntfy', topic: 'qlik', token: 'tk_ntfy-secret-1' },
    secret: 'tk_ntfy-secret-1',
    success: { status: 200, body: '{}' },
    busy: RETRY_AFTER,
    failure: 500,
  },
  pagerduty: {
    settings: { type: 'pagerduty', routingKey: '0123456789abcdef0123456789abcdef' },
    secret: '0123456789abcdef0123456789abcdef',
    success: { status: 202, body: '{"status":"success"}' },
    busy: RETRY_AFTER,
    failure: 500,
  },
  opsgenie: {
    settings: { type: 'opsgenie', apiKey: 'opsgenie-secret-1' },
    secret: 'opsgenie-secret-1',
    success: { status: 202, body: '{"result":"Request will be processed"}' },
    busy: RETRY_AFTER,
    failure: 500,
  },
  discord: {
    settings: { type: 'discord', webhookURL: 'https://discord.com/api/webhooks/123/discord-secret-1' },
    secret: 'discord-secret-1',
    success: { status: 200, body: '{"id":"1"}' },
    busy: { status: 429, body: '{"message":"You are being rate limited.","retry_after":2,"global":false}' },
    failure: 500,
  },
  telegram: {
    settings: { type: 'telegram', botToken: '123:telegram-secret-1', chatId: -100 },
    secret: '123:telegram-secret-1',
    success: { status: 200, body: '{"ok":true,"result":{"message_id":1}}' },
    busy: {
      status: 429,
      body: '{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":2}}',
    },
    failure: 500,
  },
  otlp: {
    settings: { type: 'otlp', endpoint: 'https://otel.acme.example', headers: { 'x-key': 'otlp-secret-1' } },
    secret: 'otlp-secret-1',
    success: { status: 200, body: '{}' },
    busy: RETRY_AFTER,
    failure: 503,
  },
  slack: {
    settings: { type: 'slack', webhookURL: 'https://hooks.slack.com/services/T0/B0/slack-secret-12' },
    secret: 'slack-secret-12',
    success: { status: 200, body: 'ok' },
    busy: RETRY_AFTER,
    failure: 500,
  },
  teams: {
    settings: {
      type: 'teams',
      webhookURL: 'https://x.logic.azure.com/workflows/teams-secret-12/run?sig=teams-secret-13',
    },
    secret: 'teams-secret-12',
    success: { status: 202 },
    busy: RETRY_AFTER,
    failure: 502,
  },
  signl4: {
    settings: { type: 'signl4', url: 'https://connect.signl4.com/webhook/signl4-secret-1' },
    secret: 'signl4-secret-1',
    success: { status: 201, body: '{"eventId":"1"}' },
    busy: RETRY_AFTER,
    failure: 500,
  },
  newrelic: {
    settings: { type: 'newrelic', account: ['main'] },
    secret: 'newrelic-secret-1',
    success: { status: 200, body: '{"success":true}' },
    busy: RETRY_AFTER,
    failure: 500,
  },
}
