/** The scheduler: its schedules, what they do, and its endpoints. */
import { join } from 'node:path'
import { listApps, openDump } from '../apps/dump.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { Config } from '../config/schema.ts'
import type { TaskSelectors } from '../http/endpoint/caller.ts'
import { createIdempotency } from '../http/endpoint/idempotency.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import { meaningOf } from '../tasks/executions/status.ts'
import { createAppDump } from '../tasks/schedule/actions/app-dump.ts'
import { createStartTasks } from '../tasks/schedule/actions/start-tasks.ts'
import { extraScheduleRoutes } from '../tasks/schedule/extra-routes.ts'
import { scheduleRoutes } from '../tasks/schedule/routes.ts'
import type { ActionContext, Perform, RunnerDeps } from '../tasks/schedule/runner.ts'
import { createScheduler } from '../tasks/schedule/scheduler.ts'
import { createRunStore } from '../tasks/schedule/store.ts'
import type { ActionResult, Plan, Schedule, ScheduleAction, StartSelection } from '../tasks/schedule/types.ts'
import type { Starts } from '../tasks/start/index.ts'
import { selectTasks, startFilterFor } from '../tasks/start/select.ts'
import type { Qlik } from './qlik.ts'
import { schedulePlanner } from './schedule-planner.ts'
import type { BuiltWindows } from './windows.ts'

export interface SchedulerDeps extends Pick<RunnerDeps, 'pausedBy' | 'onRun'> {
  /** The configuration in use. */
  readonly live: () => Config
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly paths: ConfigPaths
  readonly qlik: Qlik
  readonly starts: Pick<Starts, 'start' | 'follower'>
  readonly windows: BuiltWindows
  /** Makes a delivery of a webhook; rejects when there is no such destination. */
  readonly callWebhook: Perform
  /** Told about every action that is no start of tasks. */
  readonly onAction: (context: ActionContext, result: ActionResult) => void
}

export interface SchedulerOptions {
  readonly shadow: boolean
  readonly dataDirectory: string
}

export interface BuiltScheduler {
  readonly routes: readonly ApiRoute[]
  readonly services: readonly Service[]
  /** How many schedules are running, stopped, invalid; null while the scheduler is off. */
  states(): Readonly<Record<'running' | 'stopped' | 'invalid', number>> | null
}

export function buildScheduler(deps: SchedulerDeps, config: Config, options: SchedulerOptions): BuiltScheduler {
  const { db, writer, clock, windows } = deps
  const log = deps.log.child('scheduler')
  const { footman, scheduler: section, restServerConfig } = config
  const store = createRunStore({ db, writer })
  const planner = schedulePlanner(windows, deps.live, footman.scheduler)
  const isSatellite = footman.node.role === 'satellite'
  const fixed = isSatellite ? 'satellite' : options.shadow ? 'shadow' : null
  const scheduler = section.enable
    ? createScheduler(
        {
          ...{ clock, log, store, planner, pausedBy: deps.pausedBy, onRun: deps.onRun },
          perform: performer({ ...deps, log }, config, options),
          isBusy: (plan) => isBusy(deps.qlik.qrs, plan),
        },
        {
          file: deps.paths.input(section.configfile),
          ...{ restoreState: footman.scheduler.restoreState, monthBase: footman.scheduler.monthBase },
          ignoreTimezone: footman.scheduler.ignoreTimezone,
          misfireGraceMs: footman.scheduler.misfireGrace,
          keepRunsMs: footman.retention.scheduleRuns,
          mode: isSatellite ? 'watch' : options.shadow ? 'shadow' : 'run',
        },
      )
    : null
  if (!scheduler) log.info("MAIN: Didn't load schedules from file")
  const routes = restServerConfig.enable
    ? [
        ...scheduleRoutes({
          ...{ log, scheduler, fixed, planner },
          deniedBy: (selection, limitedTo) => deniedBy(deps.qlik.qrs, config, selection, limitedTo),
        }),
        ...extraScheduleRoutes({
          ...{ log, scheduler, fixed, planner, store, clock },
          idempotency: createIdempotency({ db, writer, clock, log }),
        }),
      ]
    : []
  return {
    routes,
    services: scheduler ? [scheduler] : [],
    states: () => scheduler && statesOf(scheduler.list()),
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
function performer(deps: SchedulerDeps, { footman }: Config, { dataDirectory }: SchedulerOptions): Perform {
  const { clock, log, qlik, starts, paths } = deps
  const { appDumpDirectory } = footman.scheduler
  const actions: Readonly<Record<ScheduleAction['type'], Perform>> = {
    startTask: createStartTasks({ ...starts, clock, log }),
    appDump: createAppDump(
      {
        ...{ clock, log },
        listApps: (signal) => listApps(qlik.engine, signal),
        streamOf: async (appId) => (await qlik.cachedQrs.appById(appId))?.stream?.name ?? '',
        openDump: (appId, signal) => openDump({ engine: qlik.engine, log }, appId, signal),
      },
      { directory: appDumpDirectory ? paths.output(appDumpDirectory) : join(dataDirectory, 'appdump') },
    ),
    webhook: deps.callWebhook,
  }
  return async (context) => {
    const { type } = context.plan.action
    const result = await actions[type](context)
    if (result && type !== 'startTask') deps.onAction(context, result)
    return result
  }
}

/** Schedules made over REST are checked when they are made. */
async function deniedBy(
  qrs: QrsClient,
  { startTaskFilter, footman }: Config,
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

/** Whether one of the tasks that the plan names by id runs; when QRS cannot tell, none does. */
async function isBusy(qrs: QrsClient, { action, selection }: Plan): Promise<boolean> {
  if (action.type !== 'startTask') return false
  const tasks = await Promise.all(selection.taskIds.map((id) => qrs.taskById(id))).catch(() => [])
  return tasks.some((task) => {
    const status = task?.operational?.lastExecutionResult?.status ?? NEVER_STARTED
    return status !== NEVER_STARTED && meaningOf(status).state !== 'finished'
  })
}
