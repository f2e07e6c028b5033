/** Sorts the errors of a PostgreSQL connection by what the caller can do about them. */
import { errorText } from '../errors.ts'
import type { PostgresFault } from './types.ts'

export class PostgresError extends Error {
  override readonly name = 'PostgresError'
  constructor(
    message: string,
    readonly fault: PostgresFault,
    /** SQLSTATE (`42P01`); null when the server did not answer. */
    readonly code: string | null,
    options: ErrorOptions & { readonly isSent?: boolean } = {},
  ) {
    super(message, options)
    this.isUndone = options.isSent === false || code !== null
  }

  /** Certainly nothing was changed: no connection could be opened, or the server refused. */
  readonly isUndone: boolean
}

/** The server ends or starts, the network broke, a limit of time, space or locks was reached: the same may work later. */
const PASSING = /^(08|57P0|57014|55P03|25P0[34]|25006|40|531|532|534|58)/
/** Login, database, schema, too many connections, rights. */
const NOT_LET_IN = /^(28|3D|3F|53300|42501)/
/** The session is over, or the server has become a standby. */
const ENDED = /^(57P0|25P0[34]|25006)/
/** Starts or ends. */
const NOT_RUNNING = /^57P0[123]/
const SQLSTATE = /^[0-9A-Z]{5}$/

const TLS = /^(CERT_|ERR_TLS|ERR_SSL|ERR_OSSL|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|UNKNOWN_CERTIFICATE)/
/** Errors of TLS without a code, and of the driver for a login that it cannot carry out. */
const TEXTS = /certificate|does not support SSL|SSL connection|altname|self.signed|^SASL|client password/i
/** A certificate or key that cannot be read. */
const FILES = new Set(['ENOENT', 'EACCES', 'EISDIR', 'EPERM'])
const REFUSING = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE'])

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown } | null)?.code ?? '')

/** The SQLSTATE of an error that the server has sent; null for errors of the connection. */
export function sqlState(error: unknown): string | null {
  const code = codeOf(error)
  // Codes of Node.js have five characters too: EPIPE.
  return SQLSTATE.test(code) && 'severity' in (error as object) ? code : null
}

/** True for an error of the server after which the connection is of no use. */
export function isFatal(error: unknown): boolean {
  const code = sqlState(error)
  if (code === null) return false
  const { severity } = error as { readonly severity?: unknown }
  return ENDED.test(code) || severity === 'FATAL' || severity === 'PANIC'
}

/** True where the other side actively refused or reset the connection, or says that it starts or ends. A silent network never does. */
export const isRefusal = (error: unknown): boolean =>
  REFUSING.has(codeOf(error)) || NOT_RUNNING.test(sqlState(error) ?? '')

/** `where` = `host:port`. An error that is sorted already is returned as it is. */
export function postgresError(error: unknown, where: string): PostgresError {
  if (error instanceof PostgresError) return error
  const code = sqlState(error)
  const message = `${where}: ${errorText(error) || codeOf(error)}`
  return new PostgresError(message, faultOf(error, code), code, { cause: error })
}

function faultOf(error: unknown, code: string | null): PostgresFault {
  if (code !== null) {
    if (PASSING.test(code)) return 'down'
    return NOT_LET_IN.test(code) ? 'refused' : 'wrong'
  }
  const isOurs = TLS.test(codeOf(error)) || FILES.has(codeOf(error)) || TEXTS.test(errorText(error))
  return isOurs ? 'refused' : 'down'
}
