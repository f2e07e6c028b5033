/**
 * Reloads in Qlik Cloud, announced by webhook events over MQTT. A message is on disk before it is acknowledged. Then the
 * reload is read from the tenant, and its event takes the way of all events.
 */
import type { IncomingMessage, MqttService } from '../../mqtt/types.ts'
import { backoffDelay } from '../../platform/backoff.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { CloudClient, CloudLook, ReloadNotice, TenantSettings } from '../../qlik/cloud/types.ts'
import type { EventEmitter } from '../emit.ts'
import { recordDrops, takeDedupKey } from '../store.ts'
import type { DropReason } from '../types.ts'
import { cloudEvent, failuresOf, readReload, retryAfter } from './event.ts'
import { noticeKey, parseNotice } from './notice.ts'

export interface CloudEventsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly mqtt: Pick<MqttService, 'onMessage'>
  readonly client: CloudClient
  readonly emitter: EventEmitter
  /** True when a rule concerns reloads with this outcome; the tenant is asked only then. */
  readonly wants: (outcome: 'failed' | 'success') => boolean
}

interface CloudEventsSettings {
  readonly tenant: TenantSettings
  /** Topic filter that is subscribed. */
  readonly subscriptionRoot: string
  /** Topics of reload events begin with it. */
  readonly appReload: string
  /** How long the tenant is asked for what it did not answer, milliseconds from arrival. */
  readonly waitMs: number
}

const CONCURRENCY = 5
const READ_TIMEOUT_MS = 30_000
const RETRY = { firstMs: 1000, maxMs: 15_000 }
const MAX_BYTES = 1024 * 1024
/** A retained message that is older is ignored: it was handled before or is outdated. */
const RETAINED_MS = 60 * 60_000

interface Job {
  readonly message: InboxMessage
  readonly notice: ReloadNotice
  look: CloudLook
  attempt: number
}

export interface CloudEvents extends Service {
  /** Messages may wait that another node has brought. */
  wake(): void
}

/** Start it before the connection, so that no message comes too early. */
export function createCloudEvents(deps: CloudEventsDeps, settings: CloudEventsSettings): CloudEvents {
  const { db, writer, clock, client } = deps
  const log = deps.log.child('cloud')
  const { tenant, waitMs } = settings
  const queue: Job[] = []
  /** Ids of the messages in the queue, in a pause or at work. */
  const underWay = new Set<string>()
  const timers = new Set<ReturnType<typeof setTimeout>>()
  const active = new Set<Promise<void>>()
  let running = false

  async function receive({ topic, payload, retain }: IncomingMessage): Promise<void> {
    if (!topic.startsWith(settings.appReload)) return
    const now = clock.now()
    const drop = async (reason: DropReason, why: string) => {
      log.warn(`[QSCLOUD] MQTT: The message on ${topic} is ignored: ${why}`)
      const raw = payload.subarray(0, MAX_BYTES)
      await writer.write((tx) => recordDrops(tx, [{ at: now, sender: `mqtt ${topic}`, reason, raw }]))
    }
    if (payload.length > MAX_BYTES) return drop('TOO_LARGE', `it has ${payload.length} bytes`)
    const parsed = parseNotice(payload)
    if (parsed.kind === 'invalid') return drop('INVALID', parsed.why)
    if (parsed.kind === 'other') {
      log.verbose(`[QSCLOUD] MQTT: The message on ${topic} is no failed or successful reload: ${parsed.why}`)
      return
    }
    const { notice } = parsed
    if (notice.tenantId !== tenant.id) {
      return drop(
        'SOURCE_NOT_ALLOWED',
        `it is of tenant "${notice.tenantId}"; Butler.qlikSenseCloud.event.mqtt.tenant.id names another one`,
      )
    }
    if (retain && isOld(notice, now)) return
    await accept(notice, { id: uuidV7(now), receivedAt: now, payload }, topic)
  }

  function isOld({ time }: ReloadNotice, now: number): boolean {
    return time === '' || now - Date.parse(time) > RETAINED_MS
  }

  async function accept(notice: ReloadNotice, message: InboxMessage, topic: string): Promise<void> {
    const { key, ttlMs } = noticeKey(notice)
    const { receivedAt: at, payload: raw } = message
    const isNew = await writer.write((tx) => {
      const taken = takeDedupKey(tx, key, at, ttlMs)
      if (taken) addMessage(tx, message)
      else recordDrops(tx, [{ at, sender: `mqtt ${topic}`, reason: 'DUPLICATE', raw }])
      return taken
    })
    if (isNew) add(message, notice)
    else log.verbose(`[QSCLOUD] MQTT: Reload ${notice.reloadId} of app ${notice.appId} was reported before`)
  }

  /** The messages of the last run, and those of other nodes. */
  function takeOpen(): void {
    for (const message of openMessages(db)) {
      const parsed = parseNotice(message.payload)
      if (parsed.kind === 'notice') add(message, parsed.notice)
      else writer.write((tx) => removeMessage(tx, message.id)).catch(() => undefined)
    }
  }

  function add(message: InboxMessage, notice: ReloadNotice): void {
    if (underWay.has(message.id)) return
    underWay.add(message.id)
    queue.push({ message, notice, look: {}, attempt: 0 })
    pump()
  }

  function pump(): void {
    while (running && active.size < CONCURRENCY) {
      const job = queue.shift()
      if (!job) return
      const work = run(job)
        .catch((error: unknown) => {
          log.error(`[QSCLOUD] Reload ${job.notice.reloadId} cannot be stored as an event, it is tried again: ${error}`)
          again(job, RETRY.maxMs)
        })
        .finally(() => {
          active.delete(work)
          pump()
        })
      active.add(work)
    }
  }

  function again(job: Job, delayMs: number): void {
    if (!running) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      queue.push(job)
      pump()
    }, delayMs)
    timers.add(timer)
  }

  async function run(job: Job): Promise<void> {
    const { message, notice } = job
    const wanted = deps.wants(notice.outcome)
    if (wanted) {
      const left = message.receivedAt + waitMs - clock.now()
      if (left > 0) job.look = await readReload(client, notice, job.look, Math.min(READ_TIMEOUT_MS, left))
      const pauseMs = pauseBefore(job)
      if (pauseMs !== null) return again(job, pauseMs)
      const failures = failuresOf(job.look)
      if (failures !== '')
        log.warn(`[QSCLOUD] Not everything about reload ${notice.reloadId} could be read: ${failures}`)
    }
    if (!running) return
    const event = cloudEvent(notice, wanted ? job.look : null, tenant, message.receivedAt)
    await deps.emitter.emit(event, (tx) => removeMessage(tx, message.id))
    underWay.delete(message.id)
    log.info(`[QSCLOUD] APP RELOAD ${notice.outcome.toUpperCase()}: App "${event.message.appName}", ID ${notice.appId}`)
  }

  /** Milliseconds until the next read; null when no further read can help or the time is over. */
  function pauseBefore(job: Job): number | null {
    const requested = retryAfter(job.look)
    if (requested === null) return null
    job.attempt += 1
    const pause = Math.max(requested, backoffDelay(job.attempt, RETRY))
    return clock.now() + pause < job.message.receivedAt + waitMs ? pause : null
  }

  deps.mqtt.onMessage(settings.subscriptionRoot, receive)

  return {
    name: 'Qlik Cloud events',
    async start() {
      running = true
      takeOpen()
    },
    wake() {
      if (running) takeOpen()
    },
    async stop() {
      running = false
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      client.close()
      await Promise.allSettled(active)
    },
  }
}

// Messages that are accepted and not yet events.

export const cloudMigrations: readonly Migration[] = [
  {
    name: 'cloud-001',
    sql: `CREATE TABLE cloud_message (
        id TEXT PRIMARY KEY,
        received_at INTEGER NOT NULL,
        payload BLOB NOT NULL
      ) WITHOUT ROWID;`,
  },
]

interface InboxMessage {
  /** UUID v7: sorts by arrival. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  readonly payload: Uint8Array
}

function addMessage(db: Database, { id, receivedAt, payload }: InboxMessage): void {
  db.run('INSERT INTO cloud_message VALUES (?, ?, ?)', id, receivedAt, payload)
}

/** Oldest first. */
function openMessages(db: Database): InboxMessage[] {
  return db.all<InboxMessage>('SELECT id, received_at AS receivedAt, payload FROM cloud_message ORDER BY id')
}

function removeMessage(db: Database, id: string): void {
  db.run('DELETE FROM cloud_message WHERE id = ?', id)
}
