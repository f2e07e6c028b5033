/** Replays of past events, and tests: the rules and messages that they select. */
import { NOTHING_AWAITED } from '../../events/event-router.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { DeliveryKind, PlannedDelivery, Rule } from '../types.ts'
import { evaluate, type RuleAsker } from './evaluate.ts'
import { isFor, type RuleGroup, type RuleTable } from './table.ts'

/** Selects rules and destinations; both empty = every rule is evaluated again. */
export interface ReplaySelection {
  /** Names of rules. Their conditions are not asked; a rule made from a section of Butler keeps to its kind of event. */
  readonly routes: readonly string[]
  /** Names of destinations, reached without rule or gate. */
  readonly to: readonly string[]
}

export interface ReplaySettings extends ReplaySelection {
  readonly kind: DeliveryKind
  /** No suppression and no limit. */
  readonly ignoreGates: boolean
}

export interface Candidate {
  readonly rule: Rule
  readonly planned: PlannedDelivery
}

/** Rule of what is sent to a destination directly. */
export const DIRECT = ''

export interface CandidatesDeps {
  readonly table: RuleTable
  readonly asker: RuleAsker
}

/** The messages of a replay or a test, in order. */
export function candidatesOf(
  { table, asker }: CandidatesDeps,
  event: TaskEvent,
  selection: ReplaySelection,
): Candidate[] {
  const isEveryRule = selection.routes.length === 0 && selection.to.length === 0
  const evaluated = () =>
    evaluate(table.groups, event, { awaited: NOTHING_AWAITED }, (group) => asker.matches(group, event)).matched
  const rules = [
    ...(isEveryRule ? evaluated().flatMap((group) => group.rules) : []),
    ...table.groups.filter(({ name }) => selection.routes.includes(name)).flatMap((group) => suited(group, event)),
    ...[...new Set(selection.to)].flatMap((name) => table.find(DIRECT, name) ?? []),
  ]
  return rules.flatMap((rule) => asker.plan(rule, event).map((planned) => ({ rule, planned: tested(planned, event) })))
}

function suited({ rules }: RuleGroup, event: TaskEvent): readonly Rule[] {
  return rules.filter((rule) => rule.origin === 'footman' || isFor(rule, event))
}

/** A test passes the gates of tasks and apps. It does not reach a recipient that has no address. */
function tested(planned: PlannedDelivery, { test }: TaskEvent): PlannedDelivery {
  const { suppress, ...free } = planned
  const isGate = suppress && ['CUSTOM_PROPERTY', 'TAG', 'APP_NOT_INCLUDED'].includes(suppress.reason)
  return test && isGate && !planned.target.startsWith('(') ? free : planned
}

/** The newest delivery that a new one repeats; null when there is none. */
export function earlierDelivery(
  db: Database,
  event: TaskEvent,
  { rule, planned }: Candidate,
  kind: DeliveryKind,
): string | null {
  const row = db.get<{ id: string }>(
    `SELECT id FROM delivery WHERE event_id = ? AND route = ? AND destination = ? AND target = ? AND kind = ?
     ORDER BY seq DESC LIMIT 1`,
    event.id,
    rule.name,
    rule.destination,
    planned.target,
    kind,
  )
  return row?.id ?? null
}
