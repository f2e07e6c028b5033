/** Counts of the cluster's work on this node; they only grow while the process lives. */
import type { ClusterCounters, Timed, Timing } from './types.ts'

type CountedRows = Pick<ClusterCounters, 'shippedRows' | 'appliedRows'>

export interface CounterWriter {
  addOffers(result: 'new' | 'known', messages: number): void
  addTakeover(reason: string): void
  addCommand(result: string): void
  addFenced(): void
  addAlone(ms: number): void
  addDuplicates(events: number): void
  addRewind(): void
  /** Something took this long, in milliseconds. */
  time(what: Timed, ms: number): void
  /** Since the database was found to be in an earlier state, in milliseconds; null = it never was. */
  readonly rewoundAgoMs: number | null
  /** A build of the app has ended, which counted these. */
  addRows(rows: CountedRows): void
  /** With those of the build that runs. */
  read(now: CountedRows): ClusterCounters
}

/** Upper bounds in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15] as const

const emptyTiming = () => ({ counts: new Array<number>(BOUNDS.length + 1).fill(0), sum: 0 })

/** `monotonic`: milliseconds of a clock that never jumps. */
export function createCounters(monotonic: () => number): CounterWriter {
  const offers = { new: 0, known: 0 }
  const takeovers: Record<string, number> = {}
  const commands: Record<string, number> = {}
  const sums = { shippedRows: 0, appliedRows: 0, fenced: 0, aloneMs: 0, duplicateEvents: 0, rewinds: 0 }
  const timings = { ship: emptyTiming(), command: emptyTiming(), barrier: emptyTiming() }
  let rewoundAt: number | null = null

  return {
    addOffers(result, messages) {
      offers[result] += messages
    },
    addRows({ shippedRows, appliedRows }) {
      sums.shippedRows += shippedRows
      sums.appliedRows += appliedRows
    },
    addTakeover(reason) {
      takeovers[reason] = (takeovers[reason] ?? 0) + 1
    },
    addCommand(result) {
      commands[result] = (commands[result] ?? 0) + 1
    },
    addFenced() {
      sums.fenced += 1
    },
    addAlone(ms) {
      sums.aloneMs += ms
    },
    addDuplicates(events) {
      sums.duplicateEvents += events
    },
    addRewind() {
      sums.rewinds += 1
      rewoundAt = monotonic()
    },
    time(what, ms) {
      const timing = timings[what]
      const at = BOUNDS.findIndex((bound) => ms / 1000 <= bound)
      timing.counts[at < 0 ? BOUNDS.length : at]! += 1
      timing.sum += ms / 1000
    },
    get rewoundAgoMs() {
      return rewoundAt === null ? null : monotonic() - rewoundAt
    },
    read(now) {
      const { aloneMs, ...rest } = sums
      return {
        ...rest,
        shippedRows: sums.shippedRows + now.shippedRows,
        appliedRows: sums.appliedRows + now.appliedRows,
        offers: { ...offers },
        takeovers: { ...takeovers },
        commands: { ...commands },
        aloneSeconds: aloneMs / 1000,
        timings: { ship: shown(timings.ship), command: shown(timings.command), barrier: shown(timings.barrier) },
      }
    },
  }
}

const shown = ({ counts, sum }: ReturnType<typeof emptyTiming>): Timing => ({
  bounds: BOUNDS,
  counts: [...counts],
  sum,
})
