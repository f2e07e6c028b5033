/** At the first start the history begins with the last result of each task. */
import { setTimeout as pause } from 'node:timers/promises'
import { backoffDelay } from '../../../platform/backoff.ts'
import type { Database } from '../../../platform/sqlite.ts'
import type { Logger, Service } from '../../../platform/types.ts'
import { reasonOf } from '../../../qlik/qrs/failure.ts'
import type { ExecutionReader, QrsTask } from '../../../qlik/qrs/types.ts'
import { lastResultOf } from '../task-info.ts'
import type { EndedExecution } from '../types.ts'
import { endedFromResults } from './from-qlik.ts'
import type { History } from './history.ts'

export interface FirstImportDeps {
  readonly db: Database
  readonly history: Pick<History, 'add'>
  readonly qrs: Pick<ExecutionReader, 'taskBatches' | 'resultsById'>
  readonly log: Logger
}

const DONE_KEY = 'history.imported'
const RETRY = { firstMs: 2000, maxMs: 60_000 }

/** Goes on in the background until QRS has answered; nothing waits for it. */
export function createFirstImport({ db, history, qrs, log }: FirstImportDeps): Service {
  const stopping = new AbortController()
  let running: Promise<void> = Promise.resolve()

  async function run(): Promise<void> {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      try {
        let count = 0
        for await (const tasks of qrs.taskBatches(stopping.signal)) {
          const executions = await lastExecutions(tasks)
          await history.add(executions, true)
          count += executions.length
        }
        db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', DONE_KEY, String(count))
        log.info(`HISTORY: The last results of ${count} tasks were taken from Qlik Sense`)
        return
      } catch (error) {
        log.verbose(`HISTORY: The last results of tasks cannot be read yet: ${reasonOf(error)}`)
        await pause(backoffDelay(attempt, RETRY), undefined, { signal: stopping.signal, ref: false }).catch(() => {})
      }
    }
  }

  async function lastExecutions(tasks: readonly QrsTask[]): Promise<EndedExecution[]> {
    const lasts = tasks.flatMap((task) => {
      const result = lastResultOf(task)
      return result ? [{ task, result }] : []
    })
    const ids = lasts.map(({ result }) => result.id)
    const known = new Map(
      (await qrs.resultsById(ids, stopping.signal)).map((result) => [result.id, result.executionID]),
    )
    return lasts.flatMap(({ task, result }) => {
      const executionId = result.executionID ?? known.get(result.id) ?? null
      return endedFromResults(executionId, [result], task) ?? []
    })
  }

  return {
    name: 'first history',
    async start() {
      if (db.get('SELECT 1 FROM meta WHERE key = ?', DONE_KEY)) return
      running = run()
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}
