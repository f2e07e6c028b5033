/** Task events and deliveries: what came in, what was dropped, what went out, what waits. */
import {
  byLabel,
  counter,
  createCounter,
  createDistributions,
  gauge,
  gauges,
  histogram,
  type MetricFamily,
  WAIT_SECONDS,
} from './families.ts'

export interface EventSources {
  readonly counters: () => { readonly received: number; readonly dropped: Readonly<Record<string, number>> }
  readonly pendingEvents: () => number
  /** Milliseconds since the oldest of them arrived; 0 when there is none. */
  readonly oldestPendingMs: () => number
  /** Deliveries that wait and that were given up, by destination. */
  readonly deliveries: () => readonly DeliveryCount[]
  /** False while the destination takes nothing. */
  readonly destinationsUp: () => ReadonlyMap<string, boolean>
}

export interface DeliveryCount {
  readonly destination: string
  readonly pending: number
  readonly dead: number
}

/** A new state of a delivery. */
export interface DeliveryReport {
  readonly destination: string
  readonly state: 'pending' | 'sending' | 'delivered' | 'dead' | 'suppressed'
  readonly reason: string | null
  readonly latencyMs: number | null
  /** The result of the attempt that led here. */
  readonly result?: 'delivered' | 'retry' | 'rejected' | null
}

/** An event that QRS data was gathered for, or that went out without: only now its type and outcome are certain. */
export interface EventReport {
  readonly type: string
  readonly outcome: string
  readonly source: string
  readonly receivedAt: number
  readonly missingParts: readonly unknown[]
}

export interface EventMetrics {
  /** `now` = milliseconds since 1970. */
  onEvent(event: EventReport, now: number): void
  onDelivery(change: DeliveryReport): void
  /** A route has made a delivery of an event. */
  onRouted(route: string, outcome: string): void
  readonly families: readonly MetricFamily[]
}

const FINAL: ReadonlySet<string> = new Set(['delivered', 'dead', 'suppressed'])
const RESULTS = { delivered: 'ok', retry: 'temporary', rejected: 'permanent' } as const

export function createEventMetrics(sources: EventSources): EventMetrics {
  const events = createCounter('type', 'outcome', 'source')
  const final = createCounter('destination', 'state', 'reason')
  const attempts = createCounter('destination', 'result')
  const enrichment = createDistributions(WAIT_SECONDS, 'result')
  const routed = createCounter('route', 'outcome')
  const latency = createDistributions(WAIT_SECONDS, 'destination')
  const perDestination = (pick: (count: DeliveryCount) => number) =>
    byLabel('destination', () => sources.deliveries().map((count) => [count.destination, pick(count)] as const))
  const up = byLabel('destination', () => [...sources.destinationsUp()].map(([name, isUp]) => [name, isUp ? 1 : 0]))
  const dropped = byLabel('reason', () => Object.entries(sources.counters().dropped))

  return {
    onEvent({ type, outcome, source, receivedAt, missingParts }, now) {
      events.add({ type, outcome, source })
      const result = missingParts.length > 0 ? 'degraded' : 'complete'
      enrichment.observe({ result }, Math.max(0, now - receivedAt) / 1000)
    },
    onRouted: (route, outcome) => routed.add({ route, outcome }),
    onDelivery({ destination, state, reason, latencyMs, result }) {
      if (result) attempts.add({ destination, result: RESULTS[result] })
      if (FINAL.has(state)) final.add({ destination, state, reason: reason ?? '' })
      if (state === 'delivered' && latencyMs !== null) latency.observe({ destination }, latencyMs / 1000)
    },
    families: [
      counter(
        'footman_events_received_total',
        'Datagrams that passed the checks of sender, size and rate.',
        byLabel('source', () => [['udp', sources.counters().received]]),
      ),
      counter('footman_events_dropped_total', 'Messages that became no event.', dropped),
      counter('footman_events_total', 'Events, counted when all is known about them that can be.', events),
      gauge('footman_events_pending', 'Events that wait for data of Qlik Sense.', sources.pendingEvents),
      gauge(
        'footman_event_oldest_pending_seconds',
        'Age of the oldest of them; 0 when none waits.',
        () => sources.oldestPendingMs() / 1000,
      ),
      histogram(
        'footman_enrichment_duration_seconds',
        'Time from the arrival of an event until its data were complete, or were no longer waited for (degraded).',
        enrichment,
      ),
      counter(
        'footman_alerts_routed_total',
        'Deliveries made by a rule, suppressed ones included, by the outcome of the task.',
        routed,
      ),
      counter('footman_deliveries_total', 'Deliveries that have come to an end.', final),
      gauges(
        'footman_deliveries_pending',
        'Deliveries that wait to be sent.',
        perDestination(({ pending }) => pending),
      ),
      gauges(
        'footman_deliveries_dead',
        'Deliveries that were given up and are still kept.',
        perDestination(({ dead }) => dead),
      ),
      gauges('footman_destination_up', '1 while the destination can take messages.', up),
      counter('footman_delivery_attempts_total', 'Attempts to deliver.', attempts),
      histogram('footman_delivery_latency_seconds', 'Time from the arrival of the event to its delivery.', latency),
    ],
  }
}
