/** The log of a run: a file with a line for each step, in the layout of the log of Footman. */
import { appendFile, mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Logger } from '../../platform/types.ts'
import { visible } from '../../platform/visible.ts'

type LineLevel = 'info' | 'warn' | 'error'

export interface RunLog {
  /** Adds a line to the log of Footman and to that of the run; lines of a run keep their order. */
  line(run: { readonly id: string }, level: LineLevel, text: string): void
  /** The lines so far; '' when there are none. */
  read(runId: string): Promise<string>
  /** Where the log lies once everything so far is written. */
  path(runId: string): Promise<string>
  remove(runId: string): Promise<void>
}

export function createRunLog(
  { log, clock }: { readonly log: Logger; readonly clock: Clock },
  directory: string,
): RunLog {
  const last = new Map<string, Promise<void>>()
  const pathOf = (runId: string) => join(directory, `${runId}.log`)

  async function append(path: string, text: string): Promise<void> {
    try {
      await appendFile(path, text, { mode: 0o600 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await mkdir(directory, { recursive: true })
      await appendFile(path, text, { mode: 0o600 })
    }
  }

  return {
    line({ id }, level, text) {
      const message = `REPORTTASK: run=${id.slice(-8)} ${visible(text)}`
      log[level](message)
      const written = `${new Date(clock.now()).toISOString()} ${level}: ${message}\n`
      const mine = (last.get(id) ?? Promise.resolve())
        .then(() => append(pathOf(id), written))
        .catch((error: Error) => log.error(`REPORTTASK: the log of run ${id} cannot be written: ${error.message}`))
        .finally(() => {
          if (last.get(id) === mine) last.delete(id)
        })
      last.set(id, mine)
    },
    async read(runId) {
      await last.get(runId)
      return readFile(pathOf(runId), 'utf8').catch(() => '')
    },
    async path(runId) {
      await last.get(runId)
      return pathOf(runId)
    },
    async remove(runId) {
      await last.get(runId)
      await rm(pathOf(runId), { force: true })
    },
  }
}
