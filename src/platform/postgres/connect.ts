/** Connects to the first host that is not in recovery. */
import { type Connection, type ConnectOptions, openConnection } from './connection.ts'
import { isRefusal, PostgresError, postgresError } from './errors.ts'
import type { PostgresSettings } from './types.ts'

export interface ConnectFailure {
  /** Names each host, and why it could not be used. */
  readonly error: PostgresError
  /** Every host actively refused or reset the connection, or starts or ends. */
  readonly isRefused: boolean
}

/** Resolves with a connection, or with why none could be opened. */
export async function connectPrimary(
  settings: PostgresSettings,
  options: ConnectOptions = {},
): Promise<Connection | ConnectFailure> {
  const errors: PostgresError[] = []
  for (const host of settings.hosts) {
    try {
      return await openConnection(settings, host, options)
    } catch (error) {
      errors.push(postgresError(error, `${host.host}:${host.port}`))
      if (options.signal?.aborted) break
    }
  }
  const worst = errors.find(({ fault }) => fault === 'refused') ?? errors.find(({ fault }) => fault !== 'standby')
  const { fault, code } = worst ?? errors[0] ?? { fault: 'down' as const, code: null }
  const text = errors.map(({ message }) => message).join('; ')
  return {
    error: new PostgresError(text, fault, code, { cause: errors }),
    isRefused: errors.every(({ cause }) => isRefusal(cause)),
  }
}
