/** Overviews of the tasks of the site: timeline, one task, strips; and what attention needs to know about tasks. */
import type { TaskEvent } from '../../events/types.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { hostZone } from '../../platform/zone.ts'
import type { TriggerReader } from '../../qlik/qrs/triggers.ts'
import type { ExecutionReader, QrsClient } from '../../qlik/qrs/types.ts'
import type { Eta, Usual } from '../executions/durations.ts'
import type { HistoryReader } from '../executions/history-reader.ts'
import type { TaskDescriber } from '../executions/tasks.ts'
import { type DueRule, parseDue } from '../safety-net/config-policies.ts'
import type { TaskPolicies } from '../safety-net/task-policies.ts'
import type { ReportFirings } from './calendar.ts'
import { calendarRoute } from './http-calendar.ts'
import { taskRoutes } from './http-tasks.ts'
import { timelineRoute } from './http-timeline.ts'
import { liveEta, type RunningTask } from './queries.ts'
import { createSite, createSitePolicies, type Site, type SiteTask } from './site.ts'
import type { PlanSettings, TimelineDeps } from './timeline.ts'

interface OverviewDeps {
  readonly db: Database
  readonly clock: Clock
  readonly qlik: { readonly qrs: QrsClient & ExecutionReader & TriggerReader }
  readonly executions: { readonly reader: Pick<HistoryReader, 'ask'>; readonly describeTasks: TaskDescriber }
  readonly schedules: TimelineDeps['schedules']
  readonly reports: ReportFirings
  readonly alerts: { readonly maintenance: TimelineDeps['maintenance'] }
  readonly policies: TaskPolicies
}

/** Sections of the configuration that overviews read. */
interface OverviewSettings {
  readonly footman: {
    readonly timezone: string
    readonly watchdog: { readonly neverStartedAfter: number }
  }
}

export interface Overview {
  readonly routes: readonly ApiRoute[]
  readonly site: Site
  /** Asks for the tasks of the site, its triggers and what runs, each at most for 1.5 s; what is known stays where it fails. */
  refresh(): Promise<{ readonly stale: boolean }>
  /** Tasks that wait or run as they were last known, with their expected ends now. */
  running(): readonly RunningNow[]
  /** Those that run by so many milliseconds longer than the 90th percentile of their sample. */
  overUsual(marginMs: number): readonly RunningNow[]
  /** When a run of the task has to have ended, by its custom property or a policy. */
  dueRulesOf(task: SiteTask): readonly DueRule[]
  readonly observers: { event(event: TaskEvent): void }
}

interface RunningNow extends RunningTask, Eta {
  readonly usual: Usual
}

export function createOverview(
  { db, clock, qlik, executions, schedules, reports, alerts, policies }: OverviewDeps,
  { footman: { timezone, watchdog } }: OverviewSettings,
  { qrsConnection }: { readonly qrsConnection: boolean },
): Overview {
  const site = createSite({ qrs: qlik.qrs, clock, isConnected: qrsConnection })
  const sitePolicies = createSitePolicies(policies)
  const settings: PlanSettings = {
    neverStartedAfter: watchdog.neverStartedAfter,
    timezone: timezone || hostZone(),
  }
  let usuals: ReadonlyMap<string, Usual> = new Map()

  /** Usual durations of the tasks that run, from the history. */
  async function learnUsual(running: readonly RunningTask[]): Promise<void> {
    const tasks = running.map(({ taskId, taskType, since }) => ({ taskId, taskType, plannedAt: since }))
    const now = clock.now()
    const asked = { kind: 'usual', tasks, now, timezone: settings.timezone } as const
    const { usual } = tasks.length === 0 ? { usual: [] } : await executions.reader.ask(asked)
    usuals = new Map(usual.map((one, n) => [tasks[n]!.taskId, one]))
  }

  function running(): RunningNow[] {
    const now = clock.now()
    return site.last.running.flatMap((task) => {
      const usual = usuals.get(task.taskId)
      return usual ? { ...task, ...liveEta(task, usual, now), usual } : []
    })
  }

  const deps = {
    db,
    clock,
    site,
    policies: sitePolicies,
    schedules,
    reports,
    maintenance: alerts.maintenance,
    reader: executions.reader,
  }
  return {
    site,
    async refresh() {
      const [tasks, triggers, live] = await Promise.all([site.tasks(), site.triggers(), site.running()])
      await learnUsual(live.value ?? [])
      return { stale: tasks.stale || triggers.stale || live.stale }
    },
    running,
    overUsual(marginMs) {
      const now = clock.now()
      return running().filter(
        ({ state, since, usual }) =>
          state === 'running' && usual.basis === 'history' && now - since > usual.p90Ms + marginMs,
      )
    },
    dueRulesOf: (task) => sitePolicies.dueOf(task).value.flatMap((text) => parseDue(text) ?? []),
    routes: [
      timelineRoute(deps, settings),
      calendarRoute(deps, settings),
      ...taskRoutes({ ...deps, qrs: qlik.qrs, describeTasks: executions.describeTasks }, settings),
    ],
    observers: { event: site.outdate },
  }
}
