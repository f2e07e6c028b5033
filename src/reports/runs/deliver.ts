/**
 * Carries out the plan of a run: files, then hub items, then mails. Each delivery is written to the ledger before it
 * happens and after it has happened. Failed ones are tried again until the deadline of the run.
 */

import { errorText } from '../../platform/errors.ts'
import { isStorageFailure } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { Definition } from '../entities/task.ts'
import type { RunDocument } from '../types.ts'
import type { DeliveryChannel } from './contract.ts'
import {
  type Attempt,
  afterAttempt,
  changed,
  type Decision,
  dueAt,
  isMail,
  isOpen,
  next,
  REJECTED,
  RETRIES,
} from './delivery-rules.ts'
import type { NoteEvent } from './events.ts'
import type { DeliveryRecord, Ledger, RunRecord } from './ledger.ts'

export type { Attempt } from './delivery-rules.ts'

export interface DeliveryJob {
  readonly run: RunRecord
  readonly definition: Definition
  readonly documents: readonly RunDocument[]
  readonly delivery: DeliveryRecord
  readonly signal: AbortSignal
  /** Writes the final name of a file to the ledger before the file is made. */
  readonly fixTarget: (target: string) => Promise<void>
}

/** `lastError` of a file whose final name is in the ledger: after a crash the same file is written again. */
export const WRITING = 'the file was being written'

/** One attempt of a channel. Never rejects for a fault of the peer. */
export type Carrier = (job: DeliveryJob) => Promise<Attempt>

export interface DelivererDeps {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Logger
  readonly carriers: Readonly<Record<DeliveryChannel, Carrier>>
  /** Resolves when another mail may leave: before the ledger says that it is being sent. */
  readonly throttle: (signal: AbortSignal) => Promise<void>
  readonly note: NoteEvent
  /** Adds a line to the log of the run. */
  readonly line: (run: RunRecord, level: 'info' | 'warn' | 'error', text: string) => void
}

export interface Deliverer {
  /**
   * Resolves when every delivery of the channels is decided. `deadline` in milliseconds since 1970: what is open then has
   * failed. Rejects with the reason of the signal when it aborts; the rest waits in the ledger. `onWaiting`: called each time
   * that everything due was tried, with those that wait for another attempt.
   */
  deliver(
    run: RunRecord,
    channels: readonly DeliveryChannel[],
    deadline: number,
    signal: AbortSignal,
    onWaiting?: (open: readonly DeliveryRecord[]) => Promise<void>,
  ): Promise<void>
  /** Looks at the deliveries of a run now, because it was cancelled. */
  wake(runId: string): void
}

export function createDeliverer(deps: DelivererDeps, retries = RETRIES): Deliverer {
  const { ledger, clock, log, carriers, throttle, line } = deps
  const wakers = new Map<string, () => void>()

  /** An event of the run. One of an outcome mail leaves the outcome as it was announced. */
  async function note(run: RunRecord, { channel }: DeliveryRecord, { code, target, detail }: DeliveryEvent) {
    const text = code === 'MAIL_UNKNOWN' ? detail : `${target}: ${detail}`
    const details = channel === 'notification' ? `${OUTCOME_MAIL}: ${text}` : text
    await deps.note(run, { code, details, ...(isMail(channel) && { recipient: target }) })
  }

  const isCancelled = (run: RunRecord, { channel }: DeliveryRecord) =>
    channel !== 'notification' && ledger.run(run.id)?.cancelled === true

  const openOf = (run: RunRecord, channels: readonly DeliveryChannel[]) =>
    ledger.deliveries(run.id).filter((one) => isOpen(one) && channels.includes(one.channel))

  async function carryOut(run: RunRecord, delivery: DeliveryRecord, { change, division, said }: Decision) {
    if (division) await ledger.divideDelivery(delivery, change, division.payload, division.others)
    else await ledger.setDelivery(delivery.id, change)
    for (const { level, text, event } of said) {
      line(run, level, text)
      if (event) await note(run, delivery, event)
    }
  }

  /** True when the channel is away. */
  async function attempt(
    run: RunRecord,
    definition: Definition,
    documents: readonly RunDocument[],
    delivery: DeliveryRecord,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { id, channel, state } = delivery
    await ledger.setDelivery(id, changed(delivery, 'sending'))
    const result = await carriers[channel]({
      run,
      definition,
      documents,
      delivery: state === 'sending' ? delivery : { ...delivery, state: 'planned' },
      signal,
      async fixTarget(target) {
        await ledger.setDelivery(id, changed(delivery, 'sending', { target, lastError: WRITING }))
      },
    }).catch((error: unknown): Attempt => {
      if (isStorageFailure(error)) return { state: 'retry', detail: errorText(error) }
      log.error(`REPORTTASK: run=${run.id.slice(-8)} ${errorText(error)}`, { fault: error })
      return { state: 'failed', code: 'INTERNAL', detail: errorText(error) }
    })
    const target = ledger.delivery(id)?.target ?? delivery.target
    const rejected = () =>
      new Set(ledger.events(run.id).flatMap(({ code, recipient }) => (code === REJECTED ? (recipient ?? []) : [])))
    const attempted = { delivery, target, rejected }
    await carryOut(run, delivery, afterAttempt(attempted, result, retries[channel], clock.now(), Math.random()))
    return result.state === 'retry' && result.channelDown === true
  }

  /** Attempts what is due; resolves with the time at which more is due, null when nothing is open. */
  async function pass(
    run: RunRecord,
    channels: readonly DeliveryChannel[],
    deadline: number,
    downUntil: Map<DeliveryChannel, number>,
    signal: AbortSignal,
  ): Promise<number | null> {
    const open = openOf(run, channels)
    if (open.length === 0) return null
    const definition = ledger.definition(run.id)!
    const documents = ledger.documents(run)
    // A delivery that becomes due during this pass waits for the next: a channel that is away fails with its first alone.
    const passAt = clock.now()
    const stepOf = (delivery: DeliveryRecord) =>
      next(delivery, {
        now: clock.now(),
        passAt,
        deadline,
        downUntil: downUntil.get(delivery.channel) ?? 0,
        isCancelled: isCancelled(run, delivery),
        isResend: run.trigger.type === 'resend',
        hasLaterFile: () => ledger.hasLaterFile(run, delivery.target),
      })
    for (const delivery of open) {
      signal.throwIfAborted()
      const { id, channel } = delivery
      if (isMail(channel) && stepOf(delivery) === 'attempt') await throttle(signal)
      // The run may have been cancelled meanwhile, or be over.
      const step = stepOf(delivery)
      if (step === 'wait') continue
      if (step !== 'attempt') await carryOut(run, delivery, step)
      else if (await attempt(run, definition, documents, delivery, signal)) {
        // While the peer is away, the others of its channel wait without using up an attempt.
        downUntil.set(channel, ledger.delivery(id)?.nextAt ?? 0)
      }
    }
    const left = openOf(run, channels)
    if (left.length === 0) return null
    // A cancel that came meanwhile found no pause to end.
    if (left.some((one) => isCancelled(run, one))) return clock.now()
    return Math.min(deadline, ...left.map((one) => dueAt(one, downUntil.get(one.channel) ?? 0)))
  }

  return {
    async deliver(run, channels, deadline, signal, onWaiting) {
      const downUntil = new Map<DeliveryChannel, number>()
      for (;;) {
        const at = await pass(run, channels, deadline, downUntil, signal)
        if (at === null) return
        await onWaiting?.(openOf(run, channels))
        await pause(Math.max(0, at - clock.now()), signal, (wake) => wakers.set(run.id, wake))
        wakers.delete(run.id)
      }
    },
    wake: (runId) => wakers.get(runId)?.(),
  }
}

type DeliveryEvent = NonNullable<Decision['said'][number]['event']>

/** Before the reason why one could not be delivered, in events of its run. */
export const OUTCOME_MAIL = 'outcome mail'

/** Longest pause of a timer; a later time is looked at again. */
const MAX_PAUSE_MS = 60_000

function pause(ms: number, signal: AbortSignal, onWake: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, Math.min(ms, MAX_PAUSE_MS))
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      resolve()
    }
    function aborted() {
      clearTimeout(timer)
      reject(signal.reason)
    }
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted)
    onWake(done)
  })
}
