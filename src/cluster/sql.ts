/** SQL that the administrator of the database runs: role, database and schemas, or the migrations where nodes may not make tables. */
import { uuidV7 } from '../platform/uuid.ts'
import type { ClusterConfig } from './config.ts'
import { FOUNDATION, MIGRATION_LOCK, PROTOCOL } from './migrations.ts'
import { viewNamesOf, viewSchemaOf } from './settings.ts'
import { migrationsOf } from './views.ts'

/** Enough for 12 nodes with 6 connections each. */
const CONNECTIONS = 100
const PLAIN = /^[a-z_][a-z0-9_]*$/
const NO_RIGHTS = 'NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION'

const name = (text: string): string => (PLAIN.test(text) ? text : `"${text.replaceAll('"', '""')}"`)
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** To be run once. The password is left open. */
export function setupSql(section: ClusterConfig): string {
  const { schema, tls } = section
  const [role, database, reader] = [section.user, section.database, section.reader || 'footman_reader'].map(name)
  const byCertificate = tls.certificate !== ''
  const optional = section.reader === '' ? '-- optional, to read the views: ' : ''
  return lines(
    '-- Run this once as a superuser of PostgreSQL 12 or newer.',
    byCertificate ? null : '-- Put the password of Butler.footman.cluster.password in the place of the three dots.',
    `SET password_encryption = 'scram-sha-256';`,
    `CREATE ROLE ${role} LOGIN ${byCertificate ? '' : `PASSWORD '...' `}${NO_RIGHTS} CONNECTION LIMIT ${CONNECTIONS};`,
    `${optional}CREATE ROLE ${reader} LOGIN PASSWORD '...' ${NO_RIGHTS};`,
    `CREATE DATABASE ${database} ENCODING 'UTF8' TEMPLATE template0;`,
    '',
    `-- The rest belongs into the database ${database}. In programs other than psql connect to it, and leave the next line out.`,
    `\\connect ${database}`,
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC;`,
    'REVOKE ALL ON SCHEMA public FROM PUBLIC;',
    `GRANT CONNECT ON DATABASE ${database} TO ${role};`,
    `${optional}GRANT CONNECT ON DATABASE ${database} TO ${reader};`,
    `CREATE SCHEMA ${name(schema)} AUTHORIZATION ${role};`,
    `CREATE SCHEMA ${name(viewSchemaOf(schema))} AUTHORIZATION ${role};`,
    '',
    '-- In pg_hba.conf, with the network of the nodes in the place of 10.1.2.0/24, and then: SELECT pg_reload_conf();',
    `-- ${hbaLine(section)}`,
    `${optional || '-- '}${hbaLine({ ...section, user: section.reader || 'footman_reader', tls: { ...tls, certificate: '' } })}`,
    tls.mode === 'off'
      ? null
      : '-- The server needs TLS (ssl = on, ssl_cert_file, ssl_key_file); other connections stay as they are.',
  )
}

/** The line of `pg_hba.conf` that lets the nodes in. */
export function hbaLine({ database, user, tls }: Pick<ClusterConfig, 'database' | 'user' | 'tls'>): string {
  const quoted = (text: string) => (PLAIN.test(text) ? text : `"${text}"`)
  const [type, network] = tls.mode === 'off' ? ['host', '127.0.0.1/32'] : ['hostssl', '10.1.2.0/24']
  const method = tls.certificate === '' ? 'scram-sha-256' : 'cert'
  return `${type} ${quoted(database)} ${quoted(user)} ${network} ${method}`
}

/**
 * The migrations as a script for another role than that of the nodes, which gets the right to change rows only. Running it
 * again does what is missing.
 */
export function migrationSql(section: ClusterConfig, version: string): string {
  const { schema } = section
  const [role, views] = [name(section.user), name(viewSchemaOf(schema))]
  const steps = migrationsOf(viewNamesOf(section)).map(({ name: step, sql }) =>
    lines(
      `DO $footman$ BEGIN IF NOT EXISTS (SELECT FROM schema_migration WHERE name = ${literal(step)}) THEN`,
      sql.replace(/^\n+|\s+$/g, ''),
      `      INSERT INTO schema_migration VALUES (${literal(step)}, clock_timestamp(), ${literal(version)});`,
      'END IF; END $footman$;',
    ),
  )
  return lines(
    `-- Tables of Footman ${version}. Run this in the database ${name(section.database)}, as the owner of the schema or a superuser.`,
    'BEGIN;',
    `SET LOCAL lock_timeout = '2s';`,
    `SET LOCAL search_path = ${name(schema)};`,
    `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK});`,
    FOUNDATION.trim(),
    ...steps,
    `INSERT INTO cluster_info (id, protocol, min_protocol) VALUES (${literal(uuidV7())}, ${PROTOCOL}, ${PROTOCOL})`,
    '  ON CONFLICT (one) DO UPDATE SET protocol = greatest(cluster_info.protocol, excluded.protocol);',
    `GRANT USAGE ON SCHEMA ${name(schema)}, ${views} TO ${role};`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${name(schema)} TO ${role};`,
    'COMMIT;',
  )
}

/** Null = no such line. */
const lines = (...all: readonly (string | null)[]): string => all.filter((line) => line !== null).join('\n')
