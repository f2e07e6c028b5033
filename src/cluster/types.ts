/**
 * The state that the nodes of a cluster share, as one of them sees it. A node on its own has the same interface
 * (`createLocalState`), where everything is true at once.
 */
import type { Clock, Service } from '../platform/types.ts'

export { NotLeaderError } from '../platform/group-commit.ts'

/**
 * `single`: no cluster. `joining`: started, not yet followed to the newest row. `follower`: receives and stands ready.
 * `leader`: does all the work. `alone`: the database cannot be reached, so that the node works for itself. `leaving`: stops.
 */
export type Mode = 'single' | NodeMode
/** The part of a node that is one of several. */
export type NodeMode = 'joining' | 'follower' | 'leader' | 'alone' | 'leaving'

/** A node that was not heard of for so long counts as lost. */
export const NODE_LOST_MS = 60_000

/** The shared state for one build of the app. A change of `mode` that changes who works builds the app anew. */
export interface SharedState {
  readonly mode: Mode
  /** Schedules, retries, MQTT starts and all else that runs once in a cluster. */
  readonly runsDuties: boolean
  /** Enrichment, routing and the outbox. */
  readonly delivers: boolean
  /** Ask before every effect outside: false as soon as another node may lead, by this node's own clock. */
  mayAct(): boolean
  /**
   * Called after each commit to `footman.db`. Null: nothing that others need was changed. Otherwise resolves when the changes
   * survive this node; rejects with a `NotLeaderError` when they were refused, as another node leads.
   */
  afterCommit(): Promise<void> | null
  /** The messages of all nodes, which the leader takes; null = the own journal is worked off. */
  readonly inbox: Inbox | null
  /** Runs a REST call at the leader; rejects with a `ForwardingError`. Null = the call is answered here. */
  atLeader(request: ForwardedRequest): Promise<ForwardedAnswer> | null
  /** Answers the calls that other nodes have received, while this one leads. */
  serve(run: (request: ForwardedRequest) => Promise<ForwardedAnswer>): void
  /** Resolves when all that was answered anywhere can be read here; with the age of what is here where that is not known. */
  caughtUp(): Promise<{ readonly staleMs: number }>
  readonly clock: Clock
  readonly documents: Documents
  /** Rows of others have been applied to these tables, after the commit. Returns the function that ends it. */
  onApplied(listener: (tables: ReadonlySet<string>) => void): () => void
  /** Null on a single node. */
  readonly status: ClusterStatus | null
  /** Started after the database and before all that uses it, stopped in reverse. */
  readonly services: readonly Service[]
}

/** A message as its node accepted it. */
export interface OfferedMessage {
  /** The same on every node that got the message: see `messageKey`. */
  readonly key: string
  readonly kind: 'datagram' | 'event'
  /** Milliseconds since 1970, by the clock of the cluster. */
  readonly receivedAt: number
  readonly sender: string
  readonly raw: Uint8Array
}

export interface InboxEntry extends OfferedMessage {
  readonly id: number
  /** The node that accepted it. */
  readonly node: string
}

export interface Inbox {
  /** Stores messages for the leader; known ones are not stored again. Rejects while the database cannot be reached. */
  offer(messages: readonly OfferedMessage[]): Promise<{ readonly taken: number; readonly known: number }>
  /** For the leader: the oldest messages that wait and are not under way. [] on a follower. */
  next(limit: number): Promise<readonly InboxEntry[]>
  /** In the transaction that stores their events: the messages with these keys are settled together with its rows. */
  settle(messages: readonly { readonly key: string; readonly eventId: string | null }[]): void
  /** Messages received since then (milliseconds since 1970) are offered again, as the database may have forgotten them; null = none. */
  readonly offerAgainSince: number | null
  /** So many messages are in the own journal and have not been offered. */
  noteWaiting(messages: number): void
  /** Something new may wait, here or in the inbox. */
  onNew(listener: () => void): () => void
}

/** A REST call that has been authenticated, authorized, limited and validated by the node that received it. */
export interface ForwardedRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  /** JSON; the REST API of the leader makes its caller of it. */
  readonly caller: unknown
  readonly requestId: string
  readonly signal: AbortSignal
}

export interface ForwardedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** JSON; for the audit of the node that received the call. */
  readonly note: unknown
}

/** Texts that people edit and that all nodes share: the schedule file, report definitions. */
export interface Documents {
  /** Null = nothing is shared (a single node). */
  read(name: string): Promise<SharedDocument | null>
  /** Stores a change of the text that was read as `basedOn` (0 = new); false = another node was faster. */
  write(name: string, content: Uint8Array, basedOn: number, actor: string): Promise<boolean>
  /** Another text is stored; the listener is awaited where the newest state is. Returns the function that ends it. */
  onChange(name: string, listener: (document: SharedDocument) => void | Promise<void>): () => void
}

export interface SharedDocument {
  readonly rev: number
  readonly content: Uint8Array
  readonly node: string
}

export interface NodeInfo {
  readonly name: string
  readonly mode: NodeMode
  readonly version: string
  readonly candidate: boolean
  readonly url: string | null
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly seenAt: number
  readonly appliedRev: number
  /** Messages accepted and not offered yet. */
  readonly waiting: number
  /** Clock of the database minus its own, in milliseconds. */
  readonly clockOffsetMs: number
  /** Hash by section of the configuration. */
  readonly config: Readonly<Record<string, string>>
  readonly health: Readonly<Record<string, unknown>>
}

export interface Leadership {
  readonly epoch: number
  readonly node: string
  readonly from: number
  /**
   * `first` of the cluster; `handedOver` by the one before; `expired`: that one gave no sign of life; `restart`: the same node
   * again. Older versions wrote `free`.
   */
  readonly reason: string
}

/** For health, metrics, `/v4/cluster`, console and doctor; read from memory. */
export interface ClusterStatus {
  readonly node: string
  readonly mode: NodeMode
  /** Since when the mode is what it is, milliseconds since 1970. */
  readonly modeSince: number
  readonly clusterId: string | null
  readonly database: {
    /** `host:port` that answers, null while none does. */
    readonly host: string | null
    readonly timeline: number | null
    readonly isUp: boolean
    /** Why it cannot be reached; '' while it can. Holds no secret. */
    readonly reason: string
    /** It answers, and does not let this node in. */
    readonly isRefused: boolean
    /** It has refused this node for so short a time that what comes in waits here: others may be let in, and do the work. */
    readonly isWaitedFor: boolean
    /** How long it has not answered, in milliseconds; 0 while it does. */
    readonly downForMs: number
  }
  readonly leader: Leadership | null
  /** How long the lead is free, in milliseconds; 0 while a node has it, and while the database is away. */
  readonly leaderlessForMs: number
  readonly nodes: readonly NodeInfo[]
  readonly leaderships: readonly Leadership[]
  readonly appliedRev: number
  readonly headRev: number
  readonly followLagMs: number
  readonly clockOffsetMs: number
  readonly unshippedRows: number
  /** Accepted here and not offered yet. */
  readonly waiting: number
  /** Messages in the inbox that no leader has settled, and when the oldest was offered; known to the leader only. */
  readonly inboxOpen: number
  readonly inboxOldestAt: number | null
  /** Sections of the configuration that differ, with the nodes that have another one. */
  readonly configDiffers: Readonly<Record<string, readonly string[]>>
  /** Since the database was found to be in an earlier state, in milliseconds; null = it never was. */
  readonly rewoundAgoMs: number | null
  readonly counters: ClusterCounters
}

/** They only grow. */
export interface ClusterCounters {
  readonly offers: { readonly new: number; readonly known: number }
  readonly shippedRows: number
  readonly appliedRows: number
  readonly takeovers: Readonly<Record<string, number>>
  readonly commands: Readonly<Record<string, number>>
  readonly fenced: number
  readonly aloneSeconds: number
  readonly duplicateEvents: number
  readonly rewinds: number
  readonly timings: Readonly<Record<Timed, Timing>>
}

/** A ship of the leader, a call that the leader answered for this node, a read that waited for the newest rows. */
export type Timed = 'ship' | 'command' | 'barrier'

/** How long something took, in seconds. */
export interface Timing {
  readonly bounds: readonly number[]
  /** Up to each bound and above the one before it; the last is above all of them. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** A time of leadership: the token is random and never used twice, and each write of a leader names it. */
export interface Term {
  readonly token: string
  readonly epoch: number
}

/**
 * `NO_LEADER`: no leader took the call, nothing was done. `OUTCOME_UNKNOWN`: a leader took it and did not answer.
 * `CLUSTER_UNAVAILABLE`: the database cannot be reached, nothing was done. `BODY_TOO_LARGE`: more than commands may carry.
 */
export type ForwardingFault = 'NO_LEADER' | 'OUTCOME_UNKNOWN' | 'CLUSTER_UNAVAILABLE' | 'BODY_TOO_LARGE'

export class ForwardingError extends Error {
  override readonly name = 'ForwardingError'
  constructor(
    readonly fault: ForwardingFault,
    message: string,
    /** Nothing was done, as this node gets another part; with that it can answer the call. */
    readonly isEarly = false,
  ) {
    super(message)
  }
}
