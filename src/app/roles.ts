/** The roles of worker threads. That of the ingest worker is a part of every start; the others are loaded when one begins. */
import { type FromWorker, INGEST_ROLE, type IngestSettings, type ToWorker } from '../events/ingest/protocol.ts'
import { runIngestWorker } from '../events/ingest/worker.ts'
import type { WorkerRole } from '../platform/worker.ts'
import { type FromReport, REPORT_ROLE, type ReportJob, type ToReport } from '../reports/runs/role.ts'
import { type FromTemplateThread, TEMPLATE_ROLE, type TemplateJob } from '../reports/templates/role.ts'
import { HISTORY_ROLE } from '../tasks/executions/history-reader.ts'
import type { FromHistory, ToHistory } from '../tasks/executions/history-worker.ts'

const ROLES: Readonly<Record<string, (role: WorkerRole) => Promise<void>>> = {
  [INGEST_ROLE]: (role) => runIngestWorker(role.channel<FromWorker, ToWorker>(), role.data as IngestSettings),
  [HISTORY_ROLE]: async (role) => {
    const { runHistoryWorker } = await import('../tasks/executions/history-worker.ts')
    await runHistoryWorker(role.channel<FromHistory, ToHistory>(), role.data as { file: string })
  },
  [REPORT_ROLE]: async (role) => {
    const { runReportWorker } = await import('../reports/runs/worker.ts')
    await runReportWorker(role.channel<FromReport, ToReport>(), role.data as ReportJob)
  },
  [TEMPLATE_ROLE]: async (role) => {
    const { runTemplateWorker } = await import('../reports/templates/check-worker.ts')
    await runTemplateWorker(role.channel<FromTemplateThread, never>(), role.data as TemplateJob)
  },
}

/** Runs the role until its owner ends it; throws for a role that does not exist. */
export async function runRole(role: WorkerRole): Promise<void> {
  const run = ROLES[role.name]
  if (!run) throw new Error(`no worker role is called "${role.name}"`)
  await run(role)
}
