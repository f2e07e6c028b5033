/** The key-value store: its endpoints, the pairs of start requests, expiry, and changes for the broker. */

import { createEventStreams } from '../http/endpoint/event-stream.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { countingStore } from '../kv/counting.ts'
import { createExpiry } from '../kv/expiry.ts'
import { extraKeyValueRoutes } from '../kv/extra-routes.ts'
import { keyValueMigrations } from '../kv/migrations.ts'
import { createChangePublisher } from '../kv/publish.ts'
import { keyValueRoutes } from '../kv/routes.ts'
import { createStoreKeyValues } from '../kv/start-items.ts'
import { createKeyValueStore } from '../kv/store.ts'
import type { MqttOutgoing } from '../mqtt/types.ts'
import { createGroupWriter, type GroupWriter } from '../platform/group-commit.ts'
import { type Database, openDatabase } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { StoreKeyValues } from '../tasks/start/types.ts'
import type { Config } from './schema.ts'

export interface KeyValueDeps {
  /** Holds the tables of `keyValueMigrations`. */
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly outgoing: MqttOutgoing | null
  readonly onOperation: (operation: string, times: number) => void
}

export interface KeyValues {
  readonly routes: readonly ApiRoute[]
  /** To be stopped before the REST API, so that no open stream holds that up. */
  readonly services: readonly Service[]
  /** Null while the store is off. */
  sizes(): { readonly namespaces: number; readonly keys: number } | null
  /** Open streams of events. */
  readonly streams: number
  /** Absent while the store is off. */
  readonly storeKeyValues?: StoreKeyValues
}

export function buildKeyValues(deps: KeyValueDeps, config: Config, shadow: boolean): KeyValues {
  if (!config.restServerEndpointsEnable.keyValueStore)
    return { routes: [], services: [], sizes: () => null, streams: 0 }
  const { clock } = deps
  const log = deps.log.child('kv')
  const { persist, maxValueSize } = config.footman.keyValue
  const storage = persist ? deps : inMemory()
  const store = countingStore(
    createKeyValueStore(
      { ...storage, clock },
      { maxKeysPerNamespace: config.keyValueStore.maxKeysPerNamespace, maxValueSize },
    ),
    deps.onOperation,
  )
  const publish = changePublisher({ ...deps, log }, config, shadow)
  if (publish) store.onChange(publish)
  const streams = createEventStreams()
  return {
    routes: [...keyValueRoutes({ store, clock, log }), ...extraKeyValueRoutes({ store, clock, log, streams })],
    services: [
      createExpiry({ store, log }),
      { name: 'key-value streams', start: async () => {}, stop: async () => streams.stop() },
    ],
    sizes: () => storage.db.get<{ namespaces: number; keys: number }>(SIZES, clock.now()) ?? null,
    get streams() {
      return streams.count
    },
    storeKeyValues: createStoreKeyValues({ store, log }),
  }
}

const SIZES = `SELECT (SELECT count(*) FROM kv_namespace) AS namespaces,
  (SELECT count(*) FROM kv WHERE expires_at IS NULL OR expires_at >= ?) AS keys`

function inMemory(): { db: Database; writer: GroupWriter } {
  const db = openDatabase(':memory:', { migrations: keyValueMigrations })
  return { db, writer: createGroupWriter(db) }
}

/** Null when nothing is to be published. */
function changePublisher({ outgoing, log }: KeyValueDeps, { footman, mqttConfig }: Config, shadow: boolean) {
  const { mqttTopic } = footman.keyValue
  if (mqttTopic === '' || shadow) return null
  if (outgoing) return createChangePublisher({ outgoing, log }, { mqttTopic, startTopic: mqttConfig.taskStartTopic })
  log.warn('KEYVALUE: Butler.footman.keyValue.mqttTopic has no effect, because Butler.mqttConfig.enable is false')
  return null
}
