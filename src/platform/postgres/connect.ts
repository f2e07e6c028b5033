/** Opens a connection to the first host that is not in recovery, with deadlines of its own. */
import { readFile } from 'node:fs/promises'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import pg from 'pg'
import { isRefusal, PostgresError, postgresError, sqlState } from './errors.ts'
import type { PostgresSettings, Queryable } from './types.ts'

export interface Connection extends Queryable {
  /** `host:port` */
  readonly host: string
  readonly timeline: number
  /** False once it cannot be used any more. */
  readonly isOpen: boolean
  onEnd(listener: () => void): void
  onNotification(listener: (channel: string, payload: string) => void): void
  /** Closes it without waiting for the server. */
  destroy(): void
}

export interface ConnectFailure {
  readonly error: PostgresError
  /** Every host actively refused or reset the connection. */
  readonly isRefused: boolean
}

/** Called with every sign of life of the server. */
type Answered = () => void

/** Added to the deadline of the server, which normally ends a statement first. */
const OWN_DEADLINE_MS = 1000
const INT8 = 20
const TIMESTAMPTZ = 1184

/** bigint as number: revisions and counts stay far below 2^53. Times as the text of the server. */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
    if (oid === INT8) return Number
    if (oid === TIMESTAMPTZ) return String
    return pg.types.getTypeParser(oid, format as 'text')
  },
}

/** Compiling a statement takes the server half a second; all of ours run for milliseconds. */
const SESSION = `SELECT set_config('search_path', $1, false), set_config('statement_timeout', $2, false),
    set_config('idle_in_transaction_session_timeout', '2s', false), set_config('lock_timeout', '2s', false),
    set_config('synchronous_commit', 'on', false), set_config('timezone', 'UTC', false),
    set_config('jit', 'off', false),
    pg_is_in_recovery() AS "isStandby", (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline`

/** Resolves with a connection, or with why none could be opened. */
export async function connectPrimary(
  settings: PostgresSettings,
  answered: Answered,
): Promise<Connection | ConnectFailure> {
  const failures: { readonly error: PostgresError; readonly isRefused: boolean }[] = []
  for (const host of settings.hosts) {
    try {
      return await open(settings, host, answered)
    } catch (error) {
      const where = `${host.host}:${host.port}`
      failures.push({ error: postgresError(error, where), isRefused: isRefusal(error) })
    }
  }
  const errors = failures.map(({ error }) => error)
  const worst = errors.find(({ fault }) => fault === 'refused') ?? errors.find(({ fault }) => fault !== 'standby')
  const { fault, code } = worst ?? errors[0] ?? { fault: 'down' as const, code: null }
  const text = errors.map(({ message }) => message).join('; ')
  return {
    error: new PostgresError(text, fault, code, { cause: errors }),
    isRefused: failures.every(({ isRefused }) => isRefused),
  }
}

type Host = PostgresSettings['hosts'][number]

async function open(settings: PostgresSettings, { host, port }: Host, answered: Answered): Promise<Connection> {
  const where = `${host}:${port}`
  const client = new pg.Client({
    host,
    port,
    types,
    database: settings.database,
    user: settings.user,
    password: settings.password,
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    query_timeout: settings.statementTimeoutMs + OWN_DEADLINE_MS,
    keepAlive: true,
    ssl: await tlsOf(settings, host),
  })
  const stream = () =>
    (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream
  const ended = new Set<() => void>()
  let isOpen = true
  const end = (): void => {
    if (!isOpen) return
    isOpen = false
    for (const listener of ended) listener()
  }
  const destroy = (): void => {
    end()
    stream().destroy()
  }
  // Without a listener an error of an idle connection would end the process.
  client.on('error', end)
  client.on('end', end)

  const query = async <Row>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> => {
    try {
      const { rows } = await client.query(sql, [...parameters])
      answered()
      return rows as Row[]
    } catch (error) {
      if (sqlState(error) !== null) answered()
      // The server may still work on it: the next statement would wait behind it.
      else destroy()
      throw postgresError(error, where)
    }
  }

  try {
    await withDeadline(client.connect(), settings.connectTimeoutMs, 'the connection was not made in time')
    const [session] = await query<{ isStandby: boolean; timeline: number }>(SESSION, [
      settings.schema,
      String(settings.statementTimeoutMs),
    ])
    if (session?.isStandby) throw new PostgresError(`${where} is a standby`, 'standby', null)
    return {
      host: where,
      timeline: session?.timeline ?? 0,
      get isOpen() {
        return isOpen
      },
      query,
      destroy,
      onEnd: (listener) => void (isOpen ? ended.add(listener) : listener()),
      onNotification(listener) {
        client.on('notification', ({ channel, payload = '' }) => listener(channel, payload))
      },
    }
  } catch (error) {
    if (sqlState(error) !== null) answered()
    destroy()
    throw error
  }
}

/** The driver's own time-out does not cover every step of the handshake. */
async function withDeadline<T>(work: Promise<T>, ms: number, text: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(text)), ms + 100)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}

/** The files are read anew each time, so that a renewed certificate needs no restart. */
async function tlsOf({ tls }: PostgresSettings, host: string) {
  if (tls.mode === 'off') return false
  const read = (file: string) => (file === '' ? undefined : readFile(file, 'utf8'))
  const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.certificate), read(tls.key)])
  const verified = tls.serverName || host
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2' as const,
    checkServerIdentity: (_: string, certificate: PeerCertificate) =>
      tls.mode === 'verify-ca' ? undefined : checkServerIdentity(verified, certificate),
  }
}
