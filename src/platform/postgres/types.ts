/** The interface of a PostgreSQL server for the rest of Footman. */

export interface PostgresSettings {
  /** Tried in this order until one is not in recovery. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly database: string
  readonly user: string
  readonly password: string
  /** `search_path` of every connection. */
  readonly schema: string
  readonly tls: {
    readonly mode: 'verify-full' | 'verify-ca' | 'off'
    /** Files, read anew at each connection; '' = none. */
    readonly ca: string
    readonly certificate: string
    readonly key: string
    /** Name to verify where hosts are addresses; '' = the host. */
    readonly serverName: string
  }
  /** Connections of a pool. */
  readonly connections: number
  /** Milliseconds, per host. */
  readonly connectTimeoutMs: number
  /** Milliseconds; set in the session, and one second more as deadline of our own. */
  readonly statementTimeoutMs: number
  /** `footman/<node>`. */
  readonly applicationName: string
}

/**
 * `down`: no host answers in time or all refuse or reset connections; the outcome of a statement under way is unknown.
 * `refused`: a host answers and does not let this account in (TLS, login, database, rights). `standby`: all hosts are in
 * recovery. `wrong`: the server refuses the statement.
 */
export type PostgresFault = 'down' | 'refused' | 'standby' | 'wrong'

export interface Queryable {
  /**
   * Rows of a statement with `$1` parameters; without parameters several statements are possible, and the rows are those of the
   * last. Rejects with a `PostgresError`. bigint arrives as a number, timestamptz as text, bytea as a `Uint8Array`, jsonb parsed.
   */
  query<Row = Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>
}

/** A pool of connections that are opened when needed and opened anew after a fault; no statement is repeated. */
export interface PostgresPool extends Queryable {
  /** One connection, one transaction; rolled back when `work` rejects. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>
  /** `host:port` of the newest connection; null while none is open. */
  readonly host: string | null
  /** Timeline of the server's log, read on each new connection: another one after a standby has taken over; null before the first. */
  readonly timeline: number | null
  /**
   * `performance.now()` since which every attempt on every host was actively refused or reset, which is a server that is down,
   * starts or ends, and not a network that is silent; null otherwise.
   */
  readonly refusingSince: number | null
  close(): Promise<void>
}

/** Hears notifications; connects again by itself, and calls `onListening` after each (re)connection as some may be missed. */
export interface PostgresListener {
  start(): void
  readonly isListening: boolean
  stop(): Promise<void>
}
