/**
 * Rules of the configuration. Each entry of `Butler.footman.alertRoutes` becomes one rule for each of its destinations, with
 * the same conditions and limits; `Butler.footman.butlerRoutes` changes the rules made from the sections of Butler.
 */

import { EVENT_TYPES } from '../../events/kinds.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { AlertRouteConfig, ButlerRoutesConfig } from '../config-routes.ts'
import { isNotifying, keepsIncidents } from '../destinations/index.ts'
import type { MessageTexts, PlannedDelivery, Rule, RulePolicy, TargetedDestination } from '../types.ts'
import type { FieldContext } from './fields.ts'
import { type CompiledFilter, compileFilter } from './match.ts'
import { limitedSubjectOf } from './subjects.ts'

/** The part of an entry of `alertRoutes` that is used. */
export type UserRule = Pick<AlertRouteConfig, 'name' | 'to' | 'limit' | 'limitPer'> & Partial<AlertRouteConfig>

interface RuleContext extends FieldContext {
  /** The destination with this rule's settings; undefined when it is switched off. */
  readonly destination: (rule: string, name: string) => TargetedDestination | undefined
}

/** Empty when the entry is switched off or none of its destinations can be used. */
export function compileRule(config: UserRule, context: RuleContext): Rule[] {
  if (config.enable === false) return []
  const filter = compileFilter(config, context)
  const { name, to, fallback = [] } = config
  const named = to.map(({ destination }) => context.destination(name, destination))
  const alerts = named.flatMap((one) => (one ? [alertRoute(config, filter, one)] : []))
  if (alerts.length === 0) return []
  const aside = fallback
    .filter((destination) => !alerts.some((rule) => rule.destination === destination))
    .flatMap((destination) => {
      const one = context.destination('', destination)
      return one ? [asideRule(name, one, policyOf(config, one.type), filter.when.types)] : []
    })
  return [...alerts, ...aside]
}

function alertRoute(config: UserRule, filter: CompiledFilter, destination: TargetedDestination): Rule {
  const { name, severity, stop } = config
  const texts = textsOf(config)
  return {
    name,
    destination: destination.name,
    destinationType: destination.type,
    origin: 'footman',
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

/** A destination that messages besides alerts go to under this name: fallbacks, summaries, replays. */
export function asideRule(
  name: string,
  destination: TargetedDestination,
  policy?: RulePolicy,
  types: Rule['when']['types'] = EVENT_TYPES,
): Rule {
  return {
    name,
    destination: destination.name,
    destinationType: destination.type,
    origin: 'footman',
    role: 'aside',
    when: { types, outcomes: [] },
    phase: 'enriched',
    needs: destination.needs,
    plan: destination.targets,
    ...(policy && { policy }),
  }
}

function policyOf(config: UserRule, type: string): RulePolicy {
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

function textsOf({ title, body, template }: UserRule): MessageTexts | null {
  const texts = { ...(title && { title }), ...(body && { body }), ...(template && { template }) }
  return Object.keys(texts).length > 0 ? texts : null
}

function limited(
  planned: PlannedDelivery,
  event: TaskEvent,
  { name, limit, limitPer }: UserRule,
  destination: TargetedDestination,
): PlannedDelivery {
  if (!limit || planned.suppress) return planned
  const what = {
    subject: limitedSubjectOf(event),
    app: event.appId ? `app:${event.appId.toLowerCase()}` : limitedSubjectOf(event),
    route: '*',
  }
  const person = destination.type === 'email' ? [planned.target.toLowerCase()] : []
  const key = [name, destination.name, what[limitPer], ...person].join('|')
  return { ...planned, limit: { key, windowMs: limit.windowMs, count: limit.count } }
}

/**
 * The rules of Butler's sections with `butlerRoutes`: without those that are switched off. A destination that records gets
 * no recoveries, as it gets every event.
 */
export function adjustButlerRules(
  rules: readonly Rule[],
  config: ButlerRoutesConfig,
  destination: (name: string) => TargetedDestination | undefined,
): Rule[] {
  const { recovery, fallback, fallbackAfter, group, groupWindow } = config
  const off = new Set(config.disable.map((name) => name.toLowerCase()))
  const used = rules.filter(({ name }) => !off.has(name.toLowerCase()))
  if (!recovery && fallback.length === 0 && group === 'none') return used
  const common = { fallback, fallbackAfterMs: fallbackAfter, group, groupWindowMs: groupWindow }
  return used.flatMap((rule) => {
    const type = rule.destinationType ?? rule.destination
    if (!isNotifying(type)) return [rule]
    const aside = fallback.flatMap((name) => {
      const named = destination(name)
      return named ? [asideRule(rule.name, named, { ...common, recovery }, rule.when.types)] : []
    })
    return [{ ...rule, policy: { ...common, recovery } }, ...aside]
  })
}
