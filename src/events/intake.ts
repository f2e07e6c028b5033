/**
 * Turns journal entries into events: they are decoded, parsed, de-duplicated and stored. The cursor of the journal is stored
 * in the same transaction, so that an entry that is read twice makes no second event.
 */

import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { IngestCounters } from './counters.ts'
import { type AnnouncedOutcome, decodeDatagram, type ParsedDatagram, parseDatagram } from './datagram.ts'
import type { EventRouter } from './event-router.ts'
import type { JournalEntry, JournalReader } from './ingest/journal.ts'
import { createRejectionLog } from './ingest/rejections.ts'
import { dedupKey, isDedupKeyTaken, readMeta, recordDrops, takeDedupKey, writeMeta } from './intake-state.ts'
import { severityOf } from './kinds.ts'
import { noteSources } from './sources.ts'
import { forgetJournalIds, insertEvent, lastKnownType, type NewEvent } from './store.ts'
import { guessTaskType } from './task-type.ts'
import type { DropReason, Outcome, TaskEvent, TaskType } from './types.ts'
import type { Unverified, UnverifiedMessage } from './unverified.ts'

export interface IntakeDeps {
  readonly writer: GroupWriter
  readonly journal: JournalReader
  readonly router: Pick<EventRouter, 'handle' | 'wake'>
  readonly clock: Clock
  readonly log: Logger
  readonly counters: IngestCounters
  /** Where messages about unknown tasks wait; null = QRS is not asked, and every message becomes an event. */
  readonly unverified: Pick<Unverified, 'hold'> | null
  /** The type of a task that other parts know; null when they do not. */
  readonly typeOfTask?: ((db: Database, taskId: string) => TaskType | null) | undefined
  /** Entries of the journal have been stored in the database. */
  readonly onTaken: () => void
}

export interface IntakeSettings {
  /** Null = de-duplication is off. */
  readonly dedupTtlMs: number | null
  /** How long each kind of event may wait for Qlik data. */
  readonly waitMs: Readonly<Record<AnnouncedOutcome, number>>
  /** The newest id of the journal when it was opened, before anything arrived. */
  readonly journalEnd: number
}

export interface Intake {
  /** Takes over everything that the journal holds beyond the cursor; resolves when it is stored. */
  catchUp(): Promise<void>
  /** Makes events of messages that had to wait, as their tasks exist. In the transaction that ends their wait. */
  admit(tx: Database, messages: readonly UnverifiedMessage[]): void
  /** The journal entry up to which everything is stored. */
  cursor(): number
  /** Ends after the batch under way; the rest stays in the journal for the next start. */
  stop(): Promise<void>
}

type TaskDatagram = Extract<ParsedDatagram, { kind: 'task' }>

const BATCH = 500
const CURSOR_KEY = 'journal.cursor'
const JOURNAL_KEY = 'journal.id'
/** Messages older than this are skipped when the journal is older than the database, as a lost database was created anew. */
const STRANGE_JOURNAL_MS = 3_600_000
/** Senders whose encoding was warned about that are remembered; only forged senders are more. */
const MAX_WARNED_SENDERS = 1000

/** The entry of the journal up to which everything is stored; null = nothing is known of any journal. */
export const storedCursor = (db: Database): number | null => {
  const stored = readMeta(db, CURSOR_KEY)
  return stored === null ? null : Number(stored)
}

export function createIntake(deps: IntakeDeps, settings: IntakeSettings, db: Database): Intake {
  const { log, counters } = deps
  const warnedEncodings = new Set<string>()
  const rejections = createRejectionLog(
    () => deps.clock.now(),
    (text, reason) => {
      log.warn(`[QSEOW] UDP HANDLER: ${reason === 'SANITISED' ? 'Sanitised' : 'Rejected'} ${text}`)
    },
  )
  const stored = Number(readMeta(db, CURSOR_KEY) ?? 0)
  // A cursor belongs to one journal file: with another file everything in it is new. A power cut may take the last
  // entries of a journal after they were taken over here; their ids are then given again.
  const known = readMeta(db, JOURNAL_KEY)
  const isSame = known === deps.journal.journalId
  let cursor = isSame ? Math.min(stored, settings.journalEnd) : known === null ? adoptJournal() : 0
  let idsReturn = !isSame || cursor < stored
  let stopped = false
  let running: Promise<void> | null = null
  let again = false

  /** A new database stores at once which journal is its own. Older messages are skipped: alerts from weeks ago are of no use. */
  function adoptJournal(): number {
    const start = deps.journal.lastBefore(deps.clock.now() - STRANGE_JOURNAL_MS)
    if (start > 0) {
      log.warn(
        '[QSEOW] UDP HANDLER: The journal is older than footman.db: messages received more than an hour ago are not worked off again',
      )
    }
    deps.writer
      .write((tx) => {
        forgetJournalIds(tx, start)
        writeMeta(tx, JOURNAL_KEY, deps.journal.journalId)
        writeMeta(tx, CURSOR_KEY, String(start))
      })
      .catch(() => undefined)
    return start
  }

  async function run(): Promise<void> {
    do {
      again = false
      for (;;) {
        const entries = stopped ? [] : deps.journal.after(cursor, BATCH)
        rejections.flush()
        if (entries.length === 0) break
        await takeOver(entries)
      }
    } while (again)
  }

  async function takeOver(entries: readonly JournalEntry[]): Promise<void> {
    const last = entries.at(-1)!.id
    await deps.writer.write((tx) => {
      if (idsReturn) forgetJournalIds(tx, cursor)
      noteSources(
        tx,
        entries.map((entry) => ({ sender: entry.sender, host: accept(tx, entry), at: entry.receivedAt })),
      )
      writeMeta(tx, JOURNAL_KEY, deps.journal.journalId)
      writeMeta(tx, CURSOR_KEY, String(last))
    })
    cursor = last
    idsReturn = false
    deps.router.wake()
    deps.onTaken()
  }

  /** The host that the message names; null for a datagram that is no message. */
  function accept(tx: Database, entry: JournalEntry): string | null {
    const { text, encoding } = decodeDatagram(entry.raw)
    log.verbose(`[QSEOW] UDP HANDLER: UDP message received from ${entry.sender}: ${text}`)
    if (encoding !== 'utf-8') warnEncoding(entry.sender)

    const parsed = parseDatagram(text)
    if (parsed.kind === 'rejected') {
      const advice = parsed.outdated
        ? ''
        : '. Only the appenders of footman log-appender should send to this port; footman events dropped shows more'
      const detail = `${parsed.detail}${advice}. Received: ${text.slice(0, 500)}`
      rejections.note({ sender: entry.sender, reason: parsed.reason, detail })
      counters.failed += 1
      drop(tx, entry, parsed.reason)
      return null
    }
    if (parsed.kind === 'engine') {
      const { host, appId, userDirectory, userId } = parsed.message
      log.verbose(
        `[QSEOW] UDP HANDLER: Engine reload failed on ${host}, app ${appId}, user ${userDirectory}\\${userId}`,
      )
      counters.processed += 1
      return host
    }
    if (parsed.sanitized) {
      const detail = `control characters were removed, the rest was accepted. Received: ${text.slice(0, 200)}`
      rejections.note({ sender: entry.sender, reason: 'SANITISED', detail })
    }
    const waiting = { ...entry, journalId: entry.id }
    if (!deps.unverified?.hold(tx, waiting, parsed.message.taskId)) acceptTask(tx, waiting, parsed, entry.receivedAt)
    return parsed.message.host
  }

  /** `since` = when the wait for Qlik data begins. */
  function acceptTask(tx: Database, entry: UnverifiedMessage, parsed: TaskDatagram, since: number): void {
    const { message } = parsed
    if (!message.executionId) log.debug(`[QSEOW] UDP HANDLER: No execution id, not de-duplicated: ${message.taskName}`)
    else if (isDuplicate(tx, parsed)) {
      log.verbose(`[QSEOW] UDP HANDLER: Duplicate dropped, execution id ${message.executionId}, ${parsed.outcome}`)
      drop(tx, entry, 'DUPLICATE')
      return
    }
    const event = newEvent(tx, entry, parsed, since)
    if (insertEvent(tx, event) === null) return
    counters.queued += 1
    // How a distribution ends is not known yet, so no rule may report it.
    if (event.announced !== 'distribute') deps.router.handle(tx, arrivalRecord(event), 'everything')
  }

  function isDuplicate(tx: Database, { message, outcome }: TaskDatagram): boolean {
    const key = dedupKey(message.executionId, outcome)
    if (key === null) return false
    const now = deps.clock.now()
    // Even without de-duplication, a late message must not repeat an event that was found in Qlik Sense.
    if (settings.dedupTtlMs === null) return isDedupKeyTaken(tx, key, now)
    return !takeDedupKey(tx, key, now, settings.dedupTtlMs)
  }

  function newEvent(tx: Database, entry: UnverifiedMessage, parsed: TaskDatagram, since: number): NewEvent {
    const { taskId } = parsed.message
    const known = lastKnownType(tx, taskId) ?? deps.typeOfTask?.(tx, taskId) ?? null
    // Until QRS has decided, a handed-over distribution counts as what it usually becomes.
    const outcome: Outcome = parsed.outcome === 'distribute' ? 'success' : parsed.outcome
    return {
      id: uuidV7(entry.receivedAt),
      journalId: entry.journalId,
      receivedAt: entry.receivedAt,
      source: 'udp',
      sender: entry.sender,
      type: known ?? guessTaskType(parsed.message, parsed.outcome),
      typeKnown: known !== null,
      announced: parsed.outcome,
      outcome,
      severity: severityOf(outcome),
      deadlineAt: since + settings.waitMs[parsed.outcome],
      message: parsed.message,
      nameTokens: parsed.nameTokens,
    }
  }

  function drop(tx: Database, entry: Omit<UnverifiedMessage, 'journalId'>, reason: DropReason): void {
    counters.dropped[reason] += 1
    recordDrops(tx, [{ at: entry.receivedAt, sender: entry.sender, reason, raw: entry.raw }])
  }

  function warnEncoding(sender: string): void {
    if (warnedEncodings.has(sender)) return
    if (warnedEncodings.size >= MAX_WARNED_SENDERS) warnedEncodings.clear()
    warnedEncodings.add(sender)
    log.warn(
      `[QSEOW] UDP HANDLER: ${sender} sends text that is not UTF-8; read as windows-1252. Add <param name="encoding" value="utf-8"/> to the appenders in its LocalLogConfig.xml`,
    )
  }

  return {
    catchUp() {
      again = true
      running ??= run().finally(() => {
        running = null
      })
      return running
    },
    admit(tx, messages) {
      for (const message of messages) {
        const parsed = parseDatagram(decodeDatagram(message.raw).text)
        if (parsed.kind === 'task') acceptTask(tx, message, parsed, deps.clock.now())
      }
    },
    cursor: () => cursor,
    async stop() {
      stopped = true
      await running?.catch(() => undefined)
      rejections.flush(true)
    },
  }
}

const WITHOUT_QLIK_DATA = { details: null, code: null, history: null, retry: null, test: false } as const

/** The record of an event of which only the datagram is known. */
function arrivalRecord(event: NewEvent): TaskEvent {
  const { message, journalId, sender, typeKnown, announced, deadlineAt, nameTokens, ...facts } = event
  return {
    ...WITHOUT_QLIK_DATA,
    ...facts,
    ...message,
    task: null,
    app: null,
    owner: null,
    execution: null,
    scriptLog: null,
    missingParts: [],
  }
}
