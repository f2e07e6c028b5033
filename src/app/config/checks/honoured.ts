/** Keys that Butler 16 ignored and Footman honours: a warning where that changes what a running installation does. */
import type { Config } from '../../schema.ts'
import type { Check } from './check.ts'

/** `effect`: what is different from now on, or null when nothing is. */
type Rule = readonly [path: string, effect: (config: Config) => string | null]

const RELOADS = ['reloadTaskFailure', 'reloadTaskAborted'] as const
const KINDS = ['event', 'log'] as const

const RULES: readonly Rule[] = [
  ...(['sendRecurring', 'sendAlert'] as const).map(
    (key): Rule => [
      `qlikSenseLicense.serverLicenseMonitor.destination.mqtt.${key}.enable`,
      ({ qlikSenseLicense: { serverLicenseMonitor } }) => {
        const { mqtt } = serverLicenseMonitor.destination
        const changes = serverLicenseMonitor.enable && mqtt.enable && !mqtt[key].enable
        return changes
          ? `MQTT gets no ${key === 'sendAlert' ? 'alerts' : 'messages'} about the server licence any more`
          : null
      },
    ],
  ),
  [
    'qlikSenseLicense.licenseRelease.destination.influxDb.enable',
    ({ influxDb, qlikSenseLicense: { licenseRelease } }) =>
      influxDb.enable && licenseRelease.enable && !licenseRelease.destination.influxDb.enable
        ? 'released licences are not written to InfluxDB any more'
        : null,
  ],
  [
    'emailNotification.serviceStarted.rateLimit',
    ({ emailNotification: mail, serviceMonitor }) =>
      mail.enable &&
      serviceMonitor.enable &&
      serviceMonitor.alertDestination.email.enable &&
      mail.serviceStarted.rateLimit !== mail.serviceStopped.rateLimit
        ? `mails about started services keep ${mail.serviceStarted.rateLimit} s apart, no longer ${mail.serviceStopped.rateLimit} s`
        : null,
  ],
  [
    'emailNotification.smtp.tls.serverName',
    ({ emailNotification: { enable, smtp } }) =>
      enable && smtp.tls.serverName !== ''
        ? `the certificate of the mail server must be valid for ${smtp.tls.serverName}, no longer for ${smtp.host}`
        : null,
  ],
  [
    'emailNotification.smtp.tls.ignoreTLS',
    ({ emailNotification: { enable, smtp } }) =>
      enable && smtp.tls.ignoreTLS && !smtp.secure
        ? 'mail leaves unencrypted, even when the server offers STARTTLS'
        : null,
  ],
  [
    'emailNotification.smtp.tls.requireTLS',
    ({ emailNotification: { enable, smtp } }) =>
      enable && smtp.tls.requireTLS && !smtp.secure ? 'no mail leaves when the server offers no STARTTLS' : null,
  ],
  ...RELOADS.map(
    (event): Rule => [
      `incidentTool.signl4.${event}.includeApp`,
      ({ incidentTool: { signl4 } }) => {
        const { enable, includeApp } = signl4[event]
        const changes = signl4.enable && enable && !includeApp.includeAll && includeApp.appId.length > 0
        const apps = `${includeApp.appId.length} app${includeApp.appId.length === 1 ? '' : 's'}`
        return changes ? `SIGNL4 hears of the ${apps} in the list only, no longer of all` : null
      },
    ],
  ),
  [
    'incidentTool.newRelic.reloadTaskAborted.destination.log.tailScriptLogLines',
    ({ incidentTool: { newRelic } }) => {
      const aborted = newRelic.reloadTaskAborted.destination.log
      const lines = newRelic.reloadTaskFailure.destination.log.tailScriptLogLines
      return newRelic.enable && aborted.enable && aborted.tailScriptLogLines !== lines
        ? `entries about aborted reloads have ${aborted.tailScriptLogLines} lines of the script log, no longer ${lines}`
        : null
    },
  ],
  ...KINDS.map(
    (kind): Rule => [
      `incidentTool.newRelic.serviceMonitor.destination.${kind}.enable`,
      ({ serviceMonitor, incidentTool }) => {
        const destination = incidentTool.newRelic.serviceMonitor.destination[kind]
        const used = serviceMonitor.enable && serviceMonitor.alertDestination.newRelic.enable
        return used && !destination.enable && destination.sendToAccount.length > 0
          ? `New Relic gets no ${kind === 'log' ? 'log entries' : 'events'} about services any more`
          : null
      },
    ],
  ),
  [
    'incidentTool.newRelic.enable',
    ({ serviceMonitor, incidentTool: { newRelic } }) =>
      serviceMonitor.enable && serviceMonitor.alertDestination.newRelic.enable && !newRelic.enable
        ? 'New Relic hears nothing about services any more'
        : null,
  ],
  [
    'webhookNotification.enable',
    ({ serviceMonitor, webhookNotification: { enable, serviceMonitor: own } }) =>
      serviceMonitor.enable && serviceMonitor.alertDestination.webhook.enable && own.webhooks.length > 0 && !enable
        ? 'webhooks are not called about services any more'
        : null,
  ],
  ...RELOADS.flatMap((event) =>
    KINDS.map(
      (kind): Rule => [
        `incidentTool.newRelic.${event}.destination.${kind}.sendToAccount.byCustomProperty.enable`,
        ({ incidentTool: { newRelic } }) => {
          const { enable, sendToAccount } = newRelic[event].destination[kind]
          const { byCustomProperty } = sendToAccount
          return newRelic.enable && enable && !byCustomProperty.enable && byCustomProperty.customPropertyName !== ''
            ? `the custom property ${byCustomProperty.customPropertyName} does not choose accounts any more`
            : null
        },
      ],
    ),
  ),
  [
    'keyValueStore.maxKeysPerNamespace',
    ({ restServerConfig, restServerEndpointsEnable, keyValueStore }) =>
      restServerConfig.enable && restServerEndpointsEnable.keyValueStore
        ? `a namespace takes at most ${keyValueStore.maxKeysPerNamespace} keys, further ones are refused`
        : null,
  ],
  [
    'udpServerConfig.queueMetrics.influxdb.enable',
    ({ udpServerConfig, influxDb }) =>
      influxDb.enable && udpServerConfig.enable && udpServerConfig.queueMetrics.influxdb.enable
        ? `InfluxDB gets a measurement ${udpServerConfig.queueMetrics.influxdb.measurementName}`
        : null,
  ],
  [
    'restServerEndpointsEnable.scheduler.updateSchedule',
    ({ restServerConfig, restServerEndpointsEnable }) =>
      restServerConfig.enable && restServerEndpointsEnable.scheduler.updateSchedule
        ? 'schedules can be changed over REST'
        : null,
  ],
  ...(['teamsNotification', 'slackNotification'] as const).map(
    (chat): Rule => [
      `qlikSenseCloud.event.mqtt.tenant.alert.${chat}.reloadAppFailure.alertEnableByTag.enable`,
      ({ qlikSenseCloud }) => {
        const alert = qlikSenseCloud.event.mqtt.tenant.alert[chat].reloadAppFailure
        const changes = qlikSenseCloud.enable && alert.enable && alert.alertEnableByTag.enable
        return changes ? `apps without the tag "${alert.alertEnableByTag.tag}" cause no message any more` : null
      },
    ],
  ),
]

export const nowHonoured: Check = ({ config, written, report }) => {
  for (const [path, effect] of RULES) {
    const changed = written(path) ? effect(config) : null
    if (changed === null) continue
    const message = `CONFIG: 'Butler.${path}' is now honoured; Butler 16 ignored it: ${changed}`
    report('warning', path, message, { standalone: true })
  }
}
