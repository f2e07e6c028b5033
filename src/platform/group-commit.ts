/**
 * Grouped commits: everything that wants to write in one turn of the event loop, and in the next ones as long as each
 * brings more, shares one transaction and one fsync.
 * A promise resolves when its work is durable, so "resolved" means "survives".
 */
import type { Database } from './sqlite.ts'

export interface GroupWriter {
  /**
   * Runs `work` inside the next shared transaction; a throwing `work` is rolled back alone and rejects its caller. `soon` =
   * nobody stands and waits for it: it joins the next transaction that somebody else wants, or one that follows within
   * milliseconds. Work runs in the order in which it was asked for either way.
   */
  write<T>(work: (db: Database) => T, when?: 'now' | 'soon'): Promise<T>
  /** Resolves when all that was asked for so far is on disk. */
  flush(): Promise<void>
}

interface Job {
  run(): void
  settle(failure: unknown): void
}

/** However many want to write, the first of them does not wait longer. */
const MOST_TURNS = 8
/** How long work that can wait is collected; a commit costs as much CPU as dozens of statements, and an fsync. */
const SOON_MS = 5

/** One writer per database file; every write of the main thread goes through it. */
export function createGroupWriter(db: Database): GroupWriter {
  let queue: Job[] = []
  let scheduled = false
  let soon: ReturnType<typeof setTimeout> | undefined

  function commitNow(): void {
    if (scheduled) return
    scheduled = true
    setImmediate(gather, 0, 1)
  }

  /** A turn that brings nothing new costs microseconds; an fsync on a busy disk milliseconds. */
  function gather(known: number, turn: number): void {
    if (queue.length === known || turn === MOST_TURNS) commit()
    else setImmediate(gather, queue.length, turn + 1)
  }

  function commit(): void {
    scheduled = false
    clearTimeout(soon)
    soon = undefined
    const jobs = queue
    queue = []
    let failure: unknown
    try {
      db.transaction(() => {
        for (const job of jobs) job.run()
      })
    } catch (error) {
      // The shared transaction itself failed (disk full, file gone): nobody's work is durable.
      failure = error ?? new Error('commit failed')
    }
    for (const job of jobs) job.settle(failure)
  }

  return {
    write(work, when) {
      return new Promise((resolve, reject) => {
        let finish: () => void = () => {}
        queue.push({
          run() {
            try {
              const result = db.transaction(() => work(db))
              finish = () => resolve(result)
            } catch (error) {
              finish = () => reject(error)
            }
          },
          settle(failure) {
            if (failure === undefined) finish()
            else reject(failure)
          },
        })
        if (when === 'soon') soon ??= setTimeout(commitNow, SOON_MS)
        else commitNow()
      })
    },
    async flush() {
      await this.write(() => undefined)
    },
  }
}
