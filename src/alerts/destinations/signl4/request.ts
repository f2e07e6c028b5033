/** The body of a SIGNL4 webhook; receivers rely on names and order. */
import { onOneLine } from '../../../platform/visible.ts'
import { cleanText } from '../../templates/escape.ts'

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
