/** Answers of the REST API: counts by status, times; failed authentications. */
import { AUTH_FAILURES, type RequestObserver } from '../../http/middleware/observe.ts'
import {
  byLabel,
  CALL_SECONDS,
  counter,
  createDistribution,
  type Distribution,
  histogram,
  type MetricFamily,
  type Sample,
} from './families.ts'

export interface HttpMetrics {
  readonly observer: RequestObserver
  readonly families: readonly MetricFamily[]
}

interface Calls {
  readonly method: string
  readonly route: string
  readonly byStatus: Map<number, number>
  readonly seconds: Distribution
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** For requests without an endpoint: their paths are not bounded. */
const NO_ROUTE = 'none'
const OTHER = 'other'

export function createHttpMetrics(): HttpMetrics {
  // By path first: for the usual path one look-up each is all that a request costs.
  const calls = new Map<string, Map<string, Calls>>()
  const authFailures = new Map<string, number>(AUTH_FAILURES.map((reason) => [reason, 0]))

  function callsOf(route: string, method: string): Calls {
    const known = calls.get(route)?.get(method)
    if (known) return known
    const named = METHODS.has(method) || method === OTHER ? method : OTHER
    if (named !== method) return callsOf(route, named)
    const made: Calls = { method, route, byStatus: new Map(), seconds: createDistribution(CALL_SECONDS) }
    const methods = calls.get(route) ?? new Map<string, Calls>()
    calls.set(route, methods.set(method, made))
    return made
  }

  const all = (): Calls[] => [...calls.values()].flatMap((methods) => [...methods.values()])

  return {
    observer: {
      answered(method, path, status, milliseconds) {
        const { byStatus, seconds } = callsOf(path ?? NO_ROUTE, method)
        byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
        seconds.observe(milliseconds / 1000)
      },
      authFailed(reason) {
        authFailures.set(reason, (authFailures.get(reason) ?? 0) + 1)
      },
    },
    families: [
      counter('footman_http_requests_total', 'Answers of the REST API.', {
        labels: ['method', 'route', 'status'],
        samples: () => all().flatMap(statusSamples),
      }),
      histogram('footman_http_request_duration_seconds', 'Time from the request to the answer.', {
        labels: ['method', 'route'],
        samples: () => all().flatMap(({ method, route, seconds }) => seconds.samples({ method, route })),
      }),
      counter(
        'footman_auth_failures_total',
        'Callers that were turned away.',
        byLabel('reason', () => authFailures),
      ),
    ],
  }
}

const statusSamples = ({ method, route, byStatus }: Calls): Sample[] =>
  [...byStatus].map(([status, value]) => ({ labels: { method, route, status: String(status) }, value }))
