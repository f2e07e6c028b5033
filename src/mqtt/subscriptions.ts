import { filterCovers } from '../platform/mqtt-topics.ts'
import type { BrokerSettings } from './options.ts'

/**
 * What to subscribe to: the root topic, or with a shared group only the start topic through a shared subscription
 * (the root topic as well would deliver each request twice), and whatever the features want beyond that.
 */
export function subscriptionsFor(
  settings: Pick<BrokerSettings, 'mqttConfig' | 'mqtt'>,
  wanted: readonly string[],
): readonly string[] {
  const { subscriptionRootTopic: root, taskStartTopic: start } = settings.mqttConfig
  const group = settings.mqtt.sharedGroup
  const shared = group !== '' && start !== ''
  const plain = [...(shared ? [] : [root, start]), ...wanted].filter(
    (filter) => filter !== '' && !(shared && filter === start),
  )
  const needed = plain.filter((filter, index) =>
    plain.every((other, at) => at === index || !filterCovers(other, filter) || (other === filter && at > index)),
  )
  return shared ? [`$share/${group}/${start}`, ...needed] : needed
}
