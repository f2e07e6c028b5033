/** The listings of a running Footman: endpoint, filters and columns of each. */
import { type ListedSnooze, SNOOZES as SNOOZE_LIST } from '../../alerts/contract.ts'
import {
  DELIVERIES as DELIVERY_LIST,
  DROPPED as DROPPED_LIST,
  EVENTS as EVENT_LIST,
  type EventItem,
} from '../../alerts/history/contract.ts'
import { matchedIds, matchText } from '../../alerts/match-text.ts'
import { ALERT_RULES, DESTINATIONS as DESTINATION_LIST } from '../../alerts/rules/contract.ts'
import type { Names } from '../../console/names.ts'
import { ACCESS_KEYS, AUDIT, type AuditItem } from '../../http/contract.ts'
import { splitAtIds } from '../../platform/uuid.ts'
import { LISTED_TASKS } from '../../reports/entities/contract.ts'
import { RUNS as RUNS_OF_REPORTS } from '../../reports/runs/contract.ts'
import { TASKS } from '../../tasks/executions/contract.ts'
import { SCHEDULE_RUNS, SCHEDULES, type ShownRun } from '../../tasks/schedule/contract.ts'
import { span, stateText } from '../table.ts'
import type { Remote } from './client.ts'
import type { EndedEvent } from './failures.ts'
import { limit, list, many, one, PERIOD, REPORTS_OFF } from './list-parts.ts'

const OLD = 'does an older Footman run there?'
const SCHEDULES_OFF = 'is Butler.restServerEndpointsEnable.scheduler.getSchedule true, and was Footman restarted since?'
export const SCHEDULE_EXIT_CODES = `
Exit codes
  0 done             2 Footman cannot be reached, or refuses
  1 wrong arguments  3 there is no such schedule`

export const NO_SCHEDULE = {
  code: 'SCHEDULE_NOT_FOUND',
  why: 'there is no schedule with this id; list them with: footman schedules list',
} as const

const NEWEST = limit(50, 100_000)

/** `2 delivered, 1 dead`; `-` without any. */
function counts(deliveryCounts: EventItem['deliveryCounts']): string {
  const some = Object.entries(deliveryCounts).filter(([, count]) => count > 0)
  return some.map(([state, count]) => `${count} ${state}`).join(', ') || '-'
}

const EVENTS = list<typeof EVENT_LIST, 'events', EndedEvent>({
  description: 'list events, newest first',
  options: [
    many('--type <type>', 'only events about this: reload, service, ...'),
    many('--outcome <outcome>', 'only this outcome: failed, aborted, success, ...'),
    many('--source <source>', 'only from this source: udp, reconciler, watchdog, ...'),
    ...PERIOD,
    NEWEST,
  ],
  help: '\nExample\n  footman events list --outcome failed --from 24h',
  of: EVENT_LIST,
  query: ({ type, outcome, source, from, to }) => ({ type, outcome, source, from, to }),
  member: 'events',
  paged: true,
  switchedOff: OLD,
  columns: [
    { head: 'RECEIVED', cell: ({ receivedAt }) => receivedAt, form: 'time' },
    { head: 'TASK ENDED', cell: ({ endedAt }) => endedAt ?? '', form: 'time', optional: true },
    { head: 'EVENT', cell: ({ title }) => title, least: 28 },
    { head: 'STATE', cell: stateText, least: 10 },
    { head: 'DELIVERIES', cell: ({ deliveryCounts }) => counts(deliveryCounts), least: 10 },
    { head: 'SOURCE', cell: ({ source }) => source, wide: true },
    { head: 'HOST', cell: ({ host }) => host ?? '-', wide: true },
    { head: 'TASK ID', cell: ({ taskId }) => taskId ?? '-', wide: true },
    { head: 'ID', cell: ({ id }) => id, form: 'id' },
  ],
  async complete(remote, rows) {
    const { withTaskEnds } = await import('./failures.ts')
    return withTaskEnds(remote, rows)
  },
  empty: 'No events.',
})

const DROPPED = list({
  description: 'list datagrams that did not become events',
  options: [many('--reason <reason>', 'only this reason: DUPLICATE, INVALID, ...'), NEWEST],
  of: DROPPED_LIST,
  query: ({ reason }) => ({ reason }),
  member: 'dropped',
  paged: true,
  switchedOff: OLD,
  columns: [
    { head: 'AT', cell: ({ at }) => at, form: 'time' },
    { head: 'FROM', cell: ({ from }) => from, least: 15 },
    { head: 'REASON', cell: ({ reason }) => reason },
    { head: 'TEXT', cell: ({ raw }) => raw, least: 20 },
  ],
  empty: 'No datagram was dropped.',
})

const DELIVERIES = list({
  description: 'list deliveries, newest first',
  options: [
    one('--dead', 'only dead letters'),
    many('--state <state>', 'only this state: pending, delivered, suppressed, ...'),
    many('--destination <name>', 'only to this destination'),
    one('--event <id>', 'only of this event'),
    ...PERIOD,
    NEWEST,
  ],
  of: DELIVERY_LIST,
  query: ({ dead, state, destination, event, from, to }) => ({
    state: dead ? ['dead'] : state,
    destination,
    eventId: event,
    from,
    to,
  }),
  member: 'deliveries',
  paged: true,
  switchedOff: OLD,
  columns: [
    { head: 'CREATED', cell: ({ createdAt }) => createdAt, form: 'time' },
    { head: 'DESTINATION', cell: ({ destination }) => destination, least: 11 },
    { head: 'TO', cell: ({ target }) => target, least: 12 },
    { head: 'STATE', cell: (row) => stateText(row), least: 10 },
    { head: 'RULE', cell: ({ route }) => route ?? '-', least: 10 },
    { head: 'KIND', cell: ({ kind }) => kind, wide: true },
    { head: 'EVENT', cell: ({ eventId }) => eventId, wide: true },
    { head: 'ID', cell: ({ id }) => id, form: 'id' },
  ],
  async resolve(remote, { argument, options }) {
    if (options.event === undefined) return { argument, options }
    const { wholeId } = await import('./names.ts')
    return { argument, options: { ...options, event: await wholeId(remote, 'event', options.event) } }
  },
  async review(remote, rows, { destination }, io) {
    const { refuseUnknownDestinations } = await import('./names.ts')
    const silent = (destination as readonly string[]).filter((name) => !rows.some((row) => row.destination === name))
    await refuseUnknownDestinations(remote, silent, rows.length === 0, io)
  },
  empty: 'No deliveries.',
})

/** A text with names in the place of ids, as far as they are known. */
const withNames = (text: string, names: Names = new Map()): string =>
  splitAtIds(text)
    .map((part, n) => (n % 2 === 1 ? (names.get(part.toLowerCase())?.name ?? part) : part))
    .join('')

/** One id fits on a line; `--json` has them all. */
const targets = ([first = '', ...more]: readonly string[]): string =>
  more.length === 0 ? first : `${first} and ${more.length} more`

const AUDIT_LIST = list({
  of: AUDIT,
  description: 'list the audit: user, action, result; newest first',
  options: [
    one('--actor <glob>', 'only these: "key:erp", "key:*", local, ...'),
    one('--action <glob>', 'only this: "task.*", kv.import, ...'),
    one('--outcome <outcome>', 'only ok, denied or failed'),
    ...PERIOD,
    NEWEST,
  ],
  help: '\nExample\n  footman audit --actor "key:*" --from 24h',
  query: ({ actor, action, outcome, from, to }) => ({ actor, action, outcome, from, to }),
  member: 'audit',
  paged: true,
  switchedOff: OLD,
  columns: [
    { head: 'AT', cell: ({ at }) => at, form: 'time' },
    { head: 'WHO', cell: ({ actor, names }) => withNames(actor, names), least: 9 },
    { head: 'FROM', cell: ({ address }) => address ?? '-', least: 9 },
    { head: 'WHAT', cell: ({ action }) => action, least: 12 },
    { head: 'RESULT', cell: ({ outcome, status }) => (status === null ? outcome : `${outcome} (${status})`) },
    { head: 'TARGET', cell: ({ target, names }) => withNames(targets(target), names), least: 8 },
    { head: 'DETAIL', cell: ({ detail, names }) => withNames(detail ?? '', names), least: 8, form: 'prose' },
  ],
  async complete(remote: Remote, rows: readonly AuditItem[]) {
    const { nameSource } = await import('./names.ts')
    const { targetNames } = await import('../../console/names.ts')
    const names = await targetNames(nameSource(remote), rows)
    return rows.map((row) => ({ ...row, names }))
  },
  empty: 'The audit has no such entries.',
})

const KEYS = list({
  of: ACCESS_KEYS,
  description: 'list the keys of a running Footman with their last use',
  options: [],
  member: 'keys',
  switchedOff: OLD,
  columns: [
    { head: 'KEY', cell: ({ id }) => id, least: 9 },
    { head: 'SCOPES', cell: ({ scopes }) => scopes.join(' '), least: 9 },
    { head: 'LAST USED', cell: ({ lastUsedAt }) => lastUsedAt ?? 'never', form: 'time' },
    { head: 'FROM', cell: ({ lastAddress }) => lastAddress ?? '-', least: 9 },
    { head: 'ENDS', cell: ({ expiresAt }) => expiresAt ?? 'never', form: 'time' },
  ],
  empty: 'There are no keys, or access control is off.',
})

const TASK_LIST = list({
  of: TASKS,
  description: 'list tasks and their last runs',
  argument: '[glob]',
  options: [
    many('--tag <tag>', 'only tasks with this tag'),
    many('--outcome <outcome>', 'only tasks whose last run ended like this: success, failed, ...'),
  ],
  query: ({ tag, outcome }, glob) => ({ name: glob, tag, outcome }),
  member: 'tasks',
  paged: true,
  columns: [
    { head: 'TASK', cell: ({ taskName, enabled }) => (enabled ? taskName : `${taskName} (disabled)`), least: 20 },
    { head: 'TYPE', cell: ({ taskType }) => taskType },
    { head: 'LAST RUN', cell: ({ last }) => (last ? (last.outcome ?? last.state) : 'never') },
    { head: 'ENDED', cell: ({ last }) => last?.stoppedAt ?? '', form: 'time' },
    { head: 'RAN', cell: ({ last }) => span(last?.runMs ?? null) },
    // No other command takes a part of a task id: a task is named by its name.
    { head: 'ID', cell: ({ taskId }) => taskId, wide: true },
  ],
  empty: 'No tasks.',
})

const SCHEDULE_LIST = list({
  of: SCHEDULES,
  description: 'list the schedules, their next and their last runs',
  options: [],
  help: SCHEDULE_EXIT_CODES,
  member: null,
  switchedOff: SCHEDULES_OFF,
  columns: [
    { head: 'SCHEDULE', cell: ({ id, name }) => name ?? id, least: 12 },
    { head: 'CRON', cell: ({ cronSchedule }) => cronSchedule ?? '', least: 11 },
    { head: 'TIME ZONE', cell: ({ timezone }) => timezone ?? '', wide: true },
    { head: 'NEXT RUN', cell: ({ nextRun }) => nextRun ?? 'stopped', form: 'time' },
    { head: 'LAST RUN', cell: ({ lastRun }) => lastRun ?? 'never', form: 'time' },
    { head: 'RESULT', cell: ({ lastResult }) => lastResult ?? '', least: 7 },
    { head: 'ID', cell: ({ id }) => id, form: 'id', least: 8 },
  ],
  empty: 'No schedules.',
})

const late = ({ dueAt, firedAt }: ShownRun): string =>
  firedAt === null ? '' : span(Math.max(0, Date.parse(firedAt) - Date.parse(dueAt)))

const SCHEDULE_RUN_LIST = list({
  of: SCHEDULE_RUNS,
  description: 'show the runs of a schedule, newest first',
  argument: '<id>',
  options: [limit(20, 500), many('--outcome <outcome>', 'only this outcome: started, failed, ...')],
  help: SCHEDULE_EXIT_CODES,
  params: (id) => ({ id }),
  query: (options) => ({ limit: options.limit }),
  member: 'runs',
  switchedOff: SCHEDULES_OFF,
  missing: NO_SCHEDULE,
  columns: [
    { head: 'DUE', cell: ({ dueAt }) => dueAt, form: 'time' },
    { head: 'LATE', cell: late },
    { head: 'TRIGGER', cell: ({ trigger }) => trigger, least: 7 },
    { head: 'STATE', cell: ({ state, outcome, reason }) => outcome ?? reason ?? state, least: 8 },
    { head: 'TASKS', cell: ({ tasks }) => String(tasks.length) },
    { head: 'DETAIL', cell: ({ detail }) => detail ?? '', least: 8, form: 'prose' },
    { head: 'RUN', cell: ({ runId }) => runId, form: 'id' },
  ],
  only: ({ outcome }, options) => options.outcome.length === 0 || options.outcome.includes(outcome),
  async resolve(remote, { argument = '', options }) {
    const { scheduleId } = await import('./names.ts')
    return { argument: await scheduleId(remote, argument), options }
  },
  empty: 'The schedule has not run yet.',
})

type NamedSnooze = ListedSnooze & { readonly names: Names }

const SNOOZES = list<typeof SNOOZE_LIST, 'snoozes', NamedSnooze>({
  description: 'list snoozes that have not ended',
  options: [],
  of: SNOOZE_LIST,
  member: 'snoozes',
  paged: true,
  switchedOff: OLD,
  columns: [
    { head: 'UNTIL', cell: ({ until }) => until, form: 'time' },
    { head: 'MATCH', cell: ({ match, names }) => matchText(match, names), least: 16 },
    { head: 'HELD BACK', cell: ({ suppressed }) => String(suppressed) },
    { head: 'BY', cell: ({ createdBy }) => createdBy, least: 9 },
    { head: 'REASON', cell: ({ reason }) => reason, least: 12 },
    { head: 'ID', cell: ({ id }) => id, form: 'id' },
  ],
  async complete(remote, rows) {
    const { nameSource } = await import('./names.ts')
    const { qlikNamesOf } = await import('../../console/names.ts')
    const names = await qlikNamesOf(nameSource(remote), matchedIds(rows.map(({ match }) => match)))
    return rows.map((row) => ({ ...row, names }))
  },
  empty: 'No snoozes.',
})

const ROUTES = list({
  description: 'list rules in order of evaluation',
  options: [one('--all', 'also those that are switched off')],
  of: ALERT_RULES,
  member: 'alertRoutes',
  switchedOff: OLD,
  columns: [
    { head: 'RULE', cell: ({ name, enable }) => (enable ? name : `${name} (off)`), least: 24 },
    { head: 'ORIGIN', cell: ({ origin }) => origin },
    { head: 'TO', cell: ({ to }) => to.join(', '), least: 20 },
  ],
  only: ({ enable }, { all }) => enable || all === true,
  empty: 'No rules; --all also lists those that are switched off.',
})

const DESTINATIONS = list({
  description: 'list destinations: pending deliveries, dead letters, last error',
  options: [],
  of: DESTINATION_LIST,
  member: 'destinations',
  switchedOff: OLD,
  columns: [
    { head: 'DESTINATION', cell: ({ name }) => name, least: 16 },
    { head: 'TYPE', cell: ({ type }) => type },
    // Older servers do not answer the state.
    { head: 'STATE', cell: ({ up, state = up ? 'up' : 'down' }) => (state === 'up' ? state : state.toUpperCase()) },
    { head: 'PENDING', cell: ({ pending }) => String(pending) },
    { head: 'DEAD', cell: ({ dead }) => String(dead) },
    { head: 'LAST DELIVERED', cell: ({ lastDeliveredAt }) => lastDeliveredAt ?? 'never', form: 'time' },
    { head: 'LAST ERROR', cell: ({ lastError }) => lastError ?? '', least: 12 },
  ],
  empty: 'No destinations.',
})

const REPORT_TASKS = list({
  of: LISTED_TASKS,
  description: 'list report tasks, by name',
  argument: '[name]',
  options: [
    one('--project <project>', 'only of this project'),
    one('--tag <tag>', 'only with this tag'),
    limit(500, 500),
  ],
  query: ({ project, tag, limit }, name) => ({ project, tag, limit, name }),
  member: 'reportTasks',
  switchedOff: REPORTS_OFF,
  columns: [
    { head: 'NAME', cell: ({ name }) => name, least: 20 },
    { head: 'PROJECT', cell: ({ project }) => project },
    { head: 'STATE', cell: ({ enabled, testMode }) => `${enabled ? 'on' : 'off'}${testMode ? ', test' : ''}` },
    { head: 'NEXT RUN', cell: ({ nextRunAt }) => nextRunAt ?? '', form: 'time' },
    { head: 'LAST RUN', cell: ({ lastRun }) => lastRun?.finishedAt ?? '', form: 'time' },
    { head: 'OUTCOME', cell: ({ lastRun }) => lastRun?.outcome ?? '-' },
    { head: 'ID', cell: ({ id }) => id, form: 'id' },
  ],
  empty: 'No report tasks.',
})

const REPORT_RUNS = list({
  of: RUNS_OF_REPORTS,
  description: 'list runs of report tasks, of one task or all; newest first',
  argument: '[task]',
  options: [
    one('--outcome <outcome>', 'only this outcome').choices(['success', 'warning', 'error', 'skipped', 'cancelled']),
    limit(50, 500),
  ],
  help: '\nExample\n  footman reports runs "Weekly sales pack" --outcome error',
  query: ({ outcome, limit }, taskId) => ({ taskId, outcome, limit }),
  member: 'runs',
  switchedOff: REPORTS_OFF,
  columns: [
    { head: 'QUEUED', cell: ({ queuedAt }) => queuedAt, form: 'time' },
    { head: 'TASK', cell: ({ taskName }) => taskName, least: 14 },
    { head: 'TRIGGER', cell: ({ trigger }) => trigger.type, wide: true },
    { head: 'STATE', cell: ({ state, outcome, reason }) => stateText({ state: outcome ?? state, reason }), least: 9 },
    {
      head: 'KIND',
      cell: ({ test, dryRun }) => [test && 'test', dryRun && 'dry run'].filter(Boolean).join(', '),
      optional: true,
    },
    { head: 'RAN', cell: ({ durationMs }) => span(durationMs) },
    { head: 'MADE', cell: ({ counts }) => String(counts.documents) },
    { head: 'MAILS', cell: ({ counts }) => String(counts.mailsSent) },
    { head: 'FILES', cell: ({ counts }) => String(counts.filesWritten) },
    { head: 'HUB', cell: ({ counts }) => String(counts.hubItems), wide: true },
    { head: 'ID', cell: ({ id }) => id, form: 'id' },
  ],
  async resolve(remote, { argument, options }) {
    if (argument === undefined) return { argument, options }
    const { reportTaskId } = await import('./reports.ts')
    return { argument: await reportTaskId(remote, argument), options }
  },
  empty: 'No runs of report tasks.',
})

/** By the words of the command. */
export const LISTS = {
  tasks: TASK_LIST,
  audit: AUDIT_LIST,
  'key list': KEYS,
  destinations: DESTINATIONS,
  'events list': EVENTS,
  'events dropped': DROPPED,
  'deliveries list': DELIVERIES,
  'schedules list': SCHEDULE_LIST,
  'schedules runs': SCHEDULE_RUN_LIST,
  'routes list': ROUTES,
  'snooze list': SNOOZES,
  'reports list': REPORT_TASKS,
  'reports runs': REPORT_RUNS,
} as const

export type ListName = keyof typeof LISTS
