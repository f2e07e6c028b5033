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
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** The server ends or starts, the network broke, a limit of time or of locks was reached: the same may work later. */
const PASSING = /^(08|57P0|57014|55P03|40|25006|58)/
/** Login, database, too many connections. */
const NOT_LET_IN = /^(28|3D|53300|42501)/
const SQLSTATE = /^[0-9A-Z]{5}$/
const TLS = /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|UNKNOWN_CERTIFICATE)/
const TLS_TEXT = /certificate|does not support SSL|SSL connection|altname|self.signed/i
const REFUSING = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE'])

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown } | null)?.code ?? '')

/** The SQLSTATE of an error that the server has sent; null for errors of the connection. */
export function sqlState(error: unknown): string | null {
  const code = codeOf(error)
  // Codes of Node.js have five characters too: EPIPE.
  return SQLSTATE.test(code) && 'severity' in (error as object) ? code : null
}

/** True where the other side actively refused or reset the connection, which a silent network never does. */
export const isRefusal = (error: unknown): boolean => REFUSING.has(codeOf(error))

/** `where` = `host:port`. An error that is sorted already is returned as it is. */
export function postgresError(error: unknown, where: string): PostgresError {
  if (error instanceof PostgresError) return error
  const code = sqlState(error)
  const message = `${where}: ${errorText(error)}`
  return new PostgresError(message, faultOf(error, code), code, { cause: error })
}

function faultOf(error: unknown, code: string | null): PostgresFault {
  if (code !== null) {
    if (PASSING.test(code)) return 'down'
    return NOT_LET_IN.test(code) ? 'refused' : 'wrong'
  }
  return TLS.test(codeOf(error)) || TLS_TEXT.test(errorText(error)) ? 'refused' : 'down'
}
