/** Reports changes of a file once it has stopped changing. Polls, which works on shares and through symbolic links. */
import { type Stats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createRecurringJob } from './recurring-job.ts'
import type { Service } from './types.ts'

export interface FileWatchSettings {
  readonly file: string
  /** Milliseconds between two checks; default 1,000. A change is reported after one to two of them. */
  readonly pollMs?: number
}

/** Awaits `onChange` before the next check. A file that is missing for a while counts as unchanged. */
export function createFileWatch(settings: FileWatchSettings, onChange: () => Promise<unknown>): Service {
  const { file, pollMs = 1000 } = settings
  // Taken before the start, so that a change during the start is reported.
  let reported = stampNow(file)
  let seen = reported

  async function look(): Promise<void> {
    const now = await stampOf(file)
    const isStable = now === seen
    seen = now
    if (now === '' || now === reported || !isStable) return
    reported = now
    await onChange()
  }

  const polling = createRecurringJob({ everyMs: pollMs, unref: true }, look)
  return {
    name: 'file watch',
    start: async () => polling.start(),
    // `onChange` may be what stops the watch: its end is not awaited.
    stop: async () => void polling.stop(),
  }
}

/** Empty while the file is missing. */
async function stampOf(file: string): Promise<string> {
  return stat(file).then(stampIn, () => '')
}

function stampNow(file: string): string {
  try {
    return stampIn(statSync(file))
  } catch {
    return ''
  }
}

const stampIn = ({ size, mtimeMs, ino }: Stats): string => `${size} ${mtimeMs} ${ino}`
