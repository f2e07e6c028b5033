/** `Butler.restServerEndpointsEnable`: which endpoints exist. */
import type { ApiRoute } from './endpoint/route.ts'

export interface EndpointSwitches {
  readonly [name: string]: boolean | EndpointSwitches
}

/** True when the switch of the route is on, or when it has none. */
export function isEnabled(route: Pick<ApiRoute, 'endpoint'>, switches: EndpointSwitches): boolean {
  if (route.endpoint === null) return true
  let value: boolean | EndpointSwitches | undefined = switches
  for (const part of route.endpoint.split('.')) value = typeof value === 'object' ? value[part] : undefined
  return value === true
}

/** Names of the switches that are on, groups flattened, in order. */
export function enabledNames(switches: EndpointSwitches): string[] {
  return Object.entries(switches).flatMap(([name, value]) => {
    if (typeof value === 'object' && value !== null) return enabledNames(value)
    return value === true ? [name] : []
  })
}
