/** Commands that talk to a running Footman, and the options that several of them have. */
import type { Command } from 'commander'
import { command, type Declared, type Flag, option, parsed, preset } from '../command.ts'
import { CONNECTION } from '../help.ts'
import { processIo, toNumber, toTimeout, whole } from '../io.ts'
import { TIME_FORMS, toTime } from '../time.ts'

const DEFAULT_TIMEOUT_MS = 30_000

const REACH = [
  option('--json', 'print JSON'),
  option('-c, --configfile <file>', 'configuration file of the Footman on this machine').helpGroup(CONNECTION),
  option('--url <url>', 'address of the REST API (default: $FOOTMAN_URL, that of -c, http://localhost:8080)').helpGroup(
    CONNECTION,
  ),
  option(
    '--key <key>',
    'deprecated, as the list of processes shows it: API key (default: $FOOTMAN_KEY; on this machine the local key)',
  ).helpGroup(CONNECTION),
  preset('--timeout <time>', 'give up a call after this time', toTimeout, DEFAULT_TIMEOUT_MS, '30s').helpGroup(
    CONNECTION,
  ),
] as const

const KEY_IS_VISIBLE =
  'warning: --key is deprecated: the list of processes shows the key to every account of this machine. Set FOOTMAN_KEY instead; on the machine of Footman neither is needed.'

/** Declares a command that talks to a running Footman: it can print JSON, and takes the options of the connection. */
export const remote = <const Arguments extends string = '', const Flags extends readonly Flag[] = []>(
  declared: Declared<Arguments, Flags>,
) =>
  command({
    ...declared,
    options: [...REACH, ...((declared.options ?? []) as Flags)],
    before(called) {
      called.setOptionValue('command', typedName(called))
      if (called.opts<{ key?: string }>().key !== undefined) processIo.err(KEY_IS_VISIBLE)
    },
  })

/** `kv export`. */
function typedName(called: Command): string {
  const { parent } = called
  return parent?.parent ? `${typedName(parent)} ${called.name()}` : called.name()
}

/** The options of every command that prints a listing. */
export const FORM = [
  option('--wide', 'show all columns, with whole ids and texts'),
  option('--utc', 'show times in UTC'),
] as const

/** The options of a list by time. */
export const PERIOD = [
  parsed('--from <time>', `since this time: ${TIME_FORMS}`, toTime),
  parsed('--to <time>', 'until this time', toTime),
] as const

export const limit = (value: number, most: number) => preset('--limit <n>', 'at most this many', toCount(most), value)

/** The parser of a number from 1 to `most`. */
export const toCount = (most: number) =>
  toNumber(whole(1, most), (text) => `"${text}" is not a number from 1 to ${most}`)

export const SCHEDULE_EXIT_CODES = `
Exit codes
  0 done             2 Footman cannot be reached, or refuses
  1 wrong arguments  3 there is no such schedule`

export const NO_SCHEDULE = {
  code: 'SCHEDULE_NOT_FOUND',
  why: 'there is no schedule with this id; list them with: footman schedules list',
} as const
