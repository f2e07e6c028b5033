/** Whether a planned delivery is sent or held back: gates, holds, open groups, rate limits. */

import type { Need, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import { isNotifying } from '../destinations/index.ts'
import { takeSlot } from '../outbox/rate-limit.ts'
import type { DeliveryKind, Hold, PlannedDelivery, Route, SuppressReason } from '../types.ts'
import { type Chains, type GroupState, groupState } from './groups.ts'

export interface RehearsedDelivery {
  readonly route: string
  readonly destination: string
  readonly target: string
  readonly kind: DeliveryKind
  readonly wouldBe: 'pending' | 'suppressed'
  readonly reason: SuppressReason | null
  readonly detail: string | null
}

export type Decision =
  | { readonly state: 'pending'; readonly reason: null; readonly detail: null }
  | { readonly state: 'suppressed'; readonly reason: SuppressReason; readonly detail: string }

/** One event on its way through the routes. */
export interface Passage {
  readonly db: Database
  readonly event: TaskEvent
  readonly now: number
  /** What is not known yet and will be; empty = the last step. */
  readonly open: ReadonlySet<Need>
  /** There may be deliveries of an earlier step. */
  readonly resumed: boolean
  /** Null while it is for real. */
  readonly rehearsal: RehearsedDelivery[] | null
  /** By route; asked once per event. */
  readonly groups: Map<string, GroupState | null>
}

/** A route that fails over an odd event must not cost the messages of the others, nor hold up the event. */
export type Carefully = <T>(route: string, event: TaskEvent, otherwise: T, work: () => T) => T

export interface DeciderDeps {
  /** In this order; the first one that holds a delivery back gives the reason. */
  readonly holds: readonly Hold[]
  readonly chains: Chains | undefined
  readonly carefully: Carefully
}

export interface Decider {
  /** Takes a slot of the rate limit when the delivery is to be sent. */
  decide(passage: Passage, route: Route, planned: PlannedDelivery): Decision
  /** Why it is held back; null when it is not. */
  heldBack(passage: Passage, route: Route, planned: PlannedDelivery): PlannedDelivery['suppress'] | null
  /** Null when the event has nothing to do with groups of this route. */
  groupOf(passage: Passage, route: Route): GroupState | null
}

export const PENDING: Decision = { state: 'pending', reason: null, detail: null }

export function suppressed(reason: SuppressReason, detail: string): Decision {
  return { state: 'suppressed', reason, detail }
}

export const typeOf = ({ destinationType, destination }: Route): string => destinationType ?? destination

export function createDecider({ holds, chains, carefully }: DeciderDeps): Decider {
  /** The chain comes last: what is held back for another reason opens no group. */
  function hold(passage: Passage, route: Route, planned: PlannedDelivery): PlannedDelivery['suppress'] | null {
    const held = heldBack(passage, route, planned)
    if (held) return held
    const group = groupOf(passage, route)
    return group?.kind === 'grouped' ? { reason: 'GROUPED', detail: group.detail } : null
  }

  function heldBack(
    { db, event, now }: Passage,
    route: Route,
    planned: PlannedDelivery,
  ): PlannedDelivery['suppress'] | null {
    for (const ask of holds) {
      const held = carefully(route.name, event, null, () => ask(db, { event, route, planned, now }))
      if (held) return held
    }
    return null
  }

  function groupOf({ db, event, now, groups }: Passage, route: Route): GroupState | null {
    if (!chains || event.test || route.policy?.group !== 'chain' || !isNotifying(typeOf(route))) return null
    const known = groups.get(route.name)
    if (known !== undefined) return known
    const state = carefully(route.name, event, null, () => groupState(db, chains, route.name, event, now))
    groups.set(route.name, state)
    return state
  }

  return {
    heldBack,
    groupOf,
    /** Limits come last: only what would really be sent takes a slot. Tests pass everything but the question of whom. */
    decide(passage, route, planned) {
      const { db, event, now } = passage
      const { suppress, limit } = planned
      if (suppress) return suppressed(suppress.reason, suppress.detail)
      if (event.test) return PENDING
      const held = isNotifying(typeOf(route)) ? hold(passage, route, planned) : null
      if (held) return suppressed(held.reason, held.detail)
      if (!limit || limit.windowMs <= 0 || takeSlot(db, { ...limit, eventId: event.id, now })) return PENDING
      const { count = 1, windowMs } = limit
      const what = count === 1 ? 'one alert' : `${count} alerts`
      return suppressed('RATE_LIMITED', `at most ${what} in ${windowMs / 1000} s`)
    },
  }
}
