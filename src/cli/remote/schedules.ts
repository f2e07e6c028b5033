/** `footman schedules preview` and `run`. */
import { randomUUID } from 'node:crypto'
import { type CommandIo, EXIT } from '../io.ts'
import { CommandFailure, found, type RemoteOptions, withRemote } from './client.ts'
import { NO_SCHEDULE } from './lists.ts'
import { scheduleId } from './names.ts'

export interface PreviewOptions extends RemoteOptions {
  /** Default: that of this computer. */
  readonly timezone?: string
  readonly count: number
}

const SWITCHED_OFF = 'is Butler.restServerEndpointsEnable.scheduler.getSchedule true?'
const RUN_SWITCHED_OFF = 'is Butler.restServerEndpointsEnable.scheduler.startSchedule true?'

export function runSchedulePreview(cron: string, options: PreviewOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { timezone = Intl.DateTimeFormat().resolvedOptions().timeZone, count } = options
    const body = { cronSchedule: cron, timezone, count }
    const call = { method: 'POST', path: '/v4/schedules/preview', body, switchedOff: SWITCHED_OFF } as const
    const { text } = await remote.call({ ...call, what: 'schedules preview' }).catch((error: unknown) => {
      throw error instanceof CommandFailure ? withOwnLines(error) : error
    })
    if (options.json) io.out(text)
    else {
      const coming = JSON.parse(text) as { next: readonly string[]; text: string }
      io.out([coming.text, ...coming.next].join('\n'))
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
