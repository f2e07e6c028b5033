/**
 * The composition root: builds every service from the configuration and starts and stops them in order. Listeners come
 * first, brokers and QRS after; nothing waits for them.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DeliveryChange } from '../alerts/outbox/outbox.ts'
import { createApps } from '../apps/index.ts'
import { inputRoutes } from '../events/input/routes.ts'
import { createEventPipeline, type EventPipeline } from '../events/pipeline.ts'
import type { TaskEvent } from '../events/types.ts'
import { createFiles } from '../files/index.ts'
import { type Api, createApi } from '../http/server.ts'
import { codecRoutes } from '../kv/bases.ts'
import { createKeyValues } from '../kv/index.ts'
import { systemClock } from '../platform/clock.ts'
import { createDescriptorWatch } from '../platform/descriptors.ts'
import { createLifecycle } from '../platform/lifecycle.ts'
import type { Service } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import type { QrsObserver } from '../qlik/qrs/transport.ts'
import { createExecutions } from '../tasks/executions/index.ts'
import { lastTaskType } from '../tasks/executions/store.ts'
import { createSafetyNet, retryHolds } from '../tasks/safety-net/index.ts'
import { createMqttStarts, createStarts } from '../tasks/start/index.ts'
import { verifyStartFilter } from '../tasks/start/select.ts'
import { alertRouteRoutes } from './alert-api.ts'
import { type Alerts, buildAlerts } from './alerts.ts'
import { buildAudit } from './audit.ts'
import { brokersOf, buildCloud } from './cloud.ts'
import { buildCustomProperties } from './custom-properties.ts'
import { healthReport } from './health.ts'
import { buildInflux } from './influxdb.ts'
import { observed, outboxService } from './joints.ts'
import { buildJournal } from './journal.ts'
import { degradable } from './listeners.ts'
import { liveParts } from './live-parts.ts'
import { buildMessages } from './messages.ts'
import { buildMetrics } from './metrics.ts'
import { buildMonitors } from './monitors.ts'
import { buildMqtt } from './mqtt.ts'
import { pipelineSettings } from './pipeline-settings.ts'
import { buildQlik, isQrsUnreachable, qlikCertificates } from './qlik.ts'
import { createConfigReload } from './reload.ts'
import { createRetention } from './retention.ts'
import { createScheduleWebhook } from './schedule-webhook.ts'
import { buildScheduler } from './scheduler.ts'
import { buildSelfAlerts } from './self-alerts.ts'
import { buildSideServers } from './side-servers.ts'
import { buildStorage } from './storage.ts'
import type { App, AppDeps, AppOptions } from './types.ts'
import { buildWindows } from './windows.ts'

export type { App, AppDeps, AppOptions }

/** Opens the database; everything else waits for `start`. */
export function createApp(deps: AppDeps, options: AppOptions): App {
  const { log, paths, observe } = deps
  const { config, shadow } = options
  const clock = deps.clock ?? systemClock
  const databaseFile = deps.databaseFile ?? join(options.dataDirectory, 'footman.db')
  let isBuilt = false
  const storage = buildStorage({
    ...{ log, clock, file: databaseFile },
    claimDirectory: () => deps.directory?.claim(),
    onBack() {
      if (!isBuilt) return
      alerts.outbox.refresh()
      pipeline.wake()
    },
    onMoved() {
      void executions.restart()
      void api.republish()
    },
    onOther: deps.directory?.onOther ?? null,
  })
  const { db, writer } = storage

  const reload = createConfigReload(
    {
      ...{ log, now: () => clock.now(), source: deps.configuration },
      onProblem: (problem) => selfAlerts.onConfig(problem),
      parts: () => [...liveParts({ windows: time, alerts, api }), ...properties.live, ...monitors.live],
    },
    config,
  )
  const live = () => reload.config
  const certificates = () => [...qlikCertificates(qlik), ...api.certificates()]
  const metrics = buildMetrics(
    {
      ...{ db, clock, dataDirectory: options.dataDirectory, qrsEnabled: options.qrsConnection },
      ...{ pipeline: () => pipeline, alerts: () => alerts, starts: () => starts },
      ...{ keyValues: () => kv, schedules: () => schedules, monitors: () => monitors },
      streams: () => kv.streams + journal.openStreams,
      brokers: () => brokersOf(config, mqtt, cloud),
      certificates,
    },
    config,
  )
  const selfAlerts = buildSelfAlerts(
    {
      ...{ db, writer, clock, log, dataDirectory: options.dataDirectory, storage: storage.guard },
      ...{ pipeline: () => pipeline, alerts: () => alerts, api: () => api, qlik: () => qlik, certificates },
      descriptors: () => descriptors.problem,
      brokers: () => (shadow ? {} : brokersOf(config, mqtt, cloud)),
      calendars: () => Object.keys(live().footman.calendars),
    },
    config,
    options.qrsConnection,
  )
  const onQrsRequest: QrsObserver = (result, ms) => {
    metrics.onQrsRequest(result, ms)
    selfAlerts.onQrsRequest(result, ms)
  }
  const qlik = buildQlik({ log, clock, paths, observe: onQrsRequest }, config)
  const mqtt = buildMqtt({ log, clock, paths, observe: metrics.onMqttMessage }, config, shadow)
  const onDelivery = (change: DeliveryChange) => {
    metrics.onDelivery(change)
    selfAlerts.onDelivery(change)
    observe?.delivery?.(change)
  }
  const onEvent = (event: TaskEvent) => {
    executions.onEvent(event)
    observe?.event?.(event)
  }
  const influx = buildInflux(
    { db, writer, clock, log, paths, pipeline: () => pipeline, onDead: selfAlerts.onDeadPoints },
    config,
    shadow,
  )
  const time = buildWindows({ log, paths, onTrouble: selfAlerts.onCalendar }, config)
  const alerts: Alerts = buildAlerts(
    {
      ...{ db, writer, clock, log, mqtt, influx: influx.server, candidates: paths.candidates, output: paths.output },
      observe: onDelivery,
      onRouted: metrics.onRouted,
      ...{ qrs: qlik.qrs, windows: time.windows, holds: retryHolds(config) },
    },
    config,
    shadow,
  )
  const messages = buildMessages({ db, writer, clock, log, mqtt, qrs: qlik.qrs }, config, shadow)
  const kv = createKeyValues(
    { db, writer, clock, log, outgoing: messages.outgoing, onOperation: metrics.onOperation },
    config,
    shadow,
  )
  const audit = buildAudit({ log, clock, db, writer })
  const files = createFiles(
    { log, clock, db, writer, audit: audit.audit, onOperation: metrics.onFileOperation },
    config,
    shadow,
  )
  const executions = createExecutions(
    { db, writer, clock, log, qlik, databaseFile, workerEntry: deps.workerEntry, onEnded: metrics.onEnded },
    {
      timezone: config.footman.timezone,
      keepMs: config.footman.retention.history,
      shadow,
      qrsConnection: options.qrsConnection,
    },
  )
  const starts = createStarts(
    {
      ...{ qlik, executions, log, clock, db, writer, storeKeyValues: kv.storeKeyValues },
      onFinished(request, outcome, problem) {
        audit.onStart(request, outcome, problem)
        metrics.onStart(request.origin, outcome)
        safetyNet.onStart(request, outcome)
      },
      onDropped: audit.onDropped,
    },
    config,
    { shadow, qrsConnection: options.qrsConnection },
  )
  const { start } = starts
  const schedules = buildScheduler(
    {
      ...{ db, writer, clock, log, paths, qlik, starts, windows: time, live },
      pausedBy: alerts.maintenance.stopsSchedules,
      callWebhook: createScheduleWebhook({ db, writer, clock, alerts, candidates: paths.candidates, live }),
      onAction: audit.onScheduleAction,
      onRun: metrics.onScheduleRun,
    },
    config,
    { shadow, dataDirectory: options.dataDirectory },
  )
  const safetyNet = createSafetyNet(
    {
      ...{ db, writer, clock, log, qlik, executions, starts, alerts, metrics, pipeline: () => pipeline },
      onLost: selfAlerts.onLost,
    },
    config,
    { shadow, qrsConnection: options.qrsConnection },
  )
  const apps = createApps({ log, clock, engine: qlik.engine, start, deniedTasks: starts.deniedFollowUps }, shadow)
  const pipeline: EventPipeline = createEventPipeline(
    {
      db,
      writer,
      log,
      clock,
      qrs: qlik.qrs,
      cachedQrs: alerts.withChains(qlik.cachedQrs),
      router: observed(alerts.router, onEvent, (event) => {
        metrics.onEvent(event, clock.now())
        influx.onEnriched(event)
      }),
      completer: safetyNet.completer,
      isUnreachable: isQrsUnreachable,
      typeOfTask: lastTaskType,
      onUdpStatus: (status) => mqtt?.publishStatus(config.mqttConfig.taskFailureServerStatusTopic, status),
      workerEntry: deps.workerEntry,
      handover: deps.handover,
    },
    pipelineSettings(config, options.dataDirectory, options.qrsConnection),
  )
  const cloud = buildCloud(
    { ...{ db, writer, clock, log, paths, alerts }, pipeline: () => pipeline, observe: metrics.onMqttMessage },
    config,
    shadow,
  )
  const journal = buildJournal(
    {
      ...{ db, writer, clock, log: log.child('journal'), alerts, rawOf: pipeline.rawOf, qrs: qlik.cachedQrs, live },
      points: influx.deadLetters,
    },
    config,
    shadow,
  )
  files.jobs?.onChange((job) => journal.feed.publish('file', { ...job }))
  const properties = buildCustomProperties({ qrs: qlik.qrs, log }, config, options.qrsConnection)
  const health = () =>
    healthReport({
      ...{ pipeline, api, mqtt, influx: influx.server, qrsEnabled: options.qrsConnection },
      storage: storage.guard,
      descriptors: () => descriptors.problem,
      customProperties: properties.checks,
    })
  const monitors = buildMonitors(
    { db, writer, clock, log, qlik, mqtt, alerts, health, points: influx.points, pipeline, observe: onQrsRequest },
    config,
    { shadow, qrsConnection: options.qrsConnection },
  )
  const api: Api = createApi(
    {
      log,
      clock,
      version: VERSION,
      readFile: (path) => readFile(paths.input(path), 'utf8'),
      routes: [
        ...starts.routes,
        ...executions.routes({ reloads: apps.reloads, queued: starts.queued }),
        ...apps.routes,
        ...messages.routes,
        ...kv.routes,
        ...files.routes,
        ...schedules.routes,
        ...codecRoutes(),
        ...audit.routes,
        ...journal.routes,
        ...inputRoutes({ db, pipeline }),
        ...alertRouteRoutes({ db, writer, clock, alerts, windows: time.windows, qrs: qlik.cachedQrs }, config),
        ...metrics.routes,
        ...influx.routes,
        ...reload.routes,
      ],
      health,
      audit: audit.audit,
      observer: metrics.observer,
      dataDirectory: options.dataDirectory,
    },
    {
      restServerConfig: config.restServerConfig,
      restServerEndpointsEnable: config.restServerEndpointsEnable,
      api: config.footman.api,
      access: config.footman.access,
      timezone: config.footman.timezone,
      accessLog: config.footman.logging.accessLog,
      ...(options.apiRateLimit !== null && { rateLimitOption: options.apiRateLimit }),
    },
  )
  const descriptors = createDescriptorWatch({ log, listener: api })
  const requests = mqtt && createMqttStarts({ log, clock, db, writer, mqtt, start }, config, shadow)
  const retention = createRetention(
    { writer, clock, log, purgeJournal: pipeline.purgeJournal },
    {
      keepEventsMs: config.footman.retention.events,
      keepAuditMs: config.footman.retention.audit,
      others: [
        { keepMs: config.footman.retention.events, purge: journal.purge },
        executions.aging,
        ...alerts.aging,
        ...influx.aging,
        ...safetyNet.agings,
      ],
    },
  )

  // They do not need one another, and opening the socket of the ingest worker takes the longest of all.
  const listeners = [pipeline, api, ...buildSideServers({ log, clock, health }, config)]

  // Stopped in reverse: first what takes work in, then what hands it out, the database last.
  const services: readonly (Service | readonly Service[] | null)[] = [
    storage.service,
    { name: 'repository client', start: async () => {}, stop: async () => qlik.qrs.close() },
    options.qrsConnection && (config.configQRS.useSSL || config.configEngine.useSSL) ? qlik.certificates : null,
    executions.service,
    starts.service,
    requests,
    mqtt,
    time.service,
    ...influx.services,
    outboxService(alerts),
    ...alerts.services,
    ...messages.services,
    descriptors,
    listeners.map((listener) => degradable(listener, options.degraded, log)),
    ...(cloud?.services ?? []),
    executions.waiting,
    apps.service,
    ...executions.services,
    ...safetyNet.services,
    ...kv.services,
    ...files.services,
    ...schedules.services,
    journal.streams,
    selfAlerts.service,
    properties.service,
    ...monitors.services,
    retention,
    reload.watch,
  ]
  const running = services.filter((service) => service !== null)
  const lifecycle = createLifecycle({ log }, running)

  return {
    async start() {
      isBuilt = true
      await lifecycle.start()
      if (options.qrsConnection) void verifyStartFilter({ qrs: qlik.qrs, log }, config)
    },
    stop: lifecycle.stop,
    reload: () => reload.reload(),
    isAlive: pipeline.isAlive,
    describe: api.describe,
    get restPort() {
      return api.port
    },
  }
}
