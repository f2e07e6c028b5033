/** What Prometheus can read about this Footman. */

import type { Config } from '../config/schema.ts'
import { TASK_TYPES } from '../events/kinds.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import { oldestPendingAt } from '../events/store.ts'
import type { RequestObserver } from '../http/endpoint/observer.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { KeyValues } from '../kv/index.ts'
import { createEventMetrics, type DeliveryCount, type EventMetrics } from '../metrics/prometheus/events.ts'
import { byLabel, gauge, gauges } from '../metrics/prometheus/family.ts'
import { createHttpMetrics } from '../metrics/prometheus/http.ts'
import { monitorFamilies } from '../metrics/prometheus/monitors.ts'
import {
  createFileMetrics,
  createKeyValueMetrics,
  createMqttMetrics,
  createQrsMetrics,
  createStartMetrics,
  type FileMetrics,
  type KeyValueMetrics,
  type MqttMetrics,
  type QrsMetrics,
  type StartMetrics,
} from '../metrics/prometheus/parts.ts'
import { processFamilies } from '../metrics/prometheus/process.ts'
import { metricsRoutes } from '../metrics/prometheus/routes.ts'
import { createScheduleMetrics, type ScheduleMetrics } from '../metrics/prometheus/schedules.ts'
import { storageFamilies } from '../metrics/prometheus/storage.ts'
import { createTaskMetrics, type TaskMetrics } from '../metrics/prometheus/tasks.ts'
import type { MetricFamily } from '../metrics/prometheus/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { taskStates } from '../tasks/executions/store.ts'
import type { Starts } from '../tasks/start/index.ts'
import type { Alerts } from './alerts.ts'
import type { Monitors } from './monitors.ts'
import type { BuiltScheduler } from './scheduler.ts'

export interface Metrics
  extends Pick<EventMetrics, 'onEvent' | 'onDelivery' | 'onRouted'>,
    Pick<StartMetrics, 'onStart'>,
    Pick<TaskMetrics, 'onEnded' | 'onLook' | 'onRetry' | 'onWatchdog'>,
    Pick<KeyValueMetrics, 'onOperation'>,
    Pick<FileMetrics, 'onFileOperation'>,
    Pick<ScheduleMetrics, 'onScheduleRun'> {
  readonly observer: RequestObserver
  readonly onQrsRequest: QrsMetrics['onRequest']
  readonly onMqttMessage: MqttMetrics['onMessage']
  readonly routes: readonly ApiRoute[]
  /** Also those of parts that are switched off: these have no series then. */
  readonly families: readonly MetricFamily[]
}

/** What is asked at each scrape; what is built after the metrics is reached by a function. */
export interface MetricsSources {
  readonly db: Database
  readonly clock: Clock
  readonly dataDirectory: string
  readonly pipeline: () => EventPipeline
  readonly alerts: () => Pick<Alerts, 'destinations'>
  /** MQTT brokers that are to be connected, by address. */
  readonly brokers: () => Readonly<Record<string, Pick<MqttService, 'connected'>>>
  readonly starts: () => Pick<Starts, 'queueLength'>
  readonly keyValues: () => Pick<KeyValues, 'sizes'>
  /** Open streams of server-sent events. */
  readonly streams: () => number
  readonly schedules: () => Pick<BuiltScheduler, 'states'>
  readonly monitors: () => Pick<Monitors, 'states'>
  readonly certificates: () => readonly Certificate[]
  /** False without Qlik Sense. */
  readonly qrsEnabled: boolean
}

export interface Certificate {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export function buildMetrics(sources: MetricsSources, config: Config): Metrics {
  const { db, clock, pipeline, alerts, qrsEnabled } = sources
  const { metrics, node } = config.footman
  const http = createHttpMetrics()
  const qrs = createQrsMetrics()
  const broker = createMqttMetrics(config.mqttConfig.enable)
  const starts = createStartMetrics(() => sources.starts().queueLength)
  const files = createFileMetrics()
  const schedules = createScheduleMetrics(() => sources.schedules().states())
  const keyValues = createKeyValueMetrics(() => sources.keyValues().sizes())
  const events = createEventMetrics({
    counters: () => pipeline().counters,
    pendingEvents: () => pipeline().status.pendingEvents,
    oldestPendingMs: () => Math.max(0, clock.now() - (oldestPendingAt(db) ?? clock.now())),
    deliveries: () => deliveryCounts(db),
    destinationsUp: () =>
      new Map([...alerts().destinations].map(([name, destination]) => [name, destination.ready?.() ?? true])),
  })
  const tasks = createTaskMetrics(() => taskStates(db), { ...metrics, types: TASK_TYPES })
  const families: MetricFamily[] = [
    ...processFamilies({ version: VERSION, role: node.role }),
    ...http.families,
    ...events.families,
    gauge('footman_qrs_up', 'Whether Qlik Sense (QRS) answers.', () =>
      qrsEnabled ? Number(pipeline().status.qrsReachable) : null,
    ),
    ...qrs.families,
    gauges(
      'footman_mqtt_connected',
      'Whether the MQTT broker is connected.',
      byLabel('broker', () =>
        Object.entries(sources.brokers()).map(([name, { connected }]) => [name, Number(connected)]),
      ),
    ),
    ...broker.families,
    ...starts.families,
    ...tasks.families,
    ...keyValues.families,
    ...files.families,
    ...schedules.families,
    ...monitorFamilies(() => sources.monitors().states()),
    gauge('footman_streams', 'Open streams of server-sent events.', sources.streams),
    gauges(
      'footman_certificate_expiry_timestamp_seconds',
      'End of a certificate, in seconds since 1970.',
      byLabel('certificate', () => sources.certificates().map(({ name, expiresAt }) => [name, expiresAt / 1000])),
    ),
    ...storageFamilies(sources.dataDirectory),
  ]
  return {
    onEvent: events.onEvent,
    onDelivery: events.onDelivery,
    onRouted: events.onRouted,
    onStart: starts.onStart,
    onEnded: tasks.onEnded,
    onLook: tasks.onLook,
    onRetry: tasks.onRetry,
    onWatchdog: tasks.onWatchdog,
    onOperation: keyValues.onOperation,
    onFileOperation: files.onFileOperation,
    onScheduleRun: schedules.onScheduleRun,
    onQrsRequest: qrs.onRequest,
    onMqttMessage: broker.onMessage,
    observer: http.observer,
    families,
    routes: metrics.enable ? metricsRoutes(families, metrics) : [],
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
