/** `footman snooze`: sets, lists and lifts snoozes. */
import { type CommandIo, EXIT } from '../io.ts'
import { newest, OLD } from './events.ts'
import { CommandFailure } from './failure.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { table } from './table.ts'

export interface SnoozeSetOptions extends RemoteOptions {
  readonly task: readonly string[]
  readonly name: readonly string[]
  readonly app: readonly string[]
  readonly stream: readonly string[]
  readonly tag: readonly string[]
  readonly host: readonly string[]
  readonly service: readonly string[]
  readonly type: readonly string[]
  readonly for?: string
  readonly until?: string
  readonly reason?: string
}

interface SnoozeView {
  readonly id: string
  readonly match: Readonly<Record<string, unknown>>
  readonly from: string
  readonly until: string
  readonly reason: string
  readonly createdBy: string
  readonly suppressed: number
}

/** Field of the match by option. */
const FIELDS = {
  ...{ task: 'taskId', name: 'task', app: 'app', stream: 'stream' },
  ...{ tag: 'taskTag', host: 'host', service: 'service', type: 'type' },
} as const

export function runSnoozeSet(options: SnoozeSetOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { until, reason, json } = options
    const fields = Object.entries(FIELDS) as [keyof typeof FIELDS, string][]
    const match = Object.fromEntries(
      fields.flatMap(([option, field]) => (options[option].length > 0 ? [[field, options[option]]] : [])),
    )
    if (Object.keys(match).length === 0) {
      throw new CommandFailure(EXIT.badInput, 'snooze', `say what it is about: --${Object.keys(FIELDS).join(', --')}`)
    }
    if ((options.for === undefined) === (until === undefined)) {
      throw new CommandFailure(EXIT.badInput, 'snooze', 'say how long with --for, or until when with --until')
    }
    const body = { match, for: options.for, until, reason }
    const { text } = await remote.call({
      ...{ method: 'POST', path: '/v4/snoozes', body, what: 'snooze', switchedOff: OLD },
    })
    const snooze = JSON.parse(text) as SnoozeView
    io.out(json ? text : `Snoozed until ${snooze.until}: ${snooze.id}`)
    return EXIT.ok
  })
}

export function runSnoozeList(options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const snoozes = await newest<SnoozeView>(remote, '/v4/snoozes', 'snoozes', {}, Number.MAX_SAFE_INTEGER)
    const rows = snoozes.map(({ until, match, suppressed, createdBy, reason, id }) => [
      ...[until, JSON.stringify(match), String(suppressed), createdBy, reason, id],
    ])
    const head = ['UNTIL', 'MATCH', 'HELD BACK', 'BY', 'REASON', 'ID']
    io.out(options.json ? JSON.stringify({ snoozes, nextCursor: null }, null, 2) : table([head, ...rows]))
    return EXIT.ok
  })
}

export function runSnoozeLift(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const call = { method: 'DELETE', path: `/v4/snoozes/${encodeURIComponent(id)}`, what: 'snooze lift' } as const
    const { status } = await remote.call({ ...call, switchedOff: OLD }, ['SNOOZE_NOT_FOUND'])
    if (status === 404) throw new CommandFailure(EXIT.missing, call.what, `there is no snooze ${id}; it may have ended`)
    io.out(options.json ? JSON.stringify({ id, lifted: true }) : `Lifted: ${id}`)
    return EXIT.ok
  })
}
