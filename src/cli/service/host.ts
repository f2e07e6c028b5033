/** The system as the service commands use it, and the steps of their plans. */

import { spawn } from 'node:child_process'
import { basename, resolve } from 'node:path'
import { CommandError, type RunCommand, runCommand, systemProgram } from '../../platform/command.ts'

/** A port that others connect to. */
export interface ServicePort {
  /** `UDP events`, `REST API`. */
  readonly purpose: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** Addresses and networks that may send; empty = all. */
  readonly from: readonly string[]
  /** Host names that may send, which no firewall knows. */
  readonly names: readonly string[]
}

/** The facts of a service entry about one Footman; all paths are absolute. */
export interface ServiceFacts {
  readonly name: string
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]]
  readonly configFile: string
  readonly workingDirectory: string
  readonly dataDirectory: string
  /** Null when no log files are written. */
  readonly logDirectory: string | null
  /** Where a Windows service manager puts what Footman prints: with the log files, or beside the program. */
  readonly outputDirectory: string
  /** Replaced as a whole when a schedule changes; null without a scheduler. */
  readonly scheduleFile: string | null
  /** Other folders into which Footman writes, as configured. */
  readonly writable: readonly string[]
  /** Certificates, keys and files with secrets, beside the configuration; they may be missing. */
  readonly readable: readonly string[]
  /** Directories may be made anywhere, so nothing can be closed. */
  readonly writesAnywhere: boolean
  /** Only those that are reachable from outside. */
  readonly ports: readonly ServicePort[]
  /** All ports that Footman listens on. */
  readonly listensOn: readonly number[]
  readonly graceMs: number
  /** Names of the systemd credentials that the configuration asks for. */
  readonly credentials: readonly string[]
  /** Environment variables that it asks for and that are not set here. */
  readonly variables: readonly string[]
}

/** One thing that is done, in order. */
export type Step =
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly encoding?: 'utf8' | 'utf16le' }
  | { readonly kind: 'copy'; readonly from: string; readonly path: string }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'remove'; readonly path: string }
  | {
      readonly kind: 'command'
      readonly file: string
      readonly args: readonly string[]
      /** It may fail: what it does may be done already. */
      readonly mayFail?: boolean
      readonly timeoutMs?: number
      /** Printed when the command fails; the plan goes on. */
      readonly warning?: string
      /** Fix for a failure; default: become administrator. */
      readonly help?: string
    }
  /** A command whose failure is printed as a warning; the plan goes on. */
  | { readonly kind: 'check'; readonly file: string; readonly args: readonly string[]; readonly warning: string }

export interface Plan {
  readonly steps: readonly Step[]
  /** For people, after the steps. */
  readonly hints: readonly string[]
}

/** State of a service, as the service manager reports it. */
export interface ServiceStatus {
  readonly name: string
  /** `systemd`, `WinSW`, ...; null when there is no such service. */
  readonly manager: string | null
  readonly running: boolean
  /** In the words of the manager. */
  readonly state: string
  /** Whether it starts with the machine; null when not known. */
  readonly enabled: boolean | null
  readonly pid: number | null
  /** Further facts, in this order. */
  readonly details: Readonly<Record<string, string>>
}

/** The machine; replaced in tests. */
export interface ServiceHost {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
  /** The script that a runtime executes; null for the executable. */
  readonly script: string | null
  readonly run: RunCommand
  /** Runs a program that writes to this terminal, until it ends; null when it was ended by a signal. */
  stream(file: string, args: readonly string[]): Promise<number | null>
}

/** Something that ends the command; the text is for people. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'

  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message)
  }
}

const RUNTIMES = /^(bun|deno|node)(\.exe)?$/i

export function processHost(): ServiceHost {
  const isRuntime = RUNTIMES.test(basename(process.execPath))
  return {
    platform: process.platform,
    env: process.env,
    cwd: process.cwd(),
    execPath: process.execPath,
    script: isRuntime ? resolve(process.argv[1] ?? '') : null,
    run: (file, args, options) => runCommand(systemProgram(file), args, options),
    stream: (file, args) =>
      new Promise((done, fail) => {
        const child = spawn(file, [...args], { stdio: 'inherit', shell: false })
        // Ctrl-C is for the program that shows something; this one ends after it.
        const wait = () => undefined
        process.on('SIGINT', wait)
        child.on('error', (error: NodeJS.ErrnoException) => {
          process.off('SIGINT', wait)
          fail(new CommandError(`${file} cannot be started: ${error.code ?? error.message}`, 'notFound'))
        })
        child.on('close', (code) => {
          process.off('SIGINT', wait)
          done(code)
        })
      }),
  }
}
