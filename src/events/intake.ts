/**
 * Takes messages over from the journal. On a single node they become events; the cursor of the journal is stored in the same
 * transaction, so that an entry that is read twice makes no second event. In a cluster they are offered to the inbox that all
 * nodes share, and the leader makes events of what is in there.
 */

import { createHash } from 'node:crypto'
import type { Inbox, InboxEntry, OfferedMessage } from '../cluster/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { IngestCounters } from './counters.ts'
import { type AnnouncedOutcome, decodeDatagram, type ParsedDatagram, parseDatagram } from './datagram.ts'
import type { EventRouter } from './event-router.ts'
import type { Datagram, JournalEntry, JournalReader } from './ingest/journal.ts'
import { createRejectionLog } from './ingest/rejections.ts'
import { severityOf } from './kinds.ts'
import { noteSources } from './sources.ts'
import {
  dedupKey,
  forgetJournalIds,
  insertEvent,
  isDedupKeyTaken,
  lastKnownType,
  type NewEvent,
  readMeta,
  recordDrops,
  takeDedupKey,
  writeMeta,
} from './store.ts'
import { guessTaskType } from './task-type.ts'
import type { DropReason, Outcome, TaskEvent, TaskType } from './types.ts'
import { appSubject, type Unverified, type UnverifiedMessage } from './unverified.ts'

export interface IntakeDeps extends AcceptDeps {
  readonly writer: GroupWriter
  readonly journal: JournalReader
  readonly router: AcceptDeps['router'] & { wake(): void }
  /** Null: the messages of the journal become events here. */
  readonly inbox: Inbox | null
  /** Stores an event that another node has offered; returns its id. In the transaction that settles it. */
  readonly acceptEvent: (tx: Database, raw: Uint8Array) => string | null
  /** Messages have been stored in the database. */
  readonly onTaken: () => void
}

export interface IntakeSettings extends AcceptSettings {
  /** The newest id of the journal when it was opened, before anything arrived. */
  readonly journalEnd: number
  /** Messages that were offered since then are taken once more, as their events may be missing; milliseconds, null = none. */
  readonly offeredSince: number | null
}

export interface Intake {
  /** Takes over everything that the journal holds beyond the cursor; resolves when it is stored. */
  catchUp(): Promise<void>
  /** Makes events of messages that had to wait, as their tasks exist. In the transaction that ends their wait. */
  admit(tx: Database, messages: readonly UnverifiedMessage[]): void
  /** Offers messages that the journal cannot take to the inbox that all nodes share; false where there is none. */
  handOver(datagrams: readonly Datagram[]): Promise<boolean>
  /** The journal entry up to which everything is stored. */
  cursor(): number
  /** Ends after the batch under way; the rest stays in the journal for the next start. */
  stop(): Promise<void>
}

const BATCH = 500
/** A statement of PostgreSQL is a message each way, and the leader stores the events of one at a time. */
const SHARED_BATCH = 200
const CURSOR_KEY = 'journal.cursor'
const JOURNAL_KEY = 'journal.id'
/** Messages older than this are skipped when the journal is older than the database, as a lost database was created anew. */
const STRANGE_JOURNAL_MS = 3_600_000

/** The entry of the journal up to which everything is stored; null = nothing is known of any journal. */
export const storedCursor = (db: Database): number | null => {
  const stored = readMeta(db, CURSOR_KEY)
  return stored === null ? null : Number(stored)
}

export function createIntake(deps: IntakeDeps, settings: IntakeSettings, db: Database): Intake {
  const { log, counters, journal, writer, inbox } = deps
  const receiver = createReceiver(deps)
  const acceptor = createAcceptor(deps, settings)
  const stored = Number(readMeta(db, CURSOR_KEY) ?? 0)
  // A cursor belongs to one journal file: with another file everything in it is new. A power cut may take the last
  // entries of a journal after they were taken over here; their ids are then given again.
  const known = readMeta(db, JOURNAL_KEY)
  const isSame = known === journal.journalId
  let cursor = isSame ? Math.min(stored, settings.journalEnd) : known === null ? adoptJournal() : 0
  let idsReturn = !isSame || cursor < stored
  /** Up to this entry everything has been offered and counted. */
  const offered = cursor
  if (settings.offeredSince !== null) cursor = Math.min(cursor, journal.lastBefore(settings.offeredSince))
  let stopped = false

  /** A new database stores at once which journal is its own. Older messages are skipped: alerts from weeks ago are of no use. */
  function adoptJournal(): number {
    const start = journal.lastBefore(deps.clock.now() - STRANGE_JOURNAL_MS)
    if (start > 0) {
      log.warn(
        '[QSEOW] UDP HANDLER: The journal is older than footman.db: messages received more than an hour ago are not worked off again',
      )
    }
    writer
      .write((tx) => {
        forgetJournalIds(tx, start)
        writeMeta(tx, JOURNAL_KEY, journal.journalId)
        writeMeta(tx, CURSOR_KEY, String(start))
      })
      .catch(() => undefined)
    return start
  }

  async function takeJournal(): Promise<void> {
    // Another part of this node, which may come before all is offered again, goes on from there too.
    if (cursor < offered) await writer.write((tx) => writeMeta(tx, CURSOR_KEY, String(cursor)))
    for (;;) {
      const entries = stopped ? [] : journal.after(cursor, inbox ? SHARED_BATCH : BATCH)
      receiver.flush()
      if (entries.length === 0) return
      if (inbox) await offer(inbox, entries)
      else await makeEvents(entries)
    }
  }

  async function makeEvents(entries: readonly JournalEntry[]): Promise<void> {
    await store(entries, (tx, entry, { task }) => {
      if (task) acceptor.accept(tx, { ...entry, journalId: entry.id }, task)
    })
    deps.router.wake()
    deps.onTaken()
  }

  /** After a crash in between they are offered once more, and are known then. */
  async function offer(to: Inbox, entries: readonly JournalEntry[]): Promise<void> {
    const received = entries.map((entry) => receiver.read(entry))
    await offerTasks(
      to,
      entries,
      received.map(({ task }) => task),
    )
    await store(entries, () => undefined, received)
  }

  async function offerTasks(
    to: Inbox,
    datagrams: readonly Datagram[],
    tasks: readonly (TaskDatagram | null)[],
  ): Promise<void> {
    const offset = deps.clock.now() - Date.now()
    const messages = datagrams.flatMap(({ receivedAt, sender, raw }, index): OfferedMessage[] => {
      const task = tasks[index]
      return task ? [{ key: messageKey(task), kind: 'datagram', receivedAt: receivedAt + offset, sender, raw }] : []
    })
    if (messages.length > 0) await to.offer(messages)
  }

  /** One transaction: the events, what is remembered of the senders, and the cursor. */
  async function store(
    entries: readonly JournalEntry[],
    use: (tx: Database, entry: JournalEntry, received: Received) => void,
    received?: readonly Received[],
  ): Promise<void> {
    const last = entries.at(-1)!.id
    await writer.write((tx) => {
      if (idsReturn) forgetJournalIds(tx, cursor)
      const sources = entries.map((entry, index) => {
        const read = received?.[index] ?? receiver.read(entry)
        // Entries that were offered before have been counted then.
        if (read.drop !== null && entry.id > offered) recordDrop(tx, counters, entry, read.drop)
        use(tx, entry, read)
        return { sender: entry.sender, host: read.host, at: entry.receivedAt }
      })
      noteSources(
        tx,
        sources.filter((_, index) => entries[index]!.id > offered),
      )
      writeMeta(tx, JOURNAL_KEY, journal.journalId)
      writeMeta(tx, CURSOR_KEY, String(last))
    })
    cursor = last
    idsReturn = false
  }

  async function takeInbox(from: Inbox): Promise<void> {
    for (;;) {
      const entries = stopped ? [] : await from.next(SHARED_BATCH)
      if (entries.length === 0) return
      await writer.write((tx) => from.settle(entries.map((entry) => ({ key: entry.key, eventId: eventOf(tx, entry) }))))
      deps.router.wake()
      deps.onTaken()
    }
  }

  function eventOf(tx: Database, { kind, receivedAt, sender, raw, node }: InboxEntry): string | null {
    if (kind === 'event') return deps.acceptEvent(tx, raw)
    const task = taskMessageOf(raw)
    return task && acceptor.accept(tx, { journalId: null, receivedAt, sender, raw, node }, task)
  }

  const journaling = createRepeated(takeJournal)
  const taking = inbox ? createRepeated(() => takeInbox(inbox)) : null

  return {
    async catchUp() {
      await Promise.all([journaling.run(), taking?.run()])
    },
    admit: acceptor.admit,
    async handOver(datagrams) {
      if (!inbox) return false
      await offerTasks(
        inbox,
        datagrams,
        datagrams.map(({ raw }) => taskMessageOf(raw)),
      )
      // Only now, as they are read again where the inbox cannot be reached.
      for (const { drop } of datagrams.map(receiver.read)) if (drop !== null) counters.dropped[drop] += 1
      return true
    },
    cursor: () => cursor,
    async stop() {
      stopped = true
      await Promise.allSettled([journaling.running, taking?.running])
      receiver.flush(true)
    },
  }
}

/** Work that is asked for at any time and done by one at a time: asked for while it runs, it is done once more. */
function createRepeated(work: () => Promise<void>) {
  let again = false
  let running: Promise<void> | null = null

  async function repeat(): Promise<void> {
    do {
      again = false
      await work()
    } while (again)
  }

  return {
    get running() {
      return running
    },
    run(): Promise<void> {
      again = true
      running ??= repeat().finally(() => {
        running = null
      })
      return running
    },
  }
}

interface AcceptDeps {
  readonly router: Pick<EventRouter, 'handle'>
  readonly clock: Clock
  readonly log: Logger
  readonly counters: IngestCounters
  /** Where messages about unknown tasks wait; null = QRS is not asked, and every message becomes an event. */
  readonly unverified: Pick<Unverified, 'hold'> | null
  /** The type of a task that other parts know; null when they do not. */
  readonly typeOfTask?: ((db: Database, taskId: string) => TaskType | null) | undefined
}

interface AcceptSettings {
  /** Null = de-duplication is off. */
  readonly dedupTtlMs: number | null
  /** How long each kind of event may wait for Qlik data. */
  readonly waitMs: Readonly<Record<AnnouncedOutcome, number>>
  /** The node is one of several: messages without an execution id are known by their content too. */
  readonly isShared: boolean
}

/** A message, and the node of the cluster that accepted it. */
interface AcceptedMessage extends UnverifiedMessage {
  readonly node?: string
}

interface Acceptor {
  /** Returns the id of the event; null when none comes of it now: a repeat, or a message that has to wait. */
  accept(tx: Database, message: AcceptedMessage, parsed: TaskDatagram): string | null
  /** Makes events of messages that had to wait, as their tasks exist. In the transaction that ends their wait. */
  admit(tx: Database, messages: readonly UnverifiedMessage[]): void
}

/** De-duplication cannot be off in a cluster, as the key is what makes one event of the copies of several nodes. */
const SHARED_TTL_MS = 600_000

/** Makes events of task messages: de-duplicated, stored and routed as far as their datagram goes, in one transaction. */
function createAcceptor(deps: AcceptDeps, settings: AcceptSettings): Acceptor {
  const { log, counters } = deps
  const { isShared } = settings
  const ttlMs = settings.dedupTtlMs ?? (isShared ? SHARED_TTL_MS : null)

  /** `since` = when the wait for Qlik data begins. */
  function acceptTask(tx: Database, entry: AcceptedMessage, parsed: TaskDatagram, since: number): string | null {
    const { message } = parsed
    if (!message.executionId && parsed.type === null)
      log.debug(`[QSEOW] UDP HANDLER: No execution id, not de-duplicated: ${message.taskName}`)
    if (isDuplicate(tx, entry, parsed)) {
      log.verbose(`[QSEOW] UDP HANDLER: Duplicate dropped, execution id ${message.executionId}, ${parsed.outcome}`)
      recordDrop(tx, counters, entry, 'DUPLICATE')
      return null
    }
    const event = newEvent(tx, entry, parsed, since)
    if (insertEvent(tx, event) === null) return null
    counters.queued += 1
    // How a distribution ends is not known yet, so no rule may report it.
    if (event.announced !== 'distribute') deps.router.handle(tx, arrivalRecord(event), 'everything')
    return event.id
  }

  function isDuplicate(tx: Database, entry: AcceptedMessage, parsed: TaskDatagram): boolean {
    // The engine names no execution: its messages are known by their content, time included.
    const byContent = isShared || parsed.type !== null
    const key = byContent ? messageKey(parsed) : dedupKey(parsed.message.executionId, parsed.outcome)
    if (key === null) return false
    // Messages of other nodes may come late, and again: then it counts when they were received.
    const now = entry.node === undefined ? deps.clock.now() : entry.receivedAt
    // Even without de-duplication, a late message must not repeat an event that was found in Qlik Sense.
    if (ttlMs === null) return isDedupKeyTaken(tx, key, now)
    return !takeDedupKey(tx, key, now, ttlMs)
  }

  function newEvent(tx: Database, entry: AcceptedMessage, parsed: TaskDatagram, since: number): NewEvent {
    const known = parsed.type ?? knownTaskType(tx, parsed.message.taskId)
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
      ...(isShared && { messageKey: messageKey(parsed), acceptedBy: entry.node ?? null }),
    }
  }

  function knownTaskType(tx: Database, taskId: string): TaskType | null {
    return lastKnownType(tx, taskId) ?? deps.typeOfTask?.(tx, taskId) ?? null
  }

  return {
    accept(tx, message, parsed) {
      const key = message.node === undefined ? messageKey(parsed) : null
      const { type, message: fields } = parsed
      const subject = type === null ? fields.taskId : appSubject(fields.appId)
      if (deps.unverified?.hold(tx, message, subject, key)) return null
      return acceptTask(tx, message, parsed, message.receivedAt)
    },
    admit(tx, messages) {
      for (const message of messages) {
        const parsed = taskMessageOf(message.raw)
        if (parsed) acceptTask(tx, message, parsed, deps.clock.now())
      }
    },
  }
}

const WITHOUT_QLIK_DATA = { details: null, code: null, history: null, retry: null, test: false } as const

/** The record of an event of which only the datagram is known. */
function arrivalRecord(event: NewEvent): TaskEvent {
  const { message, journalId, sender, typeKnown, announced, deadlineAt, nameTokens, acceptedBy, ...facts } = event
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

type TaskDatagram = Extract<ParsedDatagram, { kind: 'task' }>

interface Received {
  /** The host that the message names; null for a datagram that is no message. */
  readonly host: string | null
  /** Null where no event comes of it. */
  readonly task: TaskDatagram | null
  /** Why it is no message; null when it is one. */
  readonly drop: DropReason | null
}

interface Receiver {
  /** Logs and counts the datagram; changes nothing on disk. */
  read(datagram: Datagram): Received
  /** Writes the lines that were held back to keep a flood out of the log. */
  flush(all?: boolean): void
}

/** Senders whose encoding was warned about that are remembered; only forged senders are more. */
const MAX_WARNED_SENDERS = 1000

/** Reads datagrams: their kind, and the log lines and counts of those that are no messages. */
function createReceiver(deps: {
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
function recordDrop(tx: Database, counters: IngestCounters, datagram: Datagram, reason: DropReason): void {
  const { receivedAt: at, sender, raw } = datagram
  counters.dropped[reason] += 1
  recordDrops(tx, [{ at, sender, reason, raw }])
}

/** Names a message the same on every node that gets it, whether or not it names its execution. */
function messageKey({ type, message, outcome }: TaskDatagram): string {
  const { host, taskId, appId, user, logTimeStamp, logMessage, executionId } = message
  const known = dedupKey(executionId, outcome)
  if (known !== null) return known
  const subject = type === null ? [taskId] : [type, appId, user]
  const parts = [host, ...subject, logTimeStamp, outcome, logMessage]
  return `m|${createHash('sha256').update(parts.join('\0')).digest('hex')}`
}
