/** Settings that an enabled feature requires. A feature without them stays off; the others run. */

import type { Config } from '../../schema.ts'
import { MAILS } from '../custom-properties.ts'
import type { Check } from './check.ts'

interface Need {
  /** Section that stays off, below `Butler`. */
  readonly feature: string
  readonly on: (config: Config) => boolean
  /** Key below `Butler` and whether it is there. */
  readonly needs: (config: Config) => readonly (readonly [path: string, present: boolean, what?: string])[]
  readonly off: (config: Config) => void
}

const CHATS = ['slackNotification', 'teamsNotification'] as const
const CHAT_RELOADS = ['reloadTaskFailure', 'reloadTaskAborted'] as const

const NEEDS: readonly Need[] = [
  {
    feature: 'influxDb',
    on: ({ influxDb }) => influxDb.enable,
    needs: ({ influxDb }) => {
      const { v2Config, v3Config } = influxDb
      return [
        ['influxDb.hostIP', influxDb.hostIP !== ''],
        ...(influxDb.version === 2
          ? (['org', 'bucket', 'token'] as const).map(
              (key) => [`influxDb.v2Config.${key}`, v2Config[key] !== ''] as const,
            )
          : []),
        ...(influxDb.version === 3
          ? (['database', 'token'] as const).map((key) => [`influxDb.v3Config.${key}`, v3Config[key] !== ''] as const)
          : []),
      ]
    },
    off: ({ influxDb }) => void Object.assign(influxDb, { enable: false }),
  },
  {
    feature: 'emailNotification',
    on: ({ emailNotification }) => emailNotification.enable,
    needs: ({ emailNotification }) => [['emailNotification.smtp.host', emailNotification.smtp.host !== '']],
    off: ({ emailNotification }) => void Object.assign(emailNotification, { enable: false }),
  },
  ...MAILS.map(
    (event): Need => ({
      feature: `emailNotification.${event}`,
      on: ({ emailNotification }) => emailNotification.enable && emailNotification[event].enable,
      needs: ({ emailNotification }) => {
        const mail = emailNotification[event]
        const owner = 'appOwnerAlert' in mail && mail.appOwnerAlert.enable
        const reachable =
          mail.recipients.length > 0 || owner || mail.alertEnabledByEmailAddress.customPropertyName !== ''
        return [[`emailNotification.${event}.recipients`, reachable, 'needs at least one way to a recipient']]
      },
      off: ({ emailNotification }) => void Object.assign(emailNotification[event], { enable: false }),
    }),
  ),
  ...CHATS.flatMap((chat) =>
    CHAT_RELOADS.map(
      (event): Need => ({
        feature: `${chat}.${event}`,
        on: (config) => config[chat].enable && config[chat][event].enable,
        needs: (config) => [[`${chat}.${event}.webhookURL`, config[chat][event].webhookURL !== '']],
        off: (config) => void Object.assign(config[chat][event], { enable: false }),
      }),
    ),
  ),
  ...CHATS.map((chat): Need => {
    const destination = chat === 'slackNotification' ? 'slack' : 'teams'
    return {
      feature: `serviceMonitor.alertDestination.${destination}`,
      on: ({ serviceMonitor, ...config }) =>
        serviceMonitor.enable && serviceMonitor.alertDestination[destination].enable && config[chat].enable,
      needs: (config) => [
        [`${chat}.serviceStopped.webhookURL`, config[chat].serviceStopped.webhookURL !== ''],
        [`${chat}.serviceStarted.webhookURL`, config[chat].serviceStarted.webhookURL !== ''],
      ],
      off: ({ serviceMonitor }) => void Object.assign(serviceMonitor.alertDestination[destination], { enable: false }),
    }
  }),
  {
    feature: 'mqttConfig',
    on: ({ mqttConfig }) => mqttConfig.enable,
    needs: ({ mqttConfig }) => [['mqttConfig.brokerHost', mqttConfig.brokerHost !== '']],
    off: ({ mqttConfig }) => void Object.assign(mqttConfig, { enable: false }),
  },
  {
    feature: 'mqttConfig',
    on: ({ mqttConfig }) => mqttConfig.enable && mqttConfig.azureEventGrid.enable,
    needs: ({ mqttConfig: { azureEventGrid } }) =>
      (['clientId', 'clientCertFile', 'clientKeyFile'] as const).map(
        (key) => [`mqttConfig.azureEventGrid.${key}`, azureEventGrid[key] !== ''] as const,
      ),
    off: ({ mqttConfig }) => void Object.assign(mqttConfig, { enable: false }),
  },
  {
    feature: 'restServerConfig',
    on: ({ restServerConfig }) => restServerConfig.enable && restServerConfig.tls.enable,
    needs: ({ restServerConfig: { tls } }) => [
      ['restServerConfig.tls.cert', tls.cert !== ''],
      ['restServerConfig.tls.key', tls.key !== ''],
    ],
    off: ({ restServerConfig }) => void Object.assign(restServerConfig, { enable: false }),
  },
  {
    feature: 'heartbeat',
    on: ({ heartbeat }) => heartbeat.enable,
    needs: ({ heartbeat }) => [['heartbeat.remoteURL', heartbeat.remoteURL !== '']],
    off: ({ heartbeat }) => void Object.assign(heartbeat, { enable: false }),
  },
  {
    feature: 'qlikSenseCloud',
    on: ({ qlikSenseCloud }) => qlikSenseCloud.enable,
    needs: ({ qlikSenseCloud, mqttConfig }) => {
      const { tenant } = qlikSenseCloud.event.mqtt
      const forward = mqttConfig.qlikSenseCloud.event.mqttForward
      const path = 'qlikSenseCloud.event.mqtt.tenant'
      return [
        [`${path}.id`, tenant.id !== ''],
        [`${path}.tenantUrl`, tenant.tenantUrl !== ''],
        [`${path}.auth.jwt.token`, tenant.auth.jwt.token !== ''],
        [
          'mqttConfig.qlikSenseCloud.event.mqttForward.enable',
          forward.enable,
          'must be true, as the events come that way',
        ],
        ['mqttConfig.enable', mqttConfig.enable, 'must be true, as the events come by MQTT'],
      ]
    },
    off: ({ qlikSenseCloud }) => void Object.assign(qlikSenseCloud, { enable: false }),
  },
  {
    feature: 'serviceMonitor',
    on: ({ serviceMonitor }) => serviceMonitor.enable,
    needs: ({ serviceMonitor: { monitor } }) => {
      const usable = monitor.some(({ host, services }) => host !== '' && services.some(({ name }) => name !== ''))
      return [['serviceMonitor.monitor', usable, 'needs at least one host with one service']]
    },
    off: ({ serviceMonitor }) => void Object.assign(serviceMonitor, { enable: false }),
  },
  {
    feature: 'incidentTool.signl4',
    on: ({ incidentTool }) => incidentTool.signl4.enable,
    needs: ({ incidentTool }) => [['incidentTool.signl4.url', incidentTool.signl4.url !== '']],
    off: ({ incidentTool }) => void Object.assign(incidentTool.signl4, { enable: false }),
  },
]

export const featureNeeds: Check = ({ config, report }) => {
  for (const { feature, on, needs, off } of NEEDS) {
    if (!on(config)) continue
    const missing = needs(config).filter(([, present]) => !present)
    for (const [path, , what = 'is missing'] of missing) {
      const hint = `set it, or switch Butler.${feature} off`
      report('error', path, what, { feature, hint })
    }
    if (missing.length > 0) off(config)
  }
}

/** Webhooks without an address are left out. */
export const webhookAddresses: Check = ({ config: { webhookNotification }, report }) => {
  if (!webhookNotification.enable) return
  for (const [event, block] of Object.entries(webhookNotification)) {
    if (typeof block === 'boolean') continue
    for (const [index, { webhookURL }] of block.webhooks.entries()) {
      if (webhookURL !== '') continue
      const feature = `webhookNotification.${event}.webhooks[${index}]`
      report('error', `${feature}.webhookURL`, 'is missing', { feature, hint: 'set it, or remove the webhook' })
    }
    block.webhooks = block.webhooks.filter(({ webhookURL }) => webhookURL !== '')
  }
}

/** Without these nothing of Qlik Sense can be read. */
export const qlikConnectionNeeds: Check = ({ config: { configQRS, cert }, qlikConnection, report }) => {
  if (!qlikConnection) return
  const hint = 'set it, or start with --no-qs-connection'
  const missing = (path: string) =>
    report('error', path, 'is missing, but needed to connect to Qlik Sense', { hint, feature: 'configQRS' })
  if (configQRS.host === '') missing('configQRS.host')
  if (!configQRS.useSSL) return
  for (const key of ['clientCert', 'clientCertKey', 'clientCertCA'] as const) {
    if (cert[key] === '') missing(`cert.${key}`)
  }
}
