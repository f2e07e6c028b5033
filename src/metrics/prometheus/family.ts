/** What the definitions of metrics are made with. */
import type { MetricFamily, Sample, Series } from './types.ts'

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
