/** Which settings take effect while Footman runs, and which need a restart. */
import type { Config } from '../schema.ts'

/** Paths below `Butler`; the longest one that a key begins with counts. */
const RULES: readonly (readonly [path: string, live: boolean])[] = [
  ...live(
    'logLevel',
    ...['emailNotification', 'webhookNotification', 'slackNotification', 'teamsNotification'],
    ...['incidentTool', 'qlikSenseUrls', 'genericUrls', 'scriptLog'],
    ...['qlikSenseCloud.event.mqtt.tenant.alert', 'qlikSenseCloud.event.mqtt.tenant.qlikSenseUrls'],
    ...['mqttConfig.taskFailureSendFull', 'mqttConfig.taskFailureTopic', 'mqttConfig.taskFailureFullTopic'],
    ...['mqttConfig.taskAbortedSendFull', 'mqttConfig.taskAbortedTopic', 'mqttConfig.taskAbortedFullTopic'],
    ...['footman.mqtt.taskSuccessTopic', 'footman.mqtt.taskSuccessFullTopic'],
    ...['footman.templateDirectory', 'footman.email', 'footman.destinations', 'footman.alertRoutes'],
    ...['footman.butlerRoutes', 'footman.windows', 'footman.calendars', 'footman.maintenance', 'footman.selfAlerts.to'],
    ...['footman.access', 'footman.api', 'footman.logging.accessLog'],
    ...['heartbeat', 'uptimeMonitor', 'serviceMonitor', 'qlikSenseVersion', 'qlikSenseLicense'],
    ...['footman.serviceMonitor', 'footman.versionMonitor', 'footman.licenseRelease'],
    'footman.health.heartbeatRequiresHealthy',
  ),
  // The REST endpoints for messages and the server's TLS are built once.
  ['slackNotification.restMessage', false],
  ['footman.access.clientCertificates', false],
]

function live(...paths: readonly string[]): (readonly [string, boolean])[] {
  return paths.map((path) => [path, true])
}

const isWithin = (path: string, rule: string): boolean => path === rule || path.startsWith(`${rule}.`)

/** True when a change of this key (below `Butler`) takes effect at once. */
export function isLive(path: string): boolean {
  const matching = RULES.filter(([rule]) => isWithin(path, rule)).sort(([a], [b]) => b.length - a.length)
  return matching[0]?.[1] ?? false
}

/** What runs after a reload: the live settings of `next`, everything else as it was at the start. */
export function graft(startup: Config, next: Config): Config {
  return grafted(startup, next, '') as Config
}

function grafted(before: unknown, after: unknown, path: string): unknown {
  const isMixed = RULES.some(([rule, value]) => rule !== path && isWithin(rule, path || rule) && value !== isLive(path))
  if (!isMixed || !isTree(before) || !isTree(after)) return isLive(path) ? after : before
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  const entries = [...keys].map((key) => [key, grafted(before[key], after[key], path === '' ? key : `${path}.${key}`)])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

type Tree = Readonly<Record<string, unknown>>
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
