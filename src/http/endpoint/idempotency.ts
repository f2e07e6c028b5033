/**
 * `Idempotency-Key`: a caller that repeats a request with the same key gets the first answer again, and nothing happens
 * twice. Keys are kept for 24 hours per caller, in `footman.db`. The server asks for every change, so no endpoint has to.
 */
import { createHash } from 'node:crypto'
import { limitedClient } from '../../platform/addresses.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { type Database, type Migration, storedJson } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { Refusal, refusal } from '../errors.ts'
import { invalidQuery } from './list-query.ts'
import type { ApiRequest } from './route.ts'

const tableOf = (name: string, more = ''): string => `
      CREATE TABLE ${name} (
        id TEXT PRIMARY KEY,
        caller TEXT NOT NULL,
        key TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        status INTEGER,
        content_type TEXT,
        answer TEXT,
        ${more}
        UNIQUE (caller, key)
      ) WITHOUT ROWID;
      CREATE INDEX ${name}_age ON ${name} (created_at);`

export const idempotencyMigrations: Migration[] = [
  { name: 'idempotency-001', sql: tableOf('idempotency_key') },
  {
    name: 'idempotency-002',
    sql: `ALTER TABLE idempotency_key ADD COLUMN headers TEXT; ${tableOf('idempotency_key_here', 'headers TEXT,')}`,
  },
]

export interface Idempotency {
  /**
   * Carries the request out, or gives the answer of the first one with its key. `id` stays the same for a request that was
   * cut short and is repeated; null without a key. Answers from 500 on and refusals are not kept: the repeat tries again.
   */
  once(request: ApiRequest, carryOut: (id: string | null) => Answer): Answer
}

type Answer = Response | Promise<Response>

interface Row {
  readonly id: string
  readonly requestHash: string
  /** Null while it is carried out, or when that was cut short. */
  readonly status: number | null
  readonly contentType: string | null
  readonly answer: string | null
  /** JSON of names and values. */
  readonly headers: string | null
}

/**
 * `leader`: of calls that the leader of a cluster carries out; nodes share the table. `here`: of those that each node
 * carries out itself.
 */
const TABLES = { leader: 'idempotency_key', here: 'idempotency_key_here' } as const

const KEEP_MS = 24 * 3_600_000
const KEY = /^[\x20-\x7e]{1,128}$/
/** Beside the type: what callers of changes read. */
const KEPT_HEADERS = ['etag', 'location']

export function createIdempotency(
  deps: { db: Database; writer: GroupWriter; clock: Clock; log: Logger },
  place: keyof typeof TABLES,
): Idempotency {
  const { db, writer, clock, log } = deps
  const table = TABLES[place]
  const underWay = new Map<string, Promise<void>>()

  function find(caller: string, key: string): Row | undefined {
    return db.get<Row>(
      `SELECT id, request_hash AS requestHash, status, content_type AS contentType, answer, headers
       FROM ${table} WHERE caller = ? AND key = ? AND created_at > ?`,
      caller,
      key,
      clock.now() - KEEP_MS,
    )
  }

  async function begin(caller: string, key: string, requestHash: string): Promise<Row> {
    const now = clock.now()
    const row = { id: uuidV7(now), requestHash, status: null, contentType: null, answer: null, headers: null }
    await writer.write((one) => {
      one.run(`DELETE FROM ${table} WHERE created_at <= ?`, now - KEEP_MS)
      one.run(
        `INSERT INTO ${table} (id, caller, key, request_hash, created_at) VALUES (?, ?, ?, ?, ?)`,
        row.id,
        caller,
        key,
        requestHash,
        now,
      )
    })
    return row
  }

  async function keep(id: string, response: Response): Promise<Response> {
    if (response.status >= 500) return response
    const answer = await response.clone().text()
    const headers = KEPT_HEADERS.flatMap((name) =>
      response.headers.has(name) ? [[name, response.headers.get(name)]] : [],
    )
    await writer
      .write((one) =>
        one.run(
          `UPDATE ${table} SET status = ?, content_type = ?, answer = ?, headers = ? WHERE id = ?`,
          response.status,
          response.headers.get('content-type'),
          answer,
          headers.length > 0 ? JSON.stringify(Object.fromEntries(headers)) : null,
          id,
        ),
      )
      // The request itself is carried out all the same.
      .catch((error: unknown) => log.error(`API: The answer to a repeatable request could not be kept: ${error}`))
    return response
  }

  /** The key of a refused request can be used again for the corrected one. */
  async function forgetRefused(id: string, error: unknown): Promise<never> {
    const isRefused = error instanceof Refusal && error.status < 500
    if (isRefused) await writer.write((one) => one.run(`DELETE FROM ${table} WHERE id = ?`, id))
    throw error
  }

  async function withKey(key: string, request: ApiRequest, carryOut: (id: string) => Answer): Promise<Response> {
    const caller = callerOf(request)
    const hash = hashOf(request)
    const place = `${caller}\n${key}`
    // A repeat that comes while the first is carried out waits for it.
    while (underWay.has(place)) await underWay.get(place)
    const before = find(caller, key)
    if (before && before.requestHash !== hash) {
      throw refusal(
        'IDEMPOTENCY_KEY_REUSED',
        'Another request was made with this Idempotency-Key. Use a fresh key for each request.',
      )
    }
    if (before?.status) return replay(before)
    const row = before ? Promise.resolve(before) : begin(caller, key, hash)
    const answered = row.then(async ({ id }) =>
      keep(id, await Promise.try(carryOut, id).catch((error: unknown) => forgetRefused(id, error))),
    )
    const ended = () => void underWay.delete(place)
    underWay.set(place, answered.then(ended, ended))
    return answered
  }

  return {
    once(request, carryOut) {
      const key = keyOf(request)
      return key === null ? carryOut(null) : withKey(key, request, carryOut)
    },
  }
}

function keyOf({ headers }: ApiRequest): string | null {
  const key = headers.get('idempotency-key')
  if (key === null || KEY.test(key)) return key
  throw invalidQuery([{ path: 'Idempotency-Key', message: 'must be 1 to 128 printable characters' }])
}

/** Unauthenticated callers are identified by address. */
const callerOf = ({ caller, client }: ApiRequest): string =>
  caller.actor === 'anonymous' ? `anonymous ${limitedClient(client)}` : caller.actor

/** POST is another way to say PUT; answers that an older version has kept know neither. */
function hashOf({ method, url, body }: ApiRequest): string {
  return createHash('sha256')
    .update(method === 'POST' || method === 'PUT' ? url : `${method} ${url}`)
    .update('\n')
    .update(body instanceof Uint8Array ? body : (JSON.stringify(body) ?? ''))
    .digest('hex')
}

function replay({ status, contentType, answer, headers }: Row): Response {
  const kept = storedJson<Record<string, string>>(headers, {})
  // Statuses like 204 take no body, not even an empty one.
  return new Response(answer === '' ? null : answer, {
    status: status ?? 200,
    headers: { ...kept, ...(contentType !== null && { 'content-type': contentType }), 'idempotent-replay': 'true' },
  })
}
