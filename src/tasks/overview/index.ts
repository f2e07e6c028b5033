/** Overviews of the tasks of the site: timeline, one task, strips; and what attention needs to know about tasks. */
import type { TaskEvent } from '../../events/types.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { hostZone } from '../../platform/zone.ts'
import type { TriggerReader } from '../../qlik/qrs/triggers.ts'
import type { ExecutionReader, QrsClient } from '../../qlik/qrs/types.ts'
import type { HistoryReader } from '../executions/history-reader.ts'
import type { ReportFirings } from './calendar.ts'
import { calendarRoute } from './http-calendar.ts'
import { timelineRoute } from './http-timeline.ts'
import { createSite, type Site } from './site.ts'
import type { PlanSettings, TimelineDeps } from './timeline.ts'

export interface OverviewDeps {
  readonly db: Database
  readonly clock: Clock
  readonly qlik: { readonly qrs: QrsClient & ExecutionReader & TriggerReader }
  readonly executions: { readonly reader: Pick<HistoryReader, 'ask'> }
  readonly schedules: TimelineDeps['schedules']
  readonly reports: ReportFirings
  readonly alerts: { readonly maintenance: TimelineDeps['maintenance'] }
}

/** Sections of the configuration that overviews read. */
export interface OverviewSettings {
  readonly footman: {
    readonly timezone: string
    readonly watchdog: { readonly neverStartedAfter: number; readonly customPropertyName: string }
  }
}

export interface Overview {
  readonly routes: readonly ApiRoute[]
  readonly site: Site
  readonly observers: { event(event: TaskEvent): void }
}

export function createOverview(
  { db, clock, qlik, executions, schedules, reports, alerts }: OverviewDeps,
  { footman: { timezone, watchdog } }: OverviewSettings,
  { qrsConnection }: { readonly qrsConnection: boolean },
): Overview {
  const site = createSite({ qrs: qlik.qrs, clock, isConnected: qrsConnection })
  const settings: PlanSettings = {
    neverStartedAfter: watchdog.neverStartedAfter,
    watchPolicy: watchdog.customPropertyName,
    timezone: timezone || hostZone(),
  }
  const deps = { db, clock, site, schedules, reports, maintenance: alerts.maintenance, reader: executions.reader }
  return {
    site,
    routes: [timelineRoute(deps, settings), calendarRoute(deps, settings)],
    observers: { event: site.outdate },
  }
}
