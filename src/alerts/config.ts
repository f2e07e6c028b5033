/** The sections of alerts: retention and links here, one file for each kind of destination. */
import type { z } from 'zod'
import { duration, list, object, section, text, uri } from '../config/fields.ts'

export * from './config-chat.ts'
export * from './config-destinations.ts'
export * from './config-email.ts'
export * from './config-incident.ts'
export * from './config-routes.ts'
export * from './config-webhook.ts'

const DAY = 24 * 3600 * 1000
const KEEP = { min: DAY, max: 3650 * DAY }

export const retention = section('How long records are kept.', () => ({
  events: duration('Events with their deliveries and stored script logs.', '30d', KEEP),
  history: duration('Executions.', '400d', KEEP),
  scheduleRuns: duration('Runs of schedules.', '90d', KEEP),
  audit: duration('Audit.', '90d', KEEP),
}))

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
