/**
 * Completes pending events with data from QRS and hands them to the router. A bounded number is held in memory; the
 * rest waits on disk. An event that QRS cannot complete in time goes out with what is known.
 */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { IngestCounters } from '../counters.ts'
import type { EventRouter } from '../router.ts'
import {
  duePendingEvents,
  ignoreEvent,
  nextPendingAt,
  parkEvent,
  type StoredEvent,
  storeRoutedEvent,
} from '../store.ts'
import type { IgnoreReason } from '../types.ts'
import { completeEvent } from './complete.ts'
import { type Facts, gatherFacts, type Progress } from './facts.ts'
import { createQrsGate } from './gate.ts'

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
  readonly qrsReachable: boolean
}

interface Job {
  readonly event: StoredEvent
  readonly facts: Facts
  /** Since when QRS is being asked, for the growing distance between rounds. */
  readonly since: number
  /** When the event goes out with what is known. */
  readonly deadline: number
  readonly abort: AbortController
  deadlineTimer?: ReturnType<typeof setTimeout>
  waitTimer?: ReturnType<typeof setTimeout>
  finished: boolean
}

/** An event that is already late when it is loaded (after a restart, in a long backlog) still gets this long. */
const LATE_GRACE_MS = 10_000
/** A wait at least this long is spent on disk and not in memory. */
const PARK_MS = 4000
const WRITE_RETRY_MS = 1000
/** setTimeout takes 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1

export function createEnricher(deps: EnricherDeps, settings: EnricherSettings): Enricher {
  const { clock, log } = deps
  const inHand = new Map<number, Job>()
  const busyTasks = new Set<string>()
  const rounds = new Set<Promise<void>>()
  let ready: Job[] = []
  let stopped = true
  let wakeTimer: ReturnType<typeof setTimeout> | undefined
  const capacity = settings.maxConcurrent + settings.maxSize
  const facts = {
    cached: deps.cachedQrs,
    fresh: deps.qrs,
    needs: deps.router.needs,
    now: () => clock.now(),
  }
  const gate = createQrsGate({ probe: (signal) => deps.qrs.ping(signal), onOpen: () => pump(), log })

  function refill(): void {
    if (stopped || inHand.size > capacity / 2) return
    const due = duePendingEvents(deps.db, clock.now(), capacity + inHand.size)
    for (const event of due) {
      if (inHand.size >= capacity) break
      if (!inHand.has(event.seq)) take(event)
    }
    scheduleNext()
  }

  /** Wakes up for the next parked event when nothing else will. */
  function scheduleNext(): void {
    clearTimeout(wakeTimer)
    if (inHand.size >= capacity) return
    const at = nextPendingAt(deps.db)
    if (at === null || at <= clock.now()) return
    wakeTimer = setTimeout(wake, Math.min(at - clock.now(), MAX_TIMER_MS))
  }

  function take(event: StoredEvent): void {
    const now = clock.now()
    const allowance = event.deadlineAt - event.receivedAt
    const late = event.deadlineAt <= now
    // Late and QRS down: waiting even longer would help nobody.
    const hopeless = !settings.qrsEnabled || (late && !gate.open)
    const deadline = hopeless ? now : Math.max(event.deadlineAt, now + Math.min(LATE_GRACE_MS, allowance))
    const since = late ? now : event.receivedAt
    const job: Job = { event, facts: {}, since, deadline, abort: new AbortController(), finished: false }
    inHand.set(event.seq, job)
    if (deadline <= now) {
      finish(job)
      return
    }
    job.deadlineTimer = setTimeout(() => expire(job), Math.min(deadline - now, MAX_TIMER_MS))
    ready.push(job)
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
      pump()
      if (!stopped) refill()
    })
    rounds.add(round)
  }

  async function ask(job: Job): Promise<void> {
    try {
      settle(job, await gatherFacts(facts, job.event, job.facts, job.abort.signal))
    } catch (error) {
      if (job.finished || stopped) return
      if (deps.isUnreachable(error)) {
        gate.close(messageOf(error))
        ready.push(job)
        return
      }
      log.warn(`[QSEOW] TASK EVENT: QRS could not answer for task "${job.event.taskName}": ${messageOf(error)}`)
      wait(job)
    }
  }

  function settle(job: Job, progress: Progress): void {
    if (job.finished) return
    if (progress === 'complete') finish(job)
    else if (progress === 'waiting') wait(job)
    else ignore(job, progress === 'taskNotFound' ? 'TASK_NOT_FOUND' : 'TASK_TYPE_UNKNOWN')
  }

  function wait(job: Job): void {
    const now = clock.now()
    const delay = job.event.announced === 'distribute' ? settings.distributePollMs : waitDelay(now - job.since)
    const until = Math.min(now + delay, job.deadline)
    if (delay >= PARK_MS && job.deadline - now > delay) {
      park(job, until)
      return
    }
    job.waitTimer = setTimeout(() => {
      ready.push(job)
      pump()
    }, until - now)
  }

  /** Spends the wait on disk; what was found so far is asked again later. */
  function park(job: Job, until: number): void {
    write(job, (db) => parkEvent(db, job.event.seq, until))
  }

  function expire(job: Job): void {
    if (job.finished) return
    if (job.deadline > clock.now()) {
      job.deadlineTimer = setTimeout(() => expire(job), Math.min(job.deadline - clock.now(), MAX_TIMER_MS))
      return
    }
    finish(job)
  }

  function finish(job: Job): void {
    const event = completeEvent(job.event, job.facts, deps.router)
    if (event.missingParts.length > 0) {
      log.warn(
        `[QSEOW] TASK EVENT: Alerting for task "${event.taskName}" without ${event.missingParts.join(', ')}: not available in time`,
      )
    }
    const typeKnown = Boolean(job.facts.task)
    deps.counters.processed += 1
    write(job, (db) => {
      storeRoutedEvent(db, job.event.seq, event, typeKnown)
      deps.router.routeEnriched(db, event)
    })
  }

  function ignore(job: Job, reason: IgnoreReason): void {
    const { taskName, taskId } = job.event
    log.warn(
      reason === 'TASK_NOT_FOUND'
        ? `[QSEOW] TASK EVENT: Task "${taskName}" (${taskId}) does not exist in QRS; recorded, not alerted`
        : `[QSEOW] TASK EVENT: Task "${taskName}" (${taskId}) is of an unknown type; recorded, not alerted`,
    )
    deps.counters.processed += 1
    write(job, (db) => ignoreEvent(db, job.event.seq, reason))
  }

  /** Ends a job by a write; the job leaves memory only when that is durable. */
  function write(job: Job, work: (db: Database) => void): void {
    release(job)
    deps.writer.write(work).then(
      () => {
        inHand.delete(job.event.seq)
        deps.router.wake()
        refill()
        pump()
      },
      (error: unknown) => {
        log.error(`[QSEOW] TASK EVENT: Could not store the event of task "${job.event.taskName}": ${messageOf(error)}`)
        setTimeout(() => write(job, work), WRITE_RETRY_MS)
      },
    )
  }

  function release(job: Job): void {
    job.finished = true
    clearTimeout(job.deadlineTimer)
    clearTimeout(job.waitTimer)
    job.abort.abort()
  }

  function wake(): void {
    refill()
    pump()
  }

  return {
    start() {
      stopped = false
      wake()
    },
    wake,
    async stop() {
      stopped = true
      gate.stop()
      clearTimeout(wakeTimer)
      for (const job of inHand.values()) release(job)
      await Promise.allSettled(rounds)
    },
    get waiting() {
      return inHand.size - rounds.size
    },
    get qrsReachable() {
      return gate.open
    },
  }
}

/** Half a second at first, 15 % of the time waited so far later, at most 30 s: news is found soon, QRS is spared. */
function waitDelay(elapsedMs: number): number {
  return Math.min(Math.max(500, elapsedMs * 0.15), 30_000)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
