/** `footman snooze set` and `lift`. */
import { LIFT_SNOOZE, type NewSnooze, SET_SNOOZE } from '../../alerts/contract.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { zonedTimeText } from '../time.ts'
import { CommandFailure, OLD, type RemoteOptions, withRemote } from './client.ts'
import type { SNOOZE_SET } from './commands.ts'
import { isBeginning, taskIdOf, wholeId } from './names.ts'

/** Field of the match by option. */
const FIELDS = {
  task: 'taskId',
  name: 'task',
  app: 'app',
  stream: 'stream',
  tag: 'taskTag',
  host: 'host',
  service: 'service',
  type: 'type',
} as const

export function runSnoozeSet(options: OptionsOf<typeof SNOOZE_SET>, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { until, untilSuccess, reason, json } = options
    const fields = Object.entries(FIELDS) as [keyof typeof FIELDS, string][]
    const task = await Promise.all(options.task.map((text) => (isGuid(text) ? text : taskIdOf(remote, text, 'snooze'))))
    const given = { ...options, task }
    const match = Object.fromEntries(
      fields.flatMap(([option, field]) => (given[option].length > 0 ? [[field, given[option]]] : [])),
    )
    if (Object.keys(match).length === 0) {
      throw new CommandFailure(EXIT.badInput, 'snooze', `say what it is about: --${Object.keys(FIELDS).join(', --')}`)
    }
    const ends = [options.for, until].filter((given) => given !== undefined)
    if (ends.length > 1 || (ends.length === 0 && !untilSuccess)) {
      throw new CommandFailure(EXIT.badInput, 'snooze', 'say how long with --for, or until when with --until')
    }
    const body = { match, for: options.for, until, untilSuccess, reason }
    // Without `dryRun` it is set.
    const snooze = (await remote.ask(SET_SNOOZE, { body, what: 'snooze', switchedOff: OLD })) as NewSnooze
    const { id, until: end } = snooze
    const most = untilSuccess ? 'it succeeds, at the latest ' : ''
    io.out(json ? JSON.stringify(snooze) : `Snoozed until ${most}${zonedTimeText(end, await remote.times())}: ${id}`)
    return EXIT.ok
  })
}

export function runSnoozeLift(typed: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const id = isBeginning(typed) ? await wholeId(remote, 'snooze', typed) : typed
    const missing = { code: 'SNOOZE_NOT_FOUND', why: `there is no snooze ${id}; it may have ended` }
    await remote.ask(LIFT_SNOOZE, { params: { id }, what: 'snooze lift', switchedOff: OLD, missing })
    io.out(options.json ? JSON.stringify({ id, lifted: true }) : `Lifted: ${id}`)
    return EXIT.ok
  })
}
