/** Where the REST API of a configuration can be reached from this machine. */
import type { Config } from '../app/schema.ts'

/** Null when the REST API is switched off. */
export function restUrl({ restServerConfig: rest }: Config): string | null {
  if (!rest.enable) return null
  return `${rest.tls.enable ? 'https' : 'http'}://${reachable(rest.serverHost)}:${rest.serverPort}`
}

/** An address that means "all of this machine" is no place to connect to. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
