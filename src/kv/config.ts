/** `Butler.keyValueStore` and `Butler.footman.keyValue`. */
import type { z } from 'zod'
import { count, flag, section, size, text } from '../config/fields.ts'

export const keyValueStore = section('Key-value store.', () => ({
  enable: flag('Has no effect: restServerEndpointsEnable.keyValueStore switches the store on.'),
  maxKeysPerNamespace: count('Most keys of a namespace.', 1000, { min: 1 }),
}))

export const keyValue = section('More about the key-value store.', () => ({
  persist: flag('Keep the pairs over a restart.', true),
  maxValueSize: size('Largest value.', '1MB'),
  mqttTopic: text('Publish changes below this MQTT topic; empty = off.'),
}))

export type KeyValueStoreConfig = z.output<typeof keyValueStore>
export type KeyValueConfig = z.output<typeof keyValue>
