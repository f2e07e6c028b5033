/** A server of another project as a child process with a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program, type ServerName } from './servers.ts'

export interface ServerProcess {
  readonly directory: string
  /** Its output so far. */
  log(): string
  /** Resolves when it answers; after a kill it goes on with the data of its directory. */
  start(): Promise<void>
  kill(): Promise<void>
  /** Stops it from answering without closing connections; `resume` wakes it up. */
  freeze(): void
  resume(): void
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

export interface ServerProgram {
  readonly name: ServerName
  readonly args: (directory: string) => readonly string[] | Promise<readonly string[]>
  /** A URL that answers 2xx, or a port on which connections are taken, once the server can be used. */
  readonly ready: string | number
}

const START_MS = 30_000
/** Characters. */
const LOG_KEPT = 1_000_000

export async function serverProcess({ name, args, ready }: ServerProgram): Promise<ServerProcess> {
  const binary = program(name)
  const directory = await mkdtemp(join(tmpdir(), `footman-${name}-`))
  let child: ChildProcess | null = null
  let output = ''

  async function start(): Promise<void> {
    const started = spawn(binary, await args(directory), {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: directory,
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream?.on('data', (chunk) => {
        output = (output + chunk).slice(-LOG_KEPT)
      })
    }
    const deadline = Date.now() + START_MS
    while (Date.now() < deadline) {
      if (started.exitCode !== null) throw new Error(`${name} ended with ${started.exitCode}: ${output}`)
      if (await (typeof ready === 'number' ? takesConnections(ready) : answers(ready))) return
      await Bun.sleep(20)
    }
    throw new Error(`${name} does not answer at ${ready}: ${output}`)
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

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}
