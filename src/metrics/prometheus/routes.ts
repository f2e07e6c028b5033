/** `GET /metrics`, for Prometheus. */
import { z } from 'zod'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import { addressMatcher } from '../../platform/addresses.ts'
import { expose } from './exposition.ts'
import type { MetricFamily } from './types.ts'

export interface MetricsRoutesSettings {
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
      answers: { 200: z.string().describe('The metrics.') },
      examples: [{ name: 'scrape', status: 200, answer: EXAMPLE }],
      async handle({ headers }) {
        const { contentType, text } = await expose(families, headers.get('accept') ?? '')
        return new Response(text, { headers: { 'content-type': contentType } })
      },
    }),
  ]
}

const EXAMPLE = `# HELP footman_http_requests_total Answers of the REST API.
# TYPE footman_http_requests_total counter
footman_http_requests_total{method="GET",route="/v4/butlerping",status="200"} 4711
`
