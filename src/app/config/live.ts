/** Which settings take effect while Footman runs, and which need a restart. */
import type { Config } from '../schema.ts'

/** The parts that follow the configuration without a restart, and the keys below `Butler` that each is made of. */
const FOLLOWED = {
  log: ['logLevel'],
  cluster: ['footman.cluster.aloneAfter', 'footman.cluster.whenDatabaseDown', 'footman.cluster.commandTimeout'],
  alerts: [
    'emailNotification',
    'webhookNotification',
    'slackNotification',
    'teamsNotification',
    'incidentTool',
    'qlikSenseUrls',
    'genericUrls',
    'scriptLog',
    'qlikSenseCloud.event.mqtt.tenant.alert',
    'qlikSenseCloud.event.mqtt.tenant.qlikSenseUrls',
    'mqttConfig.taskFailureSendFull',
    'mqttConfig.taskFailureTopic',
    'mqttConfig.taskFailureFullTopic',
    'mqttConfig.taskAbortedSendFull',
    'mqttConfig.taskAbortedTopic',
    'mqttConfig.taskAbortedFullTopic',
    'footman.mqtt.taskSuccessTopic',
    'footman.mqtt.taskSuccessFullTopic',
    'footman.templateDirectory',
    'footman.email',
    'footman.destinations',
    'footman.alertRoutes',
    'footman.console.publicUrl',
    'footman.console.enable',
    'footman.butlerRoutes',
    'footman.windows',
    'footman.calendars',
    'footman.maintenance',
    'footman.selfAlerts.to',
    // Where monitors report to.
    'serviceMonitor',
    'qlikSenseLicense',
  ],
  api: [
    'footman.access',
    'footman.api',
    'footman.console.publicUrl',
    'footman.reportTask.baseUrl',
    'footman.logging.accessLog',
  ],
  policies: ['footman.taskPolicies'],
  console: ['footman.console', 'qlikSenseUrls'],
  customProperties: ['emailNotification', 'incidentTool'],
  services: ['serviceMonitor', 'footman.serviceMonitor'],
  version: ['qlikSenseVersion', 'footman.versionMonitor'],
  serverLicense: ['qlikSenseLicense.serverLicenseMonitor'],
  accessLicenses: ['qlikSenseLicense.licenseMonitor'],
  licenseRelease: ['qlikSenseLicense.licenseRelease', 'footman.licenseRelease'],
  heartbeat: ['heartbeat', 'footman.health.heartbeatRequiresHealthy'],
  uptime: ['uptimeMonitor'],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type FollowingPart = keyof typeof FOLLOWED

/** Below settings of parts that follow: the REST endpoints for messages and the TLS of the server are built once. */
const ONLY_AT_START = ['slackNotification.restMessage', 'footman.access.clientCertificates']

const KEYS: readonly string[] = [...new Set(Object.values(FOLLOWED).flat())]

const isWithin = (path: string, key: string): boolean => path === key || path.startsWith(`${key}.`)
const isWithinOne = (path: string, keys: readonly string[]): boolean => keys.some((key) => isWithin(path, key))

/** True when a change of this key (below `Butler`) takes effect at once. */
export const isLive = (path: string): boolean => isWithinOne(path, KEYS) && !isWithinOne(path, ONLY_AT_START)

/** The parts that follow one of the changed keys, in the order of the table. */
export function partsConcerned(changed: readonly string[]): FollowingPart[] {
  const parts = Object.keys(FOLLOWED) as FollowingPart[]
  return parts.filter((part) => changed.some((path) => isWithinOne(path, FOLLOWED[part])))
}

/** The configuration after a reload: the live settings of `next`, all others as at the start. */
export function graft(startup: Config, next: Config): Config {
  return grafted(startup, next, '') as Config
}

function grafted(before: unknown, after: unknown, path: string): unknown {
  const isMixed = [...KEYS, ...ONLY_AT_START].some((key) => key !== path && (path === '' || isWithin(key, path)))
  if (!isMixed || !isTree(before) || !isTree(after)) return isLive(path) ? after : before
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  const entries = [...keys].map((key) => [key, grafted(before[key], after[key], path === '' ? key : `${path}.${key}`)])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

type Tree = Readonly<Record<string, unknown>>
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
