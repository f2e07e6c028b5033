/** `footman schedules`: lists, previews and runs schedules, and shows what became of their runs. */
import { randomUUID } from 'node:crypto'
import { type CommandIo, EXIT } from '../io.ts'
import { CommandFailure } from './failure.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { span, table } from './table.ts'

export interface PreviewOptions extends RemoteOptions {
  /** Default: that of this computer. */
  readonly timezone?: string
  readonly count: number
}

export interface RunsOptions extends RemoteOptions {
  readonly limit: number
}

const SWITCHED_OFF = 'is Butler.restServerEndpointsEnable.scheduler.getSchedule true?'
const RUN_SWITCHED_OFF = 'is Butler.restServerEndpointsEnable.scheduler.startSchedule true?'
const MISSING = ['SCHEDULE_NOT_FOUND']

interface ScheduleView {
  readonly id: string
  readonly name: string
  readonly cronSchedule: string
  readonly timezone: string
  readonly nextRun?: string
  readonly lastRun?: string
  readonly lastResult?: string
}

export function runSchedulesList(options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { text } = await remote.call({ path: '/v4/schedules', what: 'schedules', switchedOff: SWITCHED_OFF })
    io.out(options.json ? text : listed(JSON.parse(text) as ScheduleView[]))
    return EXIT.ok
  })
}

const LIST_HEAD = ['SCHEDULE', 'CRON', 'TIME ZONE', 'NEXT RUN', 'LAST RUN', 'LAST RESULT', 'ID']

function listed(schedules: readonly ScheduleView[]): string {
  const rows = schedules.map(({ id, name, cronSchedule, timezone, nextRun, lastRun, lastResult }) => [
    ...[name, cronSchedule, timezone, nextRun ?? 'stopped', lastRun ?? 'never', lastResult ?? '', id],
  ])
  return table([LIST_HEAD, ...rows])
}

interface RunView {
  readonly runId: string
  readonly dueAt: string
  readonly firedAt: string | null
  readonly trigger: string
  readonly state: string
  readonly outcome: string | null
  readonly reason: string | null
  readonly tasks: readonly unknown[]
  readonly detail: string | null
}

export function runScheduleRuns(id: string, options: RunsOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { status, text } = await remote.call(
      {
        ...{ path: `/v4/schedules/${encodeURIComponent(id)}/runs`, query: { limit: options.limit } },
        ...{ what: 'schedules runs', switchedOff: SWITCHED_OFF },
      },
      MISSING,
    )
    if (status === 404) throw unknown(id)
    io.out(options.json ? text : runsTable((JSON.parse(text) as { runs: RunView[] }).runs))
    return EXIT.ok
  })
}

const RUNS_HEAD = ['DUE', 'LATE', 'TRIGGER', 'STATE', 'TASKS', 'RUN', 'DETAIL']

function runsTable(runs: readonly RunView[]): string {
  const rows = runs.map(({ runId, dueAt, firedAt, trigger, state, outcome, reason, tasks, detail }) => [
    ...[dueAt, firedAt === null ? '' : span(Math.max(0, Date.parse(firedAt) - Date.parse(dueAt))), trigger],
    ...[outcome ?? reason ?? state, String(tasks.length), runId, detail ?? ''],
  ])
  return table([RUNS_HEAD, ...rows])
}

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
    const { status, text } = await remote.call(
      {
        ...{ method: 'POST', path: `/v4/schedules/${encodeURIComponent(id)}/run`, idempotencyKey: randomUUID() },
        ...{ what: 'schedules run', switchedOff: RUN_SWITCHED_OFF },
      },
      MISSING,
    )
    if (status === 404) throw unknown(id)
    io.out(options.json ? text : `run ${(JSON.parse(text) as { runId: string }).runId}`)
    return EXIT.ok
  })
}

const unknown = (id: string): CommandFailure =>
  new CommandFailure(
    EXIT.missing,
    `schedule ${id}`,
    'there is no schedule with this id; list them with: footman schedules list',
  )
