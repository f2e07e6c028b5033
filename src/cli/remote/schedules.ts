/** `footman schedules add`, `edit`, `start`, `stop`, `delete`, `preview` and `run`. */

import { randomUUID } from 'node:crypto'
import type { AnswerOf } from '../../http/endpoint/contract.ts'
import { ownJson } from '../../platform/json.ts'
import { isGuid } from '../../platform/uuid.ts'
import { createZoneTimes } from '../../platform/zone-times.ts'
import {
  CHANGE_SCHEDULE,
  CREATE_SCHEDULE,
  DELETE_SCHEDULE,
  PREVIEW_SCHEDULE,
  RUN_SCHEDULE,
  START_SCHEDULE,
  STOP_SCHEDULE,
  type StoredSchedule,
} from '../../tasks/schedule/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { zonedTimeText } from '../time.ts'
import { CommandFailure, type Remote, type RemoteOptions, withRemote } from './client.ts'
import type { SCHEDULE_ADD, SCHEDULE_PREVIEW } from './commands.ts'
import { scheduleId, taskIdOf } from './names.ts'
import { NO_SCHEDULE } from './options.ts'

const switchOf = (name: string): string =>
  `is Butler.restServerEndpointsEnable.scheduler.${name} true, and was Footman restarted since?`

export function runSchedulePreview(
  cron: string,
  options: OptionsOf<typeof SCHEDULE_PREVIEW>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { timezone = (await remote.times()).timezone, count } = options
    const body = { cronSchedule: cron, timezone, count }
    const call = { body, switchedOff: switchOf('getSchedule'), what: 'schedules preview' }
    const coming = await remote.ask(PREVIEW_SCHEDULE, call).catch(withOwnLines)
    if (options.json) io.out(JSON.stringify(coming))
    else {
      const times = createZoneTimes(timezone)
      // An older Footman has none.
      for (const warning of coming.warnings ?? []) io.err(`warning: cannot be read: ${warning}`)
      io.out([coming.text, ...coming.next.map((at) => zonedTimeText(at, times))].join('\n'))
    }
    return EXIT.ok
  })
}

/** Throws the failure with its marks below the expression again. */
function withOwnLines(error: unknown): never {
  if (!(error instanceof CommandFailure)) throw error
  const { exitCode, what, message, status } = error
  const [, before, lines] = /^([^\n]*?): ([^\n]*\n[\s\S]*)$/.exec(message) ?? []
  throw new CommandFailure(exitCode, what, lines === undefined ? message : `${before}\n${lines}`, status)
}

export function runScheduleRun(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const text = await remote.text(RUN_SCHEDULE, {
      params: { id: await scheduleId(remote, id) },
      idempotencyKey: randomUUID(),
      what: `schedule ${id}`,
      switchedOff: switchOf('startSchedule'),
      missing: NO_SCHEDULE,
    })
    io.out(options.json ? text : `run ${ownJson<AnswerOf<typeof RUN_SCHEDULE>>(text).runId}`)
    return EXIT.ok
  })
}

type ScheduleOptions = OptionsOf<typeof SCHEDULE_ADD>

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
    const call = { body: body as never, switchedOff: switchOf('createNewSchedule'), what: 'schedules add' }
    const text = await remote.text(CREATE_SCHEDULE, call).catch(withOwnLines)
    io.out(options.json ? text : `Created: ${ownJson<StoredSchedule>(text).id}`)
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
    const params = { id: await scheduleId(remote, id) }
    const call = { params, body, what: `schedule ${id}`, switchedOff: switchOf('updateSchedule') }
    const text = await remote.text(CHANGE_SCHEDULE, call).catch(unknownOrRefused)
    io.out(options.json ? text : `Changed: ${id}`)
    return EXIT.ok
  })
}

const CHANGES = {
  start: { contract: START_SCHEDULE, switch: 'startSchedule', done: 'Started' },
  stop: { contract: STOP_SCHEDULE, switch: 'stopSchedule', done: 'Stopped' },
  delete: { contract: DELETE_SCHEDULE, switch: 'deleteSchedule', done: 'Deleted' },
} as const

/** Starts, stops or deletes a schedule. */
export function runScheduleChange(
  verb: keyof typeof CHANGES,
  typed: string,
  options: RemoteOptions,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { contract, done, switch: name } = CHANGES[verb]
    const id = await scheduleId(remote, typed)
    const call = { params: { id }, what: `schedule ${typed}`, switchedOff: switchOf(name) }
    const text = await remote.text(contract, call).catch(unknownOrRefused)
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

/** Throws the failure of a change of one schedule. The API answers 400 about an unknown one, as Butler does: here that is exit code 3. */
function unknownOrRefused(error: unknown): never {
  if (!(error instanceof CommandFailure)) throw error
  const isUnknown =
    error.status === 400 && /^(?:Bad Request: )?REST SCHEDULER: [^:]*\(status 400\)$/.test(error.message)
  if (isUnknown) throw new CommandFailure(EXIT.missing, error.what, NO_SCHEDULE.why)
  return withOwnLines(error)
}
