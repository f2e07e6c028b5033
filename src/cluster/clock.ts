/** The clock of the cluster: that of its database, as far as this node knows it. Leases never depend on it. */
import type { Clock } from '../platform/types.ts'

export interface ClusterClock extends Clock {
  /** Milliseconds of a clock that never jumps and means nothing to others: for leases, time-outs and durations. */
  monotonic(): number
  /** Clock of the database minus that of this machine, in milliseconds. */
  readonly offsetMs: number
  /** The database said `databaseMs` in an answer to a question that was sent and answered at these times of this machine. */
  sample(databaseMs: number, sentAt: number, answeredAt: number): void
}

/** An odd number, so that the median is one of them: one slow answer does not move the clock. */
const SAMPLES = 9

/** Starts with the offset that was known last; without the database that stays. */
export function createClusterClock(own: Clock, known = 0, monotonic = () => performance.now()): ClusterClock {
  const offsets: number[] = []
  let offsetMs = known

  return {
    get offsetMs() {
      return offsetMs
    },
    now: () => own.now() + offsetMs,
    monotonic,
    sample(databaseMs, sentAt, answeredAt) {
      offsets.push(databaseMs - (sentAt + answeredAt) / 2)
      if (offsets.length > SAMPLES) offsets.shift()
      offsetMs = Math.round(offsets.toSorted((a, b) => a - b)[Math.floor(offsets.length / 2)] ?? 0)
    },
  }
}
