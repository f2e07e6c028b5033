/** Reads a reload from its tenant and makes the event that rules and templates see. */
import type { CloudClient, CloudLook, CloudRead, ReloadNotice, TenantSettings, Tree } from '../../qlik/cloud/types.ts'
import { cloudVariables, found } from '../../qlik/cloud/variables.ts'
import type { EmittedEvent } from '../emit.ts'
import type { MissingPart, ScriptLog } from '../types.ts'

const MAX_LOG_MESSAGE = 10_000

/** `look` = data of the tenant; null = the tenant was not asked. */
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

// Data of the tenant. Every read is optional: a part that cannot be read is reported as missing.

const PARTS: Readonly<Record<keyof CloudLook, MissingPart>> = {
  scriptLog: 'scriptLog',
  reload: 'execution',
  app: 'app',
  item: 'app',
  owner: 'owner',
}

const NAMES = Object.keys(PARTS) as (keyof CloudLook)[]

/** Reads the parts that `known` does not have yet, in parallel. */
export async function readReload(
  client: CloudClient,
  notice: ReloadNotice,
  known: CloudLook,
  timeoutMs: number,
): Promise<CloudLook> {
  const { appId, reloadId } = notice
  const settled = <T>(read: CloudRead<T> | undefined, ask: () => Promise<CloudRead<T>>) =>
    read && read.state !== 'failed' ? Promise.resolve(read) : ask()
  const app = settled(known.app, () => client.app(appId, timeoutMs))
  const owner = settled(known.owner, async () => {
    // Some events do not name the owner, the app always does.
    const ownerId = notice.ownerId || found(await app)?.ownerId || ''
    return client.user(ownerId, timeoutMs)
  })
  const [scriptLog, reload, item] = await Promise.all([
    settled(known.scriptLog, () => client.scriptLog(appId, reloadId, timeoutMs)),
    settled(known.reload, () => client.reload(reloadId, timeoutMs)),
    settled(known.item, () => client.item(appId, timeoutMs)),
  ])
  return { scriptLog, reload, item, app: await app, owner: await owner }
}

/** Milliseconds that the tenant wants to pass before the failed reads are repeated; null when none has failed. */
export function retryAfter(look: CloudLook): number | null {
  const failed = NAMES.map((name) => look[name]).filter((read) => read?.state === 'failed')
  if (failed.length === 0) return null
  return Math.max(0, ...failed.map((read) => (read?.state === 'failed' ? (read.retryAfterMs ?? 0) : 0)))
}

function missingOf(look: CloudLook): { readonly missing: MissingPart[]; readonly absent: MissingPart[] } {
  const partsWhere = (test: (read: CloudRead<unknown> | undefined) => boolean) => [
    ...new Set(NAMES.filter((name) => test(look[name])).map((name) => PARTS[name])),
  ]
  const missing = partsWhere((read) => read?.state !== 'found')
  const unreadable = partsWhere((read) => read?.state !== 'found' && read?.state !== 'absent')
  return { missing, absent: missing.filter((part) => !unreadable.includes(part)) }
}

/** `scriptLog: HTTP 503; owner: HTTP 403`, for the log. */
export function failuresOf(look: CloudLook): string {
  return NAMES.flatMap((name) => {
    const read = look[name]
    return read && read.state !== 'found' ? [`${name}: ${read.why}`] : []
  }).join('; ')
}
