/** The custom properties of Qlik Sense that the settings count on. */

import {
  type CustomPropertyNeed,
  type CustomPropertyWatch,
  createCustomPropertyWatch,
} from '../monitors/custom-properties.ts'
import type { Logger } from '../platform/types.ts'
import type { CustomPropertyReader } from '../qlik/qrs/types.ts'
import { propertyUses } from './config/custom-properties.ts'
import type { Follow } from './reload.ts'
import type { Config } from './schema.ts'

export interface BuiltCustomProperties {
  /** Null without Qlik Sense. */
  readonly service: CustomPropertyWatch | null
  /** For `/health`, by feature. */
  readonly checks: () => Readonly<Record<string, 'up' | 'waiting'>>
  /** Asks for what another configuration needs from then on. */
  readonly prepare: Follow
}

export function buildCustomProperties(
  deps: { readonly qrs: CustomPropertyReader; readonly log: Logger },
  config: Config,
  qrsConnection: boolean,
): BuiltCustomProperties {
  if (!qrsConnection) return { service: null, checks: () => ({}), prepare: () => () => {} }
  const watch = createCustomPropertyWatch(deps, customPropertyNeeds(config))
  return {
    service: watch,
    checks: watch.states,
    prepare(next) {
      const needs = customPropertyNeeds(next)
      return () => watch.follow(needs)
    },
  }
}

/** Those without which a feature that is switched on does nothing. */
export function customPropertyNeeds(config: Config): CustomPropertyNeed[] {
  return [...propertyUses(config)].flatMap(
    ({ key, name: property, values = [], objects, gate }): CustomPropertyNeed[] => {
      if (!gate) return []
      const common = { feature: gate.feature, key: key.replace(/\.customPropertyName$/, ''), property }
      return gate.exact
        ? values.map((value) => ({ ...common, value, objectType: objects[0] ?? null }))
        : [{ ...common, value: null, objectType: null, meaningful: values }]
    },
  )
}
