/** Events of runs, beside their lines in the log. */
import type { Clock } from '../../platform/types.ts'
import { levelOf } from '../codes.ts'
import type { NewEvent } from '../types.ts'
import type { RunEvent } from './contract.ts'
import type { Ledger } from './ledger.ts'
import type { RunLog } from './log.ts'

/** Adds an event to a run, and a line to its log. */
export type NoteEvent = (run: { readonly id: string }, event: NewEvent) => Promise<void>

/** `at` in milliseconds since 1970. */
export const eventAt = (event: NewEvent, at: number): RunEvent => ({
  at: new Date(at).toISOString(),
  level: levelOf(event.code),
  ...event,
})

interface NoteDeps {
  readonly ledger: Pick<Ledger, 'addEvent'>
  readonly clock: Clock
  readonly runLog: Pick<RunLog, 'line'>
}

export function createNote({ ledger, clock, runLog }: NoteDeps): NoteEvent {
  return async (run, event) => {
    const full = eventAt(event, clock.now())
    const { level, code, report, block, recipient, details } = full
    const where = [
      report && `report=${report}`,
      block && `block=${block}`,
      recipient && `recipient=${recipient}`,
    ].filter(Boolean)
    runLog.line(run, level === 'warning' ? 'warn' : level, [code, ...where, details].join(' '))
    await ledger.addEvent(run.id, full)
  }
}
