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
import type { ExecutionReader, QrsClient, SiteReader } from '../../qlik/qrs/types.ts'
import { createFollower, createRunningStarts, type Follower } from './follower.ts'
import { createFirstImport, createHistory, endedFromProgress, type History, type HistoryDeps } from './history.ts'
import { historyRoutes } from './history-http.ts'
import { createHistoryReader } from './history-reader.ts'
import { executionRoutes } from './http.ts'
import { createExecutionLookup } from './lookup.ts'
import { createStatusCache } from './status.ts'
import { createStartRecords, purgeExecutions } from './store.ts'
import { createTaskList } from './tasks.ts'
import type { QueuedStart, RunningStarts, StartRecords } from './types.ts'

export interface ExecutionsDeps extends Pick<HistoryDeps, 'onEnded'> {
  /** Holds the tables of `executionMigrations` and `historyMigrations`. */
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: { readonly qrs: QrsClient & ExecutionReader & SiteReader; readonly cachedQrs: QrsClient }
  /** `footman.db`. */
  readonly databaseFile: string
  readonly workerEntry?: URL | undefined
}

export interface ExecutionsSettings {
  readonly timezone: string
  /** Milliseconds for which starts and the history are kept. */
  readonly keepMs: number
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface ExecutionRouteSources {
  readonly reloads: AppReloads
  /** An entry of the start queue by its id. */
  readonly queued: (id: string) => QueuedStart | null
}

export interface Executions {
  readonly records: StartRecords
  readonly running: RunningStarts
  readonly follower: Follower
  readonly history: History
  routes(sources: ExecutionRouteSources): readonly ApiRoute[]
  /** An event of the scheduler: the state of its execution is asked at once. */
  onEvent(event: TaskEvent): void
  /** Checks the open starts; to be started before and stopped after the start queue. */
  readonly service: Service
  readonly services: readonly Service[]
  readonly pruning: Pruning
  /** The database is another file now. */
  restart(): Promise<void>
  /** Aborts when Footman stops: calls that wait are answered with what is known. */
  readonly stopping: AbortSignal
  /** To be stopped before the REST API, so that no waiting call delays its stop. */
  readonly waiting: Service
}

/** Answers of QRS about single tasks are used for so long. */
const CACHE_MS = 10_000
/** Open starts that no caller waits for are checked this often. */
const SWEEP_MS = 10 * 60_000

export function createExecutions(deps: ExecutionsDeps, settings: ExecutionsSettings): Executions {
  const { db, writer, clock, log, onEnded } = deps
  const { qrs, cachedQrs } = deps.qlik
  const { timezone, keepMs, shadow, qrsConnection } = settings
  const records = createStartRecords({ db, writer })
  const statuses = createStatusCache({ qrs, clock })
  const follower = createFollower({ statuses, clock, log })
  const running = createRunningStarts({ records, statuses, follower, qrs, clock, log })
  const history = createHistory({ writer, records, ...(onEnded && { onEnded }) })
  const reader = createHistoryReader({ file: deps.databaseFile, workerEntry: deps.workerEntry })
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
    routes({ reloads, queued }) {
      const cached = createCachedQrs(qrs, { ttlMs: CACHE_MS }, clock)
      const executions = createExecutionLookup({ qrs: cached, statuses, follower, records, reloads, queued })
      const tasks = createTaskList({ qrs, clock })
      return [
        ...executionRoutes({ executions, tasks, stopping: stopping.signal }),
        ...historyRoutes({ reader, clock, timezone }),
      ]
    },
    onEvent({ executionId, taskId }) {
      running.follow(executionId)
      follower.nudge(executionId, taskId)
    },
    service: {
      name: 'started tasks',
      start: async () => sweep.start(),
      async stop() {
        await sweep.stop()
        follower.stop()
      },
    },
    services: [reader, ...(qrsConnection ? [createFirstImport({ db, history, qrs, log })] : [])],
    pruning: { keepMs, purge: purgeExecutions },
    restart: reader.restart,
    stopping: stopping.signal,
    waiting: { name: 'waiting calls', start: async () => {}, stop: async () => stopping.abort() },
  }
}
