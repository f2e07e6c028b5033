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
import type { DeliveryLimits, DistributeConfig, UdpConfig, UdpServerConfig } from './config.ts'
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

/** The sections of the configuration that the pipeline is made of, and how Footman was started. */
export interface PipelineSettings {
  readonly udpServerConfig: UdpServerConfig
  readonly footman: {
    readonly udp: UdpConfig
    readonly distribute: DistributeConfig
    readonly delivery: DeliveryLimits
  }
  readonly dataDirectory: string
  readonly qrsConnection: boolean
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
  const { udpServerConfig: udp, footman, qrsConnection } = settings
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
      ...udp.messageQueue,
      distributePollMs: footman.distribute.pollInterval,
      dedupTtlMs: dedupTtlOf(udp),
      qrsEnabled: qrsConnection,
    },
  )
  const unverified: Unverified | null = qrsConnection
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
        { maxWaiting: Math.ceil(footman.delivery.maxBacklog / 10) },
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
  const reserved = Math.min(
    Math.max(footman.delivery.memoryBacklog * RESERVED_PER_MESSAGE, RESERVED.least),
    RESERVED.most,
  )
  const reserve = createReserve(settings.dataDirectory, reserved, log)
  const drops = createDropLog(log, counters)
  const pressure = createPressureLog(log, udp.messageQueue)

  async function startUdp(): Promise<void> {
    if (!mayListen(udp, log)) return
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
      udp,
      sharedSecrets: footman.udp.sharedSecrets,
      delivery: footman.delivery,
      journalFile,
      takenUpTo: storedCursor(db),
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
        udpListening: udp.enable ? (ingest?.isListening ?? false) : null,
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
      if (qrsConnection) gate.watch()
      ticks.start()
      stopHearing = shared.inbox?.onNew(journal.takeOver) ?? stopHearing
      if (udp.enable) await startUdp()
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
  const { delivery, distribute } = settings.footman
  const dedupTtlMs = dedupTtlOf(settings.udpServerConfig)
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
    const waitMs = {
      failed: delivery.enrichmentTimeout,
      aborted: delivery.enrichmentTimeout,
      success: delivery.finalStatusTimeout,
      distribute: distribute.maxAge,
    }
    const { mode, inbox } = deps.shared
    const isAlone = mode === 'alone'
    const offeredSince = isAlone
      ? deps.clock.now() - Math.min(OFFERED_MS, dedupTtlMs ?? OFFERED_MS)
      : (inbox?.offerAgainSince ?? null)
    intake = createIntake(
      { ...deps, inbox, journal: reader },
      { dedupTtlMs, waitMs, journalEnd, isShared: mode !== 'single', offeredSince },
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

function mayListen(udp: UdpServerConfig, log: Logger): boolean {
  if (udp.enableSourceValidation && udp.allowedSources.length === 0) {
    log.error(
      '[QSEOW] UDP INIT: enableSourceValidation is on but allowedSources is empty: no sender is allowed, so the UDP server is not started. List the Qlik Sense servers, or turn the validation off',
    )
    return false
  }
  const { enable, ttlMinutes } = udp.deduplication
  if (enable) {
    log.info(`[QSEOW] UDP INIT: Deduplication enabled (TTL: ${ttlMinutes} minutes)`)
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

/** How long a message is remembered, milliseconds; null = de-duplication is off. */
const dedupTtlOf = ({ enable, deduplication }: UdpServerConfig): number | null =>
  enable && deduplication.enable ? deduplication.ttlMinutes * MINUTE_MS : null

const REMINDER_MS = 60_000
const RELEASE = 0.8

/** Logs that the memory for waiting events fills up. Senders are not slowed down: the rest waits on disk. */
function createPressureLog(log: Logger, { maxSize, backpressureThreshold: percent }: UdpServerConfig['messageQueue']) {
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
