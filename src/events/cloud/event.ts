/** From what the event and the tenant say to the event that routes and templates see. */
import type { CloudLook, ReloadNotice, TenantSettings, Tree } from '../../qlik/cloud/types.ts'
import { cloudVariables, found } from '../../qlik/cloud/variables.ts'
import type { EmittedEvent } from '../emit.ts'
import type { ScriptLog } from '../types.ts'
import { missingOf } from './look.ts'

const MAX_LOG_MESSAGE = 10_000

/** `look` null = the tenant was not asked. */
export function cloudEvent(
  notice: ReloadNotice,
  look: CloudLook | null,
  tenant: TenantSettings,
  receivedAt: number,
): EmittedEvent {
  const scriptLog = scriptLogOf(found(look?.scriptLog))
  const variables = cloudVariables(notice, look ?? {}, tenant)
  const { missing, absent } = look ? missingOf(look) : { missing: [], absent: [] }
  return {
    source: 'cloud',
    type: 'cloudReload',
    outcome: notice.outcome,
    receivedAt,
    scriptLog,
    message: {
      host: hostOf(tenant.tenantUrl),
      user: notice.userId,
      appId: notice.appId,
      appName: String(variables.appName),
      executionId: notice.reloadId,
      logTimeStamp: notice.time,
      logMessage: String(variables.errorMessage || firstError(notice.data) || '').slice(0, MAX_LOG_MESSAGE),
    },
    details: { kind: 'cloudReload', variables },
    missingParts: missing,
    absentParts: absent,
  }
}

function scriptLogOf(text: string | null): ScriptLog | null {
  return text === null ? null : { lines: text.split(/\r?\n/), characters: text.length }
}

/** Errors are texts or `{title}`. */
function firstError({ errors }: Tree): string {
  const first: unknown = Array.isArray(errors) ? errors[0] : null
  if (typeof first === 'string') return first
  const title = (first as Tree | null)?.title
  return typeof title === 'string' ? title : ''
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}
