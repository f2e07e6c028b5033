/** The needs of a leader, and the next step of a node that lacks some of them. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { within } from '../platform/deadline.ts'
import { errorText } from '../platform/errors.ts'
import type { ClusterClock } from './clock.ts'
import type { NodeInfo } from './types.ts'

/** `queue`: the messages of all nodes are worked off. */
export type Need = 'disk' | 'repository' | 'queue'

/** By need: why it is lacking. */
export type Lacks = Readonly<Partial<Record<Need, string>>>

export interface Fitness {
  readonly own: Lacks
  /** Milliseconds since which this node lacks them, by the clock of `at`. */
  readonly since: Readonly<Partial<Record<Need, number>>>
  /** The other nodes that live and may lead. */
  readonly others: readonly Lacks[]
}

interface FreeLead {
  /** Since when no node leads; null = one does. */
  readonly freeSince: number | null
}

export type Step =
  /** Go on: lead, or take the lead when it is free. */
  | { readonly step: 'lead' }
  /** Leave the lead to others; a leader hands it over. `isUrgent`: nothing that is under way can be ended. */
  | { readonly step: 'leave'; readonly isUrgent: boolean; readonly because: string }

/** A node that leads may lack something for so long. */
const BEARABLE_MS: Readonly<Record<Need, number>> = { disk: 3000, repository: 30_000, queue: 60_000 }
/** A free lead is taken by a node that lacks something when no better one has taken it after so long. */
const BETTER_FIRST_MS = 5000
const NEEDS: readonly Need[] = ['disk', 'repository', 'queue']

/**
 * Without its disk a node never leads, as it can keep nothing. The other needs only decide between nodes: a lack that all of
 * them have is no reason to change the leader.
 */
export function stepOf(part: 'leader' | 'follower', fitness: Fitness & FreeLead, at: number): Step {
  const { own, since, others, freeSince } = fitness
  const lacking = NEEDS.filter((need) => own[need] !== undefined)
  const isBorne = (need: Need) => part === 'leader' && at - (since[need] ?? at) < BEARABLE_MS[need]
  const need = lacking.find((one) => !isBorne(one))
  if (need === undefined) return { step: 'lead' }
  const leave = { step: 'leave', isUrgent: need === 'disk', because: own[need] ?? '' } as const
  if (need === 'disk') return leave
  const isBetter = others.some((lacks) => Object.keys(lacks).length === 0)
  const hasWaited = part === 'follower' && freeSince !== null && at - freeSince >= BETTER_FIRST_MS
  return isBetter && !hasWaited ? leave : { step: 'lead' }
}

/** A node that reports every two seconds and was not heard of for so long does not count as a candidate. */
const LIVES_MS = 10_000

/** The lacks of the other nodes that live and may lead. `now`: by the clock of the cluster. */
export function lacksOfOthers(nodes: readonly NodeInfo[], own: string, now: number): readonly Lacks[] {
  const mayLead = ({ name, candidate, mode, seenAt }: NodeInfo) =>
    name !== own && candidate && mode !== 'leaving' && mode !== 'alone' && now - seenAt < LIVES_MS
  return nodes.filter(mayLead).map(({ health }) => lacksOf(health))
}

/** The lacks in the health that a node reports. Versions that report no lacks report the states of their parts. */
export function lacksOf(health: Readonly<Record<string, unknown>>): Lacks {
  const { lacks, database, qrs } = health
  if (typeof lacks === 'object' && lacks !== null) return lacks as Lacks
  return {
    ...(database === 'down' && { disk: DATABASE_DOWN }),
    ...(qrs === 'down' && { repository: REPOSITORY_DOWN }),
  }
}

const DATABASE_DOWN = 'its footman.db or journal.db cannot be written'
const REPOSITORY_DOWN = 'it cannot reach the repository of Qlik Sense'

interface FitnessDeps {
  readonly clock: Pick<ClusterClock, 'monotonic'>
  readonly dataDirectory: string
  /** States of the parts of the node; null = they are not known any more. */
  readonly health: () => Readonly<Record<string, unknown>> | null
  /** How long the oldest message waits that this node has to work off as the leader, in milliseconds. */
  readonly queueWaitsMs: () => number
  readonly others: () => Fitness['others']
}

/** A message waits no longer than this in the queue of a leader that works. */
const QUEUE_MOVES_MS = 60_000
/** So long a node that has given the lead away because its queue stood leaves it to others. */
const QUEUE_REST_MS = 600_000
/** The disk is tried so often while it works, and at every look while it does not. */
const DISK_MS = 10_000
const QUEUE_STANDS = 'messages of the cluster wait and it does not work them off'

/** The needs that this node lacks, and since when by its own clock. */
export function createFitness({ clock, dataDirectory, health, queueWaitsMs, others }: FitnessDeps) {
  const since: Partial<Record<Need, number>> = {}
  let states: Readonly<Record<string, unknown>> = {}
  let lacks: Lacks = {}
  let restsUntil = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let diskReason: string | null = null

  function note(): void {
    const now = clock.monotonic()
    const disk = diskReason ?? (states.database === 'down' ? DATABASE_DOWN : null)
    lacks = {
      ...(disk !== null && { disk }),
      ...(states.qrs === 'down' && { repository: REPOSITORY_DOWN }),
      ...((queueWaitsMs() > QUEUE_MOVES_MS || now < restsUntil) && { queue: QUEUE_STANDS }),
    }
    for (const need of NEEDS) {
      if (lacks[need] === undefined) delete since[need]
      else since[need] ??= now
    }
  }

  return {
    get lacks() {
      return lacks
    },
    get ofAll(): Fitness {
      return { own: lacks, since, others: others() }
    },
    /** For the other nodes. */
    get reported() {
      return { ...states, lacks }
    },
    note,
    /** Reads the states of the parts and tries the disk; `anew`: also when it was tried a moment ago. Never rejects. */
    async read({ anew = false } = {}): Promise<void> {
      states = health() ?? states
      if (anew || diskReason !== null || clock.monotonic() - triedAt >= DISK_MS) {
        triedAt = clock.monotonic()
        diskReason = await diskProblem(dataDirectory)
      }
      note()
    },
    /** This node gives the lead away. */
    rest(): void {
      if (lacks.queue !== undefined) restsUntil = clock.monotonic() + QUEUE_REST_MS
    },
  }
}

const PROBE_MS = 5000
const PROBE_BYTES = 64 * 1024

/** Null when a file can be written in the folder; otherwise why not. Never rejects. */
export async function diskProblem(folder: string): Promise<string | null> {
  const file = join(folder, '.write-test')
  try {
    await within(writeFile(file, new Uint8Array(PROBE_BYTES)), PROBE_MS, () => {
      throw new Error(`nothing was written within ${PROBE_MS / 1000} s`)
    })
    return null
  } catch (error) {
    return `nothing can be written in its data directory: ${errorText(error)}`
  } finally {
    void rm(file, { force: true }).catch(() => undefined)
  }
}
