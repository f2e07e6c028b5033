/**
 * Sessions of browsers, for which a cookie stands: of people with a credential, whose rights are looked up anew at every request,
 * and of readers of reports, whom their address names. Tokens are 256 random bits and stored as SHA-256.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { type Database, type Migration, storedJson } from '../../platform/sqlite.ts'
import type { Holder } from '../endpoint/caller.ts'

/** Behind those of report tasks: sessions of readers had a table of their own. */
export const sessionMigrations: readonly Migration[] = [
  {
    name: 'console-001',
    sql: `
      CREATE TABLE console_session (
        hash TEXT PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        actor TEXT NOT NULL,
        holder TEXT NOT NULL,
        address TEXT NOT NULL,
        browser TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX console_session_actor ON console_session (actor, created_at);`,
  },
  {
    // holder: JSON of the credential; null for readers.
    name: 'session-001',
    sql: `
      CREATE TABLE session (
        hash TEXT PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('person', 'reader')),
        actor TEXT NOT NULL,
        holder TEXT,
        address TEXT NOT NULL,
        browser TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX session_actor ON session (actor, created_at);
      INSERT INTO session SELECT hash, id, 'person', actor, holder, address, browser, created_at, seen_at, expires_at
        FROM console_session;
      INSERT OR IGNORE INTO session SELECT hash, 'rs_' || substr(hash, 1, 12), 'reader', 'reader:' || address, NULL, '', '', at, at,
        expires_at FROM report_hub_session;
      DROP TABLE console_session;
      DROP TABLE report_hub_session;`,
  },
]

/** A session as it is listed. */
export interface ListedSession {
  readonly id: string
  /** That of the credential; `reader:<address>`. */
  readonly actor: string
  /** Where it was opened, or was seen last; '' = not known. */
  readonly address: string
  /** `User-Agent`, cut. */
  readonly browser: string
  /** These in milliseconds since 1970. */
  readonly createdAt: number
  /** The last request of a person; for readers, when the session was opened. */
  readonly seenAt: number
  readonly expiresAt: number
}

/** The session of a person with a credential. */
export interface Session extends ListedSession {
  readonly holder: Holder
}

interface StoreDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly now: () => number
}

interface Lives {
  readonly sessionHours: number
  readonly idleHours: number
  /** A session ends when its address changes. */
  readonly bindAddress: boolean
}

/** The browser that opens a session. */
export interface SessionClient {
  readonly address: string
  readonly browser: string
}

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** The oldest ones of a credential, or a reader, go. */
const SESSIONS_PER_ACTOR = 20
const MAX_BROWSER = 200
const ID_BEGINS = { person: 'cs_', reader: 'rs_' } as const
const READER = 'reader:'

const COLUMNS = `id, actor, address, browser, created_at AS createdAt, seen_at AS seenAt, expires_at AS expiresAt`
const SQL = {
  add: 'INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  trim: `DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE actor = ?
    ORDER BY created_at DESC, hash LIMIT -1 OFFSET ${SESSIONS_PER_ACTOR})`,
  person: `SELECT ${COLUMNS}, holder FROM session WHERE hash = ? AND kind = 'person' AND expires_at > ? AND seen_at > ?`,
  reader: "SELECT actor FROM session WHERE hash = ? AND kind = 'reader' AND expires_at > ?",
  list: `SELECT ${COLUMNS} FROM session WHERE expires_at > ? AND (kind = 'reader' OR seen_at > ?) ORDER BY seen_at DESC LIMIT 500`,
  seen: 'UPDATE session SET seen_at = ?, address = ? WHERE hash = ?',
  end: 'DELETE FROM session WHERE id = ?',
  endReader: "DELETE FROM session WHERE hash = ? AND kind = 'reader'",
  endReaders: 'DELETE FROM session WHERE actor = ?',
  purge:
    "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE kind = 'person' AND expires_at < ? LIMIT ?)",
  purgeReaders: "DELETE FROM session WHERE kind = 'reader' AND expires_at <= ?",
} as const

export const newToken = (): string => randomBytes(32).toString('base64url')
export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

/** Whether the id is that of a reader's session, which nodes share. */
export const isReaderSession = (id: string): boolean => id.startsWith(ID_BEGINS.reader)

interface NewSession {
  readonly kind: keyof typeof ID_BEGINS
  readonly actor: string
  readonly holder: Holder | null
  readonly client: SessionClient
  readonly at: number
  readonly expiresAt: number
}

/** Returns the value of the cookie. */
function add(tx: Database, { kind, actor, holder, client, at, expiresAt }: NewSession): string {
  const token = newToken()
  const id = ID_BEGINS[kind] + randomBytes(9).toString('base64url')
  const browser = client.browser.slice(0, MAX_BROWSER)
  const credential = holder && JSON.stringify(holder)
  tx.run(SQL.add, hashOf(token), id, kind, actor, credential, client.address, browser, at, at, expiresAt)
  tx.run(SQL.trim, actor)
  return token
}

type PersonRow = ListedSession & { readonly holder: string }
/** A holder that a failing disk has damaged has no rights. */
const NO_HOLDER: Holder = { kind: 'certificate', name: '', until: null }

export type Sessions = ReturnType<typeof createSessions>

/** Those of people, and the list of all. `lives` is asked at each use, as the configuration may change. */
export function createSessions({ db, writer, now }: StoreDeps, lives: () => Lives) {
  const idleSince = () => now() - lives().idleHours * HOUR_MS

  return {
    /** Resolves with the value of the cookie, once the session is stored. */
    open(actor: string, holder: Holder, client: SessionClient): Promise<string> {
      const at = now()
      const expiresAt = Math.min(at + lives().sessionHours * HOUR_MS, holder.until ?? Number.POSITIVE_INFINITY)
      return writer.write((tx) => add(tx, { kind: 'person', actor, holder, client, at, expiresAt }))
    },
    /** The session of a cookie; null when there is none, or it has ended. */
    find(token: string, address: string): Session | null {
      const row = db.get<PersonRow>(SQL.person, hashOf(token), now(), idleSince())
      if (!row || (row.address !== address && lives().bindAddress)) return null
      return { ...row, holder: storedJson<Holder>(row.holder, NO_HOLDER) }
    },
    /** Notes a request of a person; written once a minute at most. */
    seen(token: string, session: Session, address: string): void {
      if (session.address === address && now() - session.seenAt < MINUTE_MS) return
      writer.write((tx) => tx.run(SQL.seen, now(), address, hashOf(token)), 'soon').catch(() => {})
    },
    /** Those of people and readers. */
    list: (): ListedSession[] => db.all<ListedSession>(SQL.list, now(), idleSince()),
    end: (id: string): Promise<boolean> => writer.write((tx) => tx.run(SQL.end, id).changes > 0),
    /** Removes sessions of people that ended before an instant. */
    purge: (tx: Database, before: number, limit: number): number => tx.run(SQL.purge, before, limit).changes,
  }
}

/** Those of readers of reports, which nodes of a cluster share. */
export function createReaderSessions(
  { db, now }: Pick<StoreDeps, 'db' | 'now'>,
  { sessionHours }: Pick<Lives, 'sessionHours'>,
) {
  return {
    /** Returns the value of the cookie. */
    open(tx: Database, address: string, client: SessionClient): string {
      const at = now()
      const expiresAt = at + sessionHours * HOUR_MS
      return add(tx, { kind: 'reader', actor: READER + address, holder: null, client, at, expiresAt })
    },
    /** The session of a cookie, by the hash of its token; null when there is none, or it has ended. */
    find(token: string): { readonly session: string; readonly address: string } | null {
      const session = hashOf(token)
      const row = db.get<{ actor: string }>(SQL.reader, session, now())
      return row ? { session, address: row.actor.slice(READER.length) } : null
    },
    end: (tx: Database, session: string) => tx.run(SQL.endReader, session),
    /** Ends all of a reader. */
    endAll: (tx: Database, address: string) => tx.run(SQL.endReaders, READER + address),
    /** Removes those that are over. */
    purge: (tx: Database) => tx.run(SQL.purgeReaders, now()),
  }
}
