/** TLS of the connections to a PostgreSQL server. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { checkServerIdentity, getCACertificates, type PeerCertificate } from 'node:tls'
import { once } from '../once.ts'
import type { PostgresSettings } from './types.ts'

/** Those of the runtime and those that the operating system trusts. */
const commonAuthorities = once(() => [...new Set([...getCACertificates('default'), ...getCACertificates('system')])])

/** Options of the handshake with a host, false = none. The files are read anew, so that a renewed certificate needs no restart. */
export async function tlsOf(tls: PostgresSettings['tls'], host: string) {
  if (tls.mode === 'off') return false
  const read = (file: string) => (file === '' ? undefined : readFile(file, 'utf8'))
  const [ca = commonAuthorities(), cert, key] = await Promise.all([read(tls.ca), read(tls.certificate), read(tls.key)])
  const name = tls.serverName || host
  return {
    ca,
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    // The driver names the host by itself where that is a name.
    ...(isIP(name) === 0 && { servername: name }),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2' as const,
    checkServerIdentity: (_: string, certificate: PeerCertificate) =>
      tls.mode === 'verify-ca' ? undefined : checkServerIdentity(name, certificate),
  }
}
