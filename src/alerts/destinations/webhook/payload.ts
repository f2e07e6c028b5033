/** The fixed payloads of webhooks; receivers rely on names and order. */
import type { TaskEvent } from '../../../events/types.ts'
import { formatUser, type UserForm } from '../../record.ts'

export type WebhookFields = Readonly<Record<string, string | number | boolean | null>>

/** A reload of a task: the same for GET (query) and POST/PUT (JSON); what is unknown is an empty text. */
export function reloadFields(event: TaskEvent, what: string, userForm: UserForm): WebhookFields {
  const { owner, app } = event
  return {
    event: what,
    hostName: event.host,
    user: formatUser(event.user, userForm),
    taskName: event.taskName || event.task?.name || '',
    taskId: event.taskId,
    appName: event.appName || app?.name || '',
    appId: event.appId || app?.id || '',
    appOwnerName: owner?.userName ?? app?.owner?.name ?? '',
    appOwnerUserDirectory: owner?.directory ?? app?.owner?.userDirectory ?? '',
    appOwnerUserId: owner?.userId ?? app?.owner?.userId ?? '',
    appOwnerEmail: owner?.emails[0] ?? '',
    logTimeStamp: event.logTimeStamp,
    logLevel: event.logLevel,
    executionId: event.executionId,
    logMessage: event.logMessage,
  }
}

/** A Windows service whose state has changed. */
export function serviceFields({ host, details }: TaskEvent): WebhookFields {
  if (details?.kind !== 'service') throw new Error('the event says nothing about a service')
  return {
    event: 'Windows service monitor',
    host,
    serviceStatus: details.status,
    serviceName: details.serviceName,
    serviceDisplayName: details.displayName,
    serviceStartType: details.startType,
    prevState: details.previousStatus,
    currState: details.status,
    stateChanged: details.previousStatus !== details.status,
  }
}

/** The licence of the Qlik Sense server; date and days are null when it never ends. */
export function licenseFields({ details }: TaskEvent, what: string): WebhookFields {
  if (details?.kind !== 'license') throw new Error('the event says nothing about a licence')
  const { expired, expiryDate, daysRemaining } = details
  return {
    event: what,
    licenseExpired: expired,
    expiryDateStr: expiryDate?.slice(0, 10) ?? null,
    daysUntilExpiry: daysRemaining,
  }
}

/** The configured address with the payload appended to whatever query it has; blanks become `+`. */
export function withQuery(address: string, fields: WebhookFields, lowerCase = false): string {
  const url = new URL(address)
  const own = url.search.replace(/^\?/, '')
  const texts = Object.entries(fields).map(([name, value]) => [lowerCase ? name.toLowerCase() : name, `${value ?? ''}`])
  url.search = [own, new URLSearchParams(texts).toString()].filter(Boolean).join('&')
  return url.href
}
