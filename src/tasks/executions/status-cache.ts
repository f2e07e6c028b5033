/** Execution-status cache: asks QRS for the states of many executions with one request, and keeps the answers. */
import type { Clock } from '../../platform/types.ts'
import type { ExecutionReader, QrsExecutionResult } from '../../qlik/qrs/types.ts'
import { mayBeRetried, type Progress, progressOf } from './status.ts'

export interface KnownStatus {
  /** Null when QRS does not know the execution. */
  readonly progress: Progress | null
  /** When it was asked. */
  readonly at: number
}

export interface StatusCache {
  /** What QRS says now; rejects with a `QrsError` when it cannot be asked. */
  ask(executionIds: readonly string[]): Promise<ReadonlyMap<string, KnownStatus>>
  /** The last answer, however old. */
  last(executionId: string): KnownStatus | undefined
  /** The last answer if it is final or at most `maxAgeMs` old, else a new one. */
  recent(executionId: string, maxAgeMs: number): Promise<KnownStatus>
  /** Something has happened: the next question goes to QRS again. */
  outdate(executionId: string): void
}

/** Answers that are kept; the oldest go first. */
const KEEP = 2000

export function createStatusCache({ qrs, clock }: { qrs: ExecutionReader; clock: Clock }): StatusCache {
  const known = new Map<string, KnownStatus>()
  const asked = new Map<string, Promise<ReadonlyMap<string, KnownStatus>>>()

  async function ask(executionIds: readonly string[]): Promise<ReadonlyMap<string, KnownStatus>> {
    const ids = [...new Set(executionIds.map((id) => id.toLowerCase()))]
    const results = Map.groupBy(await qrs.resultsOfExecutions(ids), ({ executionID }) => executionID?.toLowerCase())
    const looks = new Map<string, KnownStatus>()
    await Promise.all(
      ids.map(async (id) => {
        const seen = { progress: await judge(id, results.get(id) ?? []), at: clock.now() }
        looks.set(id, seen)
        remember(id, seen)
      }),
    )
    return looks
  }

  async function judge(id: string, results: readonly QrsExecutionResult[]): Promise<Progress | null> {
    if (results.length > 0 && !mayBeRetried(results, clock.now())) return progressOf(results, false)
    const session = await qrs.executionSession(id)
    if (results.length > 0) return progressOf(results, session !== null)
    // A run that has just begun may have no result of its own yet.
    return session?.result ? progressOf([{ ...session.result, taskID: session.task?.id }], false) : null
  }

  function remember(id: string, seen: KnownStatus): void {
    known.delete(id)
    known.set(id, seen)
    const oldest = known.size > KEEP ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
  }

  return {
    ask,
    last: (executionId) => known.get(executionId.toLowerCase()),
    async recent(executionId, maxAgeMs) {
      const id = executionId.toLowerCase()
      const before = known.get(id)
      if (before?.progress?.state === 'finished') return before
      if (before?.progress && clock.now() - before.at <= maxAgeMs) return before
      // Questions that come at the same time share one request.
      const pending = asked.get(id) ?? ask([id]).finally(() => asked.delete(id))
      asked.set(id, pending)
      return (await pending).get(id)!
    },
    outdate(executionId) {
      const id = executionId.toLowerCase()
      const before = known.get(id)
      if (before && before.progress?.state !== 'finished') known.set(id, { ...before, at: 0 })
    },
  }
}
