/** Where and how the three generations of InfluxDB are asked: address, login, time limit, TLS, and what they answer. */
import { isIPv6 } from 'node:net'
import { nodeZlib } from '../../platform/builtins.ts'
import { type HttpClient, type HttpResponse, jsonOf } from '../../platform/http-client.ts'
import { VERSION } from '../../platform/version.ts'
import type { FootmanInfluxDbConfig, InfluxDbConfig } from '../config.ts'

export type TargetConfig = Pick<
  InfluxDbConfig,
  'hostIP' | 'hostPort' | 'version' | 'v1Config' | 'v2Config' | 'v3Config'
> & { readonly tls: FootmanInfluxDbConfig['tls'] }

export interface InfluxTarget {
  /** `http://influx:8086`, with the path that the configuration names, without a slash at its end. */
  readonly base: string
  /** With the query string. */
  readonly writePath: string
  /** Those that log in. */
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** For log lines and lists of deliveries. */
  readonly name: string
  /** Secrets that must not be logged. */
  readonly secrets: readonly string[]
}

type Generation = Omit<InfluxTarget, 'base' | 'secrets'> & { readonly secrets?: readonly string[] }

const GENERATIONS: { readonly [version in 1 | 2 | 3]: (config: TargetConfig) => Generation } = {
  1: ({ v1Config: { auth, dbName } }) => ({
    name: `database ${dbName}`,
    writePath: `/write?${query({ db: dbName, precision: 'n' })}`,
    headers: auth.enable ? authorization(`Basic ${basic(auth)}`) : {},
    timeoutMs: 30_000,
    secrets: auth.enable ? [auth.password, basic(auth)] : [],
  }),
  2: ({ v2Config: { org, bucket, token } }) => ({
    name: `bucket ${bucket} of ${org}`,
    writePath: `/api/v2/write?${query({ org, bucket, precision: 'ns' })}`,
    headers: authorization(`Token ${token}`),
    timeoutMs: 10_000,
    secrets: [token],
  }),
  3: ({ v3Config: { database, token, writeTimeout } }) => ({
    name: `database ${database}`,
    writePath: `/api/v2/write?${query({ bucket: database, precision: 'ns' })}`,
    headers: authorization(`Token ${token}`),
    timeoutMs: writeTimeout,
    secrets: [token],
  }),
}

export function targetOf(config: TargetConfig): InfluxTarget {
  return { secrets: [], ...GENERATIONS[config.version](config), base: baseOf(config) }
}

/** A port in the address wins over `hostPort`; a scheme in it over `tls.enable`. */
function baseOf({ hostIP, hostPort, tls }: TargetConfig): string {
  const hasScheme = /^https?:\/\//.test(hostIP)
  const [, scheme, rest = ''] = /^(https?):\/\/(.*)$/.exec(hostIP) ?? ['', tls.enable ? 'https' : 'http', hostIP]
  const bracketed = !hasScheme && isIPv6(rest) ? `[${rest}]` : rest
  const [authority = '', ...path] = bracketed.replace(/\/+$/, '').split('/')
  const hasPort = /:\d+$/.test(authority)
  return [`${scheme}://${authority}${hasPort ? '' : `:${hostPort}`}`, ...path].join('/')
}

/** Blanks as `%20`, which every generation reads alike. */
export function query(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return Buffer.from(`${username}:${password}`).toString('base64')
}

function authorization(value: string): Record<string, string> {
  return { Authorization: value }
}

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
        ...(body !== undefined && { body: zipped ? nodeZlib().gzipSync(body, { level: 1 }) : body }),
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

const WORDS_KEPT = 300

/** The server's words: `{"error"}` of versions 1 and 3, `{"message"}` of version 2, with the reason of a single line. */
export function createExplanation(secrets: readonly string[]): (response: HttpResponse) => string {
  const hidden = secrets.filter((secret) => secret !== '')
  return (response) => {
    const { error, message, data } = jsonOf(response)
    const lines = Array.isArray(data) ? data.map((line: { error_message?: unknown }) => line?.error_message) : []
    const words = [error, message, ...lines].filter((word) => typeof word === 'string' && word !== '').join(': ')
    return hidden.reduce((text, secret) => text.replaceAll(secret, '***'), words).slice(0, WORDS_KEPT)
  }
}
