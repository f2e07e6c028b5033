/** The console over full data: the demo of the compiled executable with its night, and the same data with features switched off. */
import { readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { runBinary } from './binary.ts'
import { type Visitor, visitor } from './console.ts'
import { freeTcpPort } from './ports.ts'
import { tempDirectory } from './temp.ts'
import { until } from './wait.ts'

export interface Scene extends AsyncDisposable {
  readonly who: Visitor
  readonly url: string
  /** JSON of an endpoint. */
  get<T>(path: string): Promise<T>
  /** Ends the demo, and opens its data with a configuration that has nothing switched on but the REST API, without Qlik Sense. */
  switchOff(): Promise<void>
}

const READY = { timeout: 60_000 }

/** The demo, when its failures are alerted and its reports have run. */
export async function consoleScene(): Promise<Scene> {
  const directory = tempDirectory()
  const port = await freeTcpPort()
  const url = `http://127.0.0.1:${port}`
  const env = { TMPDIR: directory.path, TEMP: directory.path, TMP: directory.path }
  let running = runBinary(['demo', '--port', String(port)], { cwd: directory.path, env })
  const get: Scene['get'] = async (path) => {
    const answer = await fetch(url + path)
    if (!answer.ok) throw new Error(`${path}: ${answer.status}: ${await answer.text()}`)
    return answer.json()
  }
  await until(async () => {
    const { deliveries } = await get<{ deliveries: readonly unknown[] }>('/v4/deliveries')
    const { runs } = await get<{ runs: readonly unknown[] }>('/v4/reportrun')
    return deliveries.length > 0 && runs.length > 0
  }, READY)
  return {
    who: visitor(url),
    url,
    get,
    async switchOff() {
      // A killed demo leaves its data.
      await running.kill9()
      const files = readdirSync(directory.path, { recursive: true, encoding: 'utf8' })
      const database = files.find((file) => /(^|[\\/])footman\.db$/.test(file))!
      const restServerConfig = { enable: true, serverHost: '127.0.0.1', serverPort: port }
      const footman = { dataDirectory: dirname(directory.join(database)) }
      // JSON is YAML.
      const file = directory.join('off.yaml')
      writeFileSync(file, JSON.stringify({ Butler: { fileLogging: false, restServerConfig, footman } }))
      running = runBinary(['-c', file, '--no-qs-connection'], { cwd: directory.path, env })
      await running.waitForLine(/REST server listening on/, 30_000)
    },
    async [Symbol.asyncDispose]() {
      await running.kill9()
      directory.remove()
    },
  }
}
