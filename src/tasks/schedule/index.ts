/** Schedules: their file, runs, actions and endpoints. */
import { join } from 'node:path'
import type { SharedState } from '../../cluster/types.ts'
import type { ConfigPaths } from '../../config/paths.ts'
import type { TaskSelectors } from '../../http/endpoint/caller.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { meaningOf } from '../executions/status.ts'
import { type StartFilterSettings, selectTasks, startFilterFor } from '../start/select.ts'
import { type AppDumpDeps, createAppDump, createStartTasks, type StartTasksDeps } from './actions.ts'
import type { FootmanSchedulerConfig, SchedulerConfig } from './config.ts'
import { createScheduleFile } from './file.ts'
import { scheduleRoutes } from './http.ts'
import { runRoutes } from './http-runs.ts'
import { createPlanner, type PlannerDeps } from './plan.ts'
import type { ActionContext, Perform, RunnerDeps } from './runner.ts'
import { createScheduler, type SchedulerDeps } from './scheduler.ts'
import { createSharedScheduleFile, SCHEDULE_DOCUMENT, type SharedFileDeps } from './shared-file.ts'
import { createRunStore, type RunStore } from './store.ts'
import type { ActionResult, Plan, Schedule, ScheduleAction, StartSelection } from './types.ts'

export interface SchedulesDeps extends Pick<PlannerDeps, 'hasWebhook'> {
  readonly time: Pick<PlannerDeps, 'windows' | 'calendars'>
  readonly alerts: { readonly maintenance: { readonly stopsSchedules: RunnerDeps['pausedBy'] } }
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Absent: a single node. */
  readonly shared?: Pick<SharedState, 'mode' | 'documents'>
  readonly qlik: { readonly qrs: QrsClient }
  readonly paths: ConfigPaths
  readonly starts: Pick<StartTasksDeps, 'start' | 'follower'>
  readonly apps: { readonly dumps: Pick<AppDumpDeps, 'listApps' | 'streamOf' | 'openDump'> }
  /** Makes a delivery of a webhook; rejects when there is no such destination. */
  readonly callWebhook: Perform
  readonly on: {
    readonly scheduleRun: NonNullable<RunnerDeps['onRun']>
    readonly schedule: NonNullable<SchedulerDeps['onChanged']>
    /** Called after every action that is no start of tasks. */
    scheduleAction(context: ActionContext, result: ActionResult): void
    readonly scheduleConflict: SharedFileDeps['onConflict']
  }
}

/** Sections of the configuration that schedules read. */
export interface SchedulesSettings extends Pick<StartFilterSettings, 'startTaskFilter'> {
  readonly scheduler: SchedulerConfig
  readonly restServerConfig: { readonly enable: boolean }
  readonly footman: Pick<StartFilterSettings, 'startFilter'> & {
    readonly scheduler: FootmanSchedulerConfig
    readonly node: { readonly role: 'primary' | 'satellite' }
    readonly retention: { readonly scheduleRuns: number }
  }
}

export interface SchedulesOptions {
  readonly shadow: boolean
  /** Parent of the folder of app dumps, unless the configuration names that folder. */
  readonly dataDirectory: string
}

export interface Schedules {
  readonly routes: readonly ApiRoute[]
  readonly services: readonly Service[]
  /** In the order of the file; empty while the scheduler is off. */
  list(): readonly Schedule[]
  /** Runs that were due in [from, to) and not skipped, oldest first. Milliseconds since 1970. */
  runsBetween: RunStore['between']
  /** How many schedules are running, stopped, invalid; null while the scheduler is off. */
  states(): Readonly<Record<'running' | 'stopped' | 'invalid', number>> | null
}

export function createSchedules(deps: SchedulesDeps, config: SchedulesSettings, options: SchedulesOptions): Schedules {
  const { db, writer, clock, paths } = deps
  const { qrs } = deps.qlik
  const log = deps.log.child('scheduler')
  const { footman, scheduler: section, restServerConfig } = config
  const { appDumpDirectory } = footman.scheduler
  const dumpDirectory = appDumpDirectory ? paths.output(appDumpDirectory) : join(options.dataDirectory, 'appdump')
  const { monthBase, restoreState, ignoreTimezone, misfireGrace } = footman.scheduler
  const store = createRunStore({ db, writer })
  const planner = createPlanner({ ...deps, ...deps.time }, { monthBase, ignoreTimezone })
  const file = paths.input(section.configfile)
  const isSatellite = footman.node.role === 'satellite'
  const fixed = isSatellite ? 'satellite' : options.shadow ? 'shadow' : null
  const scheduler = section.enable
    ? createScheduler(
        {
          clock,
          log,
          store,
          planner,
          pausedBy: deps.alerts.maintenance.stopsSchedules,
          onRun: deps.on.scheduleRun,
          onChanged: deps.on.schedule,
          perform: performer({ ...deps, log }, dumpDirectory),
          isBusy: (plan) => isBusy(qrs, plan),
          ...sharedFile({ ...deps, log }, file),
        },
        {
          file,
          restoreState,
          ignoreTimezone,
          misfireGraceMs: misfireGrace,
          keepRunsMs: footman.retention.scheduleRuns,
          mode: isSatellite ? (isShared(deps.shared) ? 'follow' : 'watch') : options.shadow ? 'shadow' : 'run',
        },
      )
    : null
  if (!scheduler) log.verbose("MAIN: Didn't load schedules from file")
  const guard = {
    log,
    scheduler,
    fixed,
    planner,
    deniedBy: (selection: StartSelection, limitedTo: TaskSelectors | undefined) =>
      deniedBy(qrs, config, selection, limitedTo),
  } as const
  // A leader without REST answers the calls that other nodes have received.
  const routes =
    restServerConfig.enable || isShared(deps.shared)
      ? [...scheduleRoutes(guard), ...runRoutes({ ...guard, store, clock })]
      : []
  return {
    routes,
    services: scheduler ? [scheduler] : [],
    list: () => scheduler?.list() ?? [],
    runsBetween: store.between,
    states: () => scheduler && statesOf(scheduler.list()),
  }
}

/** A node that is cut off from the others has its file for itself, until it is back. */
const isShared = (shared: SchedulesDeps['shared']): boolean =>
  shared !== undefined && shared.mode !== 'single' && shared.mode !== 'alone'

/** In a cluster all nodes have one text of the file. */
function sharedFile(
  { shared, db, clock, log, on }: SchedulesDeps,
  path: string,
): Pick<SchedulerDeps, 'file' | 'onFileChange'> {
  if (!shared || !isShared(shared)) return {}
  const { documents } = shared
  return {
    file: createSharedScheduleFile({
      file: createScheduleFile(path),
      documents,
      db,
      log,
      now: clock.now,
      onConflict: on.scheduleConflict,
    }),
    onFileChange: (refresh) => documents.onChange(SCHEDULE_DOCUMENT, refresh),
  }
}

function statesOf(schedules: readonly Schedule[]) {
  const count = (holds: (schedule: Schedule) => boolean) => schedules.filter(holds).length
  return {
    running: count(({ running }) => running),
    stopped: count(({ running, plan }) => !running && plan !== null),
    invalid: count(({ plan }) => plan === null),
  }
}

/** One line per kind of action. */
function performer(deps: SchedulesDeps, dumpDirectory: string): Perform {
  const { clock, log, starts, apps } = deps
  const actions: Readonly<Record<ScheduleAction['type'], Perform>> = {
    startTask: createStartTasks({ ...starts, clock, log }),
    appDump: createAppDump({ ...apps.dumps, clock, log }, { directory: dumpDirectory }),
    webhook: deps.callWebhook,
  }
  return async (context) => {
    const { type } = context.plan.action
    const result = await actions[type](context)
    const isUnknown = result?.outcome === 'unknown'
    if (result && (isUnknown || type !== 'startTask')) deps.on.scheduleAction(context, result)
    return result
  }
}

/** Schedules made over REST are checked when they are made. */
async function deniedBy(
  qrs: QrsClient,
  { startTaskFilter, footman }: SchedulesSettings,
  selection: StartSelection,
  limitedTo: TaskSelectors | undefined,
): Promise<string | null> {
  const filter = startFilterFor('rest', { startTaskFilter, startFilter: footman.startFilter }, limitedTo)
  if (!filter) return null
  const { denied } = await selectTasks(qrs, filter, {
    ...selection,
    origin: 'rest',
    requestedBy: 'schedule',
    allTaskIdsMustExist: false,
  })
  const [id, tag, property] = [denied.taskIds[0], denied.tags[0], denied.customProperties[0]]
  if (id !== undefined) return `Task ID is not allowed: ${id}`
  if (tag !== undefined) return `Task tag is not allowed: ${tag}`
  return property ? `Task custom property is not allowed. Name: ${property.name}, value: ${property.value}` : null
}

const NEVER_STARTED = 0

/** Whether one of the tasks that the plan names by id runs; false when QRS does not answer. */
async function isBusy(qrs: QrsClient, { action, selection }: Plan): Promise<boolean> {
  if (action.type !== 'startTask') return false
  const tasks = await Promise.all(selection.taskIds.map((id) => qrs.taskById(id))).catch(() => [])
  return tasks.some((task) => {
    const status = task?.operational?.lastExecutionResult?.status ?? NEVER_STARTED
    return status !== NEVER_STARTED && meaningOf(status).state !== 'finished'
  })
}
