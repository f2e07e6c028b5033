/** Queries of the history in a thread of their own, which exists only while there are queries. */
import { StorageError } from '../../platform/sqlite.ts'
import type { Service } from '../../platform/types.ts'
import { spawnWorker, type WorkerHandle } from '../../platform/worker.ts'
import type { FromHistory, Query, Questions, ToHistory } from './history-worker.ts'

/** Name of the thread's role, as the program's entry knows it. */
export const HISTORY_ROLE = 'history'

export interface HistoryReader extends Service {
  /** The database is another file now: what is asked next is read from that. */
  restart(): Promise<void>
  /** Rejects when the database cannot be read. */
  ask<Kind extends keyof Questions>(query: Query<Kind>): Promise<ReturnType<Questions[Kind]>>
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
