/** Registration of `footman custom-properties`. */
import process from 'node:process'
import { type Command, Option } from 'commander'
import { toTimeout } from '../arguments.ts'
import { processIo } from '../io.ts'
import { confirm, createPrompt } from '../prompt.ts'

const HELP = `
Without --create nothing is changed. With it, missing properties are made and missing values added, after a question;
nothing is ever removed or renamed, and nothing else of an existing property is changed.

Exit codes
  0 all there   1 wrong arguments or configuration   2 Qlik Sense cannot be asked or refuses   3 something is missing

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
    .addHelpText('after', HELP)
    .action(async (names: string[], options) => {
      const { runCustomProperties } = await import('./index.ts')
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
