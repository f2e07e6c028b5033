/** Long questions about the history, answered in a thread of their own from a read-only connection. */
import { isStorageTrouble, openDatabase } from '../../../platform/sqlite.ts'
import type { WorkerChannel } from '../../../platform/worker.ts'
import { listHistory } from './list.ts'
import { summarise } from './summary.ts'
import type { HistoryQuery, ListAnswer, SummaryAnswer } from './types.ts'

export const HISTORY_ROLE = 'history'

export interface ToHistory {
  readonly id: number
  readonly query: HistoryQuery
}

export type FromHistory =
  | { readonly id: number; readonly answer: ListAnswer | SummaryAnswer }
  /** `isStorage`: of the database, not of the question. */
  | { readonly id: number; readonly problem: string; readonly isStorage: boolean }

export function runHistoryWorker(
  channel: WorkerChannel<FromHistory, ToHistory>,
  { file }: { readonly file: string },
): Promise<void> {
  const db = openDatabase(file, { readOnly: true })
  const answer = (query: HistoryQuery) => (query.kind === 'list' ? listHistory(db, query) : summarise(db, query))
  channel.onMessage(({ id, query }) => {
    try {
      channel.post({ id, answer: answer(query) })
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      channel.post({ id, problem, isStorage: isStorageTrouble(error) })
    }
  })
  return Promise.resolve()
}
