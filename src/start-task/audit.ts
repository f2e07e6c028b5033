import type { StartOutcome, StartRequest } from './types.ts'

/** One line per start request: who asked for what, and what came of it. */
export function auditLine(
  request: StartRequest,
  outcome: StartOutcome | null,
  durationMs: number,
  problem?: string,
): string {
  const { taskIds, tags, customProperties } = request
  const asked = [
    `${taskIds.length} id(s)`,
    `${tags.length} tag(s)`,
    `${customProperties.length} custom property value(s)`,
    ...(request.match === 'all' ? ['all must match'] : []),
  ].join(', ')
  const who = `${request.origin} request from ${request.requestedBy}`
  return `STARTTASK: ${who}${request.dialect ? ` (${request.dialect})` : ''}: ${asked}; ${resultOf(outcome, problem)}; ${durationMs} ms`
}

function resultOf(outcome: StartOutcome | null, problem = 'failed'): string {
  if (!outcome) return `nothing started: ${problem}`
  const denied = outcome.denied.taskIds.length + outcome.denied.tags.length + outcome.denied.customProperties.length
  const counts = {
    started: outcome.started.length,
    failed: outcome.failed.length,
    denied,
    'not found': outcome.notFound.length,
  }
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
}
