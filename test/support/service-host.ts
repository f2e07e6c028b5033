/** A machine for the service commands: it records the commands that it runs, and returns the results that a test sets. */
import type { ServiceHost } from '../../src/cli/service/host.ts'
import { CommandError, type CommandResult } from '../../src/platform/command.ts'

export interface RecordedHost extends ServiceHost {
  /** `program argument argument`, in order. */
  readonly calls: readonly string[]
}

export type Answer = Partial<CommandResult> | 'missing' | 'hangs'

export interface HostSettings {
  readonly platform: NodeJS.Platform
  readonly cwd: string
  readonly execPath: string
  /** By the start of the call; the first that fits. All other calls succeed without output. */
  readonly answers?: readonly (readonly [start: string, answer: Answer])[]
}

export function recordedHost({ platform, cwd, execPath, answers = [] }: HostSettings): RecordedHost {
  const calls: string[] = []
  async function answer(file: string, args: readonly string[]): Promise<CommandResult> {
    const call = [file, ...args].join(' ')
    calls.push(call)
    const found = answers.find(([start]) => call.startsWith(start))?.[1] ?? {}
    if (found === 'missing') throw new CommandError(`${file} cannot be started: ENOENT`, 'notFound')
    if (found === 'hangs') throw new CommandError(`${file} did not answer within 60 s`, 'timeout')
    return { code: 0, stdout: '', stderr: '', ...found }
  }
  return {
    platform,
    cwd,
    execPath,
    env: {},
    script: null,
    calls,
    run: answer,
    stream: async (file, args) => (await answer(file, args)).code,
  }
}

/** Records the output of a command. */
export function recordedIo() {
  const printed = { out: '', err: '' }
  return {
    printed,
    out: (text: string) => {
      printed.out += `${text}\n`
    },
    err: (text: string) => {
      printed.err += `${text}\n`
    },
  }
}
