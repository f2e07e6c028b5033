/** Logins of the hub: links by mail, users whom a proxy names, signed links. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { parse, serialize } from 'hono/utils/cookie'
import { createReaderSessions, hashOf, newToken, type SessionClient } from '../../http/auth/sessions.ts'
import { createLocalCheck } from '../../http/client-address.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import type { BrowserRules } from '../../http/middleware/browser-rules.ts'
import { addressMatcher, limitedClient } from '../../platform/addresses.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import type { ReportTaskConfig } from '../config.ts'
import type { Recipient } from '../entities/recipient.ts'
import type { ReaderAddress } from './store.ts'

export type HubSettings = ReportTaskConfig['hub']

/** A person who uses the hub. */
export interface Reader {
  readonly address: ReaderAddress
  /** The address, or the name of an admin. */
  readonly name: string
  /** Hash of the session; null where a proxy or a key names the reader. */
  readonly session: string | null
}

interface LoginDeps {
  readonly db: Database
  readonly writer: GroupWriter
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly recipients: () => readonly Pick<Recipient, 'email' | 'qlikUser' | 'active'>[]
  /** Addresses of tests, which may sign in without an entry. */
  readonly testers: () => readonly string[]
  /** Whether something that is no test was published for the address. */
  readonly isReader: (address: string) => boolean
  readonly browser: BrowserRules
}

export const LINK_MINUTES = 15
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** A stranger who asks in the name of others uses up its own part only. */
const LINKS_PER_ADDRESS_AND_CLIENT = 5
const LINKS_PER_ADDRESS = 50
const LINKS_PER_CLIENT = 50
const COOKIE = 'report_hub'

const SQL = {
  links: `SELECT sum(address = ?1 AND client = ?2) AS ofBoth, sum(address = ?1) AS ofAddress, sum(client = ?2) AS ofClient
    FROM report_hub_login
    WHERE at > ?3 AND (address = ?1 OR client = ?2)`,
  addLink: 'INSERT INTO report_hub_login (hash, address, client, next, at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
  link: 'SELECT address, next, expires_at AS expiresAt, used_at AS usedAt FROM report_hub_login WHERE hash = ?',
  useLink: 'UPDATE report_hub_login SET used_at = ?1 WHERE hash = ?2 AND used_at IS NULL AND expires_at > ?1',
  /** Used and expired links stay for a day, so that their page knows the address. */
  dropLinks: 'DELETE FROM report_hub_login WHERE at <= ?',
  addKey: 'INSERT OR IGNORE INTO report_hub_key (id, secret) VALUES (1, ?)',
  key: 'SELECT secret FROM report_hub_key WHERE id = 1',
} as const

export type Logins = ReturnType<typeof createLogins>

export function createLogins(deps: LoginDeps, settings: HubSettings & Pick<SenderRules, 'allowedDomains'>) {
  const { db, writer, now, browser } = deps
  const sessions = createReaderSessions({ db, now }, settings)
  const fromProxy = addressMatcher(settings.trustedHeader.fromAddresses)
  const isLocal = createLocalCheck(browser)

  const mayReach = (address: string) => addressProblem(address, settings.allowedDomains) === null

  /**
   * People who may log in, with an address that reports may reach: recipients that are not switched off; readers and testers
   * without an entry. The address of a single test start is none of these.
   */
  function isKnown(address: string): boolean {
    if (!mayReach(address)) return false
    const entry = deps.recipients().find(({ email }) => email === address)
    if (entry) return entry.active
    return deps.isReader(address) || deps.testers().some((one) => one.toLowerCase() === address)
  }

  function bySession(headers: Headers): Reader | null {
    const { [COOKIE]: token } = parse(headers.get('cookie') ?? '', COOKIE)
    const found = token ? sessions.find(token) : null
    return found && isKnown(found.address) ? { ...found, name: found.address } : null
  }

  /** The header counts only on connections of the listed proxies: any other client could send it. */
  function byHeader({ peer, headers }: ApiRequest): Reader | null {
    const user = headers.get(settings.trustedHeader.name)?.trim()
    if (!user || !fromProxy(peer)) return null
    const address = user.includes('\\') ? addressOfUser(user) : user.toLowerCase()
    const isOff = deps.recipients().some(({ email, active }) => email === address && !active)
    return address && !isOff && mayReach(address) ? { address, name: address, session: null } : null
  }

  function addressOfUser(user: string): string | null {
    const [directory = '', id = ''] = user.toLowerCase().split('\\', 2)
    const entry = deps
      .recipients()
      .find(
        ({ active, qlikUser }) =>
          active && qlikUser?.userDirectory.toLowerCase() === directory && qlikUser.userId.toLowerCase() === id,
      )
    return entry?.email ?? null
  }

  function byLoopback({ client, peer, headers }: ApiRequest): Reader | null {
    const contact = { client, proxied: client !== peer, headers }
    return isLocal(contact) ? { address: null, name: 'local', session: null } : null
  }

  return {
    isKnown,
    /** The reader by the login that is configured; null without one. Call it before the first `await`. */
    readerOf(request: ApiRequest): Reader | null {
      if (settings.auth === 'magicLink') return bySession(request.headers)
      return settings.auth === 'trustedHeader' ? byHeader(request) : byLoopback(request)
    },
    /**
     * Makes a link for an address, known or not, so that both take the same time; `next` is the path to show afterwards.
     * Resolves with its token, null when the address or the client has asked too often.
     */
    requestLink: (address: string, from: string, next: string): Promise<string | null> =>
      writer.write((tx) => {
        const client = limitedClient(from)
        const at = now()
        // Null where no link was made.
        const asked = tx.get<Record<'ofBoth' | 'ofAddress' | 'ofClient', number | null>>(
          SQL.links,
          address,
          client,
          at - HOUR_MS,
        )
        if ((asked?.ofBoth ?? 0) >= LINKS_PER_ADDRESS_AND_CLIENT) return null
        if ((asked?.ofAddress ?? 0) >= LINKS_PER_ADDRESS || (asked?.ofClient ?? 0) >= LINKS_PER_CLIENT) return null
        const token = newToken()
        tx.run(SQL.addLink, hashOf(token), address, client, next, at, at + LINK_MINUTES * MINUTE_MS)
        return token
      }),
    /** State of a link, and the address that it was made for; '' when the link is unknown. */
    linkState(token: string): { readonly usable: boolean; readonly address: string } {
      const row = db.get<{ address: string; expiresAt: number; usedAt: number | null }>(SQL.link, hashOf(token))
      return { usable: row?.usedAt === null && row.expiresAt > now(), address: row?.address ?? '' }
    },
    /** Uses a link up and opens a session; null when the link is not usable. */
    logIn: (token: string, client: SessionClient) =>
      writer.write((tx) => {
        const hash = hashOf(token)
        const link = tx.get<{ address: string; next: string }>(SQL.link, hash)
        if (!link || !isKnown(link.address) || tx.run(SQL.useLink, now(), hash).changes === 0) return null
        return { session: sessions.open(tx, link.address, client), address: link.address, next: link.next }
      }),
    /** Ends the session of the reader, or all of its sessions. */
    async logOut({ session, address }: Reader, all: boolean): Promise<void> {
      if (session === null || address === null) return
      await writer.write((tx) => (all ? sessions.endAll(tx, address) : sessions.end(tx, session)))
    },
    /** `Set-Cookie` of a session; an empty value removes it. */
    cookie: (value: string, { secure, path }: { readonly secure: boolean; readonly path: string }): string =>
      serialize(COOKIE, value, {
        path,
        secure,
        httpOnly: true,
        sameSite: 'Lax',
        maxAge: value === '' ? 0 : settings.sessionHours * 3600,
      }),
    /** Removes links and sessions that are over. */
    prune: () =>
      writer.write((tx) => {
        sessions.purge(tx)
        tx.run(SQL.dropLinks, now() - DAY_MS)
      }),
  }
}

/** Links that open an item without a login, until they expire. The key is made once and kept in the database. */
export function createSigner({ db, writer, now }: Pick<LoginDeps, 'db' | 'writer' | 'now'>, days: number) {
  let key: Buffer | null = null
  const known = () => {
    const secret = key ? null : db.get<{ secret: string }>(SQL.key)?.secret
    if (secret) key = Buffer.from(secret, 'base64url')
    return key
  }
  const mac = (secret: Buffer, id: string, expiry: number) =>
    createHmac('sha256', secret).update(`${id}\n${expiry}`).digest()

  return {
    /** Makes the key where there is none. Before that no link is signed and none is accepted. */
    prepare: () => writer.write((tx) => void tx.run(SQL.addKey, newToken())),
    /** Query of a link to an item: `e=<seconds since 1970>&s=<signature>`; '' while there is no key. */
    query(id: string): string {
      const secret = known()
      const expiry = Math.floor(now() / 1000) + days * 86_400
      return secret ? `e=${expiry}&s=${mac(secret, id, expiry).toString('base64url')}` : ''
    },
    /** Whether `e` and `s` of a query open the item. */
    accepts(id: string, { e, s }: ApiRequest['query']): boolean {
      const secret = known()
      if (!secret || typeof e !== 'string' || typeof s !== 'string' || !/^\d{1,12}$/.test(e)) return false
      const given = Buffer.from(s, 'base64url')
      const wanted = mac(secret, id, Number(e))
      return given.length === wanted.length && timingSafeEqual(given, wanted) && Number(e) * 1000 > now()
    },
  }
}

/** True for a POST that a page of the hub sent, or a program, which has no cookie that a foreign page could use. */
export function isOwnForm({ headers }: ApiRequest, browser: BrowserRules): boolean {
  const site = headers.get('sec-fetch-site')
  const origin = headers.get('origin')
  if (site !== null) return site === 'same-origin'
  if (origin !== null) return browser.isOwnOrigin(origin, headers.get('host'))
  return !headers.has('cookie')
}
