/** The whole configuration file, composed of the sections of the features. */
import type { z } from 'zod'
import * as alerts from '../alerts/config.ts'
import * as cluster from '../cluster/config.ts'
import { section } from '../config/fields.ts'
import * as process from '../config/process.ts'
import * as console from '../console/config.ts'
import * as events from '../events/config.ts'
import * as files from '../files/config.ts'
import * as api from '../http/config.ts'
import * as kv from '../kv/config.ts'
import * as metrics from '../metrics/config.ts'
import * as monitors from '../monitors/config.ts'
import * as mqtt from '../mqtt/config.ts'
import * as qlik from '../qlik/config.ts'
import * as reports from '../reports/config.ts'
import * as settings from '../settings/config.ts'
import * as safetyNet from '../tasks/safety-net/config.ts'
import * as scheduler from '../tasks/schedule/config.ts'
import * as startTask from '../tasks/start/config.ts'

const footman = section("Footman's own settings; Butler 16 ignores this section.", () => ({
  compatibility: process.compatibility,
  dataDirectory: process.dataDirectory,
  templateDirectory: process.templateDirectory,
  timezone: process.zone,
  frequencyTimezone: process.frequencyTimezone,
  node: process.node,
  cluster: cluster.cluster,
  shadow: process.shadow,
  watchConfig: process.watchConfig,
  logging: process.logging,
  shutdown: process.shutdown,
  access: api.access,
  audit: api.audit,
  api: api.api,
  delivery: events.delivery,
  retention: alerts.retention,
  email: alerts.email,
  mqtt: mqtt.footmanMqtt,
  qlikCloud: mqtt.qlikCloud,
  influxDb: metrics.footmanInfluxDb,
  metrics: metrics.metrics,
  health: monitors.health,
  startFilter: startTask.startFilter,
  startQueue: startTask.startQueue,
  retryPolicy: safetyNet.retryPolicy,
  taskPolicies: safetyNet.taskPolicies,
  watchdog: safetyNet.watchdog,
  reconciler: safetyNet.reconciler,
  distribute: events.distribute,
  udp: events.udp,
  destinations: alerts.destinations,
  alertRoutes: alerts.alertRoutes,
  butlerRoutes: alerts.butlerRoutes,
  windows: alerts.windows,
  calendars: scheduler.calendars,
  maintenance: alerts.maintenance,
  selfAlerts: alerts.selfAlerts,
  keyValue: kv.keyValue,
  scheduler: scheduler.footmanScheduler,
  files: files.files,
  scriptLogs: files.scriptLogs,
  serviceMonitor: monitors.footmanServiceMonitor,
  versionMonitor: monitors.footmanVersionMonitor,
  licenseRelease: monitors.licenseRelease,
  reportTask: reports.reportTask,
  settings: settings.settings,
  console: console.footmanConsole,
}))

/** Everything below the root key `Butler`. */
export const butler = section('Everything.', () => ({
  logLevel: process.logLevel,
  fileLogging: process.fileLogging,
  logDirectory: process.logDirectory,
  anonTelemetry: process.anonTelemetry,
  systemInfo: process.systemInfo,
  cert: qlik.cert,
  configQRS: qlik.configQRS,
  configEngine: qlik.configEngine,
  udpServerConfig: events.udpServerConfig,
  emailNotification: alerts.emailNotification,
  webhookNotification: alerts.webhookNotification,
  slackNotification: alerts.slackNotification,
  teamsNotification: alerts.teamsNotification,
  incidentTool: alerts.incidentTool,
  thirdPartyToolsCredentials: alerts.thirdPartyToolsCredentials,
  qlikSenseUrls: alerts.qlikSenseUrls,
  genericUrls: alerts.genericUrls,
  scriptLog: events.scriptLog,
  qlikSenseCloud: events.qlikSenseCloud,
  mqttConfig: mqtt.mqttConfig,
  influxDb: metrics.influxDb,
  restServerConfig: api.restServerConfig,
  restServerEndpointsEnable: api.restServerEndpointsEnable,
  restServerEndpointsConfig: api.restServerEndpointsConfig,
  restServerApiDocGenerate: api.restServerApiDocGenerate,
  startTaskFilter: startTask.startTaskFilter,
  scheduler: scheduler.scheduler,
  keyValueStore: kv.keyValueStore,
  fileCopyApprovedDirectories: files.fileCopyApprovedDirectories,
  fileMoveApprovedDirectories: files.fileMoveApprovedDirectories,
  fileDeleteApprovedDirectories: files.fileDeleteApprovedDirectories,
  configDirectories: files.configDirectories,
  heartbeat: monitors.heartbeat,
  dockerHealthCheck: monitors.dockerHealthCheck,
  uptimeMonitor: monitors.uptimeMonitor,
  serviceMonitor: monitors.serviceMonitor,
  qlikSenseVersion: monitors.qlikSenseVersion,
  qlikSenseLicense: monitors.qlikSenseLicense,
  configVisualisation: console.configVisualisation,
  footman,
}))

/** For checks of what routes change of their destinations. */
export const { overriddenDestination } = alerts

/** The parsed `Butler` section: every key present, lists never null, durations in milliseconds. */
export type Config = z.output<typeof butler>

/** Set by the build through `--define`, because working it out takes longer than the rest of the start. */
declare const FOOTMAN_DEFAULTS: Config | undefined

/** The configuration of an empty file: all keys with their defaults. From source it is a new object every time. */
export function defaults(): Config {
  return typeof FOOTMAN_DEFAULTS === 'object' ? FOOTMAN_DEFAULTS : butler.parse({})
}
