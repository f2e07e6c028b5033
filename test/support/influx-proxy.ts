/** Stands before InfluxDB and records which lines it has accepted. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { linesOf } from './influx-double.ts'

export interface InfluxProxy {
  readonly port: number
  /** Lines for which the server has said 204, in order, repeated ones too. */
  readonly accepted: readonly string[]
  /** Writes that did not come to that. */
  readonly failed: number
  stop(): Promise<void>
}

/** Connections are reset while the server behind is away. */
export async function startInfluxProxy(upstreamPort: number): Promise<InfluxProxy> {
  const accepted: string[] = []
  let failed = 0
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const isWrite = incoming.url?.startsWith('/write') ?? false
    const target = { host: '127.0.0.1', port: upstreamPort, path: incoming.url, agent: false as const }
    const headers = { ...incoming.headers, 'content-length': String(body.length), connection: 'close' }
    let answered = false
    const passed = request({ ...target, method: incoming.method, headers }, (answer) => {
      const status = answer.statusCode ?? 0
      answered = true
      if (isWrite && status === 204) accepted.push(...linesOf(text(body, incoming.headers['content-encoding'])))
      else if (isWrite) failed++
      response.writeHead(status, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => {
      // A server that is killed right after its answer has answered.
      if (answered) return
      if (isWrite) failed++
      incoming.socket.destroy()
    })
    passed.end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    accepted,
    get failed() {
      return failed
    },
    async stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function text(body: Buffer, encoding: string | undefined): string {
  return (encoding === 'gzip' ? gunzipSync(body) : body).toString('utf8')
}
