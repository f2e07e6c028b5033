/**
 * Counts and distributions by label. Adding to one costs a look-up and an addition: the text is made when it is asked
 * for, and the library that makes it is loaded only then.
 */
import type { Sample } from './types.ts'

/** Seconds; for calls that are answered at once. */
export const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const
/** Seconds; for work that may wait for hours. */
export const WAIT_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400] as const

export interface Counter<L extends string> {
  /** `times` default 1. */
  add(labels: Readonly<Record<L, string>>, times?: number): void
  samples(): Sample[]
}

export function createCounter<L extends string>(): Counter<L> {
  const series = new Map<string, { labels: Readonly<Record<L, string>>; value: number }>()
  return {
    add(labels, times = 1) {
      const key = Object.values<string>(labels).join('\n')
      const known = series.get(key)
      if (known) known.value += times
      else series.set(key, { labels, value: times })
    },
    samples: () => [...series.values()].map(({ labels, value }) => ({ labels, value })),
  }
}

export interface Distribution {
  observe(value: number): void
  /** The buckets of one series. */
  samples(labels: Readonly<Record<string, string>>): Sample[]
}

/** `bounds` ascending; a value equal to a bound belongs below it. */
export function createDistribution(bounds: readonly number[]): Distribution {
  const counts = new Array<number>(bounds.length + 1).fill(0)
  let [sum, count] = [0, 0]
  return {
    observe(value) {
      let at = 0
      while (at < bounds.length && value > bounds[at]!) at++
      counts[at]! += 1
      sum += value
      count += 1
    },
    samples(labels) {
      let below = 0
      const buckets = bounds.map((bound, at): Sample => {
        below += counts[at]!
        return { labels: { ...labels, le: String(bound) }, value: below, suffix: '_bucket' }
      })
      return [
        ...buckets,
        { labels: { ...labels, le: '+Inf' }, value: count, suffix: '_bucket' },
        { labels, value: sum, suffix: '_sum' },
        { labels, value: count, suffix: '_count' },
      ]
    },
  }
}

/** One distribution per set of labels. */
export function createDistributions<L extends string>(bounds: readonly number[]) {
  const series = new Map<string, { labels: Readonly<Record<L, string>>; distribution: Distribution }>()
  return {
    observe(labels: Readonly<Record<L, string>>, value: number): void {
      const key = Object.values<string>(labels).join('\n')
      let known = series.get(key)
      if (!known) {
        known = { labels, distribution: createDistribution(bounds) }
        series.set(key, known)
      }
      known.distribution.observe(value)
    },
    samples: (): Sample[] => [...series.values()].flatMap(({ labels, distribution }) => distribution.samples(labels)),
  }
}
