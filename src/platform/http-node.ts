/** Between the requests and responses of `node:http` and the standard ones. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Null when the request line or the Host header makes no URL. The signal aborts when the caller hangs up. */
export function toRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | null {
  const { method = 'GET', url = '', headers } = incoming
  const absolute = `https://${headers.host ?? 'localhost'}${url}`
  if (!url.startsWith('/') || !URL.canParse(absolute)) return null
  const hangUp = new AbortController()
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) hangUp.abort()
  })
  const hasBody = method !== 'GET' && method !== 'HEAD' && (headers['content-length'] ?? '0') !== '0'
  const chunked = headers['transfer-encoding'] !== undefined && method !== 'GET' && method !== 'HEAD'
  const body = hasBody || chunked ? Readable.toWeb(incoming) : null
  return new Request(absolute, {
    method,
    headers: headersOf(incoming),
    signal: hangUp.signal,
    ...(body && { body, duplex: 'half' }),
  } as RequestInit)
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  return headers
}

/** Sends status, headers and body; what is there at once gets a length, the rest is sent as it grows. */
export async function sendResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.statusCode = response.status
  response.headers.forEach((value, name) => {
    outgoing.setHeader(name, value)
  })
  if (!response.body) return void outgoing.end()
  const reader = response.body.getReader()
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) reader.cancel().catch(() => {})
  })
  const first = await reader.read()
  if (first.done) return void outgoing.end()
  const second = reader.read()
  const soon = await Promise.race([second, nextTurn(null)])
  if (soon?.done) {
    outgoing.setHeader('content-length', first.value.length)
    return void outgoing.end(first.value)
  }
  await write(outgoing, first.value)
  for (let next = await second; !next.done; next = await reader.read()) await write(outgoing, next.value)
  outgoing.end()
}

/** Waits while the peer takes no more; resolves, too, when it is gone. */
async function write(outgoing: ServerResponse, chunk: Uint8Array): Promise<void> {
  if (outgoing.write(chunk) || outgoing.destroyed) return
  await new Promise<void>((resolve) => {
    const done = () => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.on('drain', done)
    outgoing.on('close', done)
  })
}
