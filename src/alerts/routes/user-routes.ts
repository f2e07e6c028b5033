/** `Butler.footman.alertRoutes` as routes: one per destination of each, those of one name sharing filter and limits. */

import { EVENT_TYPES } from '../../events/kinds.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { AlertRouteConfig } from '../config-routes.ts'
import { keepsIncidents } from '../destinations/index.ts'
import type { MessageTexts, NamedDestination, PlannedDelivery, Route, RoutePolicy } from '../types.ts'
import { type CompiledFilter, compileFilter } from './filter.ts'
import type { FieldContext } from './match.ts'
import { subjectOf } from './subjects.ts'

/** What is used of a route's configuration. */
export type UserRoute = Pick<AlertRouteConfig, 'name' | 'to' | 'limit' | 'limitPer'> & Partial<AlertRouteConfig>

export interface UserRouteContext extends FieldContext {
  /** The destination as this route wants it; undefined when it is switched off. */
  readonly destination: (route: string, name: string) => NamedDestination | undefined
}

/** Empty for a route that is switched off or reaches nobody. */
export function compileUserRoute(config: UserRoute, context: UserRouteContext): Route[] {
  if (config.enable === false) return []
  const filter = compileFilter(config, context)
  const { name, to, fallback = [] } = config
  const named = to.map(({ destination }) => context.destination(name, destination))
  const alerts = named.flatMap((one) => (one ? [alertRoute(config, filter, one)] : []))
  if (alerts.length === 0) return []
  const aside = fallback
    .filter((destination) => !alerts.some((route) => route.destination === destination))
    .flatMap((destination) => {
      const one = context.destination('', destination)
      return one ? [asideRoute(name, one, policyOf(config, one.type), filter.when.types)] : []
    })
  return [...alerts, ...aside]
}

function alertRoute(config: UserRoute, filter: CompiledFilter, destination: NamedDestination): Route {
  const { name, severity, stop } = config
  const texts = textsOf(config)
  return {
    ...{ name, destination: destination.name, destinationType: destination.type, origin: 'footman' },
    when: filter.when,
    filter,
    phase: 'enriched',
    needs: [...new Set([...filter.needs, ...(destination.needsFor?.(texts) ?? destination.needs)])],
    plan: (event) => destination.targets(event).map((planned) => limited(planned, event, config, destination)),
    policy: policyOf(config, destination.type),
    ...(texts && { texts }),
    ...(severity && { severity }),
    ...(stop && { stop }),
  }
}

/** A place that this route name may send to besides its alerts. */
export function asideRoute(
  name: string,
  destination: NamedDestination,
  policy?: RoutePolicy,
  types: Route['when']['types'] = EVENT_TYPES,
): Route {
  return {
    ...{ name, destination: destination.name, destinationType: destination.type, origin: 'footman', role: 'aside' },
    when: { types, outcomes: [] },
    phase: 'enriched',
    needs: destination.needs,
    plan: destination.targets,
    ...(policy && { policy }),
  }
}

function policyOf(config: UserRoute, type: string): RoutePolicy {
  const { recovery = 'auto', fallback = [], fallbackAfter = 300_000, group = 'none', groupWindow = 3_600_000 } = config
  const closes = keepsIncidents(type)
  return {
    recovery: recovery === 'auto' ? closes : recovery,
    fallback,
    fallbackAfterMs: fallbackAfter,
    group,
    groupWindowMs: groupWindow,
  }
}

function textsOf({ title, body, template }: UserRoute): MessageTexts | null {
  const texts = { ...(title && { title }), ...(body && { body }), ...(template && { template }) }
  return Object.keys(texts).length > 0 ? texts : null
}

function limited(
  planned: PlannedDelivery,
  event: TaskEvent,
  { name, limit, limitPer }: UserRoute,
  destination: NamedDestination,
): PlannedDelivery {
  if (!limit || planned.suppress) return planned
  const what = {
    subject: subjectOf(event),
    app: event.appId ? `app:${event.appId.toLowerCase()}` : subjectOf(event),
    route: '*',
  }
  const person = destination.type === 'email' ? [planned.target.toLowerCase()] : []
  const key = [name, destination.name, what[limitPer], ...person].join('|')
  return { ...planned, limit: { key, windowMs: limit.windowMs, count: limit.count } }
}
