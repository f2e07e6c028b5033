/** The firing timer: when each schedule fires next, and one timer for the earliest of them. */
import type { Clock } from '../../platform/types.ts'
import type { Plan } from './types.ts'

export interface Due {
  readonly id: string
  readonly plan: Plan
  readonly dueAt: number
}

export interface FiringTimer {
  /** From now on it fires after that instant. */
  set(id: string, plan: Plan, after: number): void
  remove(id: string): void
  /** Null when it is not there or will never fire again. */
  nextAt(id: string): number | null
  start(): void
  stop(): void
}

export interface FiringTimerDeps {
  readonly clock: Clock
  /** Called with each firing whose time has come. */
  readonly onDue: (due: Due) => void
  /** Firings are later than the grace; the first of them was due at that time. */
  readonly onLate: (id: string, plan: Plan, firstDueAt: number) => void
}

/** The clock of the computer may be set meanwhile. */
const LONGEST_WAIT_MS = 10_000

/** `graceMs`: firings that are later than that go to `onLate`. */
export function createFiringTimer({ clock, onDue, onLate }: FiringTimerDeps, graceMs: number): FiringTimer {
  const entries = new Map<string, { readonly plan: Plan; nextAt: number | null }>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let wakeAt = Number.POSITIVE_INFINITY
  let started = false

  function tick(): void {
    const now = clock.now()
    let earliest = Number.POSITIVE_INFINITY
    const due: Due[] = []
    for (const [id, entry] of entries) {
      if (entry.nextAt !== null && entry.nextAt <= now) due.push(...take(id, entry, now))
      if (entry.nextAt !== null && entry.nextAt < earliest) earliest = entry.nextAt
    }
    // The next firing of each is set before anything is done.
    wait(earliest)
    for (const one of due) onDue(one)
  }

  function take(id: string, entry: { readonly plan: Plan; nextAt: number | null }, now: number): Due[] {
    const { plan } = entry
    const first = entry.nextAt!
    if (now - first >= graceMs) {
      entry.nextAt = plan.next(now)
      queueMicrotask(() => onLate(id, plan, first))
      return []
    }
    const due: Due[] = []
    for (let at: number | null = first; at !== null && at <= now; at = plan.next(at)) due.push({ id, plan, dueAt: at })
    entry.nextAt = plan.next(due.at(-1)!.dueAt)
    return due
  }

  function wait(until: number): void {
    clearTimeout(timer)
    wakeAt = until
    if (!started || entries.size === 0) return
    const ms = Math.min(Math.max(until - clock.now(), 0), LONGEST_WAIT_MS)
    timer = setTimeout(tick, ms)
  }

  return {
    set(id, plan, after) {
      const nextAt = plan.next(after)
      entries.set(id, { plan, nextAt })
      if (nextAt !== null && (nextAt < wakeAt || entries.size === 1)) wait(nextAt)
    },
    remove: (id) => void entries.delete(id),
    nextAt: (id) => entries.get(id)?.nextAt ?? null,
    start() {
      started = true
      wait(clock.now())
    },
    stop() {
      started = false
      clearTimeout(timer)
    },
  }
}
