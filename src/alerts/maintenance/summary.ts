/** At the end of a maintenance: one message with what was held back, by task. */

import type { EventOutcome, TaskEvent } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { insertDelivery } from '../outbox/store.ts'
import { type SubjectParts, subjectName, subjectOf } from '../rules/subjects.ts'
import type { DeliveryNote, Rule } from '../types.ts'
import { type Maintenance, maintenanceDetail } from './maintenance.ts'

export interface SummaryDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly maintenance: Pick<Maintenance, 'isOn'>
  readonly loadEvent: (id: string) => TaskEvent | null
  /** Routes by the name of `summaryRule`, one per destination. */
  readonly routes: (name: string) => readonly Rule[]
  readonly onDeliveries: (lanes: ReadonlySet<string>) => void
}

export interface Summaries extends Service {
  /** Looks at once; for tests. */
  look(): Promise<void>
}

interface Held extends SubjectParts {
  /** Of its last delivery. */
  readonly seq: number
  readonly eventId: string
  readonly outcome: EventOutcome
}

const TICK_MS = 15_000
/** Tasks named in a summary; the rest is counted. */
const MAX_LINES = 100

/** Name of the route of a summary in deliveries. */
export const summaryRule = (maintenance: string): string => `maintenance.${maintenance}`

/** `names`: of each maintenance that has a summary now. */
export function createSummaries(deps: SummaryDeps, names: () => readonly string[]): Summaries {
  const { db, writer, clock, log, maintenance } = deps

  async function lookAt(name: string): Promise<void> {
    if (maintenance.isOn(name, clock.now()) || isAwaited(name)) return
    const held = heldBack(db, name)
    const latest = held.at(-1)
    if (!latest) return
    const last = deps.loadEvent(latest.eventId)
    const told = Math.max(...held.map(({ seq }) => seq))
    const summary = summaryOf(name, held)
    const lanes = await writer.write((tx) => {
      tx.run('INSERT OR REPLACE INTO maintenance_summary VALUES (?, ?)', name, told)
      return last ? addSummary(tx, name, last, { summary }) : new Set<string>()
    })
    log.info(`NOTIFY Maintenance ${name} is over: ${summary.lines.length} subjects were held back`)
    deps.onDeliveries(lanes)
  }

  /** Events that arrived within the maintenance may still wait for data of Qlik Sense. */
  function isAwaited(name: string): boolean {
    const pending = db.all<{ at: number }>(
      `SELECT received_at AS at FROM event WHERE state = 'pending' ORDER BY seq LIMIT 1000`,
    )
    return pending.some(({ at }) => maintenance.isOn(name, at))
  }

  function addSummary(tx: Database, name: string, event: TaskEvent, note: DeliveryNote): Set<string> {
    const now = clock.now()
    const lanes = new Set<string>()
    for (const route of deps.routes(summaryRule(name))) {
      for (const { target, lane, suppress } of route.plan(event)) {
        insertDelivery(tx, {
          ...{ id: uuidV7(now), eventId: event.id, kind: 'summary', route: route.name, destination: route.destination },
          ...{ target, lane, orderKey: null, limitKey: null, severity: 'info', createdAt: now, note },
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

/** The events that no summary has told, oldest first. */
function heldBack(db: Database, name: string): readonly Held[] {
  return db
    .all<Omit<Held, 'details'> & { readonly details: string | null }>(
      `SELECT max(delivery.seq) AS seq, event.id AS eventId, type, outcome, task_id AS taskId, task_name AS taskName,
         app_id AS appId, app_name AS appName, host, code, details
       FROM delivery JOIN event ON event.id = event_id
       WHERE delivery.reason = 'MAINTENANCE' AND detail = ?
         AND delivery.seq > coalesce((SELECT told_seq FROM maintenance_summary WHERE name = ?), 0)
       GROUP BY event.id ORDER BY event.seq`,
      maintenanceDetail(name),
      name,
    )
    .map((row) => ({
      ...row,
      details: storedJson<TaskEvent['details']>(row.details, null),
    }))
}

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
