/** The broker of `mqttConfig` and that of Qlik Cloud events. */

import type { Config } from '../../../../app/schema.ts'
import { cloudConnection } from '../../../../events/cloud/index.ts'
import type { Probe } from '../../types.ts'
import { type Broker, lookAtBroker } from './broker.ts'

export const mqtt: Probe = {
  group: 'mqtt',
  title: 'MQTT broker',
  applies: ({ config }) => brokersOf(config).length > 0,
  async run(context) {
    const found = await Promise.all(brokersOf(context.config).map((broker) => lookAtBroker(broker, context)))
    return found.flat()
  },
}

function brokersOf(config: Config): readonly Broker[] {
  return [ownBroker(config), cloudBroker(config)].flatMap((broker) =>
    broker !== null && broker.settings.mqttConfig.brokerHost !== '' ? [broker] : [],
  )
}

function ownBroker({ mqttConfig, footman }: Config): Broker | null {
  if (!mqttConfig.enable) return null
  const azure = mqttConfig.azureEventGrid.enable
  return {
    settings: { mqttConfig, mqtt: footman.mqtt, status: null },
    keys: {
      host: 'mqttConfig.brokerHost',
      port: 'mqttConfig.brokerPort',
      protocol: azure ? null : 'footman.mqtt.protocol',
      login: azure ? 'mqttConfig.azureEventGrid.clientId' : 'footman.mqtt.username',
      authority: azure ? null : 'footman.mqtt.tls.caFile',
      topic: 'mqttConfig.taskStartTopic',
    },
    topic: mqttConfig.taskStartTopic,
    // A second session of the same client may be refused, and would then hold up the running Footman.
    greetOnly: azure,
  }
}

function cloudBroker(config: Config): Broker | null {
  const { mqttConfig, qlikSenseCloud } = config
  const { mqttForward } = mqttConfig.qlikSenseCloud.event
  if (!mqttConfig.enable || !mqttForward.enable || !qlikSenseCloud.enable) return null
  const section = 'mqttConfig.qlikSenseCloud.event.mqttForward'
  const settings = cloudConnection(config, '')
  return {
    settings: { ...settings, mqtt: { ...settings.mqtt, cleanSession: true }, status: null },
    keys: {
      host: `${section}.broker.host`,
      port: `${section}.broker.port`,
      protocol: null,
      login: `${section}.broker.username`,
      authority: 'footman.qlikCloud.tls.caFile',
      topic: `${section}.topic.subscriptionRoot`,
    },
    topic: mqttForward.topic.subscriptionRoot,
    greetOnly: false,
  }
}
