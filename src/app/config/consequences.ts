/** Consequence of an unusable value: no start, one feature off, or only the value ignored. */

import { expand } from '../../config/legacy/context.ts'
import { MAILS, RELOADS } from '../../config/legacy/translate.ts'
import type { Path } from '../../config/tree.ts'
import { defaults } from '../schema.ts'

export type Consequence =
  | { readonly kind: 'start' }
  /** `switch` is set to false, or with null the whole feature is taken out: nothing of it is left then. */
  | { readonly kind: 'off'; readonly feature: string; readonly switch: string | null }
  | { readonly kind: 'warning' }

/**
 * Sections whose `enable` starts them and does nothing else. Those whose `enable` restricts something (a filter, TLS, a
 * login, marked tasks only) are not among them: without it more would happen than was meant.
 */
const SWITCHES = [
  'heartbeat',
  'dockerHealthCheck',
  'configVisualisation',
  'uptimeMonitor',
  'uptimeMonitor.storeNewRelic',
  'serviceMonitor',
  'scheduler',
  'mqttConfig',
  'influxDb',
  'qlikSenseCloud',
  'mqttConfig.qlikSenseCloud.event.mqttForward',
  'influxDb.{reloadTaskFailure,reloadTaskSuccess}',
  'emailNotification',
  `emailNotification.${MAILS}`,
  '{slackNotification,teamsNotification}',
  `{slackNotification,teamsNotification}.${RELOADS}`,
  'webhookNotification',
  'incidentTool.{signl4,newRelic}',
  `incidentTool.signl4.${RELOADS}`,
  'scriptLog.storeOnDisk.{clientManaged.reloadTaskFailure,qsCloud.appReloadFailure}',
  'qlikSenseVersion.versionMonitor',
  'qlikSenseLicense.{serverLicenseMonitor,licenseMonitor,licenseRelease}',
  'qlikSenseCloud.event.mqtt.tenant.alert.{teamsNotification,slackNotification,emailNotification}.reloadAppFailure',
  'udpServerConfig.queueMetrics.influxdb',
].flatMap(expand)

/** Sections that another switch starts. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'emailNotification.serviceStopped': 'serviceMonitor.alertDestination.email.enable',
  'emailNotification.serviceStarted': 'serviceMonitor.alertDestination.email.enable',
  'slackNotification.serviceStopped': 'serviceMonitor.alertDestination.slack.enable',
  'slackNotification.serviceStarted': 'serviceMonitor.alertDestination.slack.enable',
  'slackNotification.restMessage': 'restServerEndpointsEnable.slackPostMessage',
  'teamsNotification.serviceStopped': 'serviceMonitor.alertDestination.teams.enable',
  'teamsNotification.serviceStarted': 'serviceMonitor.alertDestination.teams.enable',
  'incidentTool.newRelic.serviceMonitor': 'serviceMonitor.alertDestination.newRelic.enable',
  'restServerEndpointsConfig.newRelic.postNewRelicMetric': 'restServerEndpointsEnable.newRelic.postNewRelicMetric',
  'restServerEndpointsConfig.newRelic.postNewRelicEvent': 'restServerEndpointsEnable.newRelic.postNewRelicEvent',
}

/** Without these nothing is done, called, approved or opened; `*` = one key. */
const NOTHING_WITHOUT = [
  'fileLogging',
  'configDirectories',
  'thirdPartyToolsCredentials.newRelic',
  'fileCopyApprovedDirectories',
  'fileMoveApprovedDirectories',
  'fileDeleteApprovedDirectories',
  `webhookNotification.{reloadTaskFailure,reloadTaskAborted,serviceMonitor,qlikSenseServerLicenseMonitor,qlikSenseServerLicenseExpiryAlert}`,
  'restServerEndpointsEnable.*',
  'restServerEndpointsEnable.newRelic.*',
  'restServerEndpointsEnable.scheduler.*',
].flatMap(expand)

/** Their defaults are as good as any value. */
const HARMLESS = [
  'logLevel',
  'logDirectory',
  'systemInfo',
  'restServerApiDocGenerate',
  'qlikSenseUrls',
  'genericUrls',
  'keyValueStore',
  'configEngine.engineVersion',
  'configQRS.authentication',
  'qlikSenseCloud.event.mqtt.tenant.qlikSenseUrls',
  'restServerConfig.backgroundServerPort',
]

const OFF: readonly (readonly [path: string, flag: string | null, feature?: string])[] = [
  ...SWITCHES.map((path) => [path, `${path}.enable`] as const),
  ...Object.entries(ELSEWHERE).map(([path, flag]) => [path, flag, flag.replace(/\.enable$/, '')] as const),
  ...NOTHING_WITHOUT.map((path) => [path, null] as const),
]

/**
 * The consequence of a wrong value at a path below `Butler`. The connection to Qlik Sense, the listeners, the rules that
 * restrict callers, and everything below `footman` forbid the start.
 */
export function consequenceAt(path: Path): Consequence {
  const steps = path.map(String)
  if (HARMLESS.some((harmless) => covered(harmless, steps) > 0)) return { kind: 'warning' }
  const [nearest] = OFF.map((row) => ({ row, length: covered(row[0], steps) }))
    .filter(({ length }) => length > 0)
    .sort((a, b) => b.length - a.length)
  if (!nearest) return { kind: 'start' }
  const feature = nearest.row[2] ?? steps.slice(0, nearest.length).join('.')
  return { kind: 'off', feature, switch: nearest.row[1] }
}

/** How many steps of a path a pattern covers; 0 when the path is not below it. */
function covered(pattern: string, steps: readonly string[]): number {
  const wanted = pattern.split('.')
  return wanted.every((step, index) => (step === '*' ? index < steps.length : step === steps[index]))
    ? wanted.length
    : 0
}

/** Sections that matter only while another one is on. */
const DEPENDENT: Readonly<Record<string, string>> = { restServerEndpointsConfig: 'restServerConfig' }

/**
 * The outermost section around a path that is switched off in `written` (what stands below `Butler`, or else in the
 * defaults); null when all are on.
 */
export function switchedOffAround(path: Path, written: unknown): string | null {
  const steps = path.slice(0, -1).map(String)
  const around = steps.map((_, index) => steps.slice(0, index + 1))
  const dependsOn = DEPENDENT[steps[0] ?? '']
  const sections = dependsOn ? [[dependsOn], ...around] : around
  const off = sections.find((section) => {
    const flag = [...section, 'enable']
    return (valueAt(written, flag) ?? valueAt(defaults(), flag)) === false
  })
  return off?.join('.') ?? null
}

function valueAt(tree: unknown, steps: readonly string[]): unknown {
  return steps.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    return (value as Record<string, unknown>)[step]
  }, tree)
}
