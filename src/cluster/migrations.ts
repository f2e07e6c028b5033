/** The tables of the shared database. Migrations only add, so that two versions of Footman can use them side by side. */
import { StartError } from '../platform/errors.ts'
import type { PostgresPool, Queryable } from '../platform/postgres/types.ts'
import { uuidV7 } from '../platform/uuid.ts'

/** The version of the rules by which nodes work together; raised when an older node would misread what a newer one writes. */
export const PROTOCOL = 1

export interface ClusterMigration {
  readonly name: string
  readonly sql: string
}

/** Tables with many rows have a partition of their own; all others share one. */
const PARTITIONS = ['event', 'delivery', 'delivery_attempt', 'script_log', 'execution', 'audit', 'kv']

export const clusterMigrations: readonly ClusterMigration[] = [
  {
    name: 'cluster-001',
    sql: `
      CREATE TABLE node (name text PRIMARY KEY, instance uuid NOT NULL, data_id uuid NOT NULL, version text NOT NULL,
        protocol int NOT NULL, candidate boolean NOT NULL, mode text NOT NULL, url text, started_at timestamptz NOT NULL,
        seen_at timestamptz NOT NULL, applied_rev bigint NOT NULL DEFAULT 0, waiting int NOT NULL DEFAULT 0,
        offset_ms int NOT NULL DEFAULT 0, config jsonb NOT NULL DEFAULT '{}', health jsonb NOT NULL DEFAULT '{}',
        returned_at timestamptz, removed_at timestamptz);
      CREATE TABLE lease (duty text PRIMARY KEY, node text NOT NULL DEFAULT '', data_id uuid, token uuid,
        epoch bigint NOT NULL DEFAULT 0, expires_at timestamptz NOT NULL DEFAULT '-infinity');
      INSERT INTO lease (duty) VALUES ('leader');
      -- A row of its own: the ships of a leader read it under a lock that renewals of the lease would collide with.
      CREATE TABLE fence (one boolean PRIMARY KEY DEFAULT true CHECK (one), token uuid, epoch bigint NOT NULL DEFAULT 0);
      INSERT INTO fence DEFAULT VALUES;
      CREATE TABLE leadership (epoch bigint PRIMARY KEY, node text NOT NULL, from_at timestamptz NOT NULL, reason text NOT NULL);
      CREATE TABLE inbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL UNIQUE,
        kind text NOT NULL DEFAULT 'datagram', node text NOT NULL, received_at timestamptz NOT NULL, sender text NOT NULL,
        raw bytea NOT NULL, offered_at timestamptz NOT NULL DEFAULT clock_timestamp(), expires_at timestamptz NOT NULL,
        settled_rev bigint, handled text, others jsonb NOT NULL DEFAULT '[]');
      CREATE INDEX inbox_open ON inbox (id) WHERE settled_rev IS NULL;
      CREATE INDEX inbox_age ON inbox (offered_at) WHERE settled_rev IS NOT NULL;
      -- history: changed by the first node that finds the rows at an earlier state than it knows.
      CREATE TABLE head (one boolean PRIMARY KEY DEFAULT true CHECK (one), rev bigint NOT NULL, history text NOT NULL DEFAULT '');
      INSERT INTO head (rev) VALUES (0);
      CREATE TABLE replica (tbl text NOT NULL, key text NOT NULL, rev bigint NOT NULL, epoch bigint NOT NULL, node text NOT NULL,
        deleted boolean NOT NULL DEFAULT false, at timestamptz NOT NULL DEFAULT clock_timestamp(), body jsonb NOT NULL, blob bytea,
        PRIMARY KEY (tbl, key)) PARTITION BY LIST (tbl);
      ${PARTITIONS.map((name) => `CREATE TABLE replica_${name} PARTITION OF replica FOR VALUES IN ('${name}');`).join('\n      ')}
      CREATE TABLE replica_rest PARTITION OF replica DEFAULT;
      CREATE INDEX replica_rev ON replica (rev);
      CREATE INDEX replica_event_time ON replica_event (((body->>'received_at')::bigint));
      CREATE INDEX replica_delivery_time ON replica_delivery (((body->>'created_at')::bigint));
      CREATE INDEX replica_execution_time ON replica_execution (((body->>'stopped_at')::bigint));
      CREATE TABLE command (id uuid PRIMARY KEY, node text NOT NULL, request jsonb NOT NULL, body bytea,
        created_at timestamptz NOT NULL, deadline timestamptz NOT NULL, taken_epoch bigint, taken_at timestamptz,
        answer jsonb, answer_body bytea, rev bigint);
      CREATE INDEX command_open ON command (created_at) WHERE taken_epoch IS NULL;
      CREATE TABLE document (name text PRIMARY KEY, rev bigint NOT NULL, content bytea NOT NULL, node text NOT NULL,
        actor text NOT NULL, at timestamptz NOT NULL);
    `,
  },
  {
    // Most of them are compressed by their format.
    name: 'cluster-002',
    sql: `
      CREATE TABLE file (sha256 text PRIMARY KEY, content bytea NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
      ALTER TABLE file ALTER COLUMN content SET STORAGE EXTERNAL;
    `,
  },
  {
    // Readers of reports stay signed in: their sessions had a table of their own, which older versions still use.
    name: 'cluster-003',
    sql: `
      INSERT INTO replica (tbl, key, rev, epoch, node, body)
        SELECT 'session', key, rev, epoch, node, jsonb_build_object('hash', key, 'id', 'rs_' || left(key, 12), 'kind', 'reader',
          'actor', 'reader:' || (body->>'address'), 'holder', null, 'address', '', 'browser', '', 'created_at', body->'at',
          'seen_at', body->'at', 'expires_at', body->'expires_at')
        FROM replica WHERE tbl = 'report_hub_session' AND NOT deleted;
    `,
  },
]

/** Exists before the migrations: which cluster this is, and which of them it has. */
export const FOUNDATION = `
  CREATE TABLE IF NOT EXISTS cluster_info (one boolean PRIMARY KEY DEFAULT true CHECK (one), id uuid NOT NULL,
    protocol int NOT NULL, min_protocol int NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL, by_version text NOT NULL);`

/** Any number; all nodes of a schema wait for each other with it. */
export const MIGRATION_LOCK = 7_203_311

/**
 * Brings the schema up to date, one node at a time, and returns the id of the cluster. Rejects with a `StartError` when this
 * version is too old for the cluster, and with a `PostgresError` otherwise.
 */
export async function migrateCluster(
  pool: PostgresPool,
  version: string,
  migrations: readonly ClusterMigration[] = clusterMigrations,
): Promise<{ readonly clusterId: string }> {
  const pending = await pendingMigrations(pool, migrations)
  if (pending.length > 0) {
    await pool.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
      await tx.query(FOUNDATION)
      for (const { name, sql } of await pendingMigrations(tx, migrations)) {
        await tx.query(sql)
        await tx.query('INSERT INTO schema_migration VALUES ($1, clock_timestamp(), $2)', [name, version])
      }
      await tx.query(
        'INSERT INTO cluster_info (id, protocol, min_protocol) VALUES ($1, $2, $2) ON CONFLICT (one) DO UPDATE SET protocol = greatest(cluster_info.protocol, excluded.protocol)',
        [uuidV7(), PROTOCOL],
      )
    })
  }
  const [info] = await pool.query<{ id: string; least: number }>('SELECT id, min_protocol AS least FROM cluster_info')
  if (!info) throw new StartError('The schema of the cluster is incomplete: cluster_info is empty', { hint: REPAIR })
  if (info.least > PROTOCOL) {
    throw new StartError(
      `This version (protocol ${PROTOCOL}) is too old for the cluster, which needs protocol ${info.least}`,
      { hint: 'Copy the executable of the other nodes to this one' },
    )
  }
  return { clusterId: info.id }
}

const REPAIR = 'Restore the schema from a backup, or drop it and let the first node make it anew'

/** Those that the schema does not have yet. */
export async function pendingMigrations(db: Queryable, migrations = clusterMigrations) {
  const [exists] = await db.query<{ found: boolean }>(`SELECT to_regclass('schema_migration') IS NOT NULL AS found`)
  if (!exists?.found) return migrations
  const applied = new Set(
    (await db.query<{ name: string }>('SELECT name FROM schema_migration')).map(({ name }) => name),
  )
  return migrations.filter(({ name }) => !applied.has(name))
}
