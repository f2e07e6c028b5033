/** The event pipeline as one service: ingest worker, intake, enrichment, and the clean-up of what they keep. */

import { join } from 'node:path'
import type { SharedState } from '../cluster/types.ts'
import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import { type Database, isDamage, isStorageFailure } from '../platform/sqlite.ts'
import { createReserve } from '../platform/storage/reserve.ts'
import type { StorageState } from '../platform/storage/states.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { QrsClient } from '../qlik/qrs/types.ts'
import type { EventCompleter } from './completer.ts'
import type { DistributeConfig, UdpConfig, UdpServerConfig } from './config.ts'
import { createCounters, type IngestCounters } from './counters.ts'
import { createEnricher } from './enrich/enricher.ts'
import { createQrsGate } from './enrich/gate.ts'
import type { EventRouter } from './event-router.ts'
import type { IngestHandover } from './ingest/handover.ts'
import { createIngest, type Ingest, type IngestDeps } from './ingest/ingest.ts'
import { type JournalReader, openJournalReader } from './ingest/journal.ts'
import type { DropSample, IngestSettings } from './ingest/protocol.ts'
import { createSelfTests, type SelfTests } from './ingest/self-test.ts'
import { createIntake, type Intake, type IntakeDeps, storedCursor } from './intake.ts'
import { countPendingEvents, lastKnownType, recordDrops } from './store.ts'
import { createUnverified, type Unverified } from './unverified.ts'

interface PipelineDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly qrs: QrsClient
  readonly cachedQrs: QrsClient
  readonly router: EventRouter
  readonly clock: Clock
  readonly log: Logger
  readonly completer?: EventCompleter | undefined
  readonly isUnreachable: (error: unknown) => boolean
  /** The type of a task that other parts know; null when they do not. */
  readonly typeOfTask?: IntakeDeps['typeOfTask']
  readonly onUdpStatus: IngestDeps['onStatus']
  readonly shared: Pick<SharedState, 'mode' | 'inbox' | 'delivers'>
  readonly acceptEvent: IntakeDeps['acceptEvent']
  readonly workerEntry?: URL
  /** Accepted messages are lost, as Footman ends before they could be stored. */
  readonly onGivenUp?: (() => void) | undefined
  /** Keeps the ingest worker while everything else is built anew. */
  readonly handover?: IngestHandover
}

export interface PipelineSettings {
  readonly dataDirectory: string
  readonly udp: {
    readonly host: string
    readonly port: number
    readonly maxMessageSize: number
    readonly allowedSources: readonly string[] | null
    readonly sharedSecrets: readonly string[]
    readonly maxMessagesPerMinute: number | null
    readonly dedupTtlMs: number | null
    readonly maxConcurrent: number
    readonly maxSize: number
    readonly backpressurePercent: number
  } | null
  readonly maxBacklog: number
  readonly memoryBacklog: number
  readonly enrichmentTimeoutMs: number
  readonly finalStatusTimeoutMs: number
  readonly distributePollMs: number
  readonly distributeMaxAgeMs: number
  readonly qrsEnabled: boolean
}

export interface EventPipeline extends Service {
  /** Removes raw datagrams that are worked off and were received before `before`. */
  purgeJournal(before: number): void
  /** Resolves with true when the ingest worker answers; while it does not, never. At once where UDP is off. */
  isAlive(): Promise<boolean>
  readonly counters: IngestCounters
  /** There may be work: an event has been stored, or the storage can be used again. */
  wake(): void
  /** The datagram of a journal entry; null when it has been removed, or UDP is off. */
  rawOf(journalId: number): Uint8Array | null
  /** The socket of the UDP input; null when the UDP server is not enabled or has not been opened yet. */
  readonly socket: Ingest['socket']
  readonly selfTests: SelfTests
  readonly status: {
    /** Null when the UDP server is not enabled. */
    readonly udpListening: boolean | null
    readonly qrsReachable: boolean
    readonly pendingEvents: number
    /** State of the journal; messages that wait in memory as it cannot be written. */
    readonly journal: StorageState & { readonly inMemory: number }
    /** Messages that wait until Qlik Sense says whether their tasks exist, and when the first of them arrived. */
    readonly unverified: { readonly waiting: number; readonly oldestAt: number | null }
    /** In memory: events that wait and that are being worked on, and whether there are too many. */
    readonly queue: { readonly waiting: number; readonly running: number; readonly backpressure: boolean }
  }
}

const TICK_MS = 5000
/** Messages offered so shortly before the database went away may not have reached the leader; older ones are not known again. */
const OFFERED_MS = 600_000
/** Room set aside for each message that may wait in memory, and for all of them. */
const RESERVED_PER_MESSAGE = 1024
const RESERVED = { least: 1024 * 1024, most: 64 * 1024 * 1024 }
const WELL: StorageState = { state: 'up', reason: '' }

export function createEventPipeline(deps: PipelineDeps, settings: PipelineSettings): EventPipeline {
  const { db, writer, log, shared } = deps
  const counters = createCounters()
  const { udp } = settings
  const gate = createQrsGate({
    probe: (signal) => deps.qrs.ping(signal),
    onOpen() {
      if (shared.delivers) enricher.wake()
    },
    log,
  })
  const enricher = createEnricher(
    { ...deps, counters, gate },
    {
      maxConcurrent: udp?.maxConcurrent ?? 10,
      maxSize: udp?.maxSize ?? 200,
      distributePollMs: settings.distributePollMs,
      dedupTtlMs: udp?.dedupTtlMs ?? null,
      qrsEnabled: settings.qrsEnabled,
    },
  )
  const unverified: Unverified | null = settings.qrsEnabled
    ? createUnverified(
        {
          ...deps,
          counters,
          knowsTask: (tx, id) => (lastKnownType(tx, id) ?? deps.typeOfTask?.(tx, id) ?? null) !== null,
          admit(tx, messages) {
            journal.intake?.admit(tx, messages)
            return journal.intake !== null
          },
          onAdmitted() {
            deps.router.wake()
            enricher.wake()
          },
        },
        { maxWaiting: Math.ceil(settings.maxBacklog / 10) },
      )
    : null
  let ingest: Ingest | null = null
  const selfTests = createSelfTests({ clock: deps.clock, expect: async (tokens) => ingest?.expect(tokens) })
  let ingestSettings: IngestSettings | null = null
  let stopHearing = (): void => undefined
  const journalFile = join(settings.dataDirectory, 'journal.db')
  const journal = createJournalIntake(
    { ...deps, counters, unverified, onTaken, onDamage: () => ingest?.suspect() },
    settings,
    journalFile,
  )
  const reserved = Math.min(Math.max(settings.memoryBacklog * RESERVED_PER_MESSAGE, RESERVED.least), RESERVED.most)
  const reserve = createReserve(settings.dataDirectory, reserved, log)
  const drops = createDropLog(log, counters)
  const pressure = createPressureLog(log, { maxSize: udp?.maxSize ?? 200, percent: udp?.backpressurePercent ?? 80 })

  async function startUdp(options: NonNullable<PipelineSettings['udp']>): Promise<void> {
    if (!mayListen(options, log)) return
    const ingestDeps: IngestDeps = {
      log,
      counters,
      onCommitted: journal.takeOver,
      onDropped: storeDrops,
      onSelfTest: selfTests.arrived,
      onStatus: deps.onUdpStatus,
      onReopened: journal.reattach,
      onUnwritten: async (messages) => (await journal.intake?.handOver(messages)) ?? false,
    }
    ingestSettings = {
      ...options,
      journalFile,
      takenUpTo: storedCursor(db),
      maxBacklog: settings.maxBacklog,
      memoryBacklog: settings.memoryBacklog,
    }
    const kept = (await deps.handover?.take(ingestSettings)) ?? null
    const { workerEntry, onGivenUp } = deps
    ingest = kept ?? createIngest({ ...ingestDeps, workerEntry, onGivenUp }, ingestSettings)
    if (kept) {
      // Its journal may be unavailable at this moment; it reports when the journal is back.
      journal.reattach('unknown')
      kept.reportTo(ingestDeps)
    } else await journal.attach(await ingest.open())
    await ingest.listening()
    await journal.attached()
    reportBacklog()
  }

  function onTaken(): void {
    if (!shared.delivers) return
    enricher.wake()
    unverified?.wake()
  }

  function storeDrops(samples: readonly DropSample[]): void {
    writer.write((tx) => recordDrops(tx, samples)).catch((error) => log.error(`[UDP Queue] task_results: ${error}`))
  }

  const ticks = createRecurringJob({ everyMs: TICK_MS }, tick)

  function tick(): void {
    journal.tryAgain()
    if (!ingest || !journal.intake) return
    void reserve.keep()
    journal.takeOver()
    reportBacklog()
    drops.report()
    if (shared.delivers) unverified?.refresh()
    pressure.report(enricher.waiting)
  }

  function reportBacklog(): void {
    const { intake, reader } = journal
    if (!ingest || !intake) return
    try {
      ingest.backlog(intake.cursor(), countPendingEvents(db))
      shared.inbox?.noteWaiting(Math.max((reader?.lastId() ?? 0) - intake.cursor(), 0))
    } catch (error) {
      if (!isStorageFailure(error)) throw error
    }
  }

  return {
    name: 'event pipeline',
    counters,
    selfTests,
    get socket() {
      return ingest?.socket ?? null
    },
    rawOf: (journalId) => journal.reader?.raw(journalId) ?? null,
    wake() {
      if (shared.delivers) enricher.wake()
      journal.takeOver()
    },
    async isAlive() {
      await ingest?.ping()
      return true
    },
    get status() {
      return {
        udpListening: udp ? (ingest?.isListening ?? false) : null,
        qrsReachable: gate.open,
        get pendingEvents() {
          return countPendingEvents(db)
        },
        unverified: { waiting: unverified?.waiting ?? 0, oldestAt: unverified?.oldestAt ?? null },
        journal: { ...(ingest?.storage ?? WELL), inMemory: ingest?.inMemory ?? 0 },
        queue: { waiting: enricher.waiting, running: enricher.running, backpressure: pressure.active },
      }
    },
    purgeJournal(before) {
      if (journal.intake) ingest?.purge(journal.intake.cursor(), before)
    },
    async start() {
      // Events that were accepted earlier are worked off even when the port cannot be opened.
      if (shared.delivers) enricher.start()
      if (settings.qrsEnabled) gate.watch()
      ticks.start()
      stopHearing = shared.inbox?.onNew(journal.takeOver) ?? stopHearing
      if (udp) await startUdp(udp)
    },
    async stop(graceMs) {
      await ticks.stop()
      gate.stop()
      stopHearing()
      const isKept = ingest && ingestSettings && deps.handover?.leave(ingest, ingestSettings)
      if (!isKept) await ingest?.stop(graceMs / 2)
      await journal.attached()
      await journal.intake?.stop()
      await unverified?.stop()
      await enricher.stop()
      journal.reader?.close()
    },
  }
}

interface JournalIntakeDeps extends Omit<IntakeDeps, 'inbox' | 'journal'>, Pick<PipelineDeps, 'db' | 'shared'> {
  readonly onDamage: () => void
}

/** The journal that is there now, and the intake that reads it; both are new when another file takes its place. */
function createJournalIntake(deps: JournalIntakeDeps, settings: PipelineSettings, file: string) {
  const { log } = deps
  const { udp } = settings
  let reader: JournalReader | null = null
  let intake: Intake | null = null
  let attaching = Promise.resolve()
  /** The end of a journal that could not be read; `unknown` = wherever it ends. */
  let lost: number | 'unknown' | null = null
  let takingOverFails = false

  /** Reads the journal that is there now, from where this database says. */
  async function attach(end: number | 'unknown'): Promise<void> {
    const before = intake
    intake = null
    await before?.stop()
    reader?.close()
    reader = null
    reader = openJournalReader(file)
    const journalEnd = end === 'unknown' ? reader.lastId() : end
    const { enrichmentTimeoutMs, finalStatusTimeoutMs, distributeMaxAgeMs } = settings
    const waitMs = {
      failed: enrichmentTimeoutMs,
      aborted: enrichmentTimeoutMs,
      success: finalStatusTimeoutMs,
      distribute: distributeMaxAgeMs,
    }
    const { mode, inbox } = deps.shared
    const isAlone = mode === 'alone'
    const offeredSince = isAlone
      ? deps.clock.now() - Math.min(OFFERED_MS, udp?.dedupTtlMs ?? OFFERED_MS)
      : (inbox?.offerAgainSince ?? null)
    intake = createIntake(
      { ...deps, inbox, journal: reader },
      { dedupTtlMs: udp?.dedupTtlMs ?? null, waitMs, journalEnd, isShared: mode !== 'single', offeredSince },
      deps.db,
    )
    takeOver()
  }

  function reattach(journalEnd: number | 'unknown'): void {
    attaching = attaching
      .then(() => attach(journalEnd))
      .catch((error) => {
        log.error(`[QSEOW] UDP HANDLER: The journal cannot be read: ${errorText(error)}`)
        lost = journalEnd
      })
  }

  /** From the journal to events; an error (disk full) is logged, and the next tick tries again. */
  function takeOver(): void {
    intake?.catchUp().then(
      () => {
        takingOverFails = false
      },
      (error) => {
        if (isDamage(error)) deps.onDamage()
        if (takingOverFails) return
        takingOverFails = true
        log.error(`[QSEOW] UDP HANDLER: Events cannot be stored, they wait in the journal: ${errorText(error)}`)
      },
    )
  }

  return {
    get reader() {
      return reader
    },
    get intake() {
      return intake
    },
    attach,
    reattach,
    /** Resolves when the journal that was there last is read. */
    attached: () => attaching,
    /** Reads a journal that could not be read before. */
    tryAgain(): void {
      if (lost === null) return
      reattach(lost)
      lost = null
    },
    takeOver,
  }
}

function mayListen({ allowedSources, dedupTtlMs }: NonNullable<PipelineSettings['udp']>, log: Logger): boolean {
  if (allowedSources?.length === 0) {
    log.error(
      '[QSEOW] UDP INIT: enableSourceValidation is on but allowedSources is empty: no sender is allowed, so the UDP server is not started. List the Qlik Sense servers, or turn the validation off',
    )
    return false
  }
  if (dedupTtlMs !== null) {
    log.info(`[QSEOW] UDP INIT: Deduplication enabled (TTL: ${dedupTtlMs / 60_000} minutes)`)
  }
  return true
}

/** Logs how many messages were dropped since it did so last. */
function createDropLog(log: Logger, { dropped }: IngestCounters) {
  let reported = 0

  return {
    report(): void {
      const total = Object.values(dropped).reduce((sum, count) => sum + count, 0)
      if (total === reported) return
      const byReason = Object.entries(dropped).filter(([, count]) => count > 0)
      log.warn(
        `[UDP Queue] task_results: ${total - reported} messages dropped since the last report; in all: ${byReason.map(([reason, count]) => `${reason} ${count}`).join(', ')}`,
      )
      reported = total
    },
  }
}

const MINUTE_MS = 60_000

/** The sections of the configuration that the pipeline is made of. */
interface PipelineSections {
  readonly udpServerConfig: UdpServerConfig
  readonly footman: {
    readonly udp: UdpConfig
    readonly distribute: DistributeConfig
    /** Numbers of events; times in milliseconds. */
    readonly delivery: {
      readonly maxBacklog: number
      readonly memoryBacklog: number
      readonly enrichmentTimeout: number
      readonly finalStatusTimeout: number
    }
  }
}

export function pipelineSettings(
  { udpServerConfig: udp, footman }: PipelineSections,
  dataDirectory: string,
  qrsEnabled: boolean,
): PipelineSettings {
  return {
    dataDirectory,
    qrsEnabled,
    maxBacklog: footman.delivery.maxBacklog,
    memoryBacklog: footman.delivery.memoryBacklog,
    enrichmentTimeoutMs: footman.delivery.enrichmentTimeout,
    finalStatusTimeoutMs: footman.delivery.finalStatusTimeout,
    distributePollMs: footman.distribute.pollInterval,
    distributeMaxAgeMs: footman.distribute.maxAge,
    udp: udp.enable
      ? {
          host: udp.serverHost,
          port: udp.portTaskFailure,
          maxMessageSize: udp.maxMessageSize,
          allowedSources: udp.enableSourceValidation ? udp.allowedSources : null,
          sharedSecrets: footman.udp.sharedSecrets,
          maxMessagesPerMinute: udp.rateLimit.enable ? udp.rateLimit.maxMessagesPerMinute : null,
          dedupTtlMs: udp.deduplication.enable ? udp.deduplication.ttlMinutes * MINUTE_MS : null,
          maxConcurrent: udp.messageQueue.maxConcurrent,
          maxSize: udp.messageQueue.maxSize,
          backpressurePercent: udp.messageQueue.backpressureThreshold,
        }
      : null,
  }
}

interface PressureSettings {
  /** Events that may wait in memory. */
  readonly maxSize: number
  /** Fill level at which the warning begins; it ends below 80 % of that. */
  readonly percent: number
}

const REMINDER_MS = 60_000
const RELEASE = 0.8

/** Logs that the memory for waiting events fills up. Senders are not slowed down: the rest waits on disk. */
function createPressureLog(log: Logger, { maxSize, percent }: PressureSettings) {
  let active = false
  let lastWarning = Number.NEGATIVE_INFINITY

  return {
    get active() {
      return active
    },
    /** `waiting` = events in memory that are not being worked on. */
    report(waiting: number): void {
      const filled = (waiting / maxSize) * 100
      if (active && filled < percent * RELEASE) {
        active = false
        log.info(`[UDP Queue] task_results: Backpressure released, ${waiting} of ${maxSize} events wait in memory`)
        return
      }
      if (filled < percent) return
      if (active && Date.now() - lastWarning < REMINDER_MS) return
      active = true
      lastWarning = Date.now()
      log.warn(
        `[UDP Queue] task_results: Backpressure, ${waiting} of ${maxSize} events wait in memory; more of them wait on disk, none is lost`,
      )
    },
  }
}
