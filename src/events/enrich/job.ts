/** An event in the hands of the enricher. */
import type { StoredEvent } from '../store.ts'
import type { Facts } from './facts.ts'

export interface Job {
  readonly event: StoredEvent
  readonly facts: Facts
  /** Since when QRS is being asked, for the growing distance between rounds. */
  readonly since: number
  /** When the event goes out with what is known. */
  readonly deadline: number
  readonly abort: AbortController
  deadlineTimer?: ReturnType<typeof setTimeout>
  waitTimer?: ReturnType<typeof setTimeout>
  /** Waits for other answers before a partial completion. */
  stepTimer?: ReturnType<typeof setTimeout> | undefined
  /** How many rules were ready at the last partial completion. */
  readyRules: number
  complained: boolean
  finished: boolean
}

/** setTimeout takes 31 bits. */
export const MAX_TIMER_MS = 2 ** 31 - 1

export function createJob(event: StoredEvent, since: number, deadline: number): Job {
  const abort = new AbortController()
  return { event, facts: {}, since, deadline, abort, readyRules: 0, complained: false, finished: false }
}

/** Calls `end` after so many milliseconds, unless the job is released before. */
export function expireIn(job: Job, ms: number, end: (job: Job) => void): void {
  job.deadlineTimer = setTimeout(
    () => (ms > MAX_TIMER_MS ? expireIn(job, ms - MAX_TIMER_MS, end) : end(job)),
    Math.min(ms, MAX_TIMER_MS),
  )
}

/** Nothing more is asked about the event. */
export function release(job: Job): void {
  job.finished = true
  clearTimeout(job.deadlineTimer)
  clearTimeout(job.waitTimer)
  clearTimeout(job.stepTimer)
  job.abort.abort()
}

/** Half a second at first, 15 % of the time waited so far later, at most 30 s: news is found soon, QRS is spared. */
export function waitDelay(elapsedMs: number): number {
  return Math.min(Math.max(500, elapsedMs * 0.15), 30_000)
}
