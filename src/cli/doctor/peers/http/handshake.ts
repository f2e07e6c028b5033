/** Name, connection, TLS handshake and certificate of an HTTP server; no request is made. */

import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { openHttpSocket, ProxyError, portOf, proxyFor } from '../../net/proxy.ts'
import { certificateFindings, lookAtTls, type Subject, trouble } from '../../net.ts'
import type { DoctorContext, Finding } from '../../types.ts'
import type { Endpoint } from './endpoints.ts'

export interface Server extends Endpoint {
  readonly group: string
  /** Further keys that name the same server. */
  readonly also: readonly string[]
  /** Keys below `Butler`, where the address is put together from several. */
  readonly keys?: { readonly host: string; readonly port: string; readonly authority: string }
}

/** Empty when a request could be made. */
export async function shakeHands(server: Server, context: DoctorContext): Promise<readonly Finding[]> {
  const { clock, env, timeout, paths } = context
  const url = new URL(server.url)
  const proxy = proxyFor(url, env)
  const subject = subjectOf(server, url, proxy)
  try {
    const socket = await openHttpSocket(url, proxy, timeout)
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

function subjectOf(server: Server, url: URL, proxy: URL | null): Subject {
  const { group, key, keys } = server
  const host = hostOf(url)
  const isPublic = !keys && proxy === null && isIP(host) === 0 && host.includes('.')
  return {
    group,
    key,
    target: targetOf(server, url),
    host,
    port: Number(portOf(url)),
    hostKey: keys ? `Butler.${keys.host}` : `the host in Butler.${key}`,
    portKey: keys ? `Butler.${keys.port}` : `the port in Butler.${key}`,
    ...(isPublic && { detour: 'where only a proxy leads to the internet, set HTTPS_PROXY for the account of Footman' }),
  }
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

function authorityFix({ key, caFile, keys }: Server): string {
  if (caFile !== '') return `put the authority that has signed it into ${caFile}`
  if (keys) return `name the file of the authority (PEM) in Butler.${keys.authority}`
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
