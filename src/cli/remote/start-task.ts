/** `footman start-task`: starts tasks and, if wanted, follows them to their end. */
import { isGuid, uuidV7 } from '../../platform/uuid.ts'
import { visible } from '../../platform/visible.ts'
import { type CommandIo, EXIT } from '../io.ts'
import type { Remote } from './client.ts'
import { CommandFailure } from './failure.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { finish } from './start-follow.ts'
import { refusals, type StartAnswer, startExitCode } from './start-report.ts'

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

const WHAT = 'start-task'

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

/** Of no execution. */
const NO_ID = '00000000-0000-4000-8000-000000000000'

/** Who may start but not look cannot wait: that must be said before anything is started. */
async function requireReading(remote: Remote): Promise<void> {
  const call = { path: `/v4/execution/${NO_ID}`, what: WHAT }
  await remote.call(call, ['EXECUTION_NOT_FOUND']).catch((error: unknown) => {
    if (!(error instanceof CommandFailure)) throw error
    // What else is wrong the start itself says better.
    if (error.status !== 401 && error.status !== 403) return
    const why = `nothing was started: --wait needs the scope task:read beside task:run: ${error.message}`
    throw new CommandFailure(EXIT.unreachable, WHAT, why, error.status)
  })
}
