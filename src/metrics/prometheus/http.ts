/** `GET /metrics`, for Prometheus. */
import { z } from 'zod'
import { asIs } from '../../http/endpoint/contract.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import { addressMatcher } from '../../platform/addresses.ts'
import type { MetricFamily, Sample } from './families.ts'

interface MetricsRoutesSettings {
  /** Addresses that read without credentials. */
  readonly allowFrom: readonly string[]
}

export function metricsRoutes(families: readonly MetricFamily[], { allowFrom }: MetricsRoutesSettings): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/metrics',
      scope: 'metrics:read',
      limited: false,
      ...(allowFrom.length > 0 && { openTo: addressMatcher(allowFrom) }),
      summary: 'Metrics for Prometheus',
      description: 'Text format 0.0.4, or OpenMetrics when the header `Accept` asks for it.',
      answers: () => ({ 200: z.string().describe('The metrics.') }),
      examples: [{ name: 'scrape', status: 200, answer: EXAMPLE }],
      async handle({ headers }) {
        const { contentType, text } = await expose(families, headers.get('accept') ?? '')
        return asIs(new Response(text, { headers: { 'content-type': contentType } }))
      },
    }),
  ]
}

const EXAMPLE = `# HELP footman_http_requests_total Answers of the REST API.
# TYPE footman_http_requests_total counter
footman_http_requests_total{method="GET",route="/v4/butlerping",status="200"} 4711
`

interface Exposition {
  readonly contentType: string
  readonly text: string
}

/**
 * The text of a scrape: Prometheus 0.0.4, or OpenMetrics when `accept`, the header of the scraper, asks for it. The registry
 * alone is loaded, at the first scrape: all of prom-client takes 18 MB and would watch event loop and garbage collector.
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
