/**
 * Removes from the shared database what no node needs any more; done by the leader. Rows that have reached their age go with
 * those of its store; here go marks of deletions, messages that are settled, calls that are answered, and files without a row.
 */
import type { Queryable } from '../platform/postgres/types.ts'
import { PRUNED } from './replica.ts'

export interface SharedRetentionSettings {
  /** Settled messages, in milliseconds. */
  readonly keepInboxMs: number
}

/** A node that was away for longer reads all tables anew. */
const KEEP_DELETIONS = '7 days'
/** Deletions that every node has seen. */
const KEEP_SEEN_DELETIONS = '1 hour'
const KEEP_COMMANDS = '1 hour'
const CHUNK = 5000

/** The newest of the removed marks is kept: a node whose position is older does not know what is gone. */
const DELETIONS = `WITH seen AS (SELECT coalesce(min(applied_rev), 0) AS rev FROM node
      WHERE removed_at IS NULL AND seen_at > clock_timestamp() - interval '${KEEP_DELETIONS}'),
    old AS (SELECT tbl, key, replica.rev FROM replica, seen WHERE deleted AND (at < clock_timestamp() - interval '${KEEP_DELETIONS}'
      OR (at < clock_timestamp() - interval '${KEEP_SEEN_DELETIONS}' AND replica.rev <= seen.rev)) LIMIT ${CHUNK}),
    gone AS (DELETE FROM replica USING old WHERE replica.tbl = old.tbl AND replica.key = old.key AND replica.deleted
      RETURNING replica.rev),
    noted AS (INSERT INTO replica AS known (tbl, key, rev, epoch, node, body)
      SELECT '${PRUNED}', '', 0, 0, '', jsonb_build_object('rev', max(rev)) FROM gone HAVING count(*) > 0
      ON CONFLICT (tbl, key) DO UPDATE
        SET body = jsonb_build_object('rev', greatest((known.body->>'rev')::bigint, (excluded.body->>'rev')::bigint)))
  SELECT count(*) AS removed FROM gone`

const INBOX = `WITH gone AS (DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE settled_rev IS NOT NULL
    AND offered_at < clock_timestamp() - make_interval(secs => $1) AND expires_at < clock_timestamp() LIMIT ${CHUNK}) RETURNING 1)
  SELECT count(*) AS removed FROM gone`

const COMMANDS = `WITH gone AS (DELETE FROM command WHERE id IN (SELECT id FROM command
    WHERE greatest(deadline, taken_at) < clock_timestamp() - interval '${KEEP_COMMANDS}' LIMIT ${CHUNK}) RETURNING 1)
  SELECT count(*) AS removed FROM gone`

/** Files of reports that no row names any more; the row of a new one may follow. */
const FILES = `WITH gone AS (DELETE FROM file WHERE sha256 IN (SELECT sha256 FROM file
    WHERE at < clock_timestamp() - interval '1 hour' AND sha256 NOT IN (
      SELECT body->>'sha256' FROM replica WHERE tbl = ANY ('{report_template,report_document,report_hub_item}') AND body ? 'sha256'
      UNION ALL SELECT image->>'sha256' FROM replica, jsonb_path_query((body->>'document')::jsonb, '$.images[*]') AS image
        WHERE tbl = 'report_document' AND body ? 'document') LIMIT ${CHUNK}) RETURNING 1)
  SELECT count(*) AS removed FROM gone`

/** Ends early when the signal says so; returns how many rows were removed. Rejects with a `PostgresError`. */
export async function cleanShared(
  db: Queryable,
  { keepInboxMs }: SharedRetentionSettings,
  stop?: AbortSignal,
): Promise<number> {
  let removed = 0
  for (const [sql, ...parameters] of [[DELETIONS], [INBOX, keepInboxMs / 1000], [COMMANDS], [FILES]] as const) {
    for (let isFull = true; isFull && !stop?.aborted; ) {
      const [row] = await db.query<{ removed: number }>(sql, parameters)
      removed += row?.removed ?? 0
      isFull = row?.removed === CHUNK
    }
  }
  return removed
}
