/** The sections of alerts: delivery, retention and links here, one file for each kind of destination. */
import type { z } from 'zod'
import { count, duration, list, object, section, text, uri } from '../config/fields.ts'

export * from './config-chat.ts'
export * from './config-destinations.ts'
export * from './config-email.ts'
export * from './config-incident.ts'
export * from './config-routes.ts'
export * from './config-webhook.ts'

const DAY = 24 * 3600 * 1000
const KEEP = { min: DAY, max: 3650 * DAY }

export const delivery = section('From event to delivered message.', () => ({
  enrichmentTimeout: duration(
    'How long failed and aborted events wait for data of Qlik Sense; 0s = never. Then the alert says what is missing.',
    '60s',
    { min: 0 },
  ),
  finalStatusTimeout: duration('How long success events wait for their final status.', '10m', { min: 0 }),
  maxAge: duration('Messages that could not be delivered for this long are given up and kept for resending.', '24h'),
  influxDbMaxAge: duration('The same for InfluxDB.', '7d'),
  retryFirst: duration('Wait before the second attempt; it doubles with each further one.', '5s'),
  retryMax: duration('Longest wait between two attempts.', '15m'),
  concurrency: count('Messages sent to a destination at the same time.', 4, { min: 1, max: 64 }),
  maxBacklog: count('Events waiting at most; more are refused.', 1_000_000, { min: 1, max: 100_000_000 }),
  memoryBacklog: count(
    'Messages kept in memory while the data directory cannot be written (disk full, disk gone); more are refused.',
    10_000,
    { min: 0, max: 1_000_000 },
  ),
}))

export const retention = section('How long records are kept.', () => ({
  events: duration('Events with their deliveries and stored script logs.', '30d', KEEP),
  history: duration('Executions.', '400d', KEEP),
  scheduleRuns: duration('Runs of schedules.', '90d', KEEP),
  audit: duration('Audit.', '90d', KEEP),
}))

export type DeliveryConfig = z.output<typeof delivery>
export type RetentionConfig = z.output<typeof retention>

export const qlikSenseUrls = section('Addresses of Qlik Sense, for links in alerts.', () => ({
  qmc: uri('Management console.'),
  hub: uri('Hub.'),
  appBaseUrl: uri('Address to which an app id is appended.', '', { defaultText: '<hub without /hub>/sense/app' }),
})).transform((value) => ({ ...value, appBaseUrl: value.appBaseUrl || appBaseUrlOf(value.hub) }))

function appBaseUrlOf(hub: string): string {
  return hub === '' ? '' : `${hub.replace(/\/+$/, '').replace(/\/hub$/, '')}/sense/app`
}

export const genericUrls = list(
  'Free links, handed to every alert template.',
  object(() => ({
    id: text('Name of the link in templates.'),
    linkText: text('Text of the link.'),
    comment: text('For people who read this file.'),
    url: uri('Address.'),
  })),
)

export type QlikSenseUrls = z.output<typeof qlikSenseUrls>
export type GenericUrl = z.output<typeof genericUrls>[number]
