/** The shared state of one build of the app: ships what the leader changes, or follows, and hands out the inbox. */

import { createBlobs } from '../platform/blobs.ts'
import { within } from '../platform/deadline.ts'
import { errorText } from '../platform/errors.ts'
import { createListeners } from '../platform/listeners.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import { createRecurringJob, type RecurringJob } from '../platform/recurring-job.ts'
import type { FileDatabase } from '../platform/sqlite.ts'
import type { Logger, Service } from '../platform/types.ts'
import { parkDeliveries, resumeParked } from './alone.ts'
import { installTriggers, lastNoted } from './changes.ts'
import type { ClusterClock } from './clock.ts'
import { createCommands } from './commands.ts'
import type { CounterWriter } from './counters.ts'
import { createDocuments } from './documents.ts'
import { createSharedFiles } from './files.ts'
import { createBacklog } from './first-ship.ts'
import { createFollower, type Follower } from './follow.ts'
import { createInbox } from './inbox.ts'
import { createMembership } from './join.ts'
import type { Lease } from './lease.ts'
import { takeBack } from './merge.ts'
import type { Nodes } from './nodes.ts'
import type { Part } from './part.ts'
import { cleanShared } from './retention.ts'
import { bringBack, type Forgotten } from './return.ts'
import { createShipper, type Shipper } from './ship.ts'
import { type ClusterStatus, type ForwardedRequest, ForwardingError, type SharedState, type Term } from './types.ts'

/** The database of a build of the app, and what uses it. */
export interface Own {
  readonly db: FileDatabase
  readonly log: Logger
}

export interface AttachmentSettings {
  readonly node: string
  readonly dataDirectory: string
  /** Folder of the files of reports; null = none are made here. */
  readonly reportDirectory: string | null
  /** How long settled messages stay in the database, in milliseconds. */
  readonly keepInboxMs: number
  /** Time after which a repeat counts as a new message, in milliseconds. */
  readonly dedupTtlMs: number
  /** Messages that may wait in the inbox. */
  readonly maxOpen: number
  /** How long a call waits for the leader, in milliseconds; may change. */
  readonly commandTimeoutMs: () => number
}

export interface AttachmentDeps {
  readonly own: Own
  readonly pool: PostgresPool
  readonly lease: Lease
  readonly clock: ClusterClock
  readonly counters: CounterWriter
  readonly status: ClusterStatus
  readonly nodes: Nodes
  /** The part that this build was made for. */
  readonly part: Part
  /** False as soon as the node has another part than this build. */
  readonly isPart: () => boolean
  /** The tables of the cluster are there, and this node may use them. */
  readonly isPrepared: () => boolean
  /** The server actively refuses since then, by the monotonic clock; null = it does not. */
  readonly refusingSince: () => number | null
  readonly wasLastLeader: boolean
  /** The term of a leader that went on with its duties without the database; null = it did not. */
  readonly keptTerm: Term | null
  readonly onFenced: () => void
  /** The database was found to be in an earlier state. */
  readonly onForgotten: (head: number) => void
  /** It was before this build; null = it was not. */
  readonly forgotten: Forgotten | null
}

export interface Attachment extends SharedState {
  readonly part: Part
  /** The rows of a time alone are in the database, and all that is in there has been followed. */
  readonly isReady: boolean
  /** Follows to the newest row. */
  toHead(): Promise<void>
  /** Takes no more calls of other nodes, and resolves when those under way are answered, or have had their time. */
  finish(): Promise<void>
  /** A notification came. */
  hear(channel: 'inbox' | 'rev' | 'command' | 'answer' | 'document', payload: string): void
  /** The node has another part now: callers that wait are answered, so that the app can be built anew at once. */
  leave(): void
  /** Notifications may have been missed. */
  hearAll(): void
  /** The leader's open messages; other nodes count none. */
  readonly inboxOpen: { readonly rows: number; readonly oldestAt: number | null }
  readonly progress: Progress
}

/** How far this build has come. */
export interface Progress {
  readonly waiting: number
  readonly appliedRev: number
  /** The newest revision that certainly was in the database. */
  readonly knownRev: number
  readonly headRev: number
  readonly lagMs: number
  readonly unshipped: number
  readonly shippedRows: number
  readonly appliedRows: number
}

const LOOK_MS = 1000
/** Messages that were offered so shortly before may be forgotten; older ones are not known again where they are not. */
const OFFERED_MS = 600_000
const FILES_MS = 2000
const CLEAN_MS = 3_600_000
const FIRST_CLEAN_MS = 60_000
/** A read waits so long for the newest rows. */
const BARRIER_MS = 500
/** A server that refused every connection for so long is down, and no other node can lead with it. */
const DOWN_MS = 60_000
/** For the changes of the last moment of a clean stop. */
const LAST_SHIP_MS = 2000
const ALONE =
  'The database of the cluster cannot be used by this node, which is alone. Nothing was done; repeat the call'

export function createAttachment(deps: AttachmentDeps, settings: AttachmentSettings): Attachment {
  const { own, pool, lease, clock, counters, part, status, isPart } = deps
  const { db } = own
  const { node, dataDirectory } = settings
  const log = own.log.child('cluster')
  const isLeader = part === 'leader'
  const listeners = createListeners<[tables: ReadonlySet<string>]>()
  installTriggers(db)
  const term = () => (isLeader && isPart() ? lease.term() : null)
  const ask = (request: ForwardedRequest) => commands.ask(request)
  const membership = createMembership({ db, pool, log, node, dataDirectory, ask })
  if (isLeader && status.clusterId !== null) membership.lead(status.clusterId)
  const follower = createFollower({
    db,
    pool,
    log,
    clock,
    node,
    onForgotten: deps.onForgotten,
    isLeader: () => isLeader,
    onApplied: listeners.call,
  })
  const shipper = createShipper({
    db,
    pool,
    log,
    clock,
    node,
    onFenced: deps.onFenced,
    // Also when the own clock has ended the term: the database decides.
    term: () => (isLeader ? lease.last : null),
    seenRev: () => follower.appliedRev,
    backlog: createBacklog(db),
  })
  shipper.onShipped((ms) => counters.time('ship', ms))
  const documents = createDocuments({ pool, node, log })
  const commands = createCommands(
    { pool, node, log, clock, counters, term, answer: shipper.answer, reach },
    { timeoutMs: settings.commandTimeoutMs },
  )
  const inbox = createInbox(
    { pool, node, clock, settle: isLeader ? shipper.settle : null, counted: counters.addOffers },
    {
      dedupTtlMs: settings.dedupTtlMs,
      maxOpen: settings.maxOpen,
      offerAgainSince: deps.forgotten === null ? null : clock.now() - Math.min(OFFERED_MS, settings.dedupTtlMs),
    },
  )
  const complaints = createComplaints(log, status)
  const returning = createReturning(isLeader, comeBack)
  const ownRows = createOwnRows({ db, pool, node, follower })
  const reopening = createReopening(deps, log, () => listeners.call(new Set(['delivery'])))
  let isReady = isLeader
  let inboxOpen: Attachment['inboxOpen'] = { rows: 0, oldestAt: null }

  /** Nothing of an empty database, and nothing before this store is that of the cluster. */
  async function toHead(): Promise<void> {
    if (await returning.run()) await follower.toHead()
  }

  /** Brings what waits here to the database before anything is followed. False: the database is empty. */
  async function comeBack(): Promise<boolean> {
    if (!(await membership.ensure())) return false
    const { nodes, forgotten, keptTerm } = deps
    await bringBack({ db, pool, log, node, clock, follower, counters, nodes, forgotten, keptTerm }, settings)
    follower.start()
    return true
  }

  /** Resolves when all rows up to the rev are here, and the documents of which a notification came before. */
  async function reach(rev: number): Promise<void> {
    if (follower.appliedRev < rev) await toHead()
    await documents.idle()
  }

  /** Notifications may be missed, so everything is looked for without them too. */
  const LOOKS: Readonly<Record<Part, () => Promise<void>>> = {
    async leader() {
      hearAll()
      inboxOpen = await inbox.readOpen()
      await membership.addPairs()
    },
    async follower() {
      await returning.run()
      await documents.look()
      isReady = true
      inbox.wake()
      if (!returning.isDone) return
      await ownRows.ship()
      await membership.addPairs()
    },
    alone: async () => reopening.look(),
  }

  /** The newest rows are here, and those of the leader are there. */
  async function waitForNewest(): Promise<void> {
    await (term() ? shipper.drain() : toHead())
  }

  function hearAll(): void {
    if (isLeader) {
      inbox.wake()
      void commands.takeAll()
    } else if (returning.isDone) follower.wake()
    if (part !== 'alone') void documents.look()
  }

  const looks = createRecurringJob({ everyMs: LOOK_MS, firstMs: 0, onError: complaints.add }, async () => {
    if (!deps.isPrepared()) return
    await LOOKS[part]()
    complaints.end()
  })
  const chores = createChores({ db, pool, log, isLeader, returning, onError: complaints.add }, settings)
  const service: Service = {
    name: 'cluster',
    async start() {
      if (part === 'alone' && membership.isKnown) parkDeliveries(db)
      else resumeParked(db)
      if (isLeader) {
        shipper.start()
        follower.start()
      }
      if (part !== 'alone') for (const chore of chores) chore.start()
      looks.start()
    },
    async stop() {
      commands.stop()
      if (isLeader && isPart()) await within(shipper.drain(), LAST_SHIP_MS, () => undefined).catch(() => undefined)
      await Promise.all([looks, ...chores, follower, shipper].map((one) => one.stop()))
      await returning.idle()
    },
  }

  return {
    part,
    clock,
    status,
    inbox: part === 'alone' && !status.database.isWaitedFor ? null : inbox,
    services: [service],
    runsDuties: isLeader || (part === 'alone' && deps.keptTerm !== null),
    delivers: part !== 'follower',
    get mode() {
      return status.mode
    },
    get isReady() {
      return isReady
    },
    get inboxOpen() {
      return inboxOpen
    },
    progress: progressOf({ isLeader, inbox, follower, shipper }),
    mayAct: () => (isLeader ? term() !== null : part === 'alone' && isPart()),
    afterCommit: () => (isLeader ? shipper.afterCommit() : null),
    atLeader(request) {
      if (isLeader) return null
      if (part === 'alone') return Promise.reject(new ForwardingError('CLUSTER_UNAVAILABLE', ALONE))
      return ask(request)
    },
    serve: commands.serve,
    caughtUp: () => caughtUp({ part, status, clock, counters, follower }, waitForNewest),
    documents,
    onApplied: listeners.add,
    toHead,
    finish: () => within(commands.finish(), LAST_SHIP_MS, () => undefined),
    hear(channel, payload) {
      if (channel === 'inbox' && isLeader) inbox.wake()
      if (channel === 'rev' && returning.isDone) follower.wake()
      if (channel === 'command' && isLeader) void commands.takeAll()
      if (channel === 'answer') commands.hearAnswer(payload)
      if (channel === 'document') void documents.look()
    },
    hearAll,
    leave() {
      commands.stop()
      shipper.leave()
    },
  }
}

/** Waits a moment for the newest rows. */
async function caughtUp(
  { part, status, clock, counters, follower }: CaughtUpParts,
  waitForNewest: () => Promise<void>,
): Promise<{ readonly staleMs: number }> {
  const { downForMs } = status.database
  if (part === 'alone' || downForMs > 0) return { staleMs: Math.max(downForMs, 1) }
  const began = clock.monotonic()
  try {
    await within(waitForNewest(), BARRIER_MS, () => {
      throw new Error('the newest rows did not come in time')
    })
    counters.time('barrier', clock.monotonic() - began)
    return { staleMs: 0 }
  } catch {
    return { staleMs: Math.max(status.database.downForMs, follower.lagMs, 1) }
  }
}

interface CaughtUpParts extends Pick<AttachmentDeps, 'part' | 'status' | 'clock' | 'counters'> {
  readonly follower: Pick<Follower, 'lagMs'>
}

/** Work that has to be done once, until it resolves with true. Several callers may wait for it. */
function createReturning(isDoneBefore: boolean, work: () => Promise<boolean>) {
  let isDone = isDoneBefore
  let underWay: Promise<boolean> | null = null

  async function attempt(): Promise<boolean> {
    isDone = await work()
    return isDone
  }

  return {
    get isDone() {
      return isDone
    },
    run(): Promise<boolean> {
      if (isDone) return Promise.resolve(true)
      underWay ??= attempt().finally(() => {
        underWay = null
      })
      return underWay
    },
    idle: async () => void (await underWay?.catch(() => undefined)),
  }
}

interface ChoreParts {
  readonly db: FileDatabase
  readonly pool: PostgresPool
  readonly log: Logger
  readonly isLeader: boolean
  readonly returning: { readonly isDone: boolean }
  readonly onError: (error: unknown) => void
}

/** Files of reports are shared, and what is over is removed. */
function createChores(parts: ChoreParts, settings: AttachmentSettings): readonly RecurringJob[] {
  const { db, pool, log, isLeader, returning, onError } = parts
  const { reportDirectory } = settings
  const files =
    reportDirectory === null ? null : createSharedFiles({ db, pool, log, blobs: createBlobs(reportDirectory) })
  return [
    createRecurringJob({ everyMs: CLEAN_MS, firstMs: FIRST_CLEAN_MS, unref: true, onError }, async (stop) => {
      if (isLeader) await cleanShared(pool, settings, stop)
      await files?.clean(!isLeader)
    }),
    createRecurringJob({ everyMs: FILES_MS, firstMs: FILES_MS, unref: true, onError }, async (stop) => {
      if (returning.isDone) await files?.look(stop)
    }),
  ]
}

/** Rows that a follower makes itself, like the record of a refused call; those that only a leader may change are as before. */
function createOwnRows(parts: Parameters<typeof takeBack>[0]) {
  let shipped = 0
  return {
    async ship(): Promise<void> {
      const last = lastNoted(parts.db)
      if (last <= shipped) return
      await takeBack(parts)
      shipped = last
    },
  }
}

/** The node that led last sends what waits when the server is down for all: no other node can lead then. */
function createReopening(deps: AttachmentDeps, log: Logger, onReopened: () => void) {
  let wasReopened = false
  return {
    look(): void {
      const since = deps.refusingSince()
      const isServerDown = since !== null && deps.clock.monotonic() - since > DOWN_MS
      if (!deps.wasLastLeader || wasReopened || !isServerDown) return
      wasReopened = true
      log.warn('CLUSTER The database server refuses every connection: this node, which led last, sends what waits')
      resumeParked(deps.own.db)
      onReopened()
    },
  }
}

/**
 * Once per outage; the process logs by itself that the database cannot be used. It may let the lease in and refuse the other
 * connections, when it has few left.
 */
function createComplaints(log: Logger, status: ClusterStatus) {
  let isUnderWay = false
  return {
    add(error: unknown): void {
      const fault = error instanceof PostgresError ? error.fault : null
      const isReached = fault === 'wrong' || (fault === 'refused' && status.database.isUp)
      log[isReached && !isUnderWay ? 'error' : 'debug'](`CLUSTER The shared state cannot be used: ${errorText(error)}`)
      isUnderWay ||= isReached
    },
    end(): void {
      isUnderWay = false
    },
  }
}

interface ProgressParts {
  readonly isLeader: boolean
  readonly inbox: { readonly waiting: number }
  readonly follower: Follower
  readonly shipper: Shipper
}

/** Reads the parts at each access. */
const progressOf = ({ isLeader, inbox, follower, shipper }: ProgressParts): Progress => ({
  get waiting() {
    return inbox.waiting
  },
  get appliedRev() {
    return follower.appliedRev
  },
  get knownRev() {
    return Math.max(follower.appliedRev, shipper.shippedRev)
  },
  get headRev() {
    return follower.headRev
  },
  get lagMs() {
    return isLeader ? 0 : follower.lagMs
  },
  get unshipped() {
    return shipper.unshipped
  },
  get shippedRows() {
    return shipper.shippedRows
  },
  get appliedRows() {
    return follower.appliedRows
  },
})
