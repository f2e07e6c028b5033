/**
 * The outbox of plain messages: stored before they are accepted, published in order per topic, tried again while the
 * broker is away or refuses, given up when they are too old.
 */
import { type BackoffSettings, backoffDelay } from '../platform/backoff.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { OutgoingStore, WaitingMessage } from './outgoing-store.ts'
import type { MqttOutgoing, MqttService } from './types.ts'

export interface OutgoingDeps {
  readonly mqtt: MqttService
  readonly store: OutgoingStore
  readonly clock: Clock
  readonly log: Logger
}

export interface OutgoingSettings {
  readonly retry: BackoffSettings
  /** Milliseconds after which a message is given up. */
  readonly maxAgeMs: number
  /** Milliseconds for which dead letters are kept. */
  readonly keepDeadMs: number
  /** Waiting messages beyond which no more are accepted. */
  readonly maxBacklog: number
  /** Topics published to at a time. */
  readonly concurrency: number
  /** How often old messages are looked for; default 30 s. */
  readonly sweepMs?: number
}

/** Messages of one topic in a row before the next topic gets its turn. */
const PAGE = 50

/** What a turn of a topic ended with: nothing left, perhaps more, or a pause. */
type Turn = 'empty' | 'more' | { readonly pauseUntil: number }

export function createMqttOutgoing(deps: OutgoingDeps, settings: OutgoingSettings): MqttOutgoing & Service {
  const { mqtt, store, clock, log } = deps
  const ready = new Set<string>()
  const active = new Map<string, Promise<void>>()
  const pauses = new Map<string, ReturnType<typeof setTimeout>>()
  const aborter = new AbortController()
  let waiting = store.waiting()
  let running = false
  let sweepTimer: ReturnType<typeof setInterval> | undefined

  function pump(): void {
    for (const topic of ready) {
      if (!running || !mqtt.connected || active.size >= settings.concurrency) return
      if (active.has(topic)) continue
      ready.delete(topic)
      const turn = drain(topic)
        .catch((error: unknown): Turn => {
          log.error(`MQTT: The state of a message to ${topic} could not be stored: ${textOf(error)}`)
          return { pauseUntil: clock.now() + settings.retry.firstMs }
        })
        .then((result) => ended(topic, result))
      active.set(topic, turn)
    }
  }

  function ended(topic: string, turn: Turn): void {
    active.delete(topic)
    if (turn === 'more') ready.add(topic)
    else if (turn !== 'empty') pause(topic, turn.pauseUntil)
    pump()
  }

  /** Later messages of the topic wait as well, or they would overtake. */
  function pause(topic: string, until: number): void {
    ready.delete(topic)
    if (!running) return
    const timer = setTimeout(
      () => {
        pauses.delete(topic)
        ready.add(topic)
        pump()
      },
      Math.max(0, until - clock.now()),
    )
    pauses.set(topic, timer)
  }

  async function drain(topic: string): Promise<Turn> {
    const page = store.oldest(topic, PAGE)
    for (const message of page) {
      if (!running || !mqtt.connected) return 'more'
      if (message.nextAttemptAt > clock.now()) return { pauseUntil: message.nextAttemptAt }
      const pauseUntil = await attempt(message)
      if (pauseUntil !== null) return { pauseUntil }
    }
    return page.length < PAGE && !ready.has(topic) ? 'empty' : 'more'
  }

  /** Null when the message is done with, else when to try again. */
  async function attempt(message: WaitingMessage): Promise<number | null> {
    const { seq, topic, payload, qos, retain, createdAt } = message
    if (createdAt + settings.maxAgeMs <= clock.now())
      return giveUp(message, 'EXPIRED', 'could not be published in time')
    try {
      await mqtt.publish(topic, payload, {
        ...(qos !== null && { qos }),
        ...{ retain: retain === 1, signal: aborter.signal, mayStartTasks: true },
      })
    } catch (error) {
      const { code, message: detail } = error as { code?: string; message: string }
      return code === 'INVALID_TOPIC' ? giveUp(message, 'REJECTED', detail) : tryAgain(message, code, detail)
    }
    await store.published(seq)
    waiting -= 1
    log.verbose(`NOTIFY delivered channel=mqtt event=rest to=${topic} attempts=${message.attempts + 1}`)
    return null
  }

  async function tryAgain(message: WaitingMessage, code: string | undefined, detail: string): Promise<number> {
    const attempts = message.attempts + 1
    // The first lost connection is nobody's fault; a message on which the broker hangs up every time must slow down.
    const delay = code === 'NOT_CONNECTED' && attempts === 1 ? 0 : backoffDelay(attempts, settings.retry)
    const at = clock.now() + delay
    await store.retryAt(message.seq, at, detail)
    log.verbose(`NOTIFY retry channel=mqtt event=rest to=${message.topic} attempts=${attempts} detail=${detail}`)
    return at
  }

  async function giveUp(message: WaitingMessage, reason: 'EXPIRED' | 'REJECTED', detail: string): Promise<null> {
    await store.dead(message.seq, reason, detail, clock.now())
    waiting -= 1
    const { topic, attempts } = message
    log.error(`NOTIFY dead channel=mqtt event=rest to=${topic} attempts=${attempts} reason=${reason} detail=${detail}`)
    return null
  }

  /** While the broker is away nothing is attempted, so nothing would expire either. */
  async function sweep(): Promise<void> {
    const now = clock.now()
    await store.purge(now - settings.keepDeadMs)
    if (mqtt.connected || active.size > 0) return
    const expired = await store.expire(now - settings.maxAgeMs, now)
    waiting -= expired
    if (expired > 0)
      log.error(`NOTIFY dead channel=mqtt event=rest: ${expired} messages waited too long for the broker`)
  }

  return {
    name: 'mqtt messages',
    async send(message) {
      if (waiting >= settings.maxBacklog) return 'full'
      waiting += 1
      await store.add(message, clock.now()).catch((error: unknown) => {
        waiting -= 1
        throw error
      })
      if (!pauses.has(message.topic)) ready.add(message.topic)
      pump()
      return 'stored'
    },
    async start() {
      running = true
      for (const topic of store.topics()) ready.add(topic)
      if (ready.size > 0) log.info(`MQTT: ${waiting} messages of the last run wait to be published`)
      mqtt.onConnected(pump)
      sweepTimer = setInterval(() => {
        sweep().catch((error: unknown) => log.error(`MQTT: Old messages could not be given up: ${textOf(error)}`))
      }, settings.sweepMs ?? 30_000)
      pump()
    },
    async stop(graceMs) {
      running = false
      clearInterval(sweepTimer)
      for (const timer of pauses.values()) clearTimeout(timer)
      pauses.clear()
      const cut = setTimeout(() => aborter.abort(), graceMs)
      await Promise.all(active.values())
      clearTimeout(cut)
    },
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
