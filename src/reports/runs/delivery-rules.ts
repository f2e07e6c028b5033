/**
 * The life of a delivery, as a function of what happens to it: when it is attempted, what the result of an attempt makes of it,
 * and when it ends without one. Reads no clock and does nothing; `deliver.ts` carries out the decisions.
 */
import { randomUUID } from 'node:crypto'
import type { Refusal } from '../../alerts/types.ts'
import type { RunCode } from '../codes.ts'
import type { DeliveryChannel, DeliveryState } from './contract.ts'
import type { DeliveryChange, DeliveryRecord, NewDelivery } from './ledger.ts'
import { addresseesOf, type FilePayload, hasFiles, type MailPayload } from './plan.ts'

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

export interface RetryRule {
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
export const RETRIES: Readonly<Record<DeliveryChannel, RetryRule>> = {
  storage: FILE,
  hub: FILE,
  email: MAIL,
  notification: MAIL,
}

/** Share of a delay by which it varies. */
const JITTER = 0.2

/** The next state of a delivery, and the words of its run about it. */
export interface Decision {
  readonly change: DeliveryChange
  /** Lines of the log of the run, in this order; one that the run has an event for says so. */
  readonly said: readonly Said[]
  /** The delivery becomes one of several: its own payload from now on, and the others. */
  readonly division?: { readonly payload: unknown; readonly others: readonly NewDelivery[] }
}

interface Said {
  readonly level: 'info' | 'warn' | 'error'
  readonly text: string
  /** `target`: an address, or the place of a file. */
  readonly event?: { readonly code: RunCode; readonly target: string; readonly detail: string }
}

/** All times are milliseconds since 1970. */
export interface Facts {
  readonly now: number
  /** Start of the pass over the deliveries of the run: one that becomes due later waits for the next. */
  readonly passAt: number
  /** The end of the run: a delivery that is open then has failed. */
  readonly deadline: number
  /** The channel is away until then; 0 when it is not. */
  readonly downUntil: number
  readonly isCancelled: boolean
  /** The run repeats deliveries of an older one. */
  readonly isResend: boolean
  /** Whether a run that began later has written the file. */
  readonly hasLaterFile: () => boolean
}

export const isMail = (channel: DeliveryChannel): boolean => channel === 'email' || channel === 'notification'

export const isOpen = ({ state }: Pick<DeliveryRecord, 'state'>): boolean =>
  state === 'planned' || state === 'retry' || state === 'sending'

/** When the delivery may be attempted. */
export const dueAt = ({ nextAt }: Pick<DeliveryRecord, 'nextAt'>, downUntil: number): number =>
  Math.max(nextAt ?? 0, downUntil)

/** The next step of an open delivery; a decision ends it. */
export function next(delivery: DeliveryRecord, facts: Facts): 'attempt' | 'wait' | Decision {
  const noun = NOUNS[delivery.channel]
  const { target } = delivery
  if (facts.isCancelled) {
    return { change: changed(delivery, 'skipped', { lastError: 'the run was cancelled' }), said: [] }
  }
  if (facts.now >= facts.deadline) {
    const lastError = delivery.lastError ?? 'not tried before the deadline'
    const text = `${noun} failed to=${target} at the deadline: ${lastError}`
    const event = { code: 'DELIVERY_DEADLINE', target: namedBy(delivery), detail: lastError } as const
    return { change: changed(delivery, 'failed', { lastError }), said: [{ level: 'error', text, event }] }
  }
  if (dueAt(delivery, facts.downUntil) > facts.passAt) return 'wait'
  if (mayBeOvertaken(delivery, facts) && facts.hasLaterFile()) {
    const text = `${noun} skipped to=${target} ${OVERTAKEN}`
    // An operator who asks for a file once more expects it there.
    const said: Said = facts.isResend
      ? { level: 'warn', text, event: { code: 'FILE_EXISTS', target, detail: OVERTAKEN } }
      : { level: 'info', text }
    return { change: changed(delivery, 'skipped', { lastError: OVERTAKEN }), said: [said] }
  }
  return 'attempt'
}

/** A file that waits for another attempt, or is written once more, would replace that of a run which began later. */
const mayBeOvertaken = ({ channel, attempts, payload }: DeliveryRecord, { isResend }: Facts): boolean =>
  channel === 'storage' && (attempts > 0 || isResend) && (payload as FilePayload).onExists === 'overwrite'

/** The delivery in another state, without a next attempt unless `more` has one. */
export function changed(
  { attempts, target, lastError }: DeliveryRecord,
  state: DeliveryState,
  more: Partial<DeliveryChange> = {},
): DeliveryChange {
  return { state, attempts, target, lastError, nextAt: null, ...more }
}

/** The ledger when an attempt is over. */
export interface Attempted {
  /** The delivery before the attempt. */
  readonly delivery: DeliveryRecord
  /** The place that the attempt has fixed, else that of before. */
  readonly target: string
  /** Addresses whose refusals the run has named. */
  readonly rejected: () => ReadonlySet<string>
}

/** `now` in milliseconds since 1970; `random` in [0, 1) spreads the pauses. */
export function afterAttempt(
  attempted: Attempted,
  attempt: Attempt,
  rule: RetryRule,
  now: number,
  random: number,
): Decision {
  const { delivery } = attempted
  const attempts = delivery.attempts + 1
  const delay = delayAfter(attempts, rule.delaysMs, random)
  if (attempt.state === 'divided') return divided(attempted, attempt, { now, later: now + delay })
  if (attempt.state === 'retry') return again(delivery, attempt.detail, rule, now, delay)
  const { state, detail } = attempt
  const target = ('target' in attempt && attempt.target) || attempted.target
  const code = state === 'unknown' ? 'MAIL_UNKNOWN' : attempt.code
  const isNews = code !== REJECTED || !isWithoutFiles(delivery) || !attempted.rejected().has(target)
  const said = {
    level: state === 'sent' ? 'info' : 'warn',
    text: `${NOUNS[delivery.channel]} ${VERBS[state]} to=${receiverOf(delivery, target)}${detail && ` ${detail}`}`,
    ...(code && isNews && { event: { code, target: namedBy(delivery, target), detail } }),
  } as const
  const lastError = state === 'sent' ? null : detail
  return { change: changed(delivery, state, { attempts, target, lastError }), said: [said] }
}

/** An address that took no mail without files either is named once, as the same copy may stand on many mails. */
const isWithoutFiles = ({ payload }: DeliveryRecord): boolean =>
  (payload as Partial<MailPayload>).filesRefused !== undefined

function again(delivery: DeliveryRecord, detail: string, rule: RetryRule, now: number, delay: number): Decision {
  const { channel, target } = delivery
  const attempts = delivery.attempts + 1
  const noun = NOUNS[channel]
  if (rule.most !== null && attempts >= rule.most) {
    const event = { code: rule.failedCode, target: namedBy(delivery), detail }
    const said = { level: 'error', text: `${noun} failed to=${target} ${detail}`, event } as const
    return { change: changed(delivery, 'failed', { attempts, lastError: detail }), said: [said] }
  }
  const text = `${noun} waits to=${target} attempt=${attempts} next in ${Math.round(delay / 1000)} s: ${detail}`
  const change = changed(delivery, 'retry', { attempts, lastError: detail, nextAt: now + delay })
  return { change, said: [{ level: 'warn', text }] }
}

const OVERTAKEN = 'a later run of the task has written this file'

/** Milliseconds until the next attempt, when so many have failed. */
const delayAfter = (attempts: number, delaysMs: readonly number[], random: number): number =>
  delaysMs[Math.min(attempts, delaysMs.length) - 1]! * (1 + JITTER * (2 * random - 1))

type Divided = Extract<Attempt, { state: 'divided' }>

/** Refused addresses become deliveries of their own: the others have the mail, and don't get it again. */
function divided({ delivery, rejected }: Attempted, { detail, refused, code }: Divided, at: Times): Decision {
  const parts = partsOf(delivery, refused, at)
  const [own, ...others] = parts.map((part) => newDelivery(delivery, part)) as [NewDelivery, ...NewDelivery[]]
  const { state, target, lastError = null, nextAt = null, payload } = own
  const known = rejected()
  return {
    change: { state, attempts: delivery.attempts + 1, target, lastError, nextAt },
    division: { payload, others },
    said: parts.map((part): Said => {
      const reason = part.lastError ?? detail
      const text = `mail ${VERBS[part.state]} to=${part.target} ${reason}`
      const news = newsOf(part, code, known)
      const event = news && {
        code: news,
        target: part.state === 'sent' ? part.only.join(', ') : part.target,
        detail: reason,
      }
      return { level: part.state === 'sent' ? 'info' : 'warn', text, ...(event && { event }) }
    }),
  }
}

/** @param code of the addresses that have the mail */
function newsOf({ state, target }: Part, code: RunCode | undefined, known: ReadonlySet<string>): RunCode | undefined {
  if (state === 'sent') return code
  if (state === 'unknown') return 'MAIL_UNKNOWN'
  // An address of all mails, like that of a copy, is named once.
  return state === 'failed' && !known.has(target) ? REJECTED : undefined
}

/** Code of an address that a mail server refuses for good. */
export const REJECTED = 'MAIL_REJECTED'

/** Some addresses of a mail, and their common fate. */
interface Part extends Pick<NewDelivery, 'target' | 'lastError' | 'nextAt'>, Pick<MailPayload, 'filesRefused'> {
  readonly state: 'sent' | 'unknown' | 'failed' | 'retry'
  readonly only: readonly string[]
}

/** When parts of a mail are due, in milliseconds since 1970. */
interface Times {
  readonly now: number
  readonly later: number
}

/**
 * The addresses that have the mail, those that may have it, each that never gets it, those that get it without its files now, and those
 * that may get it later.
 */
function partsOf({ payload }: DeliveryRecord, refused: readonly Refusal[], at: Times): Part[] {
  const mail = payload as MailPayload
  const refusals = new Map(refused.map((one) => [one.address.toLowerCase(), one]))
  const addresses = [...new Map(addresseesOf(mail).map((address) => [address.toLowerCase(), address])).values()]
  const fateOf = (address: string) => {
    const refusal = refusals.get(address.toLowerCase())
    if (!refusal) return 'sent'
    if (refusal.inDoubt) return 'unknown'
    if (refusal.tooLarge && mail.filesRefused === undefined && hasFiles(mail)) return 'shorter'
    return refusal.isPermanent ? 'failed' : 'later'
  }
  const fates = Map.groupBy(addresses, fateOf)
  const reasonOf = (address = '') => refusals.get(address.toLowerCase())?.detail ?? ''
  const parts: Part[] = []
  const add = (state: Part['state'], only: readonly string[] = [], more: Partial<Part> = {}) => {
    const named = state === 'sent' ? only.filter((address) => mail.to.includes(address)) : []
    const target = (named.length > 0 ? named : only).join(', ')
    const lastError = state === 'sent' ? {} : { lastError: reasonOf(only[0]) }
    if (only.length > 0) parts.push({ state, target, only, ...lastError, ...more })
  }
  const shorter = fates.get('shorter')
  add('sent', fates.get('sent'))
  add('unknown', fates.get('unknown'))
  for (const address of fates.get('failed') ?? []) add('failed', [address])
  add('retry', shorter, { nextAt: at.now, filesRefused: reasonOf(shorter?.[0]) })
  add('retry', fates.get('later'), { nextAt: at.later })
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

/** All addresses of a mail, copies too; in a test those that it is meant for. */
export function meantFor({ payload, target }: Pick<DeliveryRecord, 'payload' | 'target'>): readonly string[] {
  const mail = payload as MailPayload
  return mail.insteadOf === null ? addresseesOf(mail) : target.split(', ')
}

/** Whom or what an event about a delivery names. */
export const namedBy = (delivery: DeliveryRecord, target = delivery.target): string =>
  isMail(delivery.channel) ? meantFor(delivery).join(', ') : target

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
