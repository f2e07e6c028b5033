/** The ingest worker: owns the UDP socket and `journal.db`, so that nothing on the main thread can cost a datagram. */

import { setTimeout as delay } from 'node:timers/promises'
import { backoffDelay } from '../../platform/backoff.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import { compileHotCode } from '../../platform/runtime.ts'
import type { StorageState } from '../../platform/storage/guard.ts'
import { bindUdp, type UdpSocket } from '../../platform/udp.ts'
import type { WorkerChannel } from '../../platform/worker.ts'
import { openJournal } from './journal.ts'
import type { FromWorker, IngestSettings, ToWorker } from './protocol.ts'
import { createReceiver, type Receiver } from './receiver.ts'
import { createSourceFilter } from './sender-checks.ts'

const RECEIVE_BUFFER = 4 * 1024 * 1024
const REFRESH_SOURCES_MS = 5 * 60_000
const REPORT_MS = 1000
const RESOLVE_PATIENCE_MS = 1000
const PURGE_CHUNK = 500
const REBIND = { firstMs: 1000, maxMs: 30_000, jitter: 0 }

/** Runs until a `stop` message has been carried out. */
export async function runIngestWorker(
  channel: WorkerChannel<FromWorker, ToWorker>,
  settings: IngestSettings,
): Promise<void> {
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

  const sources =
    settings.allowedSources === null
      ? null
      : createSourceFilter(
          { warn: (message) => channel.post({ type: 'problem', level: 'warn', message }) },
          settings.allowedSources,
        )
  const incoming = createReceiver(
    { append: journal.append, lastId: journal.lastId(), sources, post: channel.post, now: Date.now },
    settings,
  )
  receiver = incoming

  let socket: UdpSocket | null = null
  let stopped = false
  let everListened = false

  async function listen(attempt: number): Promise<void> {
    if (stopped) return
    try {
      socket = await bindUdp({
        host: settings.host,
        port: settings.port,
        receiveBufferBytes: RECEIVE_BUFFER,
        onDatagram: incoming.receive,
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

  async function stop(): Promise<void> {
    stopped = true
    void report.stop()
    void refresh.stop()
    await socket?.close()
    incoming.flush()
    if (incoming.waiting > 0) tellLost(incoming.waiting)
    journal.close()
    channel.post({ type: 'stopped' })
    channel.end()
  }

  function tellLost(count: number): void {
    channel.post({
      type: 'problem',
      level: 'error',
      message: `${count} messages of Qlik Sense that waited in memory are lost, as Footman ends and ${settings.journalFile} cannot be written. After its next start the reconciler looks for the failed executions among them in Qlik Sense`,
    })
  }

  channel.onMessage((message) => {
    if (message.type === 'backlog') advanced(message.consumedUpTo, message.pendingEvents)
    else if (message.type === 'expect') incoming.expect(message.tokens)
    else if (message.type === 'purge') purge(message.upTo, message.before)
    else if (message.type === 'suspect') journal.guard.suspect()
    else if (message.type === 'ping') channel.post({ type: 'pong', number: message.number })
    else void stop()
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
  if (sources) await Promise.race([sources.refresh(), delay(RESOLVE_PATIENCE_MS)])
  await listen(0)
  compileHotCode()
}
