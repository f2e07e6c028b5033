import { engineError } from '../errors.ts'
import { asFlag, asNumber, asObject, type Json } from '../json.ts'
import type { ReloadOutcome } from '../reload.ts'
import { type Call, type MethodTable, method, type TargetOf } from '../types.ts'

type Doc = TargetOf<'Doc'>

/** Reloading and saving. A failed script is an answer, not an error. */
export const RELOAD_METHODS: MethodTable<'Doc'> = {
  DoReload: method('qMode qPartial qDebug', async (target, [mode, partial], call) => {
    const { success } = await reload(target, { qMode: mode, qPartial: partial }, call)
    return { qReturn: success }
  }),
  DoReloadEx: method('qParams', async (target, [params], call) => {
    const { success, logFile } = await reload(target, asObject(params), call)
    return { qResult: { qSuccess: success, qScriptLogFile: logFile, qEndedWithMemoryConstraint: false } }
  }),
  DoSave: method('qFileName', ({ doc }, _args, { server, session }) => {
    const { app } = doc
    if (server.reloads.isRunning(app)) throw engineError('RELOAD_IN_PROGRESS', app.id)
    if (server.site.apps.get(app.id) !== app) throw engineError('APP_SAVE_FAILED', app.id)
    if (doc.hasUnsavedReload) {
      server.store.save(app, doc.versions)
      server.site.appReloaded(app, doc.lastReloadTime, session.user.name)
      doc.markSaved()
    }
    return {}
  }),
}

/** Runs until the reload ends; a closed socket or an abort ends it early, with error 15. */
async function reload(
  { doc }: Doc,
  params: Json,
  { server, session, connection, signal }: Call,
): Promise<ReloadOutcome> {
  if (doc.noData && asFlag(params.qPartial)) throw engineError('ALREADY_OPEN_IN_DIFFERENT_MODE', doc.app.id)
  const request = {
    mode: asNumber(params.qMode),
    partial: asFlag(params.qPartial),
    useErrorData: session.reloadSettings.useErrorData,
  }
  const running = server.reloads.start(doc, request, () => {
    if (server.faults.match('engine', connection.path, 'engine', ({ mode }) => mode === 'close-mid-reload')) {
      connection.terminate()
    }
  })
  session.reload = running
  signal.addEventListener('abort', () => running.cancel())
  const outcome = await running.finished
  if (signal.aborted) throw engineError('ABORTED')
  if (outcome.success) session.dataChanged()
  return outcome
}
