/** The rules that an event matches, as far as it is known, in their order and until one of them stops the evaluation. */
import type { Awaited } from '../../events/event-router.ts'
import type { TaskEvent } from '../../events/types.ts'
import { isStorageFailure } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import type { PlannedDelivery, Rule } from '../types.ts'
import { isFor, isKnown, type RuleGroup } from './table.ts'

export interface Evaluation {
  /** With the rules of each that are about such events. */
  readonly matched: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
  /** The rule after which no other was evaluated. */
  readonly stoppedBy: string | null
  /** The conditions of a rule ask about a part that is not known yet. */
  readonly isOpen: boolean
}

export interface EvaluationSettings {
  readonly awaited: Awaited
  /** Only these rules; absent = all. */
  readonly phase?: Rule['phase']
}

export function evaluate(
  groups: readonly RuleGroup[],
  event: TaskEvent,
  { awaited, phase }: EvaluationSettings,
  matches: (group: RuleGroup) => boolean,
): Evaluation {
  const matched: { name: string; rules: readonly Rule[] }[] = []
  let isOpen = false
  for (const group of groups) {
    const rules = group.rules.filter((rule) => (phase === undefined || rule.phase === phase) && isFor(rule, event))
    if (rules.length === 0) continue
    if (!isKnown(group.conditionNeeds, awaited)) {
      isOpen = true
      // It is not known whether the rules after it are evaluated at all.
      if (group.stop) break
    } else if (matches(group)) {
      matched.push({ name: group.name, rules })
      if (group.stop) return { matched, stoppedBy: group.name, isOpen }
    }
  }
  return { matched, stoppedBy: null, isOpen }
}

/** Questions to rules that people have written. */
export interface RuleAsker {
  /** On error the rule matches: a spurious alert is better than a missed one. */
  matches(group: RuleGroup, event: TaskEvent): boolean
  plan(rule: Rule, event: TaskEvent): readonly PlannedDelivery[]
  /** A rule that fails over an odd event must not cost the messages of the others, nor hold up the event. */
  withFallback<T>(rule: string, event: TaskEvent, fallback: T, work: () => T): T
}

export function createRuleAsker(log: Pick<Logger, 'error'>): RuleAsker {
  function withFallback<T>(rule: string, event: TaskEvent, fallback: T, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (isStorageFailure(error)) throw error
      log.error(`NOTIFY Rule ${rule} failed for event ${event.id} of task "${event.taskName}": ${error}`)
      return fallback
    }
  }

  return {
    withFallback,
    matches: ({ name, rules: [first] }, event) =>
      withFallback(name, event, true, () => first?.filter?.matches(event, event.receivedAt) ?? true),
    plan: (rule, event) => withFallback(rule.name, event, [], () => rule.plan(event)),
  }
}
