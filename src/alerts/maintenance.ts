/** At the end of a maintenance: one message with what was held back, by task. */

import type { EventOutcome, Need, TaskEvent } from '../events/types.ts'
import type { Windows } from '../platform/calendar.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import { type Database, storedJson } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { MaintenanceConfig } from './config-routes.ts'
import { insertDelivery } from './outbox/store.ts'
import { compileMatches, EVERYTHING, testMatches } from './rules/match.ts'
import { type SubjectParts, subjectName, subjectOf } from './rules/subjects.ts'
import type { DeliveryNote, Hold, Rule } from './types.ts'

export interface Maintenance extends Hold {
  /** The data of an event that the matches need. */
  needs(): readonly Need[]
  /** The maintenance that an event of this time belongs to; null = none. */
  nameFor(event: TaskEvent, at: number): string | null
  /** The maintenance that stops schedules now; null = none. */
  stopsSchedules(at: number): string | null
  /** Whether a maintenance is going on. */
  isOn(name: string, at: number): boolean
  /** The times of every maintenance in [from, to), cut there; to the second. One of less than five minutes may be left out. */
  bands(from: number, to: number): readonly MaintenanceBand[]
}

/** Milliseconds since 1970. */
export interface MaintenanceBand {
  readonly name: string
  readonly from: number
  readonly to: number
}

const BAND_STEP_MS = 5 * 60_000

export function createMaintenance(
  deps: { readonly windows: Pick<Windows, 'contains'> },
  config: readonly MaintenanceConfig[],
): Maintenance {
  const compiled = config.map(({ name, during, match, stopSchedules }) => ({
    name,
    during,
    stopSchedules,
    matches: compileMatches(match, deps, EVERYTHING),
  }))
  const within = (during: MaintenanceConfig['during'], at: number) =>
    during.some((window) => deps.windows.contains(window, at))

  const needs = [...new Set(compiled.flatMap(({ matches }) => matches.flatMap((match) => match.needs)))]

  function find(event: TaskEvent, at: number) {
    // Unknown does not match: a spurious alert is better than a missed one.
    return compiled.find(
      ({ during, matches }) => within(during, at) && (matches.length === 0 || testMatches(matches, event, at) === true),
    )
  }

  const ends = new Map<MaintenanceConfig['during'], { readonly from: number; readonly until: number | null }>()

  /** When the maintenance that is on at `at` ends, ISO; null when it does not end within a week. Its seconds are not looked at. */
  function endOf(during: MaintenanceConfig['during'], at: number): string | null {
    const known = ends.get(during)
    const isKnown = known && at >= known.from && (known.until === null ? at < known.from + STEP_MS : at < known.until)
    const until = isKnown ? known.until : searchEnd((time) => within(during, time), at)
    if (!isKnown) ends.set(during, { from: at, until })
    return until === null ? null : new Date(until).toISOString()
  }

  return {
    nameFor: (event, at) => find(event, at)?.name ?? null,
    needs: () => needs,
    suppression(_db, { event }) {
      const found = find(event, event.receivedAt)
      if (!found) return null
      const { name, during } = found
      const until = endOf(during, event.receivedAt)
      return { reason: 'MAINTENANCE', detail: maintenanceDetail(name), by: { maintenance: { name, until } } }
    },
    stopsSchedules: (at) =>
      compiled.find(({ stopSchedules, during }) => stopSchedules && within(during, at))?.name ?? null,
    isOn: (name, at) => compiled.some((one) => one.name === name && within(one.during, at)),
    bands: (from, to) =>
      compiled.flatMap(({ name, during }) =>
        bandsOf((at) => within(during, at), from, to).map((band) => ({ name, from: band[0], to: band[1] })),
      ),
  }
}

function bandsOf(isOn: (at: number) => boolean, from: number, to: number): [from: number, to: number][] {
  const bands: [number, number][] = []
  let begin = isOn(from) ? from : null
  for (let at = from; at < to; at += BAND_STEP_MS) {
    const next = Math.min(at + BAND_STEP_MS, to)
    if (isOn(next) === (begin !== null)) continue
    const edge = edgeOf(isOn, at, next)
    if (begin === null) begin = edge
    else {
      bands.push([begin, edge])
      begin = null
    }
  }
  if (begin !== null && begin < to) bands.push([begin, to])
  return bands
}

/** The first full second at which the state is that of `to`. */
function edgeOf(isOn: (at: number) => boolean, from: number, to: number): number {
  const after = isOn(to)
  let [low, high] = [Math.floor(from / 1000), Math.ceil(to / 1000)]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (isOn(middle * 1000) === after) high = middle
    else low = middle
  }
  return high * 1000
}

const MINUTE_MS = 60_000
const STEP_MS = 15 * MINUTE_MS
const SEARCHED_MS = 7 * 24 * 60 * MINUTE_MS

/** The first whole minute after `at` at which it is not on; null when there is none within a week. Skips shorter gaps than a step. */
function searchEnd(isOn: (at: number) => boolean, at: number): number | null {
  const begin = at - (at % MINUTE_MS)
  let open = begin
  while (isOn(open + STEP_MS)) {
    open += STEP_MS
    if (open - begin > SEARCHED_MS) return null
  }
  while (isOn(open + MINUTE_MS)) open += MINUTE_MS
  return open + MINUTE_MS
}

/** Detail of the suppressed deliveries, by which the summary finds them. */
export const maintenanceDetail = (name: string): string => `maintenance ${name}`

interface SummaryDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly maintenance: Pick<Maintenance, 'isOn'>
  readonly loadEvent: (id: string) => TaskEvent | null
  /** By the name of a maintenance: the routes of its summary, one per destination. */
  readonly routes: (name: string) => readonly Rule[]
  readonly onDeliveries: (lanes: ReadonlySet<string>) => void
}

interface Summaries extends Service {
  /** Looks at once; for tests. */
  look(): Promise<void>
}

interface Held extends SubjectParts {
  /** Creation time (milliseconds since 1970) and id of its last delivery. */
  readonly heldAt: number
  readonly heldId: string
  readonly eventId: string
  readonly outcome: EventOutcome
}

const TICK_MS = 15_000
/** Tasks named in a summary; the rest is counted. */
const MAX_LINES = 100

/** Name of the route of a summary in deliveries. */
export const summaryRule = (maintenance: string): string => `maintenance.${maintenance}`

/** Sends the summaries. `names`: the maintenances that have one in the current configuration. */
export function createSummaries(deps: SummaryDeps, names: () => readonly string[]): Summaries {
  const { db, writer, clock, log, maintenance } = deps

  async function lookAt(name: string): Promise<void> {
    if (maintenance.isOn(name, clock.now()) || isAwaited(name)) return
    const held = heldBack(db, name)
    const latest = held.at(-1)
    if (!latest) return
    const last = deps.loadEvent(latest.eventId)
    const until = held.reduce((newest, one) => (isNewer(one, newest) ? one : newest))
    const summary = summaryOf(name, held)
    const lanes = await writer.write((tx) => {
      tx.run('INSERT OR REPLACE INTO maintenance_summary VALUES (?, ?, ?)', name, until.heldAt, until.heldId)
      return last ? addSummary(tx, name, last, { summary }) : new Set<string>()
    })
    log.info(`NOTIFY Maintenance ${name} is over: ${summary.lines.length} subjects were held back`)
    deps.onDeliveries(lanes)
  }

  /** Events that arrived within the maintenance may still wait for data of Qlik Sense. */
  function isAwaited(name: string): boolean {
    const pending = db.all<{ at: number }>(
      `SELECT received_at AS at FROM event WHERE state = 'pending' AND state <> 'routed' ORDER BY seq LIMIT 1000`,
    )
    return pending.some(({ at }) => maintenance.isOn(name, at))
  }

  function addSummary(tx: Database, name: string, event: TaskEvent, note: DeliveryNote): Set<string> {
    const now = clock.now()
    const lanes = new Set<string>()
    for (const route of deps.routes(name)) {
      for (const { target, lane, suppress } of route.plan(event)) {
        insertDelivery(tx, {
          id: uuidV7(now),
          eventId: event.id,
          kind: 'summary',
          route: route.name,
          destination: route.destination,
          destinationType: route.destinationType ?? route.destination,
          target,
          lane,
          orderKey: null,
          limitKey: null,
          severity: 'info',
          createdAt: now,
          note,
          ...(suppress ? { state: 'suppressed', ...suppress } : { state: 'pending', reason: null, detail: null }),
        })
        if (!suppress) lanes.add(lane)
      }
    }
    return lanes
  }

  async function look(): Promise<void> {
    for (const name of names()) {
      try {
        await lookAt(name)
      } catch (error) {
        log.error(`NOTIFY The summary of maintenance ${name} could not be made: ${error}`)
      }
    }
  }

  const job = createRecurringJob({ everyMs: TICK_MS, firstMs: 0 }, look)
  return { name: 'maintenance summaries', start: async () => job.start(), stop: job.stop, look: job.run }
}

/** The suppressed events that are in no summary yet, oldest first. */
function heldBack(db: Database, name: string): readonly Held[] {
  const last = db.get<{ until: number; id: string }>(
    'SELECT told_until AS until, told_id AS id FROM maintenance_summary WHERE name = ?',
    name,
  )
  const rows = db.all<Omit<Held, 'details'> & { readonly details: string | null }>(
    `SELECT delivery.created_at AS heldAt, delivery.id AS heldId, event.id AS eventId, type, outcome, task_id AS taskId,
       task_name AS taskName, app_id AS appId, app_name AS appName, host, code, details
     FROM delivery JOIN event ON event.id = event_id
     WHERE delivery.reason = 'MAINTENANCE' AND detail = ? AND (delivery.created_at, delivery.id) > (?, ?)
     ORDER BY event.seq, delivery.created_at, delivery.id`,
    maintenanceDetail(name),
    last?.until ?? 0,
    last?.id ?? '',
  )
  const byEvent = new Map(rows.map((row) => [row.eventId, row]))
  return [...byEvent.values()].map((row) => ({
    ...row,
    details: storedJson<TaskEvent['details']>(row.details, null),
  }))
}

const isNewer = (one: Held, other: Held): boolean =>
  one.heldAt > other.heldAt || (one.heldAt === other.heldAt && one.heldId > other.heldId)

function summaryOf(name: string, events: readonly Held[]): NonNullable<DeliveryNote['summary']> {
  const subjects = new Map<string, { name: string; counts: Map<EventOutcome, number> }>()
  for (const event of events) {
    const key = subjectOf(event)
    const subject = subjects.get(key) ?? { name: subjectName(event), counts: new Map() }
    subjects.set(key, subject)
    subject.counts.set(event.outcome, (subject.counts.get(event.outcome) ?? 0) + 1)
  }
  const lines = [...subjects.values()]
    .sort((a, b) => a.name.localeCompare(b.name))
    .map((subject) => `${subject.name}: ${[...subject.counts].map(([outcome, n]) => `${n} ${outcome}`).join(', ')}`)
  const more = lines.length - MAX_LINES
  return {
    title: `Maintenance ${name} is over: ${events.length} ${events.length === 1 ? 'event was' : 'events were'} held back`,
    lines: more > 0 ? [...lines.slice(0, MAX_LINES), `and ${more} more`] : lines,
  }
}
