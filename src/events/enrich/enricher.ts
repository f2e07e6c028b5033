/**
 * Completes pending events with data from QRS and hands them to the router. A bounded number is held in memory; the
 * rest waits on disk. An event that QRS cannot complete in time goes out with what is known, wherever it waits.
 */
import { errorText } from '../../platform/errors.ts'
import { createLastingWrite, type GroupWriter } from '../../platform/group-commit.ts'
import { type Database, isStorageFailure } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { definiteAnswer, reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { EventCompleter } from '../completer.ts'
import type { IngestCounters } from '../counters.ts'
import type { EventRouter } from '../event-router.ts'
import { ignoreEvent, parkEvent, type StoredEvent } from '../store.ts'
import type { IgnoreReason } from '../types.ts'
import { createBacklog } from './backlog.ts'
import { completerNeeds, createCompletion, type PartlyKnown, type Write } from './complete.ts'
import { type Facts, gatherFacts, listOfMissing, type Progress, subjectText } from './facts.ts'
import type { QrsGate } from './gate.ts'
import { createLogTurns } from './log-turns.ts'

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

interface EnricherSettings {
  /** Events that are asked about at the same time, times `EVENTS_TOGETHER`. */
  readonly maxConcurrent: number
  /** Events held in memory beyond those being asked about. */
  readonly maxSize: number
  /** How often the state of a distribution is looked at, in milliseconds. */
  readonly distributePollMs: number
  /** Null = de-duplication is off. */
  readonly dedupTtlMs: number | null
  /** False with `--no-qs-connection`: every event goes out at once with what the datagram says. */
  readonly qrsEnabled: boolean
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
  /** Since when QRS is being asked, for the growing distance between rounds. */
  readonly since: number
  /** When the event goes out with what is known. */
  readonly deadline: number
  readonly abort: AbortController
  deadlineTimer?: ReturnType<typeof setTimeout>
  waitTimer?: ReturnType<typeof setTimeout>
  /** Waits for other answers before a partial completion. */
  stepTimer?: ReturnType<typeof setTimeout> | undefined
  complained: boolean
  finished: boolean
}

/** An event that was late when Footman started still gets this long, as long as QRS answers. */
const LATE_GRACE_MS = 10_000
/** Events that share the questions of one: they cost one request of each kind together. */
const EVENTS_TOGETHER = 20
/** A wait at least this long is spent on disk and not in memory. */
const PARK_MS = 4000
/** Answers that come within this time of each other are one step: most events need no other. */
const TOGETHER_MS = 250
/** Tasks and apps that do not exist and are remembered. */
const MAX_ABSENT = 1000
/** An event whose end cannot be stored, for a reason that does not pass, is tried anew after this time. */
const FAULT_RETRY_MS = 60_000
/** setTimeout takes 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Why an event is recorded and not alerted. */
type IgnoredProgress = Exclude<Progress, 'complete' | 'waiting'>

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
  const busyTasks = new Set<string>()
  const rounds = new Set<Promise<void>>()
  const stopping = new AbortController()
  const store = createLastingWrite({ ...deps, what: '[QSEOW] TASK EVENT: Events', stop: stopping.signal })
  /** Tasks and apps that QRS did not have, and when it was asked last: what arrived before needs no question of its own. */
  const absentAt = new Map<string, number>()
  let ready: Job[] = []
  /** Events in rounds. */
  let asked = 0
  let stopped = true
  let turnAsked = false
  let wakeTimer: ReturnType<typeof setTimeout> | undefined
  let startedAt = 0
  let answeredAt = 0
  const capacity = settings.maxConcurrent + settings.maxSize
  const logTurns = createLogTurns()
  const backlog = createBacklog(db, inHand, capacity)
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

  /** Looks for work once for all that has happened in this turn of the event loop. */
  function turn(): void {
    if (turnAsked) return
    turnAsked = true
    queueMicrotask(() => {
      turnAsked = false
      if (stopped) return
      refill()
      pump()
    })
  }

  function refill(): void {
    const now = clock.now()
    // While QRS answers, what was late at the start waits for its turn.
    for (const event of backlog.late(now, isAlive(now) ? startedAt : 0)) take(event, now)
    for (const event of backlog.due(now)) take(event, now)
    const at = backlog.nextAt(now)
    clearTimeout(wakeTimer)
    if (at !== null) wakeTimer = setTimeout(wake, Math.min(Math.max(at - clock.now(), 0), MAX_TIMER_MS))
  }

  function take(event: StoredEvent, now: number): void {
    const deadline = deadlineOf(event, now)
    const since = event.deadlineAt <= startedAt ? now : event.receivedAt
    const job = createJob(event, since, deadline)
    inHand.set(event.seq, job)
    completion.resume(job)
    if (deadline <= now) {
      finish(job)
      return
    }
    expireIn(job, deadline - now, finish)
    ready.push(job)
  }

  function deadlineOf(event: StoredEvent, now: number): number {
    if (!settings.qrsEnabled) return now
    if (event.deadlineAt > startedAt) return event.deadlineAt
    // It is late and QRS is silent: a longer wait would not help.
    return isAlive(now) ? now + Math.min(LATE_GRACE_MS, event.deadlineAt - event.receivedAt) : now
  }

  function isAlive(now: number): boolean {
    return gate.open && now - answeredAt <= LATE_GRACE_MS
  }

  function pump(): void {
    if (stopped) return
    const byTask = Map.groupBy(
      ready.filter((job) => !job.finished),
      (job) => job.event.taskId,
    )
    ready = []
    for (const [taskId, jobs] of byTask) {
      const free = gate.open && asked < settings.maxConcurrent * EVENTS_TOGETHER && !busyTasks.has(taskId)
      if (free) begin(taskId, jobs)
      else ready.push(...jobs)
    }
  }

  /** The events of one task are asked about together. */
  function begin(taskId: string, jobs: readonly Job[]): void {
    busyTasks.add(taskId)
    asked += jobs.length
    const round = askTogether(jobs).finally(() => {
      rounds.delete(round)
      busyTasks.delete(taskId)
      asked -= jobs.length
      turn()
    })
    rounds.add(round)
  }

  /** However the answers come, the events are settled in their order. */
  async function askTogether(jobs: readonly Job[]): Promise<void> {
    for (const asking of jobs.map(ask)) (await asking)()
  }

  /** Resolves with the function that settles the event; never rejects. */
  async function ask(job: Job): Promise<() => void> {
    const { type, taskId, appId, receivedAt, source } = job.event
    const [subject, gone] = type === 'appReload' ? [appId, 'appNotFound' as const] : [taskId, 'taskNotFound' as const]
    if (source === 'udp' && receivedAt < (absentAt.get(subject) ?? 0)) return () => settle(job, gone)
    const askedAt = clock.now()
    try {
      const progress = await gatherFacts(facts, job.event, job.facts, job.abort.signal, () => onNews(job))
      answeredAt = clock.now()
      if (progress === gone) noteAbsent(subject, askedAt)
      return () => settle(job, progress)
    } catch (error) {
      return () => failed(job, error)
    }
  }

  function failed(job: Job, error: unknown): void {
    logTurns.over(job.event.seq)
    if (job.finished || stopped) return
    if (deps.isUnreachable(error)) {
      gate.close(errorText(error))
      ready.push(job)
      return
    }
    complain(job, error)
    wait(job)
  }

  function noteAbsent(subject: string, askedAt: number): void {
    absentAt.delete(subject)
    absentAt.set(subject, askedAt)
    const oldest = absentAt.size > MAX_ABSENT ? absentAt.keys().next().value : undefined
    if (oldest !== undefined) absentAt.delete(oldest)
  }

  function onNews(job: Job): void {
    if (!job.finished) job.stepTimer ??= setTimeout(completePartly, TOGETHER_MS, job)
  }

  /** Rules that need no answer that is still awaited report the event now. */
  function completePartly(job: Job): void {
    job.stepTimer = undefined
    const write = completion.partly(job)
    if (write) store((tx) => writePartly(tx, job, write), 'soon').then(router.wake, (error) => notStored(job, error))
  }

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
    if (stopped) return
    log.error(`[QSEOW] TASK EVENT: Could not store the event of ${subjectText(event)}: ${errorText(error)}`)
  }

  function complain(job: Job, error: unknown): void {
    const why = definiteAnswer(error) === null ? errorText(error) : reasonOf(error)
    const text = `[QSEOW] TASK EVENT: QRS could not answer for ${subjectText(job.event)}: ${why}`
    if (job.complained) log.verbose(text)
    else log.warn(text)
    job.complained = true
  }

  function settle(job: Job, progress: Progress): void {
    if (job.finished) return
    if (progress === 'complete') finish(job)
    else if (progress === 'waiting') {
      logTurns.over(job.event.seq)
      wait(job)
    } else ignore(job, progress)
  }

  function wait(job: Job): void {
    const now = clock.now()
    const delay = job.event.announced === 'distribute' ? settings.distributePollMs : waitDelay(now - job.since)
    const crowded = inHand.size >= capacity
    if ((crowded || delay >= PARK_MS) && job.deadline - now > delay) {
      // Spent on disk, with what was found so far.
      const write = completion.partly(job) ?? completion.keepAnswers(job)
      conclude(job, (tx) => {
        if (write) writePartly(tx, job, write)
        parkEvent(tx, job.event.seq, now + delay)
      })
      return
    }
    job.waitTimer = setTimeout(() => {
      ready.push(job)
      pump()
    }, delay)
  }

  function finish(job: Job): void {
    if (job.finished) return
    if (!settings.qrsEnabled && job.event.announced === 'distribute') {
      ignore(job, 'endUnknowable')
      return
    }
    const late = settings.qrsEnabled && clock.now() >= job.event.deadlineAt
    const event = completion.record(job, late)
    if (event.missingParts.length > 0 && settings.qrsEnabled) {
      log.warn(`[QSEOW] TASK EVENT: Alerting for ${subjectText(event)} without ${listOfMissing(event)}`)
    }
    deps.counters.processed += 1
    conclude(job, completion.completely(job, event, { now: clock.now(), dedupTtlMs: settings.dedupTtlMs }))
  }

  function ignore(job: Job, why: IgnoredProgress): void {
    const { reason, text } = IGNORED[why]
    const { type, appId, taskName, taskId } = job.event
    const subject = type === 'appReload' ? `App ${appId}` : `Task "${taskName}" (${taskId})`
    log.warn(`[QSEOW] TASK EVENT: ${subject} ${text}; recorded, not alerted`)
    deps.counters.processed += 1
    conclude(job, (tx) => ignoreEvent(tx, job.event.seq, reason))
  }

  /** Ends a job by a write; the job leaves memory only when that is durable. */
  function conclude(job: Job, work: Write): void {
    release(job)
    store(work, 'soon').then(
      () => {
        leave(job)
        router.wake()
      },
      (error: unknown) => {
        if (stopped) return
        notStored(job, error)
        job.waitTimer = setTimeout(() => {
          backlog.changed()
          leave(job)
        }, FAULT_RETRY_MS)
      },
    )
  }

  function leave(job: Job): void {
    inHand.delete(job.event.seq)
    logTurns.over(job.event.seq)
    turn()
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
      for (const job of inHand.values()) release(job)
      await Promise.allSettled(rounds)
    },
    get waiting() {
      return inHand.size - this.running
    },
    get running() {
      return Math.min(asked, settings.maxConcurrent)
    },
  }
}

function createJob(event: StoredEvent, since: number, deadline: number): Job {
  const abort = new AbortController()
  return { event, facts: {}, since, deadline, abort, readyRules: 0, complained: false, finished: false }
}

/** Calls `end` after so many milliseconds, unless the job is released before. */
function expireIn(job: Job, ms: number, end: (job: Job) => void): void {
  job.deadlineTimer = setTimeout(
    () => (ms > MAX_TIMER_MS ? expireIn(job, ms - MAX_TIMER_MS, end) : end(job)),
    Math.min(ms, MAX_TIMER_MS),
  )
}

/** Nothing more is asked about the event. */
function release(job: Job): void {
  job.finished = true
  clearTimeout(job.deadlineTimer)
  clearTimeout(job.waitTimer)
  clearTimeout(job.stepTimer)
  job.abort.abort()
}

/** Half a second at first, 15 % of the time waited so far later, at most 30 s: news is found soon, QRS is spared. */
function waitDelay(elapsedMs: number): number {
  return Math.min(Math.max(500, elapsedMs * 0.15), 30_000)
}
