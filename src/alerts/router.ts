/**
 * From an event to rows in the outbox. An event is handled when it arrives, whenever more becomes known about it, and when
 * nothing more is awaited. Each time the rules whose needs are met are evaluated: conditions, then gates, maintenance and
 * snoozes, chains and rate limits decide what is sent.
 */

import { type Awaited, type EventRouter, type LogUse, NOTHING_AWAITED } from '../events/event-router.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../events/types.ts'
import { type Database, isStorageFailure } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { DeliveryChange } from './outbox/outbox.ts'
import { isFull, nextSlotAt, takeSlot } from './outbox/rate-limit.ts'
import { deliveriesOf, deliveryKey, insertDelivery, type NewDelivery, newDeliveryId } from './outbox/store.ts'
import { type Chains, closeGroups, type GroupState, groupState, openGroup } from './rules/chains.ts'
import { watchFallback } from './rules/fallback.ts'
import { alertedOf, clearedOutcomes, isConfirmed } from './rules/recovery.ts'
import {
  type Candidate,
  candidatesOf,
  DIRECT,
  earlierDelivery,
  type MadeDelivery,
  type ReplaySelection,
  type ReplaySettings,
} from './rules/replay.ts'
import { isGood, subjectOf } from './rules/subjects.ts'
import { createRuleTable, isFor, isKnown, isReady, isSuppressible, type RuleGroup } from './rules/table.ts'
import type {
  DeliveryKind,
  PlannedDelivery,
  Rule,
  SuppressedBy,
  Suppression,
  SuppressionCheck,
  SuppressionNeeds,
  SuppressReason,
} from './types.ts'

export interface RouterDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Called after deliveries were committed, with the lanes that got some. */
  readonly onDeliveries: (lanes: ReadonlySet<string>) => void
  /** Called for deliveries that are suppressed from the start, for live views; the outbox reports the others. */
  readonly observe?: (change: DeliveryChange) => void
  /** Called for every delivery that a rule makes, suppressed ones included. */
  readonly onRouted?: (rule: string, outcome: EventOutcome) => void
  /** Called when nothing is awaited any more and every rule has been evaluated; in the transaction of the deliveries. */
  readonly onDecided?: (db: Database, event: TaskEvent, decided: Decided) => void
  /** Called at the end of each `handle`. */
  readonly onHandled?: (event: TaskEvent, awaited: Awaited) => void
  /** In this order; the first one that suppresses a delivery gives the reason. */
  readonly suppressions?: readonly SuppressionCheck[]
  /** The needs of `suppressions`; default none. */
  readonly suppressionNeeds?: SuppressionNeeds
  /** Absent: every failure stands alone. */
  readonly chains?: Chains
}

/** The rules that were evaluated for an event. */
export interface Decided {
  /** The rules about events of its type and outcome, by name. */
  readonly concerned: readonly RuleGroup[]
  /** The rule after which no other was evaluated. */
  readonly stoppedBy: string | null
}

export interface Router extends EventRouter {
  /** Replaces the rules, as the configuration has changed. */
  follow(rules: readonly Rule[]): void
  /** Adds the recoveries of a stored event whose success Qlik Sense has confirmed later on. */
  addRecoveries(db: Database, event: TaskEvent): void
  /** Whether a rule reports such events, or is about something that they end. */
  wants(type: EventType, outcome: EventOutcome): boolean
  /** Without a destination the first rule of the name. */
  rule(name: string, destination?: string): Rule | undefined
  /** The messages of a replay or a test of the event. */
  candidates(event: TaskEvent, selection: ReplaySelection): readonly Candidate[]
  /** Adds the deliveries of a replay or a test. They have no consequences: neither recovery nor fallback. */
  addReplays(db: Database, event: TaskEvent, settings: ReplaySettings): readonly MadeDelivery[]
  /** Does what `handle` does with a complete event, and returns the result. The caller rolls it back. */
  rehearse(db: Database, event: TaskEvent, now: number): Rehearsal
}

export interface Rehearsal {
  readonly deliveries: readonly RehearsedDelivery[]
  /** The rule after which no other was evaluated. */
  readonly stoppedBy: string | null
  /** Rules that have matched. */
  readonly matched: ReadonlySet<string>
}

export interface RehearsedDelivery {
  readonly route: string
  readonly destination: string
  readonly target: string
  readonly kind: DeliveryKind
  readonly wouldBe: 'pending' | 'suppressed'
  readonly reason: SuppressReason | null
  readonly detail: string | null
  readonly by: SuppressedBy | null
}

/** One evaluation of the rules for one event. */
interface Pass {
  readonly db: Database
  readonly event: TaskEvent
  readonly now: number
  readonly awaited: Awaited
  /** Keys of the deliveries that earlier passes have added. */
  readonly made: ReadonlySet<string>
  /** Null unless it is a rehearsal. */
  readonly rehearsal: RehearsedDelivery[] | null
  /** Groups of chains by rule name; read once. */
  readonly chainGroups: Map<string, GroupState | null>
  /** Read once, when it matters. */
  suppressionNeeds: readonly Need[] | null
}

type Decision =
  | { readonly state: 'pending'; readonly reason: null; readonly detail: null }
  | ({ readonly state: 'suppressed' } & Suppression)

type Addition = Decision &
  Pick<NewDelivery, 'kind' | 'orderKey' | 'limitKey' | 'severity' | 'note' | 'about' | 'replayOf'>

const PENDING: Decision = { state: 'pending', reason: null, detail: null }
const NONE_MADE: ReadonlySet<string> = new Set()
const WITHOUT_LOG: ReadonlySet<Need> = new Set(['scriptLog'])

export function createRouter(deps: RouterDeps, rules: readonly Rule[]): Router {
  const { chains, suppressions = [] } = deps
  let table = createRuleTable(rules)
  let touchedLanes = new Set<string>()

  function handle(db: Database, event: TaskEvent, awaited: Awaited): void {
    const made = awaited === 'everything' ? NONE_MADE : deliveriesOf(db, event.id)
    const pass = passOf(db, event, awaited, made)
    const stoppedBy = addAlerts(pass)
    if (awaited !== 'everything') addRecoveries(pass)
    if (awaited !== 'everything' && awaited.size === 0) {
      const concerned = table.groups.filter(({ rules }) => rules.some((rule) => isFor(rule, event)))
      deps.onDecided?.(db, event, { concerned, stoppedBy })
    }
    deps.onHandled?.(event, awaited)
  }

  function passOf(db: Database, event: TaskEvent, awaited: Awaited = NOTHING_AWAITED, made = NONE_MADE): Pass {
    const now = deps.clock.now()
    return { db, event, now, awaited, made, rehearsal: null, chainGroups: new Map(), suppressionNeeds: null }
  }

  /** Whether the needs of the rule are met by what is known now, or the deadline is over. */
  function needsMet(pass: Pass, rule: Rule, kind: 'alert' | 'recovery'): boolean {
    return isReady(rule, kind, pass.awaited, isSuppressible(rule, kind) ? suppressionNeeds(pass) : [])
  }

  function suppressionNeeds(pass: Pass): readonly Need[] {
    if (pass.awaited === 'everything' || pass.awaited.size === 0) return []
    pass.suppressionNeeds ??= deps.suppressionNeeds?.(pass.db, pass.now) ?? []
    return pass.suppressionNeeds
  }

  /** Returns the name of the rule after which no other is evaluated. */
  function addAlerts(pass: Pass, matched?: Set<string>): string | null {
    const phase = pass.awaited === 'everything' ? 'arrival' : 'enriched'
    for (const group of table.groups) {
      const candidates = group.rules.filter((rule) => rule.phase === phase && isFor(rule, pass.event))
      if (candidates.length === 0) continue
      if (!isKnown(group.conditionNeeds, pass.awaited)) {
        // It is not known whether the rules after it are evaluated at all.
        if (group.stop) return null
        continue
      }
      if (!matches(group, pass.event)) continue
      matched?.add(group.name)
      for (const rule of candidates.filter((one) => needsMet(pass, one, 'alert'))) {
        for (const planned of plan(rule, pass.event)) addAlert(pass, rule, planned)
      }
      if (group.stop) return group.name
    }
    return null
  }

  /** On error the rule matches: a spurious alert is better than a missed one. */
  function matches({ name, rules: [first] }: RuleGroup, event: TaskEvent): boolean {
    return withFallback(name, event, true, () => first?.filter?.matches(event, event.receivedAt) ?? true)
  }

  function plan(rule: Rule, event: TaskEvent): readonly PlannedDelivery[] {
    return withFallback(rule.name, event, [], () => rule.plan(event))
  }

  /** A rule that fails over an odd event must not cost the messages of the others, nor hold up the event. */
  function withFallback<T>(rule: string, event: TaskEvent, fallback: T, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (isStorageFailure(error)) throw error
      deps.log.error(`NOTIFY Rule ${rule} failed for event ${event.id} of task "${event.taskName}": ${error}`)
      return fallback
    }
  }

  function addAlert(pass: Pass, rule: Rule, planned: PlannedDelivery): void {
    const { db, event, now } = pass
    // Before anything is counted or reserved for it.
    if (isMade(pass, rule, planned.target, 'alert')) return
    const decision = decide(pass, rule, planned)
    const isPending = decision.state === 'pending'
    const group = isPending ? chainGroupOf(pass, rule) : null
    const { policy } = rule
    const about = policy?.recovery && !isGood(event.outcome) && !event.test ? subjectOf(event) : null
    const isNew = add(pass, rule, planned, {
      ...decision,
      kind: 'alert',
      orderKey: planned.orderKey ?? (about === null ? null : `${rule.destination}|${planned.target}|${about}`),
      limitKey: limitKeyOf(event, planned),
      severity: rule.severity ?? event.severity,
      note: group?.kind === 'root' ? group.note : null,
      about,
    })
    if (!isNew || !isPending || !policy || event.test) return
    if (group?.kind === 'root') {
      openGroup(db, rule.name, event, group.downstream, { now, windowMs: policy.groupWindowMs })
    }
    if (policy.fallback.length > 0) watchFallback(db, event.id, rule.name, now + policy.fallbackAfterMs)
  }

  function isMade({ made }: Pass, { name, destination }: Rule, target: string, kind: DeliveryKind): boolean {
    return made.size > 0 && made.has(deliveryKey({ route: name, destination, target, kind }))
  }

  /**
   * Takes a slot of the rate limit when the delivery is to be sent; so limits come last. For a test only the gates of the
   * rule count.
   */
  function decide(pass: Pass, rule: Rule, planned: PlannedDelivery): Decision {
    const { db, event, now } = pass
    const { suppress, limit } = planned
    if (suppress) return suppressed(suppress)
    if (event.test) return PENDING
    const found = isSuppressible(rule, 'alert')
      ? (suppressionOf(pass, rule, planned) ?? chainSuppression(pass, rule))
      : null
    if (found) return suppressed(found)
    if (!limit || limit.windowMs <= 0 || takeSlot(db, { ...limit, eventId: event.id, now })) return PENDING
    const { count = 1, windowMs } = limit
    const alerts = count === 1 ? 'one alert' : `${count} alerts`
    const slotAt = nextSlotAt(db, limit.key, now)
    return suppressed({
      reason: 'RATE_LIMITED',
      detail: `at most ${alerts} in ${windowMs / 1000} s`,
      by: { limit: { count, windowMs, nextSlotAt: slotAt === null ? null : new Date(slotAt).toISOString() } },
    })
  }

  /** Why maintenance, a snooze or another feature holds the delivery back; null when none does. */
  function suppressionOf(pass: Pass, rule: Rule, planned: PlannedDelivery, peek = false): Suppression | null {
    const { db, event, now } = pass
    for (const check of suppressions) {
      const found = withFallback(rule.name, event, null, () => check(db, { event, rule, planned, now, peek }))
      if (found) return found
    }
    return null
  }

  function logUse(db: Database, event: TaskEvent): LogUse {
    const pass = passOf(db, event, WITHOUT_LOG)
    if (event.test || suppressionNeeds(pass).includes('scriptLog')) return 'messages'
    const keys = new Set<string>()
    for (const group of table.groups) {
      const candidates = group.rules.filter((rule) => rule.phase === 'enriched' && isFor(rule, event))
      if (candidates.length === 0) continue
      if (!isKnown(group.conditionNeeds, WITHOUT_LOG)) return 'messages'
      if (!matches(group, event)) continue
      for (const rule of candidates.filter(({ needs }) => needs.includes('scriptLog'))) {
        const uses = plan(rule, event).map((planned) => logUseOf(pass, rule, planned))
        // Without messages, it may be the log that decides whether there is one.
        if (uses.length === 0) return 'messages'
        for (const use of uses) {
          if (use === 'messages') return 'messages'
          if (use !== 'nothing') keys.add(use.key)
        }
      }
      if (group.stop) break
    }
    return keys.size === 0 ? 'nothing' : [...keys]
  }

  /** As `decide`, and changes nothing. */
  function logUseOf(
    pass: Pass,
    rule: Rule,
    planned: PlannedDelivery,
  ): 'nothing' | 'messages' | { readonly key: string } {
    const { db, event, now } = pass
    const { suppress, limit } = planned
    if (suppress) return 'nothing'
    const isHeld =
      isSuppressible(rule, 'alert') && (suppressionOf(pass, rule, planned, true) ?? chainSuppression(pass, rule))
    if (isHeld) return 'nothing'
    if (!limit || limit.windowMs <= 0) return 'messages'
    if (isFull(db, { ...limit, eventId: event.id, now })) return 'nothing'
    return (limit.count ?? 1) === 1 ? { key: limit.key } : 'messages'
  }

  /** Asked after the other holds: an alert that one of them holds back opens no group. */
  function chainSuppression(pass: Pass, rule: Rule): Suppression | null {
    const group = chainGroupOf(pass, rule)
    return group?.kind === 'grouped' ? { reason: 'GROUPED', detail: group.detail, by: { group: group.root } } : null
  }

  /** Null when the event has nothing to do with groups of this rule. */
  function chainGroupOf({ db, event, now, chainGroups }: Pass, rule: Rule): GroupState | null {
    if (!chains || event.test || rule.policy?.group !== 'chain' || !isSuppressible(rule, 'alert')) return null
    const known = chainGroups.get(rule.name)
    if (known !== undefined) return known
    const state = withFallback(rule.name, event, null, () => groupState(db, chains, rule.name, event, now))
    chainGroups.set(rule.name, state)
    return state
  }

  /** Returns the id; null when the event has this delivery already. */
  function add(pass: Pass, rule: Rule, planned: PlannedDelivery, addition: Addition): string | null {
    const { db, event, now, rehearsal } = pass
    const { destination, name } = rule
    const { target, lane } = planned
    const { state, reason, detail, kind } = addition
    const identity = { route: name, destination, target, kind }
    const id = 'replayOf' in addition ? uuidV7(now) : newDeliveryId(event, identity, now)
    const destinationType = rule.destinationType ?? destination
    const row = { ...addition, id, eventId: event.id, ...identity, destinationType, lane, createdAt: now }
    const isNew = insertDelivery(db, row)
    if (rehearsal) {
      const by = ('by' in addition && addition.by) || null
      rehearsal.push({ route: name, destination, target, kind, wouldBe: state, reason, detail, by })
      return isNew ? id : null
    }
    if (!isNew) return null
    deps.onRouted?.(name, event.outcome)
    if (state === 'pending') {
      touchedLanes.add(lane)
      return id
    }
    deps.log.verbose(
      `NOTIFY suppressed channel=${destination} route=${name} task=${event.taskId} to=${target} reason=${reason} (${detail})`,
    )
    const latencyMs = now - event.receivedAt
    deps.observe?.({ deliveryId: id, destination, target, state, reason, detail, attempts: 0, event, latencyMs })
    return id
  }

  function addRecoveries(pass: Pass): void {
    const { db, event, now } = pass
    if (event.test || clearedOutcomes(event).length === 0) return
    // A sample, whose execution is unknown, stands for a success that Qlik Sense confirms.
    const isSample = pass.rehearsal !== null && event.missingParts.includes('execution')
    if (!isSample && !isConfirmed(event)) {
      logUnconfirmed(pass)
      return
    }
    for (const group of table.groups) {
      if (!group.recovery) continue
      for (const alerted of withFallback(group.name, event, [], () => alertedOf(db, group.name, event))) {
        const { target, lane, orderKey } = alerted
        const rule = table.find(group.name, alerted.destination)
        if (!rule?.policy?.recovery || !needsMet(pass, rule, 'recovery')) continue
        if (isMade(pass, rule, target, 'recovery')) continue
        // A recovery that is held back waits for the next success.
        const found = isSuppressible(rule, 'recovery') ? suppressionOf(pass, rule, { target, lane }) : null
        add(
          pass,
          rule,
          { target, lane },
          {
            ...(found ? suppressed(found) : PENDING),
            kind: 'recovery',
            orderKey,
            limitKey: null,
            severity: event.severity,
            note: null,
            about: subjectOf(event),
          },
        )
      }
    }
    if (event.outcome === 'success') closeGroups(db, event.taskId, now)
  }

  /** Once for an event, in its last pass. */
  function logUnconfirmed({ db, event, awaited, rehearsal }: Pass): void {
    if (awaited === 'everything' || awaited.size > 0 || rehearsal) return
    const rules = table.groups.filter(({ name, recovery }) => recovery && alertedOf(db, name, event).length > 0)
    if (rules.length === 0) return
    deps.log.warn(
      `NOTIFY No recovery for task "${event.taskName}" (${event.taskId}): Qlik Sense has not confirmed the success of execution ${event.executionId || 'without id'}; rule ${rules.map(({ name }) => name).join(', ')}`,
    )
  }

  const candidates = (event: TaskEvent, selection: ReplaySelection) =>
    candidatesOf({ table, matches, plan }, event, selection)

  function addReplay(pass: Pass, candidate: Candidate, { kind, ignoreGates }: ReplaySettings): MadeDelivery {
    const { rule, planned } = candidate
    const isFree = (ignoreGates || rule.name === DIRECT) && !planned.suppress
    const decision = isFree ? PENDING : decide(pass, rule, planned)
    const id = add(pass, rule, planned, {
      ...decision,
      kind,
      replayOf: earlierDelivery(pass.db, pass.event, candidate, kind),
      orderKey: planned.orderKey ?? null,
      limitKey: isFree ? null : limitKeyOf(pass.event, planned),
      severity: rule.severity ?? pass.event.severity,
      note: null,
      about: null,
    })
    const { destination } = rule
    const { state, reason } = decision
    // It is always new: it repeats another delivery, or is the first.
    return { id: id ?? '', route: rule.name || null, destination, target: planned.target, state, reason }
  }

  return {
    handle,
    countReady: (type, outcome, awaited) => table.countReady(type, outcome, awaited),
    addRecoveries: (db, event) => addRecoveries(passOf(db, event, NOTHING_AWAITED, deliveriesOf(db, event.id))),
    needs: (type, outcome) => table.needs(type, outcome),
    wants: (type, outcome) => table.wants(type, outcome),
    logUse,
    wake() {
      if (touchedLanes.size === 0) return
      const lanes = touchedLanes
      touchedLanes = new Set()
      deps.onDeliveries(lanes)
    },
    follow(changed) {
      table = createRuleTable(changed)
    },
    rule: (name, destination) => table.find(name, destination),
    candidates,
    addReplays(db, event, settings) {
      const pass = passOf(db, event)
      return candidates(event, settings).map((candidate) => addReplay(pass, candidate, settings))
    },
    rehearse(db, event, now) {
      const deliveries: RehearsedDelivery[] = []
      const matched = new Set<string>()
      const pass: Pass = { ...passOf(db, event), now, rehearsal: deliveries }
      addAlerts({ ...pass, awaited: 'everything' }, matched)
      const stoppedBy = addAlerts(pass, matched)
      addRecoveries(pass)
      return { deliveries, stoppedBy, matched }
    },
  }
}

const suppressed = (suppression: Suppression): Decision => ({ state: 'suppressed', ...suppression })

/** Key of the rate-limit slot that the delivery occupies until it is a dead letter. */
const limitKeyOf = ({ test }: TaskEvent, { limit }: PlannedDelivery): string | null =>
  !test && limit && limit.windowMs > 0 ? limit.key : null
