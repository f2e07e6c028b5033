/**
 * The composition root: builds every service from the configuration and starts and stops them in order. Listeners come
 * first, brokers and QRS after; nothing waits for them.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceStatusPayload } from '../alerts/destinations/mqtt.ts'
import { createHistory } from '../alerts/history/index.ts'
import { createAlerts } from '../alerts/index.ts'
import { createApps } from '../apps/index.ts'
import { createCloud } from '../events/cloud/index.ts'
import { createEventEmitter } from '../events/emit.ts'
import { inputRoutes } from '../events/http.ts'
import { createEventPipeline, pipelineSettings } from '../events/pipeline.ts'
import { createFiles } from '../files/index.ts'
import { type Api, createApi } from '../http/server.ts'
import { codecRoutes } from '../kv/bases.ts'
import { createKeyValues } from '../kv/index.ts'
import { createInfluxDb } from '../metrics/influxdb/index.ts'
import { createQueueMetrics, memoryPoint } from '../metrics/influxdb/own-points.ts'
import { createMetrics } from '../metrics/prometheus/index.ts'
import { createCustomPropertyWatch } from '../monitors/custom-properties.ts'
import { createMonitors } from '../monitors/index.ts'
import { createSelfAlerts } from '../monitors/self-alerts/index.ts'
import { createMessages, createMqtt } from '../mqtt/index.ts'
import { createDescriptorWatch } from '../platform/descriptors.ts'
import { createLifecycle } from '../platform/lifecycle.ts'
import { openStorage } from '../platform/storage/index.ts'
import { type Service, systemClock } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { createQlik, isQrsUnreachable, qlikCertificates } from '../qlik/index.ts'
import { createExecutions } from '../tasks/executions/index.ts'
import { lastTaskType, taskStates } from '../tasks/executions/store.ts'
import { createSafetyNet, retrySuppressions } from '../tasks/safety-net/index.ts'
import { createSchedules } from '../tasks/schedule/index.ts'
import { createMqttStarts, createStartPublishing, createStarts } from '../tasks/start/index.ts'
import { verifyStartFilter } from '../tasks/start/select.ts'
import { buildAudit } from './audit.ts'
import { buildCalendars } from './calendars.ts'
import { customPropertyNeeds } from './config/custom-properties.ts'
import { healthReport } from './health.ts'
import { buildSideServers, degradable } from './listeners.ts'
import { MIGRATIONS } from './migrations.ts'
import { createObservers, eventAnnouncer } from './observers.ts'
import { createConfigReload } from './reload.ts'
import { createRetention } from './retention.ts'
import { createScheduleWebhook, hasWebhook } from './schedule-webhook.ts'
import type { App, AppDeps, AppOptions } from './types.ts'

export type { App, AppDeps, AppOptions }

/** Opens the database; everything else waits for `start`. Parts are built after those that they need. */
export function createApp(deps: AppDeps, options: AppOptions): App {
  const { log, paths, workerEntry } = deps
  const { config, shadow, dataDirectory, qrsConnection } = options
  const clock = deps.clock ?? systemClock
  const databaseFile = deps.databaseFile ?? join(dataDirectory, 'footman.db')
  const observers = createObservers()
  const { announce } = observers
  observers.subscribe({ ...deps.observe })

  const storage = openStorage(
    {
      log,
      clock,
      claimDirectory: () => deps.directory?.claim(),
      onBack: announce('storageBack'),
      onMoved: announce('storageMoved'),
      onOther: deps.directory?.onOther ?? null,
    },
    { file: databaseFile, migrations: MIGRATIONS },
  )
  const { db, writer } = storage
  /** Dependencies of nearly every part. */
  const base = { db, writer, clock, log }
  const reload = createConfigReload(
    { log, now: () => clock.now(), source: deps.configuration, onProblem: announce('configuration') },
    config,
  )
  const live = () => reload.config
  const qlik = createQlik({ log, clock, paths, observe: announce('qrsRequest') }, config)
  const { qrs, cachedQrs } = qlik
  const mqtt = createMqtt({ log, clock, paths, observe: announce('mqttMessage') }, config, shadow)
  const influx = createInfluxDb({ ...base, paths, onDead: announce('pointsDead') }, config, shadow)
  const time = buildCalendars({ log, paths, onFailure: announce('calendar') }, config)
  const { windows, calendars } = time
  const alerts = createAlerts(
    {
      ...base,
      qlik,
      mqtt,
      windows,
      influx: influx.server,
      candidates: paths.candidates,
      output: paths.output,
      suppressions: retrySuppressions(config),
      observe: announce('delivery'),
      onRouted: announce('routed'),
      onHandled: eventAnnouncer(observers),
    },
    config,
    shadow,
  )
  const admit = createStartPublishing({ ...base, qlik }, config)
  const messages = createMessages({ ...base, mqtt, admit }, config, shadow)
  const { outgoing } = messages
  const kv = createKeyValues({ ...base, outgoing, onOperation: announce('keyValueOperation') }, config, shadow)
  const audit = buildAudit(base)
  const files = createFiles({ ...base, audit: audit.audit, onOperation: announce('fileOperation') }, config, shadow)
  const executions = createExecutions(
    { ...base, qlik, databaseFile, workerEntry, onEnded: announce('executionEnded') },
    { timezone: config.footman.timezone, keepMs: config.footman.retention.history, shadow, qrsConnection },
  )
  const starts = createStarts(
    {
      ...base,
      qlik,
      executions,
      storeKeyValues: kv.storeKeyValues,
      onFinished: announce('start'),
      onDropped: announce('startDropped'),
    },
    config,
    { shadow, qrsConnection },
  )
  const { start } = starts
  const apps = createApps({ log, clock, qlik, start, deniedTasks: starts.deniedFollowUps }, shadow)
  const schedules = createSchedules(
    {
      ...base,
      paths,
      qlik,
      starts,
      windows,
      calendars,
      apps: apps.dumps,
      hasWebhook: (name) => hasWebhook(live(), name),
      callWebhook: createScheduleWebhook({ db, writer, clock, alerts, candidates: paths.candidates, live }),
      pausedBy: alerts.maintenance.stopsSchedules,
      onAction: announce('scheduleAction'),
      onRun: announce('scheduleRun'),
    },
    config,
    { shadow, dataDirectory },
  )
  const emitter = createEventEmitter(
    { writer, clock, router: alerts.router, wakeEnricher: announce('enrichmentWanted') },
    { waitMs: config.footman.delivery.enrichmentTimeout },
  )
  const safetyNet = createSafetyNet(
    {
      ...base,
      qlik,
      executions,
      starts,
      alerts,
      emitter,
      onRetry: announce('retry'),
      onLiveTasks: announce('liveTasks'),
      onFinding: announce('watchdogFinding'),
      onLost: announce('messagesLost'),
    },
    config,
    { shadow, qrsConnection },
  )
  const pipeline = createEventPipeline(
    {
      ...base,
      qrs,
      router: alerts.router,
      workerEntry,
      handover: deps.handover,
      cachedQrs: alerts.withChains(cachedQrs),
      completer: safetyNet.completer,
      isUnreachable: isQrsUnreachable,
      typeOfTask: lastTaskType,
      onUdpStatus: announce('udpStatus'),
    },
    pipelineSettings(config, dataDirectory, qrsConnection),
  )
  const cloud = createCloud(
    {
      ...base,
      paths,
      emitter,
      observe: announce('mqttMessage'),
      wants: (outcome) => alerts.router.wants('cloudReload', outcome),
    },
    config,
    shadow,
  )
  const { brokerHost, brokerPort } = config.mqttConfig
  const brokers = {
    ...(mqtt && { [`${brokerHost}:${brokerPort}`]: mqtt }),
    ...(cloud && { [cloud.broker]: cloud.mqtt }),
  }
  const queueMetrics = createQueueMetrics({ db, clock, log, pipeline, points: influx.points }, config)
  const history = createHistory(
    {
      db,
      writer,
      clock,
      log: log.child('journal'),
      alerts,
      rawOf: pipeline.rawOf,
      qrs: cachedQrs,
      live,
      queues: [influx.deadLetters, messages.deadLetters].filter((queue) => queue !== null),
    },
    config.footman,
  )
  const properties = qrsConnection ? createCustomPropertyWatch({ qrs, log }, customPropertyNeeds(config)) : null

  // Called only while the API runs, so that `api` is set.
  const certificates = () => [...qlikCertificates(qlik), ...api.certificates()]
  const health = () =>
    healthReport({
      pipeline,
      api,
      mqtt,
      influx: influx.server,
      qrsEnabled: qrsConnection,
      descriptors,
      storage: storage.guard,
      customProperties: properties?.states() ?? {},
    })

  const monitors = createMonitors(
    {
      ...base,
      qlik,
      emitter,
      health,
      points: influx.points,
      observe: announce('qrsRequest'),
      memoryPoint: (at) => memoryPoint(process.memoryUsage(), VERSION, at),
      publishService:
        mqtt && ((topic, host, details) => mqtt.publishStatus(topic, serviceStatusPayload(host, details))),
      releaseLatest: alerts.releaseLatest,
    },
    config,
    { shadow, qrsConnection },
  )
  const metrics = createMetrics(
    {
      db,
      clock,
      dataDirectory,
      pipeline,
      destinations: alerts.destinations,
      brokers,
      starts,
      keyValues: kv,
      schedules,
      monitors,
      certificates,
      qrsEnabled: qrsConnection,
      taskStates: () => taskStates(db),
      streams: () => kv.streams + history.openStreams,
    },
    config,
  )
  const api: Api = createApi(
    {
      log,
      clock,
      version: VERSION,
      configuration: deps.configuration?.initial.file ?? null,
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
        ...history.routes,
        ...inputRoutes({ db, pipeline }),
        ...alerts.routes,
        ...metrics.routes,
        ...influx.routes,
        ...reload.routes,
      ],
      health,
      audit: audit.audit,
      observer: { answered: announce('requestAnswered'), authFailed: announce('authFailed') },
      dataDirectory,
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
  const selfAlerts = createSelfAlerts(
    {
      ...base,
      storage: storage.guard,
      emitter,
      pipeline,
      api,
      qlik,
      certificates,
      descriptors,
      destinations: alerts.destinations,
      brokers: shadow ? {} : brokers,
      calendars: () => Object.keys(live().footman.calendars),
    },
    config,
    { dataDirectory, qrsEnabled: qrsConnection },
  )
  const requests = mqtt && outgoing && createMqttStarts({ ...base, mqtt, outgoing, start }, config, shadow)
  const { retention } = config.footman
  const pruning = createRetention(
    { writer, clock, log, purgeJournal: pipeline.purgeJournal },
    {
      keepEventsMs: retention.events,
      keepAuditMs: retention.audit,
      others: [
        { keepMs: retention.events, purge: history.purge },
        executions.pruning,
        ...alerts.pruning,
        ...influx.pruning,
        messages.pruning,
        ...safetyNet.pruning,
      ],
    },
  )

  observers.subscribe(metrics.observers)
  observers.subscribe(selfAlerts.observers)
  observers.subscribe(audit.observers)
  observers.subscribe({
    event: executions.onEvent,
    start: safetyNet.onStart,
    enriched: queueMetrics?.onEnriched,
    enrichmentWanted: pipeline.wake,
    udpStatus(status) {
      safetyNet.onUdpStatus(status)
      mqtt?.publishStatus(config.mqttConfig.taskFailureServerStatusTopic, status)
    },
    storageBack() {
      alerts.outbox.refresh()
      pipeline.wake()
    },
    storageMoved() {
      void executions.restart()
      void api.republish()
    },
  })
  files.jobs?.onChange((job) => history.feed.publish('file', { ...job }))
  reload.follow({
    async alerts(next, changed) {
      const times = await time.prepare(next)
      const useAlerts = alerts.prepare(times.windows, next, changed)
      // In one go: no event meets new windows and old rules.
      return () => {
        void times.use()
        return useAlerts()
      }
    },
    api: ({ footman: { api: settings, access, logging } }) =>
      api.prepare({ api: settings, access, accessLog: logging.accessLog }),
    customProperties(next) {
      const needs = customPropertyNeeds(next)
      return () => properties?.follow(needs)
    },
    ...monitors.prepare,
  })

  // They do not need one another, and opening the socket of the ingest worker takes the longest of all.
  const listeners = [pipeline, api, ...buildSideServers({ log, clock, health }, config)]

  // Stopped in reverse: first what takes work in, then what hands it out, the database last.
  const services: readonly (Service | readonly Service[] | null)[] = [
    storage.service,
    { name: 'repository client', start: async () => {}, stop: async () => qrs.close() },
    qrsConnection && (config.configQRS.useSSL || config.configEngine.useSSL) ? qlik.certificates : null,
    executions.service,
    starts.service,
    requests,
    mqtt,
    time.service,
    ...influx.services,
    queueMetrics,
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
    history.streams,
    selfAlerts.service,
    properties,
    ...monitors.services,
    pruning,
    reload.watch,
  ]
  const running = services.filter((service) => service !== null)
  const lifecycle = createLifecycle({ log }, running)

  return {
    async start() {
      await lifecycle.start()
      if (qrsConnection) void verifyStartFilter({ qrs, log }, config)
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
