/** The listings of a running Footman: endpoint, filters and columns of each. */
import type { EventItem } from '../../alerts/history/contract.ts'
import { matchedIds, matchText } from '../../alerts/match-text.ts'
import type { Names } from '../../console/names.ts'
import { splitAtIds } from '../../platform/uuid.ts'
import type { SettingChange } from '../../settings/contract.ts'
import type { ShownRun } from '../../tasks/schedule/contract.ts'
import { chosen, many, option } from '../command.ts'
import { type Column, span, stateText } from '../table.ts'
import { list, REPORTS_OFF } from './list-parts.ts'
import { limit, NO_SCHEDULE, PERIOD, SCHEDULE_EXIT_CODES } from './options.ts'

const OLD = 'does an older Footman run there?'
const SCHEDULES_OFF = 'is Butler.restServerEndpointsEnable.scheduler.getSchedule true, and was Footman restarted since?'
const NEWEST = limit(50, 100_000)

/** `2 delivered, 1 dead`; `-` without any. */
function counts(deliveryCounts: EventItem['deliveryCounts']): string {
  const some = Object.entries(deliveryCounts).filter(([, count]) => count > 0)
  return some.map(([state, count]) => `${count} ${state}`).join(', ') || '-'
}

const EVENTS = list({
  description: 'list events, newest first',
  filters: [
    many('--type <type>', 'only events about this: reload, service, ...'),
    many('--outcome <outcome>', 'only this outcome: failed, aborted, success, ...'),
    many('--source <source>', 'only from this source: udp, reconciler, watchdog, ...'),
    ...PERIOD,
  ],
  options: [NEWEST],
  help: '\nExample\n  footman events list --outcome failed --from 24h',
  of: async () => (await import('../../alerts/history/contract.ts')).EVENTS,
  member: 'events',
  paged: true,
  switchedOff: OLD,
  async complete(remote, rows) {
    const { withTaskEnds } = await import('./failures.ts')
    return withTaskEnds(remote, rows)
  },
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
  empty: 'No events.',
})

const DROPPED = list({
  description: 'list datagrams that did not become events',
  filters: [many('--reason <reason>', 'only this reason: DUPLICATE, INVALID, ...')],
  options: [NEWEST],
  of: async () => (await import('../../alerts/history/contract.ts')).DROPPED,
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
    option('--dead', 'only dead letters'),
    many('--state <state>', 'only this state: pending, delivered, suppressed, ...'),
    many('--destination <name>', 'only to this destination'),
    option('--event <id>', 'only of this event'),
    ...PERIOD,
    NEWEST,
  ],
  of: async () => (await import('../../alerts/history/contract.ts')).DELIVERIES,
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
  async resolve(remote, _, { event }) {
    if (event === undefined) return {}
    const { wholeId } = await import('./names.ts')
    return { options: { event: await wholeId(remote, 'event', event) } }
  },
  async review(remote, rows, { destination }, io) {
    const { refuseUnknownDestinations } = await import('./names.ts')
    const silent = destination.filter((name) => !rows.some((row) => row.destination === name))
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
  of: async () => (await import('../../http/contract.ts')).AUDIT,
  description: 'list the audit: user, action, result; newest first',
  filters: [
    option('--actor <glob>', 'only these: "key:erp", "key:*", local, ...'),
    option('--action <glob>', 'only this: "task.*", kv.import, ...'),
    option('--outcome <outcome>', 'only ok, denied or failed'),
    ...PERIOD,
  ],
  options: [NEWEST],
  help: '\nExample\n  footman audit --actor "key:*" --from 24h',
  member: 'audit',
  paged: true,
  switchedOff: OLD,
  async complete(remote, rows) {
    const { nameSource } = await import('./names.ts')
    const { targetNames } = await import('../../console/names.ts')
    const names = await targetNames(nameSource(remote), rows)
    return rows.map((row) => ({ ...row, names }))
  },
  columns: [
    { head: 'AT', cell: ({ at }) => at, form: 'time' },
    { head: 'WHO', cell: ({ actor, names }) => withNames(actor, names), least: 9 },
    { head: 'FROM', cell: ({ address }) => address ?? '-', least: 9 },
    { head: 'WHAT', cell: ({ action }) => action, least: 12 },
    { head: 'RESULT', cell: ({ outcome, status }) => (status === null ? outcome : `${outcome} (${status})`) },
    { head: 'TARGET', cell: ({ target, names }) => withNames(targets(target), names), least: 8 },
    { head: 'DETAIL', cell: ({ detail, names }) => withNames(detail ?? '', names), least: 8, form: 'prose' },
  ],
  empty: 'The audit has no such entries.',
})

const KEYS = list({
  of: async () => (await import('../../http/contract.ts')).ACCESS_KEYS,
  description: 'list the keys of a running Footman with their last use',
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
  of: async () => (await import('../../tasks/executions/contract.ts')).TASKS,
  description: 'list tasks and their last runs',
  argument: '[glob]',
  filters: [
    many('--tag <tag>', 'only tasks with this tag'),
    many('--outcome <outcome>', 'only tasks whose last run ended like this: success, failed, ...'),
  ],
  query: (_, name) => ({ name }),
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
  of: async () => (await import('../../tasks/schedule/contract.ts')).SCHEDULES,
  description: 'list the schedules, their next and their last runs',
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
  of: async () => (await import('../../tasks/schedule/contract.ts')).SCHEDULE_RUNS,
  description: 'show the runs of a schedule, newest first',
  argument: '<id>',
  filters: [limit(20, 500)],
  options: [many('--outcome <outcome>', 'only this outcome: started, failed, ...')],
  help: SCHEDULE_EXIT_CODES,
  params: (id) => ({ id }),
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
  only: (run, { outcome }) => outcome.length === 0 || outcome.some((one) => one === run.outcome),
  async resolve(remote, id) {
    const { scheduleId } = await import('./names.ts')
    return { argument: await scheduleId(remote, id) }
  },
  empty: 'The schedule has not run yet.',
})

const SETTINGS = list({
  description: 'list the kinds of settings, or those of a kind: destination, rule, calendar, window, ...',
  of: async () => (await import('../../settings/contract.ts')).SETTINGS_OF,
  argument: '<kind>',
  params: (kind) => ({ kind }),
  member: 'settings',
  switchedOff: OLD,
  columns: [
    { head: 'NAME', cell: ({ name }) => name, least: 16 },
    { head: 'IN', cell: ({ source, file, line }) => (source === 'file' ? `${file}:${line}` : 'store'), least: 8 },
    { head: 'STATE', cell: ({ state, issues }) => [state, issues[0]?.message].filter(Boolean).join(': '), least: 8 },
    { head: 'REVISION', cell: ({ revision }) => (revision === null ? '' : String(revision)) },
    { head: 'CHANGED', cell: ({ changedAt }) => changedAt ?? '', form: 'time' },
    { head: 'BY', cell: ({ changedBy }) => changedBy ?? '', least: 9 },
    { head: 'USES', cell: ({ usedBy }) => String(usedBy.length) },
  ],
  empty: 'No settings of this kind.',
})

/** The columns about one change, behind its time and its setting. */
export const CHANGE_COLUMNS: readonly Column<SettingChange>[] = [
  { head: 'REVISION', cell: ({ revision }) => String(revision) },
  { head: 'BY', cell: ({ by }) => by, least: 9 },
  { head: 'CHANGE', cell: ({ difference }) => difference.join(', '), least: 16, form: 'prose' },
]

const SETTING_CHANGES = list({
  description: 'list the changes of settings, newest first',
  of: async () => (await import('../../settings/contract.ts')).SETTING_CHANGES,
  filters: [limit(50, 500)],
  options: [option('--kind <kind>', 'only of this kind'), option('--name <name>', 'only of settings with this name')],
  query: ({ kind, name }) => ({ kind, name }),
  member: 'changes',
  switchedOff: OLD,
  columns: [
    { head: 'AT', cell: ({ at }) => at, form: 'time' },
    { head: 'SETTING', cell: ({ kind, name }) => `${kind} ${name}`, least: 16 },
    ...CHANGE_COLUMNS,
  ],
  empty: 'Nothing was changed.',
})

const SNOOZES = list({
  description: 'list snoozes that have not ended',
  of: async () => (await import('../../alerts/contract.ts')).SNOOZES,
  member: 'snoozes',
  paged: true,
  switchedOff: OLD,
  async complete(remote, rows) {
    const { nameSource } = await import('./names.ts')
    const { qlikNamesOf } = await import('../../console/names.ts')
    const names = await qlikNamesOf(nameSource(remote), matchedIds(rows.map(({ match }) => match)))
    return rows.map((row) => ({ ...row, names }))
  },
  columns: [
    { head: 'UNTIL', cell: ({ until }) => until, form: 'time' },
    {
      head: 'MATCH',
      cell: ({ match, untilSuccess, names }) =>
        `${untilSuccess ? 'until it succeeds: ' : ''}${matchText(match, names)}`,
      least: 16,
    },
    { head: 'HELD BACK', cell: ({ suppressed }) => String(suppressed) },
    { head: 'BY', cell: ({ createdBy }) => createdBy, least: 9 },
    { head: 'REASON', cell: ({ reason }) => reason, least: 12 },
    { head: 'ID', cell: ({ id }) => id, form: 'id' },
  ],
  empty: 'No snoozes.',
})

const ROUTES = list({
  description: 'list rules in order of evaluation',
  options: [option('--all', 'also those that are switched off')],
  of: async () => (await import('../../alerts/rules/contract.ts')).ALERT_RULES,
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
  of: async () => (await import('../../alerts/rules/contract.ts')).DESTINATIONS,
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
  of: async () => (await import('../../reports/entities/contract.ts')).LISTED_TASKS,
  description: 'list report tasks, by name',
  argument: '[name]',
  filters: [
    option('--project <project>', 'only of this project'),
    option('--tag <tag>', 'only with this tag'),
    limit(500, 500),
  ],
  query: (_, name) => ({ name }),
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
  of: async () => (await import('../../reports/runs/contract.ts')).RUNS,
  description: 'list runs of report tasks, of one task or all; newest first',
  argument: '[task]',
  filters: [
    chosen('--outcome <outcome>', 'only this outcome', ['success', 'warning', 'error', 'skipped', 'cancelled']),
    limit(50, 500),
  ],
  help: '\nExample\n  footman reports runs "Weekly sales pack" --outcome error',
  query: (_, taskId) => ({ taskId }),
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
  async resolve(remote, task) {
    if (task === undefined) return {}
    const { reportTaskId } = await import('./reports.ts')
    return { argument: await reportTaskId(remote, task) }
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
  'settings list': SETTINGS,
  'settings changes': SETTING_CHANGES,
  'reports list': REPORT_TASKS,
  'reports runs': REPORT_RUNS,
} as const

export type ListName = keyof typeof LISTS
