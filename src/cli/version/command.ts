/** Registration of `footman version`. */
import type { Command } from 'commander'
import { processIo } from '../io.ts'

const HELP = `
Examples
  footman version
  footman version --json`

export function addVersion(program: Command, done: (code: number) => void): void {
  program
    .command('version')
    .description('print version, commit, platform and runtime of this executable')
    .option('--json', 'as JSON')
    .addHelpText('after', HELP)
    .action(async (options) => {
      const { runVersion } = await import('./version.ts')
      done(runVersion(options, processIo))
    })
}
