/** A syslog server (RFC 5425, or the same over plain TCP) that takes, resets or hangs. */
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'

export type SyslogMode = 'takes' | 'resets' | 'hangs'

export interface SyslogServer {
  readonly port: number
  /** In the order of their arrival, when their connection has been closed. */
  readonly messages: string[]
  behave(next: SyslogMode): void
  stop(): Promise<unknown>
}

/** `pair`: null = without TLS. */
export async function startSyslogServer(
  pair: { readonly cert: string; readonly key: string } | null,
  port = 0,
): Promise<SyslogServer> {
  const messages: string[] = []
  const sockets = new Set<Socket>()
  let mode: SyslogMode = 'takes'
  const serve = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (mode === 'resets') return void socket.once('data', () => socket.resetAndDestroy())
    if (mode === 'hangs') return
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => void chunks.push(chunk as Buffer))
    socket.on('end', () => {
      messages.push(...messagesIn(Buffer.concat(chunks)))
      socket.end()
    })
  }
  const server = pair ? createTls(pair, serve) : createTcp({ allowHalfOpen: true }, serve)
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    messages,
    port: (server.address() as AddressInfo).port,
    behave(next) {
      mode = next
    },
    stop() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Splits a stream of counted messages. */
function messagesIn(bytes: Buffer): string[] {
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(' ', at)
    const length = Number(bytes.toString('ascii', at, blank))
    found.push(bytes.toString('utf8', blank + 1, blank + 1 + length))
    at = blank + 1 + length
  }
  return found
}

export interface SentEntry {
  readonly id: string
  readonly actor: string
  readonly action: string
  readonly n: number
  readonly prev: string
  readonly hash: string
}

/** The entry of the audit in a message. */
export const entryOf = (message: string): SentEntry => JSON.parse(message.slice(message.indexOf('{')))
