/** Plays the part of this node: keeps its state, which `part.ts` leads on with all that is seen, and carries out the effects. */
import { errorText } from '../platform/errors.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { Attachment } from './attachment.ts'
import type { ClusterClock } from './clock.ts'
import type { CounterWriter } from './counters.ts'
import type { createFitness } from './fitness.ts'
import type { Lease } from './lease.ts'
import type { Nodes } from './nodes.ts'
import { awaitedSince, type Effect, initial, next, type Rules, type Seen, type State } from './part.ts'

interface PlayerDeps {
  readonly log: Logger
  /** The wall clock of this machine. */
  readonly ownClock: Clock
  readonly clock: ClusterClock
  readonly counters: CounterWriter
  readonly lease: Lease
  readonly nodes: Pick<Nodes, 'awaited'>
  readonly fitness: ReturnType<typeof createFitness>
  readonly registration: { save(): void }
  readonly onPart: (because: string, graceMs?: number) => void
  /** The attachment of the app that is built now. */
  readonly attachment: () => Attachment | null
}

export interface Player {
  readonly state: State
  /** Since when the mode is what it is, milliseconds since 1970. */
  readonly modeSince: number
  /** Resolves when what follows is done. */
  note(seen: Seen): Promise<void>
}

export function createPlayer(deps: PlayerDeps, rules: () => Rules, known: Pick<State, 'timeline' | 'history'>): Player {
  const { log, ownClock, clock, counters, lease, nodes, fitness, attachment } = deps
  let state = initial(clock.monotonic(), known)
  let modeSince = ownClock.now()

  async function note(seen: Seen): Promise<void> {
    const facts = { now: clock.monotonic(), databaseMs: clock.now(), canWrite: fitness.lacks.disk === undefined }
    const before = state.mode
    const turn = next(state, seen, facts, rules())
    state = turn.state
    if (state.mode !== before) noteMode(before)
    await Promise.all(turn.effects.map(carryOut))
  }

  function noteMode(before: State['mode']): void {
    if (before === 'alone') counters.addAlone(ownClock.now() - modeSince)
    modeSince = ownClock.now()
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
        void attachment()?.finish()
        return undefined
      case 'leave':
        return attachment()?.leave()
      case 'build':
        return deps.onPart(effect.because, effect.graceMs)
      case 'release':
        lease.release().catch(() => undefined)
        return undefined
      case 'drop':
        return lease.drop()
      case 'rest':
        return fitness.rest()
      case 'save':
        return deps.registration.save()
      case 'try':
        return tryToLead()
      case 'acquire':
        return takeOver()
    }
  }

  /** The disk is tried once more: what was true a moment ago does not count for a node that takes the lead. */
  async function tryToLead(): Promise<void> {
    await fitness.read({ anew: true })
    const since = awaitedSince(state, clock.monotonic())
    const awaited = since === null ? 0 : await nodes.awaited(since)
    await note({ is: 'tried', fitness: fitness.ofAll, awaited })
  }

  async function takeOver(): Promise<void> {
    const term = await lease.acquire()
    if (!term) return
    counters.addTakeover(term.reason)
    log.info(`CLUSTER This node takes over (term ${term.epoch})`)
    attachment()
      ?.toHead()
      .then(() => (lease.last?.token === term.token ? note({ is: 'caught up' }) : undefined))
      .catch((error: unknown) => {
        log.warn(`CLUSTER The state of the last leader cannot be read, another node may lead: ${errorText(error)}`)
        return lease.release()
      })
      .catch(() => undefined)
  }

  return {
    get state() {
      return state
    },
    get modeSince() {
      return modeSince
    },
    note,
  }
}
