/** Why a port could not be opened, in words for the admin. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

export interface ListenTarget {
  readonly protocol: 'TCP' | 'UDP'
  readonly address: string
  readonly port: number
}

/** `code` is the operating system's, for example `EADDRINUSE`; the message names address, port and reason. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: string
  readonly address: string
  readonly port: number
  readonly reason: string

  constructor(target: ListenTarget, code: string, reason: string, cause?: unknown) {
    super(`cannot listen on ${target.protocol} ${formatAddress(target.address, target.port)}: ${reason} (${code})`, {
      cause,
    })
    this.code = code
    this.address = target.address
    this.port = target.port
    this.reason = reason
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is already in use by another program',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not open that port',
  EPERM: 'this user may not open that port',
  ENOTFOUND: 'the host name cannot be resolved',
  EAFNOSUPPORT: 'this machine does not support that kind of address',
  ERR_OUT_OF_RANGE: 'the port must be between 0 and 65535',
}

/** Names the reason; asks the resolver when the runtime does not tell that the name is unknown. */
export async function toListenError(target: ListenTarget, error: unknown): Promise<ListenError> {
  if (error instanceof ListenError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const known = code === undefined ? undefined : REASONS[code]
  // The runtime may give an unknown name the code of a failure before it.
  const isDoubtful = code === 'EADDRNOTAVAIL' && isIP(target.address) === 0
  if (code !== undefined && known && !isDoubtful) return new ListenError(target, code, known, error)
  if (target.port < 0 || target.port > 65535 || !Number.isInteger(target.port)) {
    return new ListenError(target, 'ERR_OUT_OF_RANGE', REASONS.ERR_OUT_OF_RANGE!, error)
  }
  if (isIP(target.address) === 0 && !(await resolves(target.address))) {
    return new ListenError(target, 'ENOTFOUND', REASONS.ENOTFOUND!, error)
  }
  return new ListenError(target, code ?? 'UNKNOWN', known ?? message, error)
}

const resolves = (name: string) =>
  lookup(name).then(
    () => true,
    () => false,
  )

/** `10.0.0.1:80`, `[::1]:80`. */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
