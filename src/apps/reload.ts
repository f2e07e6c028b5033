/** Reloads of apps without a task: begun by a request, followed to their end, reported by their execution id. */

import { setTimeout as delay } from 'node:timers/promises'
import type { TaskSelectors } from '../http/endpoint/caller.ts'
import { errorText } from '../platform/errors.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { isGuid, uuidV7 } from '../platform/uuid.ts'
import {
  engineVersion,
  openDoc,
  type ReloadResult,
  type ReloadSettings,
  reloadDoc,
  saveDoc,
} from '../qlik/engine/doc.ts'
import { EngineError } from '../qlik/engine/errors.ts'
import type { EngineClient, EngineObject, EngineSession } from '../qlik/engine/types.ts'
import type { StartOutcome, StartTask } from '../tasks/start/types.ts'
import type { AppReload, AppReloadLine, AppReloads } from './types.ts'

interface AppReloadDeps {
  readonly engine: EngineClient
  readonly start: StartTask
  readonly log: Logger
  readonly clock: Clock
}

export interface AppReloadSettings extends Pick<ReloadSettings, 'pollMs' | 'silenceMs'> {
  /** Waits between the attempts to start the tasks that follow. */
  readonly followUpRetryMs?: readonly number[]
  /** Finished reloads that are remembered. Default 1,000. */
  readonly keep?: number
}

export interface AppReloadRequest {
  readonly appId: string
  readonly mode: 0 | 1 | 2
  readonly partial: boolean
  /** Ids of tasks to start afterwards. */
  readonly onSuccess: readonly string[]
  readonly onFailure: readonly string[]
  /** The caller. */
  readonly actor: string
  /** Tasks that the caller may start; absent = everything that the start filter allows. */
  readonly limitedTo?: TaskSelectors | undefined
}

export interface AppReloadService extends AppReloads, Service {
  /** Resolves when the app is open; the reload goes on by itself. Rejects with an `EngineError` when it cannot be opened. */
  begin(request: AppReloadRequest): Promise<AppReload>
}

interface Job {
  readonly request: AppReloadRequest
  readonly record: ReloadRecord
  readonly controller: AbortController
  /** Whether it is cheaper to let it end than to call it off. */
  ending: boolean
  /** Ends the script that runs. */
  cancel(): void
  done: Promise<void>
}

/** A reload in memory, without anything that holds its connection to the engine. */
type Remembered = Pick<Job, 'record' | 'done'>

const KEEP = 1000
/** The part of the time to stop that is for reloads which are called off at the very end. */
const LAST_MS = 300

export function createAppReloads(deps: AppReloadDeps, settings: AppReloadSettings = {}): AppReloadService {
  const { engine, clock, start } = deps
  const log = deps.log.child('apps')
  const known = new Map<string, Remembered>()
  const running = new Set<Job>()
  let stopping = false

  async function begin(request: AppReloadRequest): Promise<AppReload> {
    const { appId } = request
    if (stopping) throw new EngineError('aborted', engine.host, 'Footman stops')
    log.verbose(`APPRELOAD: Reloading app: ${appId}`)
    const job = newJob(request)
    // Known while it opens, so that a stop ends this too.
    running.add(job)
    try {
      const executionId = job.record.view().executionId
      const app = isGuid(appId) ? appId : undefined
      const session = await engine.open({ app, identity: executionId }, job.controller.signal)
      const doc = await opened(session, appId)
      job.done = finish(job, session, doc).finally(() => void running.delete(job))
      known.set(executionId, { record: job.record, done: job.done })
      forgetOldest()
      return job.record.view()
    } catch (error) {
      running.delete(job)
      throw error
    }
  }

  function newJob(request: AppReloadRequest): Job {
    const at = clock.now()
    const begun: AppReload = {
      executionId: uuidV7(at),
      kind: 'appReload',
      appId: request.appId,
      appName: null,
      partial: request.partial,
      actor: request.actor,
      state: 'running',
      outcome: null,
      progress: '',
      error: null,
      triggeredAt: at,
      startedAt: at,
      stoppedAt: null,
      details: [],
      scriptLogFile: null,
    }
    const controller = new AbortController()
    return {
      request,
      controller,
      record: createReloadRecord(begun, clock.now),
      ending: false,
      cancel: () => controller.abort(),
      done: Promise.resolve(),
    }
  }

  async function opened(session: EngineSession, appId: string): Promise<EngineObject> {
    try {
      const version = await engineVersion(session)
      const doc = await openDoc(session, appId, false)
      log.verbose(`APPRELOAD: Starting reload of app ${appId} on host ${engine.host}, engine version is ${version}.`)
      return doc
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** Never rejects. */
  async function finish(job: Job, session: EngineSession, doc: EngineObject): Promise<void> {
    const { record, request, controller } = job
    const result = await reloaded(job, session, doc)
    await session.close()
    if (result === null) {
      // How far the engine came cannot be known, so neither list is right.
      record.add('warn', 'Footman stopped while the app was being reloaded')
      return end(record, 'unknown', 'Footman stopped while the app was being reloaded')
    }
    job.ending = true
    const { success } = result
    const problems = await startFollowUps(
      { start, log },
      {
        appId: request.appId,
        host: engine.host,
        executionId: record.view().executionId,
        actor: request.actor,
        limitedTo: request.limitedTo,
        success,
        taskIds: success ? request.onSuccess : request.onFailure,
      },
      controller.signal,
      settings.followUpRetryMs ?? RETRY_MS,
    )
    for (const problem of problems) record.add('warn', problem)
    end(record, success ? 'success' : 'failed', result.error)
  }

  /** Null when Footman stopped meanwhile. */
  async function reloaded(job: Job, session: EngineSession, doc: EngineObject): Promise<ReloadResult | null> {
    const { record, request, controller } = job
    const place = `app ${request.appId} on host ${engine.host}`
    try {
      const result = await reloadAndSave(job, session, doc)
      if (result.success) log.verbose(`APPRELOAD: Reload success of ${place}`)
      else log.warn(`APPRELOAD: Reload failure of ${place}: ${result.error}`)
      if (result.error !== null) record.add('error', result.error)
      return result
    } catch (error) {
      const reason = errorText(error)
      log.error(`APPRELOAD: Failed reloading ${place}, error: ${reason}`)
      if (controller.signal.aborted) return null
      record.add('error', reason)
      return { success: false, error: reason, scriptLogFile: null }
    }
  }

  async function reloadAndSave(job: Job, session: EngineSession, doc: EngineObject): Promise<ReloadResult> {
    const { record, request } = job
    job.cancel = () => {
      session.send(session.global.handle, 'CancelReload')
      job.controller.abort()
    }
    record.change({ appName: await titleOf(doc), startedAt: clock.now() })
    const result = await reloadDoc(session, doc, {
      mode: request.mode,
      partial: request.partial,
      pollMs: settings.pollMs,
      silenceMs: settings.silenceMs,
      onProgress({ lines, current }) {
        for (const line of lines) record.add('info', line)
        record.change({ progress: current })
      },
    })
    record.change({ progress: '', scriptLogFile: result.scriptLogFile })
    if (!result.success) return result
    job.ending = true
    await saveDoc(doc)
    return result
  }

  function end(record: ReloadRecord, outcome: AppReload['outcome'], error: string | null): void {
    record.change({ state: 'finished', outcome, error, progress: '', stoppedAt: clock.now() })
  }

  function forgetOldest(): void {
    for (const [id, { record }] of known) {
      if (known.size <= (settings.keep ?? KEEP)) return
      if (record.view().state === 'finished') known.delete(id)
    }
  }

  const allDone = async () => void (await Promise.all([...running].map((job) => job.done)))

  return {
    name: 'app reloads',
    begin,
    get: (executionId) => known.get(executionId.toLowerCase())?.record.view() ?? null,
    finished: async (executionId) => known.get(executionId.toLowerCase())?.done,
    start: async () => {},
    async stop(graceMs) {
      stopping = true
      for (const job of running) if (!job.ending) job.cancel()
      await Promise.race([allDone(), pause(graceMs - LAST_MS)])
      for (const job of running) job.cancel()
      await allDone()
    },
  }
}

/** The title of the app; null when the engine does not return it. */
async function titleOf(doc: EngineObject): Promise<string | null> {
  const properties = await doc.value('qProp', 'GetAppProperties').catch(() => null)
  const { qTitle } = (properties ?? {}) as { readonly qTitle?: unknown }
  return typeof qTitle === 'string' ? qTitle : null
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, ms)).unref()
  })
}

// Tasks that follow a reload.

interface FollowUps {
  readonly appId: string
  readonly host: string
  readonly executionId: string
  readonly actor: string
  readonly success: boolean
  readonly taskIds: readonly string[]
  /** Tasks that the caller may start. */
  readonly limitedTo?: TaskSelectors | undefined
}

/** Waits between the attempts to ask QRS which tasks are meant. */
const RETRY_MS: readonly number[] = [1000, 5000, 15_000, 30_000, 60_000]

/**
 * Resolves with one line for each task that was not started. While QRS cannot be asked at all, nothing has been started,
 * and it is asked again after each of `retryMs`. Never rejects.
 */
async function startFollowUps(
  deps: { readonly start: StartTask; readonly log: Logger },
  work: FollowUps,
  signal: AbortSignal,
  retryMs: readonly number[] = RETRY_MS,
): Promise<readonly string[]> {
  if (work.taskIds.length === 0) return []
  const { start, log } = deps
  const result = work.success ? 'success' : 'failure'
  for (const taskId of work.taskIds) {
    log.verbose(`APPRELOAD: Starting task ${taskId} after reloading ${result} of ${work.appId} on host ${work.host}`)
  }
  for (let attempt = 0; ; attempt++) {
    try {
      if (signal.aborted) throw new Error('Footman stops')
      return report(await start(requestOf(work)), log)
    } catch (error) {
      const reason = errorText(error)
      const wait = retryMs[attempt]
      if (wait === undefined || signal.aborted) return notStarted(work.taskIds, reason, log)
      log.warn(`APPRELOAD: The tasks after the reload of ${work.appId} are tried again in ${wait} ms: ${reason}`)
      await delay(wait, undefined, { signal }).catch(() => undefined)
    }
  }
}

function requestOf({ executionId, actor, taskIds, limitedTo }: FollowUps): Parameters<StartTask>[0] {
  return {
    id: executionId,
    origin: 'followUp',
    requestedBy: `${actor}, app reload ${executionId}`,
    taskIds,
    tags: [],
    customProperties: [],
    match: 'any',
    allTaskIdsMustExist: false,
    actor,
    ...(limitedTo && { limitedTo }),
  }
}

function report({ started, failed, notFound, denied }: StartOutcome, log: Logger): readonly string[] {
  for (const { taskId, taskName } of started) log.verbose(`APPRELOAD: Started task ${taskId} "${taskName}"`)
  const problems = [
    ...failed.map(({ taskId, error, perhaps }) => `Task ${taskId} was ${perhaps ? '' : 'not started: '}${error}`),
    ...notFound.map((taskId) => `Task ${taskId} was not started: it does not exist`),
    ...denied.taskIds.map((taskId) => `Task ${taskId} was not started: the start filter does not allow it`),
  ]
  for (const problem of problems) log.warn(`APPRELOAD: ${problem}`)
  return problems
}

function notStarted(taskIds: readonly string[], reason: string, log: Logger): readonly string[] {
  const problems = taskIds.map((taskId) => `Task ${taskId} was not started: ${reason}`)
  for (const problem of problems) log.error(`APPRELOAD: ${problem}`)
  return problems
}

/** The newest lines are kept. */
const MAX_LINES = 500
const MAX_LINE_LENGTH = 2000

interface ReloadRecord {
  /** A copy of the state at this moment. */
  view(): AppReload
  change(patch: Partial<AppReload>): void
  add(level: AppReloadLine['level'], message: string): void
}

function createReloadRecord(begun: AppReload, now: () => number): ReloadRecord {
  let state = begun
  const details: AppReloadLine[] = []
  return {
    view: () => ({ ...state, details: [...details] }),
    change(patch) {
      state = { ...state, ...patch }
    },
    add(level, message) {
      details.push({ at: now(), level, message: message.slice(0, MAX_LINE_LENGTH) })
      if (details.length > MAX_LINES) details.shift()
    },
  }
}
