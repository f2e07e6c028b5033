/** Keys that hold secrets or personal data, and how much of them may be shown. */

/** `Butler.a.b`, `*` = any list item or any key of that level. */
interface MaskRule {
  readonly path: readonly string[]
  /** How many characters stay visible. */
  readonly visible: number
}

const CHATS = ['teamsNotification', 'slackNotification']
const CHAT_EVENTS = ['reloadTaskFailure', 'reloadTaskAborted', 'serviceStopped', 'serviceStarted']
const WEBHOOKS = [
  'reloadTaskFailure',
  'reloadTaskAborted',
  'serviceMonitor',
  'qlikSenseServerLicenseMonitor',
  'qlikSenseServerLicenseExpiryAlert',
]
const CLOUD = 'qlikSenseCloud.event.mqtt.tenant'
const FORWARD = 'mqttConfig.qlikSenseCloud.event.mqttForward.broker'

/** Visible characters to the keys below `Butler`. The first rule that matches counts. */
const TABLE: readonly (readonly [number, readonly string[]])[] = [
  [
    3,
    [
      'configVisualisation.host',
      'influxDb.hostIP',
      'influxDb.auth.username',
      'influxDb.v1Config.auth.username',
      'qlikSenseVersion.versionMonitor.host',
      'emailNotification.smtp.host',
      'emailNotification.smtp.auth.user',
      'mqttConfig.brokerHost',
      'mqttConfig.azureEventGrid.clientId',
      `${FORWARD}.host`,
      `${FORWARD}.username`,
      'udpServerConfig.serverHost',
      'restServerConfig.serverHost',
      'serviceMonitor.monitor.*.host',
      `${CLOUD}.id`,
      'configEngine.host',
      'configQRS.host',
      'thirdPartyToolsCredentials.newRelic.*.accountId',
    ],
  ],
  [
    5,
    [
      'thirdPartyToolsCredentials.newRelic.*.insertApiKey',
      `${CLOUD}.auth.jwt.token`,
      `${CLOUD}.alert.emailNotification.reloadAppFailure.fromAddress`,
      `${CLOUD}.alert.emailNotification.reloadAppFailure.recipients.*`,
    ],
  ],
  [
    10,
    [
      'heartbeat.remoteURL',
      'slackNotification.restMessage.webhookURL',
      ...CHATS.flatMap((chat) => CHAT_EVENTS.map((event) => `${chat}.${event}.webhookURL`)),
      ...WEBHOOKS.map((event) => `webhookNotification.${event}.webhooks.*.webhookURL`),
      ...CHATS.map((chat) => `${CLOUD}.alert.${chat}.reloadAppFailure.webhookURL`),
      `${CLOUD}.tenantUrl`,
      `${CLOUD}.qlikSenseUrls.qmc`,
      `${CLOUD}.qlikSenseUrls.hub`,
      'incidentTool.signl4.url',
      'footman.destinations.*.webhookURL',
      'footman.destinations.*.url',
      'footman.alertRoutes.*.to.*.webhookURL',
      'footman.alertRoutes.*.to.*.url',
      'footman.audit.webhook.url',
    ],
  ],
  [
    0,
    [
      'restServerConfig.tls.cert',
      'restServerConfig.tls.key',
      'restServerConfig.tls.ca',
      'footman.destinations.*.headers.*',
      'footman.destinations.*.routingKey',
      'footman.alertRoutes.*.to.*.headers.*',
      'footman.alertRoutes.*.to.*.routingKey',
      'footman.settings.key',
      'footman.reportTask.secrets.*',
    ],
  ],
]

const RULES: readonly MaskRule[] = TABLE.flatMap(([visible, paths]) =>
  paths.map((path) => ({ visible, path: path.split('.') })),
)

const SECRET_KEY = /password|passphrase|token|secret|api_?key|jwt|private_?key|hash/i
/** Keys with names like secrets that hold none. */
const HARMLESS = /^(jwksUrl|tokenUrl|jwt|secrets|publicKeyFile)$/

/**
 * How many characters of the value at a path (below `Butler`, list indexes as numbers) may be shown; undefined = all.
 */
export function visibleAt(path: readonly (string | number)[]): number | undefined {
  const rule = RULES.find((candidate) => matches(candidate.path, path))
  if (rule) return rule.visible
  const key = [...path].reverse().find((step) => typeof step === 'string')
  if (key !== undefined && SECRET_KEY.test(String(key)) && !HARMLESS.test(String(key))) return 0
  return undefined
}

/** Hidden on pages because they identify people and sites, but no secrets. */
const PERSONAL = /^(recipients|fromAddress|tenantUrl|qmc|hub)$/

/** True for values that must not appear in the log. */
export function isSecret(path: readonly (string | number)[]): boolean {
  const visible = visibleAt(path)
  if (visible === undefined || visible === 3) return false
  return !matches(['restServerConfig', 'tls', '*'], path) && !PERSONAL.test(String(path.findLast(isKey)))
}

function isKey(step: string | number): boolean {
  return typeof step === 'string'
}

function matches(rule: readonly string[], path: readonly (string | number)[]): boolean {
  return rule.length === path.length && rule.every((step, index) => step === '*' || step === String(path[index]))
}
