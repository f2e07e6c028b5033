/** Names and ids that are typed: what they mean, and what may be meant when there is no such thing. */

import { distance, nearest } from '../../config/nearest.ts'
import type { NameSource } from '../../console/names.ts'
import type { CallOf } from '../../http/endpoint/contract.ts'
import { ownJson } from '../../platform/json.ts'
import { isGuid } from '../../platform/uuid.ts'
import { visible } from '../../platform/visible.ts'
import { HISTORY, type HistoryItem, TASKS, type TaskRef } from '../../tasks/executions/contract.ts'
import { SCHEDULES } from '../../tasks/schedule/contract.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type AskOptions, CommandFailure, OLD, pages, type Remote, type RemoteCall, UNKNOWN } from './client.ts'
import { REPORTS_OFF } from './list-parts.ts'

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

/** Asks over REST for the names of ids; names that cannot be had are not worth a failure. */
export const nameSource = (remote: Remote): NameSource => ({
  async ask(contract, ...given) {
    const asked = { ...given[0], what: 'names' } as CallOf<typeof contract> & AskOptions
    const data = await remote.ask(contract, asked).catch(nothing)
    return data ? { ok: true, data } : { ok: false }
  },
})

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

async function tasksLike(remote: Remote, name?: string): Promise<readonly TaskRef[]> {
  const what = `task "${name ?? ''}"`
  return (await remote.ask(TASKS, { query: { name, limit: 500 }, what })).tasks
}

/** One sentence for each of these names that no destination has; none while destinations cannot be listed. */
export const unknownDestinations = (remote: Remote, wanted: readonly string[]): Promise<Unknown[]> =>
  unknown(remote, wanted, { path: '/v4/destinations', member: 'destinations', noun: 'destination' })

/** The same for rules. */
export const unknownRoutes = (remote: Remote, wanted: readonly string[]): Promise<Unknown[]> =>
  unknown(remote, wanted, { path: '/v4/alertroutes', member: 'alertRoutes', noun: 'rule' })

/** Throws exit code 3 for names that no destination has; with a result they are only noted. */
export async function refuseUnknownDestinations(
  remote: Remote,
  names: readonly string[],
  isFatal: boolean,
  io: CommandIo,
): Promise<void> {
  const unknown = await unknownDestinations(remote, names)
  const [first] = unknown
  if (first && isFatal) throw new CommandFailure(EXIT.missing, 'deliveries', `${first.why} (footman destinations)`)
  for (const { why } of unknown) io.err(visible(`note: ${why}`))
}

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
  const listed = ownJson<Readonly<Record<string, readonly { readonly name: string }[]>>>(text)
  return (listed[member] ?? []).map(({ name }) => name)
}

/** Suggestions are not worth a failure. */
function nothing(error: unknown): null {
  if (error instanceof CommandFailure) return null
  throw error
}

/** Things whose ids are shortened in listings. */
interface Identified {
  readonly noun: string
  /** List whose first item is the newest; absent where `latest` is not accepted. */
  readonly newest?: { readonly path: string; readonly member: string; readonly id: string }
  /** All whose ids may begin like this. */
  ids(remote: Remote, beginning: string): Promise<readonly string[]>
}

/** Ids of version 7 begin with the time at which they were made: the list need not be read to its end. */
const madeAround = (path: string, member: string): Identified['ids'] => {
  const MARGIN_MS = 600_000
  const LATEST_MS = Date.UTC(9999, 0)
  return async (remote, beginning) => {
    const digits = beginning.replaceAll('-', '').slice(0, 12)
    const [first, last] = ['0', 'f'].map((fill) => Number.parseInt(digits.padEnd(12, fill), 16)) as [number, number]
    if (last > LATEST_MS) return []
    const [from, to] = [Math.max(0, first - MARGIN_MS), last + MARGIN_MS].map((ms) => new Date(ms).toISOString())
    return listedIds(remote, { path, member, query: { from, to }, what: member, switchedOff: OLD })
  }
}

async function listedIds(remote: Remote, call: RemoteCall & { readonly member: string }): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const { id } of pages<{ readonly id: string }>(remote, call)) ids.push(id)
  return ids
}

const IDENTIFIED = {
  event: {
    noun: 'event',
    newest: { path: '/v4/events', member: 'events', id: 'id' },
    ids: madeAround('/v4/events', 'events'),
  },
  delivery: {
    noun: 'delivery',
    newest: { path: '/v4/deliveries', member: 'deliveries', id: 'id' },
    ids: madeAround('/v4/deliveries', 'deliveries'),
  },
  execution: {
    noun: 'execution',
    newest: { path: HISTORY.path, member: 'executions', id: 'executionId' },
    async ids(remote) {
      const call = { path: HISTORY.path, member: 'executions', query: { from: '30d' }, what: 'executions' }
      const ids: string[] = []
      for await (const { executionId } of pages<HistoryItem>(remote, call)) {
        if (executionId !== null) ids.push(executionId)
      }
      return ids
    },
  },
  snooze: {
    noun: 'snooze',
    ids: (remote) => listedIds(remote, { path: '/v4/snoozes', member: 'snoozes', what: 'snoozes', switchedOff: OLD }),
  },
  reportRun: {
    noun: 'run',
    newest: { path: '/v4/reportrun', member: 'runs', id: 'id' },
    ids: (remote) =>
      listedIds(remote, { path: '/v4/reportrun', member: 'runs', what: 'runs', switchedOff: REPORTS_OFF }),
  },
  schedule: {
    noun: 'schedule',
    async ids(remote) {
      return (await remote.ask(SCHEDULES, { what: 'schedules' })).map(({ id }) => id)
    },
  },
} as const satisfies Record<string, Identified>

/** Names the newest one in the place of an id. */
const LATEST = 'latest'
const BEGINNING = /^[0-9a-f]{8}(?:[0-9a-f-]{0,27})$/i

/** Whether the text may be the beginning of an id, as listings show it. */
export const isBeginning = (text: string): boolean => BEGINNING.test(text)

/**
 * The whole id for an id, a unique beginning of one, or `latest`. Throws exit code 1 when it is none of these or several ids
 * begin like this, and 3 when none does.
 */
export async function wholeId(remote: Remote, kind: keyof typeof IDENTIFIED, typed: string): Promise<string> {
  const beginning = typed.toLowerCase()
  if (isGuid(typed)) return beginning
  const { noun, newest, ids }: Identified = IDENTIFIED[kind]
  const what = `${noun} ${typed}`
  if (newest !== undefined && beginning === LATEST) return newestId(remote, newest, what)
  if (!isBeginning(typed)) {
    const why = 'an id is a UUID; its beginning, as the list shows it, is enough'
    throw new CommandFailure(EXIT.badInput, what, why)
  }
  const found = (await ids(remote, beginning)).filter((id) => id.startsWith(beginning))
  const [only] = found
  if (only === undefined) throw new CommandFailure(EXIT.missing, what, UNKNOWN)
  if (found.length === 1) return only
  const some = found.slice(0, 10).join(', ')
  throw new CommandFailure(EXIT.badInput, what, `${found.length} ids begin like this; name one of them: ${some}`)
}

async function newestId(
  remote: Remote,
  { path, member, id }: NonNullable<Identified['newest']>,
  what: string,
): Promise<string> {
  for await (const item of pages<Readonly<Record<string, unknown>>>(remote, { path, member, what }, 1)) {
    return String(item[id])
  }
  throw new CommandFailure(EXIT.missing, what, 'there is none')
}

/**
 * Does the same as `wholeId`. Ids of schedules need not be UUIDs, so that one of another form is taken as it is, as is one
 * that cannot be looked up.
 */
export async function scheduleId(remote: Remote, typed: string): Promise<string> {
  if (isGuid(typed) || !isBeginning(typed)) return typed
  const all = (await IDENTIFIED.schedule.ids(remote).catch(nothing)) ?? []
  const likely = all.filter((id) => id.startsWith(typed.toLowerCase()))
  return all.includes(typed) || likely.length === 0 ? typed : wholeId(remote, 'schedule', typed)
}
