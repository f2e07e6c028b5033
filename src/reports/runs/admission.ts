/** Admission of starts and firings: which of them become runs, wait, join a waiting run, or are left out. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Clock } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { levelOf } from '../codes.ts'
import type { Stored } from '../entities/fields.ts'
import type { ReportTask } from '../entities/task.ts'
import type { RunEvent, RunOptions, RunTrigger } from './contract.ts'
import type { Ledger } from './ledger.ts'

export const DEFAULT_OPTIONS: RunOptions = {
  test: false,
  testAddress: null,
  dryRun: false,
  ignoreConditions: false,
  reports: null,
  recipients: null,
  reason: null,
}

export type Admission =
  | { readonly status: 'started' | 'queued' | 'merged'; readonly runId: string }
  /** The same firing was seen before. */
  | { readonly status: 'repeated'; readonly runId: string }
  | { readonly status: 'skipped'; readonly code: 'TASK_DISABLED' | 'TASK_BUSY' | 'QUEUE_FULL'; readonly runId: string }

export interface StartRequest {
  readonly task: Stored<ReportTask>
  readonly trigger: RunTrigger
  /** Unique for the firing: the same identity starts one run. Null for starts by hand. */
  readonly identity: string | null
  readonly options: RunOptions
  /** Starts a disabled task as well. */
  readonly force: boolean
}

interface AdmissionDeps {
  readonly ledger: Ledger
  readonly writer: GroupWriter
  readonly clock: Clock
  /** Tasks with a run that has not ended, and how many runs work at the moment. */
  readonly underWay: () => { readonly taskIds: readonly string[]; readonly working: number }
}

interface AdmissionSettings {
  readonly concurrentRuns: number
  /** Address of test mode for the whole of Footman; null while that is off. */
  readonly testAddress: string | null
}

const MAX_WAITING = 20
/** A task has one row an hour for what was left out for the same reason. */
const SKIPPED_ROW_MS = 3_600_000

/** Decides in one transaction, so that the same firing cannot begin two runs. */
export function decide(
  { ledger, writer, clock, underWay }: AdmissionDeps,
  { concurrentRuns, testAddress }: AdmissionSettings,
  { task, trigger, identity, options, force }: StartRequest,
): Promise<Admission> {
  return writer.write((on): Admission => {
    const seen = identity === null ? null : ledger.firedBefore(on, identity)
    if (seen !== null) return { status: 'repeated', runId: seen }
    const at = clock.now()
    const id = uuidV7(at)
    const test = options.test || task.testMode.enabled || testAddress !== null
    const run = { id, task, priority: task.run.priority, trigger, options, test, at }
    const settle = <T extends Admission>(result: T): T => {
      if (identity !== null) ledger.markFired(on, identity, result.runId, at)
      return result
    }
    const skip = (code: 'TASK_DISABLED' | 'TASK_BUSY' | 'QUEUE_FULL') => {
      const known = ledger.repeatSkipped(on, task.id, code, at - SKIPPED_ROW_MS)
      if (known === null) ledger.add(on, { ...run, ended: { outcome: 'skipped', reason: code } })
      return settle({ status: 'skipped', code, runId: known ?? id })
    }
    if (!task.enabled && !force) return skip('TASK_DISABLED')
    const { taskIds, working } = underWay()
    const waiting = ledger.waitingFor(on, task.id)
    const busy = waiting.length > 0 || taskIds.includes(task.id)
    if (busy && task.run.whenBusy === 'skip') return skip('TASK_BUSY')
    const same = waiting.find((one) => sameOptions(one.options, options))
    if (same && task.run.whenBusy === 'coalesce') {
      ledger.merge(on, same.id, trigger, coalesced(trigger, at))
      return settle({ status: 'merged', runId: same.id })
    }
    if (waiting.length >= MAX_WAITING) return skip('QUEUE_FULL')
    ledger.add(on, run)
    return settle({ status: busy || working >= concurrentRuns ? 'queued' : 'started', runId: id })
  })
}

const coalesced = ({ type, key }: RunTrigger, at: number): RunEvent => ({
  at: new Date(at).toISOString(),
  level: levelOf('COALESCED'),
  code: 'COALESCED',
  details: `a start by trigger=${type}${key && ` ${key}`} joins this run, which waits`,
})

const sameOptions = (one: RunOptions, other: RunOptions): boolean =>
  JSON.stringify({ ...one, reason: null }) === JSON.stringify({ ...other, reason: null })
