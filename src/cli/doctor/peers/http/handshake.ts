/** Name, connection, TLS handshake and certificate of an HTTP server; no request is made. */
import { readFile } from 'node:fs/promises'
import { certificateFindings } from '../../net/certificate.ts'
import { openHttpSocket, ProxyError, portOf, proxyFor } from '../../net/proxy.ts'
import { lookAtTls } from '../../net/tls.ts'
import { type Subject, trouble } from '../../net/trouble.ts'
import type { DoctorContext, Finding } from '../../types.ts'
import type { Endpoint } from './endpoints.ts'

export interface Server extends Endpoint {
  readonly group: string
  /** Further keys that name the same server. */
  readonly also: readonly string[]
}

/** Empty when a request could be made. */
export async function shakeHands(server: Server, context: DoctorContext): Promise<readonly Finding[]> {
  const { clock, env, timeout, paths } = context
  const url = new URL(server.url)
  const subject = subjectOf(server, url)
  try {
    const socket = await openHttpSocket(url, proxyFor(url, env), timeout)
    if (url.protocol !== 'https:') {
      socket.destroy()
      return []
    }
    // A file that is missing is told as such.
    const ca = server.caFile === '' ? null : await readFile(paths.input(server.caFile), 'utf8').catch(() => null)
    const name = hostOf(url)
    const look = await lookAtTls(socket, name, ca === null ? {} : { ca }, timeout)
    return certificateFindings(look, {
      ...{ group: server.group, target: subject.target, key: server.key, name, verified: server.verified },
      authority: authorityFix(server),
      now: clock.now(),
    })
  } catch (error) {
    return [error instanceof ProxyError ? proxyTrouble(error, subject) : trouble(error, subject)]
  }
}

/** The host alone: paths of such addresses are secrets. */
export function targetOf({ also, key }: Pick<Server, 'also' | 'key'>, url: URL): string {
  const more = also.length === 0 ? '' : ` and ${also.length} more`
  return `${hostOf(url)}:${portOf(url)} (Butler.${key}${more})`
}

function subjectOf(server: Server, url: URL): Subject {
  const { group, key } = server
  return { group, key, target: targetOf(server, url), hostKey: `Butler.${key}`, portKey: `Butler.${key}` }
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

function authorityFix({ key, caFile }: Server): string {
  if (caFile !== '') return `put the authority that has signed it into ${caFile}`
  const own = /^footman\.destinations\./.test(key)
    ? `Butler.${key.replace(/\.[^.]+$/, '')}.caFile`
    : key.startsWith('webhookNotification.')
      ? `Butler.${key.replace(/\.webhookURL$/, '')}.cert`
      : 'the environment variable NODE_EXTRA_CA_CERTS'
  return `name the file of the authority (PEM) in ${own}; a proxy that opens TLS has one too`
}

const proxyTrouble = ({ message }: ProxyError, { group, target, key }: Subject): Finding => ({
  level: 'error',
  code: `${group}.proxy`,
  target,
  message,
  fix: 'correct HTTPS_PROXY, allow the address in the proxy, or name the host in NO_PROXY',
  key,
})
