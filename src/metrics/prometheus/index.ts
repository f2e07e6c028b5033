/** The metrics of this Footman for Prometheus. */
import type { SharedState } from '../../cluster/types.ts'
import type { NodeConfig } from '../../config/process.ts'
import { TASK_TYPES } from '../../events/kinds.ts'
import type { EventPipeline } from '../../events/pipeline.ts'
import { oldestPendingAt } from '../../events/store.ts'
import type { MonitorStates } from '../../monitors/types.ts'
import type { MqttService } from '../../mqtt/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { VERSION } from '../../platform/version.ts'
import type { MetricsConfig } from '../config.ts'
import { clusterFamilies } from './cluster.ts'
import { createEventMetrics, type DeliveryCount, type EventReport } from './events.ts'
import { byLabel, gauge, gauges, type MetricFamily } from './families.ts'
import { metricsRoutes } from './http.ts'
import {
  createFileMetrics,
  createKeyValueMetrics,
  createMqttMetrics,
  createQrsMetrics,
  createReportMetrics,
  createScheduleMetrics,
  createStartMetrics,
  type KeyValueSizes,
  monitorFamilies,
  type StartReport,
} from './parts.ts'
import { processFamilies, storageFamilies } from './process.ts'
import { createHttpMetrics } from './requests.ts'
import { createTaskMetrics, type TaskReport } from './tasks.ts'

/** Sources that are read at each scrape. */
export interface MetricsSources {
  readonly db: Database
  readonly clock: Clock
  readonly pipeline: Pick<EventPipeline, 'counters' | 'status'>
  /** Destinations in use, by name; `ready` is false while one takes nothing. */
  readonly alerts: { readonly destinations: ReadonlyMap<string, { readonly ready?: (() => boolean) | undefined }> }
  /** MQTT brokers that are to be connected, by address. */
  readonly brokers: Readonly<Record<string, Pick<MqttService, 'connected'>>>
  readonly starts: { readonly queueLength: number }
  /** `sizes` are null while the store is off; `streams` are open streams of server-sent events. */
  readonly kv: { sizes(): KeyValueSizes | null }
  readonly streams: { readonly count: number }
  /** How many schedules are running, stopped, invalid; null while the scheduler is off. */
  readonly schedules: { states(): Readonly<Record<string, number>> | null }
  readonly monitors: { states(): MonitorStates }
  /** Runs of report tasks that wait, and sessions that runs have at the engine; null while report tasks are off. */
  readonly reports: { queueLength(): number | null; engineSessions(): number | null }
  readonly executions: { taskStates(): readonly TaskReport[] }
  readonly certificates: () => readonly Certificate[]
  readonly shared: Pick<SharedState, 'status'>
}

export interface MetricsOptions {
  readonly dataDirectory: string
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface Certificate {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface MetricsSettings {
  readonly mqttConfig: { readonly enable: boolean }
  readonly footman: { readonly metrics: MetricsConfig; readonly node: Pick<NodeConfig, 'role'> }
}

/** Counts the events that it observes, and reads the rest from the parts at each scrape. */
export function createMetrics(
  sources: MetricsSources,
  { mqttConfig, footman }: MetricsSettings,
  { dataDirectory, qrsConnection }: MetricsOptions,
) {
  const { db, clock, kv, streams } = sources
  const { metrics, node } = footman
  const http = createHttpMetrics()
  const qrs = createQrsMetrics()
  const broker = createMqttMetrics(mqttConfig.enable)
  const starts = createStartMetrics(() => sources.starts.queueLength)
  const files = createFileMetrics()
  const schedules = createScheduleMetrics(() => sources.schedules.states())
  const reports = createReportMetrics(sources.reports)
  const keyValues = createKeyValueMetrics(() => kv.sizes())
  const events = createEventMetrics({
    counters: () => sources.pipeline.counters,
    pendingEvents: () => sources.pipeline.status.pendingEvents,
    oldestPendingMs: () => Math.max(0, clock.now() - (oldestPendingAt(db) ?? clock.now())),
    deliveries: () => deliveryCounts(db),
    destinationsUp: () =>
      new Map([...sources.alerts.destinations].map(([name, destination]) => [name, destination.ready?.() ?? true])),
  })
  const tasks = createTaskMetrics(sources.executions.taskStates, { ...metrics, types: TASK_TYPES })
  const families: MetricFamily[] = [
    ...processFamilies({ version: VERSION, role: node.role }),
    ...http.families,
    ...events.families,
    gauge('footman_qrs_up', 'Whether Qlik Sense (QRS) answers.', () =>
      qrsConnection ? Number(sources.pipeline.status.qrsReachable) : null,
    ),
    ...qrs.families,
    gauges(
      'footman_mqtt_connected',
      'Whether the MQTT broker is connected.',
      byLabel('broker', () =>
        Object.entries(sources.brokers).map(([name, { connected }]) => [name, Number(connected)]),
      ),
    ),
    ...broker.families,
    ...starts.families,
    ...tasks.families,
    ...keyValues.families,
    ...files.families,
    ...schedules.families,
    ...reports.families,
    ...monitorFamilies(() => sources.monitors.states()),
    gauge('footman_streams', 'Open streams of server-sent events.', () => streams.count),
    gauges(
      'footman_certificate_expiry_timestamp_seconds',
      'End of a certificate, in seconds since 1970.',
      byLabel('certificate', () => sources.certificates().map(({ name, expiresAt }) => [name, expiresAt / 1000])),
    ),
    ...clusterFamilies(
      () => sources.shared.status,
      () => clock.now(),
    ),
    ...storageFamilies(dataDirectory),
  ]
  return {
    /** To be subscribed to the topics of these names. */
    observers: {
      enriched: (event: EventReport) => events.onEvent(event, clock.now()),
      delivery: events.onDelivery,
      routed: events.onRouted,
      start: ({ origin }: { readonly origin: string }, report: StartReport | null) => starts.onStart(origin, report),
      executionEnded: tasks.onEnded,
      liveTasks: tasks.onLiveTasks,
      retry: tasks.onRetry,
      watchdogFinding: tasks.onWatchdog,
      keyValueOperation: keyValues.onOperation,
      fileOperation: files.onFileOperation,
      scheduleRun: schedules.onScheduleRun,
      reportFinished: reports.onReportFinished,
      qrsRequest: qrs.onRequest,
      mqttMessage: broker.onMessage,
      requestAnswered: http.observer.answered,
      authFailed: http.observer.authFailed,
    },
    /** Also those of parts that are switched off: these have no series then. */
    families: families as readonly MetricFamily[],
    routes: metrics.enable ? metricsRoutes(families, metrics) : [],
  }
}

/** Both are read from indexes of what is open or dead. */
const DELIVERY_COUNTS = `
  SELECT destination, SUM(pending) AS pending, SUM(dead) AS dead FROM (
    SELECT destination, COUNT(*) AS pending, 0 AS dead FROM delivery WHERE state IN ('pending', 'sending') GROUP BY destination
    UNION ALL
    SELECT destination, 0, COUNT(*) FROM delivery INDEXED BY delivery_dead WHERE state = 'dead' GROUP BY destination
  ) GROUP BY destination ORDER BY destination`

const deliveryCounts = (db: Database): DeliveryCount[] => db.all<DeliveryCount>(DELIVERY_COUNTS)
