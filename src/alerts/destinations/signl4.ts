/** SIGNL4: alerts to the webhook of a team. A recovery closes the alert of the same subject. */
import { requiredHttpUrl, text } from '../../config/fields.ts'
import type { Severity } from '../../events/types.ts'
import { onOneLine } from '../../platform/visible.ts'
import { cut } from '../message-text/cut.ts'
import { cleanText } from '../templates/escape.ts'
import { hostOf, httpDestination, secretsOfUrl } from './http.ts'
import { TEXT_NEEDS } from './types.ts'

/** The numbers that Butler's section uses for failed and aborted reloads. */
const SEVERITY: Readonly<Record<Severity, number>> = { critical: 1, error: 1, warning: 10, info: 10 }
const TITLE_LIMIT = 500
const MESSAGE_LIMIT = 10_000

const config = () => ({
  url: requiredHttpUrl('Webhook of the team; a secret.').meta({
    label: 'Webhook address',
    hint: 'SIGNL4: Integrations > Webhook, with the secret of the team.',
    secret: true,
  }),
  serviceName: text('Service named in the alert.', 'Qlik Sense').meta({ label: 'Name of the service', advanced: true }),
})

export const signl4 = httpDestination({
  title: 'SIGNL4',
  about: 'Alerts to the team on duty, closed when the task is well again.',
  purpose: 'incident',
  config,
  server: ({ url }) => ['url', url],
  create: ({ url, serviceName }) => ({
    needs: TEXT_NEEDS,
    showsTextOnly: true,
    target: hostOf(url),
    secrets: secretsOfUrl(url),
    render: ({ event, text, severity, kind }) => ({
      url,
      body: JSON.stringify(
        signl4Request({
          title: cut(text.title, TITLE_LIMIT),
          message: cut(text.text || text.title, MESSAGE_LIMIT),
          severity: SEVERITY[severity],
          serviceName,
          // Each task has one alert, like in Butler's section.
          externalId: event.taskId || text.key,
          resolved: kind === 'recovery',
        }),
      ),
    }),
  }),
})

export interface Signl4Alert {
  readonly title: string
  readonly message: string
  readonly severity: number
  readonly serviceName: string
  /** The same for all alerts about one subject, so that a later one can close it. */
  readonly externalId: string
  /** Closes the alert instead of raising one. */
  readonly resolved: boolean
}

export function signl4Request(alert: Signl4Alert): Readonly<Record<string, string | number>> {
  return {
    Title: onOneLine(alert.title),
    Message: cleanText(alert.message),
    Severity: alert.severity,
    'X-S4-Service': alert.serviceName,
    'X-S4-ExternalID': alert.externalId,
    'X-S4-Status': alert.resolved ? 'resolved' : 'new',
  }
}
