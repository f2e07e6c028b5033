/** What the tenant knows about a reload. Every read is optional: what cannot be had is told, and holds nothing up. */
import type { CloudClient, CloudLook, CloudRead, ReloadNotice } from '../../qlik/cloud/types.ts'
import { found } from '../../qlik/cloud/variables.ts'
import type { MissingPart } from '../types.ts'

const PARTS: Readonly<Record<keyof CloudLook, MissingPart>> = {
  scriptLog: 'scriptLog',
  reload: 'execution',
  app: 'app',
  item: 'app',
  owner: 'owner',
}

const NAMES = Object.keys(PARTS) as (keyof CloudLook)[]

/** Asks side by side for what `known` does not have yet. */
export async function lookAtReload(
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

/** The pause the tenant asks for before what failed is worth another try; null when nothing is. */
export function retryAfter(look: CloudLook): number | null {
  const failed = NAMES.map((name) => look[name]).filter((read) => read?.state === 'failed')
  if (failed.length === 0) return null
  return Math.max(0, ...failed.map((read) => (read?.state === 'failed' ? (read.retryAfterMs ?? 0) : 0)))
}

export function missingOf(look: CloudLook): { readonly missing: MissingPart[]; readonly absent: MissingPart[] } {
  const partsWhere = (test: (read: CloudRead<unknown> | undefined) => boolean) => [
    ...new Set(NAMES.filter((name) => test(look[name])).map((name) => PARTS[name])),
  ]
  const missing = partsWhere((read) => read?.state !== 'found')
  const unreadable = partsWhere((read) => read?.state !== 'found' && read?.state !== 'absent')
  return { missing, absent: missing.filter((part) => !unreadable.includes(part)) }
}

/** `scriptLog: HTTP 503; owner: HTTP 403`, for the log. */
export function troubleOf(look: CloudLook): string {
  return NAMES.flatMap((name) => {
    const read = look[name]
    return read && read.state !== 'found' ? [`${name}: ${read.why}`] : []
  }).join('; ')
}
