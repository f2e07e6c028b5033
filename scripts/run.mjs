import { spawn } from 'node:child_process'
import process from 'node:process'
import { root } from './setup.mjs'

/**
 * Runs a program in the foreground: same terminal, signals handed on, and this process ends with its exit code.
 * `options` as for `spawn`; the working directory is the repository unless said otherwise.
 */
export function runInForeground(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the whole process group: the child has its copy already.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  // npm runs scripts through a shell that ends on SIGTERM without a signal to its child; the result is of no use then.
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM')
  }, 500).unref()
  child.on('error', (error) => {
    console.error(`footman: ${command} could not be started: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code) => process.exit(code ?? 1))
}
