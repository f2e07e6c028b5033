/** This machine. */
import { spawn } from 'node:child_process'
import { basename, resolve } from 'node:path'
import { CommandError, runCommand } from '../../platform/command.ts'
import { systemProgram } from '../../platform/system-program.ts'
import type { ServiceHost } from './types.ts'

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
