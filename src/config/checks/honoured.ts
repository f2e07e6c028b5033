/** Keys that Butler 16 ignored and Footman honours: a warning where that changes what a running installation does. */
import type { Config } from '../schema.ts'
import type { Check } from './check.ts'

type Rule = readonly [path: string, changes: (config: Config) => boolean]

const RELOADS = ['reloadTaskFailure', 'reloadTaskAborted'] as const
const KINDS = ['event', 'log'] as const

const RULES: readonly Rule[] = [
  ...(['sendRecurring', 'sendAlert'] as const).map(
    (key): Rule => [
      `qlikSenseLicense.serverLicenseMonitor.destination.mqtt.${key}.enable`,
      ({ qlikSenseLicense: { serverLicenseMonitor } }) => {
        const { mqtt } = serverLicenseMonitor.destination
        return serverLicenseMonitor.enable && mqtt.enable && !mqtt[key].enable
      },
    ],
  ),
  [
    'qlikSenseLicense.licenseRelease.destination.influxDb.enable',
    ({ influxDb, qlikSenseLicense: { licenseRelease } }) =>
      influxDb.enable && licenseRelease.enable && !licenseRelease.destination.influxDb.enable,
  ],
  [
    'emailNotification.serviceStarted.rateLimit',
    ({ emailNotification: mail, serviceMonitor }) =>
      mail.enable &&
      serviceMonitor.enable &&
      serviceMonitor.alertDestination.email.enable &&
      mail.serviceStarted.rateLimit !== mail.serviceStopped.rateLimit,
  ],
  [
    'emailNotification.smtp.tls.serverName',
    ({ emailNotification: { enable, smtp } }) => enable && smtp.tls.serverName !== '',
  ],
  ['emailNotification.smtp.tls.ignoreTLS', ({ emailNotification: { enable, smtp } }) => enable && smtp.tls.ignoreTLS],
  [
    'emailNotification.smtp.tls.requireTLS',
    ({ emailNotification: { enable, smtp } }) => enable && smtp.tls.requireTLS && !smtp.secure,
  ],
  ...RELOADS.map(
    (event): Rule => [
      `incidentTool.signl4.${event}.includeApp`,
      ({ incidentTool: { signl4 } }) => {
        const { enable, includeApp } = signl4[event]
        return signl4.enable && enable && !includeApp.includeAll && includeApp.appId.length > 0
      },
    ],
  ),
  [
    'incidentTool.newRelic.reloadTaskAborted.destination.log.tailScriptLogLines',
    ({ incidentTool: { newRelic } }) => {
      const aborted = newRelic.reloadTaskAborted.destination.log
      const lines = newRelic.reloadTaskFailure.destination.log.tailScriptLogLines
      return newRelic.enable && aborted.enable && aborted.tailScriptLogLines !== lines
    },
  ],
  ...KINDS.map(
    (kind): Rule => [
      `incidentTool.newRelic.serviceMonitor.destination.${kind}.enable`,
      ({ serviceMonitor, incidentTool }) => {
        const destination = incidentTool.newRelic.serviceMonitor.destination[kind]
        const used = serviceMonitor.enable && serviceMonitor.alertDestination.newRelic.enable
        return used && !destination.enable && destination.sendToAccount.length > 0
      },
    ],
  ),
  [
    'incidentTool.newRelic.enable',
    ({ serviceMonitor, incidentTool: { newRelic } }) =>
      serviceMonitor.enable && serviceMonitor.alertDestination.newRelic.enable && !newRelic.enable,
  ],
  [
    'webhookNotification.enable',
    ({ serviceMonitor, webhookNotification: { enable, serviceMonitor: own } }) =>
      serviceMonitor.enable && serviceMonitor.alertDestination.webhook.enable && own.webhooks.length > 0 && !enable,
  ],
  ...RELOADS.flatMap((event) =>
    KINDS.map(
      (kind): Rule => [
        `incidentTool.newRelic.${event}.destination.${kind}.sendToAccount.byCustomProperty.enable`,
        ({ incidentTool: { newRelic } }) => {
          const { enable, sendToAccount } = newRelic[event].destination[kind]
          const { byCustomProperty } = sendToAccount
          return newRelic.enable && enable && !byCustomProperty.enable && byCustomProperty.customPropertyName !== ''
        },
      ],
    ),
  ),
  [
    'keyValueStore.maxKeysPerNamespace',
    ({ restServerConfig, restServerEndpointsEnable }) =>
      restServerConfig.enable && restServerEndpointsEnable.keyValueStore,
  ],
  [
    'udpServerConfig.queueMetrics.influxdb.enable',
    ({ udpServerConfig, influxDb }) =>
      influxDb.enable && udpServerConfig.enable && udpServerConfig.queueMetrics.influxdb.enable,
  ],
  [
    'restServerEndpointsEnable.scheduler.updateSchedule',
    ({ restServerConfig, restServerEndpointsEnable }) =>
      restServerConfig.enable && restServerEndpointsEnable.scheduler.updateSchedule,
  ],
  ...(['teamsNotification', 'slackNotification'] as const).map(
    (chat): Rule => [
      `qlikSenseCloud.event.mqtt.tenant.alert.${chat}.reloadAppFailure.alertEnableByTag.enable`,
      ({ qlikSenseCloud }) => {
        const alert = qlikSenseCloud.event.mqtt.tenant.alert[chat].reloadAppFailure
        return qlikSenseCloud.enable && alert.enable && alert.alertEnableByTag.enable
      },
    ],
  ),
]

export const nowHonoured: Check = ({ config, written, report }) => {
  for (const [path, changes] of RULES) {
    if (!written(path) || !changes(config)) continue
    report('warning', path, `CONFIG: 'Butler.${path}' is now honoured; Butler 16 ignored it`, { standalone: true })
  }
}
