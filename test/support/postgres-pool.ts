/** Settings of connections to a PostgreSQL of the tests. */
import type { PostgresSettings } from '../../src/platform/postgres/types.ts'
import { type Postgres, ROLE } from './postgres.ts'

/** The settings of the configuration: TLS with chain and address verified. `changes` replaces whole settings. */
export function poolSettings(
  servers: Pick<Postgres, 'port' | 'ca'> | readonly Pick<Postgres, 'port' | 'ca'>[],
  changes: Partial<Omit<PostgresSettings, 'tls'>> & { readonly tls?: Partial<PostgresSettings['tls']> } = {},
): PostgresSettings {
  const all = [servers].flat()
  const { tls, ...others } = changes
  return {
    hosts: all.map(({ port }) => ({ host: '127.0.0.1', port })),
    ...ROLE,
    schema: 'footman',
    tls: { mode: 'verify-full', ca: all[0]?.ca ?? '', certificate: '', key: '', serverName: '', ...tls },
    connections: 2,
    connectTimeoutMs: 3000,
    statementTimeoutMs: 5000,
    applicationName: 'footman/test',
    ...others,
  }
}
