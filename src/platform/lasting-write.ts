/**
 * Writes that must not be given up: what has been done in the outside world has to be recorded, also when the disk is
 * full for an hour. Doing it again instead would be worse.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { GroupWriter } from './group-commit.ts'
import { isStorageTrouble } from './sqlite.ts'
import type { Logger } from './types.ts'

export interface LastingWriteDeps {
  readonly writer: GroupWriter
  readonly log: Logger
  /** What is being stored, for the log: `NOTIFY The state of deliveries`. */
  readonly what: string
  /** Ends the repetitions; what is not on disk by then rejects. */
  readonly stop: AbortSignal
}

const RETRY_MS = 1000

/** Like `GroupWriter.write`, but repeats while the storage fails. Rejects at once when the work itself is at fault. */
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
        if (stop.aborted || !isStorageTrouble(error)) throw error
        if (!failing) {
          log.error(
            `${what} cannot be stored (${(error as Error).message}); trying again until it can. Free disk space`,
          )
        }
        failing = true
        await pause(RETRY_MS, undefined, { signal: stop }).catch(() => undefined)
      }
    }
  }
}
