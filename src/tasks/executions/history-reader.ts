/** Runs queries of the history in a thread that exists only while there are queries. */
import { isStorageTrouble, openDatabase, StorageError } from '../../platform/sqlite.ts'
import type { Service } from '../../platform/types.ts'
import { spawnWorker, type WorkerChannel, type WorkerHandle } from '../../platform/worker.ts'
import { listHistory, summarise } from './history-queries.ts'
import type { AnswerOf, HistoryQuery, ListAnswer, SummaryAnswer } from './types.ts'

export interface HistoryReader extends Service {
  /** The database is another file now: what is asked next is read from that. */
  restart(): Promise<void>
  /** Rejects when the database cannot be read. */
  ask<Q extends HistoryQuery>(query: Q): Promise<AnswerOf<Q>>
}

interface HistoryReaderSettings {
  /** `footman.db`. */
  readonly file: string
  /** The thread ends after so long without a query; default 30 s. */
  readonly idleMs?: number
  /** Entry file of the thread; default: the running program. */
  readonly workerEntry?: URL | undefined
}

const IDLE_MS = 30_000

interface Waiting {
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

export function createHistoryReader({ file, workerEntry, idleMs = IDLE_MS }: HistoryReaderSettings): HistoryReader {
  const waiting = new Map<number, Waiting>()
  let worker: WorkerHandle<ToHistory> | null = null
  let idle: ReturnType<typeof setTimeout> | undefined
  let count = 0

  function running(): WorkerHandle<ToHistory> {
    clearTimeout(idle)
    if (worker) return worker
    const started = spawnWorker<ToHistory, FromHistory>(
      HISTORY_ROLE,
      { file },
      {
        onMessage: settle,
        onEnd: ({ error }) => worker === started && ended(error?.message ?? 'its thread has ended'),
      },
      workerEntry,
    )
    worker = started
    return started
  }

  function settle(message: FromHistory): void {
    const asked = waiting.get(message.id)
    waiting.delete(message.id)
    if ('answer' in message) asked?.resolve(message.answer as never)
    else asked?.reject(message.isStorage ? new StorageError(message.problem) : new Error(message.problem))
    if (waiting.size > 0) return
    idle = setTimeout(() => void end('it was idle'), idleMs)
    idle.unref?.()
  }

  function ended(reason: string): void {
    worker = null
    for (const { reject } of waiting.values()) reject(new StorageError(`The history cannot be read: ${reason}`))
    waiting.clear()
  }

  async function end(reason: string): Promise<void> {
    clearTimeout(idle)
    const last = worker
    ended(reason)
    await last?.terminate()
  }

  return {
    name: 'history',
    ask(query) {
      const id = ++count
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        running().post({ id, query })
      })
    },
    restart: () => end('the database was opened anew; ask again'),
    start: async () => {},
    stop: () => end('Footman stops'),
  }
}

// The worker thread: queries on a read-only connection.

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
