/** Items that are not about tasks: deliveries, destinations, Footman itself, services, licence, reports, schedules, datagrams. */
import type { DestinationHealth } from '../../alerts/outbox/destination-health.ts'
import { severityOf } from '../../events/kinds.ts'
import type { MonitorStates } from '../../monitors/types.ts'
import { endSeverity } from '../../platform/certificate-ends.ts'
import { type Database, storedJson } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { AttentionSeverity } from '../../tasks/overview/contract.ts'
import type { Schedule } from '../../tasks/schedule/types.ts'
import { type Item, itemOf } from './types.ts'

export interface OtherItemsDeps {
  readonly db: Database
  readonly clock: Clock
  readonly alerts: {
    readonly destinations: ReadonlyMap<string, unknown>
    readonly health: Pick<DestinationHealth, 'state'>
  }
  readonly monitors: { states(): Pick<MonitorStates, 'licenseDays'> }
  readonly schedules: { list(): readonly Schedule[] }
  /** Certificates with their ends, milliseconds since 1970. */
  readonly certificates: () => readonly { readonly name: string; readonly expiresAt: number }[]
  /** The licence is reported when fewer days are left; null = it is not watched. */
  readonly licenceDays: number | null
}

const DAY_MS = 86_400_000
const DEAD_MS = 7 * DAY_MS
const DOWN_MS = 5 * 60_000
/** Refused datagrams that are looked at, newest first. */
const MOST_DROPPED = 10_000
/** These conditions have items of their own. */
const OWN_ITEMS = ['DEAD_LETTERS', 'DESTINATION_DOWN']

const SQL = {
  dead: `SELECT destination, count(*) AS count, min(created_at) AS since FROM delivery INDEXED BY delivery_given_up
    WHERE state = 'dead' AND created_at >= ? AND reason <> 'CANCELLED' GROUP BY destination`,
  lastDead: `SELECT detail, event_id AS eventId FROM delivery INDEXED BY delivery_given_up WHERE state = 'dead'
    AND destination = ? ORDER BY created_at DESC LIMIT 1`,
  self: 'SELECT code, raised_at AS since, subjects FROM self_alert ORDER BY code',
  selfEvent: `SELECT id FROM event WHERE task_id = '' AND code = ? ORDER BY seq DESC LIMIT 1`,
  services: `SELECT host, service, state, (SELECT event_id FROM service_event AS one WHERE one.host = service_state.host
    AND one.service = service_state.service ORDER BY seq DESC LIMIT 1) AS eventId FROM service_state
    WHERE state <> 'RUNNING' ORDER BY host, service`,
  eventTime: 'SELECT received_at AS at FROM event WHERE id = ?',
  reports: `SELECT id, task_id AS taskId, task_name AS taskName, outcome, reason, finished_at AS at FROM report_run AS run
    WHERE state = 'finished' AND outcome = 'error' AND test = 0 AND id = (SELECT max(id) FROM report_run AS other
      WHERE other.task_id = run.task_id AND state = 'finished' AND outcome <> 'skipped' AND test = 0)`,
  held: `SELECT run.task_id AS taskId, run.task_name AS taskName, count(*) AS count, min(run.queued_at) AS since
    FROM report_delivery JOIN report_run AS run ON run.id = run_id WHERE report_delivery.state = 'unknown' GROUP BY 1`,
  dropped: `SELECT reason, count(*) AS count, min(at) AS since FROM (SELECT reason, at FROM dropped_datagram ORDER BY seq DESC
    LIMIT ${MOST_DROPPED}) WHERE at >= ? AND reason IN ('SOURCE_NOT_ALLOWED', 'INVALID', 'BACKLOG_FULL') GROUP BY reason`,
} as const

export function otherItems(deps: OtherItemsDeps): Item[] {
  return [deadDeliveries, destinationsDown, selfAlerts, services, licence, reports, schedules, dropped].flatMap(
    (find) => find(deps),
  )
}

function deadDeliveries({ db, clock }: OtherItemsDeps): Item[] {
  interface Row {
    readonly destination: string
    readonly count: number
    readonly since: number
  }
  return db.all<Row>(SQL.dead, clock.now() - DEAD_MS).map(({ destination, count, since }) => {
    const last = db.get<{ detail: string | null; eventId: string }>(SQL.lastDead, destination)
    return itemOf({
      key: `deadDeliveries:${destination}`,
      kind: 'deadDeliveries',
      severity: 'error',
      since,
      title: destination,
      cause: last?.detail ?? null,
      eventId: last?.eventId ?? null,
      count,
    })
  })
}

function destinationsDown({ alerts, clock }: OtherItemsDeps): Item[] {
  return [...alerts.destinations.keys()].flatMap((name) => {
    const { up, downSince, lastError } = alerts.health.state(name)
    if (up || downSince === null || clock.now() - downSince < DOWN_MS) return []
    return itemOf({
      key: `destinationDown:${name}`,
      kind: 'destinationDown',
      severity: 'error',
      since: downSince,
      title: name,
      cause: lastError,
    })
  })
}

function selfAlerts(deps: OtherItemsDeps): Item[] {
  interface Row {
    readonly code: string
    readonly since: number
    readonly subjects: string
  }
  return deps.db.all<Row>(SQL.self).flatMap(({ code, since, subjects: stored }) => {
    if (OWN_ITEMS.includes(code)) return []
    const subjects = storedJson<Record<string, { readonly text: string }>>(stored, {})
    return itemOf({
      key: `self:${code}`,
      kind: 'self',
      severity: selfSeverity(deps, code),
      since,
      title: code,
      cause:
        Object.values(subjects)
          .map(({ text }) => text)
          .join(' ') || null,
      count: Object.keys(subjects).length,
    })
  })
}

function selfSeverity({ clock, certificates }: OtherItemsDeps, code: string): AttentionSeverity {
  if (code === 'CERTIFICATE_EXPIRING') {
    return certificates().some(({ expiresAt }) => endSeverity(expiresAt - clock.now()) === 'error')
      ? 'error'
      : 'warning'
  }
  const severity = severityOf('raised')
  return severity === 'critical' ? 'error' : severity
}

function services({ db, clock }: OtherItemsDeps): Item[] {
  interface Row {
    readonly host: string
    readonly service: string
    readonly state: string
    readonly eventId: string | null
  }
  return db.all<Row>(SQL.services).map(({ host, service, state, eventId }) => {
    const at = eventId === null ? undefined : db.get<{ at: number }>(SQL.eventTime, eventId)?.at
    return itemOf({
      key: `service:${host}|${service}`,
      kind: 'service',
      severity: 'error',
      since: at ?? clock.now(),
      title: `${service} on ${host}`,
      cause: state,
      eventId: at === undefined ? null : eventId,
    })
  })
}

function licence({ monitors, licenceDays, clock }: OtherItemsDeps): Item[] {
  const days = monitors.states().licenseDays
  if (licenceDays === null || days === null || days > licenceDays) return []
  const cause = days < 0 ? 'It has expired.' : `It ends in ${days} days.`
  return [
    itemOf({
      key: 'licence:server',
      kind: 'licence',
      severity: 'warning',
      since: clock.now(),
      cause,
      title: 'Server licence of Qlik Sense',
    }),
  ]
}

function reports({ db }: OtherItemsDeps): Item[] {
  const failed = db
    .all<{ taskId: string; taskName: string; reason: string | null; at: number }>(SQL.reports)
    .map(({ taskId, taskName, reason, at }) =>
      itemOf({
        key: `reportFailed:${taskId}`,
        kind: 'reportFailed',
        severity: 'error',
        since: at,
        title: taskName,
        cause: reason,
      }),
    )
  const held = db
    .all<{ taskId: string; taskName: string; count: number; since: number }>(SQL.held)
    .map(({ taskId, taskName, count, since }) =>
      itemOf({
        key: `reportHeld:${taskId}`,
        kind: 'reportHeld',
        severity: 'warning',
        since,
        title: taskName,
        count,
        cause: `${count} mails may have been sent or not.`,
      }),
    )
  return [...failed, ...held]
}

function schedules({ schedules, clock }: OtherItemsDeps): Item[] {
  return schedules.list().flatMap(({ id, values, problem }) =>
    problem === null
      ? []
      : itemOf({
          key: `scheduleInvalid:${id}`,
          kind: 'scheduleInvalid',
          severity: 'warning',
          since: clock.now(),
          title: typeof values.name === 'string' ? values.name : id,
          cause: problem.message,
        }),
  )
}

function dropped({ db, clock }: OtherItemsDeps): Item[] {
  return db
    .all<{ reason: string; count: number; since: number }>(SQL.dropped, clock.now() - DAY_MS)
    .map(({ reason, count, since }) =>
      itemOf({ key: `dropped:${reason}`, kind: 'dropped', severity: 'info', since, title: reason, count }),
    )
}
