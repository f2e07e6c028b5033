/** `Butler.webhookNotification`. */
import type { z } from 'zod'
import { file, flag, list, number, object, section, text, uri, word } from '../config/fields.ts'

const HTTP_METHODS = ['GET', 'POST', 'PUT'] as const

const webhook = object(() => ({
  description: text('For people who read this file.'),
  webhookURL: uri('Address to call.'),
  httpMethod: word(HTTP_METHODS).default('POST').meta({ description: 'GET, POST or PUT.' }),
  cert: section('TLS of the call.', () => ({
    enable: flag('Trust certCA instead of the public authorities.'),
    rejectUnauthorized: flag('Refuse a server certificate that cannot be verified.', true),
    certCA: file('Certificate authority (PEM).'),
  })),
}))

function webhooks(event: string) {
  return section(`Webhooks called when ${event}.`, () => ({
    rateLimit: number('Seconds between two calls about the same task, service or licence.', 300),
    webhooks: list('Addresses to call.', webhook),
  }))
}

export const webhookNotification = section('Alerts as HTTP calls.', () => ({
  enable: flag('Call webhooks.'),
  reloadTaskFailure: webhooks('a reload task has failed'),
  reloadTaskAborted: webhooks('a reload task was aborted'),
  serviceMonitor: webhooks('a Windows service has stopped or started'),
  qlikSenseServerLicenseMonitor: webhooks('the server licence was looked at'),
  qlikSenseServerLicenseExpiryAlert: webhooks('the server licence ends soon or has ended'),
}))

export type WebhookNotificationConfig = z.output<typeof webhookNotification>
export type WebhookConfig = z.output<typeof webhook>
