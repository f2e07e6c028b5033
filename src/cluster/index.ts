/**
 * A node in its cluster: asks the database at intervals, and does what `part.ts` makes of the answers. It lives as
 * long as the process; the app is built anew for each part, and gets its shared state from `attach`.
 */
import { randomUUID } from 'node:crypto'
import { errorText, StartError } from '../platform/errors.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import { createPostgresListener } from '../platform/postgres/listener.ts'
import { createPostgresPool } from '../platform/postgres/pool.ts'
import type { PostgresPool, PostgresSettings } from '../platform/postgres/types.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { type Attachment, type AttachmentSettings, createAttachment, type Own } from './attachment.ts'
import { type ClusterClock, createClusterClock } from './clock.ts'
import { type CounterWriter, createCounters } from './counters.ts'
import { createFitness, type Fitness, lacksOf } from './fitness.ts'
import { readIdentity, storeIdentity } from './identity.ts'
import { createLease } from './lease.ts'
import { migrateCluster } from './migrations.ts'
import { createNodes, differingSections, type Nodes } from './nodes.ts'
import {
  awaitedSince,
  type Effect,
  HALTED_MS,
  initial,
  LONGEST_LOOK_MS,
  next,
  type Rules,
  type Seen,
  type State,
} from './part.ts'
import { createNotificationProbe } from './probe.ts'
import { leaseSettingsOf, viewNamesOf } from './settings.ts'
import type { ClusterStatus, SharedState, Term } from './types.ts'
import { admitReader, migrationsOf } from './views.ts'

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
const BEAT_MS = 2000
/** A node that reports every two seconds and was not heard of for so long does not count as a candidate. */
const LIVES_MS = 10_000

export function createCluster(deps: ClusterDeps, settings: ClusterSettings): Cluster {
  const log = deps.log.child('cluster')
  const { node, postgres, leaseMs } = settings
  let identity = readIdentity(settings.dataDirectory)
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
  const channels: Readonly<Record<string, (payload: string) => void>> = {
    footman_lease: () => look.wake(),
    footman_probe: () => probe.heard(),
    ...Object.fromEntries(CHANNELS.map((name) => [`footman_${name}`, (it: string) => attachment?.hear(name, it)])),
  }
  const probe = createNotificationProbe({ pool, log, isListening: () => listener.isListening })
  const onListening = () => {
    attachment?.hearAll()
    void probe.run()
  }
  const listener = createPostgresListener({ onListening }, postgres, channels)

  let state = initial(monotonic(), identity)
  let modeSince = startedAt
  let attachment: Attachment | null = null
  let isPrepared = false
  /** The newest report of this node was not written: the database may answer all the same. */
  let isUnwritten = false
  let clusterId: string | null = identity.clusterId
  /** The last one that ended without being handed over. */
  let droppedTerm: Term | null = null
  const fitness = createFitness({
    clock,
    dataDirectory: settings.dataDirectory,
    // At the end the app, which knows, is closed already.
    health: () => (state.isStopping ? null : deps.health()),
    queueWaitsMs() {
      const { inboxOldestAt } = status
      return state.part === 'leader' && inboxOldestAt !== null ? clock.now() - inboxOldestAt : 0
    },
  })

  const rules = (): Rules => ({
    candidate: settings.candidate,
    leaseMs,
    aloneAfterMs: settings.aloneAfterMs(),
    refusedAfterMs: settings.refusedAfterMs(),
    whenDatabaseDown: settings.whenDatabaseDown(),
    dutiesWhenDatabaseDown: settings.dutiesWhenDatabaseDown,
  })

  /** Resolves when what follows is done. */
  async function note(seen: Seen): Promise<void> {
    const facts = { now: monotonic(), databaseMs: clock.now(), canWrite: fitness.lacks.disk === undefined }
    const before = state.mode
    const turn = next(state, seen, facts, rules())
    state = turn.state
    if (state.mode !== before) noteMode(before)
    await Promise.all(turn.effects.map(carryOut))
  }

  function noteMode(before: State['mode']): void {
    if (before === 'alone') counters.addAlone(deps.clock.now() - modeSince)
    modeSince = deps.clock.now()
    log.info(`CLUSTER This node is ${state.mode} now`)
  }

  /** A promise where it takes time. */
  function carryOut(effect: Effect): unknown {
    switch (effect.do) {
      case 'say':
        return log[effect.level](effect.text)
      case 'count':
        return effect.what === 'fenced' ? counters.addFenced() : counters.addRewind()
      case 'finish':
        void attachment?.finish()
        return undefined
      case 'leave':
        return attachment?.leave()
      case 'build':
        return deps.onPart(effect.because, effect.graceMs)
      case 'release':
        lease.release().catch(() => undefined)
        return undefined
      case 'drop':
        droppedTerm = lease.last
        return lease.drop()
      case 'rest':
        return fitness.rest()
      case 'save':
        return saveIdentity()
      case 'try':
        return tryToLead()
      case 'acquire':
        return takeOver()
    }
  }

  function fitnessOfAll(): Fitness {
    const others = nodes.list.nodes
      .filter(({ name, candidate, mode, seenAt }) => {
        const isOther = name !== node && candidate && mode !== 'leaving' && mode !== 'alone'
        return isOther && clock.now() - seenAt < LIVES_MS
      })
      .map((other) => lacksOf(other.health))
    return { own: fitness.lacks, since: fitness.since, others }
  }

  /** The disk is tried once more: what was true a moment ago does not count for a node that takes the lead. */
  async function tryToLead(): Promise<void> {
    await fitness.read({ anew: true })
    const since = awaitedSince(state, monotonic())
    const awaited = since === null ? 0 : await nodes.awaited(since)
    await note({ is: 'tried', fitness: fitnessOfAll(), awaited })
  }

  async function takeOver(): Promise<void> {
    const term = await lease.acquire()
    if (!term) return
    counters.addTakeover(term.reason)
    log.info(`CLUSTER This node takes over (term ${term.epoch})`)
    attachment
      ?.toHead()
      .then(() => (lease.last?.token === term.token ? note({ is: 'caught up' }) : undefined))
      .catch((error: unknown) => {
        log.warn(`CLUSTER The state of the last leader cannot be read, another node may lead: ${errorText(error)}`)
        return lease.release()
      })
      .catch(() => undefined)
  }

  /** Once per process, as soon as the database answers. */
  async function prepare(): Promise<void> {
    const views = viewNamesOf({ schema: postgres.schema, reader: settings.reader })
    const migrated = await migrateCluster(pool, settings.version, migrationsOf(views))
    if (clusterId !== null && clusterId !== migrated.clusterId) {
      throw new StartError(`The database at ${pool.host} is that of another cluster (${migrated.clusterId})`, {
        hint: `This node belongs to ${clusterId}. Check Butler.footman.cluster.hosts, database and schema`,
      })
    }
    clusterId = migrated.clusterId
    await admitReader(pool, views, log)
    await nodes.register()
    saveIdentity()
    isPrepared = true
    listener.start()
    beats.start()
  }

  function saveIdentity(): void {
    identity = { ...identity, clusterId, clockOffsetMs: clock.offsetMs }
    const { hasJoined, forgotten, timeline, history } = state
    // Only when all that the database has forgotten is in it again.
    if (hasJoined && !forgotten) identity = { ...identity, timeline, history }
    storeIdentity(settings.dataDirectory, identity)
  }

  async function lookOnce(): Promise<void> {
    try {
      if (!isPrepared) await prepare()
      fitness.note()
      await note({ is: 'looking', fitness: fitnessOfAll() })
      // A follower and a node alone only read the lease: a database that takes no writes is as good as away.
      if (isUnwritten || state.part === 'alone') await report()
      await lookAtLease()
      if (state.outage) log.info(`CLUSTER The database answers again (${leaseDb.host})`)
      await note({ is: 'answered' })
    } catch (error) {
      if (error instanceof StartError) return deps.onFatal(error)
      const isRefused = error instanceof PostgresError && error.fault === 'refused'
      const isCoded = isRefused && error.code !== null
      await note({
        is: 'failed',
        reason: isCoded ? `it refuses this node: ${errorText(error)}` : errorText(error),
        isRefused,
      })
    }
  }

  async function lookAtLease(): Promise<void> {
    const knownRev = attachment?.knownRev ?? 0
    const found = lease.last === null ? await lease.look() : await lease.renew()
    // The lease was handed over meanwhile.
    if (found === null) return
    const { head, history } = found
    const revision = { head, history, knownRev, timeline: leaseDb.timeline, isCaughtUp: attachment?.isReady === true }
    if ('isHeld' in found) return note({ is: 'renewal', isHeld: found.isHeld, ...revision })
    await note({ is: 'lease', isFree: found.isFree, leads: found.node === node, ...revision })
  }

  /** Renewals are counted from sending to sending. */
  const lookMs = () => (state.part === 'leader' ? leaseMs / 4 : Math.min(leaseMs / 6, LONGEST_LOOK_MS))
  const look = createRecurringJob({ everyMs: lookMs, firstMs: 0 }, lookOnce)

  async function report(): Promise<void> {
    const { waiting = 0, appliedRev = 0 } = attachment ?? {}
    const { mode } = state
    isUnwritten = true
    await nodes.beat({ mode, appliedRev, waiting, offsetMs: clock.offsetMs, health: fitness.reported })
    isUnwritten = false
  }

  async function beat(): Promise<void> {
    try {
      await fitness.read()
      await report()
    } catch (error) {
      if (error instanceof StartError) deps.onFatal(error)
    }
  }
  const beats = createRecurringJob({ everyMs: BEAT_MS }, beat)
  const alive = setInterval(() => void note({ is: 'alive' }), HALTED_MS / 8)
  alive.unref()

  const status = statusOf({
    node,
    clock,
    pool,
    counters,
    nodes,
    state: () => state,
    modeSince: () => modeSince,
    clusterId: () => clusterId,
    isPrepared: () => isPrepared,
    attachment: () => attachment,
  })

  return {
    start() {
      look.start()
    },
    attach(own) {
      if (attachment) counters.addRows(attachment)
      void note({ is: 'built' })
      const { part, keepsDuties, wasLastLeader, forgotten } = state
      attachment = createAttachment(
        {
          own,
          pool,
          lease,
          clock,
          counters,
          status,
          part,
          isPrepared: () => isPrepared || state.part === 'alone',
          isPart: () => attachment?.part === state.part && !state.isStopping,
          refusingSince: () => pool.refusingSince,
          wasLastLeader,
          keptTerm: keepsDuties ? droppedTerm : null,
          nodes,
          onFenced: () => void note({ is: 'fenced' }),
          onForgotten: (head) => void note({ is: 'forgotten', head, isCaughtUp: attachment?.isReady === true }),
          forgotten,
        },
        settings,
      )
      return attachment
    },
    async stepDown() {
      if (state.part !== 'leader') return
      await note({ is: 'step down' })
      await attachment?.finish()
      await note({ is: 'finished' })
    },
    nodes,
    finish: async () => attachment?.finish(),
    async stop() {
      await note({ is: 'stopping' })
      clearInterval(alive)
      await Promise.all([beats.stop(), look.stop()])
      saveIdentity()
      await lease.release().catch(() => undefined)
      if (isPrepared && !state.outage) await beat()
      await listener.stop()
      await Promise.all([pool.close(), leaseDb.close()])
    },
  }
}

interface StatusParts {
  readonly node: string
  readonly clock: ClusterClock
  readonly pool: PostgresPool
  readonly counters: CounterWriter
  readonly nodes: Nodes
  readonly state: () => State
  /** Milliseconds since 1970. */
  readonly modeSince: () => number
  readonly clusterId: () => string | null
  readonly isPrepared: () => boolean
  readonly attachment: () => Attachment | null
}

/** Reads the parts at each access. */
function statusOf(parts: StatusParts): ClusterStatus {
  const { node, clock, pool, counters, nodes } = parts
  return {
    node,
    get mode() {
      return parts.state().mode
    },
    get modeSince() {
      return parts.modeSince()
    },
    get clusterId() {
      return parts.clusterId()
    },
    get database() {
      const { outage, answeredAt, part, aloneBecause } = parts.state()
      const { host, timeline } = pool
      return {
        host,
        timeline,
        isUp: parts.isPrepared() && outage === null,
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
      const { freeSince, part } = parts.state()
      return freeSince === null || part === 'leader' ? 0 : clock.monotonic() - freeSince
    },
    get nodes() {
      return nodes.list.nodes
    },
    get leaderships() {
      return nodes.list.leaderships
    },
    get appliedRev() {
      return parts.attachment()?.appliedRev ?? 0
    },
    get headRev() {
      return parts.attachment()?.headRev ?? 0
    },
    get followLagMs() {
      return parts.attachment()?.lagMs ?? 0
    },
    get clockOffsetMs() {
      return clock.offsetMs
    },
    get unshippedRows() {
      return parts.attachment()?.unshipped ?? 0
    },
    get waiting() {
      return parts.attachment()?.waiting ?? 0
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
      const { shippedRows = 0, appliedRows = 0 } = parts.attachment() ?? {}
      return counters.read({ shippedRows, appliedRows })
    },
  }
}
