/**
 * Carries out the plan of a run: files, then hub items, then mails. Each delivery is written to the ledger before it
 * happens and after it has happened. Failed ones are tried again until the deadline of the run.
 */

import { randomUUID } from 'node:crypto'
import type { Refusal } from '../../alerts/types.ts'
import { errorText } from '../../platform/errors.ts'
import { isStorageFailure } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { RunCode } from '../codes.ts'
import type { Definition } from '../entities/task.ts'
import type { DeliveryChannel, DeliveryState, RunDocument } from '../types.ts'
import type { DeliveryRecord, Ledger, NewDelivery, RunRecord } from './ledger.ts'
import { type FilePayload, hasFiles, type MailPayload } from './plan.ts'

/** The result of one attempt. `divided`: of a mail that was refused for some of its addresses. */
export type Attempt =
  | { readonly state: 'sent'; readonly detail: string; readonly target?: string; readonly code?: RunCode }
  | {
      readonly state: 'divided'
      readonly detail: string
      readonly refused: readonly Refusal[]
      readonly code?: RunCode
    }
  /** Temporary. `channelDown`: the other deliveries of the channel would fail alike. */
  | { readonly state: 'retry'; readonly detail: string; readonly channelDown?: boolean }
  | { readonly state: 'failed'; readonly detail: string; readonly code: RunCode }
  /** The peer may have taken it or not. */
  | { readonly state: 'unknown'; readonly detail: string }
  | { readonly state: 'skipped'; readonly detail: string; readonly code?: RunCode }

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
  /** Adds an event to the run. */
  readonly note: (run: RunRecord, code: RunCode, details: string, recipient?: string) => Promise<void>
  /** Adds a line to the log of the run. */
  readonly line: (run: RunRecord, level: 'info' | 'warn' | 'error', text: string) => void
}

interface RetryRule {
  readonly delaysMs: readonly number[]
  /** Attempts after which a delivery has failed; null = until the deadline. */
  readonly most: number | null
  readonly failedCode: RunCode
}

const MINUTE = 60_000
const MAIL: RetryRule = {
  delaysMs: [1, 5, 15, 60].map((minutes) => minutes * MINUTE),
  most: null,
  failedCode: 'DELIVERY_DEADLINE',
}
const FILE: RetryRule = { delaysMs: [5000, 30_000, 2 * MINUTE, 10 * MINUTE], most: 5, failedCode: 'STORAGE_FAILED' }
const RETRIES: Readonly<Record<DeliveryChannel, RetryRule>> = {
  storage: FILE,
  hub: FILE,
  email: MAIL,
  notification: MAIL,
}

/** Share of a delay by which it varies. */
const JITTER = 0.2

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
  async function note(run: RunRecord, { channel }: DeliveryRecord, code: RunCode, target: string, detail: string) {
    const recipient = channel === 'email' || channel === 'notification' ? target : undefined
    const text = code === 'MAIL_UNKNOWN' ? detail : `${target}: ${detail}`
    await deps.note(run, code, channel === 'notification' ? `${OUTCOME_MAIL}: ${text}` : text, recipient)
  }

  const isCancelled = (run: RunRecord, { channel }: DeliveryRecord) =>
    channel !== 'notification' && ledger.run(run.id)?.cancelled === true

  const isOpen = ({ state }: DeliveryRecord) => state === 'planned' || state === 'retry' || state === 'sending'

  const openOf = (run: RunRecord, channels: readonly DeliveryChannel[]) =>
    ledger.deliveries(run.id).filter((one) => isOpen(one) && channels.includes(one.channel))

  /** A file that waits for another attempt would replace that of a run which began later. */
  const isOvertaken = (run: RunRecord, { channel, attempts, target, payload }: DeliveryRecord) =>
    channel === 'storage' &&
    attempts > 0 &&
    (payload as FilePayload).onExists === 'overwrite' &&
    ledger.hasLaterFile(run, target)

  function change(
    delivery: DeliveryRecord,
    state: DeliveryState,
    more: Partial<Pick<DeliveryRecord, 'attempts' | 'nextAt' | 'lastError' | 'target'>> = {},
  ) {
    const { attempts, target, lastError } = delivery
    return ledger.setDelivery(delivery.id, { state, attempts, target, lastError, nextAt: null, ...more })
  }

  async function settle(run: RunRecord, delivery: DeliveryRecord, attempt: Attempt): Promise<void> {
    if (attempt.state === 'divided') return divide(run, delivery, attempt)
    const attempts = delivery.attempts + 1
    const { channel } = delivery
    const target = ('target' in attempt && attempt.target) || (ledger.delivery(delivery.id)?.target ?? delivery.target)
    const what = `${NOUNS[channel]} ${VERBS[attempt.state]} to=${receiverOf(delivery, target)}`
    const decided = { attempts, target, lastError: attempt.state === 'sent' ? null : attempt.detail }
    if (attempt.state === 'retry') return retry(run, delivery, attempt.detail)
    await change(delivery, attempt.state, decided)
    line(run, attempt.state === 'sent' ? 'info' : 'warn', `${what}${attempt.detail && ` ${attempt.detail}`}`)
    if (attempt.state === 'unknown') await note(run, delivery, 'MAIL_UNKNOWN', target, attempt.detail)
    else if ('code' in attempt && attempt.code && !isNamed(run, delivery, attempt.code))
      await note(run, delivery, attempt.code, target, attempt.detail)
  }

  /** An address that took no mail without files either is named once, as the same copy may stand on many mails. */
  const isNamed = (run: RunRecord, { payload, target }: DeliveryRecord, code: RunCode): boolean =>
    code === REJECTED &&
    (payload as Partial<MailPayload>).filesRefused !== undefined &&
    ledger.events(run.id).some((one) => one.code === REJECTED && one.recipient === target)

  async function retry(run: RunRecord, delivery: DeliveryRecord, detail: string): Promise<void> {
    const { channel, target } = delivery
    const attempts = delivery.attempts + 1
    const { delaysMs, most, failedCode } = retries[channel]
    if (most !== null && attempts >= most) {
      await change(delivery, 'failed', { attempts, lastError: detail })
      line(run, 'error', `${NOUNS[channel]} failed to=${target} ${detail}`)
      await note(run, delivery, failedCode, target, detail)
      return
    }
    const delay = delayAfter(attempts, delaysMs)
    await change(delivery, 'retry', { attempts, lastError: detail, nextAt: clock.now() + delay })
    line(
      run,
      'warn',
      `${NOUNS[channel]} waits to=${target} attempt=${attempts} next in ${Math.round(delay / 1000)} s: ${detail}`,
    )
  }

  /** Refused addresses become deliveries of their own: the others have the mail, and don't get it again. */
  async function divide(run: RunRecord, delivery: DeliveryRecord, { detail, refused, code }: Divided): Promise<void> {
    const attempts = delivery.attempts + 1
    const nextAt = clock.now() + delayAfter(attempts, retries[delivery.channel].delaysMs)
    const parts = partsOf(delivery, refused, { now: clock.now(), later: nextAt })
    const [own, ...others] = parts.map((part) => newDelivery(delivery, part)) as [NewDelivery, ...NewDelivery[]]
    const { state, target, lastError = null } = own
    await ledger.divideDelivery(
      delivery,
      { state, attempts, target, lastError, nextAt: own.nextAt ?? null },
      own.payload,
      others,
    )
    const known = new Set(ledger.events(run.id).flatMap(({ code, recipient }) => (code === REJECTED ? recipient : [])))
    for (const part of parts) {
      const text = part.lastError ?? detail
      line(run, part.state === 'sent' ? 'info' : 'warn', `mail ${VERBS[part.state]} to=${part.target} ${text}`)
      // An address of all mails, like that of a copy, is named once.
      if (part.state === 'failed' && !known.has(part.target)) await note(run, delivery, REJECTED, part.target, text)
      if (part.state === 'sent' && code) await note(run, delivery, code, part.target, text)
    }
  }

  async function attempt(
    run: RunRecord,
    definition: Definition,
    documents: readonly RunDocument[],
    delivery: DeliveryRecord,
    signal: AbortSignal,
  ): Promise<boolean> {
    const repeated = delivery.state === 'sending'
    await change(delivery, 'sending', { nextAt: null })
    const job: DeliveryJob = {
      run,
      definition,
      documents,
      delivery,
      signal,
      fixTarget: (target) => change(delivery, 'sending', { target, lastError: WRITING }).then(() => undefined),
    }
    const result = await carriers[delivery.channel](
      repeated ? job : { ...job, delivery: { ...delivery, state: 'planned' } },
    ).catch((error: unknown): Attempt => {
      if (isStorageFailure(error)) return { state: 'retry', detail: errorText(error) }
      log.error(`REPORTTASK: run=${run.id.slice(-8)} ${errorText(error)}`, { fault: error })
      return { state: 'failed', code: 'INTERNAL', detail: errorText(error) }
    })
    await settle(run, delivery, result)
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
    const dueAt = ({ channel, nextAt }: DeliveryRecord) => Math.max(nextAt ?? 0, downUntil.get(channel) ?? 0)
    // A delivery that becomes due during this pass waits for the next: a channel that is away fails with its first alone.
    const began = clock.now()
    for (const delivery of open) {
      signal.throwIfAborted()
      const isMail = delivery.channel === 'email' || delivery.channel === 'notification'
      const isDue = dueAt(delivery) <= began
      if (isMail && isDue && clock.now() < deadline && !isCancelled(run, delivery)) await throttle(signal)
      if (isCancelled(run, delivery)) {
        await change(delivery, 'skipped', { lastError: 'the run was cancelled' })
      } else if (clock.now() >= deadline) {
        const lastError = delivery.lastError ?? 'not tried before the deadline'
        await change(delivery, 'failed', { lastError })
        line(run, 'error', `${NOUNS[delivery.channel]} failed to=${delivery.target} at the deadline: ${lastError}`)
        await note(run, delivery, 'DELIVERY_DEADLINE', delivery.target, lastError)
      } else if (isDue && isOvertaken(run, delivery)) {
        await change(delivery, 'skipped', { lastError: OVERTAKEN })
        line(run, 'info', `${NOUNS[delivery.channel]} skipped to=${delivery.target} ${OVERTAKEN}`)
      } else if (isDue) {
        // While the peer is away, the others of its channel wait without using up an attempt.
        if (await attempt(run, definition, documents, delivery, signal))
          downUntil.set(delivery.channel, ledger.delivery(delivery.id)?.nextAt ?? 0)
      }
    }
    const left = openOf(run, channels)
    if (left.length === 0) return null
    // A cancel that came meanwhile found no pause to end.
    if (left.some((one) => isCancelled(run, one))) return clock.now()
    return Math.min(deadline, ...left.map(dueAt))
  }

  return {
    async deliver(run, channels, deadline, signal, onWaiting) {
      const downUntil = new Map<DeliveryChannel, number>()
      for (;;) {
        const next = await pass(run, channels, deadline, downUntil, signal)
        if (next === null) return
        await onWaiting?.(openOf(run, channels))
        await pause(Math.max(0, next - clock.now()), signal, (wake) => wakers.set(run.id, wake))
        wakers.delete(run.id)
      }
    },
    wake: (runId) => wakers.get(runId)?.(),
  }
}

type Divided = Extract<Attempt, { state: 'divided' }>

/** Before the reason why one could not be delivered, in events of its run. */
export const OUTCOME_MAIL = 'outcome mail'

const REJECTED = 'MAIL_REJECTED'
const OVERTAKEN = 'a later run of the task has written this file'

/** Milliseconds until the next attempt, when so many have failed. */
const delayAfter = (attempts: number, delaysMs: readonly number[]): number =>
  delaysMs[Math.min(attempts, delaysMs.length) - 1]! * (1 + JITTER * (2 * Math.random() - 1))

/** Some addresses of a mail, and their common fate. */
interface Part extends Pick<NewDelivery, 'target' | 'lastError' | 'nextAt'>, Pick<MailPayload, 'filesRefused'> {
  readonly state: 'sent' | 'failed' | 'retry'
  readonly only: readonly string[]
}

/**
 * The addresses that have the mail, each that never gets it, those that get it without its files now, and those that may get it later.
 */
function partsOf(
  { payload }: DeliveryRecord,
  refused: readonly Refusal[],
  at: { readonly now: number; readonly later: number },
): Part[] {
  const mail = payload as MailPayload
  const { to, cc, bcc, only = [...to, ...cc, ...bcc] } = mail
  const refusals = new Map(refused.map((one) => [one.address.toLowerCase(), one]))
  const addresses = [...new Map(only.map((address) => [address.toLowerCase(), address])).values()]
  const refusalOf = (address: string) => refusals.get(address.toLowerCase())
  const reached = addresses.filter((address) => !refusalOf(address))
  const named = reached.filter((address) => to.includes(address))
  const later = addresses.filter((address) => refusalOf(address)?.isPermanent === false)
  const isShorter = mail.filesRefused === undefined && hasFiles(mail)
  const shorter = addresses.filter((address) => isShorter && refusalOf(address)?.tooLarge)
  const parts: Part[] = addresses
    .filter((address) => refusalOf(address)?.isPermanent && !shorter.includes(address))
    .map((address) => ({
      state: 'failed',
      target: address,
      only: [address],
      lastError: refusalOf(address)?.detail ?? '',
    }))
  if (reached.length > 0) {
    parts.unshift({ state: 'sent', target: (named.length > 0 ? named : reached).join(', '), only: reached })
  }
  if (shorter.length > 0) {
    const lastError = refusalOf(shorter[0]!)?.detail ?? ''
    const target = shorter.join(', ')
    parts.push({ state: 'retry', target, only: shorter, lastError, nextAt: at.now, filesRefused: lastError })
  }
  if (later.length > 0) {
    const lastError = refusalOf(later[0]!)?.detail ?? ''
    parts.push({ state: 'retry', target: later.join(', '), only: later, lastError, nextAt: at.later })
  }
  return parts
}

/** The part as a delivery, with the Message-ID of the whole mail. */
function newDelivery(
  { id, channel, documents, payload }: DeliveryRecord,
  { only, filesRefused, ...part }: Part,
): NewDelivery {
  const { messageId = id, ...mail } = payload as MailPayload
  const shorter = filesRefused !== undefined && { filesRefused }
  return { ...part, id: randomUUID(), channel, documents, payload: { ...mail, ...shorter, messageId, only } }
}

/** In a test mails go to another address than that of the recipient. */
function receiverOf({ payload }: DeliveryRecord, target: string): string {
  const { insteadOf, to, testAddress } = payload as Partial<MailPayload & { readonly testAddress: string | null }>
  const real = insteadOf ? to?.join(', ') : testAddress
  return real ? `${real} instead of ${target}` : target
}

const NOUNS: Readonly<Record<DeliveryChannel, string>> = {
  storage: 'file',
  hub: 'hub item',
  email: 'mail',
  notification: 'notification',
}

const VERBS: Readonly<Record<Exclude<Attempt['state'], 'divided'>, string>> = {
  sent: 'sent',
  retry: 'waits',
  failed: 'failed',
  unknown: 'may have been sent',
  skipped: 'skipped',
}

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
