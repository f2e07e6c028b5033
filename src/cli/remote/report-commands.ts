/** The commands about report tasks of a running Footman. */
import { chosen, many, option, parsed } from '../command.ts'
import { toWait } from '../io.ts'
import { FORM, remote, toCount } from './options.ts'

const EXIT_CODES = `
Exit codes
  0 done             2 Footman cannot be reached, or refuses
  1 wrong arguments  3 there is no such report task`

const switches = (verb: string, description: string) =>
  remote({
    name: verb,
    arguments: '[tasks...]',
    description,
    options: [
      many('--tag <tag>', 'all tasks with this tag'),
      many('--project <project>', 'all tasks of this project'),
      option('--all', 'all report tasks'),
    ],
    help: `${EXIT_CODES}\n\nExample\n  footman reports ${verb} "Weekly sales pack"`,
  })

export const REPORTS_SWITCH = {
  enable: switches('enable', 'switch report tasks on, by id, name, tag or project'),
  disable: switches('disable', 'switch report tasks off; runs in progress go on'),
} as const

export const REPORTS_START = remote({
  name: 'start',
  arguments: '<tasks...>',
  description: 'start report tasks by id or name; with --wait until their runs end',
  options: [
    option('--test <address>', 'a test: all mails go to this address'),
    option('--dry-run', 'make the documents, deliver nothing'),
    option('--force', 'also tasks that are switched off'),
    option('--ignore-conditions', 'run whether or not the conditions are met'),
    parsed('--wait [seconds]', 'wait until all runs have ended, at most so long (default: 24 hours)', toWait),
  ],
  help: `
Exit codes
  0 all started (with --wait: and ended with success, warning or skipped)
  1 wrong arguments
  2 Footman cannot be reached, or refuses
  3 there is no such report task, or one was not started
  4 with --wait: a run ended with error or was cancelled
  5 time over while a run goes on, or it cannot be followed any more

Example
  footman reports start "Weekly sales pack" --wait`,
})

export const REPORTS_PLAN = remote({
  name: 'plan',
  arguments: '<task>',
  description: 'show who would get which file; makes and sends nothing',
  options: [
    ...FORM,
    option('--recipient <address>', 'only what this address would get'),
    parsed('--limit <n>', 'at most this many mails, files and hub items each (default: all)', toCount(500)),
    parsed('--offset <n>', 'leave out this many of each before', toCount(10_000_000)),
  ],
  help: `${EXIT_CODES}\n\nExample\n  footman reports plan "Weekly sales pack"`,
})

export const REPORTS_LOG = remote({
  name: 'log',
  arguments: '<run>',
  description: 'print the log of a run',
  help: `${EXIT_CODES.replace('report task', 'run')}\n\nA run is named by its id, the beginning of it, or latest.\n\nExample\n  footman reports log latest`,
})

export const REPORTS_EXPORT = remote({
  name: 'export',
  description: 'write all report definitions to standard output or a file',
  options: [
    option('--templates', 'with the files of uploaded templates'),
    option('--output <file>', 'write this file, which only you may read'),
  ],
  help: '\nExample\n  footman reports export --output reports.json',
})

export const REPORTS_IMPORT = remote({
  name: 'import',
  arguments: '[file]',
  description: 'store the definitions of an export; without a file those on standard input',
  options: [
    chosen('--mode <mode>', 'merge = keep definitions that the file lacks, replace = delete them', [
      'merge',
      'replace',
    ]),
    option('--dry-run', 'only say what would change'),
  ],
  help: '\nExample\n  footman reports import --dry-run reports.json',
})
