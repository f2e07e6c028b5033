/** The text of a scrape: Prometheus 0.0.4, or OpenMetrics for scrapers that ask for it. */
import type { MetricFamily, Sample } from './types.ts'

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/**
 * `accept`: the header of the scraper. The registry alone is loaded, at the first scrape: all of prom-client takes 18 MB
 * and would watch the event loop and the garbage collector of everybody.
 */
export async function expose(families: readonly MetricFamily[], accept: string): Promise<Exposition> {
  const { default: Registry } = await import('prom-client/lib/registry.js')
  const registry = new Registry(
    accept.includes('application/openmetrics-text')
      ? Registry.OPENMETRICS_CONTENT_TYPE
      : Registry.PROMETHEUS_CONTENT_TYPE,
  )
  for (const family of families) registry.registerMetric(metricOf(family))
  return { contentType: registry.contentType, text: await registry.metrics() }
}

/** In OpenMetrics the registry takes `_total` off the name of a counter and puts it on its samples. */
function metricOf({ name, help, type, samples }: MetricFamily) {
  return {
    name,
    help,
    type,
    async get() {
      return { name: this.name, help, type, values: samples().map((sample) => sampleText(name, sample)) }
    },
  }
}

const sampleText = (name: string, { labels, value, suffix }: Sample) => ({
  labels,
  value,
  ...(suffix && { metricName: `${name}${suffix}` }),
})
