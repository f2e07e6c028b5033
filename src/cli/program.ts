/** The command line: `run` stands here, the other commands are loaded when one of them is called. */

import { Command, CommanderError, Option } from 'commander'
import { distance, nearest } from '../config/nearest.ts'
import { LOG_LEVELS } from '../platform/types.ts'
import { COMMIT, VERSION } from '../platform/version.ts'
import { visibleBlock } from '../platform/visible.ts'
import { configureHelp } from './help.ts'
import { EXIT, processIo, toNumber, whole } from './io.ts'

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
    const program = createProgram(done)
    if (!isRun(args)) {
      const { addOtherCommands } = await import('./other-commands.ts')
      addOtherCommands(program, done)
    }
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

/** The program with its command `run`: the others take 6 ms of a start and 1.3 MB for as long as Footman runs. */
export function createProgram(done: (code: number) => void): Command {
  const program = new Command('footman')
    .description('Alerts, task starts and more for Qlik Sense Enterprise on Windows. Successor of Butler.')
    .version(`${VERSION} (${COMMIT})`, '-V, --version', 'print the version')
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
Configuration file
  "footman -c FILE" means "footman run -c FILE". The file is that of Butler 16, used as it is;
  without -c $NODE_CONFIG_DIR or ./config is searched for <NODE_ENV>.yaml, then for what
  "footman init" writes: config/footman.yaml. "footman demo" needs no configuration at all.`,
    )

  configureHelp(program, process.stdout.columns)
  addRun(program, done)
  return program
}

const toLimit = toNumber(whole(0), (text) => `"${text}" is not a number of calls per minute`)

/** `run` is the default command and keeps all options of the predecessor. */
function addRun(program: Command, done: (code: number) => void): void {
  program
    .command('run', { isDefault: true })
    .description('run Footman (the default command)')
    .addOption(new Option('-c, --configfile <file>', 'configuration file').env('FOOTMAN_CONFIGFILE'))
    .addOption(
      new Option('-l, --loglevel <level>', 'log level, overrides the file').choices(LOG_LEVELS).env('FOOTMAN_LOGLEVEL'),
    )
    .addOption(new Option('--log-level <level>').choices(LOG_LEVELS).hideHelp())
    .addOption(listOption('--new-relic-account-name <name...>', 'New Relic account names', 'NEW_RELIC_ACCOUNT_NAME'))
    .addOption(listOption('--new-relic-api-key <key...>', 'New Relic insert API keys', 'NEW_RELIC_API_KEY'))
    .addOption(listOption('--new-relic-account-id <id...>', 'New Relic account ids', 'NEW_RELIC_ACCOUNT_ID'))
    .option('--test-email-address <address>', 'send one test mail to this address after the start')
    .option('--test-email-from-address <address>', 'sender of the test mail')
    .option('--no-qs-connection', 'run without Qlik Sense')
    .addOption(new Option('--offline', 'the same as --no-qs-connection').hideHelp())
    .option('--api-rate-limit [n]', 'REST calls per minute and client, 0 = no limit', toLimit)
    .option('--skip-config-verification', 'start although the configuration has errors')
    .option('--shadow', 'receive and record everything, send and start nothing')
    .option('--degraded', 'start without a listener whose port cannot be opened')
    .option('--cluster-reset', 'read all that nodes share from the database of the cluster anew, and add nothing to it')
    .action(async (options) => {
      const { runFootman } = await import('./run.ts')
      done(await runFootman(options, processIo))
    })
}

function listOption(flags: string, description: string, variable: string): Option {
  const fromEnvironment = process.env[`FOOTMAN_${variable}`]
  const option = new Option(flags, description)
  return fromEnvironment ? option.default(fromEnvironment.split(','), 'from the environment') : option
}
