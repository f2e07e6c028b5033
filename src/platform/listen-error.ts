/** Errors of listeners: why a port could not be opened. */
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

const USUAL = 'an IP address of this machine, or 0.0.0.0 for all of them'

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is already in use by another program',
  EADDRNOTAVAIL: `this machine does not have that address; set ${USUAL}`,
  EACCES: 'this user may not open that port',
  EPERM: 'this user may not open that port',
  ENOTFOUND: `the host name cannot be resolved; correct it, or set ${USUAL}`,
  EAFNOSUPPORT: 'this machine does not support that kind of address',
  ERR_OUT_OF_RANGE: 'the port must be between 0 and 65535',
}

/**
 * IP version of the host, for every listener to call first. Rejects with a `ListenError` for a name without address:
 * what runtimes report for it differs between machines.
 */
export async function familyOf(target: ListenTarget): Promise<4 | 6> {
  const version = isIP(target.address)
  if (version > 0) return version as 4 | 6
  const found = await lookup(target.address).catch((error: unknown) => {
    throw new ListenError(target, 'ENOTFOUND', REASONS.ENOTFOUND!, error)
  })
  return found.family as 4 | 6
}

/** Names the reason. */
export function toListenError(target: ListenTarget, error: unknown): ListenError {
  if (error instanceof ListenError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const known = code === undefined ? undefined : REASONS[code]
  if (code !== undefined && known) return new ListenError(target, code, known, error)
  if (target.port < 0 || target.port > 65535 || !Number.isInteger(target.port)) {
    return new ListenError(target, 'ERR_OUT_OF_RANGE', REASONS.ERR_OUT_OF_RANGE!, error)
  }
  return new ListenError(target, code ?? 'UNKNOWN', message, error)
}

/** `10.0.0.1:80`, `[::1]:80`. */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
