/** Requests to InfluxDB: address, login, time limit, TLS. */
import { gzipSync } from 'node:zlib'
import type { HttpClient, HttpResponse } from '../../platform/http-client.ts'
import { VERSION } from '../../platform/version.ts'
import type { InfluxTarget } from './target.ts'

/** The client, or why there is none. */
export interface ClientSource {
  client(): Promise<HttpClient | { readonly problem: string }>
  close(): void
}

export interface InfluxRequest {
  readonly method: 'GET' | 'POST'
  /** With the query string. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface InfluxConnection {
  readonly target: InfluxTarget
  /** Rejects with an `HttpError` when there is no answer, with another error when there can be none with these settings. */
  request(request: InfluxRequest): Promise<HttpResponse>
  close(): void
}

/** Shorter bodies are sent as they are. */
const GZIP_FROM = 1000
const MAX_ANSWER_BYTES = 1024 * 1024

export function createConnection(clients: ClientSource, target: InfluxTarget): InfluxConnection {
  return {
    target,
    async request({ method, path, headers, body, signal }) {
      const client = await clients.client()
      if ('problem' in client) throw new Error(client.problem)
      const zipped = body !== undefined && body.length >= GZIP_FROM
      return client.request({
        method,
        url: `${target.base}${path}`,
        headers: {
          'User-Agent': `Footman/${VERSION}`,
          ...(zipped && { 'Content-Encoding': 'gzip' }),
          ...target.headers,
          ...headers,
        },
        ...(body !== undefined && { body: zipped ? gzipSync(body, { level: 1 }) : body }),
        timeoutMs: target.timeoutMs,
        ...(signal && { signal }),
        maxBodyBytes: MAX_ANSWER_BYTES,
        // A point may be written twice: connections are kept.
        retry: { attempts: 1, firstMs: 0, maxMs: 0 },
      })
    },
    close: clients.close,
  }
}
