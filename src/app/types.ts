/** Dependencies, options and interface of the app. */
import type { DeliveryChange } from '../alerts/outbox/outbox.ts'
import type { Cluster } from '../cluster/index.ts'
import type { SharedState } from '../cluster/types.ts'
import type { ConfigPaths } from '../config/paths.ts'
import type { hubPages } from '../console/hub/index.ts'
import type { IngestHandover } from '../events/ingest/handover.ts'
import type { TaskEvent } from '../events/types.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { OpenApiDocument } from '../http/openapi/schema.ts'
import type { ApiDeps } from '../http/server.ts'
import type { FileDatabase, Pruning } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { createReports } from '../reports/index.ts'
import type { Topics } from './observers.ts'
import type { ConfigurationSource } from './reload.ts'
import type { Config } from './schema.ts'

/** Report tasks and the pages of their readers, which are loaded only where they are used. */
export interface ReportTasks {
  readonly createReports: typeof createReports
  readonly hubPages: typeof hubPages
}

export interface AppDeps {
  readonly log: Logger
  readonly paths: ConfigPaths
  /** Makes the state that this build shares with the other nodes of a cluster; absent: a single node. */
  readonly shared?: (own: Own) => SharedState
  /** To hand over, and to forget nodes. */
  readonly cluster?: Pick<Cluster, 'stepDown' | 'nodes'> | null
  readonly clock?: Clock
  /** Absent: the configuration stays as it is. */
  readonly configuration?: ConfigurationSource
  /** Observers for live views. */
  readonly observe?: {
    readonly event?: (event: TaskEvent) => void
    readonly delivery?: (change: DeliveryChange) => void
    readonly reportFinished?: Topics['reportFinished']
  }
  /** Default: `footman.db` in the data directory; `:memory:` for commands that only list what the app offers. */
  readonly databaseFile?: string
  /** Callbacks for a replaced data directory. */
  readonly directory?: {
    /** Claims the directory that is at the path now; throws when it may not be used. */
    readonly claim: () => void
    /** Called when values in memory may not match the database any more: all services must be built anew. */
    readonly onOther: () => void
  }
  /** Keeps the ingest worker running while one app replaces another in the same process. */
  readonly handover?: IngestHandover
  /** The same for the server of the REST API. */
  readonly restHandover?: ApiDeps['restHandover']
  /** Accepted messages are lost, as Footman ends before they could be stored. */
  readonly onGivenUp?: () => void
  /** Report tasks, where they are switched on; see `loadReports`. */
  readonly reports?: ReportTasks | null
  /** Entry file of worker threads; default: the running program. */
  readonly workerEntry?: URL
}

/** The database of a build of the app, and what uses it. */
export interface Own {
  readonly db: FileDatabase
  readonly log: Logger
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

/** The contributions that `app.ts` collects from each part; a part that is switched off has none or fewer. */
export interface Part {
  readonly routes?: readonly ApiRoute[]
  /** Other parts hand work to these: started before the listeners, stopped after them. */
  readonly backends?: readonly Service[]
  /** These bring work in, or keep callers waiting: started after the listeners, stopped before them. */
  readonly services?: readonly Service[]
  readonly observers?: Partial<Topics>
  readonly pruning?: readonly Pruning[]
}

export interface App {
  /** Rejects with a `StartError` when a listener or the database cannot be opened; nothing runs then. */
  start(): Promise<void>
  stop(graceMs: number): Promise<void>
  /** Reads the configuration file again; rejects when it cannot be used, and then changes nothing. */
  reload(): Promise<unknown>
  /** Resolves with true when every thread answers; while one does not, never. */
  isAlive(): Promise<boolean>
  /** The states of its parts by name, as `/health` shows them. */
  health(): Readonly<Record<string, string>>
  /** Ports in use, once started; 0 where a server is off. */
  readonly restPort: number
  /** The OpenAPI document of the REST API with this configuration. */
  describe(): Promise<OpenApiDocument>
}
