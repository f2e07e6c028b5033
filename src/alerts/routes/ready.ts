/** Which routes do without what is not known yet about an event, so that their messages need not wait for it. */
import type { EventOutcome, EventType, Need } from '../../events/types.ts'
import { isNotifying, keepsIncidents } from '../destinations/index.ts'
import type { Route } from '../types.ts'
import { typeOf } from './decide.ts'
import { clears, isFor, type NamedRoutes, recoveryNeeds } from './named-routes.ts'

export type Open = ReadonlySet<Need>

/** Whether the messages of the route can be made. */
export function isReady({ needs, policy }: Route, open: Open): boolean {
  // When the tasks downstream usually start is counted from the start of the execution.
  return isKnown(needs, open) && (policy?.group !== 'chain' || !open.has('execution'))
}

/** Whether its conditions can be asked: what comes after a route that ends the evaluation hangs on them. */
export function isDecidable({ routes: [first] }: NamedRoutes, open: Open): boolean {
  return !first?.filter || isKnown(first.filter.needs ?? first.needs, open)
}

/** The execution is open while it has to confirm the success. */
export function isRecoveryReady(route: Route, open: Open): boolean {
  return isKnown(recoveryNeeds(route), open) && !open.has('execution')
}

export const isKnown = (needs: readonly Need[], open: Open): boolean => !needs.some((need) => open.has(need))

/** How many routes have messages about such events, alerts or recoveries, that can be made. */
export function countReady(routes: readonly Route[], type: EventType, outcome: EventOutcome, open: Open): number {
  const isCounted = (route: Route) =>
    (route.role !== 'aside' && route.phase === 'enriched' && isFor(route, { type, outcome }) && isReady(route, open)) ||
    (route.policy?.recovery === true && clears(route, type, outcome) && isRecoveryReady(route, open))
  return routes.filter(isCounted).length
}

/** Closing an incident bothers nobody, nor does what records: neither is held back. */
export function recoversQuietly(route: Route): boolean {
  return keepsIncidents(typeOf(route)) || !isNotifying(typeOf(route))
}
