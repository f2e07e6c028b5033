/** A real PostgreSQL on a free loopback port, with role, database and schemas of Footman. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import pg from 'pg'
import type { CertificatePair } from './certificates.ts'
import { freeTcpPort } from './ports.ts'
import {
  asOwner,
  copyData,
  copyTemplate,
  giveToOwner,
  postgresPrograms,
  ROLE,
  runProgram,
  SUPERUSER,
  serverDirectory,
} from './postgres-files.ts'
import { program } from './servers.ts'
import { serverCertificate } from './site-certificates.ts'
import { until, within } from './wait.ts'

export { postgresPrograms, ROLE, SUPERUSER }

export interface PostgresOptions {
  /** Default: that of the simulated site. */
  readonly certificate?: CertificatePair
  /** Default true; false = a server that knows no TLS. */
  readonly tls?: boolean
  /** A copy of this server that follows it (asynchronously) until `promote`. */
  readonly standbyOf?: Postgres
  /** Further settings of the server, like `{max_connections: '20'}`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Postgres extends AsyncDisposable {
  readonly port: number
  /** PEM file of the authority that has signed the certificate. */
  readonly ca: string
  /** Data directory. */
  readonly data: string
  /** Its output so far. */
  log(): string
  /** Rows of a statement by the superuser, in the database of Footman unless another is named. */
  sql<Row = Record<string, unknown>>(text: string, parameters?: readonly unknown[], database?: string): Promise<Row[]>
  /** All its processes stand still: connections stay open and silent. */
  pause(): void
  resume(): void
  /** Kills all its processes at once. */
  kill(): Promise<void>
  /** After `kill`; resolves when it answers. */
  start(): Promise<void>
  /** `fast` ends transactions and writes everything down; `immediate` recovers from the log at its start. */
  restart(mode: 'fast' | 'immediate'): Promise<void>
  /** A copy of its data as of now, with a short stop; the path of the copy. */
  backup(): Promise<string>
  /** Puts a backup in the place of its data, and starts with it. */
  restore(backup: string): Promise<void>
  /** The standby takes over; resolves when it takes writes. */
  promote(): Promise<void>
  /** Standbys get nothing from now on, although their connections stay open. */
  holdBackStandbys(): Promise<void>
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

const START_MS = 30_000
/** Characters. */
const LOG_KEPT = 200_000

/** Only the process is ever killed, never the machine, so nothing has to reach the disk. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  // In the data directory, where nothing is left behind after a kill.
  dynamic_shared_memory_type: 'mmap',
  full_page_writes: 'off',
  max_connections: '150',
  shared_buffers: '64MB',
  max_wal_senders: '4',
  wal_retrieve_retry_interval: '200ms',
  wal_keep_size: '64MB',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
}
const HBA = `host all all 127.0.0.1/32 scram-sha-256\nhost replication ${SUPERUSER.user} 127.0.0.1/32 scram-sha-256\n`

export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  program('postgres')
  const port = await freeTcpPort()
  const directory = serverDirectory()
  const data = join(directory, 'data')
  const ca = join(directory, 'ca.pem')
  const { tls = true, standbyOf } = options
  const certificate = options.certificate ?? (await serverCertificate())
  for (const [name, text] of Object.entries({ 'cert.pem': certificate.cert, 'key.pem': certificate.key, hba: HBA })) {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
  }
  writeFileSync(ca, certificate.ca)
  giveToOwner(directory)
  if (standbyOf) copyServer(standbyOf, data)
  else copyTemplate(data)
  const settings = {
    ...SETTINGS,
    hba_file: join(directory, 'hba'),
    ...(tls && { ssl: 'on', ssl_cert_file: join(directory, 'cert.pem'), ssl_key_file: join(directory, 'key.pem') }),
    ...options.settings,
  }
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
  ]

  let child: ChildProcess | null = null
  let output = ''
  let paused: readonly number[] = []
  let backups = 0

  async function start(): Promise<void> {
    const [command, all] = asOwner('postgres', args)
    const started = spawn(command, [...all], { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream?.on('data', (chunk) => {
        output = (output + chunk).slice(-LOG_KEPT)
      })
    }
    const ended = once(started, 'exit').then((): never => {
      throw new Error(`PostgreSQL ended at start: ${output}`)
    })
    ended.catch(() => undefined)
    await Promise.race([
      until(() => sql('SELECT 1', [], 'postgres'), { timeout: START_MS, what: 'PostgreSQL to answer' }),
      ended,
    ])
  }

  async function sql<Row>(
    text: string,
    parameters: readonly unknown[] = [],
    database: string = ROLE.database,
  ): Promise<Row[]> {
    const client = new pg.Client({ host: '127.0.0.1', port, database, ...SUPERUSER, connectionTimeoutMillis: 5000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return (await client.query(text, [...parameters])).rows as Row[]
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  /** The server and the processes of its connections, which are groups of their own. */
  const processes = () => (child?.pid === undefined ? [] : [child.pid, ...childrenOf(child.pid)])

  function pause(): void {
    // The first one starts the others: when it stands still there are no new ones.
    if (child?.pid !== undefined) signal([child.pid], 'SIGSTOP')
    paused = processes()
    signal(paused, 'SIGSTOP')
  }

  function resume(): void {
    signal([...new Set([...paused, ...processes()])], 'SIGCONT')
    paused = []
  }

  async function end(how: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    const running = child
    child = null
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    const exit = once(running, 'exit')
    running.kill(how)
    await within(exit, START_MS, `PostgreSQL to end after ${how}`)
  }

  async function kill(): Promise<void> {
    const pid = child?.pid
    if (pid === undefined) return
    pause()
    const others = paused.filter((other) => other !== pid)
    paused = []
    await end('SIGKILL')
    signal(others, 'SIGKILL')
    await until(() => !others.some(isAlive), { what: 'the processes of PostgreSQL to be gone' })
  }

  async function stop(): Promise<void> {
    // Unlike a kill this gives its shared memory back.
    resume()
    await end('SIGQUIT').catch(kill)
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  }

  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    ca,
    data,
    sql,
    pause,
    resume,
    kill,
    start,
    stop,
    log: () => output,
    async restart(mode) {
      await end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
      await start()
    },
    async backup() {
      await end('SIGINT')
      backups += 1
      const backup = join(directory, `backup-${backups}`)
      copyData(data, backup)
      await start()
      return backup
    },
    async restore(backup) {
      await kill()
      rmSync(data, { recursive: true, force: true })
      copyData(backup, data)
      await start()
    },
    async promote() {
      await sql('SELECT pg_promote()')
      await until(async () => !(await sql<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby'))[0]?.standby)
    },
    async holdBackStandbys() {
      signal(
        (await sql<{ pid: number }>('SELECT pid FROM pg_stat_replication')).map(({ pid }) => pid),
        'SIGSTOP',
      )
    },
    [Symbol.asyncDispose]: stop,
  }
}

/** A data directory that follows `primary`. */
function copyServer(primary: Postgres, data: string): void {
  const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', SUPERUSER.user]
  runProgram('pg_basebackup', [...from, '-D', data, '-R', '-X', 'stream', '-c', 'fast'], {
    PGPASSWORD: SUPERUSER.password,
  })
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** State and parent of a process; null when it is gone. */
function statOf(pid: number | string): { readonly state: string; readonly parent: number } | null {
  const file = `/proc/${pid}/stat`
  try {
    const stat = readFileSync(file, 'utf8')
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return null
  }
}

const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(name)?.parent === parent)
    .map(Number)

/** A process that has ended and waits for its parent to notice is not alive. */
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && (statOf(pid)?.state ?? 'Z') !== 'Z'
