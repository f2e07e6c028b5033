/** What Prometheus can read about this Footman. */
import type { Config } from '../config/schema.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import { createEventMetrics, type DeliveryCount, type EventMetrics } from '../metrics/prometheus/events.ts'
import { createHttpMetrics } from '../metrics/prometheus/http.ts'
import { processFamilies } from '../metrics/prometheus/process.ts'
import { metricsRoutes } from '../metrics/prometheus/routes.ts'
import type { MetricFamily } from '../metrics/prometheus/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { RequestObserver } from '../platform/http/observer.ts'
import type { ApiRoute } from '../platform/http/route.ts'
import type { Database } from '../platform/sqlite.ts'
import { VERSION } from '../platform/version.ts'
import type { Alerts } from './alerts.ts'

export interface Metrics extends Pick<EventMetrics, 'onEvent' | 'onDelivery'> {
  readonly observer: RequestObserver
  readonly routes: readonly ApiRoute[]
}

/** Built when the first scrape comes, which is after everything else. */
export interface MetricsSources {
  readonly db: Database
  readonly pipeline: () => EventPipeline
  readonly alerts: () => Pick<Alerts, 'destinations'>
  readonly mqtt: MqttService | null
  /** Null without Qlik Sense. */
  readonly qrsEnabled: boolean
}

export function buildMetrics({ db, pipeline, alerts, mqtt, qrsEnabled }: MetricsSources, config: Config): Metrics {
  const { metrics, node } = config.footman
  const http = createHttpMetrics()
  const events = createEventMetrics({
    counters: () => pipeline().counters,
    pendingEvents: () => pipeline().status.pendingEvents,
    deliveries: () => deliveryCounts(db),
    destinationsUp: () =>
      new Map([...alerts().destinations].map(([name, destination]) => [name, destination.ready?.() ?? true])),
  })
  const families: MetricFamily[] = [
    ...processFamilies({ version: VERSION, role: node.role }),
    ...http.families,
    ...events.families,
    state('footman_qrs_up', 'Whether Qlik Sense (QRS) answers.', () =>
      qrsEnabled ? pipeline().status.qrsReachable : null,
    ),
    state('footman_mqtt_connected', 'Whether the MQTT broker is connected.', () => mqtt?.connected ?? null, {
      broker: `${config.mqttConfig.brokerHost}:${config.mqttConfig.brokerPort}`,
    }),
  ]
  return {
    onEvent: events.onEvent,
    onDelivery: events.onDelivery,
    observer: http.observer,
    routes: metrics.enable ? metricsRoutes(families, metrics) : [],
  }
}

/** 1 or 0; nothing while the part is switched off. */
function state(
  name: string,
  help: string,
  isUp: () => boolean | null,
  labels: Readonly<Record<string, string>> = {},
): MetricFamily {
  return {
    name,
    help,
    type: 'gauge',
    samples() {
      const up = isUp()
      return up === null ? [] : [{ labels, value: up ? 1 : 0 }]
    },
  }
}

/** Both are read from indexes of what is open or dead. */
const DELIVERY_COUNTS = `
  SELECT destination, SUM(pending) AS pending, SUM(dead) AS dead FROM (
    SELECT destination, COUNT(*) AS pending, 0 AS dead FROM delivery WHERE state IN ('pending', 'sending') GROUP BY destination
    UNION ALL
    SELECT destination, 0, COUNT(*) FROM delivery WHERE state = 'dead' GROUP BY destination
  ) GROUP BY destination ORDER BY destination`

const deliveryCounts = (db: Database): DeliveryCount[] => db.all<DeliveryCount>(DELIVERY_COUNTS)
