/** The destinations by name, and by rule where a rule overrides settings. */
import type { DestinationConfig } from '../config-destinations.ts'
import type { Destination, TargetedDestination } from '../types.ts'

export interface Override {
  readonly route: string
  readonly destination: string
  /** The whole settings, with the changes of the rule. */
  readonly settings: DestinationConfig
}

export interface DestinationRegistry {
  /** With the settings of the rule; `''` = as in the configuration. Undefined when it is switched off or unknown. */
  named(route: string, name: string): TargetedDestination | undefined
  /** Those of Butler's sections included. */
  find(route: string, name: string): Destination | undefined
  /** By name, as they stand in the configuration, those of Butler's sections first. */
  readonly byName: ReadonlyMap<string, Destination>
  /** Every instance. */
  readonly all: readonly Destination[]
}

/** `create` makes a destination, with the settings of a rule where `route` is not ''; one that cannot be made is left out, after `create` has logged why. */
export function createDestinationRegistry(
  butler: readonly Destination[],
  destinations: Readonly<Record<string, DestinationConfig>>,
  overrides: readonly Override[],
  create: (name: string, settings: DestinationConfig, route: string) => TargetedDestination | null,
): DestinationRegistry {
  const make = (name: string, settings: DestinationConfig, route = ''): readonly TargetedDestination[] => {
    const made = settings.enable ? create(name, settings, route) : null
    return made ? [made] : []
  }
  const named = new Map(
    Object.entries(destinations).flatMap(([name, settings]) => make(name, settings).map((one) => [name, one] as const)),
  )
  const special = new Map(
    overrides.flatMap(({ route, destination, settings }) =>
      make(destination, settings, route).map((one) => [keyOf(route, destination), one] as const),
    ),
  )
  const overridden = new Set(overrides.map(({ route, destination }) => keyOf(route, destination)))
  const byName = new Map<string, Destination>([
    ...butler.map((destination) => [destination.name, destination] as const),
    ...named,
  ])
  const namedFor = (route: string, name: string) =>
    overridden.has(keyOf(route, name)) ? special.get(keyOf(route, name)) : named.get(name)
  return {
    named: namedFor,
    find: (route, name) => namedFor(route, name) ?? (overridden.has(keyOf(route, name)) ? undefined : byName.get(name)),
    byName,
    all: [...butler, ...named.values(), ...special.values()],
  }
}

const keyOf = (route: string, name: string): string => `${route}\u0000${name}`
