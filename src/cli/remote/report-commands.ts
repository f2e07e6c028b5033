/** The commands about report tasks of a running Footman. */
import { type Command, Option } from 'commander'
import { processIo, toWait } from '../io.ts'
import { type AddRemote, addForm, addList } from './list.ts'
import { many, toCount } from './list-parts.ts'

const SWITCHES = [
  ['enable', 'switch report tasks on, by id, name, tag or project'],
  ['disable', 'switch report tasks off; runs in progress go on'],
] as const

const EXIT_CODES = `
Exit codes
  0 done             2 Footman cannot be reached, or refuses
  1 wrong arguments  3 there is no such report task`

const START_EXIT_CODES = `
Exit codes
  0 all started (with --wait: and ended with success, warning or skipped)
  1 wrong arguments
  2 Footman cannot be reached, or refuses
  3 there is no such report task, or one was not started
  4 with --wait: a run ended with error or was cancelled
  5 time over while a run goes on, or it cannot be followed any more`

export function addReports(program: Command, remote: AddRemote, done: (code: number) => void): void {
  const reports = program
    .command('reports')
    .description('report tasks: list, switch on and off, start, plan, runs, export, import')
  addList(reports, remote, 'reports list', done)

  for (const [verb, description] of SWITCHES) {
    remote(reports, `${verb} [tasks...]`, description)
      .addOption(many('--tag <tag>', 'all tasks with this tag'))
      .addOption(many('--project <project>', 'all tasks of this project'))
      .option('--all', 'all report tasks')
      .addHelpText('after', `${EXIT_CODES}\n\nExample\n  footman reports ${verb} "Weekly sales pack"`)
      .action(async (tasks: string[], options) => {
        const { runReportsSwitch } = await import('./reports.ts')
        done(await runReportsSwitch(verb, tasks, options, processIo))
      })
  }

  remote(reports, 'start <tasks...>', 'start report tasks by id or name; with --wait until their runs end')
    .option('--test <address>', 'a test: all mails go to this address')
    .option('--dry-run', 'make the documents, deliver nothing')
    .option('--force', 'also tasks that are switched off')
    .option('--ignore-conditions', 'run whether or not the conditions are met')
    .option('--wait [seconds]', 'wait until all runs have ended, at most so long (default: 24 hours)', toWait)
    .addHelpText('after', `${START_EXIT_CODES}\n\nExample\n  footman reports start "Weekly sales pack" --wait`)
    .action(async (tasks: string[], options) => {
      const { runReportsStart } = await import('./report-runs.ts')
      done(await runReportsStart(tasks, options, processIo))
    })

  addForm(remote(reports, 'plan <task>', 'show who would get which file; makes and sends nothing'))
    .option('--recipient <address>', 'only what this address would get')
    .addOption(
      new Option('--limit <n>', 'at most this many mails, files and hub items each (default: all)').argParser(
        toCount(500),
      ),
    )
    .addOption(new Option('--offset <n>', 'leave out this many of each before').argParser(toCount(10_000_000)))
    .addHelpText('after', `${EXIT_CODES}\n\nExample\n  footman reports plan "Weekly sales pack"`)
    .action(async (task: string, options) => {
      const { runReportsPlan } = await import('./report-runs.ts')
      done(await runReportsPlan(task, options, processIo))
    })

  addList(reports, remote, 'reports runs', done)

  remote(reports, 'log <run>', 'print the log of a run')
    .addHelpText(
      'after',
      `${EXIT_CODES.replace('report task', 'run')}\n\nA run is named by its id, the beginning of it, or latest.\n\nExample\n  footman reports log latest`,
    )
    .action(async (run: string, options) => {
      const { runReportsLog } = await import('./report-runs.ts')
      done(await runReportsLog(run, options, processIo))
    })

  remote(reports, 'export', 'write all report definitions to standard output or a file')
    .option('--templates', 'with the files of uploaded templates')
    .option('--output <file>', 'write this file, which only you may read')
    .addHelpText('after', '\nExample\n  footman reports export --output reports.json')
    .action(async (options) => {
      const { runReportsExport } = await import('./reports.ts')
      done(await runReportsExport(options, processIo))
    })

  remote(reports, 'import [file]', 'store the definitions of an export; without a file those on standard input')
    .addOption(
      new Option('--mode <mode>', 'merge = keep definitions that the file lacks, replace = delete them').choices([
        'merge',
        'replace',
      ]),
    )
    .option('--dry-run', 'only say what would change')
    .addHelpText('after', '\nExample\n  footman reports import --dry-run reports.json')
    .action(async (file: string | undefined, options) => {
      const [{ runReportsImport }, { standardInput }] = await Promise.all([
        import('./reports.ts'),
        import('../prompt.ts'),
      ])
      done(await runReportsImport(file, options, standardInput(), processIo))
    })
}
