/** The fixed payload of reload webhooks; receivers rely on names and order. */
import type { TaskEvent } from '../../../events/types.ts'
import { formatUser } from '../../record.ts'
import type { WebhookKind } from './hooks.ts'

/** The same fields for GET (query) and POST/PUT (JSON); what is unknown is an empty text. */
export function webhookPayload(event: TaskEvent, kind: WebhookKind): Readonly<Record<string, string>> {
  const { owner, app } = event
  return {
    event: kind.event,
    hostName: event.host,
    user: formatUser(event.user, kind.userForm),
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

/** The configured address with the payload appended to whatever query it has; blanks become `+`. */
export function withQuery(address: string, payload: Readonly<Record<string, string>>): string {
  const url = new URL(address)
  const own = url.search.replace(/^\?/, '')
  url.search = [own, new URLSearchParams(payload).toString()].filter(Boolean).join('&')
  return url.href
}
