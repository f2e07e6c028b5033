/** What the composition root takes and gives. */
import type { DeliveryChange } from '../alerts/outbox/outbox.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { Config } from '../config/schema.ts'
import type { IngestHandover } from '../events/ingest/handover.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import type { TaskEvent } from '../events/types.ts'
import type { OpenApiDocument } from '../http/openapi/schema.ts'
import type { InfluxPoints } from '../metrics/influxdb/types.ts'
import type { MonitorStates } from '../metrics/prometheus/monitors.ts'
import type { EmitMonitorEvent } from '../monitors/types.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Frequency } from '../platform/frequency.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { QrsObserver } from '../qlik/qrs/transport.ts'
import type { Alerts } from './alerts.ts'
import type { Qlik } from './qlik.ts'
import type { ConfigurationSource } from './reload.ts'
import type { Blueprint, Built } from './replaceable.ts'

export interface AppDeps {
  readonly log: Logger
  readonly paths: ConfigPaths
  readonly clock?: Clock
  /** Absent: the configuration stays as it is. */
  readonly configuration?: ConfigurationSource
  /** Told what happens, for live views. */
  readonly observe?: {
    readonly event?: (event: TaskEvent) => void
    readonly delivery?: (change: DeliveryChange) => void
  }
  /** Default: `footman.db` in the data directory; `:memory:` for programs that only ask what there is. */
  readonly databaseFile?: string
  /** What has to happen when the data directory, or what is in it, is another one. */
  readonly directory?: {
    /** Another one may stand at its path now; throws when that may not be used. */
    readonly claim: () => void
    /** What is remembered of the database may be wrong: everything has to be built anew. */
    readonly onOther: () => void
  }
  /** Keeps what takes messages in while one app follows another in the same process. */
  readonly handover?: IngestHandover
  /** Entry file of worker threads; default: the running program. */
  readonly workerEntry?: URL
}

export interface AppOptions {
  readonly config: Config
  /** Exists and is writable; no other process uses it. */
  readonly dataDirectory: string
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
  /** Receive and record everything, send and start nothing. */
  readonly shadow: boolean
  /** A listener whose port cannot be opened does not end the start. */
  readonly degraded: boolean
  /** `--api-rate-limit`; null = the configuration decides. */
  readonly apiRateLimit: number | null
}

export interface App {
  /** Rejects with a `StartError` when a listener or the database cannot be opened; nothing runs then. */
  start(): Promise<void>
  stop(graceMs: number): Promise<void>
  /** Reads the configuration file again; rejects when it cannot be used, and nothing changes then. */
  reload(): Promise<unknown>
  /** Resolves with true when every thread answers; while one does not, never. */
  isAlive(): Promise<boolean>
  /** Ports in use, once started; 0 where a server is off. */
  readonly restPort: number
  /** What the REST API offers with this configuration. */
  describe(): OpenApiDocument
}

export interface MonitorsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: Pick<Qlik, 'certificates'>
  /** Null when MQTT is off. */
  readonly mqtt: MqttService | null
  /** Null when InfluxDB is off, and in shadow mode. */
  readonly points: InfluxPoints | null
  readonly alerts: Pick<Alerts, 'outbox'>
  readonly pipeline: Pick<EventPipeline, 'emitter'>
  readonly health: () => { readonly healthy: boolean }
  /** Told about every request to QRS. */
  readonly observe?: QrsObserver
}

export interface MonitorsOptions {
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

/** What one monitor knows of all that the monitors know. */
export type Monitor = Built<Partial<MonitorStates>>
export type MonitorBlueprint = Blueprint<Partial<MonitorStates>>

/** What every monitor is made with. */
export interface MonitorParts extends MonitorsDeps {
  readonly emit: EmitMonitorEvent
  /** A text of the configuration, which has checked it. */
  readonly frequency: (text: string) => Frequency
}
