/** Reloads of apps without a task: begun by a request, followed to their end, told about by their execution id. */
import type { TaskSelectors } from '../http/endpoint/caller.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { isGuid, uuidV7 } from '../platform/uuid.ts'
import { engineVersion, openDoc, saveDoc } from '../qlik/engine/doc.ts'
import { EngineError } from '../qlik/engine/errors.ts'
import { type ReloadResult, type ReloadSettings, reloadDoc } from '../qlik/engine/reload.ts'
import type { EngineClient, EngineObject, EngineSession } from '../qlik/engine/types.ts'
import type { StartTask } from '../tasks/start/types.ts'
import { RETRY_MS, startFollowUps } from './follow-ups.ts'
import { createReloadRecord, type ReloadRecord } from './reload-record.ts'
import type { AppReload, AppReloads } from './types.ts'

export interface AppReloadDeps {
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
  /** Who asked. */
  readonly actor: string
  /** What the caller may start; absent = everything that the start filter allows. */
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

/** What is remembered of a reload: nothing that holds its connection to the engine. */
type Remembered = Pick<Job, 'record' | 'done'>

const KEEP = 1000
/** Of the time to stop, for what is called off at the very end. */
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
      const reason = error instanceof Error ? error.message : String(error)
      log.error(`APPRELOAD: Failed reloading ${place}, error: ${reason}`)
      if (controller.signal.aborted) return null
      record.add('error', reason)
      return { success: false, error: reason, scriptLogFile: null }
    }
  }

  async function reloadAndSave(job: Job, session: EngineSession, doc: EngineObject): Promise<ReloadResult> {
    const { record, request } = job
    job.cancel = () => {
      session.tell(session.global.handle, 'CancelReload')
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

/** The app's name for people; null when the engine does not tell. */
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
