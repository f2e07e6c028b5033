/** The actions of schedules: start tasks and follow them to their end, make snapshots of all apps. */

import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from '../../platform/errors.ts'
import { removeAll } from '../../platform/files.ts'
import { globMatcher } from '../../platform/glob.ts'
import { createOffsets } from '../../platform/offsets.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { isDown, reasonOf } from '../../qlik/qrs/failure.ts'
import type { ExecutionFollower } from '../executions/types.ts'
import type { StartOutcome, StartProgress, StartTask } from '../start/types.ts'
import type { ActionContext, Perform } from './runner.ts'
import type { ActionResult, AppDumpAction, RunOutcome, RunTask } from './types.ts'

export interface StartTasksDeps {
  readonly start: StartTask
  readonly follower: ExecutionFollower
  readonly clock: Clock
  readonly log: Logger
}

export interface StartTasksSettings {
  /** Pauses before another attempt while QRS is away; default 2 s and 10 s. */
  readonly retryMs?: readonly number[]
  /** A task that has not ended after so long is not followed any more; default 24 h. */
  readonly followMs?: number
}

const RETRY_MS = [2000, 10_000]
const FOLLOW_MS = 24 * 3_600_000
/** Tasks of a run that was cut short while it started them are started after so long at most. */
const TAKE_UP_MS = 10 * 60_000

export function createStartTasks(deps: StartTasksDeps, settings: StartTasksSettings = {}): Perform {
  const { start, follower, clock, log } = deps
  const { retryMs = RETRY_MS, followMs = FOLLOW_MS } = settings

  /**
   * Rejects when nothing could be started at all. Tasks that were started before an interruption are not started again, nor
   * are those that perhaps were: they are noted before Qlik Sense is asked.
   */
  async function startAll({ run, plan, signal, progress }: ActionContext): Promise<StartOutcome> {
    const perhaps = new Map(run.tasks.map((task) => [task.taskId, task]))
    const noted: StartProgress = {
      done: new Map(run.tasks.map(({ taskId, executionId }) => [taskId, executionId])),
      starting(taskId, taskName) {
        perhaps.set(taskId, { taskId, taskName, executionId: null, outcome: null, starting: true })
        return progress([...perhaps.values()])
      },
      started: () => Promise.resolve(),
    }
    for (let attempt = 0; ; attempt += 1) {
      const wait = retryMs[attempt]
      try {
        const request = {
          ...plan.selection,
          id: run.id,
          origin: 'schedule' as const,
          requestedBy: `schedule ${run.scheduleId}`,
          actor: `schedule:${run.scheduleId}`,
          allTaskIdsMustExist: false,
        }
        const outcome = await start(request, noted)
        for (const { taskId } of outcome.failed) perhaps.delete(taskId)
        if (wait === undefined || !outcome.failed.some(({ passing }) => passing)) return outcome
        log.warn(`SCHEDULER: Schedule ID ${run.scheduleId}: ${outcome.failed[0]?.error}; trying again in ${wait} ms`)
      } catch (error) {
        if (wait === undefined || !isPassing(error)) throw error
        log.warn(`SCHEDULER: Schedule ID ${run.scheduleId}: ${reasonOf(error)}; trying again in ${wait} ms`)
      }
      await pause(wait, undefined, { signal })
    }
  }

  async function follow(task: RunTask, signal: AbortSignal): Promise<RunTask> {
    if (task.outcome !== null) return task
    // Old servers return no execution id, so nothing more can be known than that the task was started.
    if (task.executionId === null) return { ...task, outcome: 'unknown' }
    const late = AbortSignal.timeout(followMs)
    const { outcome } = await follower.untilFinal(task.executionId, AbortSignal.any([signal, late]))
    return { ...task, outcome: outcome ?? (late.aborted ? 'unknown' : null) }
  }

  async function followAll(context: ActionContext, tasks: readonly RunTask[]): Promise<ActionResult | null> {
    const known = [...tasks]
    await Promise.all(
      tasks.map(async (task, index) => {
        known[index] = await follow(task, context.signal)
        if (known.length > 1 && known[index].outcome !== task.outcome) await context.progress([...known])
      }),
    )
    if (known.some(({ outcome }) => outcome === null)) return null
    return { outcome: outcomeOf(known), tasks: known, ...detailOf(known) }
  }

  return async (context) => {
    const { run, resumed, signal } = context
    const wasCutShort = run.tasks.some(({ starting }) => starting)
    if (run.tasks.length > 0 && !wasCutShort) return followAll(context, run.tasks)
    if (resumed && clock.now() - (run.firedAt ?? 0) > TAKE_UP_MS) {
      return { outcome: 'unknown', detail: 'Footman stopped while it was starting tasks' }
    }
    try {
      const outcome = await startAll(context)
      const queued = outcome.queued ?? []
      const tasks = [...tasksOf(outcome), ...(await Promise.all(queued.map((one) => settledTask(one, signal))))]
      const refusal = refusedText(outcome)
      if (tasks.length === 0) return { outcome: 'failed', detail: refusal ?? 'no task was selected' }
      await context.progress(tasks)
      const result = await followAll(context, tasks)
      return result && refusal ? { ...result, outcome: 'failed', detail: refusal } : result
    } catch (error) {
      if (signal.aborted) return null
      return { outcome: 'failed', detail: reasonOf(error) }
    }
  }
}

/** QRS could not be asked, or was not well; errors that concern the request itself stay. */
function isPassing(error: unknown): boolean {
  const cause = error instanceof Error && error.name === 'LookupError' ? error.cause : error
  const { status } = cause as { readonly status?: unknown }
  return isDown(cause) || (typeof status === 'number' && status >= 500)
}

function tasksOf({ started, failed }: StartOutcome): RunTask[] {
  return [
    ...started.map(({ taskId, taskName, executionId }) => ({ taskId, taskName, executionId, outcome: null })),
    ...failed.map(({ taskId, taskName, error }) => ({
      taskId,
      taskName,
      executionId: null,
      error,
      outcome: 'failed' as const,
    })),
  ]
}

async function settledTask(
  { taskId, taskName, settled }: NonNullable<StartOutcome['queued']>[number],
  signal: AbortSignal,
): Promise<RunTask> {
  const aborted = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }))
  const result = await Promise.race([settled, aborted])
  if (result === null) throw new Error('Footman stopped while the task waited in the start queue')
  if ('error' in result) return { taskId, taskName, executionId: null, outcome: 'failed', error: result.error }
  return { taskId, taskName, executionId: result.executionId, outcome: null }
}

/** The selected tasks that could not be started at all. */
function refusedText({ notFound, denied }: StartOutcome): string | null {
  const parts = [
    ...notFound.map((id) => `task ${id} does not exist`),
    ...denied.taskIds.map((id) => `task ${id} is not allowed`),
    ...denied.tags.map((tag) => `tag ${tag} is not allowed`),
    ...denied.customProperties.map(({ name, value }) => `custom property ${name}=${value} is not allowed`),
  ]
  return parts.length === 0 ? null : parts.join('; ')
}

/** The worst. */
const WORST_FIRST: readonly RunOutcome[] = ['failed', 'aborted', 'unknown', 'skipped', 'success']

const outcomeOf = (tasks: readonly RunTask[]): RunOutcome =>
  WORST_FIRST.find((outcome) => tasks.some((task) => task.outcome === outcome)) ?? 'success'

function detailOf(tasks: readonly RunTask[]): { detail?: string } {
  const failed = tasks.find(({ error }) => error !== undefined)
  return failed ? { detail: `${failed.taskName}: ${failed.error}` } : {}
}

export interface DumpedApp {
  readonly id: string
  readonly name: string
}

export interface AppDumpDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The apps that the configured user may see. */
  readonly listApps: (signal: AbortSignal) => Promise<readonly DumpedApp[]>
  /** Name of the stream of an app; '' = not published. */
  readonly streamOf: (appId: string) => Promise<string>
  /** The dump as JSON, in pieces; `close` ends the session with the engine. */
  readonly openDump: (
    appId: string,
    signal: AbortSignal,
  ) => Promise<{ readonly pieces: AsyncIterable<string>; close(): Promise<void> }>
}

const PARALLEL = 2
const PIECE = 256 * 1024
const SNAPSHOT = /^\d{4}-\d{2}-\d{2}_\d{6}$/
const STOPPED = 'Footman stopped while the dump was made'
const PARTIAL = /^\..+\.partial$/

interface IndexEntry {
  readonly appId: string
  readonly name: string
  readonly file?: string
  readonly bytes?: number
  readonly error?: string
}

export function createAppDump(deps: AppDumpDeps, settings: { readonly directory: string }): Perform {
  const { clock, log } = deps
  const active = new Set<string>()

  return async ({ run, plan, resumed, signal }) => {
    const action = plan.action as AppDumpAction
    if (resumed) return { outcome: 'failed', detail: STOPPED }
    const folder = join(settings.directory, action.folder)
    const partial = join(folder, `.${run.id}.partial`)
    active.add(run.id)
    try {
      await mkdir(folder, { recursive: true })
      await removeLeftOvers(folder, active)
      await removeAll(partial)
      await mkdir(partial)
      const apps = await wanted(await deps.listApps(signal), action)
      const entries = await dumpAll(apps, partial, signal)
      const failed = entries.filter(({ error }) => error !== undefined)
      const at = new Date(clock.now()).toISOString()
      const index = {
        format: 'footman.appdump/1',
        createdAt: at,
        scheduleId: run.scheduleId,
        runId: run.id,
        apps: entries,
      }
      await writeFile(join(partial, 'index.json'), `${JSON.stringify(index, null, 2)}\n`)
      if (signal.aborted) throw new Error(STOPPED)
      const name = await publish(folder, partial, plan.timezone)
      if (failed.length === 0) await prune(folder, action)
      return resultOf(name, entries, failed)
    } catch (error) {
      await removeAll(partial).catch(() => undefined)
      return { outcome: 'failed', detail: errorText(error) }
    } finally {
      active.delete(run.id)
    }
  }

  async function wanted(apps: readonly DumpedApp[], { apps: filter }: AppDumpAction): Promise<readonly DumpedApp[]> {
    const byId = matcher(filter.appId)
    const byName = matcher(filter.name)
    const named = apps.filter(({ id, name }) => byId(id) && byName(name))
    if (filter.stream === null) return named
    const byStream = matcher(filter.stream)
    const found: DumpedApp[] = []
    for (const app of named) if (byStream(await deps.streamOf(app.id))) found.push(app)
    return found
  }

  async function dumpAll(apps: readonly DumpedApp[], partial: string, signal: AbortSignal): Promise<IndexEntry[]> {
    const entries: IndexEntry[] = []
    let next = 0
    async function work(): Promise<void> {
      for (let i = next++; i < apps.length && !signal.aborted; i = next++) {
        const app = apps[i]!
        entries[i] = await dumpOne(app, partial, signal).catch((error: unknown) => {
          log.error(`APPDUMP: App ${app.id} "${app.name}" could not be dumped: ${errorText(error)}`)
          return { appId: app.id, name: app.name, error: errorText(error) }
        })
      }
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL, apps.length) }, work))
    return entries.filter((entry) => entry !== undefined)
  }

  async function dumpOne({ id, name }: DumpedApp, partial: string, signal: AbortSignal): Promise<IndexEntry> {
    const file = `${encodeURIComponent(id)}.json`
    const path = join(partial, file)
    const dump = await deps.openDump(id, signal)
    try {
      const bytes = await writePieces(path, dump.pieces)
      return { appId: id, name, file, bytes }
    } catch (error) {
      await rm(path, { force: true })
      throw error
    } finally {
      await dump.close()
    }
  }

  /** Gives the snapshot its name: the wall-clock time of its end. */
  async function publish(folder: string, partial: string, timezone: string): Promise<string> {
    const offsets = createOffsets(timezone)
    for (let at = clock.now(); ; at += 1000) {
      const name = stampOf(at + offsets.at(at))
      const isTaken = await stat(join(folder, name)).then(
        () => true,
        () => false,
      )
      if (isTaken) continue
      await rename(partial, join(folder, name))
      return name
    }
  }

  async function prune(folder: string, { keep, maxAgeMs }: AppDumpAction): Promise<void> {
    const snapshots = (await readdir(folder)).filter((name) => SNAPSHOT.test(name)).sort()
    const newest = snapshots.at(-1)
    const surplus = new Set(snapshots.slice(0, Math.max(snapshots.length - keep, 0)))
    for (const name of snapshots) {
      if (name === newest) continue
      const { mtimeMs } = await stat(join(folder, name))
      const isOld = maxAgeMs !== null && clock.now() - mtimeMs > maxAgeMs
      if (surplus.has(name) || isOld) await removeAll(join(folder, name))
    }
  }
}

/** Removes the rest of dumps that were cut short. */
async function removeLeftOvers(folder: string, active: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    const id = name.slice(1, -'.partial'.length)
    if (PARTIAL.test(name) && !active.has(id)) await removeAll(join(folder, name))
  }
}

async function writePieces(path: string, pieces: AsyncIterable<string>): Promise<number> {
  const file = await open(path, 'wx')
  let bytes = 0
  let buffered = ''
  const flush = async (): Promise<void> => {
    await file.appendFile(buffered)
    bytes += Buffer.byteLength(buffered)
    buffered = ''
  }
  try {
    for await (const piece of pieces) {
      buffered += piece
      if (buffered.length >= PIECE) await flush()
    }
    await flush()
    await file.sync()
    return bytes
  } finally {
    await file.close()
  }
}

function resultOf(name: string, entries: readonly IndexEntry[], failed: readonly IndexEntry[]): ActionResult {
  const done = `${entries.length - failed.length} of ${entries.length} apps dumped into ${name}`
  if (failed.length === 0) return { outcome: 'success', detail: done }
  return { outcome: 'failed', detail: `${done}; ${failed[0]!.name}: ${failed[0]!.error}` }
}

/** `2026-03-02_060000` */
function stampOf(wall: number): string {
  const [date = '', time = ''] = new Date(wall).toISOString().split('T')
  return `${date}_${time.slice(0, 8).replaceAll(':', '')}`
}

const matcher = (globs: readonly string[] | null): ((text: string) => boolean) =>
  globs === null ? () => true : globMatcher(globs)
