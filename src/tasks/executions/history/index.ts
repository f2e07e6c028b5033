/** The history of executions: who tells of them, where they are kept, who may ask. */
import type { ApiRoute } from '../../../http/endpoint/route.ts'
import type { GroupWriter } from '../../../platform/group-commit.ts'
import type { Database, Pruning } from '../../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../../platform/types.ts'
import type { Qlik } from '../../../qlik/index.ts'
import { reasonOf } from '../../../qlik/qrs/failure.ts'
import type { Follower } from '../follower.ts'
import type { StartRecords } from '../types.ts'
import { createFirstImport } from './first-import.ts'
import { endedFromProgress } from './from-qlik.ts'
import { createHistory, type History, type HistoryDeps } from './history.ts'
import { createHistoryReader } from './reader.ts'
import { historyRoutes } from './routes.ts'
import { purgeExecutions } from './store.ts'

export interface ExecutionHistoryDeps extends Pick<HistoryDeps, 'onEnded'> {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: Pick<Qlik, 'qrs' | 'cachedQrs'>
  readonly starts: { readonly records: StartRecords; readonly follower: Follower }
  /** `footman.db`. */
  readonly databaseFile: string
  readonly workerEntry?: URL | undefined
}

export interface ExecutionHistorySettings {
  readonly timezone: string
  /** Milliseconds. */
  readonly retention: { readonly history: number }
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface ExecutionHistory {
  readonly history: History
  readonly routes: readonly ApiRoute[]
  readonly services: readonly Service[]
  readonly pruning: Pruning
  /** The database is another file now. */
  restart(): Promise<void>
}

export function createExecutionHistory(
  deps: ExecutionHistoryDeps,
  settings: ExecutionHistorySettings,
): ExecutionHistory {
  const { db, writer, clock, log, qlik, starts } = deps
  const { timezone, retention, qrsConnection } = settings
  const history = createHistory({ writer, records: starts.records, ...(deps.onEnded && { onEnded: deps.onEnded }) })
  const reader = createHistoryReader({ file: deps.databaseFile, workerEntry: deps.workerEntry })

  starts.follower.onLook((executionId, { progress }) => {
    if (progress?.state !== 'finished') return
    qlik.cachedQrs
      .taskById(progress.taskId)
      .then(async (task) => {
        const ended = endedFromProgress(executionId, progress, task)
        if (ended) await history.add([ended])
      })
      .catch((error: unknown) => log.verbose(`HISTORY: An execution could not be recorded yet: ${reasonOf(error)}`))
  })

  return {
    history,
    restart: reader.restart,
    routes: historyRoutes({ reader, clock, timezone }),
    services: [reader, ...(qrsConnection ? [createFirstImport({ db, history, qrs: qlik.qrs, log })] : [])],
    pruning: { keepMs: retention.history, purge: purgeExecutions },
  }
}
