/** The endpoints of apps, under their present and their older names. An empty app id is answered with a 400 of its own. */
import { requireScope, type TaskSelectors } from '../http/endpoint/caller.ts'
import { type Answered, asIs } from '../http/endpoint/contract.ts'
import { type ApiRequest, type ApiRoute, route } from '../http/endpoint/route.ts'
import { type Refusal, refusal, refused } from '../http/errors.ts'
import { errorText } from '../platform/errors.ts'
import type { Logger } from '../platform/types.ts'
import { isGuid } from '../platform/uuid.ts'
import { EngineError, isRejected, QIX } from '../qlik/engine/errors.ts'
import type { EngineClient } from '../qlik/engine/types.ts'
import { APPS, DUMP_APP, RELOAD_APP, type ReloadBody } from './contract.ts'
import { dumpAnswer, listApps, openDump } from './dump.ts'
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

const SALES = 'a1000000-0000-4000-8000-000000000002'
const INVENTORY = 'a1000000-0000-4000-8000-000000000008'

export function appRoutes(deps: AppRoutesDeps, settings: AppRoutesSettings): ApiRoute[] {
  const log = deps.log.child('apps')
  return [
    ...['/v4/apps/list', '/v4/senselistapps'].map((path) =>
      route({
        ...APPS,
        path,
        switch: 'senseListApps',
        butler: true,
        scope: 'app:read',
        summary: 'List the apps that the configured user may see',
        examples: [{ name: 'list', status: 200, answer: [{ id: SALES, name: 'Sales Dashboard' }] }],
        handle: async ({ signal }, answer) => answer(200, await list(deps, signal)),
      }),
    ),
    ...['/v4/app/{appId}/dump', '/v4/app//dump', '/v4/senseappdump/{appId}', '/v4/senseappdump/'].map((path) =>
      route({
        ...DUMP_APP,
        path,
        switch: 'senseAppDump',
        butler: true,
        scope: 'app:read',
        action: 'app.dump',
        audited: 'always',
        summary: 'Everything that describes an app, without its data',
        description: 'For backups and comparisons: the same app gives the same bytes.',
        examples: [
          {
            name: 'dump',
            params: { appId: SALES },
            status: 200,
            answer: {
              properties: { qTitle: 'Sales Dashboard' },
              loadScript: '///$tab Main\r\nLOAD 1;',
              lineage: [],
              sheets: [],
              stories: [],
              masterobjects: [],
              appprops: [],
              dataconnections: [],
              dimensions: [],
              measures: [],
              bookmarks: [],
              embeddedmedia: [],
              snapshots: [],
              fields: [],
              variables: [],
              appId: SALES,
            },
          },
        ],
        handle: ({ params: { appId = '' }, signal }) => dump({ ...deps, log }, appId, signal),
      }),
    ),
    ...['/v4/app/{appId}/reload', '/v4/app//reload'].map((path) =>
      route({
        ...RELOAD_APP,
        path,
        switch: 'senseAppReload',
        butler: true,
        scope: 'app:run',
        action: 'app.reload',
        summary: 'Reload an app without a task',
        description:
          'The answer comes when the app is open, before the reload. Tasks that follow are started at its end.',
        examples: [
          {
            name: 'partial-reload-then-a-task',
            params: { appId: INVENTORY },
            body: {
              reloadMode: 0,
              partialReload: true,
              startQSEoWTaskOnSuccess: ['a8b4c123-def4-5678-9abc-def012345678'],
              startQSEoWTaskOnFailure: [],
            },
            status: 201,
            answer: { appId: INVENTORY, executionId: '019cad26-62e0-7f58-b914-5b24d108d7ac' },
          },
        ],
        handle: async ({ params: { appId = '' }, body, caller, client }, answer) =>
          answer(201, await reload({ ...deps, log }, settings, { appId, body, caller, client })),
      }),
    ),
  ]
}

async function list({ engine }: AppRoutesDeps, signal: AbortSignal) {
  return listApps(engine, signal).catch((error: unknown) => {
    throw engineRefusal(error, FAILED.list) ?? error
  })
}

async function dump({ engine, log, stopping }: AppRoutesDeps, appId: string, hangup: AbortSignal): Promise<Answered> {
  if (appId === '') throw refused(400, FAILED.dump, NO_APP_ID)
  log.info(`APPDUMP: Dumping app: ${appId}`)
  const signal = AbortSignal.any([hangup, stopping])
  const opened = await openDump({ engine, log }, appId, signal).catch((error: unknown) => {
    throw openRefusal(error, FAILED.dump) ?? error
  })
  const answer = await dumpAnswer(opened, log).catch((error: unknown) => {
    throw engineRefusal(error, FAILED.dump) ?? error
  })
  return asIs(answer)
}

interface ReloadRequest extends Pick<ApiRequest, 'caller' | 'client'> {
  readonly appId: string
  readonly body: ReloadBody
}

async function reload(deps: AppRoutesDeps, settings: AppRoutesSettings, request: ReloadRequest) {
  const { appId, body: wanted, caller, client } = request
  if (appId === '') throw refused(400, NO_APP_ID)
  const onSuccess = taskIds(wanted.startQSEoWTaskOnSuccess)
  const onFailure = taskIds(wanted.startQSEoWTaskOnFailure)
  if (settings.shadow) {
    throw refusal('SHADOW_MODE', 'Footman runs in shadow mode, which reloads no apps.')
  }
  const followUps = [...onSuccess, ...onFailure]
  if (followUps.length > 0) requireScope(caller, 'task:run')
  const limitedTo = caller.limits('task:run').startFilter ?? undefined
  const denied = await deniedOf(deps, followUps, limitedTo)
  const allowed = (taskId: string) => !denied.includes(taskId)
  const begun = await deps.reloads
    .begin({
      appId,
      mode: modeOf(wanted.reloadMode ?? 0, deps.log),
      partial: wanted.partialReload ?? false,
      onSuccess: onSuccess.filter(allowed),
      onFailure: onFailure.filter(allowed),
      actor: caller.actor === 'anonymous' ? client : caller.actor,
      limitedTo,
    })
    .catch((error: unknown) => {
      throw openRefusal(error, FAILED.reload) ?? error
    })
  const tasksDenied = denied.map((taskId) => ({ taskId }))
  const { executionId } = begun
  return { appId, executionId, ...(tasksDenied.length > 0 && { tasksDenied }) }
}

/** Empty texts mean nothing; any other text that is no task id stops the request. */
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
    const reason = errorText(error)
    log.warn(`APPRELOAD: The start filter could not be asked yet: ${reason}`)
    return []
  })
  for (const taskId of denied) log.warn(`APPRELOAD: Task ID is not allowed: ${taskId}`)
  return denied
}

/** The engine's error codes of `OpenDoc` for an id that no app of this user has. */
const NO_SUCH_APP = [QIX.APP_NOT_FOUND, QIX.NOT_FOUND, QIX.INVALID_PARAMETERS, QIX.EMPTY_PARAMETERS]

/** 504 for an engine that accepts and stays silent, 502 for any other failure of it; null for what is not its fault. */
function engineRefusal(error: unknown, message: string): Refusal | null {
  if (!(error instanceof EngineError)) return null
  return refused(error.kind === 'timeout' ? 504 : 502, message, error.message)
}

/** The same for `OpenDoc`: 422 when the engine does not open this app. */
function openRefusal(error: unknown, message: string): Refusal | null {
  if (isRejected(error, ...NO_SUCH_APP)) return refused(422, message, 'App not found')
  if (error instanceof EngineError && error.kind === 'rejected' && error.code !== QIX.SERVER_BUSY) {
    return refused(422, message, `The app cannot be opened: ${error.reason}`)
  }
  return engineRefusal(error, message)
}
