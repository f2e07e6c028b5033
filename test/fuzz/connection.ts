/** One connection that sends bytes and reads one answer at a time. */
import { connect, type Socket } from 'node:net'

export interface FuzzAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
  /** The connection can take another request. */
  readonly open: boolean
}

export interface FuzzConnection {
  /** Null when the server hung up without an answer. Rejects after `timeoutMs`. */
  exchange(bytes: Buffer, method: string, timeoutMs: number): Promise<FuzzAnswer | null>
  close(): void
}

export function openConnection(port: number): FuzzConnection {
  let received = Buffer.alloc(0)
  let ended = false
  let wake: () => void = () => {}
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  const end = () => {
    ended = true
    wake()
  }
  socket.on('end', end)
  socket.on('close', end)
  socket.on('error', end)

  async function exchange(bytes: Buffer, method: string, timeoutMs: number): Promise<FuzzAnswer | null> {
    received = Buffer.alloc(0)
    socket.write(bytes)
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const answer = complete(received, method, ended)
      if (answer || ended) return answer
      if (performance.now() > deadline)
        throw new Error(`no answer within ${timeoutMs} ms; so far ${received.length} bytes`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - performance.now() + 1)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  // A reset leaves no port waiting, of which there are fewer than requests.
  return { exchange, close: () => void socket.resetAndDestroy() }
}

/** The answer once all of it is there; interim answers are skipped, and a stream of events is complete with its head. */
function complete(bytes: Buffer, method: string, ended: boolean): FuzzAnswer | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return null
  const head = bytes.toString('latin1', 0, end)
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? Number.NaN)
  const rest = bytes.subarray(end + 4)
  if (status < 200) return complete(rest, method, ended)
  const header = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(head)?.[1]?.trim().toLowerCase()
  const open = header('connection') !== 'close'
  const streams = header('content-type')?.startsWith('text/event-stream') ?? false
  if (method === 'HEAD' || status === 204 || status === 304) return { status, head, body: '', open }
  if (streams) return { status, head, body: '', open: false }
  const body = rest.toString('utf8')
  if (header('transfer-encoding') === 'chunked') return body.endsWith('0\r\n\r\n') ? { status, head, body, open } : null
  const length = header('content-length')
  if (length === undefined) return ended ? { status, head, body, open: false } : null
  return rest.length >= Number(length) ? { status, head, body, open } : null
}
