/** One node of the demo of several: a process of its own, with its configuration, data and ports. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { SITE_ZONE } from '../../../simulator/index.ts'
import { freeTcpPort, freeUdpPort } from './ports.ts'
import type { DemoDatabase } from './postgres.ts'

export interface NodeAddresses {
  readonly qrsPort: number
  readonly certificates: { readonly clientCert: string; readonly clientCertKey: string; readonly clientCertCA: string }
  readonly webhookPort: number
  readonly database: Pick<DemoDatabase, 'port' | 'user' | 'password' | 'database'>
}

export interface DemoNode {
  readonly name: string
  /** The address of its REST API. */
  readonly url: string
  readonly udpPort: number
  /** Resolves when it answers. */
  start(): Promise<void>
  kill(): Promise<void>
  /** Resolves when it has ended; does nothing when it has. */
  stop(): Promise<void>
  /** Its part in the cluster; null when it does not answer. */
  mode(): Promise<string | null>
}

const HOST = '127.0.0.1'
const LOOK_MS = 200
const START_MS = 30_000
const STOP_MS = 10_000
const ANSWER_MS = 1000

/** Makes `directory` with a configuration. */
export async function createDemoNode(name: string, directory: string, addresses: NodeAddresses): Promise<DemoNode> {
  const [restPort, udpPort] = [await freeTcpPort(0), await freeUdpPort()]
  const file = join(directory, 'footman.json')
  await mkdir(directory)
  const configuration = configurationOf({ name, directory, restPort, udpPort }, addresses)
  await writeFile(file, JSON.stringify({ Butler: configuration }), { mode: 0o600 })
  const url = `http://${HOST}:${restPort}`
  let child: ChildProcess | null = null
  let output = ''

  async function mode(): Promise<string | null> {
    try {
      const answer = await fetch(`${url}/v4/cluster`, { signal: AbortSignal.timeout(ANSWER_MS) })
      return answer.ok ? ((await answer.json()) as { mode: string }).mode : null
    } catch {
      return null
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child
    child = null
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    const exit = once(running, 'exit')
    running.kill(signal)
    const timer = setTimeout(() => running.kill('SIGKILL'), STOP_MS)
    await exit
    clearTimeout(timer)
  }

  return {
    name,
    url,
    udpPort,
    mode,
    async start() {
      output = ''
      const started = spawn(process.execPath, [...ownArguments(), 'run', '-c', file], {
        stdio: ['ignore', 'pipe', 'pipe'],
        cwd: directory,
        windowsHide: true,
      })
      child = started
      for (const stream of [started.stdout, started.stderr]) {
        stream?.on('data', (chunk) => {
          output = (output + chunk).slice(-2000)
        })
      }
      const deadline = performance.now() + START_MS
      while ((await mode()) === null) {
        if (started.exitCode !== null || performance.now() > deadline) {
          throw new Error(`${name} does not answer. Its last words: ${output}`)
        }
        await pause(LOOK_MS)
      }
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  }
}

/** From source, the runtime needs the name of the program. */
function ownArguments(): string[] {
  const runtime = basename(process.execPath).replace(/\.exe$/i, '')
  return ['bun', 'deno', 'node'].includes(runtime) ? [process.argv[1] ?? ''] : []
}

interface Own {
  readonly name: string
  readonly directory: string
  readonly restPort: number
  readonly udpPort: number
}

function configurationOf(own: Own, { qrsPort, certificates, webhookPort, database }: NodeAddresses) {
  const { user, password } = database
  return {
    fileLogging: false,
    cert: certificates,
    configQRS: { host: HOST, port: qrsPort, useSSL: true, rejectUnauthorized: true },
    restServerConfig: { enable: true, serverHost: HOST, serverPort: own.restPort },
    restServerEndpointsEnable: { apiListEnabledEndpoints: true, senseStartTask: true, keyValueStore: true },
    udpServerConfig: { enable: true, serverHost: HOST, portTaskFailure: own.udpPort },
    footman: {
      node: { name: own.name },
      timezone: SITE_ZONE,
      dataDirectory: join(own.directory, 'data'),
      destinations: { hook: { type: 'webhook', url: `http://${HOST}:${webhookPort}/alert` } },
      alertRoutes: [{ name: 'failures', match: { outcome: ['failed', 'aborted'] }, to: ['hook'], limit: 'none' }],
      cluster: {
        enable: true,
        hosts: [`${HOST}:${database.port}`],
        user,
        password,
        database: database.database,
        tls: { mode: 'off' },
      },
    },
  }
}
