/** The whole configuration file, composed of the sections of the features. */
import type { z } from 'zod'
import * as alerts from '../alerts/config.ts'
import * as api from '../api/config.ts'
import * as events from '../events/config.ts'
import * as mqtt from '../mqtt/config.ts'
import * as qlik from '../qlik/config.ts'
import * as startTask from '../start-task/config.ts'
import { section } from './fields.ts'
import * as process from './process.ts'

const footman = section("Footman's own settings; Butler 16 ignores this section.", {
  access: api.access,
  api: api.api,
  dataDirectory: process.dataDirectory,
  delivery: alerts.delivery,
  distribute: events.distribute,
  email: alerts.email,
  frequencyTimezone: process.frequencyTimezone,
  logging: process.logging,
  mqtt: mqtt.footmanMqtt,
  node: process.node,
  reconciler: events.reconciler,
  retention: alerts.retention,
  retryPolicy: startTask.retryPolicy,
  shadow: process.shadow,
  shutdown: process.shutdown,
  startFilter: startTask.startFilter,
  startQueue: startTask.startQueue,
  templateDirectory: process.templateDirectory,
  timezone: process.zone,
  watchConfig: process.watchConfig,
  watchdog: events.watchdog,
})

/** Everything below the root key `Butler`. */
export const butler = section('Everything.', {
  logLevel: process.logLevel,
  fileLogging: process.fileLogging,
  logDirectory: process.logDirectory,
  anonTelemetry: process.anonTelemetry,
  systemInfo: process.systemInfo,
  cert: qlik.cert,
  configQRS: qlik.configQRS,
  configEngine: qlik.configEngine,
  udpServerConfig: events.udpServerConfig,
  scriptLog: events.scriptLog,
  emailNotification: alerts.emailNotification,
  webhookNotification: alerts.webhookNotification,
  slackNotification: alerts.slackNotification,
  teamsNotification: alerts.teamsNotification,
  incidentTool: alerts.incidentTool,
  thirdPartyToolsCredentials: alerts.thirdPartyToolsCredentials,
  qlikSenseUrls: alerts.qlikSenseUrls,
  genericUrls: alerts.genericUrls,
  mqttConfig: mqtt.mqttConfig,
  restServerConfig: api.restServerConfig,
  restServerEndpointsEnable: api.restServerEndpointsEnable,
  restServerEndpointsConfig: api.restServerEndpointsConfig,
  restServerApiDocGenerate: api.restServerApiDocGenerate,
  startTaskFilter: startTask.startTaskFilter,
  footman,
})

/** The parsed `Butler` section: every key present, lists never null, durations in milliseconds. */
export type Config = z.output<typeof butler>
