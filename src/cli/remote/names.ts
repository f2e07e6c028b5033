/** Names that people type: what they mean, and what may be meant when there is no such thing. */
import { distance, nearest } from '../../config/nearest.ts'
import { isGuid } from '../../platform/uuid.ts'
import { EXIT } from '../io.ts'
import type { Remote } from './client.ts'
import { CommandFailure } from './failure.ts'

interface Task {
  readonly taskId: string
  readonly taskName: string
}

/** `; did you mean "ops-mail"?`, or nothing. */
export function guess(name: string, names: readonly string[]): string {
  const near = nearest(name, names)
  const isNear = near !== undefined && distance(name.toLowerCase(), near.toLowerCase()) < name.length
  return isNear ? `; did you mean "${near}"?` : ''
}

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** The id of the one task of this name. Throws exit code 3 when there is none, and 1 when there are several. */
export async function taskIdOf(remote: Remote, name: string, what: string): Promise<string> {
  const ids = (await tasksLike(remote, name)).filter(({ taskName }) => sameName(taskName, name))
  const [only] = ids
  if (!only) throw await noSuchTask(remote, name, what)
  if (ids.length === 1) return only.taskId
  const why = `several tasks are called "${name}"; name one by its id: ${ids.map(({ taskId }) => taskId).join(', ')}`
  throw new CommandFailure(EXIT.badInput, what, why)
}

/** With what may be meant, if tasks may be listed. */
export async function noSuchTask(remote: Remote, name: string, what: string): Promise<CommandFailure> {
  if (isGuid(name)) return new CommandFailure(EXIT.missing, what, `no task has the id ${name}`)
  const tasks = (await tasksLike(remote).catch(nothing)) ?? []
  const meant = guess(
    name,
    tasks.map(({ taskName }) => taskName),
  )
  return new CommandFailure(EXIT.missing, what, `no task is called "${name}"${meant}`)
}

/** Whether the API refused a call because it knows no such task. */
export const isNoTask = (error: unknown): boolean =>
  error instanceof CommandFailure && error.status === 400 && / is of no task\b/.test(error.message)

async function tasksLike(remote: Remote, name?: string): Promise<readonly Task[]> {
  const { text } = await remote.call({ path: '/v4/tasks', query: { name, limit: 500 }, what: `task "${name ?? ''}"` })
  return (JSON.parse(text) as { readonly tasks: readonly Task[] }).tasks
}

/** One sentence for each of these names that no destination has; none while destinations cannot be listed. */
export const unknownDestinations = (remote: Remote, wanted: readonly string[]): Promise<Unknown[]> =>
  unknown(remote, wanted, { path: '/v4/destinations', member: 'destinations', noun: 'destination' })

/** As for destinations. */
export const unknownRoutes = (remote: Remote, wanted: readonly string[]): Promise<Unknown[]> =>
  unknown(remote, wanted, { path: '/v4/alertroutes', member: 'alertRoutes', noun: 'route' })

export interface Unknown {
  readonly name: string
  /** Why, and what may be meant. */
  readonly why: string
}

interface Listing {
  readonly path: string
  readonly member: string
  readonly noun: string
}

async function unknown(remote: Remote, wanted: readonly string[], listing: Listing): Promise<Unknown[]> {
  if (wanted.length === 0) return []
  const names = await namesOf(remote, listing).catch(nothing)
  if (names === null) return []
  return wanted
    .filter((name) => !names.includes(name))
    .map((name) => ({ name, why: `no ${listing.noun} is called "${name}"${guess(name, names)}` }))
}

async function namesOf(remote: Remote, { path, member, noun }: Listing): Promise<readonly string[]> {
  const { text } = await remote.call({ path, what: `${noun}s` })
  const listed = JSON.parse(text) as Readonly<Record<string, readonly { readonly name: string }[]>>
  return (listed[member] ?? []).map(({ name }) => name)
}

/** Suggestions are not worth a failure. */
function nothing(error: unknown): null {
  if (error instanceof CommandFailure) return null
  throw error
}
