/** `footman schedules add`, `edit`, `start`, `stop`, `delete`, `preview` and `run`. */
import { randomUUID } from 'node:crypto'
import { isGuid } from '../../platform/uuid.ts'
import { createZoneTimes } from '../../platform/zone-times.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { zonedTimeText } from '../time.ts'
import { CommandFailure, found, type Remote, type RemoteCall, type RemoteOptions, withRemote } from './client.ts'
import { NO_SCHEDULE } from './lists.ts'
import { scheduleId, taskIdOf } from './names.ts'

export interface PreviewOptions extends RemoteOptions {
  /** Default: that of the site. */
  readonly timezone?: string
  readonly count: number
}

const SWITCHED_OFF = 'is Butler.restServerEndpointsEnable.scheduler.getSchedule true, and was Footman restarted since?'
const RUN_SWITCHED_OFF =
  'is Butler.restServerEndpointsEnable.scheduler.startSchedule true, and was Footman restarted since?'

export function runSchedulePreview(cron: string, options: PreviewOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { timezone = (await remote.times()).timezone, count } = options
    const body = { cronSchedule: cron, timezone, count }
    const call = { method: 'POST', path: '/v4/schedules/preview', body, switchedOff: SWITCHED_OFF } as const
    const { text } = await remote.call({ ...call, what: 'schedules preview' }).catch((error: unknown) => {
      throw error instanceof CommandFailure ? withOwnLines(error) : error
    })
    if (options.json) io.out(text)
    else {
      const coming = JSON.parse(text) as {
        next: readonly string[]
        text: string
        /** Absent: an older Footman. */
        warnings?: readonly string[]
      }
      const times = createZoneTimes(timezone)
      for (const warning of coming.warnings ?? []) io.err(`warning: cannot be read: ${warning}`)
      io.out([coming.text, ...coming.next.map((at) => zonedTimeText(at, times))].join('\n'))
    }
    return EXIT.ok
  })
}

/** The marks stand below the expression again. */
function withOwnLines({ exitCode, what, message, status }: CommandFailure): CommandFailure {
  const [, before, lines] = /^([^\n]*?): ([^\n]*\n[\s\S]*)$/.exec(message) ?? []
  return new CommandFailure(exitCode, what, lines === undefined ? message : `${before}\n${lines}`, status)
}

export function runScheduleRun(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const call = {
      method: 'POST',
      path: `/v4/schedules/${encodeURIComponent(await scheduleId(remote, id))}/run`,
      idempotencyKey: randomUUID(),
      what: `schedule ${id}`,
      switchedOff: RUN_SWITCHED_OFF,
    } as const
    const { text } = await found(remote, call, NO_SCHEDULE.code, NO_SCHEDULE.why)
    io.out(options.json ? text : `run ${(JSON.parse(text) as { runId: string }).runId}`)
    return EXIT.ok
  })
}

interface ScheduleOptions extends RemoteOptions {
  readonly name?: string
  readonly cron?: string
  /** Id or name. */
  readonly task?: string
  readonly timezone?: string
  readonly tag: readonly string[]
  readonly stopped?: boolean
}

const switchOf = (name: string): string =>
  `is Butler.restServerEndpointsEnable.scheduler.${name} true, and was Footman restarted since?`

/** Needs name, cron expression and task. */
export function runScheduleAdd(options: ScheduleOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const lacking = (['name', 'cron', 'task'] as const).filter((name) => options[name] === undefined)
    if (lacking.length > 0) {
      const why = `give ${lacking.map((name) => `--${name}`).join(', ')}`
      throw new CommandFailure(EXIT.badInput, 'schedules add', why)
    }
    const { timezone = (await remote.times()).timezone, stopped } = options
    const body = { ...(await membersOf(remote, options)), timezone, startupState: stopped ? 'stopped' : 'started' }
    const call = { method: 'POST', path: '/v4/schedules', body, switchedOff: switchOf('createNewSchedule') } as const
    const { text } = await remote.call({ ...call, what: 'schedules add' }).catch((error: unknown) => {
      throw error instanceof CommandFailure ? withOwnLines(error) : error
    })
    io.out(options.json ? text : `Created: ${(JSON.parse(text) as { id: string }).id}`)
    return EXIT.ok
  })
}

/** Members that no option names stay as they are. */
export function runScheduleEdit(id: string, options: ScheduleOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const body = await membersOf(remote, options)
    if (Object.keys(body).length === 0) {
      throw new CommandFailure(
        EXIT.badInput,
        'schedules edit',
        'say what to change: --name, --cron, --task, --timezone, --tag or --stopped',
      )
    }
    const path = `/v4/schedules/${encodeURIComponent(await scheduleId(remote, id))}`
    const call = { method: 'PUT', path, body, what: `schedule ${id}`, switchedOff: switchOf('updateSchedule') } as const
    const { text } = await changed(remote, call)
    io.out(options.json ? text : `Changed: ${id}`)
    return EXIT.ok
  })
}

const CHANGES = {
  start: { method: 'PUT', end: '/start', switch: 'startSchedule', done: 'Started' },
  stop: { method: 'PUT', end: '/stop', switch: 'stopSchedule', done: 'Stopped' },
  delete: { method: 'DELETE', end: '', switch: 'deleteSchedule', done: 'Deleted' },
} as const

/** Starts, stops or deletes a schedule. */
export function runScheduleChange(
  verb: keyof typeof CHANGES,
  typed: string,
  options: RemoteOptions,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { method, end, done, switch: name } = CHANGES[verb]
    const id = await scheduleId(remote, typed)
    const path = `/v4/schedules/${encodeURIComponent(id)}${end}`
    const { text } = await changed(remote, { method, path, what: `schedule ${typed}`, switchedOff: switchOf(name) })
    io.out(options.json ? text || JSON.stringify({ id, deleted: true }) : `${done}: ${id}`)
    return EXIT.ok
  })
}

async function membersOf(remote: Remote, options: ScheduleOptions): Promise<Readonly<Record<string, unknown>>> {
  const { name, cron, task, timezone, tag, stopped } = options
  const taskId = task === undefined || isGuid(task) ? task : await taskIdOf(remote, task, 'schedules')
  return {
    ...(name !== undefined && { name }),
    ...(cron !== undefined && { cronSchedule: cron }),
    ...(timezone !== undefined && { timezone }),
    ...(taskId !== undefined && { qlikSenseTaskId: taskId }),
    ...(tag.length > 0 && { tags: tag }),
    ...(stopped && { startupState: 'stopped' }),
  }
}

/** A change of one schedule. The API answers 400 about an unknown one, as Butler does: here that is exit code 3. */
async function changed(remote: Remote, call: RemoteCall) {
  return remote.call(call).catch((error: unknown) => {
    if (!(error instanceof CommandFailure)) throw error
    const isUnknown =
      error.status === 400 && /^(?:Bad Request: )?REST SCHEDULER: [^:]*\(status 400\)$/.test(error.message)
    throw isUnknown ? new CommandFailure(EXIT.missing, error.what, NO_SCHEDULE.why) : withOwnLines(error)
  })
}
