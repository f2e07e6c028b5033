/**
 * Takes messages over from the journal. On a single node they become events; the cursor of the journal is stored in the same
 * transaction, so that an entry that is read twice makes no second event. In a cluster they are offered to the inbox that all
 * nodes share, and the leader makes events of what is in there.
 */

import type { Inbox, InboxEntry, OfferedMessage } from '../cluster/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import { type AcceptDeps, type AcceptSettings, createAcceptor } from './accept.ts'
import type { Datagram, JournalEntry, JournalReader } from './ingest/journal.ts'
import { readMeta, writeMeta } from './intake-state.ts'
import { createReceiver, messageKey, type Received, recordDrop, type TaskDatagram, taskMessageOf } from './receive.ts'
import { noteSources } from './sources.ts'
import { forgetJournalIds } from './store.ts'
import type { UnverifiedMessage } from './unverified.ts'

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
