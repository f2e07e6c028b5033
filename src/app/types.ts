/** What the composition root takes and gives. */
import type { DeliveryChange } from '../alerts/outbox/outbox.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { IngestHandover } from '../events/ingest/handover.ts'
import type { TaskEvent } from '../events/types.ts'
import type { OpenApiDocument } from '../http/openapi/schema.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { ConfigurationSource } from './reload.ts'
import type { Config } from './schema.ts'

export interface AppDeps {
  readonly log: Logger
  readonly paths: ConfigPaths
  readonly clock?: Clock
  /** Absent: the configuration stays as it is. */
  readonly configuration?: ConfigurationSource
  /** Observers of what happens, for live views. */
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
