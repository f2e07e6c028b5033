/**
 * From an event to rows in the outbox. An event is handled when it arrives, whenever more becomes known about it, and when
 * nothing more is awaited. Each time the rules whose needs are met are evaluated: conditions, then gates, maintenance and
 * snoozes, chains and rate limits decide what is sent.
 */

import { type Awaited, type EventRouter, type LogUse, NOTHING_AWAITED } from '../events/event-router.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../events/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { MadeDelivery } from './history/contract.ts'
import type { DeliveryChange } from './outbox/outbox.ts'
import { deliveriesOf, deliveryKey, insertDelivery, type NewDelivery, newDeliveryId } from './outbox/store.ts'
import { closeGroups, openGroup } from './rules/chains.ts'
import type { SuppressedBy } from './rules/contract.ts'
import { createRuleAsker, type Evaluation, evaluate } from './rules/evaluate.ts'
import { watchFallback } from './rules/fallback.ts'
import { type Decision, type Holds, type HoldsDeps, holdsOf, limitOf, PENDING } from './rules/holds.ts'
import { alertedOf, clearedOutcomes, isConfirmed } from './rules/recovery.ts'
import {
  type Candidate,
  candidatesOf,
  DIRECT,
  earlierDelivery,
  type ReplaySelection,
  type ReplaySettings,
} from './rules/replay.ts'
import { isGood, subjectOf } from './rules/subjects.ts'
import { createRuleTable, isFor, isReady, isSuppressible, type RuleGroup } from './rules/table.ts'
import type { DeliveryKind, PlannedDelivery, Rule, SuppressReason } from './types.ts'

export interface RouterDeps extends HoldsDeps {
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
  readonly holds: Holds
}

type Addition = Decision &
  Pick<NewDelivery, 'kind' | 'orderKey' | 'limitKey' | 'severity' | 'note' | 'about' | 'replayOf'>

const NONE_MADE: ReadonlySet<string> = new Set()
const WITHOUT_LOG: ReadonlySet<Need> = new Set(['scriptLog'])

export function createRouter(deps: RouterDeps, rules: readonly Rule[]): Router {
  const asker = createRuleAsker(deps.log)
  const additions = createAdditions(deps)
  let table = createRuleTable(rules)

  function handle(db: Database, event: TaskEvent, awaited: Awaited): void {
    const made = awaited === 'everything' ? NONE_MADE : deliveriesOf(db, event.id)
    const pass = passOf(db, event, { awaited, made })
    const { stoppedBy } = addAlerts(pass)
    if (awaited !== 'everything') addRecoveries(pass)
    if (awaited !== 'everything' && awaited.size === 0) {
      const concerned = table.groups.filter(({ rules }) => rules.some((rule) => isFor(rule, event)))
      deps.onDecided?.(db, event, { concerned, stoppedBy })
    }
    deps.onHandled?.(event, awaited)
  }

  function passOf(
    db: Database,
    event: TaskEvent,
    given: Partial<Pick<Pass, 'now' | 'awaited' | 'made' | 'rehearsal'>> = {},
  ): Pass {
    const now = given.now ?? deps.clock.now()
    const holds = holdsOf(deps, asker, { db, event, now })
    return { db, event, now, awaited: NOTHING_AWAITED, made: NONE_MADE, rehearsal: null, holds, ...given }
  }

  function matching(event: TaskEvent, awaited: Awaited): Evaluation {
    const phase = awaited === 'everything' ? 'arrival' : 'enriched'
    return evaluate(table.groups, event, { awaited, phase }, (group) => asker.matches(group, event))
  }

  function addAlerts(pass: Pass): Evaluation {
    const { event, awaited } = pass
    const evaluation = matching(event, awaited)
    for (const rule of evaluation.matched.flatMap(({ rules }) => rules)) {
      if (!needsMet(pass, rule, 'alert')) continue
      for (const planned of asker.plan(rule, event)) addAlert(pass, rule, planned)
    }
    return evaluation
  }

  function addAlert(pass: Pass, rule: Rule, planned: PlannedDelivery): void {
    const { db, event, now, holds } = pass
    // Before anything is counted or reserved for it.
    if (isMade(pass, rule, planned.target, 'alert')) return
    const decision = holds.decide(rule, planned)
    const isPending = decision.state === 'pending'
    const group = isPending ? holds.groupOf(rule) : null
    const { policy } = rule
    const about = policy?.recovery && !isGood(event.outcome) && !event.test ? subjectOf(event) : null
    const isNew = additions.add(pass, rule, planned, {
      ...decision,
      kind: 'alert',
      orderKey: planned.orderKey ?? (about === null ? null : `${rule.destination}|${planned.target}|${about}`),
      limitKey: limitOf(event, planned)?.key ?? null,
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

  function addRecoveries(pass: Pass): void {
    const { db, event, now } = pass
    if (event.test || clearedOutcomes(event).length === 0) return
    // A sample, whose execution is unknown, stands for a success that Qlik Sense confirms.
    const isSample = pass.rehearsal !== null && event.missingParts.includes('execution')
    if (!isSample && !isConfirmed(event)) {
      logUnconfirmed(pass)
      return
    }
    for (const { name } of table.groups.filter(({ recovery }) => recovery)) {
      for (const alerted of asker.withFallback(name, event, [], () => alertedOf(db, name, event))) {
        const { target, lane, orderKey } = alerted
        const rule = table.find(name, alerted.destination)
        if (!rule?.policy?.recovery || !needsMet(pass, rule, 'recovery')) continue
        if (isMade(pass, rule, target, 'recovery')) continue
        const planned = { target, lane }
        additions.add(pass, rule, planned, {
          // A recovery that is held back waits for the next success.
          ...pass.holds.decideRecovery(rule, planned),
          kind: 'recovery',
          orderKey,
          limitKey: null,
          severity: event.severity,
          note: null,
          about: subjectOf(event),
        })
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

  function logUse(db: Database, event: TaskEvent): LogUse {
    const { holds } = passOf(db, event)
    if (event.test || holds.needs.includes('scriptLog')) return 'messages'
    const { matched, isOpen } = matching(event, WITHOUT_LOG)
    if (isOpen) return 'messages'
    const keys = new Set<string>()
    for (const rule of matched.flatMap(({ rules }) => rules)) {
      if (!rule.needs.includes('scriptLog')) continue
      const uses = asker.plan(rule, event).map((planned) => holds.logUse(rule, planned))
      // Without messages, it may be the log that decides whether there is one.
      if (uses.length === 0) return 'messages'
      for (const use of uses) {
        if (use === 'messages') return 'messages'
        if (use !== 'nothing') keys.add(use.key)
      }
    }
    return keys.size === 0 ? 'nothing' : [...keys]
  }

  const candidates = (event: TaskEvent, selection: ReplaySelection) => candidatesOf({ table, asker }, event, selection)

  function addReplay(pass: Pass, candidate: Candidate, { kind, ignoreGates }: ReplaySettings): MadeDelivery {
    const { rule, planned } = candidate
    const isFree = (ignoreGates || rule.name === DIRECT) && !planned.suppress
    const decision = isFree ? PENDING : pass.holds.decide(rule, planned)
    const id = additions.add(pass, rule, planned, {
      ...decision,
      kind,
      replayOf: earlierDelivery(pass.db, pass.event, candidate, kind),
      orderKey: planned.orderKey ?? null,
      limitKey: isFree ? null : (limitOf(pass.event, planned)?.key ?? null),
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
    addRecoveries: (db, event) => addRecoveries(passOf(db, event, { made: deliveriesOf(db, event.id) })),
    needs: (type, outcome) => table.needs(type, outcome),
    wants: (type, outcome) => table.wants(type, outcome),
    logUse,
    wake: additions.wake,
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
      const pass = passOf(db, event, { now, rehearsal: deliveries })
      const { matched: atArrival } = addAlerts({ ...pass, awaited: 'everything' })
      const { matched, stoppedBy } = addAlerts(pass)
      addRecoveries(pass)
      return { deliveries, stoppedBy, matched: new Set([...atArrival, ...matched].map(({ name }) => name)) }
    },
  }
}

/** Whether the needs of the rule are met by what is known now, or the deadline is over. */
function needsMet({ awaited, holds }: Pass, rule: Rule, kind: 'alert' | 'recovery'): boolean {
  const mayLack = awaited !== 'everything' && awaited.size > 0 && isSuppressible(rule, kind)
  return isReady(rule, kind, awaited, mayLack ? holds.needs : [])
}

function isMade({ made }: Pass, { name, destination }: Rule, target: string, kind: DeliveryKind): boolean {
  return made.size > 0 && made.has(deliveryKey({ route: name, destination, target, kind }))
}

/** Stores the deliveries that are made, says so, and knows the lanes to be woken. */
function createAdditions(deps: RouterDeps) {
  let touchedLanes = new Set<string>()
  return {
    /** Returns the id; null when the event has this delivery already. */
    add({ db, event, now, rehearsal }: Pass, rule: Rule, planned: PlannedDelivery, addition: Addition): string | null {
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
    },
    wake(): void {
      if (touchedLanes.size === 0) return
      const lanes = touchedLanes
      touchedLanes = new Set()
      deps.onDeliveries(lanes)
    },
  }
}
