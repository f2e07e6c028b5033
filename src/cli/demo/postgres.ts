/** A PostgreSQL server for a demo: the programs that are installed, a directory that is removed afterwards, on loopback. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { removeAll } from '../../platform/files.ts'
import { createPostgresPool } from '../../platform/postgres/pool.ts'
import type { PostgresSettings } from '../../platform/postgres/types.ts'
import { freeTcpPort } from './ports.ts'

export interface DemoDatabase {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

const HOST = '127.0.0.1'
const SUPERUSER = 'postgres'
const START_MS = 30_000
const LOOK_MS = 200
/** User and group of nothing, as PostgreSQL refuses to run as root. */
const UNPRIVILEGED = 65_534
const SUFFIX = process.platform === 'win32' ? '.exe' : ''

/** Directory of the newest programs of PostgreSQL; null when none are installed. */
export function findPostgres(env: NodeJS.ProcessEnv = process.env): string | null {
  const onPath = (env.PATH ?? env.Path ?? '').split(delimiter)
  const below = (parent: string): string[] => versionsIn(parent).map((version) => join(parent, version, 'bin'))
  const programFiles = env.ProgramFiles ?? 'C:\\Program Files'
  const usual =
    process.platform === 'win32'
      ? [
          ...below(join(programFiles, 'PostgreSQL')),
          ...below(join(programFiles, 'Qlik', 'Sense', 'Repository', 'PostgreSQL')),
        ]
      : [...below('/usr/lib/postgresql'), '/usr/pgsql/bin', '/opt/homebrew/bin', '/usr/local/pgsql/bin']
  const isComplete = (directory: string) =>
    ['initdb', 'postgres'].every((name) => existsSync(join(directory, name + SUFFIX)))
  return [...onPath, ...usual].find((directory) => directory !== '' && isComplete(directory)) ?? null
}

function versionsIn(parent: string): string[] {
  try {
    return readdirSync(parent).toSorted((a, b) => Number(b) - Number(a))
  } catch {
    return []
  }
}

/** `programs`: the directory of `findPostgres`. Rejects with the output of the server when it does not start. */
export async function startDemoDatabase(programs: string): Promise<DemoDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'footman-demo-postgres-'))
  const isRoot = process.getuid?.() === 0
  const password = randomBytes(18).toString('base64url')
  const passwordFile = join(directory, 'password')
  const data = join(directory, 'data')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (isRoot) for (const path of [directory, passwordFile]) chownSync(path, UNPRIVILEGED, UNPRIVILEGED)
  const port = await freeTcpPort(0)
  const run = (name: string, args: readonly string[]) => runProgram(join(programs, name + SUFFIX), args, isRoot)
  let server: Program | null = null

  async function stop(): Promise<void> {
    if (server && server.child.exitCode === null && server.child.signalCode === null) {
      const exit = once(server.child, 'exit')
      // A fast shutdown.
      server.child.kill('SIGINT')
      await exit
    }
    await removeAll(directory)
  }

  try {
    const made = run('initdb', [
      '-D',
      data,
      '-U',
      SUPERUSER,
      '-E',
      'UTF8',
      '--no-locale',
      '--no-sync',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
    ])
    const [code] = await once(made.child, 'exit')
    if (code !== 0) throw new Error(`initdb of ${programs} failed: ${made.output()}`)
    const settings = [`listen_addresses=${HOST}`, 'unix_socket_directories=', 'fsync=off', 'shared_buffers=32MB']
    server = run('postgres', ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])])
    const account = { port, user: SUPERUSER, password, database: SUPERUSER }
    await untilPrepared(account, server)
    return { ...account, stop }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}

type Account = Pick<DemoDatabase, 'port' | 'user' | 'password' | 'database'>

/** Resolves when it answers and has the schemas of the nodes. */
async function untilPrepared(account: Account, server: Program): Promise<void> {
  const pool = createPostgresPool(settingsOf(account))
  const deadline = performance.now() + START_MS
  try {
    for (;;) {
      try {
        await pool.query('CREATE SCHEMA IF NOT EXISTS footman; CREATE SCHEMA IF NOT EXISTS footman_qlik')
        return
      } catch (error) {
        if (server.child.exitCode !== null) throw new Error(`PostgreSQL ended: ${server.output()}`)
        if (performance.now() > deadline) throw error
      }
      await pause(LOOK_MS)
    }
  } finally {
    await pool.close()
  }
}

const settingsOf = ({ port, user, password, database }: Account): PostgresSettings => ({
  hosts: [{ host: HOST, port }],
  database,
  user,
  password,
  schema: 'footman',
  tls: { mode: 'off', ca: '', certificate: '', key: '', serverName: '' },
  connections: 1,
  connectTimeoutMs: 2000,
  statementTimeoutMs: 5000,
  applicationName: 'footman/demo',
})

interface Program {
  readonly child: ChildProcess
  /** The end of its output. */
  output(): string
}

const OUTPUT_KEPT = 2000

function runProgram(file: string, args: readonly string[], isRoot: boolean): Program {
  const child = spawn(file, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    cwd: tmpdir(),
    ...(isRoot && { uid: UNPRIVILEGED, gid: UNPRIVILEGED }),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output = (output + chunk).slice(-OUTPUT_KEPT)
    })
  }
  return { child, output: () => output.trim() }
}
