/** What `Butler.footman.butlerRoutes` adds to the routes made of the sections of Butler. */
import type { ButlerRoutesConfig } from '../config-routes.ts'
import { isNotifying } from '../destinations/index.ts'
import type { NamedDestination, Route } from '../types.ts'
import { asideRoute } from './user-routes.ts'

/** Without those that are switched off. Recording destinations are not told about recoveries: they get every event. */
export function adjustButlerRoutes(
  routes: readonly Route[],
  config: ButlerRoutesConfig,
  destination: (name: string) => NamedDestination | undefined,
): Route[] {
  const { recovery, fallback, fallbackAfter, group, groupWindow } = config
  const off = new Set(config.disable.map((name) => name.toLowerCase()))
  const used = routes.filter(({ name }) => !off.has(name.toLowerCase()))
  if (!recovery && fallback.length === 0 && group === 'none') return used
  const common = { fallback, fallbackAfterMs: fallbackAfter, group, groupWindowMs: groupWindow }
  return used.flatMap((route) => {
    const type = route.destinationType ?? route.destination
    if (!isNotifying(type)) return [route]
    const aside = fallback.flatMap((name) => {
      const named = destination(name)
      return named ? [asideRoute(route.name, named, { ...common, recovery }, route.when.types)] : []
    })
    return [{ ...route, policy: { ...common, recovery } }, ...aside]
  })
}
