/** The commands that need no running Footman, and those beside them in their groups. */
import { TARGETS } from '../alerts/templates/escape.ts'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../events/kinds.ts'
import { chosen, command, option, parsed, preset, required } from './command.ts'
import { toNumber, toTimeout, whole } from './io.ts'
import { remote } from './remote/options.ts'

const CONFIG_FILE = option('-c, --configfile <file>', 'configuration file')

export const DEMO = command({
  name: 'demo',
  description: 'run against a built-in simulated Qlik Sense site; needs no configuration and no network',
  options: [
    parsed(
      '--port <n>',
      'port of the REST API (default: 8080, or a free one)',
      toNumber(whole(0, 65535), (text) => `"${text}" is not a port (0-65535)`),
    ),
    parsed(
      '--duration <seconds>',
      'stop by itself after this time',
      toNumber(
        (seconds) => Number.isFinite(seconds) && seconds > 0,
        (text) => `"${text}" is not a number of seconds`,
      ),
    ),
    option('-l, --loglevel <level>', 'also show log lines of this level and above'),
    parsed(
      '--nodes <n>',
      'several nodes over a PostgreSQL that is installed, 2 to 5, whose leader you can kill',
      toNumber(whole(2, 5), () => 'it must be 2 to 5'),
    ),
  ],
})

export const CHECK = command({
  name: 'check',
  description: 'validate a configuration file: every problem with file, line, path and hint',
  options: [
    CONFIG_FILE,
    option('--json', 'problems as JSON'),
    option('--paths', 'also list where every path of the file leads, and whether that exists'),
    option('--no-qs-connection', 'check for a run without Qlik Sense'),
  ],
  help: `
An error forbids the start, or keeps one feature off while the rest runs; then it says which one
stays off. Warnings change nothing about the start.

Exit codes
  0 no errors; 1 an error forbids the start; 3 errors keep features off

Example
  footman check -c footman.yaml`,
})

export const HEALTHCHECK = command({
  name: 'healthcheck',
  description: 'ask the running Footman of a configuration file whether it is healthy; exit code 1 when it is not',
  options: [CONFIG_FILE],
  help: `
Prints healthy, degraded or unhealthy, and the parts that are down or degraded. The exit code
of degraded is 0. Asks the health listener (Butler.dockerHealthCheck), or the REST API where
that is off: for service managers, monitoring and the health checks of containers.

Example
  footman healthcheck -c footman.yaml`,
})

export const TEST_EMAIL = command({
  name: 'test-email',
  arguments: '<address>',
  argument: 'who gets the mail',
  description: 'send one test mail and print what the mail server says',
  options: [CONFIG_FILE, option('--from <address>', 'sender (default: that of the alerts about failed reloads)')],
})

export const SCHEMA = command({
  name: 'schema',
  description: 'print the JSON Schema of the configuration file',
})

export const OPENAPI = command({
  name: 'openapi',
  description: 'print the description of the REST API (OpenAPI 3.1): every endpoint, or those of a configuration file',
  options: [CONFIG_FILE, option('--yaml', 'as YAML')],
})

export const CUSTOM_PROPERTIES = command({
  name: 'custom-properties',
  arguments: '[name...]',
  argument: 'only these (default: all that the configuration uses)',
  description: 'list the custom properties that a configuration uses, and create what Qlik Sense lacks',
  options: [
    CONFIG_FILE,
    option('--create', 'create missing properties and values'),
    option('--optional', 'with --create: also properties that nothing depends on'),
    option('--dry-run', 'with --create: only say what would be done'),
    option('-y, --yes', 'with --create: do not ask'),
    option('--no-qs-connection', 'only list what is needed, without asking Qlik Sense'),
    option('--wide', 'show whole texts, however long'),
    option('--json', 'as JSON'),
    preset('--timeout <time>', 'time that Qlik Sense may take to answer', toTimeout, 30_000, '30s'),
  ],
  help: `
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
  footman custom-properties retryPolicy -c footman.yaml --create`,
})

export const MIGRATE_CONFIG = command({
  name: 'migrate-config',
  arguments: '<file>',
  argument: 'configuration file of an older Butler, or of the examples in its manuals',
  description: 'write an older layout of the configuration in the present one; comments are kept',
  options: [
    option('--output <file>', 'write this file instead of standard output'),
    option('--in-place', 'replace the file; the old one is kept beside it as FILE.old'),
    option('--force', 'overwrite the file of --output, or an older FILE.old'),
  ],
  help: `
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
  footman migrate-config butler.yaml --in-place`,
})

export const CLUSTER_SQL = command({
  name: 'sql',
  description: 'print the SQL that the administrator of the database runs',
  options: [CONFIG_FILE, option('--migrate', 'the tables instead of role, database and schemas')],
  help: `
Prints SQL with the names of Butler.footman.cluster, or the usual ones without a configuration
file; nothing is connected to. Without --migrate: role, database, schemas and the line of
pg_hba.conf, once. With --migrate: the tables, for sites where the role of the nodes may not
make any; run it before the first start and before each upgrade.

Examples
  footman cluster sql -c footman.yaml
  footman cluster sql -c footman.yaml --migrate > tables.sql`,
})

export const CLUSTER_STATUS = remote({
  name: 'status',
  description: 'show the nodes, who leads, and what is wrong',
  help: '\nExit code 0: a node leads and the database answers; 2: not.',
})

export const CLUSTER_STEP_DOWN = remote({
  name: 'step-down',
  description: 'let another node lead, before an upgrade of the leader',
  help: '\nWaits until another node leads, at most 30 seconds.',
})

export const CLUSTER_LEAVE = remote({
  name: 'leave',
  description: 'wait until this node has everything, to go on as a single node',
  help: '\nAfterwards set Butler.footman.cluster.enable: false and restart this node.',
})

export const CLUSTER_REMOVE = remote({
  name: 'remove',
  arguments: '<name>',
  description: 'take a node that is gone off the list',
  help: '\nStop it first: a node that runs comes back with its next sign of life.',
})

export const TEMPLATE_PREVIEW = remote({
  name: 'preview',
  arguments: '<template>',
  description: 'render a template file, or a built-in template, with a sample or an event',
  options: [
    chosen('--type <type>', 'sample of this kind (default: reload)', EVENT_TYPES),
    chosen('--outcome <outcome>', 'sample with this outcome (default: failed)', EVENT_OUTCOMES),
    option('--event <id>', 'an event of a running Footman instead of a sample'),
    chosen('--as <target>', 'what the template makes (default: by name and content)', TARGETS),
    preset(
      '--lines <n>',
      'first and last rows of the script log (default: 15)',
      toNumber(whole(0, 10_000), (text) => `"${text}" is not a number of rows`),
      15,
    ),
    option('--output <file>', 'write this file instead of standard output'),
  ],
  help: `
Exit codes
  0 rendered                              2 Footman cannot be reached
  1 wrong arguments or no such template   3 the template has an error, or there is no such event

Examples
  footman template preview email/alert --type service --outcome stopped --output mail.html`,
})

export const TEMPLATE_SHOW = command({
  name: 'show',
  arguments: '<template>',
  description: 'print the source of a built-in template, as a start for your own',
})

export const KEY_CREATE = command({
  name: 'create',
  description: 'make a key and print it with its entry in the configuration',
  options: [
    required('--id <name>', 'name of the key in the log and the audit'),
    required('--scope <scope...>', 'what it may do, like task:run; several are allowed'),
    option('--tag <tag...>', 'only tasks with one of these tags may be started'),
    option('--namespace <glob...>', 'only these key-value namespaces may be used'),
    option('--expires <date>', 'last day, or the time at which it ends'),
    option('--json', 'print id, key and hash as JSON'),
  ],
})

export const KEY_HASH = command({
  name: 'hash',
  description: 'print the hash of the key on standard input',
})

export const CREDENTIAL_SET = command({
  name: 'set',
  arguments: '<name>',
  description: 'keep a secret outside the configuration file, which then names it as credential:NAME',
  options: [option('--account <account...>', 'Windows accounts that may read it, like that of the service')],
  help: `
Asks for the value without showing it, or reads it from standard input. On Windows it is
encrypted for this computer and readable by the system, administrators and the accounts given
with --account only. Elsewhere the command prints how systemd or a file keeps it.

Examples
  footman credential set smtp-password
  footman credential set smtp-password --account "ACME\\svc-footman"
  type password.txt | footman credential set smtp-password`,
})

export const CREDENTIAL_LIST = command({
  name: 'list',
  description: 'list the names of the secrets that are kept, and those that a configuration uses',
  options: [CONFIG_FILE, option('--json', 'as JSON')],
  help: `
Exit codes
  0 all there   1 the configuration cannot be read   3 the configuration names one that is not there

Examples
  footman credential list
  footman credential list -c footman.yaml`,
})

export const CREDENTIAL_REMOVE = command({
  name: 'remove',
  arguments: '<name>',
  description: 'remove a secret that Footman keeps',
  help: '\nExamples\n  footman credential remove smtp-password',
})

export const VERSION_COMMAND = command({
  name: 'version',
  description: 'print version, commit, platform and runtime of this executable',
  options: [option('--json', 'as JSON')],
  help: `
Examples
  footman version
  footman version --json`,
})
