/** Where and how the three generations of InfluxDB take points. */
import { isIPv6 } from 'node:net'
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
  /** What must never be seen. */
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
