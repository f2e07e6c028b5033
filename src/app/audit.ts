/** The audit, and what it records besides REST calls. */
import { hostname } from 'node:os'
import process from 'node:process'
import type { SharedState } from '../cluster/types.ts'
import type { ConfigPaths } from '../config/paths.ts'
import { type Audit, auditRoutes, createAudit } from '../http/audit.ts'
import { type AuditExport, type AuditExportSettings, createAuditExport } from '../http/audit-export.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { auditNote, START_ACTION } from '../tasks/start/answers.ts'
import type { Topics } from './observers.ts'
import type { Config } from './schema.ts'

export interface AuditParts {
  readonly audit: Audit
  readonly routes: readonly ApiRoute[]
  readonly observers: Pick<Topics, 'start' | 'startDropped' | 'scheduleAction' | 'workMayWait'>
  /** The copies on their way out. */
  readonly backends: readonly Service[]
  readonly pruning: AuditExport['pruning']
  readonly deadLetters: AuditExport['deadLetters']
}

interface AuditPartDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly db: Database
  readonly writer: GroupWriter
  readonly shared: Pick<SharedState, 'mode'>
  /** For the files of certificates. */
  readonly paths: Pick<ConfigPaths, 'candidates'>
}

const NO_COPIES: AuditExportSettings = {
  syslog: { host: '', port: 0, tls: true, caFile: '', certFile: '', keyFile: '' },
  webhook: { url: '', bearerToken: '', caFile: '' },
}

export function buildAudit(deps: AuditPartDeps, { footman }: Pick<Config, 'footman'>, shadow: boolean): AuditParts {
  const { db, clock, shared } = deps
  const { candidates } = deps.paths
  const { retryFirst: firstMs, retryMax: maxMs } = footman.delivery
  const copies = createAuditExport(
    { ...deps, candidates, environment: process.env },
    shadow ? NO_COPIES : footman.audit,
    {
      keepMs: footman.retention.audit,
      retry: { firstMs, maxMs },
    },
  )
  const audit = createAudit({ ...deps, node: footman.node.name || hostname(), onStored: copies.onStored })
  return {
    audit,
    backends: copies.services,
    pruning: copies.pruning,
    deadLetters: copies.deadLetters,
    routes: auditRoutes({ db, clock, alone: shared.mode === 'single' }),
    observers: {
      workMayWait: copies.wake,
      start({ origin, actor, taskIds }, outcome, problem) {
        // Calls over REST are recorded with their answer.
        if (origin === 'rest' || origin === 'console') return
        const note = outcome ? auditNote(outcome) : null
        audit.record({
          actor: actor ?? origin,
          address: null,
          action: START_ACTION,
          target: note?.target ?? taskIds,
          status: null,
          outcome: note ? (note.outcome ?? 'ok') : 'failed',
          requestId: null,
          detail: note?.detail ?? problem,
        })
      },
      scheduleAction({ run, plan }, { outcome, detail }) {
        audit.record({
          actor: `schedule:${run.scheduleId}`,
          address: null,
          action: `schedule.${plan.action.type}`,
          target: [run.scheduleId],
          status: null,
          outcome: outcome === 'failed' || outcome === 'unknown' ? 'failed' : 'ok',
          requestId: null,
          detail: detail ?? null,
        })
      },
      startDropped({ actor, taskId }, reason) {
        audit.record({
          actor,
          address: null,
          action: 'startqueue.drop',
          target: [taskId],
          status: null,
          outcome: 'failed',
          requestId: null,
          detail: reason,
        })
      },
    },
  }
}
