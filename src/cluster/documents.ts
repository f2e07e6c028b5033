/** Texts that people edit and that all nodes share, as rows of the database; every node keeps its own file in step. */
import { Buffer } from 'node:buffer'
import { errorText } from '../platform/errors.ts'
import type { Queryable } from '../platform/postgres/types.ts'
import type { Logger } from '../platform/types.ts'
import type { Documents, SharedDocument } from './types.ts'

export interface DocumentsDeps {
  readonly pool: Queryable
  /** The name of this node. */
  readonly node: string
  readonly log: Logger
}

export interface SharedDocuments extends Documents {
  /**
   * Calls the listeners of documents that have changed, and resolves when they are through; to be called when a notification
   * came, and now and then. Never rejects.
   */
  look(): Promise<void>
  /** Resolves when the looks under way have ended. */
  idle(): Promise<void>
}

const READ = 'SELECT rev, content, node FROM document WHERE name = $1'
const REVS = 'SELECT name, rev FROM document WHERE name = ANY ($1)'
/** One of the two changes a row, or none does when another node was faster. */
const WRITE = `WITH added AS (
    INSERT INTO document (name, rev, content, node, actor, at)
      SELECT $1, 1, $2, $4, $5, clock_timestamp() WHERE $3::bigint = 0
      ON CONFLICT (name) DO NOTHING RETURNING name),
  changed AS (
    UPDATE document SET rev = rev + 1, content = $2, node = $4, actor = $5, at = clock_timestamp()
      WHERE name = $1 AND rev = $3 RETURNING name),
  stored AS (SELECT name FROM added UNION ALL SELECT name FROM changed)
  SELECT pg_notify('footman_document', name) FROM stored`

type Listener = Parameters<Documents['onChange']>[1]

export function createDocuments({ pool, node, log }: DocumentsDeps): SharedDocuments {
  const listeners = new Map<string, Set<Listener>>()
  let looking: Promise<void> = Promise.resolve()
  /** The newest that listeners know, by name. */
  const announced = new Map<string, number>()

  async function read(name: string): Promise<SharedDocument | null> {
    const [row] = await pool.query<SharedDocument>(READ, [name])
    return row ? { ...row, content: new Uint8Array(row.content) } : null
  }

  async function announce(name: string): Promise<void> {
    const document = await read(name)
    if (!document || document.rev === announced.get(name)) return
    announced.set(name, document.rev)
    await Promise.all([...(listeners.get(name) ?? [])].map((listener) => listener(document)))
  }

  async function lookOnce(): Promise<void> {
    try {
      const found = await pool.query<{ name: string; rev: number }>(REVS, [[...listeners.keys()]])
      for (const { name, rev } of found) if (announced.get(name) !== rev) await announce(name)
    } catch (error) {
      log.debug(`CLUSTER Shared documents cannot be read: ${errorText(error)}`)
    }
  }

  return {
    read,
    async write(name, content, basedOn, actor) {
      const rows = await pool.query(WRITE, [name, Buffer.from(content), basedOn, node, actor])
      return rows.length > 0
    },
    onChange(name, listener) {
      const known = listeners.get(name) ?? new Set()
      listeners.set(name, known.add(listener))
      return () => known.delete(listener)
    },
    look() {
      looking = looking.then(lookOnce)
      return looking
    },
    idle: () => looking,
  }
}
