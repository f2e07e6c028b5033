/**
 * Whether a message about an event leaves: its gates, then maintenance, snoozes and checks of other features, chains and at last
 * rate limits decide.
 */
import type { Need, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import { isFull, nextSlotAt, takeSlot } from '../outbox/rate-limit.ts'
import type { Hold, PlannedDelivery, Rule, Suppression } from '../types.ts'
import { type Chains, type GroupState, groupState } from './chains.ts'
import type { RuleAsker } from './evaluate.ts'
import { isSuppressible } from './table.ts'

export interface HoldsDeps {
  /** Those in use, in this order; the first one that suppresses a delivery gives the reason. Default none. */
  readonly holds?: () => readonly Hold[]
  /** Absent: every failure stands alone. */
  readonly chains?: Chains
}

export type Decision =
  | { readonly state: 'pending'; readonly reason: null; readonly detail: null }
  | ({ readonly state: 'suppressed' } & Suppression)

/** The holds on messages about one event, at one time. */
export interface Holds {
  /**
   * Takes a slot of the rate limit when the delivery is to be sent; so limits come last. For a test only the gates of the
   * rule count.
   */
  decide(rule: Rule, planned: PlannedDelivery): Decision
  /** Recoveries have no limits, and nothing to do with chains. */
  decideRecovery(rule: Rule, planned: PlannedDelivery): Decision
  /** Whether `decide` would hold the message back, or else the key of the limit that it takes a slot of. Changes nothing. */
  logUse(rule: Rule, planned: PlannedDelivery): 'nothing' | 'messages' | { readonly key: string }
  /** The parts of an event that have to be known before anything is decided. */
  readonly needs: readonly Need[]
  /** Null when the event has nothing to do with groups of this rule. */
  groupOf(rule: Rule): GroupState | null
}

export const PENDING: Decision = { state: 'pending', reason: null, detail: null }
const suppressed = (suppression: Suppression): Decision => ({ state: 'suppressed', ...suppression })

interface Subject {
  readonly db: Database
  readonly event: TaskEvent
  readonly now: number
}

export function holdsOf(deps: HoldsDeps, { withFallback }: RuleAsker, { db, event, now }: Subject): Holds {
  const { chains } = deps
  const inUse = deps.holds?.() ?? []
  /** By rule name; read once, as the needs are. */
  const groups = new Map<string, GroupState | null>()
  let needs: readonly Need[] | null = null

  /** Why maintenance, a snooze or another feature holds the delivery back; null when none does. */
  function suppressionOf(rule: Rule, planned: PlannedDelivery, peek = false): Suppression | null {
    for (const hold of inUse) {
      const found = withFallback(rule.name, event, null, () =>
        hold.suppression(db, { event, rule, planned, now, peek }),
      )
      if (found) return found
    }
    return null
  }

  function groupOf(rule: Rule): GroupState | null {
    if (!chains || event.test || rule.policy?.group !== 'chain' || !isSuppressible(rule, 'alert')) return null
    const known = groups.get(rule.name)
    if (known !== undefined) return known
    const state = withFallback(rule.name, event, null, () => groupState(db, chains, rule.name, event, now))
    groups.set(rule.name, state)
    return state
  }

  /** All but the limits. Chains come last: an alert that is held back for another reason opens no group. */
  function holdOf(rule: Rule, planned: PlannedDelivery, peek = false): Suppression | null {
    if (planned.suppress) return planned.suppress
    if (event.test || !isSuppressible(rule, 'alert')) return null
    const found = suppressionOf(rule, planned, peek)
    if (found) return found
    const group = groupOf(rule)
    return group?.kind === 'grouped' ? { reason: 'GROUPED', detail: group.detail, by: { group: group.root } } : null
  }

  function limited({ key, count = 1, windowMs }: NonNullable<PlannedDelivery['limit']>): Suppression {
    const alerts = count === 1 ? 'one alert' : `${count} alerts`
    const slotAt = nextSlotAt(db, key, now)
    return {
      reason: 'RATE_LIMITED',
      detail: `at most ${alerts} in ${windowMs / 1000} s`,
      by: { limit: { count, windowMs, nextSlotAt: slotAt === null ? null : new Date(slotAt).toISOString() } },
    }
  }

  return {
    groupOf,
    get needs() {
      needs ??= inUse.flatMap((hold) => hold.needs?.(db, now) ?? [])
      return needs
    },
    decide(rule, planned) {
      const found = holdOf(rule, planned)
      if (found) return suppressed(found)
      const limit = limitOf(event, planned)
      if (!limit || takeSlot(db, { ...limit, eventId: event.id, now })) return PENDING
      return suppressed(limited(limit))
    },
    decideRecovery(rule, planned) {
      const found = isSuppressible(rule, 'recovery') ? suppressionOf(rule, planned) : null
      return found ? suppressed(found) : PENDING
    },
    logUse(rule, planned) {
      if (holdOf(rule, planned, true)) return 'nothing'
      const limit = limitOf(event, planned)
      if (!limit) return 'messages'
      if (isFull(db, { ...limit, eventId: event.id, now })) return 'nothing'
      return (limit.count ?? 1) === 1 ? { key: limit.key } : 'messages'
    },
  }
}

/** The rate limit that applies to the message; its slot is occupied until the delivery is a dead letter. */
export const limitOf = ({ test }: TaskEvent, { limit }: PlannedDelivery): PlannedDelivery['limit'] | null =>
  !test && limit && limit.windowMs > 0 ? limit : null
