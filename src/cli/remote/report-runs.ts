/** `footman reports start`, `plan` and `log`. */

import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { ownJson } from '../../platform/json.ts'
import { visible } from '../../platform/visible.ts'
import {
  PLAN_TASK,
  type Plan,
  type PlanProblem,
  RUN,
  RUN_LOG,
  type Run,
  START_TASKS,
  type Started,
} from '../../reports/runs/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { listing, span } from '../table.ts'
import { CommandFailure, type Remote, type RemoteOptions, withRemote } from './client.ts'
import { LONGEST_WAIT_S } from './execution.ts'
import { REPORTS_OFF } from './list-parts.ts'
import { wholeId } from './names.ts'
import type { REPORTS_PLAN, REPORTS_START } from './report-commands.ts'
import { reportTaskId } from './reports.ts'

const START = 'reports start'

/** Exit code 3 when a task is unknown or was not started; with `wait` 4 when a run failed, 5 when one has not ended. */
export function runReportsStart(
  tasks: readonly string[],
  options: OptionsOf<typeof REPORTS_START>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { test, dryRun = false, force = false, ignoreConditions = false, wait, json } = options
    const taskId: string[] = []
    for (const typed of tasks) taskId.push(await reportTaskId(remote, typed))
    const answer = await remote.ask(START_TASKS, {
      body: { taskId, force, dryRun, ignoreConditions, ...(test !== undefined && { test: true, testAddress: test }) },
      idempotencyKey: randomUUID(),
      what: START,
      switchedOff: REPORTS_OFF,
    })
    const { tasksStarted, tasksNotFound, tasksSkipped } = answer
    const say = (line: string): void => {
      if (!json) io.out(line)
    }
    for (const { taskName, status, runId } of tasksStarted)
      say(visible(`${STARTED[status]}: ${taskName}, run ${runId}`))
    for (const { taskName, code } of tasksSkipped) io.err(visible(`error: ${taskName}: ${notStarted(code)}`))
    for (const id of tasksNotFound) io.err(`error: ${id}: no report task has this id`)
    const refused = tasksSkipped.length + tasksNotFound.length > 0 ? EXIT.missing : EXIT.ok
    if (wait === undefined) {
      if (json) io.out(JSON.stringify(answer))
      return refused
    }
    const runs = await followed(remote, tasksStarted, wait, io, say)
    if (json) io.out(JSON.stringify({ ...answer, runs }, null, 2))
    if (runs.length < tasksStarted.length || runs.some(({ state }) => state !== 'finished')) return EXIT.timeOver
    return runs.some(({ outcome }) => outcome === 'error' || outcome === 'cancelled') ? EXIT.failed : refused
  })
}

const STARTED = { started: 'Started', queued: 'Queued', merged: 'Waits already' } as const

const WHY_NOT: Readonly<Record<string, string>> = {
  TASK_DISABLED: 'the task is switched off; --force starts it all the same',
  TASK_BUSY: 'a run of it is under way, and run.whenBusy is skip',
  QUEUE_FULL: 'too many runs wait already',
}
const notStarted = (code: string): string => `was not started: ${WHY_NOT[code] ?? code}`

/** The runs as they are in the end; shorter when they cannot be followed, so that nothing is started a second time. */
async function followed(
  remote: Remote,
  started: Started['tasksStarted'],
  wait: number | true,
  io: CommandIo,
  say: (text: string) => void,
): Promise<readonly Run[]> {
  const until = Date.now() + (wait === true ? LONGEST_WAIT_S : wait) * 1000
  const runs: Run[] = []
  for (const { runId } of started) {
    try {
      const run = await ended(remote, runId, until, say)
      say(run.state === 'finished' ? resultOf(run) : visible(`${run.taskName}: time over, still ${run.state}`))
      runs.push(run)
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error
      io.err(visible(`error: ${START}: the tasks were started, but cannot be followed: ${error.message}`))
      return runs
    }
  }
  return runs
}

const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [100, 2000]

/** The run when it has ended or the time (Unix, in ms) is over; `say` gets a line for each change of its state. */
async function ended(remote: Remote, runId: string, until: number, say: (line: string) => void): Promise<Run> {
  let shown: string | null = null
  for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(LONGEST_PAUSE_MS, ms * 1.5)) {
    const run = await remote.ask(RUN, { params: { runId }, what: `run ${runId}`, insist: true })
    if (run.state === 'finished' || Date.now() >= until) return run
    if (shown !== run.state) say(visible(`${run.taskName}: ${run.state}`))
    shown = run.state
    await pause(Math.min(ms, Math.max(0, until - Date.now())))
  }
}

const COUNTS = [
  ['documents', 'document', 'documents'],
  ['mailsSent', 'mail sent', 'mails sent'],
  ['mailsFailed', 'mail failed', 'mails failed'],
  ['mailsHeld', 'mail in doubt', 'mails in doubt'],
  ['filesWritten', 'file written', 'files written'],
  ['hubItems', 'item in the hub', 'items in the hub'],
] as const
const MOST_PROBLEMS = 20

/** Outcome, counts, and a line for each reason. */
function resultOf({ id, taskName, outcome, reason, durationMs, counts, events }: Run): string {
  const made = COUNTS.flatMap(([name, one, several]) => {
    const count = counts[name]
    return count > 0 ? [`${count} ${count === 1 ? one : several}`] : []
  })
  const reasons = events.filter(({ level, code }) => level === 'warning' || level === 'error' || code === reason)
  const isSaid = reason === null || reasons.some(({ code }) => code === reason)
  const more = reasons.length - MOST_PROBLEMS
  return [
    `${visible(taskName)}: ${outcome}${durationMs === null ? '' : ` after ${span(durationMs)}`}`,
    `  ${made.join(', ') || 'nothing was made'}`,
    ...(isSaid ? [] : [`  ${reason}`]),
    ...reasons.slice(0, MOST_PROBLEMS).map((problem) => `  ${problemText(problem)}`),
    ...(more > 0 ? [`  and ${more} more: footman reports log ${id}`] : []),
  ].join('\n')
}

/** `warning MAIL_REJECTED, anna@company.com: Mailbox full`. */
function problemText({ level, code, report, block, recipient, details }: PlanProblem): string {
  const about = [`${level} ${code}`, report && `report ${report}`, block && `block ${block}`, recipient]
    .filter(Boolean)
    .join(', ')
  return visible(`${about}: ${details}`)
}

type PlanOptions = OptionsOf<typeof REPORTS_PLAN>

/** How long the endpoint itself waits for the engine. */
const PLAN_WAIT_MS = 60_000

export function runReportsPlan(task: string, options: PlanOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { recipient, limit, offset } = options
    const text = await remote.text(PLAN_TASK, {
      params: { taskId: await reportTaskId(remote, task) },
      query: { recipient, limit, offset },
      waitMs: PLAN_WAIT_MS,
      what: `report task "${task}"`,
      switchedOff: REPORTS_OFF,
      missing: { code: 'REPORTTASK_NOT_FOUND', why: 'no report task has this id' },
    })
    io.out(options.json ? text : planText(ownJson<Plan>(text), options, io))
    return EXIT.ok
  })
}

interface PlanRow {
  readonly to: string
  readonly by: 'mail' | 'file' | 'hub'
  readonly file: string
  readonly subject?: string
}

/** Conditions, a table with a line for each file and its receiver, problems. */
function planText(
  { conditions, skipped, problems, totals, ...plan }: Plan,
  options: PlanOptions,
  io: CommandIo,
): string {
  const rows = rowsOf(plan)
  const checked = conditions.map(({ name, met, report, cycle = {} }) => {
    const of = [...(report ? [`report ${report}`] : []), ...Object.entries(cycle).map((pair) => pair.join(' = '))]
    return visible(`Condition "${name}"${of.length > 0 ? ` (${of.join(', ')})` : ''}: ${met ? 'met' : 'not met'}`)
  })
  const table = listing<PlanRow>(
    [
      { head: 'TO', cell: ({ to }) => to, least: 20 },
      { head: 'BY', cell: ({ by }) => by },
      { head: 'FILE', cell: ({ file }) => file, least: 20 },
      { head: 'SUBJECT', cell: ({ subject = '' }) => subject, optional: true, least: 10 },
    ],
    rows,
    { wide: options.wide, width: io.columns },
  )
  const nothing = `Nothing would be sent${skipped === null ? '' : ` (${skipped})`}.`
  const parts = [
    checked,
    [Math.max(totals.mails, totals.files, totals.hub) === 0 ? nothing : table],
    moreOf(totals, options),
    problems.length > 0 ? ['Problems', ...problems.map((problem) => `  ${problemText(problem)}`)] : [],
  ]
  return parts.flatMap((lines) => (lines.length > 0 ? [lines.join('\n')] : [])).join('\n\n')
}

/** A line when one of the lists goes on. */
function moreOf(
  { mails, files, hub }: Plan['totals'],
  { limit = Number.POSITIVE_INFINITY, offset = 0 }: PlanOptions,
): readonly string[] {
  const end = offset + limit
  if (Math.max(mails, files, hub) <= end) return []
  return [`There are ${mails} mails, ${files} files and ${hub} hub items. The next ones: --offset ${end}`]
}

function rowsOf({ mails, files, hub }: Pick<Plan, 'mails' | 'files' | 'hub'>): readonly PlanRow[] {
  const ofMails = mails.flatMap(({ to, cc, bcc, subject, attachments, embedded = [], missing = [] }): PlanRow[] => {
    const copies = [cc && `cc ${cc.join(', ')}`, bcc && `bcc ${bcc.join(', ')}`].filter(Boolean).join('; ')
    const names = [
      ...embedded.map((name) => `${name} (in the body)`),
      ...attachments,
      ...missing.map((name) => `${name} (missing)`),
    ]
    const some = names.length > 0 ? names : ['- (no attachment)']
    return some.map((file) => ({ to: copies ? `${to} (${copies})` : to, by: 'mail', file, subject }))
  })
  return [
    ...ofMails,
    ...files.map(({ spaceId, path }): PlanRow => ({ to: spaceId, by: 'file', file: path })),
    ...hub.map(({ title, visibleTo }): PlanRow => ({ to: visibleTo.join(', '), by: 'hub', file: title })),
  ]
}

export function runReportsLog(typed: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const runId = await wholeId(remote, 'reportRun', typed)
    const missing = { code: 'RUN_NOT_FOUND' }
    const call = { params: { runId }, what: `run ${typed}`, switchedOff: REPORTS_OFF, missing }
    const text = await remote.text(RUN_LOG, call)
    io.out(options.json ? JSON.stringify({ runId, log: text }) : text.trimEnd() || 'The run has no log.')
    return EXIT.ok
  })
}
