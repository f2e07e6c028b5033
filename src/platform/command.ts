/** Runs other programs: without a shell, with separate arguments and a time limit. */
import { spawn } from 'node:child_process'
import { win32 } from 'node:path'
import process from 'node:process'
import { lenientText } from './encodings.ts'

export interface CommandResult {
  /** Exit code; null when the program was ended by a signal. */
  readonly code: number | null
  /** Read as UTF-8, or as Windows-1252 where it is none; without a byte-order mark. */
  readonly stdout: string
  readonly stderr: string
}

interface CommandOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Output beyond this ends the program; default 8 MiB. */
  readonly maxBytes?: number
}

/** Resolves with any exit code; rejects with a `CommandError` when the output is incomplete. */
export type RunCommand = (file: string, args: readonly string[], options: CommandOptions) => Promise<CommandResult>

export class CommandError extends Error {
  override readonly name = 'CommandError'

  constructor(
    message: string,
    readonly kind: 'notFound' | 'timeout' | 'aborted' | 'failed',
  ) {
    super(message)
  }
}

const MAX_BYTES = 8 * 1024 * 1024

export const runCommand: RunCommand = (file, args, { timeoutMs, signal, maxBytes = MAX_BYTES }) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new CommandError(`${file} was not started`, 'aborted'))
    const child = spawn(file, [...args], { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true, shell: false })
    const output: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] }
    let bytes = 0
    let isSettled = false

    function settle(act: () => void): void {
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      act()
    }
    /** The pipes are closed as well: children of a killed program may hold them open. */
    function giveUp(error: CommandError): void {
      settle(() => {
        child.kill('SIGKILL')
        child.stdout.destroy()
        child.stderr.destroy()
        reject(error)
      })
    }
    const abort = () => giveUp(new CommandError(`${file} was stopped`, 'aborted'))
    const timer = setTimeout(
      () => giveUp(new CommandError(`${file} did not answer within ${Math.round(timeoutMs / 1000)} s`, 'timeout')),
      timeoutMs,
    )
    signal?.addEventListener('abort', abort, { once: true })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (chunk: Uint8Array) => {
        bytes += chunk.length
        if (bytes > maxBytes) giveUp(new CommandError(`${file} wrote more than ${maxBytes} bytes`, 'failed'))
        else output[name].push(chunk)
      })
      child[name].on('error', () => {})
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      const kind = error.code === 'ENOENT' || error.code === 'EACCES' ? 'notFound' : 'failed'
      giveUp(new CommandError(`${file} cannot be started: ${error.code ?? error.message}`, kind))
    })
    child.on('close', (code) => {
      settle(() => resolve({ code, stdout: decode(output.stdout), stderr: decode(output.stderr) }))
    })
  })

const decode = (chunks: readonly Uint8Array[]): string => lenientText(Buffer.concat(chunks)).text

/**
 * The full path of a program of Windows, because Windows looks in the working directory first, and a program of the same
 * name there must not run with an administrator's rights. Returns paths, and names on other systems, unchanged.
 */
export function systemProgram(
  file: string,
  platform: NodeJS.Platform = process.platform,
  root: string = process.env.SystemRoot ?? 'C:\\Windows',
): string {
  if (platform !== 'win32' || /[\\/]/.test(file)) return file
  const folder = file === 'powershell.exe' ? ['System32', 'WindowsPowerShell', 'v1.0'] : ['System32']
  return win32.join(root, ...folder, file)
}
