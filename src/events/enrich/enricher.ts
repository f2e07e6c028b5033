/**
 * Completes pending events with data from QRS and hands them to the router. A bounded number is held in memory; the
 * rest waits on disk. An event that QRS cannot complete in time goes out with what is known, wherever it waits. The life of
 * an event in memory is in `job.ts`; this module asks QRS, and writes what comes of it.
 */
import { errorText } from '../../platform/errors.ts'
import { createLastingWrite, type GroupWriter } from '../../platform/group-commit.ts'
import { type Database, isStorageFailure } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { definiteAnswer, reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { EventCompleter } from '../completer.ts'
import type { UdpServerConfig } from '../config.ts'
import type { IngestCounters } from '../counters.ts'
import type { EventRouter } from '../event-router.ts'
import { ignoreEvent, parkEvent, type StoredEvent } from '../store.ts'
import type { IgnoreReason } from '../types.ts'
import { createBacklog } from './backlog.ts'
import { type Completion, completerNeeds, createCompletion, type PartlyKnown, type Write } from './complete.ts'
import { type Facts, gatherFacts, listOfMissing, type Progress, subjectText } from './facts.ts'
import type { QrsGate } from './gate.ts'
import {
  type Effect,
  type IgnoredProgress,
  isOpen,
  next,
  patientUntil,
  type Rules,
  type Seen,
  type State,
  taken,
} from './job.ts'
import { createLogTurns } from './log-turns.ts'
import { createRounds } from './rounds.ts'

interface EnricherDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly qrs: QrsClient
  /** The same repository behind a cache of a few seconds. */
  readonly cachedQrs: QrsClient
  readonly router: EventRouter
  readonly clock: Clock
  readonly log: Logger
  readonly counters: IngestCounters
  /** Adds what earlier executions say, and what follows from the event. */
  readonly completer?: EventCompleter | undefined
  /** True when a rejected call means that QRS cannot be reached at all. */
  readonly isUnreachable: (error: unknown) => boolean
  /** Closed while QRS cannot be reached; `wake` is to be called when it opens. */
  readonly gate: Pick<QrsGate, 'open' | 'close'>
}

/** `maxConcurrent` events, times `EVENTS_TOGETHER`, are asked about at the same time; `maxSize` more are held in memory. */
interface EnricherSettings extends Rules, Pick<UdpServerConfig['messageQueue'], 'maxConcurrent' | 'maxSize'> {
  /** Null = de-duplication is off. */
  readonly dedupTtlMs: number | null
}

interface Enricher {
  start(): void
  /** New events are in the database. */
  wake(): void
  /** Ends rounds under way; unfinished events stay pending in the database. */
  stop(): Promise<void>
  /** Events in memory beyond `running`. */
  readonly waiting: number
  /** Events that are being asked about, `maxConcurrent` at most: the others share their questions. */
  readonly running: number
}

/** An event in memory that waits for data. */
interface Job extends PartlyKnown {
  state: State
  readonly abort: AbortController
  deadlineTimer?: ReturnType<typeof setTimeout>
  waitTimer?: ReturnType<typeof setTimeout>
  /** Waits for other answers before a partial completion. */
  stepTimer?: ReturnType<typeof setTimeout> | undefined
}

/** Events that share the questions of one: they cost one request of each kind together. */
const EVENTS_TOGETHER = 20
/** Answers that come within this time of each other are one step: most events need no other. */
const TOGETHER_MS = 250
/** Tasks and apps that do not exist and are remembered. */
const MAX_ABSENT = 1000
/** setTimeout takes 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1

const IGNORED: Readonly<Record<IgnoredProgress, { readonly reason: IgnoreReason; readonly text: string }>> = {
  taskNotFound: { reason: 'TASK_NOT_FOUND', text: 'does not exist in QRS' },
  appNotFound: { reason: 'APP_NOT_FOUND', text: 'does not exist in QRS' },
  taskTypeUnknown: { reason: 'TASK_TYPE_UNKNOWN', text: 'is of an unknown type' },
  endUnknowable: {
    reason: 'TASK_TYPE_UNKNOWN',
    text: 'is said to be a distribution, and only QRS, which is not asked, knows how it ends',
  },
  noDistribution: { reason: 'TASK_TYPE_UNKNOWN', text: 'is no distribution, though its message says so' },
}

export function createEnricher(deps: EnricherDeps, settings: EnricherSettings): Enricher {
  const { clock, log, db, router, gate } = deps
  const inHand = new Map<number, Job>()
  const stopping = new AbortController()
  let stopped = true
  let turnAsked = false
  let wakeTimer: ReturnType<typeof setTimeout> | undefined
  let startedAt = 0
  let answeredAt = 0
  const capacity = settings.maxConcurrent + settings.maxSize
  const backlog = createBacklog(db, inHand, capacity)
  const logTurns = createLogTurns()
  const facts = {
    cached: deps.cachedQrs,
    fresh: deps.qrs,
    needs: router.needs,
    alsoNeeds: completerNeeds(deps.completer, log),
    now: () => clock.now(),
    wantsLog: (event: StoredEvent, found: Facts, signal: AbortSignal) =>
      logTurns.wanted(event.seq, () => router.logUse(db, completion.record({ event, facts: found }, false)), signal),
  }
  const completion = createCompletion({ facts, router, log, completer: deps.completer })
  const rounds = createRounds<Job>(
    { ask, isOpen: () => gate.open, onEnd: turn },
    settings.maxConcurrent * EVENTS_TOGETHER,
  )
  const writes = createWrites({ ...deps, completion, note, stop: stopping.signal }, settings)
  const absent = createAbsent()
  const contact = () => ({ startedAt, answeredAt, isOpen: gate.open })

  /** Looks for work once for all that has happened in this turn of the event loop. */
  function turn(): void {
    if (turnAsked) return
    turnAsked = true
    queueMicrotask(() => {
      turnAsked = false
      if (stopped) return
      refill()
      rounds.begin()
    })
  }

  function refill(): void {
    const now = clock.now()
    for (const event of backlog.late(now, patientUntil(contact(), now))) take(event, now)
    for (const event of backlog.due(now)) take(event, now)
    const at = backlog.nextAt(now)
    clearTimeout(wakeTimer)
    if (at !== null) wakeTimer = setTimeout(wake, Math.min(Math.max(at - clock.now(), 0), MAX_TIMER_MS))
  }

  function take(event: StoredEvent, now: number): void {
    const { state, effects } = taken(event, contact(), now, settings)
    const job: Job = { event, facts: {}, readyRules: 0, state, abort: new AbortController() }
    inHand.set(event.seq, job)
    completion.resume(job)
    for (const effect of effects) carryOut(job, effect)
  }

  function note(job: Job, seen: Seen): void {
    const isCrowded = inHand.size >= capacity
    const { state, effects } = next(job.state, seen, { now: clock.now(), isCrowded }, settings)
    job.state = state
    for (const effect of effects) carryOut(job, effect)
  }

  function carryOut(job: Job, effect: Effect): unknown {
    switch (effect.do) {
      case 'queue':
        return rounds.add(job)
      case 'begin':
        return rounds.begin()
      case 'expire':
        return expireIn(job, effect.ms, () => note(job, { is: 'expired' }))
      case 'wait':
        job.waitTimer = setTimeout(note, effect.ms, job, { is: 'waited' })
        return undefined
      case 'finish':
        return writes.finish(job, effect.isLate)
      case 'ignore':
        return writes.ignore(job, effect.why)
      case 'park':
        return writes.park(job, effect.until)
      case 'release':
        return release(job)
      case 'yield':
        return logTurns.over(job.event.seq)
      case 'close gate':
        return gate.close(effect.reason)
      case 'complain':
        return log[effect.level](
          `[QSEOW] TASK EVENT: QRS could not answer for ${subjectText(job.event)}: ${effect.reason}`,
        )
      case 'leave':
        inHand.delete(job.event.seq)
        logTurns.over(job.event.seq)
        return turn()
      case 'read again':
        return backlog.changed()
    }
  }

  /** Resolves with the function that settles the event; never rejects. */
  async function ask(job: Job): Promise<() => void> {
    note(job, { is: 'round' })
    const [, gone] = subjectOf(job.event)
    if (absent.isKnown(job.event)) return () => note(job, { is: 'answered', progress: gone })
    const askedAt = clock.now()
    try {
      const progress = await gatherFacts(facts, job.event, job.facts, job.abort.signal, () => {
        if (isOpen(job.state)) job.stepTimer ??= setTimeout(writes.step, TOGETHER_MS, job)
      })
      answeredAt = clock.now()
      if (progress === gone) absent.note(job.event, askedAt)
      return () => note(job, { is: 'answered', progress })
    } catch (error) {
      const isUnreachable = deps.isUnreachable(error)
      const reason = isUnreachable || definiteAnswer(error) === null ? errorText(error) : reasonOf(error)
      return () => note(job, { is: 'failed', reason, isUnreachable })
    }
  }

  function wake(): void {
    backlog.changed()
    turn()
  }

  return {
    start() {
      stopped = false
      startedAt = clock.now()
      answeredAt = startedAt
      wake()
    },
    wake,
    async stop() {
      stopped = true
      clearTimeout(wakeTimer)
      stopping.abort()
      for (const job of inHand.values()) note(job, { is: 'stopping' })
      await rounds.settled()
    },
    get waiting() {
      return inHand.size - this.running
    },
    get running() {
      return Math.min(rounds.asked, settings.maxConcurrent)
    },
  }
}

interface WritesDeps extends Pick<EnricherDeps, 'writer' | 'router' | 'clock' | 'log' | 'counters'> {
  readonly completion: Completion
  readonly note: (job: Job, seen: Seen) => void
  readonly stop: AbortSignal
}

/** The writes of an event: what is known so far, and its end. */
function createWrites(deps: WritesDeps, { qrsEnabled, dedupTtlMs }: EnricherSettings) {
  const { completion, router, clock, log, counters, stop } = deps
  const store = createLastingWrite({ ...deps, what: '[QSEOW] TASK EVENT: Events' })

  /** An event that cannot be stored in part is left to its final completion. */
  function writePartly(tx: Database, job: Job, write: Write): void {
    try {
      tx.transaction(() => write(tx))
    } catch (error) {
      if (isStorageFailure(error)) throw error
      notStored(job, error)
    }
  }

  function notStored({ event }: Job, error: unknown): void {
    if (stop.aborted) return
    log.error(`[QSEOW] TASK EVENT: Could not store the event of ${subjectText(event)}: ${errorText(error)}`)
  }

  /** Ends a job by a write; the job leaves memory only when that is durable. */
  function conclude(job: Job, work: Write): void {
    release(job)
    store(work, 'soon').then(
      () => {
        deps.note(job, { is: 'stored' })
        router.wake()
      },
      (error: unknown) => {
        notStored(job, error)
        deps.note(job, { is: 'not stored' })
      },
    )
  }

  return {
    /** Rules that need no answer that is still awaited report the event now. */
    step(job: Job): void {
      job.stepTimer = undefined
      const write = completion.partly(job)
      if (write) store((tx) => writePartly(tx, job, write), 'soon').then(router.wake, (error) => notStored(job, error))
    },
    finish(job: Job, isLate: boolean): void {
      const event = completion.record(job, isLate)
      if (event.missingParts.length > 0 && qrsEnabled) {
        log.warn(`[QSEOW] TASK EVENT: Alerting for ${subjectText(event)} without ${listOfMissing(event)}`)
      }
      counters.processed += 1
      conclude(job, completion.completely(job, event, { now: clock.now(), dedupTtlMs }))
    },
    ignore(job: Job, why: IgnoredProgress): void {
      const { reason, text } = IGNORED[why]
      const { type, appId, taskName, taskId, seq } = job.event
      const subject = type === 'appReload' ? `App ${appId}` : `Task "${taskName}" (${taskId})`
      log.warn(`[QSEOW] TASK EVENT: ${subject} ${text}; recorded, not alerted`)
      counters.processed += 1
      conclude(job, (tx) => ignoreEvent(tx, seq, reason))
    },
    /** The event waits on disk, with what was found so far. */
    park(job: Job, until: number): void {
      const write = completion.partly(job) ?? completion.keepAnswers(job)
      conclude(job, (tx) => {
        if (write) writePartly(tx, job, write)
        parkEvent(tx, job.event.seq, until)
      })
    },
  }
}

/** The id in Qlik Sense without which there is no event, and what is to be said when that is gone. */
const subjectOf = ({ type, appId, taskId }: StoredEvent): readonly [id: string, gone: Progress] =>
  type === 'appReload' ? [appId, 'appNotFound'] : [taskId, 'taskNotFound']

/** Tasks and apps that QRS did not have, and when it was asked last: what arrived before needs no question of its own. */
function createAbsent() {
  const askedAt = new Map<string, number>()

  return {
    isKnown(event: StoredEvent): boolean {
      return event.source === 'udp' && event.receivedAt < (askedAt.get(subjectOf(event)[0]) ?? 0)
    },
    note(event: StoredEvent, at: number): void {
      const [subject] = subjectOf(event)
      askedAt.delete(subject)
      askedAt.set(subject, at)
      const oldest = askedAt.size > MAX_ABSENT ? askedAt.keys().next().value : undefined
      if (oldest !== undefined) askedAt.delete(oldest)
    },
  }
}

/** Calls `end` after so many milliseconds, unless the job is released before. */
function expireIn(job: Job, ms: number, end: () => void): void {
  job.deadlineTimer = setTimeout(
    () => (ms > MAX_TIMER_MS ? expireIn(job, ms - MAX_TIMER_MS, end) : end()),
    Math.min(ms, MAX_TIMER_MS),
  )
}

/** Nothing more is asked about the event. */
function release(job: Job): void {
  clearTimeout(job.deadlineTimer)
  clearTimeout(job.waitTimer)
  clearTimeout(job.stepTimer)
  job.abort.abort()
}
