/** `Butler.footman.cluster`: several nodes that share one PostgreSQL database. */
import { z } from 'zod'
import {
  choice,
  count,
  duration,
  file,
  flag,
  host,
  isHost,
  list,
  section,
  text,
  withDefault,
} from '../config/fields.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

export const POSTGRES_PORT = 5432

const isIPv6 = (text: string) => text.includes(':') && isHost(text)

/** Reads `host`, `host:port`, `::1` or `[::1]:port`; null for anything else. */
export function hostAndPort(written: string): { readonly host: string; readonly port: number } | null {
  if (isIPv6(written)) return { host: written, port: POSTGRES_PORT }
  const { name, address, port } =
    /^(?:(?<name>[^:[\]]+)|\[(?<address>[^[\]]+)\])(?::(?<port>\d{1,5}))?$/.exec(written)?.groups ?? {}
  const found = name ?? address ?? ''
  const number = port === undefined ? POSTGRES_PORT : Number(port)
  const isValid = address === undefined ? isHost(found) : isIPv6(address)
  return isValid && number >= 1 && number <= 65535 ? { host: found, port: number } : null
}

const databaseHost = z.string().refine((value) => hostAndPort(value) !== null, {
  error: (issue) => `must be a host with or without its port, like pg1:5432, found "${issue.input}"`,
})

/** Names that need no quotes in SQL, so that administrators can write them as they are. */
const IDENTIFIER = /^(?!pg_)[a-z_][a-z0-9_]*$/

/** `longest`: PostgreSQL cuts longer names off. */
function identifier(description: string, fallback: string, longest: number) {
  const isUsable = (value: string) => value.length <= longest && IDENTIFIER.test(value)
  const schema = z.string().refine((value) => (value === '' && fallback === '') || isUsable(value), {
    error: (issue) =>
      `must be a name of lower-case letters, digits and underscores (at most ${longest}) that does not start with a digit or pg_, found "${issue.input}"`,
  })
  return withDefault(schema, description, fallback, {})
}

const filled = (description: string, fallback: string) => withDefault(z.string().min(1), description, fallback, {})

export const cluster = section(
  'Several nodes that work as one over a shared PostgreSQL database.',
  () => ({
    enable: flag('This node is one of several.'),
    hosts: list(
      'Hosts of the database, `host` or `host:port`; tried in this order until one is not in recovery.',
      databaseHost,
    ),
    database: filled('Database.', 'footman'),
    user: filled('Role that logs in.', 'footman'),
    password: text('Password of the role, best kept outside this file; empty with a client certificate.'),
    // The views have a schema of their own, whose name is longer by `_qlik`.
    schema: identifier('Schema of the cluster; each Qlik site in a database has its own.', 'footman', 58),
    tls: section('TLS of the connections.', () => ({
      mode: choice(
        '`verify-full`: the authority and the name of the server are verified. `verify-ca`: the authority only. `off`: no TLS, for a database on this machine only.',
        ['verify-full', 'verify-ca', 'off'],
        'verify-full',
      ),
      ca: file('Certificate authority of the server (PEM), read anew at each connection; empty = those of the system.'),
      serverName: host('Name to verify where hosts are addresses.', '', { defaultText: 'the host' }),
      certificate: file('Client certificate (PEM).'),
      key: file('Key of the client certificate (PEM).'),
    })),
    connections: count('Connections for work; one for the lease and one for notifications come on top.', 4, {
      min: 2,
      max: 20,
    }),
    connectTimeout: duration('How long a connection to one host may take.', '3s', { min: SECOND, max: MINUTE }),
    statementTimeout: duration('Longest run of a statement.', '5s', { min: SECOND, max: MINUTE }),
    leaseDuration: duration('How long a leader that is silent stays leader.', '6s', { min: 3 * SECOND, max: MINUTE }),
    candidate: flag('false: this node never leads.', true),
    aloneAfter: duration(
      'A database that has not answered for this long is taken for lost: the node goes on alone. At least leaseDuration.',
      '10s',
      { min: 5 * SECOND, max: 10 * MINUTE },
    ),
    whenDatabaseDown: choice(
      '`alert`: a node alone alerts about what it has received, so that an alert may come once from each. `wait`: messages wait until the database is back.',
      ['alert', 'wait'],
      'alert',
    ),
    dutiesWhenDatabaseDown: choice(
      '`stop`: no schedules and retries without the database. `lastLeader`: the last leader goes on with them, so that they may run twice when only it was cut off.',
      ['stop', 'lastLeader'],
      'stop',
    ),
    commandTimeout: duration('How long a call of the REST API that changes something waits for the leader.', '15s', {
      min: SECOND,
      max: 10 * MINUTE,
    }),
    reader: identifier('Role that may read the views.', '', 63),
    keepInbox: duration('How long messages that are dealt with stay in the database.', '24h'),
  }),
  { closed: true },
)

export type ClusterConfig = z.output<typeof cluster>
