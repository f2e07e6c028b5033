/** One node of a cluster: a process with its own configuration, data, ports and way to the database. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { firstPing, udpOpen } from '../../bench/target.ts'
import { type Running, runBinary } from '../binary.ts'
import type { Host } from '../host.ts'
import { freeTcpPort, freeUdpPort } from '../ports.ts'
import { ROLE } from '../postgres.ts'
import { atMost, until } from '../wait.ts'
import { type DatabaseProxy, startDatabaseProxy } from './database-proxy.ts'
import { acceptedBy } from './ledger.ts'
import { shiftedClock } from './shifted-clock.ts'

export interface ClusterNode extends AsyncDisposable {
  readonly name: string
  readonly restPort: number
  readonly udpPort: number
  /** One for each database server, in the order of the configuration. */
  readonly ways: readonly DatabaseProxy[]
  /** The process that runs now or ran last. */
  readonly process: Running
  readonly isRunning: boolean
  /** Resolves when REST answers and datagrams are taken. */
  start(): Promise<void>
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  freeze(): void
  thaw(): void
  /** The monotonic clock of its main thread stands still, or runs on from there. */
  holdClock(): void
  releaseClock(): void
  /** Its network to every database: see `DatabaseProxy`. */
  silence(): void
  cut(): Promise<void>
  heal(): Promise<void>
  deleteData(): void
  /** Executions in its journal. */
  accepted(): Set<number>
  /** A call to its REST API. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  /** A file of its data. */
  file(name: string): string
  /** Rows of its `footman.db`, read beside the process. */
  rows<T>(sql: string): T[]
  /** The executable of the next start; undefined = the compiled one. */
  runOn(host: Host | undefined): void
  /** Changes its configuration for the next start. */
  configure(change: (butler: Tree) => Tree): void
  /** All lines of all its processes. */
  readonly lines: string[]
}

const START_POLL_MS = 20
/** A start on a machine that does nothing else takes far less. */
const START_MS = 20_000

export type Tree = { readonly [key: string]: unknown }

export interface NodeSettings {
  readonly name: string
  /** Folder of configuration and data. */
  readonly directory: string
  /** Ports of the database servers. */
  readonly databases: readonly number[]
  /** PEM file of their authority. */
  readonly ca: string
  /** Below `Butler`, without ports, data and cluster. */
  readonly butler: Tree
  /** Below `Butler.footman.cluster`. */
  readonly cluster?: Tree
  /** Absent = the compiled executable. */
  readonly host?: Host
  /** The wall clock of this node is ahead by so many seconds. */
  readonly clockShift?: number
  /** `holdClock` works. */
  readonly clockCanStop?: boolean
}

export async function clusterNode(settings: NodeSettings): Promise<ClusterNode> {
  const { name, directory } = settings
  const [restPort, udpPort] = [await freeTcpPort(), await freeUdpPort()]
  const ways = await Promise.all(settings.databases.map(startDatabaseProxy))
  const file = join(directory, 'butler.yaml')
  const data = join(directory, 'data')
  mkdirSync(directory, { recursive: true })
  const standstill = join(directory, 'clock-stands-still')
  const clock = shiftedClock(settings.clockShift ?? 0, settings.clockCanStop ? standstill : undefined)
  let { host } = settings
  const lines: string[] = []
  let butler = configuration(settings, { restPort, udpPort, data, hosts: ways.map(({ port }) => `127.0.0.1:${port}`) })
  let running: Running | null = null
  let hasEnded = true

  const process = (): Running => {
    if (!running) throw new Error(`node ${name} was not started`)
    return running
  }

  async function start(): Promise<void> {
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ Butler: butler }, null, 2))
    const env = { FOOTMAN_CHECK_ANSWERS: '1', ...host?.env, ...clock }
    const args = [...(host?.args ?? []), 'run', '-c', file]
    const started = runBinary(args, { cwd: directory, env, command: host?.command })
    running = started
    hasEnded = false
    const ended = started.ended.then(({ code, signal }) => {
      lines.push(...started.stdout, ...started.stderr)
      if (running === started) hasEnded = true
      return { code, signal }
    })
    const failed = ended.then(({ code, signal }): never => {
      throw new Error(
        `node ${name} ended at start (${signal ?? code}):\n${[...started.stdout, ...started.stderr].slice(-30).join('\n')}`,
      )
    })
    failed.catch(() => undefined)
    await Promise.race([Promise.all([firstPing(restPort, START_POLL_MS, atMost(START_MS)), udpOpen(udpPort)]), failed])
  }

  const kill = async (): Promise<void> => running?.kill9()

  return {
    name,
    restPort,
    udpPort,
    ways,
    start,
    kill,
    get process() {
      return process()
    },
    get isRunning() {
      return !hasEnded
    },
    get lines() {
      return [...lines, ...(hasEnded ? [] : [...process().stdout, ...process().stderr])]
    },
    stop: () => process().stop(30_000),
    freeze: () => process().signal('SIGSTOP'),
    thaw: () => process().signal('SIGCONT'),
    holdClock: () => writeFileSync(standstill, ''),
    releaseClock: () => rmSync(standstill, { force: true }),
    silence() {
      for (const way of ways) way.silence()
    },
    cut: async () => void (await Promise.all(ways.map((way) => way.cut()))),
    heal: async () => void (await Promise.all(ways.map((way) => way.heal()))),
    deleteData: () => rmSync(data, { recursive: true, force: true }),
    accepted: () => acceptedBy(join(data, 'journal.db')),
    call(method, path, body, headers = {}) {
      const request: BunFetchRequestInit = {
        method,
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        // Sockets of a process that was killed are no use to the next one.
        keepalive: false,
      }
      return fetch(`http://127.0.0.1:${restPort}${path}`, request)
    },
    file: (name) => join(data, name),
    rows<T>(sql: string) {
      const db = new DatabaseSync(join(data, 'footman.db'), { readOnly: true })
      try {
        return db.prepare(sql).all() as T[]
      } finally {
        db.close()
      }
    },
    runOn(next) {
      host = next
    },
    configure(change) {
      butler = change(butler)
    },
    async [Symbol.asyncDispose]() {
      // A process that stands still is killed as well.
      await kill()
      await until(() => hasEnded || !running, { what: `node ${name} to be gone` })
      await Promise.all(ways.map((way) => way[Symbol.asyncDispose]()))
    },
  }
}

/** Mode of a node by its own word; null when it does not answer. */
export async function modeOf(node: ClusterNode): Promise<string | null> {
  if (!node.isRunning) return null
  try {
    const url = `http://127.0.0.1:${node.restPort}/v4/cluster`
    const answer = await fetch(url, { signal: AbortSignal.timeout(1000), keepalive: false })
    return answer.ok ? ((await answer.json()) as { mode: string }).mode : null
  } catch {
    return null
  }
}

interface Places {
  readonly restPort: number
  readonly udpPort: number
  readonly data: string
  readonly hosts: readonly string[]
}

function configuration({ name, ca, butler, cluster = {} }: NodeSettings, places: Places): Tree {
  const { restPort, udpPort, data, hosts } = places
  const footman = (butler.footman ?? {}) as Tree
  return {
    ...butler,
    udpServerConfig: {
      enable: true,
      serverHost: '127.0.0.1',
      portTaskFailure: udpPort,
      ...(butler.udpServerConfig as Tree),
    },
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort },
    footman: {
      ...footman,
      node: { name },
      dataDirectory: data,
      cluster: { enable: true, hosts, password: ROLE.password, tls: { ca }, ...cluster },
    },
  }
}
