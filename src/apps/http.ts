/** The endpoints of apps, under their present and their older names. An empty app id is answered with a 400 of its own. */

import { z } from 'zod'
import { requireScope, type TaskSelectors } from '../http/endpoint/caller.ts'
import {
  type ApiRequest,
  type ApiRoute,
  type CheckedRequest,
  jsonAnswer,
  looseRoute as route,
} from '../http/endpoint/route.ts'
import { field } from '../http/endpoint/validation.ts'
import { type Refusal, refusal, refused } from '../http/errors.ts'
import { errorText } from '../platform/errors.ts'
import { once } from '../platform/once.ts'
import type { Logger } from '../platform/types.ts'
import { isGuid } from '../platform/uuid.ts'
import { EngineError, isRejected, QIX } from '../qlik/engine/errors.ts'
import type { EngineClient } from '../qlik/engine/types.ts'
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

const RELOAD_BODY = once(() =>
  field.object({
    reloadMode: field.integer().describe('0, 1 or 2, as DoReload of the engine has them. Default 0.').optional(),
    partialReload: field.boolean().describe('Default false.').optional(),
    startQSEoWTaskOnSuccess: field
      .array(field.string())
      .describe('Ids of tasks to start after a reload that succeeded.')
      .optional(),
    startQSEoWTaskOnFailure: field
      .array(field.string())
      .describe('Ids of tasks to start after a reload that failed.')
      .optional(),
  }),
)

const APP = once(() => z.object({ id: z.string(), name: z.string() }))
/** The paths with an empty segment have no id. */
const PARAMS = once(() => z.object({ appId: z.string().describe('Id of the app.').optional() }))

const items = once(() => z.array(z.looseObject({})))

const DUMP = once(() =>
  z
    .object({
      properties: z.looseObject({}),
      loadScript: z.string(),
      lineage: items().optional(),
      sheets: items(),
      stories: items(),
      masterobjects: items(),
      appprops: items(),
      dataconnections: items(),
      dimensions: items(),
      measures: items(),
      bookmarks: items(),
      embeddedmedia: items(),
      snapshots: items(),
      fields: items(),
      variables: items(),
      appId: z.string(),
    })
    .describe('The app, without its data; the order is always the same.'),
)

const RELOAD_ANSWER = once(() =>
  z
    .object({
      appId: z.string(),
      executionId: z.string().describe('To follow the reload.'),
      tasksDenied: z
        .array(z.object({ taskId: z.string() }))
        .describe('Tasks that the start filter does not allow to follow; absent when there are none.')
        .optional(),
    })
    .describe('The app is open and its reload begins.'),
)

const ENGINE_FAILURES = {
  502: 'The Qlik engine is unreachable or refuses.',
  504: 'The Qlik engine is silent.',
} as const

const WITH_APP = { ...ENGINE_FAILURES, 422: 'There is no such app, or the configured user may not open it.' } as const

const SALES = 'a1000000-0000-4000-8000-000000000002'
const INVENTORY = 'a1000000-0000-4000-8000-000000000008'

export function appRoutes(deps: AppRoutesDeps, settings: AppRoutesSettings): ApiRoute[] {
  const log = deps.log.child('apps')
  return [
    ...['/v4/apps/list', '/v4/senselistapps'].map((path) =>
      route({
        method: 'GET',
        path,
        switch: 'senseListApps',
        butler: true,
        scope: 'app:read',
        summary: 'List the apps that the configured user may see',
        answers: () => ({ 200: z.array(APP()).describe('The apps, in the order of the engine.'), ...ENGINE_FAILURES }),
        examples: [{ name: 'list', status: 200, answer: [{ id: SALES, name: 'Sales Dashboard' }] }],
        handle: (request) => list(deps, request),
      }),
    ),
    ...['/v4/app/{appId}/dump', '/v4/app//dump', '/v4/senseappdump/{appId}', '/v4/senseappdump/'].map((path) =>
      route({
        method: 'GET',
        path,
        switch: 'senseAppDump',
        butler: true,
        scope: 'app:read',
        action: 'app.dump',
        audited: 'always',
        summary: 'Everything that describes an app, without its data',
        description: 'For backups and comparisons: the same app gives the same bytes.',
        params: PARAMS,
        answers: () => ({ 200: DUMP(), ...WITH_APP }),
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
        method: 'PUT',
        path,
        switch: 'senseAppReload',
        butler: true,
        scope: 'app:run',
        action: 'app.reload',
        summary: 'Reload an app without a task',
        description:
          'The answer comes when the app is open, before the reload. Tasks that follow are started at its end.',
        params: PARAMS,
        body: RELOAD_BODY,
        answers: () => ({
          201: RELOAD_ANSWER(),
          ...WITH_APP,
          409: 'Footman runs in shadow mode, which reloads nothing.',
        }),
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
        handle: (request) => reload({ ...deps, log }, settings, request),
      }),
    ),
  ]
}

async function list({ engine }: AppRoutesDeps, { signal }: Pick<ApiRequest, 'signal'>): Promise<Response> {
  const apps = await listApps(engine, signal).catch((error: unknown) => {
    throw engineRefusal(error, FAILED.list) ?? error
  })
  return jsonAnswer(200, apps)
}

async function dump({ engine, log, stopping }: AppRoutesDeps, appId: string, hangup: AbortSignal): Promise<Response> {
  if (appId === '') throw refused(400, FAILED.dump, NO_APP_ID)
  log.info(`APPDUMP: Dumping app: ${appId}`)
  const signal = AbortSignal.any([hangup, stopping])
  const opened = await openDump({ engine, log }, appId, signal).catch((error: unknown) => {
    throw openRefusal(error, FAILED.dump) ?? error
  })
  return dumpAnswer(opened, log).catch((error: unknown) => {
    throw engineRefusal(error, FAILED.dump) ?? error
  })
}

type ReloadRequest = CheckedRequest<ReturnType<typeof PARAMS>, undefined, ReturnType<typeof RELOAD_BODY>>

async function reload(deps: AppRoutesDeps, settings: AppRoutesSettings, request: ReloadRequest): Promise<Response> {
  const { appId = '' } = request.params
  const wanted = request.body
  if (appId === '') throw refused(400, NO_APP_ID)
  const onSuccess = taskIds(wanted.startQSEoWTaskOnSuccess)
  const onFailure = taskIds(wanted.startQSEoWTaskOnFailure)
  if (settings.shadow) {
    throw refusal('SHADOW_MODE', 'Footman runs in shadow mode, which reloads no apps.')
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
