/** The commands that talk to a running Footman. */
import { InvalidArgumentError } from 'commander'
import { chosen, many, option, parsed, preset } from '../command.ts'
import { toTimeout, toWait } from '../io.ts'
import { TIME_FORMS, toTime } from '../time.ts'
import { FORM, remote, SCHEDULE_EXIT_CODES, toCount } from './options.ts'

const EXIT_CODES = `
Exit codes
  0 all started (with --wait: and succeeded)   3 not found, or something was not started
  1 wrong arguments                            4 something failed or was aborted
  2 Footman or Qlik Sense cannot be reached,   5 time over while something runs, or it
    or refuses: nothing was started              cannot be followed any more`

export const START_TASK = remote({
  name: 'start-task',
  arguments: '[tasks...]',
  description: 'start tasks by id, name, tag or custom property; with --wait until they end',
  options: [
    many('--tag <tag>', 'all tasks with this tag'),
    many('--property <name=value>', 'all tasks with this custom property value'),
    many('--name <glob>', 'all tasks whose names match, like "Sales*"'),
    chosen('--match <how>', 'any = tasks of any selector, all = tasks of all selectors', ['any', 'all']),
    many('--kv <namespace/key=value>', 'store this pair before the first start'),
    parsed('--max-concurrent <n>', 'run so many of them at a time (1-100), queue the others', toCount(100)),
    parsed('--wait [seconds]', 'wait until all have ended, at most so long (default: 24 hours)', toWait),
    option('--log', 'print the script log of what failed'),
  ],
  help: `${EXIT_CODES}\n\nExample\n  footman start-task --tag hourly-reload --wait 1800`,
})

export const EXECUTION_COMMAND = remote({
  name: 'execution',
  arguments: '<id>',
  description: 'show an execution, or with --wait follow it to its end',
  options: [
    parsed('--wait [seconds]', 'wait until it has ended, at most so long (default: 24 hours)', toWait),
    option('--log', 'print its script log'),
  ],
  help: EXIT_CODES,
})

export const FAILURES = remote({
  name: 'failures',
  arguments: '[glob]',
  description: 'list failed and aborted executions, of one task or all: error, alerts, recovery',
  options: [
    ...FORM,
    parsed('--from <time>', `since this time: ${TIME_FORMS} (default: yesterday 18:00)`, toTime),
    parsed('--to <time>', 'until this time', toTime),
    parsed('--outcome <outcome>', 'failed or aborted (default: both)', toFailureOutcome),
  ],
  help: '\nExamples\n  footman failures --from yesterday\n  footman failures "Sales*" --from 7d',
})

function toFailureOutcome(text: string, before: readonly string[] = []): readonly string[] {
  if (text === 'failed' || text === 'aborted') return [...before, text]
  throw new InvalidArgumentError('Allowed choices are failed, aborted.')
}

export const HISTORY_COMMAND = remote({
  name: 'history',
  arguments: '[glob]',
  description: 'list executions that have ended, or sum them up by task',
  options: [
    ...FORM,
    many('--outcome <outcome>', 'only this outcome: success, failed, ...'),
    preset('--from <time>', `since this time: ${TIME_FORMS}`, toTime, '7d'),
    parsed('--to <time>', 'until this time', toTime),
    option('--summary', 'count them, with run times, by task'),
    chosen('--format <format>', 'how to print them', ['table', 'csv'], 'table'),
  ],
  help: '\nExample\n  footman history "Sales*" --from 30d --format csv',
})

export const RELOAD = remote({
  name: 'reload',
  description: 'take the changed configuration file into use, without a restart',
  options: [option('--dry-run', 'only say what would change')],
})

export const CONSOLE = remote({
  name: 'console',
  description: 'open the console in the browser, signed in with the key of this machine',
  options: [option('--no-open', 'only print the address')],
})

export const AUDIT_VERIFY = remote({
  name: 'verify',
  description: 'check that no entry was changed, removed or put in, by the hash chain',
  help: `
Exit codes
  0 all entries are as they were written   2 Footman cannot be reached, or refuses
  1 wrong arguments                        3 an entry was changed, removed or put in

Example
  footman audit verify`,
})

// ------------------------------------------------------------------------------------------------ kv

const KV_EXIT_CODES = `
Exit codes
  0 done             2 Footman cannot be reached, or refuses
  1 wrong arguments  3 there is no such key or namespace`

export const KV_LIST = remote({
  name: 'list',
  arguments: '[namespace]',
  description: 'list the pairs of a namespace, or the namespaces',
  options: [...FORM, option('--prefix <text>', 'only keys that begin like this')],
})

export const KV_GET = remote({
  name: 'get',
  arguments: '<namespace> <key>',
  description: 'print a value; with --json also its revision and expiry',
  help: `${KV_EXIT_CODES}\n\nExample\n  footman kv get "Sales ETL" "last extract"`,
})

export const KV_SET = remote({
  name: 'set',
  arguments: '<namespace> <key> [value]',
  description: 'store a pair; without a value, or with "-", that on standard input',
  options: [parsed('--ttl <time>', 'delete the pair after this time, like 24h', toTimeout)],
  help: '\nExample\n  footman kv set "Sales ETL" "last extract" 2026-03-02 --ttl 7d',
})

export const KV_DELETE = remote({
  name: 'delete',
  arguments: '<namespace> [key]',
  description: 'delete a pair, or with --all a namespace',
  options: [option('--all', 'the namespace with all its keys')],
  help: KV_EXIT_CODES,
})

export const KV_EXPORT = remote({
  name: 'export',
  description: 'write key-value pairs to standard output or a file',
  options: [
    many('--namespace <namespace>', 'only this namespace'),
    option('--output <file>', 'write this file, which only you may read'),
  ],
  help: '\nExample\n  footman kv export --namespace "Sales ETL" --output sales.json',
})

export const KV_IMPORT = remote({
  name: 'import',
  arguments: '[file]',
  description: 'store the pairs of an export or a table; without a file those on standard input',
  options: [
    chosen('--mode <mode>', 'merge = overwrite pairs of the same name, replace = empty the namespaces first', [
      'merge',
      'replace',
    ]),
  ],
  help: '\nExample\n  footman kv import --mode replace sales.json',
})

// ------------------------------------------------------------------------------------------------ events, deliveries

export const EVENTS_SHOW = remote({
  name: 'show',
  arguments: '<id>',
  description: 'show an event with its deliveries',
  options: FORM,
})

export const EVENTS_REPLAY = remote({
  name: 'replay',
  arguments: '<id>',
  description: 'send the messages of an event again',
  options: [
    ...FORM,
    many('--to <destination>', 'only to this destination, without rule or gate'),
    many('--route <name>', 'only by this rule'),
    option('--ignore-gates', 'ignore rate limits, snoozes, maintenance and grouping'),
  ],
})

export const EVENTS_TAIL = remote({
  name: 'tail',
  description: 'show changes as they happen; ends with Ctrl+C',
  options: [...FORM, many('--topic <topic>', 'event, delivery, execution, schedule or file')],
})

export const DELIVERIES_SHOW = remote({
  name: 'show',
  arguments: '<id>',
  description: 'show a delivery with its attempts',
  options: FORM,
})

export const DELIVERIES_RESEND = remote({
  name: 'resend',
  arguments: '[ids...]',
  description: 'send deliveries again, or with --dead all dead letters',
  options: [
    option('--dead', 'all dead letters'),
    many('--destination <name>', 'with --dead: only to this destination'),
    many('--reason <reason>', 'with --dead: only this reason: EXPIRED, REJECTED, ...'),
    parsed('--from <time>', `with --dead: created since this time: ${TIME_FORMS}`, toTime),
  ],
  help: '\nExample\n  footman deliveries resend --dead --destination ops-mail',
})

export const DELIVERIES_CANCEL = remote({
  name: 'cancel',
  arguments: '<id>',
  description: 'cancel a pending delivery',
})

export const FIRE_COMMAND = remote({
  name: 'fire',
  description: 'send test alerts about an invented event, a past event or a real task',
  options: [
    ...FORM,
    option('--type <type>', 'type of event: reload, preload, service, ... (default: reload)'),
    option('--outcome <outcome>', 'failed, aborted, success, stopped, ... (default: failed)'),
    option('--task <id or name>', 'a real task'),
    option('--event <id>', 'a past event'),
    many('--to <destination>', 'only to this destination'),
    many('--route <name>', 'only by this rule'),
    many('--value <name=value>', 'set a template variable, like taskName=Test'),
    option('--dry-run', 'show the messages and send nothing'),
    option('--wait', 'wait until they are delivered, with a line for each change of a delivery'),
  ],
  help: `
Without --type, --outcome, --task and --event it is a failed reload of an invented app. Alerts go to
the configured recipients; the owner of an app gets a mail with --task and --event only.

Exit codes beside 0
  1 wrong arguments                        3 no such event, task, rule or destination
  2 Footman cannot be reached or refuses   4 with --wait: not everything was delivered

Examples
  footman fire --wait
  footman fire --type reload --outcome aborted --to ops-mail --wait`,
})

// ------------------------------------------------------------------------------------------------ schedules

export const SCHEDULE_PREVIEW = remote({
  name: 'preview',
  arguments: '<cron>',
  description: 'explain a cron expression and list its next times',
  options: [
    option('--timezone <zone>', 'IANA time zone (default: that of the site)'),
    preset('--count <n>', 'so many times (default: 10)', toCount(100), 10),
  ],
  help: `${SCHEDULE_EXIT_CODES}\n\nExample\n  footman schedules preview "0 6 * * 1-5" --timezone Europe/Stockholm`,
})

const SCHEDULE_OPTIONS = [
  option('--name <name>', 'name of the schedule'),
  option('--cron <expression>', 'when it fires, like "0 6 * * 1-5"'),
  option('--task <id or name>', 'the task that it starts'),
  option('--timezone <zone>', 'IANA time zone (default of a new one: that of the site)'),
  many('--tag <tag>', 'tag of the schedule'),
  option('--stopped', 'do not let it fire yet'),
] as const

export const SCHEDULE_ADD = remote({
  name: 'add',
  description: 'create a schedule that starts a task',
  options: SCHEDULE_OPTIONS,
  help: `\nMonths in numbers count from 0, as in Butler.\n\nExample\n  footman schedules add --name Mornings --cron "0 6 * * 1-5" --task "Sales ETL hourly"`,
})

export const SCHEDULE_EDIT = remote({
  name: 'edit',
  arguments: '<id>',
  description: 'change a schedule; what is not given stays',
  options: SCHEDULE_OPTIONS,
  help: `${SCHEDULE_EXIT_CODES}\n\nExample\n  footman schedules edit f1b2c3d4 --cron "0 7 * * 1-5"`,
})

/** A command about one schedule. */
const scheduleVerb = (name: string, description: string) =>
  remote({ name, arguments: '<id>', description, help: SCHEDULE_EXIT_CODES })

export const SCHEDULE_VERBS = {
  start: scheduleVerb('start', 'let a schedule fire'),
  stop: scheduleVerb('stop', 'keep a schedule from firing'),
  delete: scheduleVerb('delete', 'delete a schedule'),
} as const

export const SCHEDULE_RUN = scheduleVerb('run', 'run a schedule now, also when it is stopped')

// ------------------------------------------------------------------------------------------------ rules, snoozes

export const ROUTES_EXPLAIN = remote({
  name: 'explain',
  description: 'say which rules fire for an event, and why others do not; changes nothing',
  options: [
    option('--event <id>', 'an event of the past'),
    option('--type <type>', 'or an invented one: about a reload, preload, service, ...'),
    option('--outcome <outcome>', 'failed, aborted, success, stopped, ... (default: failed)'),
    option('--task <id or name>', 'about this task'),
    option('--host <name>', 'from this host'),
    option('--user <user>', 'of this user, like DIR\\id'),
    option('--message <text>', 'with this log message'),
    option('--failures <n>', 'so many failures in a row'),
    option('--at <time>', 'happening at this time, like 2026-03-02T03:00:00Z (default: now)'),
    option('--all', 'also name each rule of sections that are switched off'),
  ],
  help: `
Exit codes
  0 a rule matches   1 wrong arguments   2 Footman cannot be reached, or refuses
  3 no rule matches, or there is no such event or task

Example
  footman routes explain --type reload --outcome failed --task "Sales ETL hourly"`,
})

export const SNOOZE_SET = remote({
  name: 'set',
  description: 'suppress alerts that match all of these options; at least one is needed',
  options: [
    many('--task <id or name>', 'one task'),
    many('--name <glob>', 'name of the task, like "Sales*"'),
    many('--app <glob>', 'name of the app'),
    many('--stream <glob>', 'stream of the app'),
    many('--tag <glob>', 'tag of the task'),
    many('--host <glob>', 'host'),
    many('--service <glob>', 'Windows service'),
    many('--type <type>', 'reload, service, ...'),
    option('--for <time>', 'how long, like 2h (1m to 30d)'),
    option('--until <time>', 'or until when, like 2026-03-02T08:00:00Z'),
    option('--until-success', 'until the task of --task succeeds, at the latest after --for or --until (else 30d)'),
    option('--reason <text>', 'why'),
  ],
  help: '\nExample\n  footman snooze set --name "Sales*" --for 2h --reason "the database is being moved"',
})

export const SNOOZE_LIFT = remote({ name: 'lift', arguments: '<id>', description: 'end a snooze' })

export const SETTINGS_SHOW = remote({
  name: 'show',
  arguments: '<kind> <name>',
  description: 'show a setting, its value as it would stand in the file',
})

export const SETTINGS_HISTORY = remote({
  name: 'history',
  arguments: '<kind> <name>',
  description: 'list the changes of one setting, newest first',
  options: FORM,
})

const DRY_RUN = option('--dry-run', 'only check it')

export const SETTINGS_SET = remote({
  name: 'set',
  arguments: '<kind> <name> [file]',
  description: 'create or change a setting; its value in YAML or JSON comes from a file, or from standard input',
  options: [
    option('-f, --file <file>', 'the file with the value; - or none = standard input'),
    DRY_RUN,
    parsed(
      '--revision <n>',
      'only if it is at this revision (default: the one that is there now)',
      toCount(1_000_000_000),
    ),
  ],
  help: `
Examples
  echo '{type: slack, webhookURL: "https://..."}' | footman settings set destination finance
  footman settings set rule finance -f rule.yaml`,
})

export const SETTINGS_DELETE = remote({
  name: 'delete',
  arguments: '<kind> <name>',
  description: 'delete a stored setting that nothing uses',
  options: [DRY_RUN],
})

export const SETTINGS_RESTORE = remote({
  name: 'restore',
  arguments: '<kind> <name> <revision>',
  description: 'bring a setting back to an earlier revision; 0 = before it was made',
})

export const SETTINGS_ADOPT = remote({
  name: 'adopt',
  arguments: '<kind> <names...>',
  description: 'store settings of the configuration file, and print the lines to delete from it',
  options: [DRY_RUN],
  help: `
The file is not written, and wins until the lines are deleted and it is read again.

Example
  footman settings adopt destination finance`,
})

export const SETTINGS_EXPORT = remote({
  name: 'export',
  description: 'print the stored settings as YAML, without secrets',
  options: [option('--kind <kind>', 'only these: destination, rule, calendar, ...')],
})

export const SETTINGS_IMPORT = remote({
  name: 'import',
  arguments: '[file]',
  description: 'store the settings of an export; all of them, or none; without a file those on standard input',
  options: [DRY_RUN],
  help: '\nExample\n  footman settings import --dry-run settings.yaml',
})
