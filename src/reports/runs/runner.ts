/**
 * Runs of report tasks: the queue, the steps of a run, and what a restart finds. A run
 * that was queued survives the end of the process; a run whose plan was complete is only delivered further.
 */

import { within } from '../../platform/deadline.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Service } from '../../platform/types.ts'
import { type Admission, decide, type StartRequest } from './admission.ts'
import { OUTCOME_MAIL } from './deliver.ts'
import { namedBy } from './delivery-rules.ts'
import { createEnding, type EndingDeps, type EndingSettings } from './ending.ts'
import type { DeliveryRecord, RunRecord } from './ledger.ts'
import { createMaking, type MakingDeps, type MakingSettings, type Trials } from './making.ts'
import { addResend, type ResendAnswer, type ResendRequest } from './resend.ts'
import {
  afterRestart,
  beginning,
  CANCELLED,
  deliveryAfterRestart,
  loadOf,
  type UnderWay,
  waitingFiles,
} from './run-rules.ts'

export interface RunnerDeps extends MakingDeps, EndingDeps {
  readonly writer: GroupWriter
}

export interface RunnerSettings extends MakingSettings, EndingSettings {
  readonly concurrentRuns: number
  readonly onUnknown: 'hold' | 'resend'
}

export interface Runner extends Service, Trials {
  start(): Promise<void>
  admit(request: StartRequest): Promise<Admission>
  /** False when the run has ended. */
  cancel(runId: string): Promise<boolean>
  /** Cancels the runs of the task that wait, because it was deleted. */
  cancelWaiting(taskId: string): Promise<void>
  resend(request: ResendRequest): Promise<ResendAnswer>
  /** Runs that wait, and runs under way. */
  readonly counts: { readonly queued: number; readonly running: number }
}

const MINUTE_MS = 60_000

export function createRunner(deps: RunnerDeps, settings: RunnerSettings): Runner {
  const { ledger, writer, clock, log, runLog, note, stopping, deliverer } = deps
  const making = createMaking(deps, settings)
  const ending = createEnding(deps, settings)
  const running = new Map<string, UnderWay & { readonly abort: AbortController; readonly done: Promise<void> }>()
  /** The last one; each waits for that before it. */
  let resent: Promise<unknown> = Promise.resolve()
  let active = false

  async function admit(request: StartRequest): Promise<Admission> {
    const underWay = () => loadOf(running.values())
    const admission = await decide({ ledger, writer, clock, underWay }, settings, request)
    const { task, trigger } = request
    const run = { id: admission.runId }
    if (admission.status === 'skipped')
      runLog.line(run, 'info', `${admission.code} task="${task.name}" trigger=${trigger.type}`)
    if (admission.status === 'merged') runLog.line(run, 'info', `COALESCED trigger=${trigger.type} ${trigger.key}`)
    pump()
    return admission
  }

  function pump(): void {
    if (active) for (const run of beginning(ledger.open(), running, settings.concurrentRuns)) launch(run)
  }

  function launch(run: RunRecord): void {
    const abort = new AbortController()
    const done = carryOut(run, abort.signal)
      .catch((error: unknown) => {
        if (!stopping.signal.aborted)
          log.error(`REPORTTASK: run=${run.id.slice(-8)} ${String(error)}`, { fault: error })
      })
      .finally(() => {
        running.delete(run.id)
        pump()
      })
    running.set(run.id, { taskId: run.taskId, abort, done, isWaiting: false, holdsTask: true })
  }

  /** `cancelled` ends the making of documents; a plan that is complete is ended by the ledger, delivery by delivery. */
  async function carryOut(run: RunRecord, cancelled: AbortSignal): Promise<void> {
    if (run.state !== 'delivering') {
      const end = await making.make(run, cancelled)
      if (end) return ending.finish(run, end)
    }
    const sealed = ledger.run(run.id)!
    const deadline = (sealed.sealedAt ?? clock.now()) + settings.deadlineMinutes * MINUTE_MS
    await deliverer.deliver(sealed, ['storage', 'hub', 'email'], deadline, stopping.signal, (open) =>
      whileWaiting(sealed, open),
    )
    await ending.finish(sealed, null)
  }

  /**
   * A peer is in trouble. Runs of other tasks begin meanwhile; mails that wait keep the own task busy, as a server that comes
   * back would get those of all its runs. When it is a storage space, those who get the outcome know it at once, and not when
   * the last attempt has failed.
   */
  async function whileWaiting(run: RunRecord, open: readonly DeliveryRecord[]): Promise<void> {
    if (ledger.run(run.id)?.cancelled) return
    const files = waitingFiles(open)
    const entry = running.get(run.id)
    if (entry) {
      running.set(run.id, { ...entry, isWaiting: true, holdsTask: files.length < open.length })
      pump()
    }
    await ending.announceWaits(run, files)
  }

  // --- Restart ---

  async function recover(): Promise<void> {
    for (const id of ledger.withOpenDeliveries()) {
      const run = ledger.run(id)
      if (!run) continue
      const deliveries = ledger.deliveries(id)
      for (const delivery of deliveries) await recoverDelivery(run, delivery)
      if (deliveries.some(({ channel }) => channel === 'notification')) ending.sendMails(run)
    }
    for (const run of ledger.open()) {
      const step = afterRestart(run, deps.definitionOf(run.taskId), clock.now())
      if (step === 'deliver') launch(run)
      else if (step === 'make again') await ledger.requeue(run.id)
      else if (step !== 'wait') await ending.finish(run, step)
    }
  }

  async function recoverDelivery(run: RunRecord, delivery: DeliveryRecord): Promise<void> {
    const { id, channel, attempts, target } = delivery
    const state = deliveryAfterRestart(delivery, settings.onUnknown)
    if (state === null) return
    const lastError = 'Footman ended while the mail server was taking the mail'
    await ledger.setDelivery(id, { state, attempts, nextAt: null, lastError, target })
    const details = channel === 'notification' ? `${OUTCOME_MAIL}: ${lastError}` : lastError
    if (state === 'unknown') await note(run, { code: 'MAIL_UNKNOWN', recipient: namedBy(delivery), details })
  }

  async function cancel(runId: string): Promise<boolean> {
    const run = ledger.run(runId)
    if (!run || run.state === 'finished') return false
    await ledger.cancel(runId)
    const one = running.get(runId)
    if (run.state === 'queued' && !one) await ending.finish(run, CANCELLED)
    else {
      one?.abort.abort(new Error('cancelled'))
      deliverer.wake(runId)
    }
    return true
  }

  return {
    name: 'report tasks',
    async start() {
      active = true
      await recover()
      pump()
    },
    async stop(graceMs) {
      active = false
      stopping.abort(new Error('Footman stops'))
      const all = Promise.allSettled([...[...running.values()].map(({ done }) => done), ending.settled()])
      await within(all, graceMs, () => undefined)
    },
    admit,
    plan: making.plan,
    tryOut: making.tryOut,
    cancel,
    async cancelWaiting(taskId) {
      for (const { id, state, ...run } of ledger.open())
        if (state === 'queued' && run.taskId === taskId && !running.has(id)) await cancel(id)
    },
    async resend(request) {
      const added = resent.then(() => addResend({ ledger, clock }, request))
      resent = added.catch(() => undefined)
      const answer = await added
      if (answer.status !== 'started') return answer
      const [{ run }, child] = [request, answer.run]
      const count = ledger.deliveries(child.id).length
      runLog.line(child, 'info', `task="${run.taskName}" sends ${count} deliveries of run ${run.id.slice(-8)} again`)
      for (const { receiver, runId } of answer.leftOut)
        runLog.line(child, 'info', `left out to=${receiver} delivered by run ${runId.slice(-8)}`)
      launch(child)
      return answer
    },
    get counts() {
      const queued = ledger.open().filter((run) => run.state === 'queued' && !running.has(run.id)).length
      return { queued, running: running.size }
    },
  }
}
