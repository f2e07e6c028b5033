/** A double of InfluxDB 2 and 3: accepts only requests that their documentation describes. */

import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

export interface DoubleSettings {
  readonly version: 2 | 3
  readonly token: string
  /** Whether the token may also list and make buckets or databases. */
  readonly mayManage?: boolean
  readonly org?: string
  /** Buckets or databases that are there. */
  readonly buckets?: readonly string[]
  /** The reason to refuse a line; null = accepted. */
  readonly refuses?: (line: string) => string | null
  /** Answers to the next writes, sent without reading their lines. */
  readonly answers?: { status: number; headers?: Record<string, string>; body?: string }[]
}

export interface MadeBucket {
  readonly name: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface InfluxDouble extends AsyncDisposable {
  readonly port: number
  /** Lines that were taken, in order. */
  readonly lines: string[]
  readonly made: MadeBucket[]
  /** `POST /api/v2/write?...` */
  readonly requests: string[]
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface Request {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

const LINE = /^(?:\\.|[^, \\])+(?:,(?:\\.|[^=, \\])+=(?:\\[^\\]|[^,= ])+)* .+ \d{19}$/s

export async function influxDouble(settings: DoubleSettings): Promise<InfluxDouble> {
  const { version, token, mayManage = true, org = 'my org', refuses = () => null, answers = [] } = settings
  const buckets = new Set(settings.buckets)
  const lines: string[] = []
  const made: MadeBucket[] = []
  const requests: string[] = []

  function handle(request: Request): Answer {
    const path = `${request.method} ${request.url.pathname}`
    const action = ROUTES[path]
    if (!action) return error(404, 'not found', 'path not found')
    return action(request)
  }

  const ROUTES: Record<string, (request: Request) => Answer> = {
    'POST /api/v2/write': write,
    ...(version === 2 && { 'GET /api/v2/buckets': find, 'GET /api/v2/orgs': orgs, 'POST /api/v2/buckets': make }),
    ...(version === 3 && { 'POST /api/v3/configure/database': configure, 'GET /api/v3/configure/database': list }),
  }

  function write({ url, headers, body }: Request): Answer {
    const early = answers.shift()
    if (early) return early
    if (headers.authorization !== `Token ${token}`) return error(401, 'unauthorized', 'unauthorized access')
    const expected = version === 2 ? ['org', 'bucket', 'precision'] : ['bucket', 'precision']
    if ([...url.searchParams.keys()].join() !== expected.join())
      return error(400, 'invalid', `parameters ${url.search}`)
    if (url.searchParams.get('precision') !== 'ns') return error(400, 'invalid', 'precision')
    if (headers['content-type'] !== 'text/plain; charset=utf-8') return error(415, 'invalid', 'content type')
    if (version === 2 && url.searchParams.get('org') !== org)
      return error(404, 'not found', 'organization name not found')
    const bucket = url.searchParams.get('bucket') ?? ''
    if (!buckets.has(bucket) && version === 2) return error(404, 'not found', `bucket "${bucket}" not found`)
    buckets.add(bucket)
    const sent = linesOf(body)
    const problems = sent.map((line) => (LINE.test(line) ? refuses(line) : `unable to parse '${line}'`))
    // A refused line does not keep the others out.
    lines.push(...sent.filter((_, index) => problems[index] === null))
    const first = problems.findIndex((problem) => problem !== null)
    if (first < 0) return { status: 204 }
    if (version === 2) return error(400, 'invalid', `partial write: ${problems[first]} dropped=1`)
    const data = [{ original_line: sent[first], line_number: first + 1, error_message: problems[first] }]
    return { status: 400, body: { error: 'partial write of line protocol occurred', data } }
  }

  const refusal = ({ headers }: Request, scheme: string): Answer | null => {
    if (headers.authorization !== `${scheme} ${token}`) return error(401, 'unauthorized', 'unauthorized access')
    return mayManage ? null : error(403, 'forbidden', 'insufficient permissions')
  }

  function find(request: Request): Answer {
    const name = request.url.searchParams.get('name')
    const found = [...buckets].filter((bucket) => bucket === name).map((bucket) => ({ id: 'b', name: bucket }))
    return refusal(request, 'Token') ?? { status: 200, body: { buckets: found } }
  }

  function orgs(request: Request): Answer {
    if (request.url.searchParams.get('org') !== org) return error(404, 'not found', 'organization name not found')
    return refusal(request, 'Token') ?? { status: 200, body: { orgs: [{ id: '0123456789abcdef', name: org }] } }
  }

  function make(request: Request): Answer {
    const refused = refusal(request, 'Token')
    if (refused) return refused
    const body = JSON.parse(request.body) as Record<string, unknown>
    if (body.orgID !== '0123456789abcdef') return error(400, 'invalid', 'orgID')
    if (buckets.has(String(body.name))) return error(422, 'conflict', `bucket with name ${body.name} already exists`)
    return remember(body, String(body.name), 201)
  }

  function list(request: Request): Answer {
    const rows = [...buckets].map((name) => ({ 'iox::database': name }))
    return refusal(request, 'Bearer') ?? { status: 200, body: rows }
  }

  function configure(request: Request): Answer {
    const refused = refusal(request, 'Bearer')
    if (refused) return refused
    const body = JSON.parse(request.body) as Record<string, unknown>
    if (buckets.has(String(body.db)))
      return { status: 409, body: { error: 'attempted to create a resource that already exists' } }
    return remember(body, String(body.db), 200)
  }

  function remember(body: MadeBucket['body'], name: string, status: number): Answer {
    buckets.add(name)
    made.push({ name, body })
    return { status, body }
  }

  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const raw = Buffer.concat(chunks)
    const body = (incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw).toString('utf8')
    requests.push(`${incoming.method} ${incoming.url}`)
    const url = new URL(incoming.url ?? '', 'http://double')
    const answer = handle({ method: incoming.method ?? '', url, headers: incoming.headers, body })
    response.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers })
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    lines,
    made,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function error(status: number, code: string, message: string): Answer {
  return { status, body: { code, message } }
}

/** Line breaks inside texts do not end a line. */
export function linesOf(body: string): string[] {
  const lines: string[] = []
  let start = 0
  let quoted = false
  for (let at = 0; at < body.length; at++) {
    if (body[at] === '\\') at++
    else if (body[at] === '"') quoted = !quoted
    else if (body[at] === '\n' && !quoted) {
      lines.push(body.slice(start, at))
      start = at + 1
    }
  }
  return [...lines, body.slice(start)].filter((line) => line !== '')
}
