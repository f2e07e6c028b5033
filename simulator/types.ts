/** The contracts between the parts of the simulated Qlik Sense site: clock, site, TLS, faults, request log, listeners. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from '../src/platform/types.ts'
import type {
  SimApp,
  SimCompositeEvent,
  SimCustomPropertyDefinition,
  SimDataConnection,
  SimExecution,
  SimLicenceAllocation,
  SimNode,
  SimSchemaEvent,
  SimServerLicence,
  SimSession,
  SimStream,
  SimTag,
  SimTask,
  SimUser,
  SimUserDirectory,
} from './entities.ts'

export type * from './entities.ts'

// ---------------------------------------------------------------------------------------------------------- clock

export interface SimTimer {
  /** Simulated time, ms since 1970. */
  readonly due: number
}

/** The site's time. Runs with the wall clock times `speed`; at speed 0 only `advance` and `set` move it (tests). */
export interface SimClock {
  /** Simulated time, ms since 1970. */
  now(): number
  /** Calls back once, `delayMs` simulated milliseconds from now; callbacks run in order of their time. */
  schedule(delayMs: number, callback: () => void): SimTimer
  cancel(timer: SimTimer | null | undefined): void
  /** Moves time forward and runs everything that falls due, in order. */
  advance(ms: number): void
  /** Jumps to a time; forward runs what falls due, backward only moves the hands. */
  set(now: number): void
  /** 1 = real time, 60 = a minute a second, 0 = stand still. */
  setSpeed(speed: number): void
  /** Cancels every timer. */
  stop(): void
}

// ----------------------------------------------------------------------------------------------------------- site

export type ChangeType = 1 | 2 | 3

/** Events of the site. `state` precedes the datagram that the scheduler sends about it. */
export interface SiteEvents {
  /** A run changed its state (5.1 of the execution status table: 1 Triggered ... 14 DistributionRunning). */
  state: { readonly task: SimTask; readonly execution: SimExecution; readonly user: string; readonly final: boolean }
  /** A line that the scheduler writes to its log and that a log appender picks up. */
  schedulerLog: {
    readonly kind: 'failed' | 'aborted' | 'success' | 'distribute'
    readonly task: SimTask
    readonly execution: SimExecution
    readonly user: string
    readonly message: string
    /** Host that logs: the central node for task sessions, the executing node for distribute. */
    readonly host: string
  }
  /** An entity was added (1), updated (2) or deleted (3). */
  changed: { readonly entity: string; readonly id: string; readonly changeType: ChangeType }
}

export interface SimulatedSite {
  readonly clock: SimClock
  readonly timeZone: string
  readonly nodes: Map<string, SimNode>
  readonly streams: Map<string, SimStream>
  readonly apps: Map<string, SimApp>
  readonly tasks: Map<string, SimTask>
  readonly tags: Map<string, SimTag>
  readonly customPropertyDefinitions: Map<string, SimCustomPropertyDefinition>
  readonly users: Map<string, SimUser>
  readonly userDirectories: Map<string, SimUserDirectory>
  readonly dataConnections: Map<string, SimDataConnection>
  readonly schemaEvents: Map<string, SimSchemaEvent>
  readonly compositeEvents: Map<string, SimCompositeEvent>
  readonly sessions: Map<string, SimSession>
  readonly executions: ExecutionStore
  readonly licences: {
    server: SimServerLicence
    readonly professional: Map<string, SimLicenceAllocation>
    readonly analyzer: Map<string, SimLicenceAllocation>
    readonly totals: { professional: number; analyzer: number; capacityMinutes: number; capacityUsedMinutes: number }
  }
  /** A new GUID, deterministic: prefix of up to 8 hex digits + counter, like `e5000000-0000-4000-8000-000000000001`. */
  nextId(prefix: string): string
  /** The user of a `DIR\id` name, ignoring case. */
  userByName(directory: string, userId: string): SimUser | null
  centralNode(): SimNode
  /** Marks a reload as done and saved: lastReloadTime, modifiedDate, fileSize; notifies the listeners. */
  appReloaded(app: SimApp, at: number, user: string): void
  on<K extends keyof SiteEvents>(event: K, listener: (payload: SiteEvents[K]) => void): () => void
  emit<K extends keyof SiteEvents>(event: K, payload: SiteEvents[K]): void
}

/** Execution results, newest kept: reached by id, by execution (session) id and by task id without a search. */
export interface ExecutionStore {
  readonly size: number
  get(id: string): SimExecution | undefined
  byExecution(executionId: string): readonly SimExecution[]
  byTask(taskId: string): readonly SimExecution[]
  add(execution: SimExecution): void
  values(): Iterable<SimExecution>
}

// ------------------------------------------------------------------------------------------------------------ TLS

export interface PemFile {
  readonly pem: string
  readonly path: string
}

/** Certificates of the site. `ca` signed both the server and the client certificate (CN `QlikClient`). */
export interface Tls {
  readonly directory: string
  readonly ca: PemFile
  readonly server: { readonly cert: PemFile; readonly key: PemFile }
  readonly client: { readonly cert: PemFile; readonly key: PemFile }
}

// --------------------------------------------------------------------------------------------------------- faults

export const LISTENER_NAMES = ['qrs', 'qrsHttp', 'engine', 'about', 'cloud'] as const
export type ListenerName = (typeof LISTENER_NAMES)[number]
export type PortName = ListenerName | 'control'

/**
 * Where a fault acts: on the listener as a whole, on one HTTP exchange (an upgrade included), or inside an engine
 * session (the engine asks for these itself with `match(..., 'engine')`).
 */
export type FaultStage = 'connection' | 'http' | 'engine'

export interface FaultRule {
  /** Default: every listener. */
  readonly listener?: ListenerName
  /** Regular expression on path and query; default: everything. */
  readonly match?: string
  /** One of `FAULT_MODES` in faults.ts, such as `status`, `hang`, `latency`, `close-mid-reload`. */
  readonly mode: string
  readonly args?: readonly unknown[]
  /** Strikes so often, then is gone; default: until cleared. */
  readonly times?: number
  /** Gone after so many seconds of wall-clock time. */
  readonly seconds?: number
}

export interface Fault {
  readonly id: number
  readonly mode: string
  readonly stage: FaultStage
  readonly args: readonly unknown[]
}

export interface FaultTable {
  /** Throws `Unknown fault mode ...` when the mode does not exist. */
  add(rule: FaultRule): Fault
  clear(): void
  /**
   * The first fault that strikes here (stage default `http`) and that `accepts`, if given, agrees to; counts one of its
   * `times`. Null: answer normally.
   */
  match(listener: ListenerName, path: string, stage?: FaultStage, accepts?: (fault: Fault) => boolean): Fault | null
  /** The fault that holds the whole listener, such as `refuse`; null when it works normally. */
  connection(listener: ListenerName): Fault | null
  /** Calls back whenever a fault was added or has gone. */
  subscribe(listener: () => void): () => void
  /** Answers or spoils one exchange as the fault says; `next` produces the normal reply. */
  apply(fault: Fault, next: () => Reply | Promise<Reply>): Promise<FaultVerdict>
}

/** How the listener continues an exchange after a fault. */
export type FaultVerdict =
  | { readonly do: 'reply'; readonly reply: Reply /** Bytes a second. */; readonly slow?: number }
  | { readonly do: 'hang' }
  | { readonly do: 'reset' }

// ---------------------------------------------------------------------------------------------------- request log

export interface LoggedRequest {
  /** Rises by one with every request of the whole simulator. */
  readonly seq: number
  readonly at: number
  readonly listener: ListenerName
  readonly method: string
  /** Raw path with query, as received. */
  readonly path: string
  /** The `filter` parameter, percent-decoded once; null without one. */
  readonly decodedFilter: string | null
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
  /** `CN=QlikClient`; null without a client certificate. */
  readonly clientSubject: string | null
  /** Number of the TCP connection on this listener, from 1; shows whether connections are reused. */
  readonly connection: number
  readonly status: number | null
  /** Size of the body of the answer. */
  readonly bytes: number | null
}

export interface RequestLog {
  /** Adds an entry (seq is given by the log) and returns it so that status and size can be filled in with `finish`. */
  append(entry: Omit<LoggedRequest, 'seq' | 'status' | 'bytes'>): { finish(status: number, bytes?: number): void }
  /** Entries after `since` (a seq), oldest first; at most the newest 20,000 are kept. */
  list(filter?: { listener?: ListenerName; since?: number }): readonly LoggedRequest[]
  clear(): void
}

// ------------------------------------------------------------------------------------------------------ listeners

export interface Listener {
  readonly name: ListenerName
  /** The port in use, 0 before `start`. */
  readonly port: number
  start(): Promise<void>
  /** Closes every connection at once. */
  stop(): Promise<void>
}

export interface SimRequest {
  readonly method: string
  /** Raw path without the query. */
  readonly path: string
  /** Raw query without the question mark; empty without one. */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly clientSubject: string | null
  readonly connection: number
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/**
 * Settings of `createHttpListener(deps, settings): Listener` (http-listener.ts), which every HTTP and WebSocket service
 * of the site is made with: it does TLS, client certificates, the request log and all faults.
 */
export interface HttpListenerSettings {
  readonly name: ListenerName
  /** 0 = any free port. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** `mutual`: a client certificate of the site's CA is demanded; `server`: plain HTTPS; `none`: HTTP. */
  readonly security: 'mutual' | 'server' | 'none'
  handle(request: SimRequest): Reply | Promise<Reply>
  /** WebSocket upgrades (already logged, faults applied); without it they are refused. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer, info: UpgradeInfo): void
}

export interface UpgradeInfo {
  readonly clientSubject: string | null
  readonly connection: number
}

/** Dependencies of every listener of the site. */
export interface ListenerDeps {
  readonly site: SimulatedSite
  readonly tls: Tls
  readonly clock: SimClock
  readonly faults: FaultTable
  readonly requests: RequestLog
  readonly log: Logger
}
