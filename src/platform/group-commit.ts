/**
 * Grouped commits: all writes requested in one turn of the event loop, and in the following turns while each brings more,
 * share one transaction and one fsync. A promise resolves when its work is durable.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from './errors.ts'
import { type Database, isStorageFailure } from './sqlite.ts'
import type { Logger } from './types.ts'

export interface GroupWriter {
  /**
   * Runs `work` inside the next shared transaction; a throwing `work` is rolled back alone and rejects its caller. `soon`:
   * no caller waits for it; it joins the next transaction of other work, or one that follows within milliseconds. Work runs
   * in the order of the calls either way.
   */
  write<T>(work: (db: Database) => T, when?: 'now' | 'soon'): Promise<T>
  /** Resolves when all work requested so far is on disk. */
  flush(): Promise<void>
}

interface Job {
  run(): void
  settle(failure: unknown): void
}

/** Limits the wait of the first writer while others keep joining. */
const MOST_TURNS = 8
/** How long work that can wait is collected; a commit costs as much CPU as dozens of statements, and an fsync. */
const SOON_MS = 5

/**
 * Called after each commit. Null: what it changed is durable. Otherwise it is when the promise resolves, and refused when it
 * rejects, although it is in this database.
 */
export type AfterCommit = () => Promise<void> | null

/**
 * A commit of this node was refused elsewhere: another node of the cluster leads. That node does the work that waits for them. Has the code of an SQLite error
 * (BUSY), as the same work may succeed later.
 */
export class NotLeaderError extends Error {
  override readonly name = 'NotLeaderError'
  readonly errcode = 5
  constructor() {
    super('another node of the cluster leads now')
  }
}

/** One writer per database file; every write of the main thread goes through it. */
export function createGroupWriter(db: Database, afterCommit: AfterCommit = () => null): GroupWriter {
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
    const settle = (failure?: unknown) => {
      for (const job of jobs) job.settle(failure)
    }
    try {
      db.transaction(() => {
        for (const job of jobs) job.run()
      })
    } catch (error) {
      // The shared transaction itself failed (disk full, file gone): no work is durable.
      settle(error ?? new Error('commit failed'))
      return
    }
    const elsewhere = afterCommit()
    if (elsewhere === null) settle()
    else elsewhere.then(() => settle(), settle)
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

interface LastingWriteDeps {
  readonly writer: GroupWriter
  readonly log: Logger
  /** Name of the stored data, for the log: `NOTIFY The state of deliveries`. */
  readonly what: string
  /** Ends the repetitions: writes that are not on disk by then reject. */
  readonly stop: AbortSignal
}

const RETRY_MS = 1000

/**
 * Like `GroupWriter.write`, but repeats while the storage fails; for records of actions that must not be carried out twice,
 * such as a delivery. Rejects at once when the work itself throws.
 */
export function createLastingWrite({ writer, log, what, stop }: LastingWriteDeps): GroupWriter['write'] {
  let failing = false

  return async (work, when) => {
    for (;;) {
      try {
        const result = await writer.write(work, when)
        if (failing) log.info(`${what} can be stored again`)
        failing = false
        return result
      } catch (error) {
        if (stop.aborted || error instanceof NotLeaderError || !isStorageFailure(error)) throw error
        if (!failing) {
          log.error(`${what} cannot be stored (${errorText(error)}); trying again until it can. Free disk space`)
        }
        failing = true
        // A process that has stopped everything else ends, although a late write finds its database closed.
        await pause(RETRY_MS, undefined, { signal: stop, ref: false }).catch(() => undefined)
      }
    }
  }
}
