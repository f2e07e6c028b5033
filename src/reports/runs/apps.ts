/** The apps of a run: its sessions at the engine, under the selections that a document or a condition needs. */
import type { AppliedData, OpenData } from '../data/index.ts'
import { withEngineRetries } from '../data/retry.ts'
import type { QlikUser } from '../entities/recipient.ts'
import type { CycleValue, Warn } from '../types.ts'
import { selectionsOf } from './cycles.ts'
import type { PrepareDeps, PrepareRequest } from './request.ts'

/** An app and the selections in it. Filters that are bound to another app do not concern it. */
export interface Scope {
  readonly appId: string
  readonly filterIds: readonly string[]
  /** Absent = the user of the configuration. */
  readonly user?: QlikUser | null
  readonly cycle?: readonly CycleValue[]
  /** Key of the report that warnings of all sessions are about from now on; absent = as before. */
  readonly report?: string
}

export interface Apps {
  /** The result of an earlier call for the app cannot be used any more. Rejects with a `ReportError`. */
  apply(scope: Scope): Promise<AppliedData>
  /** Work that asks apps, again after a lost engine: it opens them itself, by `apply`. */
  retried<T>(work: () => Promise<T>): Promise<T>
  /** Work with an app, again after a lost engine. */
  within<T>(scope: Scope, work: (applied: AppliedData) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export function createApps(
  { openApp, note, line, signal }: Pick<PrepareDeps, 'openApp' | 'note' | 'line' | 'signal'>,
  { definition, settings }: Pick<PrepareRequest, 'definition' | 'settings'>,
): Apps {
  const sessions = new Map<string, OpenData>()
  /** One session serves several reports: a warning belongs to the report that is being made. */
  let report: string | undefined
  const warn: Warn = (code, details, block) =>
    note({ code, details, ...(report !== undefined && { report }), ...(block !== undefined && { block }) })

  async function session(appId: string, user: QlikUser | null): Promise<OpenData> {
    const key = JSON.stringify([appId, user])
    const open = sessions.get(key)
    if (open) return open
    // One identity at a time: sessions of people cost licences and memory of the engine.
    if (user) await close()
    const opened = await openApp({ appId, user, warn })
    sessions.set(key, opened)
    return opened
  }

  async function close(): Promise<void> {
    const open = [...sessions.values()]
    sessions.clear()
    await Promise.all(open.map((one) => one.close().catch(() => undefined)))
  }

  const filtersOf = ({ filterIds, appId }: Scope) =>
    filterIds.flatMap((id) => {
      const filter = definition.filters.find((one) => one.id === id)
      return filter && (filter.appId === null || filter.appId === appId) ? [filter] : []
    })

  async function apply(scope: Scope): Promise<AppliedData> {
    const { appId, user = null, cycle = [] } = scope
    report = scope.report ?? report
    return (await session(appId, user)).apply(filtersOf(scope), selectionsOf(cycle))
  }

  const retried = <T>(work: () => Promise<T>): Promise<T> =>
    withEngineRetries(
      async (attempt) => {
        if (attempt > 1) await close()
        return work()
      },
      { line, signal, pausesMs: settings.engineRetryMs },
    )

  return {
    apply,
    retried,
    within: (scope, work) => retried(async () => work(await apply(scope))),
    close,
  }
}
