/** The routes of the configuration: those of Butler's sections, the user's, and what is sent besides alerts. */

import { overriddenDestination } from '../alerts/config-destinations.ts'
import { isNotifying } from '../alerts/destinations/index.ts'
import type { DestinationRegistry, Override } from '../alerts/destinations/registry.ts'
import { summaryRoute } from '../alerts/maintenance.ts'
import { adjustButlerRoutes } from '../alerts/routes/butler-routes.ts'
import type { ListedRoute } from '../alerts/routes/explain.ts'
import { asideRoute, compileUserRoute, type UserRoute } from '../alerts/routes/user-routes.ts'
import type { NamedDestination, Route } from '../alerts/types.ts'
import { butlerRouteNames, whyOff } from '../config/butler-route-names.ts'
import type { Need } from '../events/types.ts'
import type { Windows } from '../platform/calendar/types.ts'
import type { Config } from './schema.ts'

const HOUR_MS = 3_600_000
/** Name of the route of Footman's alerts about itself. */
const SELF_ROUTE = 'footman.self'

/** `{destination: name, <setting>: value}` of every route, with whole settings. */
export function overridesOf({ footman }: Config): Override[] {
  return footman.alertRoutes.flatMap(({ name: route, to }) =>
    to.flatMap(({ destination, ...changes }) => {
      const base = footman.destinations[destination]
      if (!base || Object.keys(changes).length === 0) return []
      return [{ route, destination, settings: overriddenDestination(base, changes).settings }]
    }),
  )
}

/** In order of evaluation. `needs`: what holds have to know about events that would bother somebody. */
export function compileRoutes(
  butler: readonly Route[],
  registry: Pick<DestinationRegistry, 'named'>,
  windows: Pick<Windows, 'contains'>,
  { footman }: Config,
  needs: readonly Need[],
): Route[] {
  const named = (name: string) => registry.named('', name)
  const user = [...footman.alertRoutes, ...selfRoute(footman.selfAlerts)].flatMap((config) =>
    compileUserRoute(config, { windows, destination: registry.named }),
  )
  const summaries = footman.maintenance.flatMap(({ name, summaryTo }) => asides(summaryRoute(name), summaryTo, named))
  const direct = asides('', Object.keys(footman.destinations), named)
  const routes = [...adjustButlerRoutes(butler, footman.butlerRoutes, named), ...user, ...summaries, ...direct]
  return needs.length === 0 ? routes : routes.map((route) => withNeeds(route, needs))
}

function asides(
  route: string,
  names: readonly string[],
  named: (name: string) => NamedDestination | undefined,
): Route[] {
  return names.flatMap((name) => {
    const destination = named(name)
    return destination ? [asideRoute(route, destination)] : []
  })
}

function withNeeds(route: Route, needs: readonly Need[]): Route {
  const isHeld = route.role !== 'aside' && isNotifying(route.destinationType ?? route.destination)
  return isHeld ? { ...route, needs: [...new Set([...route.needs, ...needs])] } : route
}

/** Alerts about Footman itself, once an hour and code, and when they end. */
function selfRoute({ enable, to }: Config['footman']['selfAlerts']): UserRoute[] {
  if (!enable || to.length === 0) return []
  return [
    {
      name: SELF_ROUTE,
      match: [{ type: ['self'] }],
      to: to.map((destination) => ({ destination })),
      limit: { count: 1, windowMs: HOUR_MS },
      limitPer: 'subject',
      recovery: true,
    },
  ]
}

/** Every route that is there or could be, in order of evaluation. */
export function listRoutes(butler: readonly Route[], config: Config): ListedRoute[] {
  const { alertRoutes, butlerRoutes, selfAlerts } = config.footman
  const disabled = butlerRoutes.disable.map((name) => name.toLowerCase())
  const made: ListedRoute[] = butler.map(({ name, destination }) => {
    const isDisabled = disabled.includes(name.toLowerCase())
    const off = isDisabled ? 'it is in Butler.footman.butlerRoutes.disable' : null
    return { name, origin: 'butler', enable: !isDisabled, to: [destination], off }
  })
  const others: ListedRoute[] = butlerRouteNames(config)
    .filter(({ name }) => !butler.some((route) => route.name === name))
    .map((route) => ({
      ...{ name: route.name, origin: 'butler', enable: false, to: [route.to], off: whyOff(route, config) },
    }))
  const user = [...alertRoutes, ...selfRoute(selfAlerts)].map(({ name, enable = true, to }): ListedRoute => {
    const off = enable ? null : 'enable is false'
    return { name, origin: 'footman', enable, to: to.map(({ destination }) => destination), off }
  })
  return [...made, ...others, ...user]
}
