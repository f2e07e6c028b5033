/** The rules of the configuration: those of Butler's sections, those of `alertRoutes`, and those for messages besides alerts. */

import { overriddenDestination } from '../alerts/config-destinations.ts'
import { isNotifying } from '../alerts/destinations/index.ts'
import type { DestinationRegistry, Override } from '../alerts/destinations/registry.ts'
import { summaryRule } from '../alerts/maintenance.ts'
import { adjustButlerRules, asideRule, compileRule, type UserRule } from '../alerts/rules/compile.ts'
import type { ListedRule } from '../alerts/rules/explain.ts'
import type { NamedDestination, Rule } from '../alerts/types.ts'
import { butlerRouteNames, whyOff } from '../config/butler-route-names.ts'
import type { Need } from '../events/types.ts'
import type { Windows } from '../platform/calendar.ts'
import type { Config } from './schema.ts'

const HOUR_MS = 3_600_000
/** Name of the rule of Footman's alerts about itself. */
const SELF_RULE = 'footman.self'

/** `{destination: name, <setting>: value}` of every rule, with whole settings. */
export function overridesOf({ footman }: Config): Override[] {
  return footman.alertRoutes.flatMap(({ name: route, to }) =>
    to.flatMap(({ destination, ...changes }) => {
      const base = footman.destinations[destination]
      if (!base || Object.keys(changes).length === 0) return []
      return [{ route, destination, settings: overriddenDestination(base, changes).settings }]
    }),
  )
}

/** In order of evaluation. `needs`: the parts that maintenance asks about, for rules that notify. */
export function compileRules(
  butler: readonly Rule[],
  registry: Pick<DestinationRegistry, 'named'>,
  windows: Pick<Windows, 'contains'>,
  { footman }: Config,
  needs: readonly Need[],
): Rule[] {
  const named = (name: string) => registry.named('', name)
  const user = [...footman.alertRoutes, ...selfRule(footman.selfAlerts)].flatMap((config) =>
    compileRule(config, { windows, destination: registry.named }),
  )
  const summaries = footman.maintenance.flatMap(({ name, summaryTo }) => asides(summaryRule(name), summaryTo, named))
  const direct = asides('', Object.keys(footman.destinations), named)
  const rules = [...adjustButlerRules(butler, footman.butlerRoutes, named), ...user, ...summaries, ...direct]
  return needs.length === 0 ? rules : rules.map((rule) => withNeeds(rule, needs))
}

function asides(rule: string, names: readonly string[], named: (name: string) => NamedDestination | undefined): Rule[] {
  return names.flatMap((name) => {
    const destination = named(name)
    return destination ? [asideRule(rule, destination)] : []
  })
}

function withNeeds(rule: Rule, needs: readonly Need[]): Rule {
  const isHeld = rule.role !== 'aside' && isNotifying(rule.destinationType ?? rule.destination)
  return isHeld ? { ...rule, needs: [...new Set([...rule.needs, ...needs])] } : rule
}

/** Alerts about Footman itself, once an hour and code, and when they end. */
function selfRule({ enable, to }: Config['footman']['selfAlerts']): UserRule[] {
  if (!enable || to.length === 0) return []
  return [
    {
      name: SELF_RULE,
      match: [{ type: ['self'] }],
      to: to.map((destination) => ({ destination })),
      limit: { count: 1, windowMs: HOUR_MS },
      limitPer: 'subject',
      recovery: true,
    },
  ]
}

/** Every rule that is there or could be, in order of evaluation. */
export function listRules(butler: readonly Rule[], config: Config): ListedRule[] {
  const { alertRoutes, butlerRoutes, selfAlerts } = config.footman
  const disabled = butlerRoutes.disable.map((name) => name.toLowerCase())
  const made: ListedRule[] = butler.map(({ name, destination }) => {
    const isDisabled = disabled.includes(name.toLowerCase())
    const off = isDisabled ? 'it is in Butler.footman.butlerRoutes.disable' : null
    return { name, origin: 'butler', enable: !isDisabled, to: [destination], off }
  })
  const others: ListedRule[] = butlerRouteNames(config)
    .filter(({ name }) => !butler.some((route) => route.name === name))
    .map((route) => ({
      ...{ name: route.name, origin: 'butler', enable: false, to: [route.to], off: whyOff(route, config) },
    }))
  const user = [...alertRoutes, ...selfRule(selfAlerts)].map(({ name, enable = true, to }): ListedRule => {
    const off = enable ? null : 'enable is false'
    return { name, origin: 'footman', enable, to: to.map(({ destination }) => destination), off }
  })
  return [...made, ...others, ...user]
}
