/** `footman events`: what arrived, what became of it, and once more if need be. */
import { isGuid } from '../../platform/uuid.ts'
import { type CommandIo, EXIT } from '../io.ts'
import type { Query, Remote } from './client.ts'
import { CommandFailure } from './failure.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { table } from './table.ts'

export interface EventsOptions extends RemoteOptions {
  readonly type: readonly string[]
  readonly outcome: readonly string[]
  readonly source: readonly string[]
  readonly from?: string
  readonly limit: number
}

export interface EventView {
  readonly id: string
  readonly receivedAt: string
  readonly title: string
  readonly state: string
  readonly reason: string | null
  readonly source: string
  readonly host: string | null
  readonly user: string | null
  readonly taskId: string | null
  readonly appName: string | null
  readonly executionId: string | null
  readonly consecutiveFailures: number | null
  readonly missingParts: readonly string[]
  readonly deliveryCounts: Readonly<Record<string, number>>
  readonly deliveries?: readonly DeliveryLine[]
}

interface DeliveryLine {
  readonly id: string
  readonly destination: string
  readonly target: string
  readonly state: string
  readonly reason: string | null
  readonly detail: string | null
}

/** The newest ones that the options select. */
export function runEventsList(options: EventsOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { type, outcome, source, from, limit, json } = options
    const query = { type, outcome, source, from }
    const events = await newest<EventView>(remote, '/v4/events', 'events', query, limit)
    io.out(json ? JSON.stringify({ events, nextCursor: null }, null, 2) : listed(events))
    return EXIT.ok
  })
}

/** Pages until `limit` items are there. */
export async function newest<T>(
  remote: Remote,
  path: string,
  name: string,
  filter: Query,
  limit: number,
): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const query = { ...filter, limit: Math.min(500, limit - items.length), cursor }
    const { text } = await remote.call({ path, query, what: name, switchedOff: OLD })
    const page = JSON.parse(text) as Record<string, T[]> & { nextCursor: string | null }
    items.push(...(page[name] ?? []))
    cursor = (page.nextCursor as string | null) ?? undefined
  } while (cursor !== undefined && items.length < limit)
  return items
}

export const OLD = 'does an older Footman run there?'

const HEAD = ['RECEIVED', 'EVENT', 'STATE', 'DELIVERIES', 'ID']

function listed(events: readonly EventView[]): string {
  const rows = events.map(({ receivedAt, title, state, reason, deliveryCounts, id }) => [
    receivedAt,
    title,
    reason ? `${state} (${reason})` : state,
    counts(deliveryCounts),
    id,
  ])
  return table([HEAD, ...rows])
}

/** `2 delivered, 1 dead`; `-` without any. */
function counts(deliveryCounts: Readonly<Record<string, number>>): string {
  const some = Object.entries(deliveryCounts).filter(([, count]) => count > 0)
  return some.map(([state, count]) => `${count} ${state}`).join(', ') || '-'
}

export function runEventShow(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { text } = await found(remote, `/v4/events/${idOf(id, 'event')}`, 'EVENT_NOT_FOUND', `event ${id}`)
    io.out(options.json ? text : described(JSON.parse(text) as EventView))
    return EXIT.ok
  })
}

/** Throws exit code 1 for what is no id. */
export function idOf(id: string, what: string): string {
  if (isGuid(id)) return id.toLowerCase()
  throw new CommandFailure(EXIT.badInput, `${what} ${id}`, 'the id is a UUID, as the list shows it')
}

/** Throws exit code 3 when it is not there. */
export async function found(remote: Remote, path: string, missing: string, what: string) {
  const answer = await remote.call({ path, what, switchedOff: OLD }, [missing])
  if (answer.status === 404) throw new CommandFailure(EXIT.missing, what, 'Footman does not know it (any more)')
  return answer
}

function described(event: EventView): string {
  const rows: [string, string | null][] = [
    ['Event', event.title],
    ['Received', `${event.receivedAt} (${event.source})`],
    ['State', [event.state, event.reason].filter(Boolean).join(' ')],
    ['App', event.appName],
    ['Host', event.host],
    ['User', event.user],
    ['Task id', event.taskId],
    ['Execution', event.executionId],
    ['Failures in a row', event.consecutiveFailures ? String(event.consecutiveFailures) : null],
    ['Missing', event.missingParts.join(', ') || null],
  ]
  const facts = table(rows.flatMap(([name, value]) => (value ? [[name, value]] : [])))
  const { deliveries = [] } = event
  if (deliveries.length === 0) return `${facts}\n\nNobody was told.`
  const lines = deliveries.map(({ destination, target, state, reason, detail, id }) => [
    ...[destination, target, reason ? `${state} (${reason})` : state, id, detail ?? ''],
  ])
  return `${facts}\n\n${table([['DESTINATION', 'TO', 'STATE', 'ID', 'DETAIL'], ...lines])}`
}

export interface DroppedOptions extends RemoteOptions {
  readonly reason: readonly string[]
  readonly limit: number
}

interface Dropped {
  readonly at: string
  readonly from: string
  readonly reason: string
  readonly raw: string
}

/** Datagrams that did not become events. */
export function runEventsDropped(options: DroppedOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { reason, limit, json } = options
    const dropped = await newest<Dropped>(remote, '/v4/events/dropped', 'dropped', { reason }, limit)
    const rows = dropped.map(({ at, from, reason: why, raw }) => [at, from, why, raw])
    io.out(
      json
        ? JSON.stringify({ dropped, nextCursor: null }, null, 2)
        : table([['AT', 'FROM', 'REASON', 'TEXT'], ...rows]),
    )
    return EXIT.ok
  })
}
