/** The shared rows in the database: how they are written, with and without the token of a leader, and read. */
import { Buffer } from 'node:buffer'
import type { Queryable } from '../platform/postgres/types.ts'
import type { IncomingRow, OutgoingRow } from './rows.ts'

/** The content of one statement. */
export interface Shipment {
  readonly rows: readonly OutgoingRow[]
  /** Keys of the messages that are settled with it. */
  readonly settled: readonly string[]
  readonly answers: readonly CommandAnswer[]
  /** Rows that are too old to be kept: they go without a trace, as every node removes them by itself. */
  readonly aged?: readonly RowKey[]
}

export interface RowKey {
  readonly tbl: string
  readonly key: string
}

export interface CommandAnswer {
  readonly id: string
  /** Status, headers: what the route returned, without its body. */
  readonly answer: unknown
  readonly body: Uint8Array | null
}

export interface Shipped {
  /** Revision of the last row. */
  readonly rev: number
  readonly epoch: number
}

const STATES = ['pending', 'sending', 'suppressed', 'dead', 'delivered']

/** How far a delivery has come. */
export const deliveryRank = (state: unknown): number => STATES.indexOf(String(state))

/** How far a row has come; where rows about the same thing meet, the furthest stays. Equal for rows that never meet. */
const rank = (row: string): string => `CASE ${row}.tbl
  WHEN 'delivery' THEN array_position('{${STATES.join(',')}}'::text[], ${row}.body->>'state')
  WHEN 'event' THEN CASE ${row}.body->>'state' WHEN 'pending' THEN 1 ELSE 2 END ELSE 0 END`

const NEW_ROWS = `unnest($3::text[], $4::text[], $5::text[], $6::bytea[]) WITH ORDINALITY AS x (tbl, key, body, blob, n)`
/** A row that comes again after its deletion has nothing of the former one; columns of newer versions stay otherwise. */
const MEETING = `ON CONFLICT (tbl, key) DO UPDATE SET rev = excluded.rev, epoch = excluded.epoch, node = excluded.node,
    at = clock_timestamp(), deleted = excluded.deleted,
    body = CASE WHEN old.deleted OR excluded.deleted THEN excluded.body ELSE old.body || excluded.body END,
    blob = CASE WHEN old.deleted OR excluded.deleted THEN excluded.blob ELSE coalesce(excluded.blob, old.blob) END`
const INSERT = (epoch: string): string => `INSERT INTO replica AS old (tbl, key, rev, epoch, node, deleted, body, blob)
  SELECT x.tbl, x.key, h.rev - $2 + x.n, ${epoch}, $1, x.body IS NULL, coalesce(x.body, '{}')::jsonb, x.blob
    FROM h, ${NEW_ROWS} ${MEETING}`

/**
 * The leader's statement: no row comes back when its token is not that of the fence any more, and nothing is changed then.
 * Rows that another node has shipped since this one read last (returning nodes) stay where they have come further.
 */
const LEADER_ROWS = `WITH f AS (SELECT epoch FROM fence WHERE token = $7 FOR SHARE),
  h AS (UPDATE head SET rev = rev + $2 FROM f RETURNING head.rev, f.epoch),
  i AS (${INSERT('h.epoch')} WHERE NOT (old.node <> excluded.node AND old.rev > $8 AND ${rank('old')} > ${rank('excluded')}))`

/** Further parts of that statement, for which the server would plan and open all tables even where a shipment has none of it. */
function leaderParts({ settled, answers, aged = [] }: Shipment, add: (value: unknown) => string) {
  const parts = [LEADER_ROWS]
  const results = ['h.rev', 'h.epoch']
  if (settled.length > 0) {
    parts.push(
      `s AS (UPDATE inbox SET settled_rev = h.rev, handled = 'leader' FROM h WHERE key = ANY (${add(settled)}::text[]))`,
    )
  }
  if (answers.length > 0) {
    const ids = `${add(answers.map(({ id }) => id))}::uuid[]`
    const texts = `${add(answers.map(({ answer }) => JSON.stringify(answer)))}::text[]`
    const bodies = `${add(answers.map(({ body }) => body && Buffer.from(body)))}::bytea[]`
    parts.push(`c AS (UPDATE command SET answer = x.answer::jsonb, answer_body = x.body, rev = h.rev
      FROM h, unnest(${ids}, ${texts}, ${bodies}) AS x (id, answer, body) WHERE command.id = x.id)`)
    results.push(`(SELECT count(pg_notify('footman_answer', id::text)) FROM unnest(${ids}) AS id) AS answered`)
  }
  if (aged.length > 0) {
    const [tables, keys] = [add(aged.map(({ tbl }) => tbl)), add(aged.map(({ key }) => escapedKey(key)))]
    parts.push(`g AS (DELETE FROM replica USING h, unnest(${tables}::text[], ${keys}::text[]) AS x (tbl, key)
      WHERE replica.tbl = x.tbl AND replica.key = x.key)`)
  }
  parts.push(`p AS (SELECT pg_notify('footman_rev', rev::text) FROM h)`)
  return { parts, results }
}

/** Any node's statement, for rows of class `union`: the database keeps what has come further, and what another node has made of it. */
const BY_MAKER = `WITH h AS (UPDATE head SET rev = head.rev + $2 FROM fence RETURNING head.rev, fence.epoch),
  i AS (${INSERT('h.epoch')} WHERE ${rank('excluded')} > ${rank('old')}
    OR (old.node = excluded.node AND ${rank('excluded')} >= ${rank('old')})),
  p AS (SELECT pg_notify('footman_rev', rev::text) FROM h)
  SELECT h.rev, h.epoch FROM h, p`

/** Again, after the database has forgotten: an older leader's row never replaces that of a newer one. */
const AGAIN = `WITH h AS (UPDATE head SET rev = rev + $2 RETURNING rev),
  i AS (${INSERT('($7::bigint[])[x.n]')} WHERE old.epoch <= excluded.epoch),
  p AS (SELECT pg_notify('footman_rev', rev::text) FROM h)
  SELECT h.rev, 0 AS epoch FROM h, p`

/** Null: another node leads. `seenRev`: up to there this node knows the rows of others. */
export async function shipAsLeader(
  db: Queryable,
  node: string,
  { token, seenRev }: { readonly token: string; readonly seenRev: number },
  shipment: Shipment,
): Promise<Shipped | null> {
  const parameters = [...columns(node, shipment.rows), token, seenRev]
  const { parts, results } = leaderParts(shipment, (value) => `$${parameters.push(value)}`)
  const sql = `${parts.join(',\n  ')}\n  SELECT ${results.join(', ')} FROM h, p`
  const [shipped] = await db.query<Shipped>(sql, parameters)
  return shipped ?? null
}

/** Rows of class `union`, and those that stay, of a node that does not lead. */
export async function shipAsMaker(db: Queryable, node: string, rows: readonly OutgoingRow[]): Promise<Shipped> {
  const [shipped] = await db.query<Shipped>(BY_MAKER, columns(node, rows))
  return shipped!
}

/** Rows that were shipped before, with the epoch of that time each. */
export async function shipAgain(
  db: Queryable,
  node: string,
  rows: readonly (OutgoingRow & { readonly epoch: number })[],
): Promise<Shipped> {
  const [shipped] = await db.query<Shipped>(AGAIN, [...columns(node, rows), rows.map(({ epoch }) => epoch)])
  return shipped!
}

const columns = (node: string, rows: readonly OutgoingRow[]): unknown[] => [
  node,
  rows.length,
  rows.map(({ tbl }) => tbl),
  rows.map(({ key }) => escapedKey(key)),
  rows.map(({ body }) => body),
  rows.map(({ blob }) => blob && Buffer.from(blob)),
]

export interface ReplicaRow extends IncomingRow {
  readonly rev: number
}

/** The rows with these keys that the database has. */
export async function readByKey(db: Queryable, keys: readonly RowKey[]): Promise<ReplicaRow[]> {
  const rows = await db.query<ReplicaRow>(
    `SELECT tbl, key, rev, deleted, body, blob FROM replica JOIN unnest($1::text[], $2::text[]) AS x (tbl, key) USING (tbl, key)`,
    [keys.map(({ tbl }) => tbl), keys.map(({ key }) => escapedKey(key))],
  )
  return rows.map(withKey)
}

/** Not a table: its one row holds the newest rev of a deletion that no node can read any more. */
export const PRUNED = 'cluster_pruned'

/** Rows, of a table that is read as a whole. */
const WHOLE_ROWS = 500
/** Rows per page of a reader. */
export const PAGE_ROWS = 1000
const PAGE_BYTES = 8 * 1024 * 1024

export interface Page {
  readonly head: number
  /** Deletions up to here cannot be read any more. */
  readonly pruned: number
  readonly rows: readonly ReplicaRow[]
}

const PAGE = `SELECT head.rev AS head, (SELECT (body->>'rev')::bigint FROM replica WHERE tbl = '${PRUNED}' AND key = '') AS pruned, page.tbl, page.key, page.rev, page.deleted, page.body, page.blob FROM head LEFT JOIN (
    SELECT *, sum(coalesce(octet_length(blob), 0)) OVER (ORDER BY rev) AS bytes, row_number() OVER (ORDER BY rev) AS n FROM (
      SELECT tbl, key, rev, deleted, body, blob FROM replica WHERE rev > $1 AND node <> $2 ORDER BY rev LIMIT $3
    ) AS found
  ) AS page ON bytes <= $4 OR n = 1 ORDER BY page.rev`

/** The rows that changed after `rev`, oldest first, without the rows of the node `except` (''= of all). */
export async function readPage(db: Queryable, rev: number, except: string): Promise<Page> {
  const found = await db.query<ReplicaRow & { readonly head: number; readonly pruned: number | null }>(PAGE, [
    rev,
    except,
    PAGE_ROWS,
    PAGE_BYTES,
  ])
  const rows = found.filter((row) => row.tbl !== null).map(withKey)
  return { head: found[0]?.head ?? 0, pruned: found[0]?.pruned ?? 0, rows }
}

/** Rows of a table that exist, in the order of their keys, after the key `after` (null = from the beginning). */
export async function readTable(db: Queryable, tbl: string, after: string | null): Promise<ReplicaRow[]> {
  const rows = await db.query<ReplicaRow>(
    `SELECT tbl, key, rev, deleted, body, blob FROM replica WHERE tbl = $1 AND ($2::text IS NULL OR key > $2) AND NOT deleted
       ORDER BY key LIMIT $3`,
    [tbl, after === null ? null : escapedKey(after), WHOLE_ROWS],
  )
  return rows.map(withKey)
}

const withKey = <Row extends IncomingRow>(row: Row): Row => ({ ...row, key: plainKey(row.key) })

/** A text of the server cannot hold the character 0, which keys of SQLite can. */
export const escapedKey = (key: string): string => key.replaceAll('%', '%25').replaceAll('\u0000', '%00')
const plainKey = (key: string): string => key.replaceAll('%00', '\u0000').replaceAll('%25', '%')
