/** An event once more: replays of past events, and tests. */
import type { TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { DeliveryKind, PlannedDelivery, Route, SuppressReason } from '../types.ts'
import { isFor, type RuleGroup, type RuleTable } from './table.ts'

/** Which routes and destinations; both empty = every route is evaluated again. */
export interface Again {
  /** Names of routes. Their conditions are not asked; one made of a section of Butler keeps to its kind of event. */
  readonly routes: readonly string[]
  /** Names of destinations, reached without route or gate. */
  readonly to: readonly string[]
}

export interface AgainSettings extends Again {
  readonly kind: DeliveryKind
  /** No hold and no limit. */
  readonly ignoreGates: boolean
}

export interface Candidate {
  readonly route: Route
  readonly planned: PlannedDelivery
}

export interface MadeDelivery {
  readonly id: string
  /** Null when it goes to a destination directly. */
  readonly route: string | null
  readonly destination: string
  readonly target: string
  readonly state: 'pending' | 'suppressed'
  readonly reason: SuppressReason | null
}

/** Route of what is sent to a destination directly. */
export const DIRECT = ''

export interface CandidatesDeps {
  readonly table: RuleTable
  readonly matches: (group: RuleGroup, event: TaskEvent) => boolean
  readonly plan: (route: Route, event: TaskEvent) => readonly PlannedDelivery[]
}

/** What would be sent, in order. */
export function candidatesOf({ table, matches, plan }: CandidatesDeps, event: TaskEvent, wish: Again): Candidate[] {
  const routes = [
    ...(wish.routes.length === 0 && wish.to.length === 0 ? evaluated(table, matches, event) : []),
    ...table.groups.filter(({ name }) => wish.routes.includes(name)).flatMap((group) => suited(group, event)),
    ...[...new Set(wish.to)].flatMap((name) => table.find(DIRECT, name) ?? []),
  ]
  return routes.flatMap((route) => plan(route, event).map((planned) => ({ route, planned: tested(planned, event) })))
}

function evaluated(table: RuleTable, matches: CandidatesDeps['matches'], event: TaskEvent): readonly Route[] {
  const found: Route[] = []
  for (const group of table.groups) {
    const rules = group.rules.filter((rule) => isFor(rule, event))
    if (rules.length === 0 || !matches(group, event)) continue
    found.push(...rules)
    if (group.stop) break
  }
  return found
}

function suited({ rules }: RuleGroup, event: TaskEvent): readonly Route[] {
  return rules.filter((rule) => rule.origin === 'footman' || isFor(rule, event))
}

/** A test passes the gates of tasks and apps, but cannot reach somebody who cannot be reached. */
function tested(planned: PlannedDelivery, { test }: TaskEvent): PlannedDelivery {
  const { suppress, ...free } = planned
  const isGate = suppress && ['CUSTOM_PROPERTY', 'TAG', 'APP_NOT_INCLUDED'].includes(suppress.reason)
  return test && isGate && !planned.target.startsWith('(') ? free : planned
}

/** The newest delivery that a new one repeats; null when there is none. */
export function earlierDelivery(
  db: Database,
  event: TaskEvent,
  { route, planned }: Candidate,
  kind: DeliveryKind,
): string | null {
  const row = db.get<{ id: string }>(
    `SELECT id FROM delivery WHERE event_id = ? AND route = ? AND destination = ? AND target = ? AND kind = ?
     ORDER BY seq DESC LIMIT 1`,
    ...[event.id, route.name, route.destination, planned.target, kind],
  )
  return row?.id ?? null
}
