/** The commands about templates, each loaded when called. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { TARGETS } from '../../alerts/templates/escape.ts'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import { processIo } from '../io.ts'

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
    .addHelpText('after', HELP)
    .action(async (name: string, options) => {
      const { runTemplatePreview } = await import('./preview.ts')
      done(await runTemplatePreview(name, options, processIo))
    })

  template
    .command('show <template>')
    .description('print the source of a built-in template, as a start for your own')
    .action(async (name: string) => {
      const { runTemplateShow } = await import('./show.ts')
      done(runTemplateShow(name, processIo))
    })
}

const DEFAULT_LINES = 15
const HELP = `
Exit codes
  0 rendered, 1 wrong arguments or no such template, 2 Footman cannot be reached, 3 the template has an error or the
  event was not found

Examples
  footman template preview email/alert --type service --outcome stopped --output mail.html`

function toLines(text: string): number {
  const lines = Number(text)
  if (Number.isInteger(lines) && lines >= 0 && lines <= 10_000) return lines
  throw new InvalidArgumentError(`"${text}" is not a number of rows`)
}
