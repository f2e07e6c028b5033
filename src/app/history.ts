/** The history of executions: who tells of them, where they are kept, who may ask. */
import type { Config } from '../config/schema.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { reasonOf } from '../qlik/qrs/failure.ts'
import { createFirstImport } from '../tasks/executions/history/first-import.ts'
import { endedFromProgress } from '../tasks/executions/history/from-qlik.ts'
import { createHistory, type History, type HistoryDeps } from '../tasks/executions/history/history.ts'
import { createHistoryReader } from '../tasks/executions/history/reader.ts'
import { historyRoutes } from '../tasks/executions/history/routes.ts'
import { purgeExecutions } from '../tasks/executions/history/store.ts'
import type { Qlik } from './qlik.ts'
import type { Aging } from './retention.ts'
import type { Starts } from './starts.ts'

export interface BuildHistoryDeps extends Pick<HistoryDeps, 'onEnded'> {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: Qlik
  readonly starts: Pick<Starts, 'records' | 'follower'>
  /** `footman.db`. */
  readonly databaseFile: string
  readonly workerEntry?: URL | undefined
}

export interface BuiltHistory {
  readonly history: History
  readonly routes: readonly ApiRoute[]
  readonly services: readonly Service[]
  readonly aging: Aging
  /** The database is another file now. */
  restart(): Promise<void>
}

export function buildHistory(deps: BuildHistoryDeps, config: Config, qrsConnection: boolean): BuiltHistory {
  const { db, writer, clock, log, qlik, starts } = deps
  const { timezone, retention } = config.footman
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
    aging: { keepMs: retention.history, purge: purgeExecutions },
  }
}
