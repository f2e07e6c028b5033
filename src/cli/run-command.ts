/** The program and its command `run`; the other commands are in all-commands.ts. */
import process from 'node:process'
import { Command, InvalidArgumentError, Option } from 'commander'
import { LOG_LEVELS } from '../platform/types.ts'
import { COMMIT, VERSION } from '../platform/version.ts'
import { processIo } from './io.ts'

/** With the command `run` alone: the others take 8 ms of a start and 1.4 MB for as long as Footman runs. */
export function createRunProgram(done: (code: number) => void): Command {
  const program = createRoot()
  addRun(program, done)
  return program
}

/** The program without any command. */
export function createRoot(): Command {
  return new Command('footman')
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
}

/** `run` is the default command and keeps all options of the predecessor. */
export function addRun(program: Command, done: (code: number) => void): void {
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

function toLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 0) return limit
  throw new InvalidArgumentError(`"${text}" is not a number of calls per minute`)
}
