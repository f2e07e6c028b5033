/** The console over full data, in this process: the demo with its night, and the same data with features switched off. */
import { join } from 'node:path'
import { type App, createApp } from '../../src/app/app.ts'
import { butler } from '../../src/app/schema.ts'
import { createWorld, type World } from '../../src/cli/demo/world.ts'
import { createPathResolver } from '../../src/config/paths.ts'
import { type Visitor, visitor } from './console.ts'
import { freeTcpPort } from './ports.ts'
import { recordingLog } from './recording-log.ts'
import { repositoryRoot } from './source.ts'
import { tempDirectory } from './temp.ts'
import { until } from './wait.ts'

export interface Scene extends AsyncDisposable {
  readonly who: Visitor
  readonly url: string
  /** JSON of an endpoint. */
  get<T>(path: string): Promise<T>
  /**
   * Stops the demo, and opens its data with a configuration that has nothing switched on but the REST API and what `config`
   * names, without Qlik Sense.
   */
  switchOff(config?: object): Promise<void>
}

/** Worker threads are started with the program's own file, which is not the one that runs the tests. */
process.argv[1] = join(repositoryRoot, 'src/main.ts')

const NOTHING = () => undefined

/** The demo, when its failures are alerted and its reports have run. */
export async function consoleScene(): Promise<Scene> {
  const directory = tempDirectory()
  const log = recordingLog()
  const port = await freeTcpPort()
  const url = `http://127.0.0.1:${port}`
  const observers = { onEvent: NOTHING, onDelivery: NOTHING, onMail: NOTHING, onReport: NOTHING }
  let running: World | App = createWorld({ log, ...observers }, { directory: directory.path, port })
  await running.start()
  running.play()
  const get: Scene['get'] = async (path) => {
    const answer = await fetch(url + path)
    if (!answer.ok) throw new Error(`${path}: ${answer.status}: ${await answer.text()}`)
    return answer.json()
  }
  await until(
    async () => {
      const [{ deliveries }, { runs }] = await Promise.all([
        get<{ deliveries: readonly { destination: string }[] }>('/v4/deliveries'),
        get<{ runs: readonly unknown[] }>('/v4/reportrun').catch(() => ({ runs: [] })),
      ])
      return deliveries.length > 0 && runs.length > 0
    },
    { timeout: 60_000 },
  )
  return {
    who: visitor(url),
    url,
    get,
    async switchOff(config = {}) {
      await running.stop(1000)
      const settings = butler.parse({
        fileLogging: false,
        restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: port },
        ...config,
      })
      running = createApp(
        { log, paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }) },
        {
          config: settings,
          dataDirectory: directory.join('data'),
          ...{ qrsConnection: false, shadow: false, degraded: false, apiRateLimit: null },
        },
      )
      await running.start()
    },
    async [Symbol.asyncDispose]() {
      await running.stop(500)
      directory.remove()
    },
  }
}
