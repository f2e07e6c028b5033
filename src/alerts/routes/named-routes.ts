/** The routes in the order of their evaluation, those of one name together. */
import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { Route } from '../types.ts'
import { clearedOutcomes } from './recovery.ts'

export interface NamedRoutes {
  readonly name: string
  /** One per destination. */
  readonly routes: readonly Route[]
  readonly stop: boolean
  /** Some destination wants to know when all is well again. */
  readonly recovery: boolean
}

export interface RouteTable {
  readonly inOrder: readonly NamedRoutes[]
  find(name: string, destination?: string): Route | undefined
  needs(type: EventType, outcome: EventOutcome): ReadonlySet<Need>
  /** Whether some route has to do with such events: alerts about them, or is told by them that all is well. */
  wants(type: EventType, outcome: EventOutcome): boolean
}

/** What a recovery shows; execution and script log of a success are not worth asking for. */
const RECOVERY_NEEDS: readonly Need[] = ['app', 'owner']

export function createRouteTable(routes: readonly Route[]): RouteTable {
  const byName = new Map<string, Route[]>()
  const byPlace = new Map<string, Route>()
  for (const route of routes) {
    const known = byName.get(route.name)
    if (known) known.push(route)
    else byName.set(route.name, [route])
    const place = placeOf(route.name, route.destination)
    if (!byPlace.has(place)) byPlace.set(place, route)
  }
  const needsOf = new Map<string, ReadonlySet<Need>>()
  return {
    inOrder: [...byName].map(([name, all]) => namedRoutes(name, all)).filter((named) => named.routes.length > 0),
    find: (name, destination) =>
      destination === undefined ? byName.get(name)?.[0] : byPlace.get(placeOf(name, destination)),
    needs(type, outcome) {
      const key = `${type} ${outcome}`
      const needs = needsOf.get(key) ?? new Set(routes.flatMap((route) => routeNeeds(route, type, outcome)))
      needsOf.set(key, needs)
      return needs
    },
    wants(type, outcome) {
      return routes.some(
        (route) =>
          (route.role !== 'aside' && isFor(route, { type, outcome })) ||
          (clears(route, type, outcome) && (route.policy?.recovery || route.policy?.group === 'chain')),
      )
    },
  }
}

function namedRoutes(name: string, all: readonly Route[]): NamedRoutes {
  const routes = all.filter(({ role }) => role !== 'aside')
  return {
    name,
    routes,
    stop: routes.some(({ stop }) => stop),
    recovery: all.some(({ policy }) => policy?.recovery),
  }
}

const placeOf = (name: string, destination: string): string => `${name}\u0000${destination}`

function routeNeeds(route: Route, type: EventType, outcome: EventOutcome): readonly Need[] {
  const alerts = route.role !== 'aside' && isFor(route, { type, outcome })
  const recovers = route.policy?.recovery && clears(route, type, outcome)
  return [...(alerts ? route.needs : []), ...(recovers ? recoveryNeeds(route) : [])]
}

export function recoveryNeeds({ needs }: Route): readonly Need[] {
  return RECOVERY_NEEDS.filter((need) => needs.includes(need))
}

/** The event may end something that the route has told. */
export function clears({ when }: Route, type: EventType, outcome: EventOutcome): boolean {
  return when.types.includes(type) && clearedOutcomes({ type, outcome, details: null }).length > 0
}

export function isFor({ when }: Route, { type, outcome }: Pick<TaskEvent, 'type' | 'outcome'>): boolean {
  return when.types.includes(type) && when.outcomes.includes(outcome)
}
