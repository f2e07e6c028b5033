/**
 * Metric families, counts and distributions by label. Adding to one costs a look-up and an addition: the text is made at a
 * scrape, and the library that makes it is loaded only then.
 */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** The end of the name, for the series of a histogram. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

/** Where the series of a metric come from. */
export interface Series {
  /** Names of the labels of every sample; the `le` of buckets is not among them. */
  readonly labels: readonly string[]
  /** Read at each scrape. */
  samples(): readonly Sample[]
}

export interface MetricFamily extends Series {
  /** Counters end in `_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
}

/** Seconds; for calls that are answered at once. */
export const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const
/** Seconds; for work that may wait for hours. */
export const WAIT_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400] as const
/** Seconds; for runs of tasks. */
export const RUN_SECONDS = [1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400] as const

type Labels<L extends string> = Readonly<Record<L, string>>

interface Counter<L extends string> extends Series {
  /** `times` default 1. */
  add(labels: Labels<L>, times?: number): void
}

/** Made with the names of its labels. */
export function createCounter<L extends string>(...names: readonly L[]): Counter<L> {
  const series = new Map<string, { labels: Labels<L>; value: number }>()
  return {
    labels: names,
    add(labels, times = 1) {
      const key = keyOf(names, labels)
      const known = series.get(key)
      if (known) known.value += times
      else series.set(key, { labels, value: times })
    },
    samples: () => [...series.values()].map(({ labels, value }) => ({ labels, value })),
  }
}

const keyOf = <L extends string>(names: readonly L[], labels: Labels<L>): string =>
  names.length === 1 ? labels[names[0]!] : names.map((name) => labels[name]).join('\n')

export interface Distribution {
  observe(value: number): void
  /** The buckets of one series. */
  samples(labels: Readonly<Record<string, string>>): Sample[]
}

/** `bounds` ascending; a value equal to a bound belongs below it. */
export function createDistribution(bounds: readonly number[]): Distribution {
  const counts = new Array<number>(bounds.length + 1).fill(0)
  let sum = 0
  return {
    observe(value) {
      let at = 0
      while (at < bounds.length && value > bounds[at]!) at++
      counts[at]! += 1
      sum += value
    },
    samples: (labels) => distributionSamples({ bounds, counts, sum }, labels),
  }
}

interface Counts {
  readonly bounds: readonly number[]
  /** Samples up to each bound, without those of the bounds before it; the last are above all bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** The buckets of one series. */
export function distributionSamples(
  { bounds, counts, sum }: Counts,
  labels: Readonly<Record<string, string>>,
): Sample[] {
  let below = 0
  const buckets = counts.map((times, at): Sample => {
    below += times
    return { labels: { ...labels, le: String(bounds[at] ?? '+Inf') }, value: below, suffix: '_bucket' }
  })
  return [...buckets, { labels, value: sum, suffix: '_sum' }, { labels, value: below, suffix: '_count' }]
}

interface Distributions<L extends string> extends Series {
  observe(labels: Labels<L>, value: number): void
}

/** One distribution per set of labels. */
export function createDistributions<L extends string>(
  bounds: readonly number[],
  ...names: readonly L[]
): Distributions<L> {
  const series = new Map<string, { labels: Labels<L>; distribution: Distribution }>()
  return {
    labels: names,
    observe(labels, value) {
      const key = keyOf(names, labels)
      let known = series.get(key)
      if (!known) {
        known = { labels, distribution: createDistribution(bounds) }
        series.set(key, known)
      }
      known.distribution.observe(value)
    },
    samples: () => [...series.values()].flatMap(({ labels, distribution }) => distribution.samples(labels)),
  }
}

// Definitions of metric families.
const familyOf =
  (type: MetricFamily['type']) =>
  (name: string, help: string, { labels, samples }: Series): MetricFamily => ({ name, help, type, labels, samples })

export const counter = familyOf('counter')
export const gauges = familyOf('gauge')
export const histogram = familyOf('histogram')

/** One value without labels; null = nothing to say. */
export const gauge = (name: string, help: string, value: () => number | null): MetricFamily =>
  gauges(name, help, single(value))

/** A series without labels; null = nothing to say. */
export const single = (value: () => number | null): Series => ({
  labels: [],
  samples() {
    const now = value()
    return now === null ? [] : [{ labels: {}, value: now }]
  },
})

/** A series for each value of one label; asked at each scrape. */
export function byLabel(label: string, values: () => Iterable<readonly [string, number]>): Series {
  const samples = () => [...values()].map(([name, value]): Sample => ({ labels: { [label]: name }, value }))
  return { labels: [label], samples }
}
