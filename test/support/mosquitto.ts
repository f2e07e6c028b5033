/** A real Mosquitto broker on a free loopback port, one per test file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freeTcpPort } from './ports.ts'
import { findExecutable } from './servers.ts'

export interface MosquittoSettings {
  /** Further lines of the configuration file. */
  readonly lines?: (directory: string) => readonly string[]
  /** Default: a free one. */
  readonly port?: number
  /** Default true. */
  readonly anonymous?: boolean
  /** Logs nothing, for load. Default false. */
  readonly quiet?: boolean
  /** Files to write into the broker's directory first. */
  readonly files?: Readonly<Record<string, string>>
}

export interface Mosquitto {
  readonly port: number
  readonly directory: string
  /** What the broker has logged so far: packets received and sent. */
  log(): string
  /** Starts it again on the same port. */
  start(): Promise<void>
  /** Ends it like a crash; sessions are lost. */
  kill(): Promise<void>
  /** Stops it from answering without closing connections; `resume` wakes it up. */
  freeze(): void
  resume(): void
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

export async function startMosquitto(settings: MosquittoSettings = {}): Promise<Mosquitto> {
  const found = findExecutable('mosquitto')
  if (!found) throw new Error('mosquitto is not installed')
  const binary: string = found
  const directory = await mkdtemp(join(tmpdir(), 'footman-mosquitto-'))
  for (const [name, text] of Object.entries(settings.files ?? {})) await writeFile(join(directory, name), text)
  const port = settings.port ?? (await freeTcpPort())
  const config = join(directory, 'mosquitto.conf')
  const lines = [
    `listener ${port} 127.0.0.1`,
    `allow_anonymous ${settings.anonymous ?? true}`,
    `log_type ${settings.quiet ? 'none' : 'all'}`,
    'log_dest stderr',
    'persistence false',
    // Started by root it would change to its own user, who cannot read the test's files.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...(settings.lines?.(directory) ?? []),
  ]
  await writeFile(config, `${lines.join('\n')}\n`)
  let child: ChildProcess | null = null
  let output = ''

  async function start(): Promise<void> {
    const started = spawn(binary, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    started.stderr?.on('data', (chunk) => {
      output += chunk
    })
    await accepting(port, started, () => output)
  }

  async function kill(): Promise<void> {
    const running = child
    child = null
    if (!running || running.exitCode !== null) return
    const gone = new Promise((done) => running.once('exit', done))
    running.kill('SIGKILL')
    await gone
  }

  await start()
  return {
    port,
    directory,
    log: () => output,
    start,
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function accepting(port: number, child: ChildProcess, log: () => string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}: ${log()}`)
    if (await canConnect(port)) return
    await new Promise((done) => setTimeout(done, 20))
  }
  throw new Error(`mosquitto does not accept connections on ${port}: ${log()}`)
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}
