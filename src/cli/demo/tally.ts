/** What has happened so far, in numbers. */
import type { DeliveryState } from '../../alerts/types.ts'

export type TaskEnd = 'succeeded' | 'failed' | 'stopped'

export interface Totals {
  readonly tasks: number
  readonly ends: Readonly<Record<TaskEnd, number>>
  readonly events: number
  /** Delivered messages by destination, in the order of the first delivery. */
  readonly delivered: ReadonlyMap<string, number>
  readonly suppressed: number
  readonly dead: number
  /** From the arrival of the event to the delivery, milliseconds; null before the first delivery. */
  readonly medianMs: number | null
}

export interface Tally {
  task(end: TaskEnd): void
  event(): void
  delivery(change: { destination: string; state: DeliveryState; latencyMs: number | null }): void
  totals(): Totals
}

/** The median is that of so many newest deliveries. */
const LATENCIES = 1000

export function createTally(): Tally {
  const ends: Record<TaskEnd, number> = { succeeded: 0, failed: 0, stopped: 0 }
  const delivered = new Map<string, number>()
  const latencies: number[] = []
  let events = 0
  let suppressed = 0
  let dead = 0

  return {
    task(end) {
      ends[end] += 1
    },
    event() {
      events += 1
    },
    delivery({ destination, state, latencyMs }) {
      if (state === 'suppressed') suppressed += 1
      if (state === 'dead') dead += 1
      if (state !== 'delivered') return
      delivered.set(destination, (delivered.get(destination) ?? 0) + 1)
      if (latencyMs === null) return
      latencies.push(latencyMs)
      if (latencies.length > LATENCIES) latencies.shift()
    },
    totals: () => ({
      tasks: ends.succeeded + ends.failed + ends.stopped,
      ends: { ...ends },
      events,
      delivered: new Map(delivered),
      suppressed,
      dead,
      medianMs: median(latencies),
    }),
  }
}

/** The lower middle of an even number of values; null of none. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null
}
