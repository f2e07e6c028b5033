/** The rules in the order of their evaluation, what they need, and whether that is known. */
import type { Awaited } from '../../events/event-router.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import { isNotifying, keepsIncidents } from '../destinations/index.ts'
import type { Rule } from '../types.ts'
import { clearedOutcomes } from './recovery.ts'

/** The rules of one name, one for each destination. They share conditions and order. */
export interface RuleGroup {
  readonly name: string
  /** Without those that no event is matched against (`aside`). */
  readonly rules: readonly Rule[]
  /** Groups after this one are not evaluated for an event that matches. */
  readonly stop: boolean
  /** At least one destination gets recoveries. */
  readonly recovery: boolean
  /** The parts that its conditions ask about. */
  readonly conditionNeeds: readonly Need[]
}

export interface RuleTable {
  readonly groups: readonly RuleGroup[]
  /** Without a destination the first rule of the name. */
  find(name: string, destination?: string): Rule | undefined
  /** The parts that Qlik Sense is asked for. */
  needs(type: EventType, outcome: EventOutcome): ReadonlySet<Need>
  /** How many rules can report such an event, or the recovery that it is, without the awaited parts. */
  countReady(type: EventType, outcome: EventOutcome, awaited: Awaited): number
  /** Whether a rule reports such events, or is about something that they end. */
  wants(type: EventType, outcome: EventOutcome): boolean
}

type Kind = 'alert' | 'recovery'

/**
 * Whether a rule can make its messages now: no part that it needs is awaited. `also` = needs that do not come from the
 * rule itself.
 */
export function isReady(rule: Rule, kind: Kind, awaited: Awaited, also: readonly Need[] = []): boolean {
  if (awaited === 'everything') return kind === 'alert' && rule.phase === 'arrival'
  if (kind === 'alert' && rule.phase === 'arrival') return false
  return isKnown([...neededBefore(rule, kind), ...also], awaited)
}

export function isKnown(needs: readonly Need[], awaited: Awaited): boolean {
  return awaited === 'everything' ? needs.length === 0 : !needs.some((need) => awaited.has(need))
}

function neededBefore(rule: Rule, kind: Kind): readonly Need[] {
  // The execution has to confirm the success; it is awaited only where that is open.
  if (kind === 'recovery') return [...recoveryNeeds(rule), 'execution']
  // When the tasks downstream usually start is counted from the start of the execution.
  return rule.policy?.group === 'chain' ? [...rule.needs, 'execution'] : rule.needs
}

/** A recovery shows app and owner; execution and script log of a success are not worth a question. */
function recoveryNeeds({ needs }: Rule): readonly Need[] {
  return needs.filter((need) => need === 'app' || need === 'owner')
}

export const typeOf = ({ destinationType, destination }: Rule): string => destinationType ?? destination

/** Whether maintenance and snoozes apply: not to what records, nor to closing an incident. */
export function isSuppressible(rule: Rule, kind: Kind): boolean {
  const type = typeOf(rule)
  return isNotifying(type) && (kind === 'alert' || !keepsIncidents(type))
}

export function isFor({ when }: Rule, { type, outcome }: Pick<TaskEvent, 'type' | 'outcome'>): boolean {
  return when.types.includes(type) && when.outcomes.includes(outcome)
}

/** The event may end something that the rule has reported. */
function clears({ when }: Rule, type: EventType, outcome: EventOutcome): boolean {
  return when.types.includes(type) && clearedOutcomes({ type, outcome, details: null }).length > 0
}

export function createRuleTable(rules: readonly Rule[]): RuleTable {
  const byName = Map.groupBy(rules, ({ name }) => name)
  const byDestination = new Map<string, Rule>()
  for (const rule of rules) {
    const key = keyOf(rule.name, rule.destination)
    if (!byDestination.has(key)) byDestination.set(key, rule)
  }
  const needsByKind = new Map<string, ReadonlySet<Need>>()

  /** Each rule that reports such an event, as an alert or as a recovery. */
  function reports(type: EventType, outcome: EventOutcome): readonly { readonly rule: Rule; readonly kind: Kind }[] {
    return rules.flatMap((rule) => {
      const alerts = rule.role !== 'aside' && isFor(rule, { type, outcome })
      const recovers = rule.policy?.recovery && clears(rule, type, outcome)
      return [
        ...(alerts ? [{ rule, kind: 'alert' as const }] : []),
        ...(recovers ? [{ rule, kind: 'recovery' as const }] : []),
      ]
    })
  }

  return {
    groups: [...byName].map(([name, all]) => groupOf(name, all)).filter((group) => group.rules.length > 0),
    find: (name, destination) =>
      destination === undefined ? byName.get(name)?.[0] : byDestination.get(keyOf(name, destination)),
    needs(type, outcome) {
      const key = `${type} ${outcome}`
      const known = needsByKind.get(key)
      if (known) return known
      const needs = new Set(
        reports(type, outcome).flatMap(({ rule, kind }) => (kind === 'alert' ? rule.needs : recoveryNeeds(rule))),
      )
      needsByKind.set(key, needs)
      return needs
    },
    /** A rule counts once, however many messages it can make. */
    countReady(type, outcome, awaited) {
      const ready = reports(type, outcome).filter(({ rule, kind }) => isReady(rule, kind, awaited))
      return new Set(ready.map(({ rule }) => rule)).size
    },
    wants: (type, outcome) =>
      reports(type, outcome).length > 0 ||
      rules.some((rule) => rule.policy?.group === 'chain' && clears(rule, type, outcome)),
  }
}

function groupOf(name: string, all: readonly Rule[]): RuleGroup {
  const rules = all.filter(({ role }) => role !== 'aside')
  const [first] = rules
  return {
    name,
    rules,
    stop: rules.some(({ stop }) => stop),
    recovery: all.some(({ policy }) => policy?.recovery),
    conditionNeeds: first?.filter ? (first.filter.needs ?? first.needs) : [],
  }
}

const keyOf = (name: string, destination: string): string => `${name}\u0000${destination}`
