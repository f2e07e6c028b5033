/** The commands about keys, secrets, templates and the executable itself, each loaded when called. */

import process from 'node:process'
import { isatty } from 'node:tty'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { TARGETS } from '../alerts/templates/escape.ts'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../events/kinds.ts'
import { errorText } from '../platform/errors.ts'
import { EXIT, processIo, toTimeout } from './io.ts'
import { confirm, createPrompt } from './prompt.ts'

const CREDENTIAL_SET_HELP = `
Asks for the value without showing it, or reads it from standard input. On Windows it is
encrypted for this computer and readable by the system, administrators and the accounts given
with --account only. Elsewhere the command prints how systemd or a file keeps it.

Examples
  footman credential set smtp-password
  footman credential set smtp-password --account "ACME\\svc-footman"
  type password.txt | footman credential set smtp-password`

const CREDENTIAL_LIST_HELP = `
Exit codes
  0 all there   1 the configuration cannot be read   3 the configuration names one that is not there

Examples
  footman credential list
  footman credential list -c footman.yaml`

export function addCredential(program: Command, done: (code: number) => void): void {
  const credential = program.command('credential').description('secrets outside the configuration file')

  credential
    .command('set <name>')
    .description('keep a secret outside the configuration file, which then names it as credential:NAME')
    .option('--account <account...>', 'Windows accounts that may read it, like that of the service')
    .addHelpText('after', CREDENTIAL_SET_HELP)
    .action(async (name: string, { account = [] }: { account?: string[] }) => {
      const { runCredentialSet } = await import('./credential.ts')
      const { readSecret } = await import('./credential.ts')
      try {
        done(await runCredentialSet(name, account, await credentialDeps(), () => readSecret(isatty(0))))
      } catch (error) {
        processIo.err(`error: credential set ${name}: ${errorText(error)}: nothing was kept`)
        done(EXIT.badInput)
      }
    })

  credential
    .command('list')
    .description('list the names of the secrets that are kept, and those that a configuration uses')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--json', 'as JSON')
    .addHelpText('after', CREDENTIAL_LIST_HELP)
    .action(async (options) => {
      const { runCredentialList } = await import('./credential.ts')
      done(await runCredentialList(options, await credentialDeps()))
    })

  credential
    .command('remove <name>')
    .description('remove a secret that Footman keeps')
    .addHelpText('after', '\nExamples\n  footman credential remove smtp-password')
    .action(async (name: string) => {
      const { runCredentialRemove } = await import('./credential.ts')
      done(await runCredentialRemove(name, await credentialDeps()))
    })
}

async function credentialDeps() {
  const { protectedValuesOf } = await import('../platform/protected-values.ts')
  const { env } = process
  return { io: processIo, values: protectedValuesOf(env), env, cwd: process.cwd() }
}

const CUSTOM_PROPERTIES_HELP = `
Without --create nothing is changed. With it, missing properties are made and missing values
added, after a question; nothing is ever removed or renamed, and nothing else of an existing
property is changed.

Exit codes
  0 all there                          2 Qlik Sense cannot be asked, or refuses
  1 wrong arguments or configuration   3 something is missing

Examples
  footman custom-properties -c footman.yaml
  footman custom-properties -c footman.yaml --create --dry-run
  footman custom-properties -c footman.yaml --create --yes
  footman custom-properties retryPolicy -c footman.yaml --create`

export function addCustomProperties(program: Command, done: (code: number) => void): void {
  program
    .command('custom-properties')
    .argument('[name...]', 'only these (default: all that the configuration uses)')
    .description('list the custom properties that a configuration uses, and create what Qlik Sense lacks')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--create', 'create missing properties and values')
    .option('--optional', 'with --create: also properties that nothing depends on')
    .option('--dry-run', 'with --create: only say what would be done')
    .option('-y, --yes', 'with --create: do not ask')
    .option('--no-qs-connection', 'only list what is needed, without asking Qlik Sense')
    .option('--wide', 'show whole texts, however long')
    .option('--json', 'as JSON')
    .addOption(
      new Option('--timeout <time>', 'time that Qlik Sense may take to answer')
        .argParser(toTimeout)
        .default(30_000, '30s'),
    )
    .addHelpText('after', CUSTOM_PROPERTIES_HELP)
    .action(async (names: string[], options) => {
      const { runCustomProperties } = await import('./custom-properties.ts')
      const { env, execPath, stdin } = process
      const surroundings = { env, execPath, cwd: process.cwd(), confirm: stdin.isTTY === true ? confirmOnce : null }
      done(await runCustomProperties(names, options, processIo, surroundings))
    })
}

async function confirmOnce(question: string): Promise<boolean> {
  const prompt = createPrompt()
  try {
    return await confirm(prompt, question)
  } finally {
    prompt.close()
  }
}

export function addMigrateConfig(program: Command, done: (code: number) => void): void {
  program
    .command('migrate-config')
    .argument('<file>', 'configuration file of an older Butler, or of the examples in its manuals')
    .description('write an older layout of the configuration in the present one; comments are kept')
    .option('--output <file>', 'write this file instead of standard output')
    .option('--in-place', 'replace the file; the old one is kept beside it as FILE.old')
    .option('--force', 'overwrite the file of --output, or an older FILE.old')
    .addHelpText('after', MIGRATE_HELP)
    .action(async (file: string, options) => {
      const { runMigrateConfig } = await import('./migrate-config.ts')
      done(await runMigrateConfig(file, options, processIo))
    })
}

const MIGRATE_HELP = `
Footman reads older layouts as they are; this only spares you the line CONFIG DEPRECATED at
every start. Keys that have moved keep their comments, all other lines stay as they are. The
changes are listed on standard error, without values. The new text is read again before it is
written, to make sure that it has the same meaning. The effect of Butler.footman.compatibility:
auto is written out for this file (docs/from-butler.md). The new file is UTF-8.

Exit codes
  0 written, also without changes
  1 wrong arguments, or the file cannot be read or has errors of YAML
  4 the file cannot be written

Examples
  footman migrate-config butler.yaml --output footman.yaml
  footman migrate-config butler.yaml --in-place`

const VERSION_HELP = `
Examples
  footman version
  footman version --json`

export function addVersion(program: Command, done: (code: number) => void): void {
  program
    .command('version')
    .description('print version, commit, platform and runtime of this executable')
    .option('--json', 'as JSON')
    .addHelpText('after', VERSION_HELP)
    .action(async (options) => {
      const { runVersion } = await import('./version.ts')
      done(runVersion(options, processIo))
    })
}

type Remote = (parent: Command, nameAndArguments: string, description: string) => Command

export function addTemplateCommands(program: Command, remote: Remote, done: (code: number) => void): void {
  const template = program.command('template').description('the templates of alerts')

  remote(template, 'preview <template>', 'render a template file, or a built-in template, with a sample or an event')
    .addOption(new Option('--type <type>', 'sample of this kind (default: reload)').choices(EVENT_TYPES))
    .addOption(new Option('--outcome <outcome>', 'sample with this outcome (default: failed)').choices(EVENT_OUTCOMES))
    .option('--event <id>', 'an event of a running Footman instead of a sample')
    .addOption(new Option('--as <target>', 'what the template makes (default: by name and content)').choices(TARGETS))
    .option('--lines <n>', 'first and last rows of the script log (default: 15)', toLines, DEFAULT_LINES)
    .option('--output <file>', 'write this file instead of standard output')
    .addHelpText('after', TEMPLATE_HELP)
    .action(async (name: string, options) => {
      const { runTemplatePreview } = await import('./template.ts')
      done(await runTemplatePreview(name, options, processIo))
    })

  template
    .command('show <template>')
    .description('print the source of a built-in template, as a start for your own')
    .action(async (name: string) => {
      const { runTemplateShow } = await import('./template.ts')
      done(runTemplateShow(name, processIo))
    })
}

const DEFAULT_LINES = 15
const TEMPLATE_HELP = `
Exit codes
  0 rendered                              2 Footman cannot be reached
  1 wrong arguments or no such template   3 the template has an error, or there is no such event

Examples
  footman template preview email/alert --type service --outcome stopped --output mail.html`

function toLines(text: string): number {
  const lines = Number(text)
  if (Number.isInteger(lines) && lines >= 0 && lines <= 10_000) return lines
  throw new InvalidArgumentError(`"${text}" is not a number of rows`)
}

/** Returns the command that holds them. */
export function addKey(program: Command, done: (code: number) => void): Command {
  const key = program.command('key').description('keys for the REST API')

  key
    .command('create')
    .description('make a key and print it with its entry in the configuration')
    .requiredOption('--id <name>', 'name of the key in the log and the audit')
    .requiredOption('--scope <scope...>', 'what it may do, like task:run; several are allowed')
    .option('--tag <tag...>', 'only tasks with one of these tags may be started')
    .option('--namespace <glob...>', 'only these key-value namespaces may be used')
    .option('--expires <date>', 'last day, or the time at which it ends')
    .option('--json', 'print id, key and hash as JSON')
    .action(async (options) => {
      const { runKeyCreate } = await import('./key.ts')
      done(runKeyCreate(options, processIo))
    })

  key
    .command('hash')
    .description('print the hash of the key on standard input')
    .action(async () => {
      const [{ runKeyHash }, { standardInput }] = await Promise.all([import('./key.ts'), import('./prompt.ts')])
      done(await runKeyHash(standardInput(), processIo))
    })

  return key
}
