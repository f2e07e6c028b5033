/** Name, connection, TLS handshake and certificate of an HTTP server; no request is made. */

import { readFile } from 'node:fs/promises'
import { isIP, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { errorText } from '../../../platform/errors.ts'
import { answered, certificateFindings, lookAtTls, openTcp, readUntil, type Subject, trouble } from '../connection.ts'
import type { DoctorContext, Finding } from '../types.ts'

export interface Endpoint {
  /** Key below `Butler` whose value is the address, or stands for it. */
  readonly key: string
  readonly url: string
  /** File with the authority; empty = the public ones. */
  readonly caFile: string
  /** False where every certificate is accepted. */
  readonly verified: boolean
}

export interface Server extends Endpoint {
  readonly group: string
  /** Further keys that name the same server. */
  readonly also: readonly string[]
  /** Keys below `Butler`, where the address is put together from several. */
  readonly keys?: { readonly host: string; readonly port: string; readonly authority: string }
}

export const publicEndpoint = (key: string, url: string): Endpoint => ({ key, url, caFile: '', verified: true })

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
    // A missing file is reported by the check of the configuration.
    const ca = server.caFile === '' ? null : await readFile(paths.input(server.caFile), 'utf8').catch(() => null)
    const name = hostOf(url)
    const look = await lookAtTls(socket, name, ca === null ? {} : { ca }, timeout)
    return certificateFindings(look, {
      group: server.group,
      target: subject.target,
      key: server.key,
      name,
      verified: server.verified,
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

/** The way to an HTTP server, through the proxy of the environment where there is one. */
type Environment = Readonly<Record<string, string | undefined>>

/** The proxy for an address, by `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` in capitals or not; null = none. */
function proxyFor(url: URL, env: Environment): URL | null {
  const variable = (name: string) => env[name.toLowerCase()] || env[name] || ''
  const proxy = variable(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY')
  if (!/^https?:\/\/./i.test(proxy) || !URL.canParse(proxy)) return null
  return isExcepted(url, variable('NO_PROXY')) ? null : new URL(proxy)
}

/** `*`, `host`, `.suffix`, `*.suffix`, each with or without a port, as Node.js reads them. */
function isExcepted(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const [name = '', port = portOf(url)] = isIP(entry) === 6 ? [entry] : entry.split(':')
      if (name === '' || port !== portOf(url)) return false
      const suffix = /^\*?(\..+)$/.exec(name)?.[1]
      return name === '*' || host === name || (suffix !== undefined && host.endsWith(suffix))
    })
}

const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80')

/** A connection to the server, or to what stands for it; for https a tunnel. The error of a proxy names it. */
async function openHttpSocket(url: URL, proxy: URL | null, timeoutMs: number): Promise<Socket> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (proxy === null) return openTcp({ host, port: Number(portOf(url)) }, timeoutMs)
  try {
    const socket = await openProxy(proxy, timeoutMs)
    if (url.protocol === 'https:') await tunnel(socket, { url, proxy, timeoutMs })
    return socket
  } catch (error) {
    throw new ProxyError(`the proxy ${proxy.host}: ${errorText(error)}`)
  }
}

class ProxyError extends Error {
  override readonly name = 'ProxyError'
}

async function openProxy(proxy: URL, timeoutMs: number): Promise<Socket> {
  const host = proxy.hostname.replace(/^\[|\]$/g, '')
  const socket = await openTcp({ host, port: Number(portOf(proxy)) }, timeoutMs)
  if (proxy.protocol !== 'https:') return socket
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const secure = connect({ socket, host, ...(isIP(host) === 0 && { servername: host }) }, resolve)
  secure.on('error', reject)
  await answered(promise, timeoutMs, 'no TLS handshake')
  return secure
}

interface Tunnel {
  readonly url: URL
  readonly proxy: URL
  readonly timeoutMs: number
}

async function tunnel(socket: Socket, { url, proxy, timeoutMs }: Tunnel): Promise<void> {
  const place = `${url.hostname}:${portOf(url)}`
  const { username, password } = proxy
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const lines = [
    `CONNECT ${place} HTTP/1.1`,
    `Host: ${place}`,
    ...(username ? [`Proxy-Authorization: Basic ${login}`] : []),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const answer = await readUntil(socket, (text) => text.includes('\r\n\r\n'), timeoutMs)
  const status = /^HTTP\/1\.\d (\d{3})/.exec(answer)?.[1] ?? 'no HTTP'
  if (status.startsWith('2')) return
  socket.destroy()
  throw new Error(status === '407' ? 'it demands a login (407)' : `it refuses the way to ${place} (${status})`)
}
