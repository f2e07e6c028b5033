/** The way to an HTTP server, through the proxy of the environment where there is one. */
import { isIP, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { openTcp, readUntil, within } from '../net.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The proxy for an address, by `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` in capitals or not; null = none. */
export function proxyFor(url: URL, env: Environment): URL | null {
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

export const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80')

/** A connection to the server, or to what stands for it; for https a tunnel. The error of a proxy names it. */
export async function openHttpSocket(url: URL, proxy: URL | null, timeoutMs: number): Promise<Socket> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (proxy === null) return openTcp({ host, port: Number(portOf(url)) }, timeoutMs)
  try {
    const socket = await openProxy(proxy, timeoutMs)
    if (url.protocol === 'https:') await tunnel(socket, { url, proxy, timeoutMs })
    return socket
  } catch (error) {
    throw new ProxyError(`the proxy ${proxy.host}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

export class ProxyError extends Error {
  override readonly name = 'ProxyError'
}

async function openProxy(proxy: URL, timeoutMs: number): Promise<Socket> {
  const host = proxy.hostname.replace(/^\[|\]$/g, '')
  const socket = await openTcp({ host, port: Number(portOf(proxy)) }, timeoutMs)
  if (proxy.protocol !== 'https:') return socket
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const secure = connect({ socket, host, ...(isIP(host) === 0 && { servername: host }) }, resolve)
  secure.on('error', reject)
  await within(promise, timeoutMs, 'no TLS handshake')
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
