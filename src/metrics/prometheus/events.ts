/** Task events and deliveries: what came in, what was dropped, what went out, what waits. */
import { createCounter, createDistributions, WAIT_SECONDS } from './series.ts'
import type { MetricFamily, Sample } from './types.ts'

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
  /** Of the attempt that led here. */
  readonly result?: 'delivered' | 'retry' | 'rejected' | null
}

/** An event that QRS data was gathered for, or that went out without. */
export interface EnrichedReport {
  readonly receivedAt: number
  readonly missingParts: readonly unknown[]
}

export interface EventMetrics {
  onEvent(event: { readonly type: string; readonly outcome: string; readonly source: string }): void
  onDelivery(change: DeliveryReport): void
  /** `now` = milliseconds since 1970. */
  onEnriched(event: EnrichedReport, now: number): void
  /** A route has made a delivery of an event. */
  onRouted(route: string, outcome: string): void
  readonly families: readonly MetricFamily[]
}

const FINAL: ReadonlySet<string> = new Set(['delivered', 'dead', 'suppressed'])
const RESULTS = { delivered: 'ok', retry: 'temporary', rejected: 'permanent' } as const

export function createEventMetrics(sources: EventSources): EventMetrics {
  const events = createCounter<'type' | 'outcome' | 'source'>()
  const final = createCounter<'destination' | 'state' | 'reason'>()
  const attempts = createCounter<'destination' | 'result'>()
  const enrichment = createDistributions<'result'>(WAIT_SECONDS)
  const routed = createCounter<'route' | 'outcome'>()
  const latency = createDistributions<'destination'>(WAIT_SECONDS)
  const perDestination = (pick: (count: DeliveryCount) => number): Sample[] =>
    sources.deliveries().map((count) => ({ labels: { destination: count.destination }, value: pick(count) }))

  return {
    onEvent: ({ type, outcome, source }) => events.add({ type, outcome, source }),
    onEnriched({ receivedAt, missingParts }, now) {
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
      {
        name: 'footman_events_received_total',
        help: 'Datagrams that passed the checks of sender, size and rate.',
        type: 'counter',
        samples: () => [{ labels: { source: 'udp' }, value: sources.counters().received }],
      },
      {
        name: 'footman_events_dropped_total',
        help: 'Messages that became no event.',
        type: 'counter',
        samples: () =>
          Object.entries(sources.counters().dropped).map(([reason, value]) => ({ labels: { reason }, value })),
      },
      {
        name: 'footman_events_total',
        help: 'Task events.',
        type: 'counter',
        samples: events.samples,
      },
      {
        name: 'footman_events_pending',
        help: 'Events that wait for data of Qlik Sense.',
        type: 'gauge',
        samples: () => [{ labels: {}, value: sources.pendingEvents() }],
      },
      {
        name: 'footman_event_oldest_pending_seconds',
        help: 'Age of the oldest of them; 0 when none waits.',
        type: 'gauge',
        samples: () => [{ labels: {}, value: sources.oldestPendingMs() / 1000 }],
      },
      {
        name: 'footman_enrichment_duration_seconds',
        help: 'Time from the arrival of an event until its data were complete, or were no longer waited for (degraded).',
        type: 'histogram',
        samples: enrichment.samples,
      },
      {
        name: 'footman_alerts_routed_total',
        help: 'Deliveries made by a route, suppressed ones included, by the outcome of the task.',
        type: 'counter',
        samples: routed.samples,
      },
      {
        name: 'footman_deliveries_total',
        help: 'Deliveries that have come to an end.',
        type: 'counter',
        samples: final.samples,
      },
      {
        name: 'footman_deliveries_pending',
        help: 'Deliveries that wait to be sent.',
        type: 'gauge',
        samples: () => perDestination(({ pending }) => pending),
      },
      {
        name: 'footman_deliveries_dead',
        help: 'Deliveries that were given up and are still kept.',
        type: 'gauge',
        samples: () => perDestination(({ dead }) => dead),
      },
      {
        name: 'footman_destination_up',
        help: '1 while the destination can take messages.',
        type: 'gauge',
        samples: () =>
          [...sources.destinationsUp()].map(([destination, up]) => ({ labels: { destination }, value: up ? 1 : 0 })),
      },
      {
        name: 'footman_delivery_attempts_total',
        help: 'Attempts to deliver.',
        type: 'counter',
        samples: attempts.samples,
      },
      {
        name: 'footman_delivery_latency_seconds',
        help: 'Time from the arrival of the event to its delivery.',
        type: 'histogram',
        samples: latency.samples,
      },
    ],
  }
}
