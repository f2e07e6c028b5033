/** `footman execution`: shows an execution, and follows it if wanted. */
import { isGuid } from '../../platform/uuid.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { CommandFailure } from './failure.ts'
import { type ExecutionView, follow, scriptLog } from './follow.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { span, table } from './table.ts'

export interface ExecutionOptions extends RemoteOptions {
  /** Seconds; true = as long as it takes, up to 24 h. */
  readonly wait?: number | true
  readonly log?: boolean
}

const LONGEST_WAIT_S = 24 * 3600

export function runExecution(id: string, options: ExecutionOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { wait, json, log } = options
    const what = `execution ${id}`
    if (!isGuid(id)) throw new CommandFailure(EXIT.badInput, what, 'an execution id is a GUID')
    const seconds = wait === true ? LONGEST_WAIT_S : (wait ?? 0)
    const found = await follow(remote, id, Date.now() + seconds * 1000)
    if (!found) throw new CommandFailure(EXIT.missing, what, 'neither Qlik Sense nor Footman knows it')
    const { view, text } = found
    io.out(json ? text : describe(view))
    if (log) (json ? io.err : io.out)((await scriptLog(remote, view)) ?? '(there is no script log)')
    return executionExitCode(view, wait !== undefined)
  })
}

/** What still runs is a matter of time only for those who wanted to wait. */
export function executionExitCode(
  { state, outcome }: Pick<ExecutionView, 'state' | 'outcome'>,
  waited: boolean,
): number {
  if (state !== 'finished') return waited ? EXIT.timeOver : EXIT.ok
  return outcome === 'success' ? EXIT.ok : EXIT.failed
}

function describe(view: ExecutionView): string {
  const rows: [string, string | null][] = [
    [view.kind === 'task' ? 'Task' : 'App', view.taskName ?? view.appName],
    ['Execution', view.executionId],
    ['State', [view.state, view.outcome, `(${view.statusText})`].filter(Boolean).join(' ')],
    ['Waited', span(view.queueMs)],
    ['Ran', span(view.runMs)],
    ['Attempts', view.attempts > 1 ? String(view.attempts) : null],
    ['Error', view.error],
  ]
  return table(rows.flatMap(([name, value]) => (value ? [[name, value]] : [])))
}
