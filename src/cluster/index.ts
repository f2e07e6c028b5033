/**
 * A node in its cluster: asks the database at intervals, and does what `part.ts` makes of the answers. It lives as
 * long as the process; the app is built anew for each part, and gets its shared state from `attach`.
 */
import { randomUUID } from 'node:crypto'
import { errorText, StartError } from '../platform/errors.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import { createPostgresListener } from '../platform/postgres/listener.ts'
import { createPostgresPool } from '../platform/postgres/pool.ts'
import type { PostgresListener, PostgresPool, PostgresSettings } from '../platform/postgres/types.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { type Attachment, type AttachmentSettings, createAttachment, type Own } from './attachment.ts'
import { type ClusterClock, createClusterClock } from './clock.ts'
import { type CounterWriter, createCounters } from './counters.ts'
import { createFitness, lacksOfOthers } from './fitness.ts'
import { readIdentity } from './identity.ts'
import { createLease } from './lease.ts'
import { BEAT_MS, createNodes, differingSections, type NodeState, type Nodes } from './nodes.ts'
import { HALTED_MS, LONGEST_LOOK_MS, type Rules, type Seen } from './part.ts'
import { createPlayer, type Player } from './player.ts'
import { createNotificationProbe } from './probe.ts'
import { createRegistration } from './registration.ts'
import { leaseSettingsOf } from './settings.ts'
import type { ClusterStatus, SharedState } from './types.ts'

export interface ClusterDeps {
  readonly log: Logger
  readonly clock: Clock
  /** The node has another part: the app has to be built anew. `because` ends a sentence. */
  readonly onPart: (because: string, graceMs?: number) => void
  /** This node must not go on, as another one has its name or a copy of its data. */
  readonly onFatal: (error: StartError) => void
  /** For the list of nodes, and for what a leader needs: `database` and `qrs` may be `down`. */
  readonly health: () => Readonly<Record<string, unknown>>
}

export interface ClusterSettings extends AttachmentSettings {
  readonly dataDirectory: string
  readonly version: string
  readonly url: string | null
  readonly candidate: boolean
  /** Role that may read the views; '' = none. */
  readonly reader: string
  readonly postgres: PostgresSettings
  readonly leaseMs: number
  /** May change while the node runs, as the next one. */
  readonly aloneAfterMs: () => number
  /** A node that the database refuses keeps what it receives for so long, as other nodes may be let in. */
  readonly refusedAfterMs: () => number
  readonly whenDatabaseDown: () => 'alert' | 'wait'
  /** `lastLeader`: a leader goes on with schedules and retries without the database. */
  readonly dutiesWhenDatabaseDown: 'stop' | 'lastLeader'
  /** Hash by section of the configuration; may change, as those before. */
  readonly configHashes: () => Readonly<Record<string, string>>
}

export interface Cluster {
  /** Begins to look for the database; resolves at once. */
  start(): void
  /** The shared state of one build of the app, for the part that the node has now. */
  attach(own: Own): SharedState
  /** Hands the lease over, and leaves it to others for a while. */
  stepDown(): Promise<void>
  readonly nodes: Pick<Nodes, 'remove' | 'hasCandidate'>
  /** To be called before the app stops: calls of other nodes that are under way are answered, and no more are taken. */
  finish(): Promise<void>
  /** To be called when the app has stopped: another node may lead at once. */
  stop(): Promise<void>
}

const CHANNELS = ['inbox', 'rev', 'command', 'answer', 'document'] as const
/** A name that another process may have is looked at so often. */
const NAME_MS = 250

export function createCluster(deps: ClusterDeps, settings: ClusterSettings): Cluster {
  const log = deps.log.child('cluster')
  const { node, postgres, leaseMs } = settings
  const identity = readIdentity(settings.dataDirectory)
  const clock = createClusterClock(deps.clock, identity.clockOffsetMs)
  const { monotonic } = clock
  const counters = createCounters(monotonic)
  const pool = createPostgresPool(postgres)
  const leaseDb = createPostgresPool(leaseSettingsOf(postgres))
  const lease = createLease({ db: leaseDb, clock, log }, { node, dataId: identity.dataId, durationMs: leaseMs })
  const startedAt = deps.clock.now()
  const nodes = createNodes(pool, {
    name: node,
    instance: randomUUID(),
    dataId: identity.dataId,
    version: settings.version,
    candidate: settings.candidate,
    url: settings.url,
    startedAt,
    config: settings.configHashes,
  })
  let attachment: Attachment | null = null
  const stateOfNode = () => {
    const { waiting = 0, appliedRev = 0 } = attachment?.progress ?? {}
    return { mode: player.state.mode, appliedRev, waiting, offsetMs: clock.offsetMs, health: fitness.reported }
  }
  const registration = createRegistration(
    { log, clock, pool, nodes, known: () => player.state, stateOfNode },
    settings,
    identity,
  )
  const listener = listen(
    { pool, log },
    postgres,
    () => look.wake(),
    () => attachment,
  )
  const fitness = createFitness({
    clock,
    dataDirectory: settings.dataDirectory,
    // At the end the app, which knows, is closed already.
    health: () => (player.state.isStopping ? null : deps.health()),
    queueWaitsMs() {
      const { inboxOldestAt } = status
      return player.state.part === 'leader' && inboxOldestAt !== null ? clock.now() - inboxOldestAt : 0
    },
    others: () => lacksOfOthers(nodes.list.nodes, node, clock.now()),
  })

  const player = createPlayer(
    {
      log,
      ownClock: deps.clock,
      clock,
      counters,
      lease,
      nodes,
      fitness,
      registration,
      onPart: deps.onPart,
      attachment: () => attachment,
    },
    () => rulesOf(settings),
    identity,
  )

  async function lookOnce(): Promise<void> {
    try {
      if (!registration.isDone) {
        if (!(await registration.run())) return await noteAnswer()
        listener.start()
        reports.start()
      }
      fitness.note()
      await player.note({ is: 'looking', fitness: fitness.ofAll })
      // A follower and a node alone only read the lease: a database that takes no writes is as good as away.
      if (reports.isUnwritten || player.state.part === 'alone') await reports.write()
      await lookAtLease()
      await noteAnswer()
    } catch (error) {
      if (error instanceof StartError) return deps.onFatal(error)
      await player.note(failureOf(error))
    }
  }

  async function noteAnswer(): Promise<void> {
    if (player.state.outage) log.info(`CLUSTER The database answers again (${pool.host})`)
    await player.note({ is: 'answered' })
  }

  async function lookAtLease(): Promise<void> {
    const knownRev = attachment?.progress.knownRev ?? 0
    const found = lease.last === null ? await lease.look() : await lease.renew()
    // The lease was handed over meanwhile.
    if (found === null) return
    const { head, history } = found
    const revision = { head, history, knownRev, timeline: leaseDb.timeline, isCaughtUp: attachment?.isReady === true }
    if ('isHeld' in found) return player.note({ is: 'renewal', isHeld: found.isHeld, ...revision })
    await player.note({ is: 'lease', isFree: found.isFree, leads: found.node === node, ...revision })
  }

  /** Renewals are counted from sending to sending. */
  const lookMs = () => {
    if (registration.isWaiting) return NAME_MS
    return player.state.part === 'leader' ? leaseMs / 4 : Math.min(leaseMs / 6, LONGEST_LOOK_MS)
  }
  const look = createRecurringJob({ everyMs: lookMs, firstMs: 0 }, lookOnce)

  const reports = createReports({ nodes, fitness, onFatal: deps.onFatal }, stateOfNode)
  const alive = setInterval(() => void player.note({ is: 'alive' }), HALTED_MS / 8)
  alive.unref()

  const status = statusOf({
    node,
    clock,
    pool,
    counters,
    nodes,
    player,
    registration,
    attachment: () => attachment,
  })

  return {
    start() {
      look.start()
    },
    attach(own) {
      if (attachment) counters.addRows(attachment.progress)
      void player.note({ is: 'built' })
      const { part, keepsDuties, wasLastLeader, forgotten } = player.state
      attachment = createAttachment(
        {
          own,
          pool,
          lease,
          clock,
          counters,
          status,
          part,
          isPrepared: () => registration.isDone || player.state.part === 'alone',
          isPart: () => attachment?.part === player.state.part && !player.state.isStopping,
          refusingSince: () => pool.refusingSince,
          wasLastLeader,
          keptTerm: keepsDuties ? lease.dropped : null,
          nodes,
          onFenced: () => void player.note({ is: 'fenced' }),
          onForgotten: (head) => void player.note({ is: 'forgotten', head, isCaughtUp: attachment?.isReady === true }),
          forgotten,
        },
        settings,
      )
      return attachment
    },
    async stepDown() {
      if (player.state.part !== 'leader') return
      await player.note({ is: 'step down' })
      await attachment?.finish()
      await player.note({ is: 'finished' })
    },
    nodes,
    finish: async () => attachment?.finish(),
    async stop() {
      await player.note({ is: 'stopping' })
      clearInterval(alive)
      await Promise.all([reports.stop(), look.stop()])
      registration.save()
      await lease.release().catch(() => undefined)
      if (registration.isDone && !player.state.outage) await reports.beat()
      await listener.stop()
      await Promise.all([pool.close(), leaseDb.close()])
    },
  }
}

const rulesOf = (settings: ClusterSettings): Rules => ({
  candidate: settings.candidate,
  leaseMs: settings.leaseMs,
  aloneAfterMs: settings.aloneAfterMs(),
  refusedAfterMs: settings.refusedAfterMs(),
  whenDatabaseDown: settings.whenDatabaseDown(),
  dutiesWhenDatabaseDown: settings.dutiesWhenDatabaseDown,
})

function failureOf(error: unknown): Seen {
  const isRefused = error instanceof PostgresError && error.fault === 'refused'
  const isCoded = isRefused && error.code !== null
  const reason = isCoded ? `it refuses this node: ${errorText(error)}` : errorText(error)
  return { is: 'failed', reason, isRefused }
}

/** Notifications of the database: about the lease, and for the build of the app that there is. */
function listen(
  { pool, log }: { readonly pool: PostgresPool; readonly log: Logger },
  postgres: PostgresSettings,
  onLease: () => void,
  attachment: () => Attachment | null,
): PostgresListener {
  const probe = createNotificationProbe({ pool, log, isListening: () => listener.isListening })
  const onListening = () => {
    attachment()?.hearAll()
    void probe.run()
  }
  const listener = createPostgresListener({ onListening }, postgres, {
    footman_lease: onLease,
    footman_probe: () => probe.heard(),
    ...Object.fromEntries(CHANNELS.map((name) => [`footman_${name}`, (it: string) => attachment()?.hear(name, it)])),
  })
  return listener
}

interface ReportDeps {
  readonly nodes: Pick<Nodes, 'beat'>
  readonly fitness: { read(): Promise<void> }
  readonly onFatal: (error: StartError) => void
}

/** The signs of life of this node. */
function createReports({ nodes, fitness, onFatal }: ReportDeps, stateOfNode: () => NodeState) {
  let isUnwritten = false

  async function write(): Promise<void> {
    isUnwritten = true
    await nodes.beat(stateOfNode())
    isUnwritten = false
  }

  /** Never rejects. */
  async function beat(): Promise<void> {
    try {
      await fitness.read()
      await write()
    } catch (error) {
      if (error instanceof StartError) onFatal(error)
    }
  }
  const { start, stop } = createRecurringJob({ everyMs: BEAT_MS }, beat)

  return {
    start,
    stop,
    beat,
    write,
    /** The newest one was not written: the database may answer all the same. */
    get isUnwritten() {
      return isUnwritten
    },
  }
}

interface StatusParts {
  readonly node: string
  readonly clock: ClusterClock
  readonly pool: PostgresPool
  readonly counters: CounterWriter
  readonly nodes: Nodes
  readonly player: Player
  readonly registration: { readonly clusterId: string | null; readonly isDone: boolean }
  readonly attachment: () => Attachment | null
}

/** Reads the parts at each access. */
function statusOf(parts: StatusParts): ClusterStatus {
  const { node, clock, pool, counters, nodes } = parts
  return {
    node,
    get mode() {
      return parts.player.state.mode
    },
    get modeSince() {
      return parts.player.modeSince
    },
    get clusterId() {
      return parts.registration.clusterId
    },
    get database() {
      const { outage, answeredAt, part, aloneBecause } = parts.player.state
      const { host, timeline } = pool
      return {
        host,
        timeline,
        isUp: parts.registration.isDone && outage === null,
        reason: outage?.reason ?? '',
        isRefused: outage !== null && outage.refusedSince !== null,
        isWaitedFor: part === 'alone' && aloneBecause === 'refused',
        downForMs: outage === null ? 0 : clock.monotonic() - answeredAt,
      }
    },
    get leader() {
      return nodes.list.leaderships[0] ?? null
    },
    get leaderlessForMs() {
      const { freeSince, part } = parts.player.state
      return freeSince === null || part === 'leader' ? 0 : clock.monotonic() - freeSince
    },
    get nodes() {
      return nodes.list.nodes
    },
    get leaderships() {
      return nodes.list.leaderships
    },
    get appliedRev() {
      return parts.attachment()?.progress.appliedRev ?? 0
    },
    get headRev() {
      return parts.attachment()?.progress.headRev ?? 0
    },
    get followLagMs() {
      return parts.attachment()?.progress.lagMs ?? 0
    },
    get clockOffsetMs() {
      return clock.offsetMs
    },
    get unshippedRows() {
      return parts.attachment()?.progress.unshipped ?? 0
    },
    get waiting() {
      return parts.attachment()?.progress.waiting ?? 0
    },
    get inboxOpen() {
      return parts.attachment()?.inboxOpen.rows ?? 0
    },
    get inboxOldestAt() {
      return parts.attachment()?.inboxOpen.oldestAt ?? null
    },
    get configDiffers() {
      return differingSections(nodes.list.nodes, nodes.list.leaderships[0]?.node ?? null)
    },
    get rewoundAgoMs() {
      return counters.rewoundAgoMs
    },
    get counters() {
      const { shippedRows = 0, appliedRows = 0 } = parts.attachment()?.progress ?? {}
      return counters.read({ shippedRows, appliedRows })
    },
  }
}
