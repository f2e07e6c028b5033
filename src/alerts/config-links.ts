/** Links offered to every alert template. */
import type { z } from 'zod'
import { list, object, section, text, uri } from '../config/fields.ts'

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
