/** Registration of `footman credential`. */
import process from 'node:process'
import { isatty } from 'node:tty'
import type { Command } from 'commander'
import { EXIT, processIo } from '../io.ts'

const SET_HELP = `
Asks for the value without showing it, or reads it from standard input. On Windows it is encrypted for this computer and
readable by the system, administrators and the accounts given with --account only. Elsewhere the command prints how systemd
or a file keeps it.

Examples
  footman credential set smtp-password
  footman credential set smtp-password --account "ACME\\svc-footman"
  type password.txt | footman credential set smtp-password`

const LIST_HELP = `
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
    .addHelpText('after', SET_HELP)
    .action(async (name: string, { account = [] }: { account?: string[] }) => {
      const { runCredentialSet } = await import('./index.ts')
      const { readSecret } = await import('./value.ts')
      try {
        done(await runCredentialSet(name, account, await deps(), () => readSecret(isatty(0))))
      } catch (error) {
        processIo.err(`error: credential set ${name}: ${(error as Error).message}: nothing was kept`)
        done(EXIT.badInput)
      }
    })

  credential
    .command('list')
    .description('list the names of the secrets that are kept, and those that a configuration uses')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--json', 'as JSON')
    .addHelpText('after', LIST_HELP)
    .action(async (options) => {
      const { runCredentialList } = await import('./index.ts')
      done(await runCredentialList(options, await deps()))
    })

  credential
    .command('remove <name>')
    .description('remove a secret that Footman keeps')
    .addHelpText('after', '\nExamples\n  footman credential remove smtp-password')
    .action(async (name: string) => {
      const { runCredentialRemove } = await import('./index.ts')
      done(await runCredentialRemove(name, await deps()))
    })
}

async function deps() {
  const { protectedValuesOf } = await import('../../platform/protected-values.ts')
  const { env } = process
  return { io: processIo, values: protectedValuesOf(env), env, cwd: process.cwd() }
}
