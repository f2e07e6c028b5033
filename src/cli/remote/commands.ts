/** The commands that talk to a running Footman, each loaded when called. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { addTemplateCommands } from '../commands.ts'
import { CONNECTION } from '../help.ts'
import { processIo, toTimeout, toWait } from '../io.ts'
import { TIME_FORMS, toTime } from '../time.ts'
import { addForm, addList } from './list.ts'
import { toCount } from './list-parts.ts'
import { SCHEDULE_EXIT_CODES } from './lists.ts'
import { addReports } from './report-commands.ts'

type Done = (code: number) => void

export function addRemoteCommands(program: Command, done: Done): void {
  remote(
    program,
    'start-task [tasks...]',
    'start tasks by id, name, tag or custom property; with --wait until they end',
  )
    .option('--tag <tag>', 'all tasks with this tag; may be repeated', collect, [])
    .option('--property <name=value>', 'all tasks with this custom property value; may be repeated', collect, [])
    .option('--name <glob>', 'all tasks whose names match, like "Sales*"; may be repeated', collect, [])
    .addOption(
      new Option('--match <how>', 'any = tasks of any selector, all = tasks of all selectors').choices(['any', 'all']),
    )
    .option('--kv <namespace/key=value>', 'store this pair before the first start; may be repeated', collect, [])
    .option('--max-concurrent <n>', 'run so many of them at a time (1-100), queue the others', toConcurrency)
    .option('--wait [seconds]', 'wait until all have ended, at most so long (default: 24 hours)', toWait)
    .option('--log', 'print the script log of what failed')
    .addHelpText('after', `${EXIT_CODES}\n\nExample\n  footman start-task --tag hourly-reload --wait 1800`)
    .action(async (tasks: string[], options) => {
      const { runStartTask } = await import('./start-task.ts')
      done(await runStartTask(tasks, options, processIo))
    })

  remote(program, 'execution <id>', 'show an execution, or with --wait follow it to its end')
    .option('--wait [seconds]', 'wait until it has ended, at most so long (default: 24 hours)', toWait)
    .option('--log', 'print its script log')
    .addHelpText('after', EXIT_CODES)
    .action(async (id: string, options) => {
      const { runExecution } = await import('./execution.ts')
      done(await runExecution(id, options, processIo))
    })

  addForm(
    remote(
      program,
      'failures [glob]',
      'list failed and aborted executions, of one task or all: error, alerts, recovery',
    ),
  )
    .addOption(
      new Option('--from <time>', `since this time: ${TIME_FORMS} (default: yesterday 18:00)`).argParser(toTime),
    )
    .addOption(new Option('--to <time>', 'until this time').argParser(toTime))
    .addOption(new Option('--outcome <outcome>', 'failed or aborted (default: both)').argParser(toFailureOutcome))
    .addHelpText('after', '\nExamples\n  footman failures --from yesterday\n  footman failures "Sales*" --from 7d')
    .action(async (glob: string | undefined, options) => {
      const { runFailures } = await import('./failures.ts')
      done(await runFailures(glob, options, processIo))
    })

  addList(program, remote, 'tasks', done)

  addForm(remote(program, 'history [glob]', 'list executions that have ended, or sum them up by task'))
    .addOption(
      new Option('--outcome <outcome>', 'only this outcome: success, failed, ...; may be repeated')
        .argParser(collect)
        .default([]),
    )
    .addOption(new Option('--from <time>', `since this time: ${TIME_FORMS}`).argParser(toTime).default('7d'))
    .addOption(new Option('--to <time>', 'until this time').argParser(toTime))
    .option('--summary', 'count them, with run times, by task')
    .addOption(new Option('--format <format>', 'how to print them').choices(['table', 'csv']).default('table'))
    .addHelpText('after', '\nExample\n  footman history "Sales*" --from 30d --format csv')
    .action(async (glob: string | undefined, options) => {
      const { runHistory } = await import('./history.ts')
      done(await runHistory(glob, options, processIo))
    })

  remote(program, 'reload', 'take the changed configuration file into use, without a restart')
    .option('--dry-run', 'only say what would change')
    .action(async (options) => {
      const { runReload } = await import('./reload.ts')
      done(await runReload(options, processIo))
    })

  remote(program, 'console', 'open the console in the browser, signed in with the key of this machine')
    .option('--no-open', 'only print the address')
    .action(async (options) => {
      const { runConsole } = await import('./console.ts')
      done(await runConsole(options, processIo))
    })

  addKeyValueCommands(program, done)
  addReports(program, remote, done)
  addEvents(program, done)
  addDeliveries(program, done)
  addFire(program, done)
  addAudit(program, done)
  addSchedules(program, done)
  addRoutes(program, done)
  addList(program, remote, 'destinations', done)
  addSnooze(program, done)
  addTemplateCommands(program, remote, done)
}

function addAudit(program: Command, done: Done): void {
  const audit = addList(program, remote, 'audit', done)
  remote(audit, 'verify', 'check that no entry was changed, removed or put in, by the hash chain')
    .addHelpText('after', AUDIT_VERIFY_HELP)
    .action(async (options) => {
      const { runAuditVerify } = await import('./audit.ts')
      done(await runAuditVerify(options, processIo))
    })
}

const AUDIT_VERIFY_HELP = `
Exit codes
  0 all entries are as they were written   2 Footman cannot be reached, or refuses
  1 wrong arguments                        3 an entry was changed, removed or put in

Example
  footman audit verify`

function addKeyValueCommands(program: Command, done: Done): void {
  const kv = program.command('kv').description('the key-value store: pairs, and the store as a file')

  addForm(remote(kv, 'list [namespace]', 'list the pairs of a namespace, or the namespaces'))
    .option('--prefix <text>', 'only keys that begin like this')
    .action(async (namespace: string | undefined, options) => {
      const { runKvList } = await import('./key-values.ts')
      done(await runKvList(namespace, options, processIo))
    })

  remote(kv, 'get <namespace> <key>', 'print a value; with --json also its revision and expiry')
    .addHelpText('after', `${KV_EXIT_CODES}\n\nExample\n  footman kv get "Sales ETL" "last extract"`)
    .action(async (namespace: string, key: string, options) => {
      const { runKvGet } = await import('./key-values.ts')
      done(await runKvGet(namespace, key, options, processIo))
    })

  remote(kv, 'set <namespace> <key> [value]', 'store a pair; without a value, or with "-", that on standard input')
    .addOption(new Option('--ttl <time>', 'delete the pair after this time, like 24h').argParser(toTimeout))
    .addHelpText('after', '\nExample\n  footman kv set "Sales ETL" "last extract" 2026-03-02 --ttl 7d')
    .action(async (namespace: string, key: string, value: string | undefined, options) => {
      const [{ runKvSet }, { standardInput }] = await Promise.all([import('./key-values.ts'), import('../prompt.ts')])
      done(await runKvSet([namespace, key, value], options, standardInput(), processIo))
    })

  remote(kv, 'delete <namespace> [key]', 'delete a pair, or with --all a namespace')
    .option('--all', 'the namespace with all its keys')
    .addHelpText('after', KV_EXIT_CODES)
    .action(async (namespace: string, key: string | undefined, options) => {
      const { runKvDelete } = await import('./key-values.ts')
      done(await runKvDelete(namespace, key, options, processIo))
    })

  remote(kv, 'export', 'write key-value pairs to standard output or a file')
    .option('--namespace <namespace>', 'only this namespace; may be repeated', collect, [])
    .option('--output <file>', 'write this file, which only you may read')
    .addHelpText('after', '\nExample\n  footman kv export --namespace "Sales ETL" --output sales.json')
    .action(async (options) => {
      const { runKvExport } = await import('./key-values.ts')
      done(await runKvExport(options, processIo))
    })

  remote(kv, 'import [file]', 'store the pairs of an export or a table; without a file those on standard input')
    .addOption(
      new Option(
        '--mode <mode>',
        'merge = overwrite pairs of the same name, replace = empty the namespaces first',
      ).choices(['merge', 'replace']),
    )
    .addHelpText('after', '\nExample\n  footman kv import --mode replace sales.json')
    .action(async (file: string | undefined, options) => {
      const [{ runKvImport }, { standardInput }] = await Promise.all([
        import('./key-values.ts'),
        import('../prompt.ts'),
      ])
      done(await runKvImport(file, options, standardInput(), processIo))
    })
}

const KV_EXIT_CODES = `
Exit codes
  0 done             2 Footman cannot be reached, or refuses
  1 wrong arguments  3 there is no such key or namespace`

function addEvents(program: Command, done: Done): void {
  const events = program.command('events').description('list, show, follow and replay events')
  addList(events, remote, 'events list', done)

  addForm(remote(events, 'show <id>', 'show an event with its deliveries')).action(async (id: string, options) => {
    const { runEventShow } = await import('./events.ts')
    done(await runEventShow(id, options, processIo))
  })

  addForm(remote(events, 'replay <id>', 'send the messages of an event again'))
    .option('--to <destination>', 'only to this destination, without rule or gate; may be repeated', collect, [])
    .option('--route <name>', 'only by this rule; may be repeated', collect, [])
    .option('--ignore-gates', 'ignore rate limits, snoozes, maintenance and grouping')
    .action(async (id: string, options) => {
      const { runReplay } = await import('./fire.ts')
      done(await runReplay(id, options, processIo))
    })

  addForm(remote(events, 'tail', 'show changes as they happen; ends with Ctrl+C'))
    .option('--topic <topic>', 'event, delivery, execution, schedule or file; may be repeated', collect, [])
    .action(async (options) => {
      const { runTail } = await import('./events.ts')
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      done(await runTail(options, processIo, stop.signal))
    })

  addList(events, remote, 'events dropped', done)
}

function addDeliveries(program: Command, done: Done): void {
  const deliveries = program.command('deliveries').description('list, show, resend and cancel messages to destinations')
  addList(deliveries, remote, 'deliveries list', done)

  addForm(remote(deliveries, 'show <id>', 'show a delivery with its attempts')).action(async (id: string, options) => {
    const { runDeliveryShow } = await import('./events.ts')
    done(await runDeliveryShow(id, options, processIo))
  })

  remote(deliveries, 'resend [ids...]', 'send deliveries again, or with --dead all dead letters')
    .option('--dead', 'all dead letters')
    .option('--destination <name>', 'with --dead: only to this destination; may be repeated', collect, [])
    .option('--reason <reason>', 'with --dead: only this reason: EXPIRED, REJECTED, ...; may be repeated', collect, [])
    .addOption(new Option('--from <time>', `with --dead: created since this time: ${TIME_FORMS}`).argParser(toTime))
    .addHelpText('after', '\nExample\n  footman deliveries resend --dead --destination ops-mail')
    .action(async (ids: string[], options) => {
      const { runDeliveriesResend } = await import('./events.ts')
      done(await runDeliveriesResend(ids, options, processIo))
    })

  remote(deliveries, 'cancel <id>', 'cancel a pending delivery').action(async (id: string, options) => {
    const { runDeliveryCancel } = await import('./events.ts')
    done(await runDeliveryCancel(id, options, processIo))
  })
}

function addFire(program: Command, done: Done): void {
  addForm(remote(program, 'fire', 'send test alerts about an invented event, a past event or a real task'))
    .option('--type <type>', 'type of event: reload, preload, service, ... (default: reload)')
    .option('--outcome <outcome>', 'failed, aborted, success, stopped, ... (default: failed)')
    .option('--task <id or name>', 'a real task')
    .option('--event <id>', 'a past event')
    .option('--to <destination>', 'only to this destination; may be repeated', collect, [])
    .option('--route <name>', 'only by this rule; may be repeated', collect, [])
    .option('--value <name=value>', 'set a template variable, like taskName=Test; may be repeated', collect, [])
    .option('--dry-run', 'show the messages and send nothing')
    .option('--wait', 'wait until they are delivered, with a line for each change of a delivery')
    .addHelpText(
      'after',
      `
Without --type, --outcome, --task and --event it is a failed reload of an invented app. Alerts go to
the configured recipients; the owner of an app gets a mail with --task and --event only.

Exit codes beside 0
  1 wrong arguments                        3 no such event, task, rule or destination
  2 Footman cannot be reached or refuses   4 with --wait: not everything was delivered

Examples
  footman fire --wait
  footman fire --type reload --outcome aborted --to ops-mail --wait`,
    )
    .action(async (options) => {
      const { runFire } = await import('./fire.ts')
      done(await runFire(options, processIo))
    })
}

function addSchedules(program: Command, done: Done): void {
  const schedules = program.command('schedules').description('schedules and their runs')
  addList(schedules, remote, 'schedules list', done)
  addList(schedules, remote, 'schedules runs', done)

  remote(schedules, 'preview <cron>', 'explain a cron expression and list its next times')
    .option('--timezone <zone>', 'IANA time zone (default: that of the site)')
    .option('--count <n>', `so many times (default: ${DEFAULT_COUNT})`, toCount(100), DEFAULT_COUNT)
    .addHelpText(
      'after',
      `${SCHEDULE_EXIT_CODES}\n\nExample\n  footman schedules preview "0 6 * * 1-5" --timezone Europe/Stockholm`,
    )
    .action(async (cron: string, options) => {
      const { runSchedulePreview } = await import('./schedules.ts')
      done(await runSchedulePreview(cron, options, processIo))
    })

  scheduleOptions(remote(schedules, 'add', 'create a schedule that starts a task'))
    .addHelpText(
      'after',
      `\nMonths in numbers count from 0, as in Butler.\n\nExample\n  footman schedules add --name Mornings --cron "0 6 * * 1-5" --task "Sales ETL hourly"`,
    )
    .action(async (options) => {
      const { runScheduleAdd } = await import('./schedules.ts')
      done(await runScheduleAdd(options, processIo))
    })

  scheduleOptions(remote(schedules, 'edit <id>', 'change a schedule; what is not given stays'))
    .addHelpText('after', `${SCHEDULE_EXIT_CODES}\n\nExample\n  footman schedules edit f1b2c3d4 --cron "0 7 * * 1-5"`)
    .action(async (id: string, options) => {
      const { runScheduleEdit } = await import('./schedules.ts')
      done(await runScheduleEdit(id, options, processIo))
    })

  for (const [verb, description] of SCHEDULE_CHANGES) {
    remote(schedules, `${verb} <id>`, description)
      .addHelpText('after', SCHEDULE_EXIT_CODES)
      .action(async (id: string, options) => {
        const { runScheduleChange } = await import('./schedules.ts')
        done(await runScheduleChange(verb, id, options, processIo))
      })
  }

  remote(schedules, 'run <id>', 'run a schedule now, also when it is stopped')
    .addHelpText('after', SCHEDULE_EXIT_CODES)
    .action(async (id: string, options) => {
      const { runScheduleRun } = await import('./schedules.ts')
      done(await runScheduleRun(id, options, processIo))
    })
}

const SCHEDULE_CHANGES = [
  ['start', 'let a schedule fire'],
  ['stop', 'keep a schedule from firing'],
  ['delete', 'delete a schedule'],
] as const

const scheduleOptions = (command: Command): Command =>
  command
    .option('--name <name>', 'name of the schedule')
    .option('--cron <expression>', 'when it fires, like "0 6 * * 1-5"')
    .option('--task <id or name>', 'the task that it starts')
    .option('--timezone <zone>', 'IANA time zone (default of a new one: that of the site)')
    .option('--tag <tag>', 'tag of the schedule; may be repeated', collect, [])
    .option('--stopped', 'do not let it fire yet')

function addRoutes(program: Command, done: Done): void {
  const routes = program.command('routes').description('alert rules: list them, explain which one fires')
  addList(routes, remote, 'routes list', done)

  remote(routes, 'explain', 'say which rules fire for an event, and why others do not; changes nothing')
    .option('--event <id>', 'an event of the past')
    .option('--type <type>', 'or an invented one: about a reload, preload, service, ...')
    .option('--outcome <outcome>', 'failed, aborted, success, stopped, ... (default: failed)')
    .option('--task <id or name>', 'about this task')
    .option('--host <name>', 'from this host')
    .option('--user <user>', 'of this user, like DIR\\id')
    .option('--message <text>', 'with this log message')
    .option('--failures <n>', 'so many failures in a row')
    .option('--at <time>', 'happening at this time, like 2026-03-02T03:00:00Z (default: now)')
    .option('--all', 'also name each rule of sections that are switched off')
    .addHelpText('after', EXPLAIN_HELP)
    .action(async (options) => {
      const { runRoutesExplain } = await import('./routes.ts')
      done(await runRoutesExplain(options, processIo))
    })
}

const EXPLAIN_HELP = `
Exit codes
  0 a rule matches   1 wrong arguments   2 Footman cannot be reached, or refuses
  3 no rule matches, or there is no such event or task

Example
  footman routes explain --type reload --outcome failed --task "Sales ETL hourly"`

function addSnooze(program: Command, done: Done): void {
  const snooze = program.command('snooze').description('suppress alerts about something for a while')

  remote(snooze, 'set', 'suppress alerts that match all of these options; at least one is needed')
    .option('--task <id or name>', 'one task; may be repeated', collect, [])
    .option('--name <glob>', 'name of the task, like "Sales*"; may be repeated', collect, [])
    .option('--app <glob>', 'name of the app; may be repeated', collect, [])
    .option('--stream <glob>', 'stream of the app; may be repeated', collect, [])
    .option('--tag <glob>', 'tag of the task; may be repeated', collect, [])
    .option('--host <glob>', 'host; may be repeated', collect, [])
    .option('--service <glob>', 'Windows service; may be repeated', collect, [])
    .option('--type <type>', 'reload, service, ...; may be repeated', collect, [])
    .option('--for <time>', 'how long, like 2h (1m to 30d)')
    .option('--until <time>', 'or until when, like 2026-03-02T08:00:00Z')
    .option('--reason <text>', 'why')
    .addHelpText(
      'after',
      '\nExample\n  footman snooze set --name "Sales*" --for 2h --reason "the database is being moved"',
    )
    .action(async (options) => {
      const { runSnoozeSet } = await import('./snooze.ts')
      done(await runSnoozeSet(options, processIo))
    })

  addList(snooze, remote, 'snooze list', done)

  remote(snooze, 'lift <id>', 'end a snooze').action(async (id: string, options) => {
    const { runSnoozeLift } = await import('./snooze.ts')
    done(await runSnoozeLift(id, options, processIo))
  })
}

const EXIT_CODES = `
Exit codes
  0 all started (with --wait: and succeeded)   3 not found, or something was not started
  1 wrong arguments                            4 something failed or was aborted
  2 Footman or Qlik Sense cannot be reached,   5 time over while something runs, or it
    or refuses: nothing was started              cannot be followed any more`

const DEFAULT_COUNT = 10

const KEY_IS_VISIBLE =
  'warning: --key is deprecated: the list of processes shows the key to every account of this machine. Set FOOTMAN_KEY instead; on the machine of Footman neither is needed.'
const DEFAULT_TIMEOUT_MS = 30_000

export function remote(program: Command, nameAndArguments: string, description: string): Command {
  return program
    .command(nameAndArguments)
    .description(description)
    .option('--json', 'print JSON')
    .addOption(connection('-c, --configfile <file>', 'configuration file of the Footman on this machine'))
    .addOption(
      connection('--url <url>', 'address of the REST API (default: $FOOTMAN_URL, that of -c, http://localhost:8080)'),
    )
    .addOption(
      connection(
        '--key <key>',
        'deprecated, as the list of processes shows it: API key (default: $FOOTMAN_KEY; on this machine the local key)',
      ),
    )
    .addOption(
      connection('--timeout <time>', 'give up a call after this time')
        .argParser(toTimeout)
        .default(DEFAULT_TIMEOUT_MS, '30s'),
    )
    .hook('preAction', (_, command) => {
      command.setOptionValue('command', typedName(command))
      if (command.opts<{ key?: string }>().key !== undefined) processIo.err(KEY_IS_VISIBLE)
    })
}

const connection = (flags: string, description: string): Option => new Option(flags, description).helpGroup(CONNECTION)

/** `kv export`. */
function typedName(command: Command): string {
  const parent = command.parent
  return parent?.parent ? `${typedName(parent)} ${command.name()}` : command.name()
}

function toFailureOutcome(text: string, before: readonly string[] = []): readonly string[] {
  if (text === 'failed' || text === 'aborted') return [...before, text]
  throw new InvalidArgumentError('Allowed choices are failed, aborted.')
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value]

function toConcurrency(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 100) return count
  throw new InvalidArgumentError(`"${text}" is not a number from 1 to 100`)
}
