import type { AuditNote } from '../../http/endpoint/route.ts'
import type { StartOutcome, StartRequest } from './types.ts'

/** One line per start request: who asked for what, and what came of it. */
export function auditLine(
  request: StartRequest,
  outcome: StartOutcome | null,
  durationMs: number,
  problem?: string,
): string {
  const { taskIds, tags, customProperties, taskNames = [] } = request
  const asked = [
    `${taskIds.length} id(s)`,
    `${tags.length} tag(s)`,
    `${customProperties.length} custom property value(s)`,
    ...(taskNames.length > 0 ? [`${taskNames.length} name(s)`] : []),
    ...(request.match === 'all' ? ['all must match'] : []),
  ].join(', ')
  const who = `${request.origin} request from ${request.requestedBy}`
  return `STARTTASK: ${who}${request.dialect ? ` (${request.dialect})` : ''}: ${asked}; ${resultOf(outcome, problem)}; ${durationMs} ms`
}

function resultOf(outcome: StartOutcome | null, problem = 'failed'): string {
  if (!outcome) return `nothing started: ${problem}`
  const counts = {
    started: outcome.started.length,
    failed: outcome.failed.length,
    denied: deniedCount(outcome),
    'not found': outcome.notFound.length,
  }
  return Object.entries({ ...counts, ...queuedCount(outcome) })
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
}

/** What the audit calls a start. */
export const START_ACTION = 'task.start'

/** The tasks that were meant to start, and how they fared; `denied` when nothing was allowed to start. */
export function auditNote(outcome: StartOutcome): AuditNote & { readonly target: readonly string[] } {
  const { started, queued = [], failed, notFound } = outcome
  const denied = deniedCount(outcome)
  const counts = {
    ...{ started: started.length, failed: failed.length, denied, 'not found': notFound.length },
    ...queuedCount(outcome),
  }
  const told = Object.entries(counts).filter(([what, count]) => count > 0 || what === 'started')
  const nothing = started.length + queued.length === 0
  return {
    target: [...[...started, ...queued, ...failed].map(({ taskId }) => taskId), ...outcome.denied.taskIds],
    detail: told.map(([what, count]) => `${count} ${what}`).join(', '),
    ...(nothing && denied > 0 && { outcome: 'denied' }),
    ...(nothing && denied === 0 && failed.length > 0 && { outcome: 'failed' }),
  }
}

const deniedCount = ({ denied }: StartOutcome): number =>
  denied.taskIds.length + denied.tags.length + denied.customProperties.length

const queuedCount = ({ queued }: StartOutcome) => (queued ? { queued: queued.length } : {})
