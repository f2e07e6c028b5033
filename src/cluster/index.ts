/**
 * A node's part in its cluster: it looks for the leader, becomes it, stops being it, and works alone while the database is
 * away. It lives as long as the process; the app is built anew for each part, and gets its shared state from `attach`.
 */
import { randomUUID } from 'node:crypto'
import { errorText, StartError } from '../platform/errors.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import { createPostgresListener } from '../platform/postgres/listener.ts'
import { createPostgresPool } from '../platform/postgres/pool.ts'
import type { PostgresSettings } from '../platform/postgres/types.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { type Attachment, type AttachmentSettings, createAttachment, type Own, type Part } from './attachment.ts'
import { createClusterClock } from './clock.ts'
import { createCounters } from './counters.ts'
import { createFitness, lacksOf, next } from './fitness.ts'
import { readIdentity, storeIdentity } from './identity.ts'
import { createLease, type Revision } from './lease.ts'
import { migrateCluster } from './migrations.ts'
import { createNodes, differingSections, type Nodes } from './nodes.ts'
import { createNotificationProbe } from './probe.ts'
import type { Forgotten } from './return.ts'
import { leaseSettingsOf, viewNamesOf } from './settings.ts'
import type { ClusterStatus, Mode, SharedState, Term } from './types.ts'
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
const LONGEST_LOOK_MS = 1000
/** A process that was halted for so long knows nothing about the database; it asks again before it draws conclusions. */
const HALTED_MS = 2000
const STEPPED_DOWN_MS = 15_000
/** A node that reports every two seconds and was not heard of for so long does not count as a candidate. */
const LIVES_MS = 10_000
/** Messages on their way may end before another node leads; nothing else is done meanwhile. */
const HAND_OVER_MS = 5000
/** A database that was put back: the last leader comes first. */
const LAST_LEADER_FIRST_MS = 3000
/** Rows of so long before are read again then; all of them when a node finds it at its start. */
const REMEMBERED_MS = 3_600_000
/** Messages on their way may end when the node leaves its lonely state. */
const SENDS_END_MS = 60_000

export function createCluster(deps: ClusterDeps, settings: ClusterSettings): Cluster {
  const log = deps.log.child('cluster')
  const { node, postgres, leaseMs } = settings
  let identity = readIdentity(settings.dataDirectory)
  const clock = createClusterClock(deps.clock, identity.clockOffsetMs)
  const counters = createCounters()
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

  let part: Part = 'follower'
  let mode: Mode = 'joining'
  let modeSince = startedAt
  let attachment: Attachment | null = null
  let isPrepared = false
  let isStopping = false
  let clusterId: string | null = identity.clusterId
  let failingSince: number | null = null
  let isComplaining = false
  /** Of the database; '' = it answers. */
  let failure = ''
  /** `performance.now()` since when its answers refuse this node; null = it does not answer, or lets the node in. */
  let refusedSince: number | null = null
  /** Why this node works alone: the database is away for all, or lets this one not in. */
  let aloneBecause: 'away' | 'refused' | 'refused for long' = 'away'
  let reservedUntil = Number.NEGATIVE_INFINITY
  /** It leads until its app has stopped. */
  let isHandingOver = false
  /** Another node is to lead until then, or until one does. */
  let steppedDownUntil = Number.NEGATIVE_INFINITY
  const fitness = createFitness({
    dataDirectory: settings.dataDirectory,
    // At the end the app, which knows, is closed already.
    health: () => (isStopping ? null : deps.health()),
    queueWaitsMs() {
      const { inboxOldestAt } = status
      return part === 'leader' && inboxOldestAt !== null ? clock.now() - inboxOldestAt : 0
    },
  })
  /** Since when the lead is free; null = a node has it. */
  let freeSince: number | null = null
  /** The app has to be built anew as soon as the disk can be written. */
  let owed: { readonly because: string; readonly graceMs: number | undefined } | null = null
  /** It is being built anew: what the app before it has followed does not count. */
  let isBuilding = false
  let aliveAt = performance.now()
  /** Of the newest answer of the database, or when the process went on after a halt. */
  let answeredAt = aliveAt
  let aloneAsLastLeader = false
  /** Of a leader that goes on with its duties without the database. */
  let keptTerm: Term | null = null
  let knownTimeline = identity.timeline
  let knownHistory = identity.history
  let forgotten: Forgotten | null = null
  let hasJoined = false
  /** The database answered again after an outage, or was found to be put back to an earlier state. */
  let backSince: { readonly at: number; readonly databaseMs: number } | null = null

  function become(next: Mode): void {
    if (mode === next) return
    if (mode === 'alone') counters.addAlone(deps.clock.now() - modeSince)
    mode = next
    modeSince = deps.clock.now()
    log.info(`CLUSTER This node is ${next} now`)
  }

  function play(next: Part, as: Mode, because: string, graceMs?: number): void {
    part = next
    become(as)
    attachment?.leave()
    owed = { because, graceMs }
    buildOwed()
  }

  /** An app that cannot write its disk could not be built, and messages that it holds in memory would be lost. */
  function buildOwed(): void {
    if (!owed || isStopping || fitness.lacks.disk !== undefined) return
    const { because, graceMs } = owed
    owed = null
    isBuilding = true
    deps.onPart(because, graceMs)
  }

  function nextStep(role: 'leader' | 'follower') {
    const others = nodes.list.nodes
      .filter(({ name, candidate, mode, seenAt }) => {
        const isOther = name !== node && candidate && mode !== 'leaving' && mode !== 'alone'
        return isOther && clock.now() - seenAt < LIVES_MS
      })
      .map((other) => lacksOf(other.health))
    return next(role, { own: fitness.lacks, since: fitness.since, others, freeSince }, performance.now())
  }

  /** A leader that cannot do its work hands the lead over. */
  function leadOrLeave(): void {
    if (part !== 'leader' || isHandingOver || isStopping) return
    const step = nextStep('leader')
    if (step.step === 'lead') return
    log.error(`CLUSTER This node gives the lead away: ${step.because}`)
    fitness.rest()
    const because = 'another node is to lead the cluster'
    if (!step.isUrgent) {
      isHandingOver = true
      void attachment?.finish()
      deps.onPart(because, HAND_OVER_MS)
      return
    }
    lease.release().catch(() => undefined)
    steppedDownUntil = performance.now() + STEPPED_DOWN_MS
    play('follower', 'joining', because)
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
    // Only when all that the database has forgotten is in it again.
    if (hasJoined && !forgotten) identity = { ...identity, timeline: knownTimeline, history: knownHistory }
    storeIdentity(settings.dataDirectory, identity)
  }

  async function lookOnce(): Promise<void> {
    try {
      if (!isPrepared) await prepare()
      fitness.note()
      leadOrLeave()
      buildOwed()
      await lookAtLease()
      refusedSince = null
      if (isComplaining) log.info(`CLUSTER The database answers again (${leaseDb.host})`)
      isComplaining = false
      failingSince = null
      failure = ''
      answeredAt = performance.now()
    } catch (error) {
      if (error instanceof StartError) deps.onFatal(error)
      else onFailure(error)
    }
  }

  async function lookAtLease(): Promise<void> {
    const known = attachment?.knownRev ?? 0
    if (lease.last !== null) {
      const renewal = await lease.renew()
      if (renewal === null) return
      const before = forgottenHistory(known, renewal)
      if (before !== null) onForgotten(renewal.head, before)
      else if (!renewal.isHeld) onFenced()
      return
    }
    const found = await lease.look()
    const { node: leader, isFree } = found
    freeSince = isFree ? (freeSince ?? performance.now()) : null
    if (failingSince !== null && performance.now() - failingSince > leaseMs / 2) letLastLeaderReturn()
    const before = forgottenHistory(known, found)
    if (before !== null && part !== 'alone') return onForgotten(found.head, before)
    if (part === 'alone') {
      if (before !== null) noteForgotten(found.head, before)
      backSince = { at: performance.now(), databaseMs: clock.now() }
      play('follower', 'joining', 'the database of the cluster answers again', SENDS_END_MS)
      return
    }
    if (mode === 'joining' && attachment?.isReady && !owed && !isBuilding) {
      forgotten = null
      keptTerm = null
      hasJoined = true
      saveIdentity()
      become('follower')
    }
    if (!isFree && leader !== node) steppedDownUntil = Number.NEGATIVE_INFINITY
    const isWaiting = performance.now() < Math.max(reservedUntil, steppedDownUntil)
    const mayLead = settings.candidate && mode === 'follower' && !isWaiting
    if (mayLead && (isFree || leader === node) && (await isFitToLead()) && (await isReadyToLead())) await takeOver()
  }

  /** The disk is tried once more: what was true a moment ago does not count for a node that takes the lead. */
  async function isFitToLead(): Promise<boolean> {
    await fitness.read({ anew: true })
    const step = nextStep('follower')
    const because = step.step === 'leave' ? step.because : ''
    if (because !== '' && because !== saidUnfit) log.error(`CLUSTER This node does not take the lead: ${because}`)
    saidUnfit = because
    return step.step === 'lead'
  }
  let saidUnfit = ''

  /**
   * The history that this node knew when the database has an earlier state: a standby that was behind leads the servers now, or
   * a backup was put back. Null otherwise.
   */
  function forgottenHistory(known: number, { head, history }: Revision): string | null {
    const { timeline } = leaseDb
    const before = knownHistory ?? history
    const isOtherServer = timeline !== null && knownTimeline !== null && timeline !== knownTimeline
    knownTimeline = timeline ?? knownTimeline
    knownHistory = history
    return isOtherServer || before !== history || head < known ? before : null
  }

  function noteForgotten(head: number, history: string): void {
    counters.addRewind()
    log.error(
      `CLUSTER The database was put back to an earlier state (revision ${head}); this node adds what it has shipped since`,
    )
    forgotten = { since: hasJoined ? clock.now() - REMEMBERED_MS : null, history }
    backSince = { at: performance.now(), databaseMs: clock.now() }
    // The last leader knows best what came after, and is asked to lead again.
    if (part !== 'leader') reservedUntil = performance.now() + LAST_LEADER_FIRST_MS
  }

  function onForgotten(head: number, history = knownHistory ?? ''): void {
    // The build that adds what was forgotten is not through; it may find out itself that it happened once more.
    if (forgotten && mode === 'joining' && (isBuilding || !attachment?.isReady)) return
    noteForgotten(head, history)
    lease.drop()
    play('follower', 'joining', 'the database of the cluster was put back to an earlier state')
  }

  /** After an outage the last leader, which asks at every renewal, goes on when it can: then nothing is sent again. */
  function letLastLeaderReturn(): void {
    reservedUntil = Math.max(reservedUntil, performance.now() + leaseMs / 4 + LONGEST_LOOK_MS / 2)
  }

  /** After an outage the rows of the other nodes come first: what they have sent is known before anything is sent again. */
  async function isReadyToLead(): Promise<boolean> {
    if (backSince === null || performance.now() - backSince.at > RETURN_WAIT_MS) return true
    // Others may have been back a little earlier.
    return (await nodes.awaited(backSince.databaseMs - RETURN_WAIT_MS)) === 0
  }

  async function takeOver(): Promise<void> {
    const term = await lease.acquire()
    if (!term) return
    counters.addTakeover(term.reason)
    log.info(`CLUSTER This node takes over (term ${term.epoch})`)
    attachment
      ?.toHead()
      .then(() => {
        if (lease.last?.token === term.token) play('leader', 'leader', 'it leads the cluster now')
      })
      .catch((error: unknown) => {
        log.warn(`CLUSTER The state of the last leader cannot be read, another node may lead: ${errorText(error)}`)
        return lease.release()
      })
      .catch(() => undefined)
  }

  /** The app that has led is at its end: nothing is under way that the next leader would do again. */
  function handOver(): void {
    isHandingOver = false
    if (part !== 'leader') return
    part = 'follower'
    become('joining')
    steppedDownUntil = performance.now() + STEPPED_DOWN_MS
    lease.release().catch(() => undefined)
  }

  function onFenced(): void {
    if (part !== 'leader') return
    lease.drop()
    counters.addFenced()
    log.warn('CLUSTER Another node has taken over; this one follows')
    play('follower', 'joining', 'another node leads the cluster now')
  }

  function onFailure(error: unknown): void {
    noteAlive()
    failingSince = answeredAt
    freeSince = null
    const isRefused = error instanceof PostgresError && error.fault === 'refused'
    const wasRefused = refusedSince !== null
    failure = isRefused && error.code !== null ? `it refuses this node: ${errorText(error)}` : errorText(error)
    if (isRefused) refusedSince ??= performance.now()
    else refusedSince = null
    if (!isComplaining || (isRefused && !wasRefused)) {
      const remedy = isRefused ? '"footman doctor" names the line to correct; trying again' : 'trying again'
      log.error(`CLUSTER The database cannot be used: ${failure}; ${remedy}`)
    }
    isComplaining = true
    goAloneWhenAway()
  }

  /** Attempts may take seconds each, so that it is asked between them as well. */
  function goAloneWhenAway(): void {
    const isAway = failingSince !== null && performance.now() - failingSince >= settings.aloneAfterMs()
    if (!isAway || isStopping) return
    if (refusedSince !== null) {
      goAloneRefused(performance.now() - refusedSince)
      return
    }
    const isAlone = part === 'alone' && aloneBecause !== 'refused'
    if (isAlone || settings.whenDatabaseDown() === 'wait') return
    log.error('CLUSTER The database has been away for too long: this node works alone until it is back')
    aloneBecause = 'away'
    aloneAsLastLeader = part === 'leader'
    keptTerm = aloneAsLastLeader && settings.dutiesWhenDatabaseDown === 'lastLeader' ? lease.last : null
    lease.drop()
    play('alone', 'alone', 'the database of the cluster cannot be reached')
  }

  /**
   * Others may be let in, and do the work: this node keeps what it receives, and only reports that. No node can find out whether
   * one is, so that after a long time it alerts as without a database: an alert that comes twice is better than none.
   */
  function goAloneRefused(forMs: number): void {
    const hasWaited = forMs >= settings.refusedAfterMs() && settings.whenDatabaseDown() === 'alert'
    const because = hasWaited ? 'refused for long' : 'refused'
    const isAlone = part === 'alone' && (aloneBecause === because || aloneBecause === 'refused for long')
    if (isAlone || forMs < settings.aloneAfterMs() / 2) return
    log.error(
      hasWaited
        ? 'CLUSTER The database has refused this node for too long: it alerts about what it has received, as other nodes may be refused too'
        : 'CLUSTER This node keeps what it receives until the database lets it in, and sends and starts nothing',
    )
    aloneBecause = because
    aloneAsLastLeader = false
    keptTerm = null
    lease.drop()
    play('alone', 'alone', 'the database of the cluster refuses this node')
  }

  function noteAlive(): void {
    const now = performance.now()
    if (now - aliveAt > HALTED_MS) {
      answeredAt = now
      if (failingSince !== null) failingSince = now
    }
    aliveAt = now
  }

  /** Renewals are counted from sending to sending; a candidate looks at least once a second. */
  const lookMs = () => (part === 'leader' ? leaseMs / 4 : Math.min(leaseMs / 6, LONGEST_LOOK_MS))
  const look = createRecurringJob({ everyMs: lookMs, firstMs: 0 }, lookOnce)

  async function beat(): Promise<void> {
    try {
      await fitness.read()
      const { waiting = 0, appliedRev = 0 } = attachment ?? {}
      await nodes.beat({ mode, appliedRev, waiting, offsetMs: clock.offsetMs, health: fitness.reported })
    } catch (error) {
      if (error instanceof StartError) deps.onFatal(error)
    }
  }
  const beats = createRecurringJob({ everyMs: BEAT_MS }, beat)
  const alive = setInterval(() => {
    noteAlive()
    goAloneWhenAway()
  }, HALTED_MS / 8)
  alive.unref()

  const status: ClusterStatus = {
    node,
    get mode() {
      return mode
    },
    get modeSince() {
      return modeSince
    },
    get clusterId() {
      return clusterId
    },
    get database() {
      const downForMs = failingSince === null ? 0 : performance.now() - failingSince
      const { host, timeline } = pool
      return {
        host,
        timeline,
        isUp: isPrepared && failingSince === null,
        reason: failure,
        isRefused: refusedSince !== null,
        isWaitedFor: part === 'alone' && aloneBecause === 'refused',
        downForMs,
      }
    },
    get leader() {
      return nodes.list.leaderships[0] ?? null
    },
    get leaderlessForMs() {
      return freeSince === null || part === 'leader' ? 0 : performance.now() - freeSince
    },
    get nodes() {
      return nodes.list.nodes
    },
    get leaderships() {
      return nodes.list.leaderships
    },
    get appliedRev() {
      return attachment?.appliedRev ?? 0
    },
    get headRev() {
      return attachment?.headRev ?? 0
    },
    get followLagMs() {
      return attachment?.lagMs ?? 0
    },
    get clockOffsetMs() {
      return clock.offsetMs
    },
    get unshippedRows() {
      return attachment?.unshipped ?? 0
    },
    get waiting() {
      return attachment?.waiting ?? 0
    },
    get inboxOpen() {
      return attachment?.inboxOpen.rows ?? 0
    },
    get inboxOldestAt() {
      return attachment?.inboxOpen.oldestAt ?? null
    },
    get configDiffers() {
      return differingSections(nodes.list.nodes, nodes.list.leaderships[0]?.node ?? null)
    },
    get rewoundAgoMs() {
      return counters.rewoundAgoMs
    },
    get counters() {
      return counters.read({ shippedRows: attachment?.shippedRows ?? 0, appliedRows: attachment?.appliedRows ?? 0 })
    },
  }

  return {
    start() {
      look.start()
    },
    attach(own) {
      if (attachment) counters.addRows(attachment)
      isBuilding = false
      if (isHandingOver) handOver()
      attachment = createAttachment(
        {
          own,
          pool,
          lease,
          clock,
          counters,
          status,
          part,
          isPrepared: () => isPrepared || part === 'alone',
          isPart: () => attachment?.part === part && !isStopping,
          refusingSince: () => pool.refusingSince,
          wasLastLeader: aloneAsLastLeader,
          keptTerm,
          nodes,
          onFenced,
          onForgotten,
          forgotten,
        },
        settings,
      )
      return attachment
    },
    async stepDown() {
      if (part !== 'leader') return
      isHandingOver = true
      await attachment?.finish()
      if (part === 'leader' && !isStopping) deps.onPart('another node is asked to lead the cluster', HAND_OVER_MS)
    },
    nodes,
    finish: async () => attachment?.finish(),
    async stop() {
      isStopping = true
      become('leaving')
      clearInterval(alive)
      await Promise.all([beats.stop(), look.stop()])
      saveIdentity()
      await lease.release().catch(() => undefined)
      if (isPrepared && failingSince === null) await beat()
      await listener.stop()
      await Promise.all([pool.close(), leaseDb.close()])
    },
  }
}

/** After an outage candidates wait so long for the other nodes. */
const RETURN_WAIT_MS = 5000
