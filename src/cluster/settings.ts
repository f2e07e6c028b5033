/** Settings of the connections to the shared database, from `Butler.footman.cluster`. */
import type { ConfigPaths } from '../config/paths.ts'
import type { PostgresSettings } from '../platform/postgres/types.ts'
import { type ClusterConfig, hostAndPort } from './config.ts'
import type { ViewNames } from './views.ts'

export interface NodePlace {
  /** Name of this node, which the server shows beside its connections. */
  readonly node: string
  readonly paths: Pick<ConfigPaths, 'input'>
}

/** The settings of the pool for work; the connections of the lease and the listener change some of them. */
export function postgresSettingsOf(section: ClusterConfig, { node, paths }: NodePlace): PostgresSettings {
  const { tls } = section
  const pathOf = (file: string) => (file === '' ? '' : paths.input(file))
  return {
    hosts: section.hosts.flatMap((written) => hostAndPort(written) ?? []),
    database: section.database,
    user: section.user,
    password: section.password,
    schema: section.schema,
    tls: {
      mode: tls.mode,
      serverName: tls.serverName,
      ca: pathOf(tls.ca),
      certificate: pathOf(tls.certificate),
      key: pathOf(tls.key),
    },
    connections: section.connections,
    connectTimeoutMs: section.connectTimeout,
    statementTimeoutMs: section.statementTimeout,
    applicationName: `footman/${node}`,
  }
}

const LEASE_STATEMENT_MS = 2000

/** One connection of its own: renewals never wait behind work, and give up before the lease ends. */
export function leaseSettingsOf(settings: PostgresSettings): PostgresSettings {
  return { ...settings, connections: 1, statementTimeoutMs: LEASE_STATEMENT_MS }
}

/** Names of the schemas, and of the role that reads the views. */
export function viewNamesOf({ schema, reader }: Pick<ClusterConfig, 'schema' | 'reader'>): ViewNames {
  return { schema, views: viewSchemaOf(schema), reader }
}

/** The schema of the views for Qlik. */
export const viewSchemaOf = (schema: string): string => `${schema}_qlik`
