/**
 * When each API key was used last, and from where: noted at each request, written once a minute and key at most. The list of
 * keys shows it.
 */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration, Pruning } from '../../platform/sqlite.ts'
import type { Clock, Service } from '../../platform/types.ts'
import { ACCESS_KEYS } from '../contract.ts'
import { ANY_SCOPE } from '../endpoint/caller.ts'
import { type ApiRoute, route } from '../endpoint/route.ts'
import { fingerprintOf, type KnownKey } from './keys.ts'

/** A key that is made anew under the same id has another fingerprint, and has not been used. */
export const keyUseMigrations: readonly Migration[] = [
  {
    name: 'key-use-001',
    sql: `
      CREATE TABLE key_use (
        node TEXT NOT NULL,
        key_id TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        used_at INTEGER NOT NULL,
        address TEXT NOT NULL,
        PRIMARY KEY (node, key_id, fingerprint)
      ) WITHOUT ROWID;`,
  },
]

export interface KeyUse {
  /** Milliseconds since 1970. */
  readonly usedAt: number
  readonly address: string
}

export interface KeyUses {
  /** The key was accepted from this address. */
  note(key: Pick<KnownKey, 'id' | 'digest'>, address: string): void
  /** The last use on any node; null = never. Other nodes are up to a minute behind. */
  last(key: Pick<KnownKey, 'id' | 'digest'>): KeyUse | null
  readonly pruning: readonly Pruning[]
  /** Writes what is left when it stops. */
  readonly services: readonly Service[]
}

interface KeyUseDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  /** Name of this node. */
  readonly node: string
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const SQL = {
  write: 'INSERT OR REPLACE INTO key_use (node, key_id, fingerprint, used_at, address) VALUES (?, ?, ?, ?, ?)',
  last: `SELECT used_at AS usedAt, address FROM key_use WHERE key_id = ? AND fingerprint = ? ORDER BY used_at DESC LIMIT 1`,
  // The last use of a key stays for as long as the key does; older ones of other nodes say nothing more.
  purge: `DELETE FROM key_use WHERE (node, key_id, fingerprint) IN (SELECT old.node, old.key_id, old.fingerprint
    FROM key_use AS old JOIN key_use AS newer USING (key_id, fingerprint)
    WHERE old.used_at < ? AND newer.used_at > old.used_at LIMIT ?)`,
}

/** Whether a use is written now. A clock that was set back does not keep it from being written. */
export const isDue = (writtenAt: number | null, now: number): boolean =>
  writtenAt === null || Math.abs(now - writtenAt) >= MINUTE_MS

interface Noted extends KeyUse {
  readonly id: string
  readonly fingerprint: string
  /** When a use was given to the database last. */
  readonly writtenAt: number
  readonly isWritten: boolean
}

export function createKeyUses({ db, writer, clock, node }: KeyUseDeps): KeyUses {
  /** By fingerprint and id; as many as there were keys since the start. */
  const noted = new Map<string, Noted>()
  const nameOf = (id: string, fingerprint: string) => `${fingerprint} ${id}`

  // A disk that cannot be written is reported by the storage; the next use comes to be written a minute later.
  const write = ({ id, fingerprint, usedAt, address }: Noted): Promise<unknown> =>
    writer.write((tx) => tx.run(SQL.write, node, id, fingerprint, usedAt, address), 'soon').catch(() => {})

  return {
    note({ id, digest }, address) {
      const fingerprint = fingerprintOf(digest)
      const name = nameOf(id, fingerprint)
      const now = clock.now()
      const writtenAt = noted.get(name)?.writtenAt ?? null
      const isWritten = isDue(writtenAt, now)
      const use = { id, fingerprint, usedAt: now, address, writtenAt: isWritten ? now : writtenAt!, isWritten }
      noted.set(name, use)
      if (isWritten) void write(use)
    },
    last({ id, digest }) {
      const fingerprint = fingerprintOf(digest)
      const here = noted.get(nameOf(id, fingerprint))
      const stored = db.get<KeyUse>(SQL.last, id, fingerprint)
      const latest = here && stored && stored.usedAt > here.usedAt ? stored : (here ?? stored)
      return latest ? { usedAt: latest.usedAt, address: latest.address } : null
    },
    pruning: [{ keepMs: DAY_MS, purge: (tx, before, limit) => tx.run(SQL.purge, before, limit).changes }],
    services: [
      {
        name: 'uses of keys',
        start: async () => {},
        async stop() {
          await Promise.all([...noted.values()].filter(({ isWritten }) => !isWritten).map(write))
        },
      },
    ],
  }
}

interface KeyRouteDeps {
  /** Those that are in force. */
  readonly keys: () => readonly KnownKey[]
  readonly uses: Pick<KeyUses, 'last'>
}

export function keyRoutes({ keys, uses }: KeyRouteDeps): ApiRoute[] {
  const iso = (at: number) => new Date(at).toISOString()
  return [
    route({
      ...ACCESS_KEYS,
      scope: ANY_SCOPE,
      summary: 'List the API keys with their last use',
      description:
        'Those of `Butler.footman.access.keys`, in the order of the file: with the scope `admin` all, else the one of the caller. The secret of a key is stored nowhere.',
      examples: [
        {
          name: 'keys',
          status: 200,
          answer: {
            keys: [
              {
                id: 'load-scripts',
                scopes: ['kv:*', 'task:run'],
                expiresAt: null,
                lastUsedAt: '2026-03-02T06:05:00.120Z',
                lastAddress: '10.1.2.3',
              },
            ],
          },
        },
      ],
      handle({ caller }, answer) {
        const seen = keys().filter(({ id }) => caller.may('admin') || caller.actor === `key:${id}`)
        return answer(200, {
          keys: seen.map((key) => {
            const { id, scopes, expiresAt } = key
            const last = uses.last(key)
            return {
              id,
              scopes,
              expiresAt: Number.isFinite(expiresAt) ? iso(expiresAt) : null,
              lastUsedAt: last && iso(last.usedAt),
              lastAddress: last?.address ?? null,
            }
          }),
        })
      },
    }),
  ]
}
