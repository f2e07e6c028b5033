/** The end of a run: its outcome, the states of its conditions, and the mails about it, which are sent beside other runs. */
import type { Clock, Logger } from '../../platform/types.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import type { NewEvent } from '../types.ts'
import { type Deliverer, OUTCOME_MAIL } from './deliver.ts'
import type { NoteEvent } from './events.ts'
import { countsOf, type DeliveryRecord, type Ledger, type NewDelivery, type RunRecord } from './ledger.ts'
import type { RunLog } from './log.ts'
import { planNotifications, type Wait } from './notify.ts'
import { isUsable } from './recipients.ts'
import { type End, keptStates, noMailSent, outcomeOf, testAddressOf } from './run-rules.ts'

export interface EndingDeps {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Logger
  readonly runLog: RunLog
  readonly note: NoteEvent
  /** Aborted by the stop. */
  readonly stopping: AbortController
  readonly deliverer: Deliverer
  /** Called once the end of a run is on disk; not for starts that were skipped at once. */
  readonly onFinished: (run: RunRecord) => void
}

export interface EndingSettings extends Pick<SenderRules, 'allowedDomains'> {
  readonly deadlineMinutes: number
  /** Address of test mode for the whole of Footman; null while that is off. */
  readonly testAddress: string | null
}

interface Ending {
  /** `end` is null after a complete plan. */
  finish(run: RunRecord, end: End | null): Promise<void>
  /** Sends those who get the outcome, once in a run, a mail about files that cannot be written yet. */
  announceWaits(run: RunRecord, files: readonly DeliveryRecord[]): Promise<void>
  /** Sends the mails about a run that are open. */
  sendMails(run: RunRecord): void
  /** Resolves when the mails that are being sent are decided. */
  settled(): Promise<unknown>
}

const MINUTE_MS = 60_000

export function createEnding(deps: EndingDeps, settings: EndingSettings): Ending {
  const { ledger, clock, log, runLog, note, stopping, deliverer } = deps
  /** By run: the mails that are being sent. */
  const trailing = new Map<string, Promise<void>>()

  function sendMails(run: RunRecord): void {
    const deadline = (run.finishedAt ?? clock.now()) + settings.deadlineMinutes * MINUTE_MS
    // One after the other, as both would send the same.
    const before = trailing.get(run.id) ?? Promise.resolve()
    const work = before
      .then(() => deliverer.deliver(run, ['notification'], deadline, stopping.signal))
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) log.error(`REPORTTASK: notifications of run=${run.id.slice(-8)} ${String(error)}`)
      })
      .finally(() => {
        if (trailing.get(run.id) === work) trailing.delete(run.id)
      })
    trailing.set(run.id, work)
  }

  /**
   * The mails about a run, and events about addresses that no mail may go to. `hadFailed`: a success ends a failure. `waits`: the run waits for these; absent when it has ended.
   */
  function mailsAbout(run: RunRecord, hadFailed: boolean, waits?: readonly Wait[]) {
    const refused: NewEvent[] = []
    const definition = ledger.definition(run.id)
    const testAddress = definition ? testAddressOf(run, definition.task, settings) : null
    const isRefused = testAddress !== null && addressProblem(testAddress, settings.allowedDomains) !== null
    if (!definition || run.trigger.type === 'resend' || run.options.dryRun || isRefused) {
      return { mails: [] as NewDelivery[], refused }
    }
    const isAllowed = (address: string) =>
      isUsable(address, settings.allowedDomains, (code) =>
        refused.push({ code, recipient: address, details: `${OUTCOME_MAIL}: ${address}` }),
      )
    const mails = planNotifications({ run, definition, hadFailed, testAddress, isAllowed, ...(waits && { waits }) })
    return { mails, refused }
  }

  return {
    async finish(run, end) {
      if (end?.code) {
        await note(run, { code: end.code, ...(end.report && { report: end.report }), details: end.details })
      }
      const deliveries = ledger.deliveries(run.id)
      // A restart may come here again.
      if (!end && noMailSent(deliveries) && !ledger.events(run.id).some(({ code }) => code === 'MAIL_NONE_SENT'))
        await note(run, { code: 'MAIL_NONE_SENT', details: 'no mail of the run could be delivered' })
      const current = ledger.run(run.id)!
      const events = ledger.events(run.id)
      const [outcome, reason] = outcomeOf(current, end, events)
      const at = clock.now()
      const counts = countsOf(current.sealed ? ledger.documents(current).length : 0, deliveries, events)
      const ended: RunRecord = { ...current, state: 'finished', outcome, reason, counts, finishedAt: at }
      // A later run knows better.
      const isOvertaken = ledger.isOvertaken(run)
      const { mails, refused } = mailsAbout(ended, !isOvertaken && ledger.hadFailed(run))
      const states = isOvertaken ? {} : keptStates(ended, deliveries)
      await ledger.finish(run.id, { outcome, reason, counts, at }, mails, states, run.taskId)
      runLog.line(run, outcome === 'error' ? 'error' : outcome === 'warning' ? 'warn' : 'info', endLine(ended))
      for (const event of refused) await note(ended, event)
      deps.onFinished(ended)
      if (mails.length > 0) sendMails(ended)
    },

    async announceWaits(run, files) {
      if (files.length === 0 || ledger.deliveries(run.id).some(({ channel }) => channel === 'notification')) return
      const waits = files.map(({ target, lastError, nextAt }) => ({ target, reason: lastError ?? '', nextAt }))
      const { mails } = mailsAbout(run, false, waits)
      if (mails.length === 0) return
      await ledger.addNotifications(run.id, mails)
      sendMails(run)
    },

    sendMails,
    settled: () => Promise.allSettled(trailing.values()),
  }
}

function endLine({ outcome, reason, counts, startedAt, finishedAt }: RunRecord): string {
  const { documents, mailsSent, mailsFailed, mailsHeld, filesWritten, hubItems } = counts!
  const duration = startedAt === null ? 0 : finishedAt! - startedAt
  const mails = `${mailsSent}/${mailsSent + mailsFailed + mailsHeld}`
  return `finished outcome=${outcome}${reason ? ` reason=${reason}` : ''} documents=${documents} mails=${mails} files=${filesWritten} hub=${hubItems} duration=${duration}ms`
}
