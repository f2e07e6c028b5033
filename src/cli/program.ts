/** The command line: one table of commands, each in its own file and loaded when called. */

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { distance, nearest } from '../config/nearest.ts'
import { LOG_LEVELS } from '../platform/types.ts'
import { COMMIT, VERSION } from '../platform/version.ts'
import { visibleBlock } from '../platform/visible.ts'
import { addCluster } from './cluster/command.ts'
import { addCredential, addCustomProperties, addKey, addMigrateConfig, addVersion } from './commands.ts'
import { addDoctor } from './doctor/command.ts'
import { configureHelp, groupCommands } from './help.ts'
import { addInit } from './init/command.ts'
import { EXIT, processIo } from './io.ts'
import { addRemoteCommands } from './remote/commands.ts'
import { addService } from './service/command.ts'

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
  const program = isRun(args) ? createRunProgram(done) : createProgram(done)
  try {
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

/** With the command `run` alone: the others take 6 ms of a start and 0.8 MB for as long as Footman runs. */
function createRunProgram(done: (code: number) => void): Command {
  const program = createRoot()
  addRun(program, done)
  return program
}

function createRoot(): Command {
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
  return program
}

/** All commands; `done` gets the exit code of the one that ran. */
export function createProgram(done: (code: number) => void): Command {
  const program = createRoot()
  addRun(program, done)

  program
    .command('demo')
    .description('run against a built-in simulated Qlik Sense site; needs no configuration and no network')
    .option('--port <n>', 'port of the REST API (default: 8080, or a free one)', toPort)
    .option('--duration <seconds>', 'stop by itself after this time', toSeconds)
    .option('-l, --loglevel <level>', 'also show log lines of this level and above')
    .option(
      '--nodes <n>',
      'several nodes over a PostgreSQL that is installed, 2 to 5, whose leader you can kill',
      toNodes,
    )
    .action(async ({ nodes, ...options }) => {
      if (nodes !== undefined) {
        const { runNodesDemo } = await import('./demo/nodes.ts')
        done(await runNodesDemo({ ...options, nodes }, processIo))
        return
      }
      const { runDemo } = await import('./demo/index.ts')
      done(await runDemo(options, processIo))
    })

  program
    .command('check')
    .description('validate a configuration file: every problem with file, line, path and hint')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--json', 'problems as JSON')
    .option('--paths', 'also list where every path of the file leads, and whether that exists')
    .option('--no-qs-connection', 'check for a run without Qlik Sense')
    .addHelpText('after', CHECK_HELP)
    .action(async (options) => {
      const { runCheck } = await import('./check.ts')
      done(await runCheck(options, processIo))
    })

  addDoctor(program, done)
  addInit(program, done)
  addCustomProperties(program, done)

  program
    .command('healthcheck')
    .description('ask the running Footman of a configuration file whether it is healthy; exit code 1 when it is not')
    .option('-c, --configfile <file>', 'configuration file')
    .addHelpText(
      'after',
      `
Prints healthy, degraded or unhealthy, and the parts that are down or degraded. The exit code
of degraded is 0. Asks the health listener (Butler.dockerHealthCheck), or the REST API where
that is off: for service managers, monitoring and the health checks of containers.

Example
  footman healthcheck -c footman.yaml`,
    )
    .action(async (options) => {
      const { runHealthcheck } = await import('./healthcheck.ts')
      done(await runHealthcheck(options, processIo))
    })

  program
    .command('test-email')
    .argument('<address>', 'who gets the mail')
    .description('send one test mail and print what the mail server says')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--from <address>', 'sender (default: that of the alerts about failed reloads)')
    .action(async (address, options) => {
      const { runTestEmail } = await import('./test-email.ts')
      done(await runTestEmail(address, options, processIo))
    })

  program
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .action(async () => {
      const { runSchema } = await import('./schema.ts')
      done(runSchema(processIo))
    })

  program
    .command('openapi')
    .description(
      'print the description of the REST API (OpenAPI 3.1): every endpoint, or those of a configuration file',
    )
    .option('-c, --configfile <file>', 'configuration file')
    .option('--yaml', 'as YAML')
    .action(async (options) => {
      const { runOpenApi } = await import('./openapi.ts')
      done(await runOpenApi(options, processIo))
    })

  addMigrateConfig(program, done)
  addRemoteCommands(program, done)
  addCluster(program, done)
  addKey(program, done)
  addCredential(program, done)
  addVersion(program, done)
  addService(program, done)

  groupCommands(program)
  return program
}

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

function toPort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new InvalidArgumentError(`"${text}" is not a port (0-65535)`)
}

function toNodes(text: string): number {
  const nodes = Number(text)
  if (Number.isInteger(nodes) && nodes >= 2 && nodes <= 5) return nodes
  throw new InvalidArgumentError('it must be 2 to 5')
}

function toSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds > 0) return seconds
  throw new InvalidArgumentError(`"${text}" is not a number of seconds`)
}

function toLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 0) return limit
  throw new InvalidArgumentError(`"${text}" is not a number of calls per minute`)
}

const CHECK_HELP = `
An error forbids the start, or keeps one feature off while the rest runs; then it says which one
stays off. Warnings change nothing about the start.

Exit codes
  0 no errors; 1 an error forbids the start; 3 errors keep features off

Example
  footman check -c footman.yaml`
