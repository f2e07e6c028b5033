/**
 * Grouped commits: everything that wants to write in one turn of the event loop shares one transaction and one fsync.
 * A promise resolves when its work is durable, so "resolved" means "survives".
 */
import type { Database } from './sqlite.ts'

export interface GroupWriter {
  /** Runs `work` inside the next shared transaction; a throwing `work` is rolled back alone and rejects its caller. */
  write<T>(work: (db: Database) => T): Promise<T>
  /** Resolves when all that was asked for so far is on disk. */
  flush(): Promise<void>
}

interface Job {
  run(): void
  settle(failure: unknown): void
}

/** One writer per database file; every write of the main thread goes through it. */
export function createGroupWriter(db: Database): GroupWriter {
  let queue: Job[] = []
  let scheduled = false

  function commit(): void {
    scheduled = false
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
    write(work) {
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
        if (scheduled) return
        scheduled = true
        setImmediate(commit)
      })
    },
    async flush() {
      await this.write(() => undefined)
    },
  }
}
