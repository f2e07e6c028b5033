/** `footman start-task`: starts tasks and, if wanted, follows them to their end. */
import { isGuid, uuidV7 } from '../../platform/uuid.ts'
import { type CommandIo, EXIT } from '../io.ts'
import type { Remote } from './client.ts'
import { CommandFailure } from './failure.ts'
import { type ExecutionView, follow, scriptLog } from './follow.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { type FailedTask, refusals, type StartAnswer, type StartedTask, startExitCode } from './start-report.ts'
import { span } from './table.ts'

export interface StartTaskOptions extends RemoteOptions {
  readonly tag: readonly string[]
  /** `name=value`. */
  readonly property: readonly string[]
  /** Globs. */
  readonly name: readonly string[]
  readonly match?: 'any' | 'all'
  readonly maxConcurrent?: number
  /** `namespace/key=value`. */
  readonly kv?: readonly string[]
  /** Seconds; true = as long as it takes, up to 24 h. */
  readonly wait?: number | true
  readonly log?: boolean
}

const LONGEST_WAIT_S = 24 * 3600
const WHAT = 'start'

/** `tasks` = ids and names. */
export function runStartTask(tasks: readonly string[], options: StartTaskOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, (remote) => startTasks(remote, tasks, options, io))
}

export async function startTasks(
  remote: Remote,
  tasks: readonly string[],
  options: StartTaskOptions,
  io: CommandIo,
): Promise<number> {
  const { tag, property, name, match, maxConcurrent, wait, kv = [] } = options
  const ids = tasks.filter(isGuid)
  const names = tasks.filter((task) => !isGuid(task))
  if ([...tasks, ...tag, ...property, ...name].length === 0) {
    throw new CommandFailure(EXIT.badInput, WHAT, 'name what to start: task ids or names, --tag, --property or --name')
  }
  const keyValueStore = kv.map(pairOf)
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
  for (const line of refusals(final, unknown)) io.err(`error: ${line}`)
  if (options.json) io.out(JSON.stringify(final, null, 2))
  return startExitCode(final, unknown, wait !== undefined)
}

const NOTHING: StartAnswer = { tasksStarted: [], tasksNotFound: [], totalTasksStarted: 0 }

async function start(remote: Remote, body: object, maxConcurrent: number | undefined): Promise<StartAnswer> {
  const { text } = await remote.call({
    method: 'POST',
    path: '/v4/reloadtask/-/start',
    // The ids are wanted at once; following them is a matter of several calls.
    query: { wait: 0, maxConcurrent },
    body,
    idempotencyKey: uuidV7(),
    what: WHAT,
  })
  return JSON.parse(text) as StartAnswer
}

interface ResolvedNames {
  /** Of names that would be taken for globs. */
  readonly ids: readonly string[]
  readonly plain: readonly string[]
  readonly unknown: readonly string[]
}

/** Names are globs to the REST API; one that holds a wildcard is looked up, so that it means this one task only. */
async function resolveNames(remote: Remote, names: readonly string[]): Promise<ResolvedNames> {
  const ids: string[] = []
  const unknown: string[] = []
  for (const name of names.filter(isGlob)) {
    const { text } = await remote.call({ path: '/v4/tasks', query: { name, limit: 500 }, what: `task "${name}"` })
    const { tasks } = JSON.parse(text) as { tasks: readonly { taskId: string; taskName: string }[] }
    const found = tasks.filter(({ taskName }) => sameName(taskName, name)).map(({ taskId }) => taskId)
    ids.push(...found)
    if (found.length === 0) unknown.push(name)
  }
  return { ids, plain: names.filter((name) => !isGlob(name)), unknown }
}

const isGlob = (name: string): boolean => /[*?]/.test(name)
const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** Unknown names are no error to the REST API. */
function unknownNames(names: readonly string[], answer: StartAnswer): string[] {
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
  const call = { path: '/v4/keyvaluesnamespaces', what: '--kv', switchedOff: STORE_OFF }
  await remote.call(call).catch((error: unknown) => {
    // A key may have the right to write but not to look.
    if (!(error instanceof CommandFailure && error.status === 403)) throw error
  })
}

const STORE_OFF = 'nothing was started; is Butler.restServerEndpointsEnable.keyValueStore true?'

/** The answer as it stands when everything is final, or time is over; prints on the way. */
async function finish(
  remote: Remote,
  answer: StartAnswer,
  options: StartTaskOptions,
  io: CommandIo,
): Promise<StartAnswer> {
  const { wait, json, log } = options
  const say = (line: string): void => {
    if (!json) io.out(line)
  }
  for (const { taskName, executionId } of answer.tasksStarted)
    say(`started   ${taskName}  ${executionId ?? ''}`.trimEnd())
  for (const { taskName, queueId } of answer.tasksQueued ?? []) say(`queued    ${taskName}  ${queueId}`)
  if (wait === undefined) return answer

  const deadline = Date.now() + (wait === true ? LONGEST_WAIT_S : wait) * 1000
  const tasksStarted: StartedTask[] = []
  const tasksFailed: FailedTask[] = [...(answer.tasksFailed ?? [])]
  const tasksQueued = [...(answer.tasksQueued ?? [])]

  for (const task of answer.tasksStarted) {
    const view = task.executionId === null ? null : await followed(remote, task.executionId, deadline)
    tasksStarted.push(view ? { ...task, execution: summaryOf(view) } : task)
    if (view) await tell(view)
  }
  for (const task of answer.tasksQueued ?? []) {
    const view = await followed(remote, task.queueId, deadline)
    if (!view || view.statusText === 'InStartQueue') continue
    tasksQueued.splice(tasksQueued.indexOf(task), 1)
    const { taskId, taskName } = task
    if (view.statusText === 'NotStarted') {
      tasksFailed.push({ taskId, taskName, status: 'failed', error: view.error ?? '' })
      continue
    }
    const { executionId } = view
    tasksStarted.push({ taskId, taskName, status: 'started', executionId, execution: summaryOf(view) })
    await tell(view)
  }

  async function tell(view: ExecutionView): Promise<void> {
    say(executionLine(view))
    const failed = view.state === 'finished' && view.outcome !== 'success'
    if (failed && log) (json ? io.err : io.out)((await scriptLog(remote, view)) ?? '(there is no script log)')
  }

  return {
    ...answer,
    tasksStarted,
    totalTasksStarted: tasksStarted.length,
    tasksFailed: tasksFailed.length > 0 ? tasksFailed : undefined,
    tasksQueued: tasksQueued.length > 0 ? tasksQueued : undefined,
  }
}

async function followed(remote: Remote, id: string, deadline: number): Promise<ExecutionView | null> {
  return (await follow(remote, id, deadline))?.view ?? null
}

const summaryOf = ({ state, outcome, statusText, queueMs, runMs }: ExecutionView) => ({
  ...{ state, outcome, statusText, queueMs, runMs },
})

/** `failed    Sales ETL hourly  after 1.5 s: Error: Cannot open file`. */
export function executionLine({ state, outcome, taskName, appName, runMs, error }: ExecutionView): string {
  const words = [(outcome ?? state).padEnd(8), ' ', taskName ?? appName ?? '']
  const time = runMs === null ? '' : `  after ${span(runMs)}`
  return `${words.join(' ')}${time}${error ? `: ${error}` : ''}`
}
