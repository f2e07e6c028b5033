/** The report tasks and reports that the database of Footman holds. */
import type { ReportTask } from '../../../reports/entities/task.ts'
import type { StoredOf } from '../../../reports/rows.ts'
import { readDefinitions } from '../../../reports/store.ts'
import { readDatabase } from '../site/udp.ts'
import type { DoctorContext } from '../types.ts'

/** A report with the enabled tasks that make it. */
export interface UsedReport {
  readonly report: StoredOf<'report'>
  readonly tasks: readonly ReportTask[]
}

export interface StoredReports {
  /** Those that are switched on. */
  readonly tasks: readonly ReportTask[]
  /** All, by name. */
  readonly reports: readonly UsedReport[]
}

const NONE: StoredReports = { tasks: [], reports: [] }

/** Nothing while report tasks are off, have not run yet, or their database cannot be read, which `data-directory` reports. */
export function storedReports(context: DoctorContext): StoredReports {
  if (!context.config.footman.reportTask.enable) return NONE
  const stored = readDatabase(context, readDefinitions)
  if (!stored) return NONE
  const tasks = stored.tasks.filter(({ enabled }) => enabled)
  const reports = stored.reports.map((report) => ({
    report,
    tasks: tasks.filter((task) => task.reports.some(({ reportId }) => reportId === report.id)),
  }))
  return { tasks, reports }
}

/** Whether a task sends mails: reports, or notes about its runs. */
export const mails = ({ email, notifications }: ReportTask): boolean => email.enabled || notifications.length > 0
