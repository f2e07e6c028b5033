/** The ingest worker: owns the UDP socket and `journal.db`, so that nothing on the main thread can cost a datagram. */

import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { limitedClient } from '../../platform/addresses.ts'
import { backoffDelay } from '../../platform/backoff.ts'
import { within } from '../../platform/deadline.ts'
import { errorText } from '../../platform/errors.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import { compileHotCode, releaseAfterWork } from '../../platform/runtime.ts'
import { releaseReserve } from '../../platform/storage/reserve.ts'
import type { StorageState } from '../../platform/storage/states.ts'
import { bindUdp, type UdpSocket } from '../../platform/udp.ts'
import type { WorkerChannel } from '../../platform/worker.ts'
import type { DropReason } from '../types.ts'
import { type Datagram, openJournal } from './journal.ts'
import type { DropSample, FromWorker, IngestSettings, ToWorker } from './protocol.ts'
import { createRejectionLog } from './rejections.ts'
import { selfTestToken } from './self-test.ts'
import {
  createSenderRates,
  createSharedSecrets,
  createSourceFilter,
  type SourceFilter,
  withoutClaim,
} from './sender-checks.ts'

const RECEIVE_BUFFER = 4 * 1024 * 1024
const REFRESH_SOURCES_MS = 5 * 60_000
const REPORT_MS = 1000
const RESOLVE_PATIENCE_MS = 1000
const PURGE_CHUNK = 500
/** Time between two attempts to get rid of what waits in memory, at the end. */
const LAST_ATTEMPTS_MS = 250
const REBIND = { firstMs: 1000, maxMs: 30_000, jitter: 0 }

/** Runs until a `stop` message has been carried out. */
export async function runIngestWorker(
  channel: WorkerChannel<FromWorker, ToWorker>,
  settings: IngestSettings,
): Promise<void> {
  const { udp } = settings
  let receiver: Receiver | null = null
  let { takenUpTo } = settings
  let reported: StorageState | null = null
  const journal = openJournal(settings.journalFile, {
    log: {
      error: (message) => channel.post({ type: 'problem', level: 'error', message }),
      warn: (message) => channel.post({ type: 'problem', level: 'warn', message }),
    },
    takenUpTo: () => takenUpTo,
    onState: (state) => reportState(state),
    onReplaced(how) {
      if (how === 'replaced') takenUpTo = 0
      const lastId = journal.lastId()
      receiver?.reopened(lastId)
      channel.post({ type: 'opened', lastId })
    },
  })
  journal.guard.start()
  reportState(journal.guard.state)
  channel.post({ type: 'opened', lastId: journal.lastId() })

  function reportState(state: StorageState): void {
    if (state.state === reported?.state && state.reason === reported.reason) return
    reported = state
    channel.post({ type: 'storage', ...state })
  }

  const sources = udp.enableSourceValidation
    ? createSourceFilter(
        { warn: (message) => channel.post({ type: 'problem', level: 'warn', message }) },
        udp.allowedSources,
      )
    : null
  const incoming = createReceiver(
    { append: journal.append, lastId: journal.lastId(), sources, post: channel.post, now: Date.now },
    settings,
  )
  receiver = incoming

  const received = releaseAfterWork(journal.shrink)

  let socket: UdpSocket | null = null
  let stopped = false
  let everListened = false

  async function listen(attempt: number): Promise<void> {
    if (stopped) return
    try {
      socket = await bindUdp({
        host: udp.serverHost,
        port: udp.portTaskFailure,
        receiveBufferBytes: RECEIVE_BUFFER,
        onDatagram(raw, sender) {
          incoming.receive(raw, sender)
          received()
        },
        onError: (error) => lost(error),
      })
      everListened = true
      const { address, port, receiveBuffer } = socket
      channel.post({ type: 'listening', address, port, receiveBuffer })
    } catch (error) {
      // A port that is taken at start is for the main thread to judge; unless it ends this worker, we go on trying.
      const retryInMs = backoffDelay(attempt + 1, REBIND)
      failed(error, everListened ? retryInMs : null)
      setTimeout(() => void listen(attempt + 1), retryInMs)
    }
  }

  function lost(error: Error): void {
    void socket?.close()
    socket = null
    failed(error, REBIND.firstMs)
    setTimeout(() => void listen(1), REBIND.firstMs)
  }

  function failed(error: unknown, retryInMs: number | null): void {
    const { code = 'UNKNOWN', message } = error as NodeJS.ErrnoException
    channel.post({ type: 'listenFailed', code, message: message ?? String(error), retryInMs })
  }

  const report = createRecurringJob({ everyMs: REPORT_MS }, () => {
    incoming.flush()
    reportState(journal.guard.state)
  })
  const refresh = createRecurringJob({ everyMs: REFRESH_SOURCES_MS }, () => sources?.refresh())
  report.start()
  refresh.start()

  async function stop(waitMs: number): Promise<void> {
    stopped = true
    void report.stop()
    void refresh.stop()
    await socket?.close()
    incoming.flush()
    for (const end = performance.now() + waitMs; incoming.waiting.length > 0 && performance.now() < end; ) {
      await pause(LAST_ATTEMPTS_MS)
      // Another store that takes them is better: from here they are alerted after the next start only.
      if (incoming.isRefused || performance.now() >= end - LAST_ATTEMPTS_MS) {
        releaseReserve(dirname(settings.journalFile))
      }
      incoming.flush()
    }
    journal.close()
    channel.post({ type: 'stopped', left: incoming.waiting })
    channel.end()
  }

  channel.onMessage((message) => {
    if (message.type === 'backlog') advanced(message.consumedUpTo, message.pendingEvents)
    else if (message.type === 'expect') incoming.expect(message.tokens)
    else if (message.type === 'purge') purge(message.upTo, message.before)
    else if (message.type === 'suspect') journal.guard.suspect()
    else if (message.type === 'ping') channel.post({ type: 'pong', number: message.number })
    else if (message.type === 'handedOver') incoming.handedOver(message.taken)
    else void stop(message.waitMs)
  })

  function advanced(consumedUpTo: number, pendingEvents: number): void {
    takenUpTo = consumedUpTo
    incoming.backlog(consumedUpTo, pendingEvents)
  }

  function purge(upTo: number, before: number): void {
    if (stopped || journal.purge(upTo, before, PURGE_CHUNK) < PURGE_CHUNK) return
    setTimeout(() => purge(upTo, before), 5)
  }

  // Names should be known before the first datagram is judged, but a slow resolver must not keep the port closed.
  if (sources) await within(sources.refresh(), RESOLVE_PATIENCE_MS, () => undefined)
  await listen(0)
  compileHotCode()
}

interface ReceiverDeps {
  readonly append: (datagrams: readonly Datagram[]) => number
  readonly lastId: number
  readonly sources: SourceFilter | null
  readonly post: (message: FromWorker) => void
  readonly now: () => number
}

interface Receiver {
  receive(raw: Uint8Array, sender: string): void
  backlog(consumedUpTo: number, pendingEvents: number): void
  /** Replaces the tokens of the self-tests that are under way. */
  expect(tokens: readonly string[]): void
  /** Writes what waits and reports what was dropped; call before ending and about once a second. */
  flush(): void
  /** Messages that wait to be written. */
  readonly waiting: readonly Datagram[]
  /** Whether another store has taken the messages that were posted as unwritten. */
  handedOver(taken: boolean): void
  /** The other store has not taken the last messages that it was offered. */
  readonly isRefused: boolean
  /** The journal is another file now, whose newest entry is this one. */
  reopened(lastId: number): void
}

const SAMPLE_BYTES = 2048
const MAX_SAMPLES = 100
const RETRY_MS = 1000
/** However many they are, messages that wait in memory are not larger than this together. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024
const BATCH = 2000
/** Messages that another store is offered at a time. */
const HANDED_OVER = 200

const ADVICE: Readonly<Partial<Record<DropReason, string>>> = {
  SOURCE_NOT_ALLOWED:
    'If this is a node of Qlik Sense, add it to Butler.udpServerConfig.allowedSources and look at the secret of its log appender; if not, close the port for it in the firewall',
  TOO_LARGE: 'If this is a node of Qlik Sense, raise Butler.udpServerConfig.maxMessageSize',
  RATE_LIMITED: 'If these are true events, raise Butler.udpServerConfig.rateLimit.maxMessagesPerMinute',
  BACKLOG_FULL: 'footman doctor finds what holds the events up',
}

interface Refusal {
  readonly reason: DropReason
  readonly detail: string
}

const NO_SECRET: Refusal = {
  reason: 'SOURCE_NOT_ALLOWED',
  detail: 'it does not begin with one of Butler.footman.udp.sharedSecrets',
}

/**
 * Takes datagrams as they arrive: checks sender, size and rate, and appends those that pass to the journal, all of one turn
 * of the event loop in one transaction. Has no socket and no thread of its own.
 */
export function createReceiver(
  deps: ReceiverDeps,
  { udp: { maxMessageSize, rateLimit }, sharedSecrets, delivery, journalFile }: IngestSettings,
): Receiver {
  const { maxBacklog, memoryBacklog } = delivery
  const rates = rateLimit.enable ? createSenderRates(rateLimit.maxMessagesPerMinute) : null
  const secrets = sharedSecrets.length === 0 ? null : createSharedSecrets(sharedSecrets)
  const rejections = createRejectionLog(deps.now, (text, reason) => {
    const level = reason === 'BACKLOG_FULL' ? 'error' : 'warn'
    deps.post({ type: 'problem', level, message: `Dropped ${text}` })
  })
  let waiting: Datagram[] = []
  let waitingBytes = 0
  let waitingReported = 0
  /** The messages that another store is offered at the moment. */
  let offered: ReadonlySet<Datagram> | null = null
  let isRefused = false
  let scheduled = false
  let retryTimer: ReturnType<typeof setTimeout> | undefined
  let journalFailing = false
  let lastId = deps.lastId
  // Until the main thread reports its position, entries from before this start count as worked off.
  let consumedUpTo = deps.lastId
  let pendingEvents = 0
  let counts: Partial<Record<DropReason, number>> = {}
  let samples: DropSample[] = []
  let expected = new Set<string>()

  function refuse(raw: Uint8Array, sender: string): Refusal | null {
    if (deps.sources && !deps.sources.allows(sender)) {
      return { reason: 'SOURCE_NOT_ALLOWED', detail: `${sender} is not in allowedSources` }
    }
    if (raw.byteLength > maxMessageSize) {
      return { reason: 'TOO_LARGE', detail: `${raw.byteLength} bytes, at most ${maxMessageSize} are accepted` }
    }
    if (rates && !rates.take(limitedClient(sender), deps.now())) {
      return { reason: 'RATE_LIMITED', detail: `more than ${rateLimit.maxMessagesPerMinute} messages a minute` }
    }
    const backlog = lastId - consumedUpTo + pendingEvents + waiting.length
    if (backlog >= maxBacklog) {
      return { reason: 'BACKLOG_FULL', detail: `${backlog} events wait, maxBacklog is ${maxBacklog}` }
    }
    if (journalFailing && (waiting.length >= memoryBacklog || waitingBytes >= MAX_WAITING_BYTES)) {
      const detail = `the journal cannot be written and ${waiting.length} messages wait in memory already (delivery.memoryBacklog)`
      return { reason: 'BACKLOG_FULL', detail }
    }
    return null
  }

  function drop(raw: Uint8Array, sender: string, { reason, detail }: Refusal): void {
    counts[reason] = (counts[reason] ?? 0) + 1
    if (samples.length < MAX_SAMPLES) {
      samples.push({ at: deps.now(), sender, reason, raw: raw.slice(0, SAMPLE_BYTES) })
    }
    rejections.note({ sender, reason, detail: `${detail}. ${ADVICE[reason] ?? ''}`.trimEnd() })
  }

  /** A self-test has passed the same checks as every datagram; it is reported and not stored. */
  function isSelfTest(raw: Uint8Array, sender: string): boolean {
    const token = expected.size > 0 ? selfTestToken(raw) : null
    if (token === null || !expected.delete(token)) return false
    deps.post({ type: 'selfTest', token, sender })
    return true
  }

  function commit(): void {
    scheduled = false
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH)
      try {
        lastId = deps.append(batch)
      } catch (error) {
        journalFailed(error)
        return
      }
      keepWaiting(waiting.slice(batch.length))
      deps.post({ type: 'committed', lastId, received: batch.length })
    }
    if (journalFailing) {
      journalFailing = false
      deps.post({ type: 'problem', level: 'warn', message: 'The journal can be written again' })
    }
  }

  function keepWaiting(messages: Datagram[]): void {
    waiting = messages
    waitingBytes = messages.reduce((sum, { raw }) => sum + raw.byteLength, 0)
  }

  function offer(): void {
    if (offered) return
    const messages = waiting.slice(0, HANDED_OVER)
    offered = new Set(messages)
    deps.post({ type: 'unwritten', messages })
  }

  function tellWaiting(): void {
    if (waiting.length === waitingReported) return
    waitingReported = waiting.length
    deps.post({ type: 'inMemory', count: waitingReported })
  }

  function journalFailed(error: unknown): void {
    if (!journalFailing) {
      journalFailing = true
      const reason = errorText(error)
      deps.post({
        type: 'problem',
        level: 'error',
        message: `Messages wait in memory, up to ${memoryBacklog} of them, as the journal ${journalFile} cannot be written (${reason}). Free disk space or check the permissions of the data directory`,
      })
    }
    scheduled = true
    clearTimeout(retryTimer)
    retryTimer = setTimeout(commit, RETRY_MS)
    offer()
  }

  return {
    receive(datagram, sender) {
      const raw = secrets ? secrets.strip(datagram) : datagram
      const refusal = raw === null ? NO_SECRET : refuse(raw, sender)
      if (raw === null || refusal) {
        drop(raw ?? withoutClaim(datagram), sender, refusal ?? NO_SECRET)
        return
      }
      if (isSelfTest(raw, sender)) return
      waiting.push({ receivedAt: deps.now(), sender, raw })
      waitingBytes += raw.byteLength
      if (scheduled) return
      scheduled = true
      setImmediate(commit)
    },
    reopened(last) {
      lastId = last
      consumedUpTo = last
      if (waiting.length > 0) commit()
    },
    backlog(consumed, pending) {
      consumedUpTo = consumed
      pendingEvents = pending
    },
    expect(tokens) {
      expected = new Set(tokens)
    },
    get waiting() {
      return waiting
    },
    get isRefused() {
      return isRefused
    },
    handedOver(taken) {
      const gone = offered
      offered = null
      isRefused = !taken
      // Those that could be written meanwhile do not wait any more, and the other store finds that it has them twice.
      if (taken && gone) keepWaiting(waiting.filter((message) => !gone.has(message)))
      if (taken && journalFailing && waiting.length > 0) offer()
    },
    flush() {
      if (waiting.length > 0) commit()
      tellWaiting()
      rejections.flush()
      if (Object.keys(counts).length === 0) return
      deps.post({ type: 'dropped', counts, samples })
      counts = {}
      samples = []
    },
  }
}
