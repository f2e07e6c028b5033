/** The command line: finds the command that is meant, loads it and runs it. */

import { type Command, CommanderError } from 'commander'
import { distance, nearest } from '../config/nearest.ts'
import { visibleBlock } from '../platform/visible.ts'
import { EXIT, processIo } from './io.ts'
import { createRunProgram } from './run-command.ts'

/** Parses the arguments (without program and script name), runs the command and ends the process with its exit code. */
export async function runProgram(args: readonly string[]): Promise<void> {
  // A reader that has seen enough (`footman schema | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    processIo.err(`error: standard output cannot be written: ${error.message}`)
    process.exit(EXIT.cannotStart)
  })
  process.exitCode = await execute(args)
}

async function execute(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok
  const done = (code: number) => {
    exitCode = code
  }
  try {
    const program = isRun(args) ? createRunProgram(done) : (await import('./all-commands.ts')).createProgram(done)
    refuseUnknownCommand(program, args[0])
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.badInput
    processIo.err(visibleBlock(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`))
    return EXIT.cannotStart
  }
}

/** `run` is the command when none is named, and would take a misspelt one for an argument of its own. */
function refuseUnknownCommand(program: Command, word: string | undefined): void {
  if (word === undefined || word.startsWith('-')) return
  const names = [...program.commands.map((command) => command.name()), 'help']
  if (names.includes(word)) return
  const near = nearest(word, names)
  const guess =
    near !== undefined && distance(word, near) < word.length ? `Did you mean ${near}?` : 'See footman --help.'
  program.error(`error: unknown command '${word}'. ${guess}`, { exitCode: EXIT.badInput })
}

/** False when another command, or the help of the program, may be meant. */
function isRun([first = 'run', ...rest]: readonly string[]): boolean {
  if (first !== 'run' && (!first.startsWith('-') || first === '--')) return false
  return ![first, ...rest].some((arg) => arg === '-h' || arg === '--help')
}
