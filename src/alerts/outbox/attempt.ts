/** One attempt to send one delivery, from the stored row to its new state. */

import type { SharedState } from '../../cluster/types.ts'
import type { MissingPart, TaskEvent } from '../../events/types.ts'
import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import { errorText } from '../../platform/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { ownJson } from '../../platform/json.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import type { DeadReason, DeliveryNote, DeliveryResult, Destination, Message, Rule, SuppressReason } from '../types.ts'
import { giveBackSlot, markReported, suppressedCount } from './rate-limit.ts'
import { shortened } from './shorten.ts'
import {
  type Attempt,
  type DueDelivery,
  insertAttempt,
  markDelivered,
  markEnded,
  markRetry,
  markSending,
} from './store.ts'

export interface AttemptDeps {
  readonly db: Database
  /** For writes that need not reach the disk. */
  readonly writer: GroupWriter
  /** For writes that must: repeats until it is stored, so that a full disk does not make a message leave twice. */
  readonly store: GroupWriter['write']
  readonly clock: Clock
  /** The rule of this name to this destination. */
  readonly rule: (name: string, destination: string) => Rule | undefined
  /** With the settings of the rule. */
  readonly destination: (rule: string, name: string) => Destination | undefined
  readonly loadEvent: (id: string) => TaskEvent | null
  /** The event with its script log, which was not asked for when it was decided (`logSkipped`); never rejects. */
  readonly withLog?: (event: TaskEvent, stop: AbortSignal) => Promise<TaskEvent>
  /** Absent: a single node. */
  readonly shared?: Pick<SharedState, 'mode' | 'mayAct'>
}

export interface AttemptSettings {
  readonly retry: BackoffSettings
  /** Milliseconds after which a delivery of this destination is given up. */
  readonly maxAgeMs: (destination: string) => number
  /** Nothing is sent; each message is recorded instead. */
  readonly shadow: boolean
  /** How long making a message may take; default 30 s. */
  readonly renderTimeoutMs?: number
}

/** The result of one attempt. */
export interface AttemptOutcome {
  readonly state: 'delivered' | 'pending' | 'dead' | 'suppressed'
  readonly reason: DeadReason | SuppressReason | null
  readonly detail: string
  readonly durationMs: number
  /** Null when the delivery never reached its destination. */
  readonly result: DeliveryResult['outcome'] | null
  /** The peer could not be reached at all. */
  readonly peerDown?: boolean
  /** When it is tried again, milliseconds since 1970. */
  readonly nextAttemptAt?: number
  readonly event: TaskEvent | null
}

const MAX_RETRY_AFTER_MS = 3_600_000
const SEND_TIMEOUT_MS = 60_000
/** A template on a network share that hangs must not hold up its lane for ever. */
const RENDER_TIMEOUT_MS = 30_000

/**
 * Resolves when the new state is durable; `onSent` is called before that, when the peer has taken the message. Rejects
 * only when the state cannot be stored before `stop`.
 */
export async function attemptDelivery(
  deps: AttemptDeps,
  settings: AttemptSettings,
  delivery: DueDelivery,
  stop: AbortSignal,
  onSent: () => void = () => {},
): Promise<AttemptOutcome> {
  const { clock, writer, store } = deps
  const startedAt = clock.now()
  const expiresAt = delivery.createdAt + settings.maxAgeMs(delivery.destination)
  const event = deps.loadEvent(delivery.eventId)

  const end = async (
    state: 'dead' | 'suppressed',
    reason: DeadReason | SuppressReason,
    detail: string,
    message?: Message,
    attempt?: Attempt,
  ): Promise<AttemptOutcome> => {
    const now = clock.now()
    await store((db) => {
      if (attempt) insertAttempt(db, attempt)
      markEnded(db, delivery.seq, { state, reason, detail, now }, message)
      if (delivery.limitKey && state === 'dead') giveBackSlot(db, delivery.limitKey, delivery.eventId)
    })
    return { state, reason, detail, durationMs: now - startedAt, result: attempt ? 'rejected' : null, event }
  }

  const n = delivery.attempts + 1
  const cutOff = (detail: string): AttemptOutcome => ({
    state: 'pending',
    reason: null,
    detail,
    durationMs: clock.now() - startedAt,
    result: null,
    event,
  })
  const retryLater = async (result: Extract<DeliveryResult, { outcome: 'retry' }>): Promise<AttemptOutcome> => {
    const { detail, peerDown = false } = result
    const now = clock.now()
    const durationMs = now - startedAt
    const leastPause = requestedPause(result, settings.retry)
    const attemptAt = Math.min(now + Math.max(backoffDelay(n, settings.retry), leastPause), expiresAt)
    await store((db) => {
      insertAttempt(db, { deliveryId: delivery.id, n, at: startedAt, durationMs, detail, result: 'retry' })
      markRetry(db, delivery.seq, { attemptAt, notBefore: Math.min(now + leastPause, expiresAt) }, detail)
    })
    return {
      state: 'pending',
      reason: null,
      detail,
      durationMs,
      result: 'retry',
      peerDown,
      nextAttemptAt: attemptAt,
      event,
    }
  }

  if (startedAt >= expiresAt) return end('dead', 'EXPIRED', 'could not be delivered in time')
  if (!event) return end('dead', 'EXPIRED', 'its event is no longer stored')
  const rule = deps.rule(delivery.route, delivery.destination)
  const destination = deps.destination(delivery.route, delivery.destination)
  if (!rule || !destination) {
    return end('dead', 'DESTINATION_REMOVED', `${rule ? 'destination' : 'route'} is not in the configuration any more`)
  }

  const suppressed = delivery.limitKey ? suppressedCount(deps.db, delivery.limitKey) : 0
  const isBare = event.logSkipped && rule.needs.includes('scriptLog') && event.scriptLog === null
  const whole = isBare && deps.withLog ? await deps.withLog(event, stop) : event
  const own = ownEvent(whole, rule)
  const render = (isShortened: boolean): Promise<Message | null> => {
    const { id: deliveryId, target, kind, severity } = delivery
    const note = delivery.note === null ? null : ownJson<DeliveryNote>(delivery.note)
    const about = {
      event: isShortened ? shortened(own) : own,
      rule,
      target,
      deliveryId,
      suppressed,
      kind,
      severity,
      note,
    }
    const making = destination.render({ ...about, isShortened })
    return inTime(making, settings.renderTimeoutMs ?? RENDER_TIMEOUT_MS, stop)
  }
  let message: Message | null
  try {
    message = await render(false)
  } catch (error) {
    return end('dead', 'RENDER_FAILED', errorText(error))
  }
  if (stop.aborted && message === null) return cutOff('Footman stops')
  if (message === null) {
    const seconds = (settings.renderTimeoutMs ?? RENDER_TIMEOUT_MS) / 1000
    return retryLater({ outcome: 'retry', detail: `the message could not be made within ${seconds} s` })
  }
  if (settings.shadow) return end('suppressed', 'SHADOW_MODE', 'shadow mode: recorded, not sent', message)

  const mark = (db: Database) => markSending(db, delivery.seq)
  if (deps.shared && deps.shared.mode !== 'single') {
    // Another node that takes over must find it, and a node that was replaced must not get this far.
    await store(mark)
    if (!deps.shared.mayAct()) return cutOff('another node leads now')
  }
  // Not awaited: whether "sending" reached the disk makes no difference after a crash of the only node.
  else writer.write(mark, 'soon').catch(() => undefined)
  let result = await sendOnce(destination, message, stop)
  if (result.outcome === 'rejected' && result.tooLarge && !stop.aborted) {
    // The alert matters more than what made it large.
    const short = await render(true).catch(() => null)
    if (short !== null && sizeOf(short.payload) < sizeOf(message.payload)) {
      const second = await sendOnce(destination, short, stop)
      result = { ...second, detail: `${second.detail}; shortened, as the whole message was refused: ${result.detail}` }
      message = short
    }
  }
  // Cut off by our own end: no failure of the peer, and the first thing to do after the next start.
  if (stop.aborted && result.outcome === 'retry') return cutOff(result.detail)
  if (result.outcome === 'retry') return retryLater(result)
  const now = clock.now()
  const durationMs = now - startedAt
  const attempt = { deliveryId: delivery.id, n, at: startedAt, durationMs, detail: result.detail }

  if (result.outcome === 'delivered') {
    const stored = store((db) => {
      markDelivered(db, delivery.seq, now, result.detail, message)
      insertAttempt(db, { ...attempt, result: 'ok' })
      if (delivery.limitKey && suppressed > 0) markReported(db, delivery.limitKey, delivery.eventId, suppressed)
    })
    onSent()
    await stored
    return { state: 'delivered', reason: null, detail: result.detail, durationMs, result: 'delivered', event }
  }
  return end('dead', 'REJECTED', result.detail, message, { ...attempt, result: 'rejected' })
}

/** Size of the texts and files of a message, to compare it with its shortened form. */
function sizeOf(payload: unknown): number {
  if (typeof payload === 'string') return payload.length
  if (payload instanceof Uint8Array) return payload.byteLength
  if (typeof payload !== 'object' || payload === null) return 0
  return Object.values(payload).reduce((sum: number, value) => sum + sizeOf(value), 0)
}

/** Null when the time is over or Footman stops before it is done. */
async function inTime<T>(work: Promise<T>, ms: number, stop: AbortSignal): Promise<T | null> {
  const { promise: over, resolve } = Promise.withResolvers<null>()
  const end = () => resolve(null)
  const timer = setTimeout(end, ms)
  stop.addEventListener('abort', end)
  try {
    return await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', end)
  }
}

/** Ends with the signal or after a minute, also when the destination does not. */
export async function sendOnce(destination: Destination, message: Message, stop: AbortSignal): Promise<DeliveryResult> {
  const cut = new AbortController()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const end = (reason: string) => {
    cut.abort(new Error(reason))
    reject(cut.signal.reason)
  }
  const onStop = () => end('Footman stops')
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    end(`no answer within ${SEND_TIMEOUT_MS / 1000} s`)
  }, SEND_TIMEOUT_MS)
  stop.addEventListener('abort', onStop)
  try {
    if (stop.aborted) onStop()
    const [result] = await Promise.race([destination.deliver([message], cut.signal), ended])
    return result ?? { outcome: 'retry', detail: `${destination.name} gave no result` }
  } catch (error) {
    return { outcome: 'retry', detail: errorText(error), peerDown: timedOut }
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', onStop)
  }
}

/** The pause that the peer asks for (`Retry-After`), in milliseconds; the longest pause where a person has to act. */
function requestedPause(result: Extract<DeliveryResult, { outcome: 'retry' }>, retry: BackoffSettings): number {
  return Math.max(result.slow ? retry.maxMs : 0, Math.min(result.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS))
}

/** The event for the messages of one rule: a part that only other rules need is not missing in them. */
export function ownEvent(event: TaskEvent, { needs }: Pick<Rule, 'needs'>): TaskEvent {
  const isOwn = (part: MissingPart) => part === 'task' || needs.includes(part)
  if (event.missingParts.every(isOwn)) return event
  // A copy that still reads its script log on first use.
  return Object.defineProperties({} as TaskEvent, {
    ...Object.getOwnPropertyDescriptors(event),
    missingParts: { value: event.missingParts.filter(isOwn), enumerable: true },
    absentParts: { value: event.absentParts?.filter(isOwn) ?? [], enumerable: true },
  })
}
