/** The form of `--help`: commands in groups, the options of the connection last, lines of 80 to 100 columns. */
import { type Command, Help, type Option } from 'commander'

/** Heading of the options with which a command finds a running Footman. */
export const CONNECTION = 'Connection:'

/** Groups of commands, in the order of the help. */
const GROUPS = {
  'Start:': ['run', 'demo'],
  'Set up:': [
    'init',
    'log-appender',
    'check',
    'doctor',
    'custom-properties',
    'test-email',
    'migrate-config',
    'service',
  ],
  'Look:': ['failures', 'events', 'deliveries', 'tasks', 'history', 'execution', 'schedules', 'routes', 'destinations'],
  'Act:': ['start-task', 'fire', 'snooze', 'kv', 'reports', 'template'],
  'Administer:': [
    'console',
    'healthcheck',
    'reload',
    'audit',
    'cluster',
    'key',
    'credential',
    'schema',
    'openapi',
    'version',
  ],
} as const

/** Group of the command `help`, which Commander adds, and the one that takes it. */
const [OWN, LAST] = ['Commands:', 'Administer:']

const ORDER = Object.values(GROUPS).flat() as readonly string[]

const [NARROWEST, WIDEST] = [80, 100]

/** Applies to all commands that are added afterwards. `columns`: width of the terminal; absent = 100. */
export function configureHelp(program: Command, columns: number | undefined): void {
  program.configureHelp({
    helpWidth: Math.min(WIDEST, Math.max(NARROWEST, columns ?? WIDEST)),
    optionDescription,
    groupItems,
  })
}

/** Puts the commands of the program into their groups. Call it when all have been added. */
export function groupCommands(program: Command): void {
  for (const [heading, names] of Object.entries(GROUPS)) {
    for (const command of program.commands) {
      if ((names as readonly string[]).includes(command.name())) command.helpGroup(heading)
    }
  }
  // Commander lists commands in the order in which they were added.
  ;(program.commands as Command[]).sort((a, b) => ORDER.indexOf(a.name()) - ORDER.indexOf(b.name()))
}

/** The empty default of an option that may be repeated is not shown. */
const optionDescription = (option: Option): string =>
  new Help().optionDescription(option).replace(/ \(default: \[\]\)$/, '')

function groupItems<Item extends Command | Option>(
  unsorted: Item[],
  visible: Item[],
  groupOf: (item: Item) => string,
): Map<string, Item[]> {
  const groups = new Help().groupItems(unsorted, visible, groupOf)
  const own = groups.get(OWN)
  const last = groups.get(LAST)
  if (own && last) {
    groups.delete(OWN)
    last.push(...own)
  }
  const connection = groups.get(CONNECTION)
  if (connection) {
    groups.delete(CONNECTION)
    groups.set(CONNECTION, connection)
  }
  return groups
}
