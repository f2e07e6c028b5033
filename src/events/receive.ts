/** Reads datagrams: what they are, and the log lines and counts of those that are no messages. */
import { createHash } from 'node:crypto'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { IngestCounters } from './counters.ts'
import { decodeDatagram, type ParsedDatagram, parseDatagram } from './datagram.ts'
import type { Datagram } from './ingest/journal.ts'
import { createRejectionLog } from './ingest/rejections.ts'
import { dedupKey, recordDrops } from './intake-state.ts'
import type { DropReason } from './types.ts'

export type TaskDatagram = Extract<ParsedDatagram, { kind: 'task' }>

export interface Received {
  /** The host that the message names; null for a datagram that is no message. */
  readonly host: string | null
  /** Null where no event comes of it. */
  readonly task: TaskDatagram | null
  /** Why it is no message; null when it is one. */
  readonly drop: DropReason | null
}

export interface Receiver {
  /** Logs and counts the datagram; changes nothing on disk. */
  read(datagram: Datagram): Received
  /** Writes the lines that were held back to keep a flood out of the log. */
  flush(all?: boolean): void
}

/** Senders whose encoding was warned about that are remembered; only forged senders are more. */
const MAX_WARNED_SENDERS = 1000

export function createReceiver(deps: {
  readonly log: Logger
  readonly clock: Clock
  readonly counters: IngestCounters
}): Receiver {
  const { log, counters } = deps
  const warnedEncodings = new Set<string>()
  const rejections = createRejectionLog(
    () => deps.clock.now(),
    (text, reason) => {
      log.warn(`[QSEOW] UDP HANDLER: ${reason === 'SANITISED' ? 'Sanitised' : 'Rejected'} ${text}`)
    },
  )

  function warnEncoding(sender: string): void {
    if (warnedEncodings.has(sender)) return
    if (warnedEncodings.size >= MAX_WARNED_SENDERS) warnedEncodings.clear()
    warnedEncodings.add(sender)
    log.warn(
      `[QSEOW] UDP HANDLER: ${sender} sends text that is not UTF-8; read as windows-1252. Add <param name="encoding" value="utf-8"/> to the appenders in its LocalLogConfig.xml`,
    )
  }

  return {
    read({ sender, raw }) {
      const { text, encoding } = decodeDatagram(raw)
      log.verbose(`[QSEOW] UDP HANDLER: UDP message received from ${sender}: ${text}`)
      if (encoding !== 'utf-8') warnEncoding(sender)

      const parsed = parseDatagram(text)
      if (parsed.kind === 'rejected') {
        const advice = parsed.outdated
          ? ''
          : '. Only the appenders of footman log-appender should send to this port; footman events dropped shows more'
        const detail = `${parsed.detail}${advice}. Received: ${text.slice(0, 500)}`
        rejections.note({ sender, reason: parsed.reason, detail })
        counters.failed += 1
        return { host: null, task: null, drop: parsed.reason }
      }
      if (parsed.kind === 'taskReload') {
        const { host, appId } = parsed
        log.verbose(
          `[QSEOW] UDP HANDLER: Engine reload failed on ${host}, app ${appId}: the reload of a task, which the scheduler reports`,
        )
        counters.processed += 1
        return { host, task: null, drop: null }
      }
      if (parsed.sanitized) {
        const detail = `control characters were removed, the rest was accepted. Received: ${text.slice(0, 200)}`
        rejections.note({ sender, reason: 'SANITISED', detail })
      }
      return { host: parsed.message.host, task: parsed, drop: null }
    },
    flush: (all) => rejections.flush(all),
  }
}

/** The message of a datagram that was read before; null where it holds none. */
export function taskMessageOf(raw: Uint8Array): TaskDatagram | null {
  const parsed = parseDatagram(decodeDatagram(raw).text)
  return parsed.kind === 'task' ? parsed : null
}

/** Keeps a datagram that makes no event for inspection. */
export function recordDrop(tx: Database, counters: IngestCounters, datagram: Datagram, reason: DropReason): void {
  const { receivedAt: at, sender, raw } = datagram
  counters.dropped[reason] += 1
  recordDrops(tx, [{ at, sender, reason, raw }])
}

/** Names a message the same on every node that gets it, whether or not it names its execution. */
export function messageKey({ type, message, outcome }: TaskDatagram): string {
  const { host, taskId, appId, user, logTimeStamp, logMessage, executionId } = message
  const known = dedupKey(executionId, outcome)
  if (known !== null) return known
  const subject = type === null ? [taskId] : [type, appId, user]
  const parts = [host, ...subject, logTimeStamp, outcome, logMessage]
  return `m|${createHash('sha256').update(parts.join('\0')).digest('hex')}`
}
