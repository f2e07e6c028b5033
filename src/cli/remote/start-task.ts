/** `footman start-task`: starts tasks and, if wanted, follows them to their end. */
import type { CallOf } from '../../http/endpoint/contract.ts'
import { NAMESPACES } from '../../kv/contract.ts'
import { isGuid, uuidV7 } from '../../platform/uuid.ts'
import { visible } from '../../platform/visible.ts'
import { EXECUTION, type Execution, type ExecutionSummary, TASKS } from '../../tasks/executions/contract.ts'
import {
  type Denied,
  type ObjectAnswer,
  type QueuedTasks,
  START_TASKS,
  type StartedTask,
} from '../../tasks/start/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { span } from '../table.ts'
import { CommandFailure, type Remote, withRemote } from './client.ts'
import type { START_TASK } from './commands.ts'
import { follow, LONGEST_WAIT_S, scriptLog } from './execution.ts'

export type StartTaskOptions = OptionsOf<typeof START_TASK>

const WHAT = 'start-task'

/** `tasks` = ids and names. */
export function runStartTask(tasks: readonly string[], options: StartTaskOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, (remote) => startTasks(remote, tasks, options, io))
}

async function startTasks(
  remote: Remote,
  tasks: readonly string[],
  options: StartTaskOptions,
  io: CommandIo,
): Promise<number> {
  const { tag, property, name, match, maxConcurrent, wait, kv } = options
  const ids = tasks.filter(isGuid)
  const names = tasks.filter((task) => !isGuid(task))
  if ([...tasks, ...tag, ...property, ...name].length === 0) {
    throw new CommandFailure(EXIT.badInput, WHAT, 'name what to start: task ids or names, --tag, --property or --name')
  }
  const keyValueStore = kv.map(pairOf)
  if (wait !== undefined) await requireReading(remote)
  if (keyValueStore.length > 0) await requireStore(remote)
  const resolved = await resolveNames(remote, names)
  const selectors = {
    taskId: [...ids, ...resolved.ids],
    ...(tag.length > 0 && { tag }),
    ...(property.length > 0 && { customProperty: property.map(propertyOf) }),
    ...((name.length > 0 || resolved.plain.length > 0) && { taskName: [...resolved.plain, ...name] }),
    ...(match && { match }),
  }
  // Without its unknown name an intersection would select too much, and a body without selectors nothing.
  const isEmpty =
    selectors.taskId.length === 0 && Object.keys(selectors).every((key) => key === 'taskId' || key === 'match')
  const selectsNothing = isEmpty || (match === 'all' && resolved.unknown.length > 0)
  const body = { ...selectors, ...(keyValueStore.length > 0 && { keyValueStore }) }
  const answer = selectsNothing ? NOTHING : await start(remote, body, maxConcurrent)
  const unknown = [...resolved.unknown, ...(match === 'all' ? [] : unknownNames(resolved.plain, answer))]
  const final = await finish(remote, answer, options, io)
  for (const line of refusals(final, unknown)) io.err(visible(`error: ${WHAT}: ${line}`))
  if (options.json) io.out(JSON.stringify(final, null, 2))
  return startExitCode(final, unknown, wait !== undefined)
}

const NOTHING: ObjectAnswer = { tasksStarted: [], tasksNotFound: [], totalTasksStarted: 0 }

async function start(
  remote: Remote,
  body: CallOf<typeof START_TASKS>['body'],
  maxConcurrent: number | undefined,
): Promise<ObjectAnswer> {
  const answer = await remote.ask(START_TASKS, {
    params: { taskId: '-' },
    // The ids are wanted at once; following them is a matter of several calls.
    query: { wait: 0, maxConcurrent },
    body,
    idempotencyKey: uuidV7(),
    what: WHAT,
  })
  // The form that belongs to a body that is an object.
  return answer as ObjectAnswer
}

interface ResolvedNames {
  /** The tasks of names that would be taken for globs. */
  readonly ids: readonly string[]
  readonly plain: readonly string[]
  readonly unknown: readonly string[]
}

/** Names are globs to the REST API; one that holds a wildcard is looked up, so that it means this one task only. */
async function resolveNames(remote: Remote, names: readonly string[]): Promise<ResolvedNames> {
  const ids: string[] = []
  const unknown: string[] = []
  for (const name of names.filter(isGlob)) {
    const { tasks } = await remote.ask(TASKS, { query: { name, limit: 500 }, what: `task "${name}"` })
    const found = tasks.filter(({ taskName }) => sameName(taskName, name)).map(({ taskId }) => taskId)
    ids.push(...found)
    if (found.length === 0) unknown.push(name)
  }
  return { ids, plain: names.filter((name) => !isGlob(name)), unknown }
}

const isGlob = (name: string): boolean => /[*?]/.test(name)
const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** Unknown names are no error to the REST API. */
function unknownNames(names: readonly string[], answer: ObjectAnswer): string[] {
  const { tasksStarted, tasksFailed = [], tasksQueued = [] } = answer
  const known = [...tasksStarted, ...tasksFailed, ...tasksQueued].map(({ taskName }) => taskName)
  return names.filter((name) => !known.some((one) => sameName(one, name)))
}

function propertyOf(text: string): { name: string; value: string } {
  const equals = text.indexOf('=')
  if (equals > 0) return { name: text.slice(0, equals), value: text.slice(equals + 1) }
  throw new CommandFailure(EXIT.badInput, '--property', `"${text}" is not name=value`)
}

function pairOf(text: string): { namespace: string; key: string; value: string } {
  const [, namespace, key, value] = /^([^/]+)\/([^=]+)=(.+)$/s.exec(text) ?? []
  if (namespace && key && value) return { namespace, key, value }
  throw new CommandFailure(EXIT.badInput, '--kv', `"${text}" is not namespace/key=value`)
}

/** While the store is off the API would start the tasks without their parameters. */
async function requireStore(remote: Remote): Promise<void> {
  await remote.ask(NAMESPACES, { what: '--kv', switchedOff: STORE_OFF }).catch((error: unknown) => {
    // A key may have the right to write but not to look.
    if (!(error instanceof CommandFailure && error.status === 403)) throw error
  })
}

const STORE_OFF = 'nothing was started; is Butler.restServerEndpointsEnable.keyValueStore true?'

/** The id of no execution. */
const NO_ID = '00000000-0000-4000-8000-000000000000'

/** Checks before the start that the key may read executions, which waiting needs. */
async function requireReading(remote: Remote): Promise<void> {
  await remote.ask(EXECUTION, { params: { executionId: NO_ID }, what: WHAT }).catch((error: unknown) => {
    if (!(error instanceof CommandFailure)) throw error
    // Other errors are reported by the start.
    if (error.status !== 401 && error.status !== 403) return
    const why = `nothing was started: --wait needs the scope task:read beside task:run: ${error.message}`
    throw new CommandFailure(EXIT.unreachable, WHAT, why, error.status)
  })
}

/**
 * Follows what a start request started or queued, until all is final, time is over, or it cannot be followed. Returns the
 * answer as it stands then; prints on the way, and a last line for each task. Never throws a `CommandFailure`: a caller that
 * repeats a failed command must not start the tasks twice.
 */
export async function finish(
  remote: Remote,
  answer: ObjectAnswer,
  options: Pick<StartTaskOptions, 'wait' | 'json' | 'log'>,
  io: CommandIo,
): Promise<ObjectAnswer> {
  const { wait, json, log } = options
  const say = (line: string): void => {
    if (!json) io.out(visible(line))
  }
  for (const { taskName, executionId } of answer.tasksStarted)
    say(`started   ${taskName}  ${executionId ?? ''}`.trimEnd())
  for (const { taskName, queueId } of answer.tasksQueued ?? []) say(`queued    ${taskName}  ${queueId}`)
  if (wait === undefined) return answer

  const deadline = Date.now() + (wait === true ? LONGEST_WAIT_S : wait) * 1000
  const tasksStarted: StartedTask[] = []
  const tasksFailed: NonNullable<ObjectAnswer['tasksFailed']>[number][] = [...(answer.tasksFailed ?? [])]
  const tasksQueued: NonNullable<QueuedTasks>[number][] = []
  let lost: CommandFailure | null = null

  for (const task of answer.tasksStarted) {
    const view = task.executionId == null ? null : await seen(task.executionId)
    tasksStarted.push(view ? { ...task, execution: summaryOf(view) } : task)
    if (view) await report(view)
    else say(`started   ${task.taskName}  (what became of it is not known)`)
  }
  for (const task of answer.tasksQueued ?? []) {
    const { taskId, taskName } = task
    const view = await seen(task.queueId)
    if (!view || view.statusText === 'InStartQueue') {
      tasksQueued.push(task)
      say(`queued    ${taskName}`)
    } else if (view.statusText === 'NotStarted') {
      tasksFailed.push({ taskId, taskName, status: 'failed', error: view.error ?? '' })
    } else {
      const { executionId } = view
      tasksStarted.push({ taskId, taskName, status: 'started', executionId, execution: summaryOf(view) })
      await report(view)
    }
  }
  const open = tasksQueued.length + tasksStarted.filter(({ execution }) => execution?.state !== 'finished').length
  conclude(open)

  /** Null for what is unknown, and for everything after a refusal. */
  async function seen(id: string): Promise<Execution | null> {
    if (lost) return null
    try {
      return (await follow(remote, id, deadline))?.view ?? null
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error
      lost = error
      return null
    }
  }

  async function report(view: Execution): Promise<void> {
    say(executionLine(view))
    const failed = view.state === 'finished' && view.outcome !== 'success'
    if (failed && log) (json ? io.err : io.out)(await logOf(remote, view))
  }

  function conclude(count: number): void {
    if (lost) io.err(visible(`error: start-task: the tasks were started, but cannot be followed: ${lost.message}`))
    else if (count > 0) say(`time over: ${count} still queued or running`)
  }

  return {
    ...answer,
    tasksStarted,
    totalTasksStarted: tasksStarted.length,
    tasksFailed: tasksFailed.length > 0 ? tasksFailed : undefined,
    tasksQueued: tasksQueued.length > 0 ? tasksQueued : undefined,
  }
}

async function logOf(remote: Remote, view: Execution): Promise<string> {
  try {
    return (await scriptLog(remote, view)) ?? '(there is no script log)'
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error
    return `(the script log cannot be read: ${error.message})`
  }
}

const summaryOf = ({ state, outcome, statusText, queueMs, runMs }: Execution): ExecutionSummary => ({
  state,
  outcome,
  statusText,
  queueMs,
  runMs,
})

/** `failed    Sales ETL hourly  after 1.5 s: Error: Cannot open file`. */
function executionLine({ state, outcome, taskName, appName, runMs, error }: Execution): string {
  const words = `${(outcome ?? state).padEnd(8)}  ${taskName ?? appName ?? ''}`
  const time = runMs === null ? '' : `  after ${span(runMs)}`
  return `${words}${time}${error ? `: ${error}` : ''}`
}

/** The highest that applies wins; what still runs counts only for a command that waited. */
export function startExitCode(answer: ObjectAnswer, unknownNames: readonly string[], waited: boolean): number {
  const { tasksStarted, tasksNotFound, tasksDenied = [], tasksFailed = [], tasksQueued = [] } = answer
  const ended = tasksStarted.filter(({ execution }) => execution?.state === 'finished')
  if (waited && (tasksQueued.length > 0 || ended.length < tasksStarted.length)) return EXIT.timeOver
  if (waited && ended.some(({ execution }) => execution?.outcome !== 'success')) return EXIT.failed
  const nothing = tasksStarted.length + tasksQueued.length === 0
  const refused = tasksNotFound.length + tasksDenied.length + tasksFailed.length + unknownNames.length
  return nothing || refused > 0 ? EXIT.missing : EXIT.ok
}

/** One line for each that was not started. */
export function refusals(answer: ObjectAnswer, unknownNames: readonly string[]): string[] {
  const { tasksStarted, tasksNotFound, tasksDenied = [], tasksFailed = [], tasksQueued = [] } = answer
  const lines = [
    ...tasksNotFound.map((id) => `task ${id}: Qlik Sense has no task with this id`),
    ...unknownNames.map((name) => `task "${name}": there is no task with this name, or it may not be started`),
    ...tasksDenied.map((denied) => `${selectorText(denied)}: may not be started (Butler.startTaskFilter, or the key)`),
    ...tasksFailed.map(({ taskName, error }) => `task "${taskName}": was not started: ${error}`),
  ]
  const nothing = lines.length + tasksStarted.length + tasksQueued.length === 0
  return nothing ? ['no task was selected; check tags, properties and names'] : lines
}

function selectorText(denied: Denied): string {
  if ('taskId' in denied) return `task ${denied.taskId}`
  if ('tag' in denied) return `tag "${denied.tag}"`
  const { name, value } = denied.customProperty
  return `custom property ${name}=${value}`
}
