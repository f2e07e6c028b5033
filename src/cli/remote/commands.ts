/** The commands that talk to a running Footman, each loaded when called. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { toTimeout } from '../arguments.ts'
import { processIo } from '../io.ts'
import { addTemplateCommands } from '../template/commands.ts'
import { addAlertCommands } from './alert-commands.ts'
import { addJournalCommands } from './journal-commands.ts'
import { addScheduleCommands } from './schedule-commands.ts'

type Done = (code: number) => void

export function addRemoteCommands(program: Command, done: Done): void {
  remote(
    program,
    'start-task [tasks...]',
    'start tasks by id, name, tag or custom property; with --wait until they end',
  )
    .option('--tag <tag>', 'all tasks with this tag; may be repeated', collect, [])
    .option('--property <name=value>', 'all tasks with this custom property value; may be repeated', collect, [])
    .option('--name <glob>', 'all tasks whose names match, like "Sales*"; may be repeated', collect, [])
    .addOption(
      new Option('--match <how>', 'any = what one selector selects, all = what every one selects').choices([
        'any',
        'all',
      ]),
    )
    .option('--kv <namespace/key=value>', 'store this pair before the first start; may be repeated', collect, [])
    .option('--max-concurrent <n>', 'run so many of them at a time (1-100), queue the others', toConcurrency)
    .option('--wait [seconds]', 'wait until all have ended, at most so long (default: 24 hours)', toWait)
    .option('--log', 'print the script log of what failed')
    .addHelpText('after', `${EXIT_CODES}\n\nExample\n  footman start-task --tag hourly-reload --wait 1800`)
    .action(async (tasks: string[], options) => {
      const { runStartTask } = await import('./start-task.ts')
      done(await runStartTask(tasks, options, processIo))
    })

  remote(program, 'execution <id>', 'show an execution, or with --wait follow it to its end')
    .option('--wait [seconds]', 'wait until it has ended, at most so long (default: 24 hours)', toWait)
    .option('--log', 'print its script log')
    .addHelpText('after', EXIT_CODES)
    .action(async (id: string, options) => {
      const { runExecution } = await import('./execution.ts')
      done(await runExecution(id, options, processIo))
    })

  remote(program, 'tasks [glob]', 'list tasks and their last runs')
    .option('--tag <tag>', 'only tasks with this tag; may be repeated', collect, [])
    .option('--outcome <outcome>', 'only tasks whose last run ended like this: success, failed, ...', collect, [])
    .action(async (glob: string | undefined, options) => {
      const { runTasks } = await import('./tasks.ts')
      done(await runTasks(glob, options, processIo))
    })

  remote(program, 'history [glob]', 'list executions that have ended, or sum them up by task')
    .option('--from <time>', 'since this time, or so long ago', '7d')
    .option('--summary', 'count them, with run times, by task')
    .addOption(new Option('--format <format>', 'how to print them').choices(['table', 'csv']).default('table'))
    .addHelpText('after', '\nExample\n  footman history "Sales*" --from 30d --format csv')
    .action(async (glob: string | undefined, options) => {
      const { runHistory } = await import('./history.ts')
      done(await runHistory(glob, options, processIo))
    })

  remote(program, 'reload', 'take the changed configuration file into use, without a restart')
    .option('--dry-run', 'only say what would change')
    .action(async (options) => {
      const { runReload } = await import('./reload.ts')
      done(await runReload(options, processIo))
    })

  addKeyValueCommands(program, done)
  addJournalCommands(program, remote, done)
  addScheduleCommands(program, remote, done)
  addAlertCommands(program, remote, done)
  addTemplateCommands(program, remote, done)
}

function addKeyValueCommands(program: Command, done: Done): void {
  const kv = program.command('kv').description('the key-value store as a file')

  remote(kv, 'export', 'write key-value pairs to standard output or a file')
    .option('--namespace <namespace>', 'only this namespace; may be repeated', collect, [])
    .option('--output <file>', 'write this file, which only you may read')
    .addHelpText('after', '\nExample\n  footman kv export --namespace "Sales ETL" --output sales.json')
    .action(async (options) => {
      const { runKvExport } = await import('./key-values.ts')
      done(await runKvExport(options, processIo))
    })

  remote(kv, 'import [file]', 'store the pairs of an export; without a file those on standard input')
    .addOption(
      new Option(
        '--mode <mode>',
        'merge = overwrite pairs of the same name, replace = empty the namespaces first',
      ).choices(['merge', 'replace']),
    )
    .addHelpText('after', '\nExample\n  footman kv import --mode replace sales.json')
    .action(async (file: string | undefined, options) => {
      const [{ runKvImport }, { standardInput }] = await Promise.all([
        import('./key-values.ts'),
        import('../standard-input.ts'),
      ])
      done(await runKvImport(file, options, standardInput(), processIo))
    })
}

const EXIT_CODES = `
Exit codes
  0 all started (with --wait: and succeeded)   3 not found, or something was not started
  1 wrong arguments                            4 something failed or was aborted
  2 Footman or Qlik Sense cannot be reached,   5 time over while something runs, or it
    or refuses: nothing was started              cannot be followed any more`

const DEFAULT_TIMEOUT_MS = 30_000

function remote(program: Command, nameAndArguments: string, description: string): Command {
  return program
    .command(nameAndArguments)
    .description(description)
    .option('--url <url>', 'address of the REST API (default: $FOOTMAN_URL, that of -c, http://localhost:8080)')
    .option('--key <key>', 'API key (default: $FOOTMAN_KEY; for a Footman on this machine its local key)')
    .option('-c, --configfile <file>', 'configuration file of the Footman on this machine')
    .option('--json', 'print JSON')
    .addOption(
      new Option('--timeout <time>', 'give up a call after this time')
        .argParser(toTimeout)
        .default(DEFAULT_TIMEOUT_MS, '30s'),
    )
    .hook('preAction', (_, command) => void command.setOptionValue('command', typedName(command)))
}

/** `kv export`. */
function typedName(command: Command): string {
  const parent = command.parent
  return parent?.parent ? `${typedName(parent)} ${command.name()}` : command.name()
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value]

function toWait(text: string): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= 0) return seconds
  throw new InvalidArgumentError(`"${text}" is not a number of seconds`)
}

function toConcurrency(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 100) return count
  throw new InvalidArgumentError(`"${text}" is not a number from 1 to 100`)
}
