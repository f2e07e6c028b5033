/** The audit, and what it records besides REST calls. */
import { type Audit, auditRoutes, createAudit } from '../http/audit.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { auditNote, START_ACTION } from '../tasks/start/answers.ts'
import type { Topics } from './observers.ts'

export interface AuditParts {
  readonly audit: Audit
  readonly routes: readonly ApiRoute[]
  readonly observers: Pick<Topics, 'start' | 'startDropped' | 'scheduleAction'>
}

export function buildAudit(deps: { log: Logger; clock: Clock; db: Database; writer: GroupWriter }): AuditParts {
  const audit = createAudit(deps)
  return {
    audit,
    routes: auditRoutes(deps),
    observers: {
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
          outcome: outcome === 'failed' ? 'failed' : 'ok',
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
