/**
 * The journal of raw datagrams. The ingest worker appends, the main thread reads; what is committed here is accepted.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type Database, type Migration, openDatabase } from '../../platform/sqlite.ts'
import { type GuardDeps, openGuarded, type StorageGuard } from '../../platform/storage/guard.ts'
import { readDamaged } from '../../platform/storage/salvage.ts'
import { uuidV7 } from '../../platform/uuid.ts'

/** AUTOINCREMENT: an id is never used twice, even when all rows have been purged. */
export const journalMigrations: readonly Migration[] = [
  {
    name: 'journal-001',
    sql: `
      CREATE TABLE datagram (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        received_at INTEGER NOT NULL,
        sender TEXT NOT NULL,
        raw BLOB NOT NULL
      );
      CREATE TABLE journal (id TEXT NOT NULL);
    `,
  },
]

export interface Datagram {
  readonly receivedAt: number
  readonly sender: string
  readonly raw: Uint8Array
}

export interface JournalEntry extends Datagram {
  readonly id: number
}

export interface JournalWriter {
  /** Appends all or nothing; returns the id of the last one. Throws what SQLite says (disk full, I/O error). */
  append(datagrams: readonly Datagram[]): number
  /** The newest id ever given, 0 for a new journal. */
  lastId(): number
  /** Looks at the oldest `limit` entries up to `id` and deletes those older than `before`; returns how many. */
  purge(upToId: number, before: number, limit: number): number
  /** Watches over the file, once it is started. */
  readonly guard: StorageGuard
  /** Gives the memory of cached pages back. */
  shrink(): void
  close(): void
}

export interface JournalDeps extends Partial<GuardDeps> {
  /** The entry up to which everything has been taken over; null = not known. */
  readonly takenUpTo?: () => number | null
}

const SILENT = { error: () => {}, warn: () => {} }
const HOUR_MS = 3_600_000

/** Opens the journal for writing; only one thread of one process may. A damaged one is replaced. */
export function openJournal(file: string, deps: JournalDeps = {}): JournalWriter {
  const { log = SILENT, now = Date.now, takenUpTo = () => null, onReplaced, ...rest } = deps
  const { db, guard } = openGuarded(
    {
      ...rest,
      log,
      now,
      onReplaced(how) {
        identify(db)
        onReplaced?.(how)
      },
    },
    {
      file,
      migrations: journalMigrations,
      synchronous: 'NORMAL',
      salvage(damagedFile, fresh) {
        // A new identity: what the main thread remembers of the old one does not hold here.
        identify(fresh)
        const datagrams = salvageDatagrams(damagedFile, { after: takenUpTo(), since: now() - HOUR_MS })
        append(fresh, datagrams)
        return `${datagrams.length} messages that had not been worked off were taken over`
      },
    },
  )
  identify(db)
  return {
    guard,
    append: (datagrams) => append(db, datagrams),
    lastId: () => lastJournalId(db),
    purge: (upToId, before, limit) =>
      db.run(
        `DELETE FROM datagram WHERE received_at < ? AND id IN (SELECT id FROM datagram WHERE id <= ? ORDER BY id LIMIT ?)`,
        before,
        upToId,
        limit,
      ).changes,
    shrink: db.shrink,
    close() {
      guard.stop()
      db.close()
    },
  }
}

function identify(db: Database): void {
  if (!db.get('SELECT id FROM journal')) db.run('INSERT INTO journal VALUES (?)', uuidV7())
}

function append(db: Database, datagrams: readonly Datagram[]): number {
  return db.transaction(() => {
    let last = 0
    for (const { receivedAt, sender, raw } of datagrams) {
      last = db.run('INSERT INTO datagram (received_at, sender, raw) VALUES (?, ?, ?)', receivedAt, sender, raw).lastId
    }
    return last
  })
}

export interface JournalReader {
  /** Identity of this journal file: a cursor is only worth something together with it. */
  readonly journalId: string
  lastId(): number
  /** Up to `limit` entries after `cursor`, oldest first. */
  after(cursor: number, limit: number): JournalEntry[]
  /** The newest entry that was received before this time, 0 when there is none. Looks at all of them. */
  lastBefore(time: number): number
  /** The raw datagram of one entry; null once it was purged. */
  raw(id: number): Uint8Array | null
  close(): void
}

/** Opens an existing journal for reading beside its writer. */
export function openJournalReader(file: string): JournalReader {
  const db = openDatabase(file, { readOnly: true })
  const journalId = db.get<{ id: string }>('SELECT id FROM journal')?.id ?? ''
  return {
    journalId,
    lastId: () => lastJournalId(db),
    after: (cursor, limit) =>
      db.all<JournalEntry>(
        'SELECT id, received_at AS receivedAt, sender, raw FROM datagram WHERE id > ? ORDER BY id LIMIT ?',
        cursor,
        limit,
      ),
    lastBefore: (time) =>
      db.get<{ id: number | null }>('SELECT max(id) AS id FROM datagram WHERE received_at < ?', time)?.id ?? 0,
    raw: (id) => db.get<{ raw: Uint8Array }>('SELECT raw FROM datagram WHERE id = ?', id)?.raw ?? null,
    close: () => db.close(),
  }
}

function lastJournalId(db: Database): number {
  return db.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'datagram'")?.seq ?? 0
}

interface WantedEntries {
  /** Those after this one have not been taken over yet; null when unknown. */
  readonly after: number | null
  /** When `after` is unknown, only entries received after this time: some repeated alerts are better than a month of them. */
  readonly since: number
}

/** The readable entries of a damaged journal that are still wanted, oldest first. */
function salvageDatagrams(damagedFile: string, wanted: WantedEntries): Datagram[] {
  return readDamaged(damagedFile, (db) => readFrom(db, wanted)) ?? []
}

function readFrom(db: DatabaseSync, { after, since }: WantedEntries): Datagram[] {
  const found = new Map<number, Datagram>()

  /** False when it broke off. */
  function read(order: 'ASC' | 'DESC'): boolean {
    try {
      const sql = `SELECT id, received_at AS receivedAt, sender, raw FROM datagram WHERE id > ? AND received_at >= ? ORDER BY id ${order}`
      const rows = db.prepare(sql).iterate(after ?? 0, after === null ? since : 0)
      for (const row of rows as Iterable<unknown>) found.set((row as { id: number }).id, row as Datagram)
      return true
    } catch {
      return false
    }
  }

  if (!read('ASC')) read('DESC')
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, datagram]) => datagram)
}
