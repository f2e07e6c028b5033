/** A real InfluxDB 1 and a real VictoriaMetrics on free loopback ports. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freeTcpPort } from './ports.ts'
import { type ServerProcess, serverProcess } from './server-process.ts'

export interface Influxd extends ServerProcess {
  readonly port: number
  /** Rows of an InfluxQL query as objects, tags of the series included; times in nanoseconds, as texts. */
  rows(query: string, database?: string): Promise<Record<string, unknown>[]>
  /** The answer as it came. */
  query(query: string, database?: string): Promise<InfluxQlAnswer>
}

export interface InfluxQlAnswer {
  readonly results: readonly {
    readonly error?: string
    readonly series?: readonly {
      readonly name: string
      readonly tags?: Readonly<Record<string, string>>
      readonly columns: readonly string[]
      readonly values: readonly (readonly unknown[])[]
    }[]
  }[]
}

const USER = 'butler'
const PASSWORD = 's3cret-influx'
const LOGIN = { username: USER, password: PASSWORD }

export async function startInfluxd(
  settings: { readonly auth?: boolean } = {},
): Promise<Influxd & { login: typeof LOGIN }> {
  const [port, rpc] = [await freeTcpPort(), await freeTcpPort()]
  const config = (directory: string) => `
reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${directory}/meta"
[data]
  dir = "${directory}/data"
  wal-dir = "${directory}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:${port}"
  auth-enabled = ${settings.auth ?? false}
  log-enabled = false
`
  const server = await serverProcess({
    name: 'influxd',
    async args(directory) {
      const file = join(directory, 'influxdb.conf')
      await writeFile(file, config(directory))
      return ['run', '-config', file]
    },
    ready: `http://127.0.0.1:${port}/ping`,
  })

  async function query(q: string, database = 'butler'): Promise<InfluxQlAnswer> {
    const login: Record<string, string> = settings.auth ? { u: USER, p: PASSWORD } : {}
    const parameters = new URLSearchParams({ q, db: database, epoch: 'ns', ...login })
    const response = await fetch(`http://127.0.0.1:${port}/query`, { method: 'POST', body: parameters })
    // Nanoseconds do not fit into a JSON number.
    return JSON.parse((await response.text()).replace(/\[(\d{16,})/g, '["$1"')) as InfluxQlAnswer
  }

  if (settings.auth) await query(`CREATE USER "${USER}" WITH PASSWORD '${PASSWORD}' WITH ALL PRIVILEGES`)
  return {
    ...server,
    port,
    login: LOGIN,
    query,
    async rows(q, database) {
      const { results } = await query(q, database)
      const error = results.find((result) => result.error)?.error
      if (error) throw new Error(error)
      return results.flatMap(({ series = [] }) =>
        series.flatMap(({ tags, columns, values }) =>
          values.map((row) => ({ ...tags, ...Object.fromEntries(columns.map((name, index) => [name, row[index]])) })),
        ),
      )
    },
  }
}

export interface VictoriaMetrics extends ServerProcess {
  readonly port: number
  /** Every series with its values, like `{__name__: 'm_f', db: 'x'}`. */
  series(
    match: string,
  ): Promise<{ readonly metric: Record<string, string>; readonly values: number[]; readonly timestamps: number[] }[]>
}

export async function startVictoriaMetrics(): Promise<VictoriaMetrics> {
  const port = await freeTcpPort()
  const server = await serverProcess({
    name: 'victoria-metrics',
    args: (directory) => [
      `-httpListenAddr=127.0.0.1:${port}`,
      `-storageDataPath=${directory}`,
      '-retentionPeriod=100y',
      '-memory.allowedBytes=67108864',
    ],
    ready: `http://127.0.0.1:${port}/health`,
  })
  return {
    ...server,
    port,
    async series(match) {
      // Queries do not see the latest points before a flush.
      await fetch(`http://127.0.0.1:${port}/internal/force_flush`)
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/export?match[]=${encodeURIComponent(match)}`)
      const lines = (await response.text()).split('\n').filter((line) => line !== '')
      return lines.map((line) => JSON.parse(line))
    },
  }
}
