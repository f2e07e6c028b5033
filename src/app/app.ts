/**
 * The composition root: builds every part from the configuration and starts and stops them in order. Listeners come
 * first, brokers and QRS after; nothing waits for them.
 */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createHistory } from '../alerts/history/index.ts'
import { createAlerts } from '../alerts/index.ts'
import { createApps } from '../apps/index.ts'
import { leaveCluster } from '../cluster/leave.ts'
import { createLocalState } from '../cluster/local.ts'
import { createConsole } from '../console/index.ts'
import { createCloud } from '../events/cloud/index.ts'
import { createEventEmitter } from '../events/emit.ts'
import { inputRoutes } from '../events/http.ts'
import { createEventPipeline, pipelineSettings } from '../events/pipeline.ts'
import { createFiles } from '../files/index.ts'
import { createLogFolders } from '../files/script-logs.ts'
import { createKeyUses } from '../http/auth/key-uses.ts'
import { createEventStreams } from '../http/endpoint/event-stream.ts'
import { createIdempotency } from '../http/endpoint/idempotency.ts'
import { createRelays } from '../http/relays.ts'
import { type Api, createApi } from '../http/server.ts'
import { createKeyValues } from '../kv/index.ts'
import { createInfluxDb } from '../metrics/influxdb/index.ts'
import { createQueueMetrics } from '../metrics/influxdb/own-points.ts'
import { createMetrics } from '../metrics/prometheus/index.ts'
import { createCustomPropertyWatch } from '../monitors/custom-properties.ts'
import { createMonitors } from '../monitors/index.ts'
import { selfAlertRoutes } from '../monitors/self-alerts/http.ts'
import { createSelfAlerts } from '../monitors/self-alerts/index.ts'
import { createMessages, createMqtt } from '../mqtt/index.ts'
import { createDescriptorWatch } from '../platform/descriptors.ts'
import { createLifecycle } from '../platform/lifecycle.ts'
import { releaseAfterWork } from '../platform/runtime.ts'
import { openStorage } from '../platform/storage/index.ts'
import { systemClock } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { hostZone } from '../platform/zone.ts'
import { createZoneTimes } from '../platform/zone-times.ts'
import { createQlik, isQrsUnreachable } from '../qlik/index.ts'
import { createExecutions } from '../tasks/executions/index.ts'
import { lastTaskType } from '../tasks/executions/store.ts'
import { createOverview } from '../tasks/overview/index.ts'
import { createSafetyNet, retrySuppressions } from '../tasks/safety-net/index.ts'
import { createMarks } from '../tasks/safety-net/store.ts'
import { createSchedules } from '../tasks/schedule/index.ts'
import { createStartPublishing, createStarts } from '../tasks/start/index.ts'
import { aboutRoute, aboutSettings } from './about.ts'
import { createAttention } from './attention/index.ts'
import { buildAudit } from './audit.ts'
import { buildCalendars } from './calendars.ts'
import { clusterRoutes } from './cluster-http.ts'
import { customPropertyNeeds } from './config/custom-properties.ts'
import { withDraftRoutes } from './config/draft-routes.ts'
import { createExecutionTopic } from './execution-topic.ts'
import { healthReport } from './health.ts'
import {
  apiSettings,
  browserPages,
  buildSideServers,
  consoleSettings,
  degradable,
  liveApiSettings,
} from './listeners.ts'
import { MIGRATIONS } from './migrations.ts'
import { createObservers, eventAnnouncer } from './observers.ts'
import { createConfigReload } from './reload.ts'
import { buildReports } from './reports.ts'
import { createRetention } from './retention.ts'
import { createScheduleWebhooks } from './schedule-webhook.ts'
import type { Config } from './schema.ts'
import { searchRoute } from './search.ts'
import type { App, AppDeps, AppOptions, Part } from './types.ts'

export type { App, AppDeps, AppOptions }

/** Tables of work that a node may bring to the one that leads. */
const QUEUES = ['event', 'delivery', 'cloud_message', 'mqtt_outgoing', 'influx_point']

/** Opens the database; everything else waits for `start`. Parts are built after those that they need. */
export function createApp(deps: AppDeps, options: AppOptions): App {
  const { log, paths, workerEntry } = deps
  const { config, shadow, dataDirectory, qrsConnection } = options
  const databaseFile = deps.databaseFile ?? join(dataDirectory, 'footman.db')
  const observers = createObservers()
  const { on } = observers

  const storage = openStorage(
    {
      log,
      clock: deps.clock ?? systemClock,
      claimDirectory: () => deps.directory?.claim(),
      onBack: on.workMayWait,
      onMoved: on.storageMoved,
      onOther: deps.directory?.onOther ?? null,
      afterCommit: () => shared.afterCommit(),
    },
    { file: databaseFile, migrations: MIGRATIONS },
  )
  const { db, writer } = storage
  if (!deps.shared) leaveCluster(db)
  const shared = deps.shared?.({ db, log }) ?? createLocalState(deps.clock)
  shared.onApplied((tables) => {
    if (QUEUES.some((table) => tables.has(table))) on.workMayWait()
  })
  const { clock } = shared
  /** Of these each part takes those that it names. */
  const times = createZoneTimes(config.footman.timezone)
  const base = { db, writer, clock, times, log, paths, on, databaseFile, workerEntry, shared }
  const reload = createConfigReload({ ...base, source: deps.configuration }, config)
  const live = () => reload.config
  // Parts that run once in a cluster see a satellite in a follower.
  const dutyConfig = shared.runsDuties ? config : asFollower(config)
  const logFolders = createLogFolders(base, config.footman.scriptLogs.folders)
  const qlik = createQlik({ ...base, logFolders }, config, options)
  const mqtt = createMqtt(base, config, shadow)
  const influx = createInfluxDb(base, config, shadow)
  const time = buildCalendars(base, config)
  const suppressions = retrySuppressions(config)
  const draftRoutes = (yaml: string) => withDraftRoutes(yaml, live())
  const alerts = createAlerts({ ...base, qlik, mqtt, influx, time, suppressions, draftRoutes }, config, shadow)
  const admit = createStartPublishing({ ...base, qlik }, config)
  const admitMessage: typeof admit = (request, message) => {
    reports.admitMessage(request.caller, message.topic)
    return admit(request, message)
  }
  const messages = createMessages({ ...base, mqtt, admit: admitMessage }, config, shadow)
  const streams = createEventStreams({ maxStreams: () => live().footman.api.maxStreams })
  const kv = createKeyValues({ ...base, streams, messages }, config, shadow)
  const { audit, ...auditPart } = buildAudit(base, config, shadow)
  const keyUses = createKeyUses({ ...base, node: config.footman.node.name || hostname() })
  const files = createFiles({ ...base, audit }, config, shadow)
  const executions = createExecutions({ ...base, qlik }, config, options)
  const starts = createStarts({ ...base, qlik, executions, mqtt, messages, kv }, dutyConfig, options)
  const apps = createApps({ ...base, qlik, starts }, shadow)
  const webhooks = createScheduleWebhooks({ ...base, alerts, live })
  const schedules = createSchedules({ ...base, ...webhooks, qlik, alerts, starts, time, apps }, dutyConfig, options)
  const overview = createOverview(
    { ...base, qlik, executions, schedules, alerts, reports: (from, to) => reports.firings(from, to) },
    config,
    options,
  )
  const emitter = createEventEmitter(
    { ...base, router: alerts.router, wakeEnricher: on.enrichmentWanted },
    { waitMs: config.footman.delivery.enrichmentTimeout },
  )
  const safetyNet = createSafetyNet({ ...base, qlik, executions, starts, alerts, emitter }, dutyConfig, options)
  const pipeline = createEventPipeline(
    {
      ...base,
      qrs: qlik.batchedQrs,
      cachedQrs: alerts.withChains(qlik.cachedQrs),
      router: alerts.router,
      handover: deps.handover,
      completer: safetyNet.completer,
      acceptEvent: emitter.accept,
      isUnreachable: isQrsUnreachable,
      typeOfTask: lastTaskType,
      onUdpStatus: on.udpStatus,
    },
    pipelineSettings(config, dataDirectory, qrsConnection),
  )
  const cloud = createCloud({ ...base, emitter, alerts }, dutyConfig, shadow)
  const brokers = { ...messages.brokers, ...cloud.brokers }
  const queues = [influx.deadLetters, messages.deadLetters, auditPart.deadLetters].filter((queue) => queue !== null)
  const history = createHistory(
    { ...base, alerts, qlik, pipeline, executions, safetyNet, live, streams, queues },
    config.footman,
  )
  const propertyNeeds = (now: Config) => (qrsConnection ? customPropertyNeeds(now) : [])
  const properties = createCustomPropertyWatch({ ...qlik, log }, propertyNeeds(config))

  // Called only while the API runs, so that `api` is set.
  const certificates = () => [...qlik.certificateEnds(), ...api.certificates()]
  const health = () =>
    healthReport({ shared, qlik, pipeline, api, mqtt, influx, qrsConnection, descriptors, storage, properties })
  const marks = shared.mode === 'single' ? null : createMarks(base)
  const monitors = createMonitors(
    { ...base, qlik, emitter, alerts, influx, health, certificates, marks },
    dutyConfig,
    options,
  )
  const reports = buildReports(deps.reports ?? null, { ...base, qlik, mqtt, kv, influx, messages }, config, options)
  const metrics = createMetrics(
    {
      ...base,
      pipeline,
      alerts,
      brokers,
      starts,
      executions,
      kv,
      schedules,
      monitors,
      streams,
      certificates,
      reports,
      cluster: () => shared.status,
    },
    config,
    options,
  )
  const watchedLicence = config.qlikSenseLicense.serverLicenseMonitor
  const attention = createAttention(
    {
      ...base,
      alerts,
      overview,
      monitors,
      schedules,
      certificates,
      licenceDays: watchedLicence.enable ? watchedLicence.alert.thresholdDays : null,
    },
    { timezone: config.footman.timezone || hostZone() },
  )
  const worked = releaseAfterWork(db.shrink)
  const pages = createConsole({ ...base, audit }, consoleSettings(config, shadow))
  const delivering = (part: Part) => (shared.delivers ? part : resting(part))
  const onDuty = (part: Part) => (shared.runsDuties ? part : resting(part))
  const features: readonly Part[] = [
    { observers: { ...deps.observe, ...eventAnnouncer(on) } },
    { observers: { event: worked, delivery: worked } },
    qlik,
    cloud,
    onDuty(executions),
    onDuty(starts),
    delivering({ backends: mqtt ? [mqtt] : [] }),
    time,
    delivering(influx),
    delivering(createQueueMetrics({ ...base, pipeline, influx }, config)),
    delivering(alerts),
    onDuty(messages),
    here(createRelays(base, config, shadow)),
    {
      ...here({ routes: inputRoutes({ db, pipeline }) }),
      observers: { enrichmentWanted: pipeline.wake, workMayWait: pipeline.wake },
    },
    auditPart,
    { backends: keyUses.services, pruning: keyUses.pruning },
    apps,
    executions.api({ apps, starts }),
    onDuty(safetyNet),
    kv,
    onDuty({ services: kv.duties }),
    here(files),
    schedules,
    overview,
    attention,
    // Before the REST API, whose stop an open stream would hold up.
    { services: [{ name: 'event streams', start: async () => {}, stop: async () => streams.stop() }] },
    history,
    createExecutionTopic(
      { log, feed: history.feed, qrs: qlik.qrs, runningTasks: safetyNet.runningTasks },
      qrsConnection ? {} : { pollMs: 0 },
    ),
    onDuty(reports),
    metrics,
    delivering({ services: [properties] }),
    monitors,
    here(reload),
    {
      routes: [
        ...selfAlertRoutes({ db, isOn: config.footman.selfAlerts.enable }),
        searchRoute({ db, overview, reports: config.footman.reportTask.enable }),
        ...clusterRoutes({ shared, clock, cluster: deps.cluster ?? null }),
        aboutRoute(clock.now(), () => aboutSettings(live(), options)),
      ],
    },
    here(pages),
  ]
  const api: Api = createApi(
    {
      log,
      clock,
      health,
      audit,
      keyUses,
      idempotency: { leader: createIdempotency(base, 'leader'), here: createIdempotency(base, 'here') },
      dataDirectory,
      version: VERSION,
      configuration: deps.configuration?.initial.file ?? null,
      readFile: (path) => readFile(paths.input(path), 'utf8'),
      routes: features.flatMap(({ routes = [] }) => routes),
      observer: { answered: on.requestAnswered, authFailed: on.authFailed },
      shared,
      pages: () => browserPages(live()),
      serve: shared.serve,
      restHandover: deps.restHandover,
    },
    apiSettings(config, options),
  )
  const descriptors = createDescriptorWatch({ log, listener: api })
  const alarmed = { brokers: shadow ? {} : brokers, calendars: () => Object.keys(live().footman.calendars) }
  const parts: readonly Part[] = [
    ...features,
    { backends: [descriptors], observers: { storageMoved: api.republish } },
    createSelfAlerts(
      { ...base, ...alarmed, storage, emitter, pipeline, api, qlik, certificates, descriptors, alerts },
      config,
      options,
    ),
    { services: [createRetention({ ...base, pipeline, features }, config.footman.retention)] },
    // Started last and stopped first: a part that does not run cannot take the messages that the broker has kept.
    delivering({ services: mqtt ? [mqtt.intake] : [] }),
  ]
  for (const part of parts) observers.subscribe({ ...part.observers })
  reload.follow({
    alerts: time.following(alerts.prepare),
    api: (next) => api.prepare(liveApiSettings(next)),
    console: (next) => () => pages.follow(consoleSettings(next, shadow)),
    customProperties: (next) => () => properties.follow(propertyNeeds(next)),
    ...monitors.prepare,
  })

  // They do not need one another, and opening the socket of the ingest worker takes the longest of all.
  const listeners = [pipeline, api, ...buildSideServers({ log, clock, health }, config)]
  // Stopped in reverse: first what takes work in, then what hands it out, the database last.
  const lifecycle = createLifecycle({ log }, [
    storage.service,
    ...shared.services,
    ...parts.flatMap(({ backends = [] }) => backends),
    listeners.map((listener) => degradable(listener, options.degraded, log)),
    ...parts.flatMap(({ services = [] }) => services),
  ])
  return {
    start: lifecycle.start,
    stop: lifecycle.stop,
    reload: () => reload.reload(),
    isAlive: pipeline.isAlive,
    health: () => health().checks,
    describe: api.describe,
    get restPort() {
      return api.port
    },
  }
}

/** Its endpoints and what it keeps, without what it does by itself. */
const resting = ({ routes = [], pruning = [] }: Part): Part => ({ routes, pruning })

/** Its endpoints concern the node that is asked. */
const here = (part: Part): Part => ({ ...part, routes: part.routes?.map((route) => ({ ...route, at: 'here' })) ?? [] })

/** Of the parts that know satellites; the states of services are looked at by one node too. */
const asFollower = (config: Config): Config => ({
  ...config,
  serviceMonitor: { ...config.serviceMonitor, enable: false },
  footman: { ...config.footman, node: { ...config.footman.node, role: 'satellite' } },
})
