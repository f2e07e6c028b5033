/** The main thread's side of the ingest worker: starts it, handles its messages, and starts it again when it dies. */
import { within } from '../../platform/deadline.ts'
import type { StorageState } from '../../platform/storage/states.ts'
import type { Logger } from '../../platform/types.ts'
import { spawnWorker, type WorkerEnd, type WorkerHandle } from '../../platform/worker.ts'
import type { IngestCounters } from '../counters.ts'
import { taskMessageOf } from '../intake.ts'
import type { DropReason } from '../types.ts'
import type { Datagram } from './journal.ts'
import { type DropSample, type FromWorker, INGEST_ROLE, type IngestSettings, type ToWorker } from './protocol.ts'

export interface IngestDeps {
  readonly log: Logger
  readonly counters: IngestCounters
  /** Datagrams were committed to the journal. */
  readonly onCommitted: () => void
  readonly onDropped: (samples: readonly DropSample[]) => void
  /** The datagram of a self-test has arrived. */
  readonly onSelfTest?: (token: string, sender: string) => void
  /** `start` when the socket listens, `error` when it fails, `stop` when it ends as asked. */
  readonly onStatus: (status: 'start' | 'error' | 'stop') => void
  /** Another file has taken the place of the journal, or it was opened again; its newest id. */
  readonly onReopened?: (lastId: number) => void
  /** The journal cannot be written: resolves with true when these messages are safe elsewhere. */
  readonly onUnwritten?: (messages: readonly Datagram[]) => Promise<boolean>
}

export interface CreateIngestDeps extends IngestDeps {
  /** Entry file of the worker; default: the running program itself. */
  readonly workerEntry?: URL | undefined
  /** Accepted messages are lost, as Footman ends before they could be stored. */
  readonly onGivenUp?: (() => void) | undefined
}

export interface Ingest {
  /** Resolves with the newest id of the journal when that is open, which is all that the intake needs. */
  open(): Promise<number>
  /** Resolves when the socket listens; rejects when the port cannot be opened at start. */
  listening(): Promise<void>
  readonly isListening: boolean
  /** The socket in use, or in use last; null before the first. `receiveBuffer`: bytes that the system granted. */
  readonly socket: { readonly address: string; readonly port: number; readonly receiveBuffer: number } | null
  /** The state of the journal. */
  readonly storage: StorageState
  /** Messages that wait in memory, as the journal cannot be written. */
  readonly inMemory: number
  /** The journal could not be read: it is checked, and replaced when it is damaged. */
  suspect(): void
  /** Reports how much accepted work waits, for the backlog limit. */
  backlog(consumedUpTo: number, pendingEvents: number): void
  /** Passes on which self-tests are under way. Resolves when the worker knows, after five seconds at the latest. */
  expect(tokens: readonly string[]): Promise<void>
  /** Deletes what is worked off and older than `before`. */
  purge(upTo: number, before: number): void
  /** Resolves when the worker answers; while it does not, never. */
  ping(): Promise<void>
  /** Replaces the receiver of its reports; with null, reports are kept for the next receiver. */
  reportTo(next: IngestDeps | null): void
  /** Messages that wait in memory are stored if that works within `waitMs`; else they are given up, and each is named in the log. */
  stop(waitMs: number): Promise<void>
}

const RESPAWN_MS = 1000
const STOP_TIMEOUT_MS = 5000
/** So long after its last attempt a worker has stopped, unless the disk does not answer. */
const LAST_ATTEMPT_MS = 2000
const EXPECT_TIMEOUT_MS = 5000
/** A worker that has not opened its journal by then never will. */
const OPEN_TIMEOUT_MS = 20_000
/** Below this a burst may overrun the socket before the worker is scheduled. */
const WANTED_BUFFER = 1024 * 1024

export function createIngest(first: CreateIngestDeps, settings: IngestSettings): Ingest {
  const { log, workerEntry } = first
  let deps: IngestDeps | null = first
  const unheard: FromWorker[] = []
  const start = createStart()
  /** Messages that no store has taken; null when the worker did not report them. */
  const stopped = Promise.withResolvers<readonly Datagram[] | null>()
  const pings = createPings((number) => worker?.post({ type: 'ping', number }))
  let worker: WorkerHandle<ToWorker> | undefined
  let isListening = false
  let socket: Ingest['socket'] = null
  let everListened = false
  let wasOpened = false
  let storage: StorageState = { state: 'up', reason: '' }
  let inMemory = 0
  let stopping = false

  function spawn(): void {
    worker = spawnWorker<ToWorker, FromWorker>(INGEST_ROLE, settings, { onMessage: receive, onEnd: ended }, workerEntry)
  }

  function receive(message: FromWorker): void {
    if (deps) handle(message, deps)
    else unheard.push(message)
  }

  function handle(message: FromWorker, { counters, ...deps }: IngestDeps): unknown {
    switch (message.type) {
      case 'opened':
        start.opened.resolve(message.lastId)
        if (wasOpened) deps.onReopened?.(message.lastId)
        wasOpened = true
        return undefined
      case 'storage':
        storage = message
        return undefined
      case 'inMemory':
        inMemory = message.count
        return undefined
      case 'unwritten':
        return handOver(message.messages, deps.onUnwritten, counters)
      case 'listening':
        socket = message
        return tellListening(message)
      case 'listenFailed':
        return onListenFailed(message)
      case 'selfTest':
        return deps.onSelfTest?.(message.token, message.sender)
      case 'committed':
        counters.received += message.received
        return deps.onCommitted()
      case 'dropped':
        for (const [reason, count] of Object.entries(message.counts)) counters.dropped[reason as DropReason] += count
        return deps.onDropped(message.samples)
      case 'problem':
        return log[message.level](`[UDP Queue] task_results: ${message.message}`)
      case 'pong':
        return pings.answered(message.number)
      case 'stopped':
        return stopped.resolve(message.left)
    }
  }

  async function handOver(
    messages: readonly Datagram[],
    elsewhere: IngestDeps['onUnwritten'],
    counters: IngestCounters,
  ): Promise<void> {
    const taken = (await elsewhere?.(messages).catch(() => false)) ?? false
    if (taken) counters.received += messages.length
    worker?.post({ type: 'handedOver', taken })
  }

  function tellListening({ address, port, receiveBuffer }: NonNullable<Ingest['socket']>): void {
    isListening = true
    everListened = true
    log.info(`[QSEOW] TASKFAILURE: UDP server listening on ${address}:${port}`)
    if (receiveBuffer < WANTED_BUFFER) log.verbose(smallBufferText(receiveBuffer))
    deps?.onStatus('start')
    start.listening.resolve()
  }

  function onListenFailed({ code, message, retryInMs }: Extract<FromWorker, { type: 'listenFailed' }>): void {
    isListening = false
    // The failure of the first start is reported by the start itself.
    if (retryInMs !== null || everListened) {
      const reason = message.endsWith(`(${code})`) ? message : `${message} (${code})`
      log.error(
        `[QSEOW] TASKFAILURE: UDP server error on ${settings.udp.serverHost}:${settings.udp.portTaskFailure}: ${reason}`,
      )
    }
    deps?.onStatus('error')
    if (retryInMs !== null) return
    start.listening.reject(new Error(message))
    // A thread that was started again found the port taken: the next one tries again.
    if (everListened) void worker?.terminate()
  }

  function ended(end: WorkerEnd): void {
    isListening = false
    stopped.resolve(null)
    if (stopping) return
    const reason = end.error?.message ?? `exit code ${end.code}`
    if (!everListened) {
      start.fail(reason)
      return
    }
    log.error(`[QSEOW] UDP INIT: The ingest worker ended unexpectedly (${reason}); starting it again`)
    deps?.onStatus('error')
    setTimeout(() => {
      if (!stopping) spawn()
    }, RESPAWN_MS)
  }

  return {
    open() {
      if (!worker) {
        spawn()
        const timer = setTimeout(() => start.fail('it does not answer'), OPEN_TIMEOUT_MS)
        const settled = () => clearTimeout(timer)
        start.opened.promise.then(settled, settled)
      }
      return start.opened.promise
    },
    listening: () => start.listening.promise,
    get isListening() {
      return isListening
    },
    get socket() {
      return socket
    },
    async expect(tokens) {
      worker?.post({ type: 'expect', tokens })
      await within(pings.ping(), EXPECT_TIMEOUT_MS, () => undefined)
    },
    get storage() {
      return storage
    },
    get inMemory() {
      return inMemory
    },
    suspect: () => worker?.post({ type: 'suspect' }),
    backlog: (consumedUpTo, pendingEvents) => worker?.post({ type: 'backlog', consumedUpTo, pendingEvents }),
    purge: (upTo, before) => worker?.post({ type: 'purge', upTo, before }),
    ping: pings.ping,
    reportTo(next) {
      deps = next
      if (!next) return
      if (isListening && socket) tellListening(socket)
      for (const message of unheard.splice(0)) handle(message, next)
    },
    async stop(waitMs) {
      stopping = true
      if (!worker) return
      worker.post({ type: 'stop', waitMs })
      const left = await within(stopped.promise, Math.max(STOP_TIMEOUT_MS, waitMs + LAST_ATTEMPT_MS), () => null)
      const lines = givenUpLines(left, { inMemory, journalFile: settings.journalFile })
      for (const line of lines) log.error(`[UDP Queue] task_results: ${line}`)
      if (lines.length > 0) first.onGivenUp?.()
      await worker.terminate()
      isListening = false
      deps?.onStatus('stop')
    },
  }
}

/** The first start: its promises are rejected when it fails. */
function createStart() {
  const opened = Promise.withResolvers<number>()
  const listening = Promise.withResolvers<void>()
  // The callers handle rejections; an unhandled one must not end the process.
  opened.promise.catch(() => undefined)
  listening.promise.catch(() => undefined)

  return {
    opened,
    listening,
    fail(reason: string): void {
      const failure = new Error(`The ingest worker could not start: ${reason}`)
      opened.reject(failure)
      listening.reject(failure)
    },
  }
}

const smallBufferText = (bytes: number): string =>
  `[QSEOW] UDP INIT: The system granted a receive buffer of ${Math.round(bytes / 1024)} KB; large bursts may overrun it. On Linux raise net.core.rmem_max`

/** Questions whether the worker answers; an answer is one to those before it as well. */
function createPings(post: (number: number) => void) {
  const open = new Map<number, () => void>()
  let last = 0

  return {
    /** Resolves when it is answered. */
    ping(): Promise<void> {
      last += 1
      post(last)
      return new Promise((resolve) => void open.set(last, resolve))
    },
    answered(upTo: number): void {
      for (const [number, resolve] of open) {
        if (number > upTo) break
        open.delete(number)
        resolve()
      }
    },
  }
}

interface GivenUp {
  /** How many messages waited when the worker said so last. */
  readonly inMemory: number
  readonly journalFile: string
}

/** The number of lost messages, then each of them; [] when there are none. `left` = null: the worker did not say which. */
function givenUpLines(left: readonly Datagram[] | null, { inMemory, journalFile }: GivenUp): string[] {
  const count = left?.length ?? inMemory
  if (count === 0) return []
  const which = left ? 'They are' : 'Which they are cannot be found out, as the disk does not answer'
  return [
    `${count} messages of Qlik Sense that waited in memory are lost, as Footman ends and ${journalFile} cannot be written. After its next start the reconciler looks for the failed executions among them in Qlik Sense. ${which}`,
    ...(left ?? []).map((datagram, index) => `Lost message ${index + 1} of ${count}: ${nameOf(datagram)}`),
  ]
}

function nameOf({ raw, sender, receivedAt }: Datagram): string {
  const task = taskMessageOf(raw)
  const from = `from ${sender} at ${new Date(receivedAt).toISOString()}`
  if (!task) return `no message about a task or an app, ${from}`
  const { type, outcome, message } = task
  const { taskName, taskId, appName, appId, executionId } = message
  const subject = type === 'appReload' ? `app reload, app "${appName}" (${appId})` : `task "${taskName}" (${taskId})`
  return `${outcome}, ${subject}, execution ${executionId || 'without an id'}, ${from}`
}
