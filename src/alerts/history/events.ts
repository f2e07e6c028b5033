/** Events: what arrived, what it caused, and the datagrams that were dropped (`/v4/events`). */
import type {
  DropReason,
  EventOutcome,
  EventState,
  EventType,
  MissingPart,
  Severity,
  TaskEvent,
  TaskHistory,
} from '../../events/types.ts'
import type { LIST_PARAMETERS } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { type Refusal, refusal } from '../../http/errors.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { formatUser } from '../template-context.ts'
import { eventTitle } from '../title.ts'
import type { DeliveryState } from '../types.ts'
import {
  DROPPED,
  type Dropped,
  EVENT,
  EVENTS,
  type EventDetail,
  type EventItem,
  type EventsQuery,
  type TemplateVariables,
} from './contract.ts'
import { type DeliveryContext, deliveriesOf } from './deliveries.ts'
import {
  allOf,
  answered,
  between,
  type Condition,
  holds,
  idOf,
  oneOf,
  oneOfIds,
  oneOfIgnoringCase,
  oneOfRare,
  type Page,
  pageOf,
  readPage,
  type Where,
} from './lists.ts'

type DeliveryCounts = Readonly<Record<DeliveryState, number>>

interface EventRoutesDeps extends DeliveryContext {
  readonly db: Database
  readonly clock: Clock
  /** The complete event; null when it is not stored any more. */
  readonly loadEvent: (id: string) => TaskEvent | null
  /** The destinations that record and do not alert. */
  readonly recording: () => readonly string[]
  /** The template context of an event. */
  readonly contextOf: (event: TaskEvent) => TemplateVariables
  /** The datagram that announced it; null when there was none or it has been removed. */
  readonly rawOf: (journalId: number) => Uint8Array | null
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const DAY_MS = 86_400_000

export function eventRoutes(deps: EventRoutesDeps): ApiRoute[] {
  const { db, clock } = deps
  return [
    route({
      ...EVENTS,
      scope: 'event:read',
      summary: 'List events',
      description: 'Everything that may cause a message, newest first.',
      examples: [
        {
          name: 'failures-of-a-day',
          query: { outcome: 'failed', from: '24h' },
          status: 200,
          answer: { events: [], nextCursor: null, partial: false },
        },
      ],
      async handle({ query }, answer) {
        const now = clock.now()
        const filter = { ...query, from: query.from?.(now) ?? null, to: query.to?.(now) ?? null }
        const page = await listEvents(db, filter, pageOf(query), deps.recording())
        const { rows, ...rest } = answered(page)
        return answer(200, { events: rows, ...rest })
      },
    }),
    route({
      ...DROPPED,
      scope: 'event:read',
      summary: 'Datagrams that did not become events',
      description: 'The last 1,000, newest first, each with its reason.',
      examples: [
        {
          name: 'duplicates',
          query: { reason: 'DUPLICATE' },
          status: 200,
          answer: { dropped: [], nextCursor: null, partial: false },
        },
      ],
      async handle({ query }, answer) {
        const { rows, ...rest } = answered(await listDropped(db, query.reason, pageOf(query)))
        return answer(200, { dropped: rows, ...rest })
      },
    }),
    route({
      ...EVENT,
      scope: 'event:read',
      summary: 'One event with its deliveries',
      examples: [{ name: 'newest', params: from(EVENTS, { id: '$response.body#/events/0/id' }), status: 200 }],
      handle: ({ params }, answer) => answer(200, eventDetail(deps, idOf(params))),
    }),
  ]
}

function eventDetail(deps: EventRoutesDeps, id: string): EventDetail {
  const { db } = deps
  const row = findEvent(db, id)
  const event = row && deps.loadEvent(id)
  if (!row || !event) throw eventNotFound(id, deps.keepMs)
  const raw = row.journalId === null ? null : deps.rawOf(row.journalId)
  return {
    ...eventItem(row, deliveryCounts(db, [id]).get(id) ?? NO_DELIVERIES),
    raw: raw && textOf(raw),
    from: row.sender || null,
    ...(row.acceptedBy !== null && { acceptedBy: row.acceptedBy }),
    record: deps.contextOf(event),
    deliveries: deliveriesOf(db, id, deps),
  }
}

/** The stored event that the member `eventId` of a body names. Throws 400 when it is no id, 404 when it is not stored. */
export function eventOfBody(
  { loadEvent, keepMs }: Pick<EventRoutesDeps, 'loadEvent' | 'keepMs'>,
  id: string,
): TaskEvent {
  if (!isGuid(id)) {
    const issues = [{ path: 'eventId', message: 'must be the id of an event (a UUID)' }]
    throw refusal('INVALID_ID', `"${id}" is not an id: a UUID is expected.`, { issues })
  }
  const event = loadEvent(id.toLowerCase())
  if (!event) throw eventNotFound(id, keepMs)
  return event
}

export function eventNotFound(id: string, keepMs: number): Refusal {
  const days = Math.round(keepMs / DAY_MS)
  const details = `No event has the id ${id}. Events are kept for ${days} ${days === 1 ? 'day' : 'days'}.`
  return refusal('EVENT_NOT_FOUND', details)
}

interface EventFilter extends Omit<EventsQuery, keyof typeof LIST_PARAMETERS> {
  readonly from: number | null
  readonly to: number | null
}

export interface EventRow {
  readonly seq: number
  readonly id: string
  readonly journalId: number | null
  readonly sender: string
  readonly receivedAt: number
  readonly source: TaskEvent['source']
  readonly type: EventType
  readonly outcome: EventOutcome
  readonly severity: Severity
  readonly state: EventState
  readonly reason: string | null
  readonly host: string
  readonly user: string
  readonly taskId: string
  readonly taskName: string
  readonly appId: string
  readonly appName: string
  readonly executionId: string
  readonly code: string | null
  readonly details: string | null
  readonly history: string | null
  readonly missingParts: string
  readonly test: number
  readonly acceptedBy: string | null
}

const COLUMNS = `seq, id, journal_id AS journalId, sender, received_at AS receivedAt, source, type, outcome, severity,
  state, reason, host, user, task_id AS taskId, task_name AS taskName, app_id AS appId, app_name AS appName,
  execution_id AS executionId, code, details, history, missing_parts AS missingParts, test, accepted_by AS acceptedBy`

/** Newest first. `recording`: the destinations that record and do not alert. */
export async function listEvents(
  db: Database,
  filter: EventFilter,
  page: { readonly before: number | null; readonly limit: number },
  recording: readonly string[] = [],
): Promise<Page<EventItem & { readonly seq: number }>> {
  const where = eventsWhere(filter, recording)
  const times = { column: 'received_at', from: filter.from, to: filter.to }
  const select = `${COLUMNS} FROM event`
  const { rows, ...rest } = await readPage<EventRow>(db, { select, seq: 'seq', table: 'event', where, times, ...page })
  const counts = deliveryCounts(
    db,
    rows.map(({ id }) => id),
  )
  const items = rows.map((row) => ({ seq: row.seq, ...eventItem(row, counts.get(row.id) ?? NO_DELIVERIES) }))
  return { rows: items, ...rest }
}

export function eventsWhere(filter: EventFilter, recording: readonly string[]): Where {
  return allOf([
    oneOfIds('id', filter.id),
    oneOf('type', filter.type),
    oneOf('outcome', filter.outcome),
    oneOfRare('source', filter.source, 'udp'),
    oneOfRare('state', filter.state, 'routed'),
    oneOf('severity', filter.severity),
    oneOfIds('task_id', filter.taskId),
    oneOfIgnoringCase('app_id', filter.appId),
    filter.executionId ? oneOfRare('execution_id', lowerCase(filter.executionId), '') : null,
    oneOfIgnoringCase('host', filter.host),
    holds(['task_name', 'app_name', 'log_message'], filter.q),
    alerted(filter.alerted, recording),
    // The plus: the sequence numbers bound the search, not the index of times.
    between('+received_at', filter.from, filter.to),
  ])
}

const lowerCase = (ids: readonly string[]) => ids.map((id) => id.toLowerCase())

function alerted(wanted: 'none' | 'some' | undefined, recording: readonly string[]): Condition {
  if (!wanted) return null
  const delivered = `EXISTS (SELECT 1 FROM delivery WHERE event_id = event.id AND state = 'delivered'
    AND destination NOT IN (${recording.map(() => '?').join(', ')}))`
  return { sql: wanted === 'some' ? delivered : `NOT ${delivered}`, values: recording }
}

/** Null when it is not stored (any more). */
function findEvent(db: Database, id: string): EventRow | null {
  return db.get<EventRow>(`SELECT ${COLUMNS} FROM event WHERE id = ?`, id) ?? null
}

function eventItem(row: EventRow, deliveryCounts: DeliveryCounts): EventItem {
  const details = storedJson<TaskEvent['details']>(row.details, null)
  const history = storedJson<TaskHistory | null>(row.history, null)
  return {
    id: row.id,
    receivedAt: new Date(row.receivedAt).toISOString(),
    source: row.source,
    type: row.type,
    outcome: row.outcome,
    severity: row.severity,
    state: row.state,
    reason: row.reason,
    title: eventTitle({ ...row, details, test: row.test === 1 }),
    host: row.host || null,
    user: formatUser(formatUser(row.user, 'collapsed'), 'slash') || null,
    taskId: row.taskId || null,
    taskName: row.taskName || null,
    appId: row.appId || null,
    appName: row.appName || null,
    executionId: row.executionId || null,
    consecutiveFailures: history?.consecutiveFailures ?? null,
    missingParts: storedJson<MissingPart[]>(row.missingParts, []),
    test: row.test === 1,
    deliveryCounts,
  }
}

const NO_DELIVERIES: DeliveryCounts = { pending: 0, sending: 0, delivered: 0, suppressed: 0, dead: 0 }

export function deliveryCounts(db: Database, ids: readonly string[]): ReadonlyMap<string, DeliveryCounts> {
  const counts = new Map<string, DeliveryCounts>()
  if (ids.length === 0) return counts
  const rows = db.all<{ eventId: string; state: DeliveryState; n: number }>(
    `SELECT event_id AS eventId, state, count(*) AS n FROM delivery
     WHERE event_id IN (${ids.map(() => '?').join(', ')}) GROUP BY event_id, state`,
    ...ids,
  )
  for (const { eventId, state, n } of rows)
    counts.set(eventId, { ...(counts.get(eventId) ?? NO_DELIVERIES), [state]: n })
  return counts
}

/** Refused datagrams, newest first. */
export async function listDropped(
  db: Database,
  reason: readonly string[] | undefined,
  page: { readonly before: number | null; readonly limit: number },
): Promise<Page<Dropped['dropped'][number] & { readonly seq: number }>> {
  const { rows, ...rest } = await readPage<{
    seq: number
    at: number
    sender: string
    reason: DropReason
    raw: Uint8Array
  }>(db, {
    select: 'seq, at, sender, reason, raw FROM dropped_datagram',
    seq: 'seq',
    table: 'dropped_datagram',
    where: allOf([oneOf('reason', reason)]),
    ...page,
  })
  const items = rows.map(({ seq, at, sender, reason, raw }) => ({
    seq,
    at: new Date(at).toISOString(),
    from: sender,
    reason,
    raw: textOf(raw),
  }))
  return { rows: items, ...rest }
}

/** A datagram as text; bytes that are not UTF-8 are read as windows-1252. */
export function textOf(raw: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(raw)
  } catch {
    return new TextDecoder('windows-1252').decode(raw)
  }
}
