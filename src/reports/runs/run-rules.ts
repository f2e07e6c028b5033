/** The rules of runs, as functions: which begin, with which outcome one ends, what a restart does with it. */
import { errorWithoutPath } from '../../platform/file-errors.ts'
import { ReportError, type RunCode } from '../codes.ts'
import type { Definition, Outcome, ReportTask } from '../entities/task.ts'
import type { RunEvent } from './contract.ts'
import type { DeliveryRecord, RunRecord, Sealed } from './ledger.ts'

const MINUTE_MS = 60_000

/** A run that has begun. */
export interface UnderWay {
  readonly taskId: string
  /** Nothing is done until a delivery is tried again: other runs may begin. */
  readonly isWaiting: boolean
  /** No other run of the task may begin. */
  readonly holdsTask: boolean
}

/** Tasks of which no other run may begin, and how many runs work at the moment. */
export function loadOf(runs: Iterable<UnderWay>): { readonly taskIds: readonly string[]; readonly working: number } {
  const all = [...runs]
  return {
    taskIds: all.filter(({ holdsTask }) => holdsTask).map(({ taskId }) => taskId),
    working: all.filter(({ isWaiting }) => !isWaiting).length,
  }
}

/** Those of the open runs that begin now, in their order. */
export function beginning<Run extends Pick<RunRecord, 'id' | 'taskId' | 'state' | 'cancelled'>>(
  open: readonly Run[],
  underWay: ReadonlyMap<string, UnderWay>,
  concurrentRuns: number,
): Run[] {
  const { taskIds, working } = loadOf(underWay.values())
  const held = new Set(taskIds)
  const chosen: Run[] = []
  for (const run of open) {
    if (working + chosen.length >= concurrentRuns) break
    if (run.state !== 'queued' || run.cancelled || underWay.has(run.id) || held.has(run.taskId)) continue
    chosen.push(run)
    held.add(run.taskId)
  }
  return chosen
}

/** Files that wait for another attempt. */
export const waitingFiles = (open: readonly DeliveryRecord[]): DeliveryRecord[] =>
  open.filter(({ channel, state }) => channel === 'storage' && state === 'retry')

// --- The end ---

/** The end of a run without a plan. */
export interface End {
  readonly outcome: Outcome
  readonly code: RunCode | null
  readonly details: string
  /** Key of the report that ends the run. */
  readonly report?: string | undefined
}

export const CANCELLED: End = { outcome: 'cancelled', code: null, details: '' }

export const failure = (code: RunCode, details: string, report?: string): End => ({
  outcome: 'error',
  code,
  details,
  report,
})

/** The end of a run whose documents could not be made; `limit` in minutes is over, or null. */
export function endBy(error: unknown, isCancelled: boolean, limit: number | null): End {
  if (isCancelled) return CANCELLED
  if (limit !== null) return failure('RUN_TIMEOUT', `not made within ${limit} minutes`)
  if (error instanceof ReportError) return failure(error.code, error.details, error.report)
  return failure('INTERNAL', errorWithoutPath(error))
}

/** The outcome of a run and the code of its reason; `end` is null after a complete plan. */
export function outcomeOf(
  { cancelled, sealed }: Pick<RunRecord, 'cancelled' | 'sealed'>,
  end: End | null,
  events: readonly Pick<RunEvent, 'level' | 'code'>[],
): readonly [Outcome, RunCode | null] {
  if (cancelled || end?.outcome === 'cancelled') return ['cancelled', null]
  if (end?.outcome === 'skipped') return ['skipped', end.code]
  if (sealed?.skipped) return ['skipped', sealed.skipped]
  const worst = events.find(({ level }) => level === 'error') ?? events.find(({ level }) => level === 'warning')
  if (!worst) return ['success', null]
  return [worst.level === 'error' ? 'error' : 'warning', worst.code]
}

type Delivered = Pick<DeliveryRecord, 'channel' | 'state'>

export function noMailSent(deliveries: readonly Delivered[]): boolean {
  const mails = deliveries.filter(({ channel, state }) => channel === 'email' && state !== 'skipped')
  return mails.length > 0 && mails.every(({ state }) => state === 'failed')
}

/** The states of conditions that a run leaves; test and dry runs keep none. */
export function keptStates(
  run: Pick<RunRecord, 'test' | 'options' | 'sealed' | 'outcome'>,
  deliveries: readonly Delivered[],
): Sealed['states']['delivered'] {
  if (run.test || run.options.dryRun || !run.sealed) return {}
  const { delivered, notDelivered } = run.sealed.states
  const hasDelivered =
    (run.outcome === 'success' || run.outcome === 'warning') &&
    deliveries.some(({ state, channel }) => state === 'sent' && channel !== 'notification')
  return hasDelivered ? delivered : notDelivered
}

// --- Test mode ---

/** The address of test mode: of the whole of Footman, else of the start, else of the task; null outside of test mode. */
export const testAddressOf = (
  { test, options }: Pick<RunRecord, 'test' | 'options'>,
  { testMode }: ReportTask,
  { testAddress }: { readonly testAddress: string | null },
): string | null => (test ? (testAddress ?? options.testAddress ?? testMode.address ?? '') : null)

// --- Restart ---

/** `definition`: of the task now; null when it is gone. */
export function afterRestart(
  run: Pick<RunRecord, 'state' | 'cancelled' | 'trigger' | 'startedAt'>,
  definition: Definition | null,
  now: number,
): 'deliver' | 'make again' | 'wait' | End {
  if (run.state === 'delivering') return 'deliver'
  if (run.cancelled) return CANCELLED
  if (run.state === 'running') return 'make again'
  if (!isLate(run, definition, now)) return 'wait'
  const details = 'Footman was down for longer than maxDelayMinutes'
  return { outcome: 'skipped', code: 'MISSED_SCHEDULE', details }
}

/** True for a scheduled run that waited longer than its trigger allows. */
function isLate(
  { trigger, startedAt }: Pick<RunRecord, 'trigger' | 'startedAt'>,
  definition: Definition | null,
  now: number,
): boolean {
  if (trigger.type !== 'schedule' || startedAt !== null) return false
  const armed = definition?.task.triggers.find(({ id }) => id === trigger.triggerId)
  return armed?.type === 'schedule' && now - Date.parse(trigger.firedAt) > armed.maxDelayMinutes * MINUTE_MS
}

/**
 * The state of a delivery that was under way; null when it stays as it is. A mail may have left or not; files and hub items are
 * simply made again.
 */
export function deliveryAfterRestart(
  { state, channel }: Delivered,
  onUnknown: 'hold' | 'resend',
): 'unknown' | 'planned' | null {
  if (state !== 'sending' || channel === 'storage' || channel === 'hub') return null
  return onUnknown === 'hold' ? 'unknown' : 'planned'
}
