/**
 * Completes pending events with data from QRS and hands them to the router. A bounded number is held in memory; the
 * rest waits on disk. An event that QRS cannot complete in time goes out with what is known, wherever it waits.
 */
import { createLastingWrite, type GroupWriter } from '../../platform/group-commit.ts'
import { type Database, isStorageTrouble } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { carefully, type EventCompleter } from '../completer.ts'
import type { IngestCounters } from '../counters.ts'
import type { EventRouter } from '../router.ts'
import { ignoreEvent, parkEvent, type StoredEvent } from '../store.ts'
import type { MissingPart, TaskEvent } from '../types.ts'
import { createBacklog } from './backlog.ts'
import { completeEvent, storeCompleted } from './complete.ts'
import { EARLY_MS, earlyStep, keepFacts, resume } from './early.ts'
import { gatherFacts, type Progress } from './facts.ts'
import { createQrsGate } from './gate.ts'
import { IGNORED, type IgnoredProgress } from './ignored.ts'
import { createJob, expireIn, type Job, MAX_TIMER_MS, release, waitDelay } from './job.ts'

export interface EnricherDeps {
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
}

export interface EnricherSettings {
  /** Rounds of questions that may run at the same time. */
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

export interface Enricher {
  start(): void
  /** New events are in the database. */
  wake(): void
  /** Ends rounds under way; unfinished events stay pending in the database. */
  stop(): Promise<void>
  /** Events in memory that no round of questions is about. */
  readonly waiting: number
  /** Events that are being asked about. */
  readonly running: number
  readonly qrsReachable: boolean
}

/** An event that was late when Footman started still gets this long, as long as QRS answers. */
const LATE_GRACE_MS = 10_000
/** A wait at least this long is spent on disk and not in memory. */
const PARK_MS = 4000
/** Tasks that do not exist and are remembered. */
const MAX_ABSENT = 1000
/** An event whose end cannot be stored, for a reason that does not pass, is tried anew after this time. */
const FAULT_RETRY_MS = 60_000

export function createEnricher(deps: EnricherDeps, settings: EnricherSettings): Enricher {
  const { clock, log, db, router } = deps
  const completer = deps.completer && carefully(deps.completer, log)
  const inHand = new Map<number, Job>()
  const busyTasks = new Set<string>()
  const rounds = new Set<Promise<void>>()
  const stopping = new AbortController()
  const store = createLastingWrite({ ...deps, what: '[QSEOW] TASK EVENT: Events', stop: stopping.signal })
  /** Tasks that QRS did not have, and when it was asked last: what arrived before needs no question of its own. */
  const absentAt = new Map<string, number>()
  let ready: Job[] = []
  let stopped = true
  let turnAsked = false
  let wakeTimer: ReturnType<typeof setTimeout> | undefined
  let startedAt = 0
  let answeredAt = 0
  const capacity = settings.maxConcurrent + settings.maxSize
  const backlog = createBacklog(db, inHand, capacity)
  const facts = {
    cached: deps.cachedQrs,
    fresh: deps.qrs,
    needs: router.needs,
    alsoNeeds: completer?.needs,
    now: () => clock.now(),
  }
  const early = { facts, router, completer }
  const gate = createQrsGate({ probe: (signal) => deps.qrs.ping(signal), onOpen: () => turn(), log })

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
    resume(early, job)
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
    // Late and QRS silent: waiting even longer would help nobody.
    return isAlive(now) ? now + Math.min(LATE_GRACE_MS, event.deadlineAt - event.receivedAt) : now
  }

  function isAlive(now: number): boolean {
    return gate.open && now - answeredAt <= LATE_GRACE_MS
  }

  function pump(): void {
    if (stopped) return
    const kept: Job[] = []
    for (const job of ready) {
      if (job.finished) continue
      const free = gate.open && rounds.size < settings.maxConcurrent && !busyTasks.has(job.event.taskId)
      if (free) begin(job)
      else kept.push(job)
    }
    ready = kept
  }

  function begin(job: Job): void {
    busyTasks.add(job.event.taskId)
    const round = ask(job).finally(() => {
      rounds.delete(round)
      busyTasks.delete(job.event.taskId)
      turn()
    })
    rounds.add(round)
  }

  async function ask(job: Job): Promise<void> {
    const { taskId, receivedAt, source } = job.event
    if (source === 'udp' && receivedAt < (absentAt.get(taskId) ?? 0)) {
      settle(job, 'taskNotFound')
      return
    }
    const askedAt = clock.now()
    try {
      const progress = await gatherFacts(facts, job.event, job.facts, job.abort.signal, () => onNews(job))
      answeredAt = clock.now()
      if (progress === 'taskNotFound') noteAbsent(taskId, askedAt)
      settle(job, progress)
    } catch (error) {
      if (job.finished || stopped) return
      if (deps.isUnreachable(error)) {
        gate.close(messageOf(error))
        ready.push(job)
        return
      }
      complain(job, error)
      wait(job)
    }
  }

  function noteAbsent(taskId: string, askedAt: number): void {
    absentAt.delete(taskId)
    absentAt.set(taskId, askedAt)
    const oldest = absentAt.size > MAX_ABSENT ? absentAt.keys().next().value : undefined
    if (oldest !== undefined) absentAt.delete(oldest)
  }

  function onNews(job: Job): void {
    if (!job.finished) job.stepTimer ??= setTimeout(step, EARLY_MS, job)
  }

  /** What does without the answers that have not come leaves now. */
  function step(job: Job): void {
    job.stepTimer = undefined
    const work = earlyStep(early, job)
    if (work) store((tx) => leaveEarly(tx, job, work), 'soon').then(router.wake, (error) => notStored(job, error))
  }

  /** What goes wrong here is left to the last step. */
  function leaveEarly(tx: Database, job: Job, work: (tx: Database) => void): void {
    try {
      tx.transaction(() => work(tx))
    } catch (error) {
      if (isStorageTrouble(error)) throw error
      notStored(job, error)
    }
  }

  function notStored({ event }: Job, error: unknown): void {
    if (stopped) return
    log.error(`[QSEOW] TASK EVENT: Could not store the event of task "${event.taskName}": ${messageOf(error)}`)
  }

  function complain(job: Job, error: unknown): void {
    const text = `[QSEOW] TASK EVENT: QRS could not answer for task "${job.event.taskName}": ${messageOf(error)}`
    if (job.complained) log.verbose(text)
    else log.warn(text)
    job.complained = true
  }

  function settle(job: Job, progress: Progress): void {
    if (job.finished) return
    if (progress === 'complete') finish(job)
    else if (progress === 'waiting') wait(job)
    else ignore(job, progress)
  }

  function wait(job: Job): void {
    const now = clock.now()
    const delay = job.event.announced === 'distribute' ? settings.distributePollMs : waitDelay(now - job.since)
    const crowded = inHand.size >= capacity
    if ((crowded || delay >= PARK_MS) && job.deadline - now > delay) {
      // Spent on disk, with what was found so far.
      const work = earlyStep(early, job) ?? keepFacts(early, job)
      conclude(job, (tx) => {
        if (work) leaveEarly(tx, job, work)
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
    const event = completeEvent(job.event, job.facts, router.needs, late)
    if (event.missingParts.length > 0 && settings.qrsEnabled) {
      log.warn(`[QSEOW] TASK EVENT: Alerting for task "${event.taskName}" without ${listOfMissing(event)}`)
    }
    deps.counters.processed += 1
    const { dedupTtlMs } = settings
    const typeKnown = Boolean(job.facts.task)
    const { event: stored, resumed } = job
    conclude(job, (tx) =>
      storeCompleted(tx, { stored, event, typeKnown, resumed, now: clock.now(), dedupTtlMs }, router, completer),
    )
  }

  function ignore(job: Job, why: IgnoredProgress): void {
    const { reason, words } = IGNORED[why]
    log.warn(`[QSEOW] TASK EVENT: Task "${job.event.taskName}" (${job.event.taskId}) ${words}; recorded, not alerted`)
    deps.counters.processed += 1
    conclude(job, (tx) => ignoreEvent(tx, job.event.seq, reason))
  }

  /** Ends a job by a write; the job leaves memory only when that is durable. */
  function conclude(job: Job, work: (tx: Database) => void): void {
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
      if (settings.qrsEnabled) gate.watch()
      wake()
    },
    wake,
    async stop() {
      stopped = true
      gate.stop()
      clearTimeout(wakeTimer)
      stopping.abort()
      for (const job of inHand.values()) release(job)
      await Promise.allSettled(rounds)
    },
    get waiting() {
      return inHand.size - rounds.size
    },
    get running() {
      return rounds.size
    },
    get qrsReachable() {
      return gate.open
    },
  }
}

/** `app, owner: not available in time; scriptLog: QRS answered 403 Forbidden` */
function listOfMissing({ missingParts, absentParts, missingReasons }: TaskEvent): string {
  const why = (part: MissingPart) => {
    const reason = missingReasons?.[part]
    if (reason) return `QRS answered ${reason}`
    return absentParts?.includes(part) ? 'QRS has none' : 'not available in time'
  }
  const groups = Map.groupBy(missingParts, why)
  return [...groups].map(([reason, parts]) => `${parts.join(', ')}: ${reason}`).join('; ')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
