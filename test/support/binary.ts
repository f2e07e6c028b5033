/** The compiled executable as a child process. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { within } from './wait.ts'

const root = join(import.meta.dirname, '..', '..')

/** Path of the executable under test: FOOTMAN_BINARY, else dist/footman, built now. */
export function footmanBinary(): string {
  const given = process.env.FOOTMAN_BINARY
  if (given) {
    if (!existsSync(given)) throw new Error(`FOOTMAN_BINARY names ${given}, which does not exist`)
    return given
  }
  const build = spawnSync(process.execPath, ['--no-env-file', 'scripts/build.ts'], { cwd: root, encoding: 'utf8' })
  if (build.status !== 0) throw new Error(`the build failed:\n${build.stdout}${build.stderr}`)
  const built = join(root, 'dist', process.platform === 'win32' ? 'footman.exe' : 'footman')
  // The other tests of this process find it there.
  process.env.FOOTMAN_BINARY = built
  return built
}

export interface Running extends AsyncDisposable {
  readonly pid: number
  /** Complete lines of stdout and stderr so far, in order of arrival within each. */
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  /** Set when the process has ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  /** First line of either stream that matches, past lines included. Rejects when the process ends before. */
  waitForLine(pattern: RegExp, timeout?: number): Promise<RegExpExecArray>
  /** SIGTERM; resolves with the exit code. Rejects (and kills) when it takes longer than `timeout` milliseconds. */
  stop(timeout?: number): Promise<number | null>
  /** SIGKILL. */
  kill9(): Promise<void>
  signal(name: NodeJS.Signals): void
  write(text: string): void
  /** End of standard input. */
  endInput(): void
}

export interface RunOptions {
  readonly cwd?: string
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string>>
  /** Another program than the binary under test. */
  readonly command?: string
  /** Standard output goes nowhere, so that reading it costs the test nothing. */
  readonly mute?: boolean
}

/** Starts the executable with `args`. */
export function runBinary(args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(options.command ?? footmanBinary(), [...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', options.mute ? 'ignore' : 'pipe', 'pipe'],
  })
  const stdout: string[] = []
  const stderr: string[] = []
  const listeners = new Set<(line: string) => void>()
  const collect = (stream: NodeJS.ReadableStream, lines: string[]) => {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      lines.push(line)
      for (const listener of listeners) listener(line)
    })
  }
  if (child.stdout) collect(child.stdout, stdout)
  if (child.stderr) collect(child.stderr, stderr)
  // Writing to a process that has ended is not the test's failure.
  child.stdin?.on('error', () => {})

  const ended = closed(child)
  const output = () => [...stdout, ...stderr].slice(-40).join('\n')

  async function waitForLine(pattern: RegExp, timeout = 10_000): Promise<RegExpExecArray> {
    for (const line of [...stdout, ...stderr]) {
      const found = pattern.exec(line)
      if (found) return found
    }
    let listener: (line: string) => void = () => {}
    const line = new Promise<RegExpExecArray>((resolve) => {
      listener = (text) => {
        const found = pattern.exec(text)
        if (found) resolve(found)
      }
      listeners.add(listener)
    })
    const end = ended.then(({ code, signal }): never => {
      throw new Error(`the process ended (${signal ?? `exit code ${code}`}) before printing ${pattern}`)
    })
    try {
      return await within(Promise.race([line, end]), timeout, `a line like ${pattern}`)
    } catch (error) {
      throw new Error(`${(error as Error).message}; its last lines:\n${output()}`)
    } finally {
      listeners.delete(listener)
    }
  }

  async function kill9(): Promise<void> {
    child.kill('SIGKILL')
    await ended
  }

  async function stop(timeout = 15_000): Promise<number | null> {
    child.kill('SIGTERM')
    try {
      return (await within(ended, timeout, 'the process to end after SIGTERM')).code
    } catch (error) {
      await kill9()
      throw new Error(`${(error as Error).message}; its last lines:\n${output()}`)
    }
  }

  return {
    pid: child.pid ?? -1,
    stdout,
    stderr,
    ended,
    waitForLine,
    stop,
    kill9,
    signal: (name) => void child.kill(name),
    write: (text) => void child.stdin?.write(text),
    endInput: () => void child.stdin?.end(),
    [Symbol.asyncDispose]: kill9,
  }
}

async function closed(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  // `close` comes after the last output, `exit` may come before.
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, signal }
}

/** Runs the executable to its end; kills it after `timeout` milliseconds. */
export async function runToEnd(
  args: readonly string[],
  options: RunOptions & { timeout?: number } = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const running = runBinary(args, options)
  try {
    const { code } = await within(running.ended, options.timeout ?? 20_000, `footman ${args.join(' ')} to end`)
    return { code, stdout: running.stdout.join('\n'), stderr: running.stderr.join('\n') }
  } finally {
    await running.kill9()
  }
}
