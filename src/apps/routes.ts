/** `/v4/apps/list`, `/v4/app/{appId}/dump` and `/v4/app/{appId}/reload`, with their older names. */
import { requireScope, type TaskSelectors } from '../http/endpoint/caller.ts'
import { refused, refusedWithCode } from '../http/endpoint/errors.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../http/endpoint/route.ts'
import { validate } from '../http/endpoint/validation.ts'
import type { Logger } from '../platform/types.ts'
import { isGuid } from '../platform/uuid.ts'
import type { EngineClient } from '../qlik/engine/types.ts'
import { DUMP_APP, LIST, RELOAD, RELOAD_BODY } from './descriptions.ts'
import { openDump } from './dump.ts'
import { dumpAnswer } from './dump-answer.ts'
import { engineRefusal, openRefusal } from './failure.ts'
import { listApps } from './list.ts'
import type { AppReloadService } from './reload.ts'

export interface AppRoutesDeps {
  readonly engine: EngineClient
  readonly reloads: Pick<AppReloadService, 'begin'>
  readonly log: Logger
  /** Aborts when Footman stops: dumps under way are cut off. */
  readonly stopping: AbortSignal
  /** Those of the ids that the start filter denies; asks QRS only as far as the filter needs it. */
  readonly deniedTasks: (taskIds: readonly string[], limitedTo?: TaskSelectors) => Promise<readonly string[]>
}

export interface AppRoutesSettings {
  /** Nothing is reloaded. */
  readonly shadow: boolean
}

const FAILED = {
  list: 'Failed getting list of Sense apps',
  dump: 'Failed dumping app',
  reload: 'Failed reloading app',
} as const

const NO_APP_ID = 'Required parameter (app ID) missing'

/** An empty segment is answered too: with a 400 that says what is missing. */
export function appRoutes(deps: AppRoutesDeps, settings: AppRoutesSettings): ApiRoute[] {
  const log = deps.log.child('apps')
  return [
    ...['/v4/apps/list', '/v4/senselistapps'].map(
      (path): ApiRoute => ({
        methods: ['GET'],
        path,
        endpoint: 'senseListApps',
        butler: true,
        scope: 'app:read',
        ...LIST,
        handle: (request) => list(deps, request),
      }),
    ),
    ...['/v4/app/{appId}/dump', '/v4/app//dump', '/v4/senseappdump/{appId}', '/v4/senseappdump/'].map(
      (path): ApiRoute => ({
        methods: ['GET'],
        path,
        endpoint: 'senseAppDump',
        butler: true,
        scope: 'app:read',
        action: 'app.dump',
        audit: 'always',
        ...DUMP_APP,
        handle: (request) => dump({ ...deps, log }, request),
      }),
    ),
    ...['/v4/app/{appId}/reload', '/v4/app//reload'].map(
      (path): ApiRoute => ({
        methods: ['PUT'],
        path,
        endpoint: 'senseAppReload',
        butler: true,
        scope: 'app:run',
        action: 'app.reload',
        ...RELOAD,
        handle: (request) => reload({ ...deps, log }, settings, request),
      }),
    ),
  ]
}

async function list({ engine }: AppRoutesDeps, { signal }: ApiRequest): Promise<Response> {
  const apps = await listApps(engine, signal).catch((error: unknown) => {
    throw engineRefusal(error, FAILED.list) ?? error
  })
  return jsonAnswer(200, apps)
}

async function dump({ engine, log, stopping }: AppRoutesDeps, request: ApiRequest): Promise<Response> {
  const { appId = '' } = request.params
  if (appId === '') throw refused(400, FAILED.dump, NO_APP_ID)
  log.info(`APPDUMP: Dumping app: ${appId}`)
  const signal = AbortSignal.any([request.signal, stopping])
  const opened = await openDump({ engine, log }, appId, signal).catch((error: unknown) => {
    throw openRefusal(error, FAILED.dump) ?? error
  })
  return dumpAnswer(opened, log).catch((error: unknown) => {
    throw engineRefusal(error, FAILED.dump) ?? error
  })
}

async function reload(deps: AppRoutesDeps, settings: AppRoutesSettings, request: ApiRequest): Promise<Response> {
  const { appId = '' } = request.params
  const wanted = validate('body', RELOAD_BODY, request.body)
  if (appId === '') throw refused(400, NO_APP_ID)
  const onSuccess = taskIds(wanted.startQSEoWTaskOnSuccess)
  const onFailure = taskIds(wanted.startQSEoWTaskOnFailure)
  if (settings.shadow) {
    throw refusedWithCode(409, 'SHADOW_MODE', 'Shadow mode', 'Footman runs in shadow mode, which reloads no apps.')
  }
  const followUps = [...onSuccess, ...onFailure]
  if (followUps.length > 0) requireScope(request.caller, 'task:run')
  const limitedTo = request.caller.limits('task:run').startFilter ?? undefined
  const denied = await deniedOf(deps, followUps, limitedTo)
  const allowed = (taskId: string) => !denied.includes(taskId)
  const begun = await deps.reloads
    .begin({
      appId,
      mode: modeOf(wanted.reloadMode ?? 0, deps.log),
      partial: wanted.partialReload ?? false,
      onSuccess: onSuccess.filter(allowed),
      onFailure: onFailure.filter(allowed),
      actor: request.caller.actor === 'anonymous' ? request.client : request.caller.actor,
      limitedTo,
    })
    .catch((error: unknown) => {
      throw openRefusal(error, FAILED.reload) ?? error
    })
  const tasksDenied = denied.map((taskId) => ({ taskId }))
  const { executionId } = begun
  return jsonAnswer(201, { appId, executionId, ...(tasksDenied.length > 0 && { tasksDenied }) })
}

/** Empty texts mean nothing; whatever else is no task id stops the request. */
function taskIds(given: readonly string[] | undefined): readonly string[] {
  const ids = (given ?? []).filter((id) => id !== '')
  const wrong = ids.find((id) => !isGuid(id))
  if (wrong !== undefined) throw refused(400, 'Invalid task ID format', `"${wrong.slice(0, 100)}" is not a GUID`)
  return ids
}

/** Other numbers have always meant 0; the log says so. */
function modeOf(mode: number, log: Logger): 0 | 1 | 2 {
  if (mode === 0 || mode === 1 || mode === 2) return mode
  log.warn(`APPRELOAD: There is no reload mode ${mode}, using 0`)
  return 0
}

async function deniedOf(
  { deniedTasks, log }: AppRoutesDeps,
  ids: readonly string[],
  limitedTo: TaskSelectors | undefined,
): Promise<readonly string[]> {
  if (ids.length === 0) return []
  const denied = await deniedTasks(ids, limitedTo).catch((error: unknown) => {
    // The filter is asked again when the tasks are to be started.
    const reason = error instanceof Error ? error.message : String(error)
    log.warn(`APPRELOAD: The start filter could not be asked yet: ${reason}`)
    return []
  })
  for (const taskId of denied) log.warn(`APPRELOAD: Task ID is not allowed: ${taskId}`)
  return denied
}
