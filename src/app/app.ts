/**
 * The composition root: builds every part from the configuration and starts and stops them in order. Listeners come
 * first, brokers and QRS after; nothing waits for them.
 */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createHistory } from '../alerts/history/index.ts'
import { type Alerts, createAlerts } from '../alerts/index.ts'
import { certainTest } from '../alerts/rules/match.ts'
import { createApps } from '../apps/index.ts'
import { leaveCluster } from '../cluster/leave.ts'
import { createLocalState } from '../cluster/local.ts'
import { decode } from '../config/root.ts'
import { emptyMap } from '../config/tree.ts'
import { createConsole } from '../console/index.ts'
import { createCloud } from '../events/cloud/index.ts'
import { createEventEmitter, type EventAcceptor } from '../events/emit.ts'
import { inputRoutes } from '../events/http.ts'
import { createEventPipeline, type EventPipeline } from '../events/pipeline.ts'
import { createFiles } from '../files/index.ts'
import { createLogFolders } from '../files/script-logs.ts'
import { createKeyUses } from '../http/auth/key-uses.ts'
import { createEventStreams } from '../http/endpoint/event-stream.ts'
import { createIdempotency } from '../http/endpoint/idempotency.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { createRelays } from '../http/relays.ts'
import { type Api, type ApiDeps, createApi, createApiServer } from '../http/server.ts'
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
import { createZoneTimes } from '../platform/zone-times.ts'
import { createQlik, isQrsUnreachable, type Qlik } from '../qlik/index.ts'
import type { SettingsUser } from '../settings/changes.ts'
import { createConnectionGuard } from '../settings/guard.ts'
import type { SettingsInUse } from '../settings/http.ts'
import { createSettings } from '../settings/index.ts'
import type { SettingKind } from '../settings/kinds.ts'
import { isStoredIn, unusableOf } from '../settings/merge.ts'
import type { KeySettings } from '../settings/sealed.ts'
import { createSettingStore, openSettings, type SettingStore } from '../settings/store.ts'
import { createExecutions } from '../tasks/executions/index.ts'
import { lastTaskType } from '../tasks/executions/store.ts'
import { createOverview, type Overview } from '../tasks/overview/index.ts'
import { createSafetyNet, retryHolds, type SafetyNet } from '../tasks/safety-net/index.ts'
import { createMarks } from '../tasks/safety-net/store.ts'
import { createTaskPolicies } from '../tasks/safety-net/task-policies.ts'
import { createSchedules, type Schedules } from '../tasks/schedule/index.ts'
import { namesInSchedule } from '../tasks/schedule/plan.ts'
import { createStartPublishing, createStarts } from '../tasks/start/index.ts'
import { aboutRoute, aboutSettings } from './about.ts'
import { createAttention } from './attention/index.ts'
import { buildAudit } from './audit.ts'
import { type BuiltCalendars, buildCalendars, readCalendars } from './calendars.ts'
import { clusterRoutes } from './cluster-http.ts'
import { referencesIn } from './config/checks/footman.ts'
import { customPropertyNeeds } from './config/custom-properties.ts'
import { withDraftRoutes } from './config/draft-routes.ts'
import { settingSchema } from './config/stored.ts'
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
import { lookupRoute } from './lookup.ts'
import { MIGRATIONS } from './migrations.ts'
import { createObservers, eventAnnouncer } from './observers.ts'
import { type ConfigReload, createConfigReload } from './reload.ts'
import { buildReports } from './reports.ts'
import { createRetention } from './retention.ts'
import { createScheduleWebhooks } from './schedule-webhook.ts'
import type { Config } from './schema.ts'
import { searchRoute } from './search.ts'
import type { App, AppDeps, AppOptions, Part } from './types.ts'

export type { App, AppDeps, AppOptions }

/** Opens the database; everything else waits for `start`. Each part is built after those that it needs. */
export function createApp(deps: AppDeps, options: AppOptions): App {
  const { config, shadow, qrsConnection } = options
  const { base, observers, storage, reload, settings } = openGround(deps, options)
  const { log, db, clock, on, shared } = base
  const live = () => reload.config
  // Parts that run once in a cluster see a satellite in a follower.
  const dutyConfig = shared.runsDuties ? config : asFollower(config)
  const logFolders = createLogFolders(base, config.footman.scriptLogs.folders)
  const qlik = createQlik({ ...base, logFolders }, config, options)
  const mqtt = createMqtt(base, config, shadow)
  const influx = createInfluxDb(base, config, shadow)
  const time = buildCalendars(base, config)
  const policies = createTaskPolicies({ log, compile: (matches) => certainTest(matches, time) }, config.footman)
  const holds = retryHolds(config)
  const own = settingsInUse(base, reload)
  const alerts = createAlerts({ ...base, ...own, qlik, mqtt, influx, time, holds }, config, shadow)
  const messages = createMessages({ ...base, mqtt }, config, shadow)
  const streams = createEventStreams({ maxStreams: () => live().footman.api.maxStreams })
  const kv = createKeyValues({ ...base, streams, messages }, config, shadow)
  const { audit, ...auditPart } = buildAudit(base, config, shadow)
  const keyUses = createKeyUses({ ...base, node: config.footman.node.name || hostname() })
  const files = createFiles({ ...base, audit }, config, shadow)
  const eventsWaiting = () => pipeline.status.queue.waiting + pipeline.status.unverified.waiting
  const executions = createExecutions({ ...base, qlik, eventsWaiting }, config, options)
  const starts = createStarts({ ...base, qlik, executions, mqtt, messages, kv }, dutyConfig, options)
  const apps = createApps({ ...base, qlik, starts }, shadow)
  const webhooks = createScheduleWebhooks({ ...base, alerts, live })
  const schedules = createSchedules({ ...base, ...webhooks, qlik, alerts, starts, time, apps }, dutyConfig, options)
  const reports = buildReports(deps.reports ?? null, { ...base, qlik, mqtt, kv, influx, messages }, config, options)
  const admitStarts = createStartPublishing({ ...base, qlik }, config)
  const admit: typeof admitStarts = (request, message) => {
    reports.admitMessage(request.caller, message.topic)
    return admitStarts(request, message)
  }
  const overview = createOverview(
    { ...base, qlik, executions, schedules, alerts, policies, reports: reports.firings },
    config,
    options,
  )
  const emitter = createEventEmitter(
    { ...base, router: alerts.router, wakeEnricher: on.enrichmentWanted },
    { waitMs: config.footman.delivery.enrichmentTimeout },
  )
  const safetyNet = createSafetyNet(
    { ...base, qlik, executions, starts, alerts, emitter, policies },
    dutyConfig,
    options,
  )
  const pipeline = buildPipeline({ base, qlik, alerts, emitter, safetyNet }, deps, options)
  const cloud = createCloud({ ...base, emitter, alerts }, dutyConfig, shadow)
  const brokers = { ...messages.brokers, ...cloud.brokers }
  const queues = [influx.deadLetters, messages.deadLetters, auditPart.deadLetters].filter((queue) => queue !== null)
  const history = createHistory(
    { ...base, alerts, qlik, pipeline, executions, safetyNet, live, streams, queues },
    config.footman,
  )
  const propertyNeeds = (now: Config) => (qrsConnection ? customPropertyNeeds(now) : [])
  const properties = createCustomPropertyWatch({ ...qlik, log }, propertyNeeds(config))

  // Monitors and metrics look at the server; its API comes last, with the endpoints of all parts.
  const rest = createApiServer(config.restServerConfig)
  const descriptors = createDescriptorWatch({ log, listener: rest })
  const certificates = () => [...qlik.certificateEnds(), ...rest.certificates()]
  const health = () =>
    healthReport({ ...base, ...options, alerts, qlik, pipeline, rest, mqtt, influx, descriptors, storage, properties })
  const marks = shared.mode === 'single' ? null : createMarks(base)
  const monitors = createMonitors(
    { ...base, qlik, emitter, alerts, influx, health, certificates, marks },
    dutyConfig,
    options,
  )
  const metrics = createMetrics(
    { ...base, pipeline, alerts, brokers, starts, executions, kv, schedules, monitors, streams, certificates, reports },
    config,
    options,
  )
  const attention = createAttention({ ...base, alerts, overview, monitors, schedules, certificates }, config)
  const worked = releaseAfterWork(db.shrink)
  const readAddress = async (address: string) =>
    (await import('../settings/read-address.ts')).readAddress(address, own.limits.guard)
  const pages = createConsole({ ...base, audit, settingSchema, readAddress }, consoleSettings(config, shadow))
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
    onDuty({ ...messages, ...messages.api(admit) }),
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
    buildSettings(base, { ...settings, reload, schedules, alerts, overview, time }),
    { routes: ownRoutes({ base, overview, live }, deps, options) },
    here(pages),
  ]
  const api = buildApi({ base, audit, keyUses, health, live, server: rest, features }, deps, options)
  const alarmed = { brokers: shadow ? {} : brokers, ...alarmingSettings(reload) }
  const parts: readonly Part[] = [
    ...features,
    { backends: [descriptors], observers: { storageMoved: api.republish } },
    createSelfAlerts(
      { ...base, ...alarmed, storage, emitter, pipeline, rest, qlik, certificates, descriptors, alerts },
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
    policies: ({ footman }) => policies.prepare(footman.taskPolicies),
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

/** Tables of work that a node may bring to the one that leads. */
const QUEUES = ['event', 'delivery', 'cloud_message', 'mqtt_outgoing', 'influx_point']

/** The ground of all parts: the database, the state that nodes share, and the configuration in use. */
function openGround(deps: AppDeps, { config, dataDirectory }: AppOptions) {
  const { log, paths, workerEntry } = deps
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
      // The shared state is made on this database; nothing is committed before.
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
  const times = createZoneTimes(config.footman.timezone)
  /** Each part takes from it the members that it names. */
  const base = { db, writer, clock, times, log, paths, on, databaseFile, workerEntry, shared }
  const settings = createSettingStore(base)
  const sealed = { dataDirectory, key: config.footman.settings.key }
  const opened = () => openSettings(settings.all(), sealed)
  const reload = createConfigReload({ ...base, source: deps.configuration, settings: opened }, config)
  // Another node has changed them; errors are logged.
  shared.onApplied((tables) => {
    if (tables.has('setting')) void reload.reload().catch(() => undefined)
  })
  return { base, observers, storage, reload, settings: { store: settings, ...sealed } }
}

type Base = ReturnType<typeof openGround>['base']

interface PipelineParts {
  readonly base: Base
  readonly qlik: Qlik
  readonly alerts: Alerts
  readonly emitter: EventAcceptor
  readonly safetyNet: SafetyNet
}

/** The way of a datagram to an event, which asks QRS and ends at the rules. */
function buildPipeline(
  { base, qlik, alerts, emitter, safetyNet }: PipelineParts,
  { handover, onGivenUp }: AppDeps,
  { config, dataDirectory, qrsConnection }: AppOptions,
): EventPipeline {
  return createEventPipeline(
    {
      ...base,
      qrs: qlik.batchedQrs,
      cachedQrs: alerts.withChains(qlik.cachedQrs),
      router: alerts.router,
      handover,
      onGivenUp,
      completer: safetyNet.completer,
      acceptEvent: emitter.accept,
      isUnreachable: isQrsUnreachable,
      typeOfTask: lastTaskType,
      onUdpStatus: base.on.udpStatus,
    },
    { ...config, dataDirectory, qrsConnection },
  )
}

interface SettingParts extends KeySettings {
  readonly store: SettingStore
  readonly reload: ConfigReload
  readonly schedules: Pick<Schedules, 'list'>
  readonly alerts: Alerts
  readonly overview: Overview
  readonly time: BuiltCalendars
}

/** Settings that people change, beside those of the file that `reload` reads. */
function buildSettings(base: Base, parts: SettingParts): Part {
  const { store, reload, schedules, alerts, overview, time, ...at } = parts
  const ofSchedules = () =>
    schedules
      .list()
      .flatMap(({ values }) =>
        namesInSchedule(values).map((one) => ({ ...one, path: `schedule ${values.name}`, isOutside: true as const })),
      )
  const whole = {
    get settings() {
      return reload.latest?.settings ?? []
    },
    nodeAt: (path: readonly (string | number)[]) => reload.latest?.nodeAt(path),
    placeOf: (path: string) => reload.latest?.placeOf(path) ?? { file: '', line: 0, column: 0 },
    references: () => [...referencesIn(reload.config), ...ofSchedules()],
    text: async () => {
      const bytes = await readFile(reload.latest?.file ?? '').catch(() => null)
      return bytes && (decode(bytes)?.text ?? null)
    },
  }
  const user = {
    change: reload.change,
    test: async (...[draft, entry, signal]: Parameters<SettingsUser['test']>) => {
      const { testSetting } = await import('./setting-tests.ts')
      return testSetting({ ...base, alerts, overview }, await reload.change(draft), entry, signal)
    },
    get settings() {
      return whole.settings
    },
  }
  const looking = { ...base, overview }
  const inUse: SettingsInUse = {
    async tests(kind) {
      const { testsInUse } = await import('./setting-tests.ts')
      return testsInUse(looking, reload.config, time.inUse(), kind)
    },
    async days(name, year) {
      const { daysInYear } = await import('./setting-tests.ts')
      return daysInYear(looking, time.inUse(), reload.config.footman.timezone, { name, year })
    },
  }
  const live = () => reload.config.footman.settings
  const startTopics = () => [reload.config.mqttConfig.taskStartTopic]
  return createSettings({ ...base, store, user, whole, inUse, live, startTopics }, at)
}

/** The stored settings among those in use, and drafts beside them. */
const settingsInUse = (base: Base, reload: ConfigReload) => ({
  limits: {
    isStored: (kind: SettingKind, name: string) => isStoredIn(reload.latest?.settings ?? [])(kind, name),
    guard: createConnectionGuard(() => reload.config.footman.settings.allowHosts),
  },
  async draftRoutes(yaml: string) {
    const { config, latest } = reload
    const root = latest?.nodeAt([]) ?? emptyMap({ file: '', line: 0, column: 0 })
    const drafted = await withDraftRoutes(yaml, root, config)
    const { windows } = await readCalendars(base, drafted.config ?? config)
    return { ...drafted, windows }
  },
})

/** Settings that self-alerts look at. */
const alarmingSettings = (reload: ConfigReload) => ({
  calendars: () => Object.keys(reload.config.footman.calendars),
  unusableSettings: () =>
    unusableOf(reload.latest?.settings ?? []).map(({ kind, name, reason }) => ({ name: `${kind} ${name}`, reason })),
})

interface OwnRouteParts {
  readonly base: Base
  readonly overview: Overview
  readonly live: () => Config
}

/** Endpoints about Footman as a whole. */
function ownRoutes(
  { base, overview, live }: OwnRouteParts,
  { cluster = null }: AppDeps,
  options: AppOptions,
): ApiRoute[] {
  const { db, clock, shared } = base
  const { selfAlerts, reportTask } = options.config.footman
  return [
    ...selfAlertRoutes({ db, isOn: selfAlerts.enable }),
    searchRoute({ db, overview, reports: reportTask.enable }),
    lookupRoute({ db, overview, live }),
    ...clusterRoutes({ shared, clock, cluster }),
    aboutRoute(clock.now(), () => aboutSettings(live(), options)),
  ]
}

interface ApiParts extends Required<Pick<ApiDeps, 'audit' | 'keyUses' | 'health' | 'server'>> {
  readonly base: Base
  readonly live: () => Config
  readonly features: readonly Part[]
}

/** The REST API with the endpoints of all features. */
function buildApi({ base, live, features, ...parts }: ApiParts, deps: AppDeps, options: AppOptions): Api {
  const { log, clock, paths, on, shared } = base
  return createApi(
    {
      ...parts,
      log,
      clock,
      shared,
      idempotency: { leader: createIdempotency(base, 'leader'), here: createIdempotency(base, 'here') },
      dataDirectory: options.dataDirectory,
      checksAnswers: process.env.FOOTMAN_CHECK_ANSWERS === '1',
      version: VERSION,
      configuration: deps.configuration?.initial.file ?? null,
      readFile: (path) => readFile(paths.input(path), 'utf8'),
      routes: features.flatMap(({ routes = [] }) => routes),
      observer: { answered: on.requestAnswered, authFailed: on.authFailed },
      pages: () => browserPages(live()),
      serve: shared.serve,
      restHandover: deps.restHandover,
    },
    apiSettings(options.config, options),
  )
}

/** Its endpoints and what it keeps, without what it does by itself. */
const resting = ({ routes = [], pruning = [] }: Part): Part => ({ routes, pruning })

/** Its endpoints concern the node that is asked. */
const here = (part: Part): Part => ({ ...part, routes: part.routes?.map((route) => ({ ...route, at: 'here' })) ?? [] })

/** The configuration for parts that know satellites. The states of services, too, are looked at by one node only. */
const asFollower = (config: Config): Config => ({
  ...config,
  serviceMonitor: { ...config.serviceMonitor, enable: false },
  footman: { ...config.footman, node: { ...config.footman.node, role: 'satellite' } },
})
