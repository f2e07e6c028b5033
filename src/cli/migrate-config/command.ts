/** The command `migrate-config`, loaded when called. */
import type { Command } from 'commander'
import { processIo } from '../io.ts'

export function addMigrateConfig(program: Command, done: (code: number) => void): void {
  program
    .command('migrate-config')
    .argument('<file>', 'configuration file of an older Butler, or of the examples in its manuals')
    .description('write an older layout of the configuration in the present one; comments are kept')
    .option('--output <file>', 'write this file instead of standard output')
    .option('--in-place', 'replace the file; the old one is kept beside it as FILE.old')
    .option('--force', 'overwrite the file of --output, or an older FILE.old')
    .addHelpText('after', HELP)
    .action(async (file: string, options) => {
      const { runMigrateConfig } = await import('./migrate-config.ts')
      done(await runMigrateConfig(file, options, processIo))
    })
}

const HELP = `
Footman reads older layouts as they are; this only spares you the line CONFIG DEPRECATED at every start. Keys that have
moved take their comments along, all other lines stay as they are. What was changed goes to standard error; values are
never shown. The new text is read again before it is written: it means the same as the old one. What
Butler.footman.compatibility: auto means for the file is written out (docs/from-butler.md). The new file is UTF-8.

Exit codes
  0 written, also when nothing was to be changed; 1 wrong arguments, or the file cannot be read or has errors of YAML;
  4 the file cannot be written

Examples
  footman migrate-config butler.yaml --output footman.yaml
  footman migrate-config butler.yaml --in-place`
