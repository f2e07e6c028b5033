/** `footman execution`: shows an execution and follows it, until it is final or the time is over. */
import { ownJson } from '../../platform/json.ts'
import { EXECUTION, EXECUTION_LOG, type Execution } from '../../tasks/executions/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { facts, span } from '../table.ts'
import { absent, CommandFailure, type Remote, withRemote } from './client.ts'
import type { EXECUTION_COMMAND } from './commands.ts'
import { wholeId } from './names.ts'

/** How long a command waits when no time is given. */
export const LONGEST_WAIT_S = 24 * 3600

export function runExecution(
  typed: string,
  options: OptionsOf<typeof EXECUTION_COMMAND>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { wait, json, log } = options
    const what = `execution ${typed}`
    const id = await wholeId(remote, 'execution', typed)
    const seconds = wait === true ? LONGEST_WAIT_S : (wait ?? 0)
    const found = await follow(remote, id, Date.now() + seconds * 1000)
    if (!found) throw new CommandFailure(EXIT.missing, what, 'neither Qlik Sense nor Footman knows it')
    const { view, text } = found
    io.out(json ? text : describe(view))
    if (log) (json ? io.err : io.out)((await scriptLog(remote, view)) ?? '(there is no script log)')
    return executionExitCode(view, wait !== undefined)
  })
}

/** Time is over only for a command that waited. */
export function executionExitCode({ state, outcome }: Pick<Execution, 'state' | 'outcome'>, waited: boolean): number {
  if (state !== 'finished') return waited ? EXIT.timeOver : EXIT.ok
  return outcome === 'success' ? EXIT.ok : EXIT.failed
}

function describe(view: Execution): string {
  return facts([
    [view.kind === 'task' ? 'Task' : 'App', view.taskName ?? view.appName],
    ['Execution', view.executionId],
    ['State', [view.state, view.outcome, `(${view.statusText})`].filter(Boolean).join(' ')],
    ['Waited', span(view.queueMs)],
    ['Ran', span(view.runMs)],
    ['Attempts', view.attempts > 1 ? String(view.attempts) : null],
    ['Error', view.error],
  ])
}

/** One answer waits no longer than this, as proxies on the way may give up. */
const LONGEST_CALL_S = 25

const MISSING = 'EXECUTION_NOT_FOUND'

/** Null for an unknown id. Asks at least once; `deadline` in milliseconds since 1970. */
export async function follow(
  remote: Remote,
  id: string,
  deadline: number,
): Promise<{ readonly view: Execution; readonly text: string } | null> {
  for (;;) {
    const left = Math.max(0, deadline - Date.now())
    const wait = Math.min(LONGEST_CALL_S, Math.ceil(left / 1000))
    const call = { params: { executionId: id }, query: { wait }, waitMs: wait * 1000, what: `execution ${id}` }
    const text = await remote.text(EXECUTION, { ...call, insist: true, missing: { code: MISSING } }).catch(absent)
    if (text === null) return null
    const view = ownJson<Execution>(text)
    if (view.state === 'finished' || Date.now() >= deadline) return { view, text }
  }
}

/** Qlik Sense stores the log of a reload a moment after its end. */
const LOG_COMES_WITHIN_MS = 10_000
const LOG_PAUSE_MS = 500

/** Null when there is none. */
export async function scriptLog(remote: Remote, { executionId, taskType, state }: Execution): Promise<string | null> {
  const missing = { code: [MISSING, 'LOG_NOT_AVAILABLE'] }
  const call = { params: { executionId }, what: `script log of ${executionId}`, insist: true, missing } as const
  const patience = taskType === 'reload' && state === 'finished' ? LOG_COMES_WITHIN_MS : 0
  const end = Date.now() + patience
  for (;;) {
    const text = await remote.text(EXECUTION_LOG, call).catch(absent)
    if (text !== null) return text
    if (Date.now() >= end) return null
    await new Promise((resolve) => setTimeout(resolve, LOG_PAUSE_MS))
  }
}
