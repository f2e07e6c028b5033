/**
 * Files of reports: documents and uploaded templates. Shared rows name them by the hash of their content, so that no copy is
 * ever out of date: each node brings what the database lacks, and fetches what it lacks itself.
 */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Blobs } from '../platform/blobs.ts'
import type { Queryable } from '../platform/postgres/types.ts'
import { type Database, storedJson } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'

export interface SharedFilesDeps {
  readonly db: Database
  readonly pool: Queryable
  readonly log: Logger
  readonly blobs: Blobs
}

export interface SharedFiles {
  /** Brings and fetches what is missing; to be called now and then. Rejects with a `PostgresError`. */
  look(stop?: AbortSignal): Promise<void>
  /** To be called once an hour: forgets what no row names any more. `remove`: the files of it too. */
  clean(remove: boolean): Promise<void>
}

const MAX_MB = 32
const MAX_BYTES = MAX_MB * 1024 * 1024
/** The row of a file may follow it. */
const KEEP_UNNAMED_MS = 3_600_000
const CHUNK = 1000

const UPLOADED = 'SELECT sha256 FROM report_template'
/** Rows are added at the end, and a look at all of them for each new one would be long. */
const MADE = [
  'SELECT rowid AS n, sha256, document FROM report_document WHERE rowid > ? ORDER BY rowid',
  'SELECT rowid AS n, sha256, NULL AS document FROM report_hub_item WHERE rowid > ? ORDER BY rowid',
]
const STORED = 'SELECT sha256 FROM file WHERE sha256 = ANY ($1)'
const STORE = 'INSERT INTO file (sha256, content) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING'
const FETCH = 'SELECT content FROM file WHERE sha256 = $1'

export function createSharedFiles({ db, pool, log, blobs }: SharedFilesDeps): SharedFiles {
  let named = new Set<string>()
  let positions = MADE.map(() => 0)
  /** They are here and in the database, or never will be. */
  const settled = new Set<string>()

  function readNamed(): void {
    for (const { sha256 } of db.all<{ sha256: string }>(UPLOADED)) named.add(sha256)
    for (const [index, sql] of MADE.entries()) {
      const rows = db.all<{ n: number; sha256: string; document: string | null }>(sql, positions[index]!)
      for (const { sha256, document } of rows) for (const one of [sha256, ...picturesOf(document)]) named.add(one)
      positions[index] = rows.at(-1)?.n ?? positions[index]!
    }
  }

  async function settle(sha256: string, isStored: boolean): Promise<void> {
    const file = await stat(blobs.path(sha256)).catch(() => null)
    if (file && !isStored) await bring(sha256, file.size)
    if (file || (isStored && (await fetched(sha256)))) settled.add(sha256)
  }

  async function bring(sha256: string, bytes: number): Promise<void> {
    if (bytes > MAX_BYTES) {
      log.warn(`CLUSTER The file ${blobs.path(sha256)} is larger than ${MAX_MB} MB and stays on this node`)
      return
    }
    const content = await readFile(blobs.path(sha256))
    if (hashOf(content) === sha256) await pool.query(STORE, [sha256, content])
    else log.error(`CLUSTER The file ${blobs.path(sha256)} is damaged and stays on this node`)
  }

  async function fetched(sha256: string): Promise<boolean> {
    const [row] = await pool.query<{ content: Uint8Array }>(FETCH, [sha256])
    if (!row || hashOf(row.content) !== sha256) return false
    await blobs.put(row.content)
    return true
  }

  return {
    async look(stop) {
      readNamed()
      const open = [...named].filter((sha256) => !settled.has(sha256))
      for (let from = 0; from < open.length; from += CHUNK) {
        const chunk = open.slice(from, from + CHUNK)
        const stored = new Set((await pool.query<{ sha256: string }>(STORED, [chunk])).map(({ sha256 }) => sha256))
        for (const sha256 of chunk) {
          if (stop?.aborted) return
          await settle(sha256, stored.has(sha256))
        }
      }
    },
    async clean(remove) {
      named = new Set()
      positions = MADE.map(() => 0)
      readNamed()
      for (const sha256 of settled) if (!named.has(sha256)) settled.delete(sha256)
      if (remove) await blobs.removeUnreferenced((sha256) => named.has(sha256), Date.now() - KEEP_UNNAMED_MS)
    },
  }
}

/** Those in the text of a mail lie beside it. `document`: the JSON of a stored document. */
function picturesOf(document: string | null): string[] {
  const { images } = storedJson<{ readonly images?: readonly { readonly sha256: string }[] }>(document, {})
  return (images ?? []).map(({ sha256 }) => sha256)
}

const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')
