/** Names and ids that are typed: what they mean, and what may be meant when there is no such thing. */

import { SNOOZES } from '../../alerts/contract.ts'
import { DELIVERIES, EVENTS } from '../../alerts/history/contract.ts'
import { ALERT_RULES, DESTINATIONS } from '../../alerts/rules/contract.ts'
import { distance, nearest } from '../../config/nearest.ts'
import type { NameSource } from '../../console/names.ts'
import type { AnyContract, CallArguments, CallOf } from '../../http/endpoint/contract.ts'
import { isGuid } from '../../platform/uuid.ts'
import { visible } from '../../platform/visible.ts'
import { RUNS } from '../../reports/runs/contract.ts'
import { HISTORY, TASKS, type TaskRef } from '../../tasks/executions/contract.ts'
import { SCHEDULES } from '../../tasks/schedule/contract.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type AskOptions, CommandFailure, OLD, pages, type Remote, UNKNOWN } from './client.ts'
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
  async ask<C extends AnyContract>(contract: C, ...[call]: CallArguments<C, object>) {
    const whole = { ...call, what: 'names' } as CallOf<C> & AskOptions
    const data = await remote.ask(contract, whole).catch(nothing)
    return data === null ? { ok: false } : { ok: true, data }
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
  unknown(wanted, 'destination', async () => (await remote.ask(DESTINATIONS, { what: 'destinations' })).destinations)

/** The same for rules. */
export const unknownRoutes = (remote: Remote, wanted: readonly string[]): Promise<Unknown[]> =>
  unknown(wanted, 'rule', async () => (await remote.ask(ALERT_RULES, { what: 'rules' })).alertRoutes)

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

async function unknown(
  wanted: readonly string[],
  noun: string,
  list: () => Promise<readonly { readonly name: string }[]>,
): Promise<Unknown[]> {
  if (wanted.length === 0) return []
  const listed = await list().catch(nothing)
  if (listed === null) return []
  const names = listed.map(({ name }) => name)
  return wanted
    .filter((name) => !names.includes(name))
    .map((name) => ({ name, why: `no ${noun} is called "${name}"${guess(name, names)}` }))
}

/** Suggestions are not worth a failure. */
function nothing(error: unknown): null {
  if (error instanceof CommandFailure) return null
  throw error
}

interface Period {
  readonly query?: { readonly from: string; readonly to?: string }
}

/** Things whose ids are shortened in listings. */
interface Identified {
  readonly noun: string
  /** Whether `latest` names the newest one, which is the first of the list. */
  readonly latest?: true
  /** Parameters for those whose ids may begin like this; null when there are none. */
  readonly query?: (beginning: string) => { readonly from: string; readonly to?: string } | null
  readonly switchedOff?: string
  readonly ids: (remote: Remote, call?: Period & Partial<AskOptions>, most?: number) => Promise<readonly string[]>
}

/** Ids of version 7 begin with the time at which they were made: the list need not be read to its end. */
function madeAround(beginning: string): { readonly from: string; readonly to: string } | null {
  const MARGIN_MS = 600_000
  const LATEST_MS = Date.UTC(9999, 0)
  const digits = beginning.replaceAll('-', '').slice(0, 12)
  const [first, last] = ['0', 'f'].map((fill) => Number.parseInt(digits.padEnd(12, fill), 16)) as [number, number]
  if (last > LATEST_MS) return null
  const time = (ms: number) => new Date(ms).toISOString()
  return { from: time(Math.max(0, first - MARGIN_MS)), to: time(last + MARGIN_MS) }
}

/** The ids of the items of a list, those without one left out. Lists of snoozes and of runs have no period. */
const idsOf =
  <Item>(
    items: (remote: Remote, call: Period & AskOptions, most?: number) => AsyncIterable<Item>,
    what: string,
    idOf: (item: Item) => string | null,
  ): Identified['ids'] =>
  async (remote, call, most) => {
    const ids: string[] = []
    for await (const item of items(remote, { what, ...call }, most)) {
      const id = idOf(item)
      if (id !== null) ids.push(id)
    }
    return ids
  }

const ofId = ({ id }: { readonly id: string }): string => id

const scheduleIds = async (remote: Remote) => (await remote.ask(SCHEDULES, { what: 'schedules' })).map(({ id }) => id)

const IDENTIFIED = {
  event: {
    noun: 'event',
    latest: true,
    query: madeAround,
    switchedOff: OLD,
    ids: idsOf((remote, call, most) => pages(remote, EVENTS, 'events', call, most), 'events', ofId),
  },
  delivery: {
    noun: 'delivery',
    latest: true,
    query: madeAround,
    switchedOff: OLD,
    ids: idsOf((remote, call, most) => pages(remote, DELIVERIES, 'deliveries', call, most), 'deliveries', ofId),
  },
  execution: {
    noun: 'execution',
    latest: true,
    query: () => ({ from: '30d' }),
    ids: idsOf(
      (remote, call, most) => pages(remote, HISTORY, 'executions', call, most),
      'executions',
      ({ executionId }) => executionId,
    ),
  },
  snooze: {
    noun: 'snooze',
    switchedOff: OLD,
    ids: idsOf((remote, { query: _, ...call }, most) => pages(remote, SNOOZES, 'snoozes', call, most), 'snoozes', ofId),
  },
  reportRun: {
    noun: 'run',
    latest: true,
    switchedOff: REPORTS_OFF,
    ids: idsOf((remote, { query: _, ...call }, most) => pages(remote, RUNS, 'runs', call, most), 'runs', ofId),
  },
  schedule: { noun: 'schedule', ids: scheduleIds },
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
  const { noun, latest, query, switchedOff, ids }: Identified = IDENTIFIED[kind]
  const what = `${noun} ${typed}`
  if (latest && beginning === LATEST) {
    const [newest] = await ids(remote, { what }, 1)
    if (newest === undefined) throw new CommandFailure(EXIT.missing, what, 'there is none')
    return newest
  }
  if (!isBeginning(typed)) {
    const why = 'an id is a UUID; its beginning, as the list shows it, is enough'
    throw new CommandFailure(EXIT.badInput, what, why)
  }
  const period = query?.(beginning)
  const all =
    period === null ? [] : await ids(remote, { ...(period && { query: period }), ...(switchedOff && { switchedOff }) })
  const found = all.filter((id) => id.startsWith(beginning))
  const [only] = found
  if (only === undefined) throw new CommandFailure(EXIT.missing, what, UNKNOWN)
  if (found.length === 1) return only
  const some = found.slice(0, 10).join(', ')
  throw new CommandFailure(EXIT.badInput, what, `${found.length} ids begin like this; name one of them: ${some}`)
}

/**
 * Does the same as `wholeId`. Ids of schedules need not be UUIDs, so that one of another form is taken as it is, as is one
 * that cannot be looked up.
 */
export async function scheduleId(remote: Remote, typed: string): Promise<string> {
  if (isGuid(typed) || !isBeginning(typed)) return typed
  const all = (await scheduleIds(remote).catch(nothing)) ?? []
  const likely = all.filter((id) => id.startsWith(typed.toLowerCase()))
  return all.includes(typed) || likely.length === 0 ? typed : wholeId(remote, 'schedule', typed)
}
