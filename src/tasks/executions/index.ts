/** Executions of tasks: their states, the starts that Footman has made, the history, and the list of tasks. */

import type { AppReloads } from '../../apps/types.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database, Pruning } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { createCachedQrs } from '../../qlik/qrs/cached.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { ScriptLogReader } from '../../qlik/qrs/script-log.ts'
import type { ExecutionReader, QrsClient, SiteReader } from '../../qlik/qrs/types.ts'
import { createFollower, createRunningStarts, type Follower } from './follower.ts'
import { createFirstImport, createHistory, endedFromProgress, type History, type HistoryDeps } from './history.ts'
import { historyRoutes } from './history-http.ts'
import { createHistoryReader, type HistoryReader } from './history-reader.ts'
import { executionRoutes } from './http.ts'
import { createExecutionLookup, type ScriptError } from './lookup.ts'
import { createStatusCache } from './status.ts'
import { createStartRecords, errorOfExecution, purgeExecutions, taskStates } from './store.ts'
import { createTaskDescriber, createTaskList, type TaskDescriber } from './tasks.ts'
import type { QueuedStart, RunningStarts, StartRecords } from './types.ts'

export interface ExecutionsDeps {
  readonly on: { readonly executionEnded: NonNullable<HistoryDeps['onEnded']> }
  /** Holds the tables of `executionMigrations` and `historyMigrations`. */
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: {
    readonly qrs: QrsClient & ExecutionReader & SiteReader
    readonly cachedQrs: QrsClient
    readonly logProblem?: ScriptLogReader['logProblem']
  }
  /** `footman.db`. */
  readonly databaseFile: string
  readonly workerEntry?: URL | undefined
  /** How many events wait for data of Qlik Sense. */
  readonly eventsWaiting: () => number
}

/** Sections of the configuration that executions read. */
export interface ExecutionsSettings {
  readonly footman: {
    readonly timezone: string
    /** `history`: milliseconds for which starts and the history are kept. */
    readonly retention: { readonly history: number }
  }
}

export interface ExecutionsOptions {
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface ExecutionSources {
  readonly apps: { readonly reloads: AppReloads }
  readonly starts: {
    /** An entry of the start queue by its id. */
    queued(id: string): QueuedStart | null
  }
}

export interface Executions {
  readonly records: StartRecords
  readonly running: RunningStarts
  readonly follower: Follower
  readonly history: History
  /** Questions to the history, answered by its thread. */
  readonly reader: Pick<HistoryReader, 'ask'>
  /** The endpoints, which also show reloads of apps and the start queue. */
  api(sources: ExecutionSources): { readonly routes: readonly ApiRoute[] }
  readonly describeTasks: TaskDescriber
  /** Why an execution has failed; null when the history does not say so. */
  errorOf(executionId: string): string | null
  /** How the last execution of each task has ended. */
  taskStates(): ReturnType<typeof taskStates>
  /** Check the open starts; to be started before and stopped after the start queue. */
  readonly backends: readonly Service[]
  /** To be stopped before the REST API, so that no waiting call delays its stop. */
  readonly services: readonly Service[]
  readonly observers: {
    /** An event of the scheduler: the state of its execution is asked at once. */
    event(event: TaskEvent): void
    /** The database is another file now. */
    storageMoved(): void
  }
  readonly pruning: readonly Pruning[]
  /** Aborts when Footman stops: calls that wait are answered with what is known. */
  readonly stopping: AbortSignal
}

/** Answers of QRS about single tasks are used for so long. */
const CACHE_MS = 10_000
/** Open starts that no caller waits for are checked this often. */
const SWEEP_MS = 10 * 60_000

export function createExecutions(
  deps: ExecutionsDeps,
  { footman: { timezone, retention } }: ExecutionsSettings,
  { shadow, qrsConnection }: ExecutionsOptions,
): Executions {
  const { db, writer, clock, log, on } = deps
  const { qrs, cachedQrs } = deps.qlik
  const keepMs = retention.history
  const records = createStartRecords({ db, writer })
  const statuses = createStatusCache({ qrs, clock })
  const follower = createFollower({ statuses, clock, log })
  const running = createRunningStarts({ records, statuses, follower, qrs, clock, log })
  const history = createHistory({ writer, records, onEnded: on.executionEnded })
  const reader = createHistoryReader({ file: deps.databaseFile, workerEntry: deps.workerEntry })
  const describeTasks = createTaskDescriber({ qrs, statuses })
  const stopping = new AbortController()

  follower.onStatus((executionId, { progress }) => {
    if (progress?.state !== 'finished') return
    cachedQrs
      .taskById(progress.taskId)
      .then(async (task) => {
        const ended = endedFromProgress(executionId, progress, task)
        if (ended) await history.add([ended])
      })
      .catch((error: unknown) => log.verbose(`HISTORY: An execution could not be recorded yet: ${reasonOf(error)}`))
  })

  /** The history learns the reason as well, so that lists and details agree. */
  function onScriptError(executionId: string, { progress, task, error }: ScriptError): void {
    const ended = endedFromProgress(executionId, progress, task)
    if (ended) void history.add([{ ...ended, error, isErrorOfLog: true }], true).catch(ignored)
  }
  const ignored = (error: unknown) => log.verbose(`HISTORY: An error could not be recorded: ${reasonOf(error)}`)

  const sweep = createRecurringJob({ everyMs: SWEEP_MS }, () => {
    const failed = (error: unknown) => log.verbose(`EXECUTIONS: Started tasks could not be looked at: ${error}`)
    if (records.open().length > 0 && qrsConnection && !shadow) running.refresh(0).catch(failed)
    records.prune(clock.now() - keepMs).catch(failed)
  })

  return {
    records,
    running,
    follower,
    history,
    reader,
    api({ apps: { reloads }, starts: { queued } }) {
      const cached = createCachedQrs(qrs, { ttlMs: CACHE_MS }, clock)
      const executions = createExecutionLookup({
        qrs: cached,
        logProblem: deps.qlik.logProblem,
        statuses,
        follower,
        records,
        reloads,
        queued,
        onScriptError,
      })
      const tasks = createTaskList({ qrs, clock, describe: describeTasks })
      return {
        routes: [
          ...executionRoutes({
            executions,
            tasks,
            slowerTasks: async (factor) => (await reader.ask({ kind: 'slower', factor, now: clock.now() })).taskIds,
            stopping: stopping.signal,
          }),
          ...historyRoutes({ reader, clock, timezone }),
        ],
      }
    },
    describeTasks,
    errorOf: (executionId) => errorOfExecution(db, executionId),
    taskStates: () => taskStates(db),
    backends: [
      {
        name: 'started tasks',
        start: async () => sweep.start(),
        async stop() {
          await sweep.stop()
          follower.stop()
        },
      },
    ],
    services: [
      { name: 'waiting calls', start: async () => {}, stop: async () => stopping.abort() },
      reader,
      ...(qrsConnection ? [createFirstImport({ ...deps, history, qrs })] : []),
    ],
    observers: {
      event({ executionId, taskId }) {
        running.follow(executionId)
        follower.nudge(executionId, taskId)
      },
      storageMoved: () => void reader.restart(),
    },
    pruning: [{ keepMs, purge: purgeExecutions }],
    stopping: stopping.signal,
  }
}
