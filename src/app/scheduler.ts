/** The scheduler with the configuration, the clients and the services of this process. */
import { join } from 'node:path'
import { listApps, openDump } from '../apps/dump.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { Qlik } from '../qlik/index.ts'
import { createSchedules, type Schedules, type SchedulesDeps } from '../tasks/schedule/index.ts'
import type { Starts } from '../tasks/start/index.ts'
import type { BuiltCalendars } from './calendars.ts'
import type { Config } from './schema.ts'

export interface SchedulerDeps
  extends Pick<SchedulesDeps, 'db' | 'writer' | 'clock' | 'log' | 'pausedBy' | 'onRun' | 'callWebhook' | 'onAction'> {
  /** The configuration in use. */
  readonly live: () => Config
  readonly paths: ConfigPaths
  readonly qlik: Qlik
  readonly starts: Pick<Starts, 'start' | 'follower'>
  readonly calendars: BuiltCalendars
}

export interface SchedulerOptions {
  readonly shadow: boolean
  readonly dataDirectory: string
}

export function buildScheduler(deps: SchedulerDeps, config: Config, options: SchedulerOptions): Schedules {
  const { qlik, paths, calendars, live } = deps
  const { appDumpDirectory } = config.footman.scheduler
  const log = deps.log.child('scheduler')
  return createSchedules(
    {
      ...deps,
      log,
      qrs: qlik.qrs,
      windows: calendars.windows,
      calendars: calendars.calendars,
      hasWebhook: (name) => hasWebhook(live(), name),
      apps: {
        listApps: (signal) => listApps(qlik.engine, signal),
        streamOf: async (appId) => (await qlik.cachedQrs.appById(appId))?.stream?.name ?? '',
        openDump: (appId, signal) => openDump({ engine: qlik.engine, log }, appId, signal),
      },
    },
    config,
    {
      shadow: options.shadow,
      file: paths.input(config.scheduler.configfile),
      dumpDirectory: appDumpDirectory ? paths.output(appDumpDirectory) : join(options.dataDirectory, 'appdump'),
    },
  )
}

export const hasWebhook = ({ footman }: Config, name: string): boolean => footman.destinations[name]?.type === 'webhook'
