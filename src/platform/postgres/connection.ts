/** One connection to one server, with a deadline of our own for every step. */
import { isIP } from 'node:net'
import pg from 'pg'
import { isFatal, PostgresError, postgresError, sqlState } from './errors.ts'
import { tlsOf } from './tls.ts'
import type { PostgresSettings, Queryable } from './types.ts'

export interface Connection extends Queryable {
  /** `host:port` */
  readonly host: string
  /** Timeline of the server's log; another one after a standby has taken over. */
  readonly timeline: number
  /** False once it cannot be used any more. */
  readonly isOpen: boolean
  /** Called at once when it has ended already. */
  onEnd(listener: () => void): void
  onNotification(listener: (channel: string, payload: string) => void): void
  /** Ends it without waiting for the server. */
  destroy(): void
  /** Takes leave of the server; ends it in any case. */
  close(): Promise<void>
}

export interface ConnectOptions {
  /** Gives up connecting. */
  readonly signal?: AbortSignal
}

/** Added to the deadline of the server, which normally ends a statement first. */
const OWN_DEADLINE_MS = 1000
const LEAVE_MS = 500

const INT8 = 20
const INT8_LIST = 1016
const TIMESTAMPTZ = 1184

/** Revisions and counts stay far below 2^53. Times stay texts, as they may be infinite. */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
    if (oid === INT8) return Number
    if (oid === TIMESTAMPTZ) return String
    const parse = pg.types.getTypeParser(oid, format as 'text')
    return oid === INT8_LIST ? (value) => (parse(value) as readonly string[]).map(Number) : parse
  },
}

/** The timeline of the last checkpoint (`pg_control_checkpoint`) would still be the old one shortly after a takeover. */
const SESSION = `SELECT set_config('search_path', $1, false), set_config('statement_timeout', $2, false),
    set_config('idle_in_transaction_session_timeout', '2s', false), set_config('lock_timeout', '2s', false),
    set_config('synchronous_commit', 'on', false), set_config('timezone', 'UTC', false),
    set_config('jit', 'off', false),
    pg_is_in_recovery() AS "isStandby", CASE WHEN pg_is_in_recovery() THEN 0
      ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline`

/** Rejects with a `PostgresError`; a server in recovery is a `standby`. */
export async function openConnection(
  settings: PostgresSettings,
  { host, port }: PostgresSettings['hosts'][number],
  { signal }: ConnectOptions,
): Promise<Connection> {
  const where = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  const client = await clientOf(settings, host, port).catch((error: unknown) => {
    throw postgresError(error, where)
  })
  const ended = new Set<() => void>()
  let isOpen = true
  const end = (): void => {
    if (!isOpen) return
    isOpen = false
    for (const listener of ended) listener()
  }
  const destroy = (): void => {
    end()
    client.connection.stream.destroy()
  }
  // Without a listener an error of an idle connection would end the process.
  client.on('error', end)
  client.on('end', end)

  const run = async <Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]> => {
    if (!isOpen) throw new PostgresError(`${where}: the connection has ended`, 'down', null)
    try {
      return rowsOf<Row>(await client.query(sql, [...parameters]))
    } catch (error) {
      // After a deadline the server may still work on it, and the next statement would wait behind it.
      if (sqlState(error) === null || isFatal(error)) destroy()
      throw postgresError(error, where)
    }
  }

  async function begin(): Promise<number> {
    await client.connect()
    const [session] = await run<{ isStandby: boolean; timeline: number }>(SESSION, [
      settings.schema,
      String(settings.statementTimeoutMs),
    ])
    if (session?.isStandby) throw new PostgresError(`${where} is a standby`, 'standby', null)
    return session?.timeline ?? 0
  }

  try {
    const timeline = await withDeadline(begin(), settings.connectTimeoutMs, signal)
    return {
      host: where,
      timeline,
      get isOpen() {
        return isOpen
      },
      query: (sql, parameters = []) => run<never>(sql, parameters),
      onEnd: (listener) => void (isOpen ? ended.add(listener) : listener()),
      onNotification(listener) {
        client.on('notification', ({ channel, payload = '' }) => listener(channel, payload))
      },
      destroy,
      async close() {
        if (isOpen) await withDeadline(client.end(), LEAVE_MS).catch(() => undefined)
        destroy()
      },
    }
  } catch (error) {
    destroy()
    throw postgresError(error, where)
  }
}

/** The driver says the type of neither the connection nor the several results of several statements. */
type Client = pg.Client & { readonly connection: { readonly stream: { destroy(): void } } }

async function clientOf(settings: PostgresSettings, host: string, port: number): Promise<Client> {
  const client = new pg.Client({
    host,
    port,
    types,
    database: settings.database,
    user: settings.user,
    // A function: for an empty text the driver would look into its environment and the files of the account.
    password: () => settings.password,
    application_name: settings.applicationName,
    client_encoding: 'UTF8',
    query_timeout: settings.statementTimeoutMs + OWN_DEADLINE_MS,
    keepAlive: true,
    ssl: await tlsOf(settings.tls, host),
  })
  return client as unknown as Client
}

/** Rows of the last statement. */
function rowsOf<Row>(result: unknown): Row[] {
  const last = (Array.isArray(result) ? result.at(-1) : result) as { readonly rows?: Row[] } | undefined
  return last?.rows ?? []
}

/** The work is given up, and its own end ignored, when time is up or the signal comes. */
async function withDeadline<T>(work: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  const stop = () => reject(new Error('connecting was given up'))
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
    work.catch(() => undefined)
  }
}
