/** Tells when a file has changed, once it has stopped changing. Polls, which works on shares and through symbolic links. */

import { type Stats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createRecurringJob } from './recurring-job.ts'
import type { Service } from './types.ts'

export interface FileWatchSettings {
  readonly file: string
  /** A change is told after one to two of these, in milliseconds; default 1 s. */
  readonly pollMs?: number
}

/** `onChange` is awaited before the file is looked at again. A file that is missing for a while counts as unchanged. */
export function createFileWatch(settings: FileWatchSettings, onChange: () => Promise<unknown>): Service {
  const { file, pollMs = 1000 } = settings
  // Of the moment when it was read: what changes while everything starts is a change.
  let told = stampNow(file)
  let seen = told

  async function look(): Promise<void> {
    const now = await stampOf(file)
    const isStable = now === seen
    seen = now
    if (now === '' || now === told || !isStable) return
    told = now
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

/** Empty while the file is not there. */
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
