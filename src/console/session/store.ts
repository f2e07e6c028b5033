/** Sessions of the console: a cookie stands for a credential, whose rights are looked up anew at every request. */
import { createHash, randomBytes } from 'node:crypto'
import type { Holder } from '../../http/endpoint/caller.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { type Database, type Migration, storedJson } from '../../platform/sqlite.ts'

export const consoleMigrations: readonly Migration[] = [
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
]

export interface Session {
  readonly id: string
  readonly actor: string
  readonly holder: Holder
  /** Where it was opened, or was seen last. */
  readonly address: string
  /** `User-Agent`, cut. */
  readonly browser: string
  /** These in milliseconds since 1970. */
  readonly createdAt: number
  readonly seenAt: number
  readonly expiresAt: number
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

export type Sessions = ReturnType<typeof createSessions>

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** The oldest ones of a credential go. */
const SESSIONS_PER_ACTOR = 20
const MAX_BROWSER = 200

const COLUMNS = `id, actor, holder, address, browser, created_at AS createdAt, seen_at AS seenAt, expires_at AS expiresAt`
const SQL = {
  add: 'INSERT INTO console_session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  trim: `DELETE FROM console_session WHERE hash IN (SELECT hash FROM console_session WHERE actor = ?
    ORDER BY created_at DESC, hash LIMIT -1 OFFSET ${SESSIONS_PER_ACTOR})`,
  find: `SELECT ${COLUMNS} FROM console_session WHERE hash = ? AND expires_at > ? AND seen_at > ?`,
  list: `SELECT ${COLUMNS} FROM console_session WHERE expires_at > ? AND seen_at > ? ORDER BY seen_at DESC LIMIT 500`,
  seen: 'UPDATE console_session SET seen_at = ?, address = ? WHERE hash = ?',
  end: 'DELETE FROM console_session WHERE id = ?',
  purge: 'DELETE FROM console_session WHERE hash IN (SELECT hash FROM console_session WHERE expires_at < ? LIMIT ?)',
}

/** 256 random bits. */
export const newToken = (): string => randomBytes(32).toString('base64url')
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

type Row = Omit<Session, 'holder'> & { readonly holder: string }
const sessionOf = (row: Row): Session => ({ ...row, holder: storedJson<Holder>(row.holder, NO_HOLDER) })
/** A holder that a failing disk has damaged has no rights. */
const NO_HOLDER: Holder = { kind: 'certificate', name: '', until: null }

/** `lives` is asked at each use, as the configuration may change. */
export function createSessions({ db, writer, now }: StoreDeps, lives: () => Lives) {
  const idleSince = () => now() - lives().idleHours * HOUR_MS

  return {
    /** Resolves with the value of the cookie, once the session is stored. */
    async open(actor: string, holder: Holder, client: { readonly address: string; readonly browser: string }) {
      const token = newToken()
      const at = now()
      const id = `cs_${randomBytes(9).toString('base64url')}`
      const expiresAt = Math.min(at + lives().sessionHours * HOUR_MS, holder.until ?? Number.POSITIVE_INFINITY)
      const browser = client.browser.slice(0, MAX_BROWSER)
      await writer.write((tx) => {
        tx.run(SQL.add, hashOf(token), id, actor, JSON.stringify(holder), client.address, browser, at, at, expiresAt)
        tx.run(SQL.trim, actor)
      })
      return { token, id, expiresAt }
    },
    /** The session of a cookie; null when there is none, or it has ended. */
    find(token: string, address: string): Session | null {
      const row = db.get<Row>(SQL.find, hashOf(token), now(), idleSince())
      if (!row || (row.address !== address && lives().bindAddress)) return null
      return sessionOf(row)
    },
    /** Notes a request of a person; written once a minute at most. */
    seen(token: string, session: Session, address: string): void {
      if (session.address === address && now() - session.seenAt < MINUTE_MS) return
      writer.write((tx) => tx.run(SQL.seen, now(), address, hashOf(token)), 'soon').catch(() => {})
    },
    list: (): Session[] => db.all<Row>(SQL.list, now(), idleSince()).map(sessionOf),
    end: (id: string): Promise<boolean> => writer.write((tx) => tx.run(SQL.end, id).changes > 0),
    /** Removes sessions that ended before an instant. */
    purge: (tx: Database, before: number, limit: number): number => tx.run(SQL.purge, before, limit).changes,
  }
}

export interface SignInLinks {
  /** A token that is good for one sign-in within a minute. */
  make(actor: string): { readonly token: string; readonly expiresAt: number }
  isUsable(token: string): boolean
  /** The actor that the link was made for; null when it is used up or too old. */
  use(token: string): string | null
}

const LINK_MS = 60_000
const MOST_LINKS = 100

/** Links live a minute, so they are kept in memory. */
export function createSignInLinks(now: () => number): SignInLinks {
  const links = new Map<string, { readonly actor: string; readonly expiresAt: number }>()
  const current = (token: string) => {
    const link = links.get(hashOf(token))
    return link && now() < link.expiresAt ? link : null
  }
  return {
    make(actor) {
      for (const [hash, { expiresAt }] of links) if (now() >= expiresAt || links.size >= MOST_LINKS) links.delete(hash)
      const token = newToken()
      const expiresAt = now() + LINK_MS
      links.set(hashOf(token), { actor, expiresAt })
      return { token, expiresAt }
    },
    isUsable: (token) => current(token) !== null,
    use(token) {
      const link = current(token)
      links.delete(hashOf(token))
      return link?.actor ?? null
    },
  }
}
