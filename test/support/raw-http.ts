/** HTTP as bytes over a socket, for what an HTTP client would tidy up. */
import { connect } from 'node:net'
import { within } from './wait.ts'

export interface RawAnswer {
  /** `HTTP/1.1 200 OK`; interim answers (100 Continue) are in `interim`. */
  readonly statusLine: string
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly interim: readonly string[]
}

export interface RawRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent with Content-Length. */
  readonly body?: string | Uint8Array
  /** Sent in chunks instead. */
  readonly chunks?: readonly string[]
  /** `1.1` by default. */
  readonly version?: '1.0' | '1.1'
}

/** Sends one request on a connection of its own and reads until the server closes it. */
export function rawHttp(port: number, request: RawRequest): Promise<RawAnswer> {
  return rawBytes(port, bytesOf(request))
}

/** The same for hand-written bytes, which must contain `Connection: close`. */
export async function rawBytes(port: number, sent: string | Buffer): Promise<RawAnswer> {
  return parse(await within(exchange(port, sent), 10_000, `an answer to ${sent.toString().split('\r\n')[0]}`))
}

function bytesOf({ method = 'GET', path, headers = {}, body, chunks, version = '1.1' }: RawRequest): Buffer {
  const host = Object.keys(headers).some((name) => name.toLowerCase() === 'host') ? [] : ['Host: 127.0.0.1']
  const lines = [`${method} ${path} HTTP/${version}`, ...host, 'Connection: close']
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  if (chunks) lines.push('Transfer-Encoding: chunked')
  const coded = chunks?.map((one) => `${Buffer.byteLength(one).toString(16)}\r\n${one}\r\n`).join('')
  const content = Buffer.from(body ?? (coded === undefined ? '' : `${coded}0\r\n\r\n`))
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), content])
}

function exchange(port: number, sent: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(sent))
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
    socket.on('error', reject)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
}

function parse(text: string): RawAnswer {
  const interim: string[] = []
  let rest = text
  while (/^HTTP\/1\.1 1\d\d /.test(rest)) {
    const end = rest.indexOf('\r\n\r\n')
    interim.push(rest.slice(0, end))
    rest = rest.slice(end + 4)
  }
  const end = rest.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const coded = rest.slice(end + 4)
  const body = headers['transfer-encoding'] === 'chunked' ? joined(Buffer.from(coded)) : coded
  return { statusLine, status: Number(statusLine.split(' ')[1]), headers, body, interim }
}

/** The content of chunks: each has its size in hexadecimal digits on a line before it, and the last has no content. */
function joined(coded: Buffer): string {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const line = coded.indexOf('\r\n', at)
    const size = line < 0 ? 0 : Number.parseInt(coded.toString('latin1', at, line), 16)
    if (!size) return Buffer.concat(parts).toString('utf8')
    parts.push(coded.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}

/**
 * A request as careful clients send it (.NET, and with it the Qlik REST connector): the head, and the body only after
 * `100 Continue`. The head must contain `Expect: 100-continue` and `Connection: close`.
 */
export async function rawContinue(port: number, head: string, body: string): Promise<RawAnswer> {
  const exchanged = new Promise<string>((resolve, reject) => {
    let text = ''
    let sent = false
    const socket = connect(port, '127.0.0.1', () => socket.write(head))
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (sent || !/^HTTP\/1\.1 100 [\s\S]*?\r\n\r\n/.test(text)) return
      sent = true
      socket.write(body)
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
  return parse(await within(exchanged, 10_000, `an answer to ${head.split('\r\n')[0]}`))
}
