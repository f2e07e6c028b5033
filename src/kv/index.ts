/** Key-value pairs in namespaces, with expiry and revisions: endpoints, followers of changes, pairs of start requests. */
import type { SharedState } from '../cluster/types.ts'
import type { EventStreams } from '../http/endpoint/event-stream.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { MqttOutgoing } from '../mqtt/types.ts'
import { createGroupWriter, type GroupWriter } from '../platform/group-commit.ts'
import { type Database, openDatabase } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { StoreKeyValues } from '../tasks/start/types.ts'
import { codecRoutes } from './bases.ts'
import type { KeyValueConfig, KeyValueStoreConfig } from './config.ts'
import { keyValueRoutes } from './http.ts'
import {
  createExpiry,
  createKeyValueStore,
  createStoreKeyValues,
  keyValueMigrations,
  type StoreSizes,
  sizesOf,
} from './store.ts'
import { transferRoutes } from './transfer.ts'
import type { Change, KeyValueStore } from './types.ts'
import { changePublisher } from './watch.ts'

export interface KeyValueDeps {
  /** Holds the tables of `keyValueMigrations`. */
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** Absent: a single node. */
  readonly shared?: SharedState
  readonly streams: EventStreams
  /** `outgoing`: null when MQTT is not configured. */
  readonly messages: { readonly outgoing: MqttOutgoing | null }
  readonly on: {
    /** Called for each use of the store: `get`, `set`, `expire` ... with the number of pairs. */
    keyValueOperation(operation: string, times: number): void
    keyValueChanged(change: Change): void
  }
}

/** Sections of the configuration that the store reads. */
export interface KeyValueSettings {
  readonly restServerEndpointsEnable: { readonly keyValueStore: boolean }
  readonly keyValueStore: KeyValueStoreConfig
  readonly mqttConfig: { readonly taskStartTopic: string }
  readonly footman: { readonly keyValue: KeyValueConfig }
}

export interface KeyValues {
  /** The endpoints of the store, and of the codecs, which have switches of their own. */
  readonly routes: readonly ApiRoute[]
  /** Once in a cluster. */
  readonly duties: readonly Service[]
  /** Null while the store is off. */
  sizes(): StoreSizes | null
  /** Absent while the store is off. */
  readonly store?: KeyValueStore
  /** Absent while the store is off. */
  readonly storeKeyValues?: StoreKeyValues
}

/** The pairs survive a restart unless `Butler.footman.keyValue.persist` is false. In shadow mode nothing is published. */
export function createKeyValues(deps: KeyValueDeps, config: KeyValueSettings, shadow: boolean): KeyValues {
  if (!config.restServerEndpointsEnable.keyValueStore) return { routes: codecRoutes(), duties: [], sizes: () => null }
  const { clock, on, shared, streams } = deps
  const { outgoing } = deps.messages
  const log = deps.log.child('kv')
  const { persist, maxValueSize, mqttTopic } = config.footman.keyValue
  const { db, writer } = persist ? deps : inMemory()
  const store = createKeyValueStore(
    { db, writer, clock, onOperation: on.keyValueOperation, ...(shared && { shared }) },
    { maxKeysPerNamespace: config.keyValueStore.maxKeysPerNamespace, maxValueSize },
  )
  const publish = changePublisher({ outgoing, log }, shadow ? '' : mqttTopic, config.mqttConfig.taskStartTopic)
  // In a cluster the leader publishes for all.
  if (publish && (shared?.runsDuties ?? true)) store.onChange(publish)
  store.onChange(on.keyValueChanged)
  return {
    routes: [
      ...[...keyValueRoutes({ store, clock, log, streams }), ...transferRoutes({ store, clock, log })].map(settled),
      ...codecRoutes(),
    ],
    duties: [createExpiry({ store, log })],
    sizes: () => sizesOf(db, clock.now()),
    store,
    storeKeyValues: createStoreKeyValues({ store, log }),
  }
}

/** Load scripts rely on reading what they have written, on whichever node. */
const settled = (route: ApiRoute): ApiRoute => (route.scope === 'kv:read' ? { ...route, barrier: true } : route)

function inMemory(): { db: Database; writer: GroupWriter } {
  const db = openDatabase(':memory:', { migrations: keyValueMigrations })
  return { db, writer: createGroupWriter(db) }
}
