/** An HTTP server in the place of a receiver of messages: it records every request and sends the answer that a test sets. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { type UntilOptions, until } from './wait.ts'

export interface SinkRequest {
  readonly method: string
  /** Path with query string. */
  readonly url: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Unpacked when it came as gzip. */
  readonly body: string
  /** `performance.now()` when the body was complete. */
  readonly at: number
}

/** Faults of a body after the status line and headers: nothing, breaks off, ends too early, never ends, is no chunk. */
export const BROKEN_BODIES = ['stalls', 'resets', 'is cut', 'is huge', 'is malformed'] as const

export interface SinkAnswer {
  /** Default 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds between request and answer. */
  readonly delay?: number
  /** Accepts the request and never answers. */
  readonly hang?: boolean
  /** Closes the connection instead of answering. */
  readonly reset?: boolean
  /** Instead of `body`. */
  readonly broken?: (typeof BROKEN_BODIES)[number]
}

export interface HttpSink extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Everything received, refused requests included, in order. */
  readonly requests: SinkRequest[]
  /** TCP connections seen so far. */
  readonly connections: number
  /** The answer from now on; a function decides per request. */
  answer(how: SinkAnswer | ((request: SinkRequest) => SinkAnswer)): void
  /** These answers first, one a request; then the standing one again. */
  answerOnce(...how: SinkAnswer[]): void
  /** Resolves when `count` requests (that match) have come; the request list is the result. */
  received(
    count: number,
    options?: UntilOptions & { match?: (request: SinkRequest) => boolean },
  ): Promise<readonly SinkRequest[]>
  /** Closes the port and every connection: peers are refused. Requests stay recorded. */
  down(): Promise<void>
  /** Opens the same port again. */
  up(): Promise<void>
  stop(): Promise<void>
}

/** The runtime throws away a status that comes together with the fault. */
const FAULT_AFTER_MS = 300

function breakBody(socket: Socket, status: number, broken: NonNullable<SinkAnswer['broken']>): void {
  const start = (header: string) => socket.write(`HTTP/1.1 ${status} Answer\r\n${header}\r\n\r\n`)
  socket.on('error', () => undefined)
  if (broken === 'is malformed') {
    start('Transfer-Encoding: chunked')
    setTimeout(() => socket.write('no chunk\r\n'), FAULT_AFTER_MS)
    return
  }
  if (broken !== 'is huge') {
    start('Content-Length: 1000')
    socket.write('{"ok": ')
    if (broken === 'is cut') socket.end()
    if (broken === 'resets') setTimeout(() => socket.resetAndDestroy(), FAULT_AFTER_MS)
    return
  }
  // More than any destination reads, and no end.
  start('Transfer-Encoding: chunked')
  socket.write(`300000\r\n${'x'.repeat(0x30_0000)}\r\n`)
}

export async function startHttpSink(options: { port?: number } = {}): Promise<HttpSink> {
  const requests: SinkRequest[] = []
  const queued: SinkAnswer[] = []
  const sockets = new Set<Socket>()
  let standing: (request: SinkRequest) => SinkAnswer = () => ({})
  let connections = 0
  let server: Server | null = null
  let port = options.port ?? 0

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await readRequest(incoming)
    requests.push(request)
    const how = queued.shift() ?? standing(request)
    if (how.delay) await Bun.sleep(how.delay)
    if (how.hang) return
    if (how.reset) {
      incoming.socket.destroy()
      return
    }
    if (how.broken) {
      breakBody(incoming.socket, how.status ?? 200, how.broken)
      return
    }
    response.writeHead(how.status ?? 200, how.headers)
    response.end(how.body ?? '')
  }

  async function up(): Promise<void> {
    if (server) return
    server = createServer((incoming, response) => {
      // A peer that goes away in mid-request is the peer's affair.
      handle(incoming, response).catch(() => response.destroy())
    })
    server.on('connection', (socket) => {
      connections++
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }

  async function down(): Promise<void> {
    const closing = server
    if (!closing) return
    server = null
    const closed = once(closing, 'close')
    closing.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }

  await up()
  return {
    get port() {
      return port
    },
    get url() {
      return `http://127.0.0.1:${port}`
    },
    requests,
    get connections() {
      return connections
    },
    answer(how) {
      standing = typeof how === 'function' ? how : () => how
    },
    answerOnce: (...how) => void queued.push(...how),
    received(count, { match = () => true, ...waiting } = {}) {
      return until(
        () => {
          const found = requests.filter(match)
          return found.length >= count && found
        },
        {
          what: `${count} requests at ${port}`,
          state: () => requests.map(({ method, url }) => `${method} ${url}`),
          ...waiting,
        },
      )
    },
    down,
    up,
    stop: down,
    [Symbol.asyncDispose]: down,
  }
}

async function readRequest(incoming: IncomingMessage): Promise<SinkRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(incoming.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '')
  }
  return {
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    headers,
    body: unpacked(Buffer.concat(chunks), headers['content-encoding']).toString('utf8'),
    at: performance.now(),
  }
}

function unpacked(body: Buffer, encoding: string | undefined): Buffer {
  return encoding === 'gzip' ? gunzipSync(body) : body
}
