/** The commands that talk to a running Footman with their handlers, each loaded when called. */
import { type Entry, group, on, within } from '../command.ts'
import { processIo } from '../io.ts'
import * as commands from './commands.ts'
import { listed } from './list.ts'
import { LISTS } from './lists.ts'
import { FORM, remote } from './options.ts'
import * as reports from './report-commands.ts'

const input = async () => (await import('../prompt.ts')).standardInput()
const keyValues = () => import('./key-values.ts')
const events = () => import('./events.ts')
const schedules = () => import('./schedules.ts')
const reportTasks = () => import('./reports.ts')
const settings = () => import('./settings.ts')
const reportRuns = () => import('./report-runs.ts')

const SETTINGS_LIST = remote({
  name: 'list',
  arguments: '[kind]',
  description: LISTS['settings list'].description,
  options: FORM,
})

const scheduleChange = (verb: keyof typeof commands.SCHEDULE_VERBS): Entry =>
  on(commands.SCHEDULE_VERBS[verb], async (...given) =>
    (await schedules()).runScheduleChange(verb, ...given, processIo),
  )
const reportSwitch = (verb: keyof typeof reports.REPORTS_SWITCH): Entry =>
  on(reports.REPORTS_SWITCH[verb], async (...given) =>
    (await reportTasks()).runReportsSwitch(verb, ...given, processIo),
  )

/** Aborts when the user ends the command. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

export const REMOTE: readonly Entry[] = [
  on(commands.START_TASK, async (...given) => (await import('./start-task.ts')).runStartTask(...given, processIo)),
  on(commands.EXECUTION_COMMAND, async (...given) =>
    (await import('./execution.ts')).runExecution(...given, processIo),
  ),
  on(commands.FAILURES, async (...given) => (await import('./failures.ts')).runFailures(...given, processIo)),
  listed('tasks'),
  on(commands.HISTORY_COMMAND, async (...given) => (await import('./history.ts')).runHistory(...given, processIo)),
  on(commands.RELOAD, async (...given) => (await import('./reload.ts')).runReload(...given, processIo)),
  on(commands.CONSOLE, async (...given) => (await import('./console.ts')).runConsole(...given, processIo)),
  group('kv', 'the key-value store: pairs, and the store as a file', [
    on(commands.KV_LIST, async (...given) => (await keyValues()).runKvList(...given, processIo)),
    on(commands.KV_GET, async (...given) => (await keyValues()).runKvGet(...given, processIo)),
    on(commands.KV_SET, async (namespace, key, value, options) =>
      (await keyValues()).runKvSet([namespace, key, value], options, await input(), processIo),
    ),
    on(commands.KV_DELETE, async (...given) => (await keyValues()).runKvDelete(...given, processIo)),
    on(commands.KV_EXPORT, async (...given) => (await keyValues()).runKvExport(...given, processIo)),
    on(commands.KV_IMPORT, async (...given) => (await keyValues()).runKvImport(...given, await input(), processIo)),
  ]),
  group('reports', 'report tasks: list, switch on and off, start, plan, runs, export, import', [
    listed('reports list'),
    reportSwitch('enable'),
    reportSwitch('disable'),
    on(reports.REPORTS_START, async (...given) => (await reportRuns()).runReportsStart(...given, processIo)),
    on(reports.REPORTS_PLAN, async (...given) => (await reportRuns()).runReportsPlan(...given, processIo)),
    listed('reports runs'),
    on(reports.REPORTS_LOG, async (...given) => (await reportRuns()).runReportsLog(...given, processIo)),
    on(reports.REPORTS_EXPORT, async (...given) => (await reportTasks()).runReportsExport(...given, processIo)),
    on(reports.REPORTS_IMPORT, async (...given) =>
      (await reportTasks()).runReportsImport(...given, await input(), processIo),
    ),
  ]),
  group('events', 'list, show, follow and replay events', [
    listed('events list'),
    on(commands.EVENTS_SHOW, async (...given) => (await events()).runEventShow(...given, processIo)),
    on(commands.EVENTS_REPLAY, async (...given) => (await import('./fire.ts')).runReplay(...given, processIo)),
    on(commands.EVENTS_TAIL, async (...given) => (await events()).runTail(...given, processIo, stopSignal())),
    listed('events dropped'),
  ]),
  group('deliveries', 'list, show, resend and cancel messages to destinations', [
    listed('deliveries list'),
    on(commands.DELIVERIES_SHOW, async (...given) => (await events()).runDeliveryShow(...given, processIo)),
    on(commands.DELIVERIES_RESEND, async (...given) => (await events()).runDeliveriesResend(...given, processIo)),
    on(commands.DELIVERIES_CANCEL, async (...given) => (await events()).runDeliveryCancel(...given, processIo)),
  ]),
  on(commands.FIRE_COMMAND, async (...given) => (await import('./fire.ts')).runFire(...given, processIo)),
  within(listed('audit'), [
    on(commands.AUDIT_VERIFY, async (...given) => (await import('./audit.ts')).runAuditVerify(...given, processIo)),
  ]),
  group('schedules', 'schedules and their runs', [
    listed('schedules list'),
    listed('schedules runs'),
    on(commands.SCHEDULE_PREVIEW, async (...given) => (await schedules()).runSchedulePreview(...given, processIo)),
    on(commands.SCHEDULE_ADD, async (...given) => (await schedules()).runScheduleAdd(...given, processIo)),
    on(commands.SCHEDULE_EDIT, async (...given) => (await schedules()).runScheduleEdit(...given, processIo)),
    scheduleChange('start'),
    scheduleChange('stop'),
    scheduleChange('delete'),
    on(commands.SCHEDULE_RUN, async (...given) => (await schedules()).runScheduleRun(...given, processIo)),
  ]),
  group('routes', 'alert rules: list them, explain which one fires', [
    listed('routes list'),
    on(commands.ROUTES_EXPLAIN, async (...given) =>
      (await import('./routes.ts')).runRoutesExplain(...given, processIo),
    ),
  ]),
  listed('destinations'),
  group('settings', 'destinations, rules, calendars and more that are changed without a file', [
    on(SETTINGS_LIST, async (...given) => (await settings()).runSettingsList(...given, processIo)),
    on(commands.SETTINGS_SHOW, async (...given) => (await settings()).runSettingsShow(...given, processIo)),
    on(commands.SETTINGS_SET, async (kind, name, file, options) =>
      (await settings()).runSettingsSet([kind, name, file], options, await input(), processIo),
    ),
    on(commands.SETTINGS_DELETE, async (...given) => (await settings()).runSettingsDelete(...given, processIo)),
    on(commands.SETTINGS_RESTORE, async (kind, name, revision, options) =>
      (await settings()).runSettingsRestore([kind, name, revision], options, processIo),
    ),
    on(commands.SETTINGS_HISTORY, async (...given) => (await settings()).runSettingsHistory(...given, processIo)),
    listed('settings changes'),
    on(commands.SETTINGS_ADOPT, async (...given) => (await settings()).runSettingsAdopt(...given, processIo)),
    on(commands.SETTINGS_EXPORT, async (...given) => (await settings()).runSettingsExport(...given, processIo)),
    on(commands.SETTINGS_IMPORT, async (...given) =>
      (await settings()).runSettingsImport(...given, await input(), processIo),
    ),
  ]),
  group('snooze', 'suppress alerts about something for a while', [
    on(commands.SNOOZE_SET, async (...given) => (await import('./snooze.ts')).runSnoozeSet(...given, processIo)),
    listed('snooze list'),
    on(commands.SNOOZE_LIFT, async (...given) => (await import('./snooze.ts')).runSnoozeLift(...given, processIo)),
  ]),
]
