/**
 * The script log of an event whose messages were all held back, so that it was not fetched: a message that is sent after
 * all (the hold was released, a person sends it again) shows it.
 */

import { storeScriptLog } from '../events/store.ts'
import type { TaskEvent } from '../events/types.ts'
import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Logger } from '../platform/types.ts'
import { statusAnswer } from '../qlik/qrs/failure.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'

interface LateLogDeps {
  readonly writer: GroupWriter
  readonly qrs: Pick<QrsClient, 'scriptLog'>
  readonly log: Logger
  /** Called when the stored event has got its log. */
  readonly forget: (eventId: string) => void
}

const TIMEOUT_MS = 10_000

/** Asks Qlik Sense once; without an answer the script log counts as missing. Never rejects. */
export function createLateLogs({ writer, qrs, log, forget }: LateLogDeps) {
  return async (event: TaskEvent, stop: AbortSignal): Promise<TaskEvent> => {
    const { id, taskId, taskName, execution } = event
    let answer: string | null = null
    try {
      const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)])
      const text = execution && (await qrs.scriptLog(taskId, execution, signal))
      if (text) {
        const scriptLog = { lines: text.split(/\r?\n/), characters: text.length }
        await writer.write((tx) => storeScriptLog(tx, id, scriptLog))
        forget(id)
        return { ...event, scriptLog }
      }
    } catch (error) {
      answer = statusAnswer(error)
      log.warn(`NOTIFY The script log of task "${taskName}" could not be read for event ${id}: ${errorText(error)}`)
    }
    return {
      ...event,
      missingParts: [...event.missingParts, 'scriptLog'],
      ...(answer && { missingReasons: { ...event.missingReasons, scriptLog: answer } }),
    }
  }
}
