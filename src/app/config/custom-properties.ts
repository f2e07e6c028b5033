/** The custom properties of Qlik Sense that a configuration relies on, with the values that they must offer. */
import type { CustomPropertyNeed } from '../../monitors/custom-properties.ts'
import type { Config } from '../schema.ts'

/** Kinds of objects that a custom property can be given to, in the words of QRS. */
export type PropertyObject = 'App' | 'ExternalProgramTask' | 'ReloadTask' | 'User' | 'UserSyncTask'

export interface WantedProperty {
  readonly name: string
  /** Must be among the choice values; sorted. */
  readonly values: readonly string[]
  /** May use the property; sorted. Distribution and preload tasks are reload tasks to QRS. */
  readonly objects: readonly PropertyObject[]
  /** At least one kind of each group must be able to have the property, or a setting can never have an effect. */
  readonly groups: readonly (readonly PropertyObject[])[]
  /** False: the feature works without it too. */
  readonly required: boolean
  /** Keys below `Butler` that name it, in the order of the configuration. */
  readonly keys: readonly string[]
  /** Description of the values, when the configuration does not list them. */
  readonly hint?: string
}

/** One setting that names a property. */
export interface PropertyUse extends Omit<WantedProperty, 'groups' | 'keys' | 'values' | 'required'> {
  readonly key: string
  readonly values?: readonly string[]
  readonly required?: boolean
  /** The feature that does nothing as long as Qlik Sense lacks the property. */
  readonly gate?: PropertyGate
}

export interface PropertyGate {
  /** Name of the feature in `/health`. */
  readonly feature: string
  /** True: each value must exist. False: one of them suffices, on a property of any object type. */
  readonly exact: boolean
}

/** Task events with mails, as sections of `emailNotification`. */
export const MAILS = [
  'reloadTaskSuccess',
  'reloadTaskAborted',
  'reloadTaskFailure',
  'distributeTaskSuccess',
  'distributeTaskFailure',
  'preloadTaskSuccess',
  'preloadTaskFailure',
] as const
const RELOADS = ['reloadTaskFailure', 'reloadTaskAborted'] as const

const GATES = {
  mail: { feature: 'emailByCustomProperty', exact: true },
  influx: { feature: 'influxDbByCustomProperty', exact: true },
  newRelic: { feature: 'newRelicByCustomProperty', exact: false },
} as const satisfies Record<string, PropertyGate>

const RELOAD: readonly PropertyObject[] = ['ReloadTask']
const APP: readonly PropertyObject[] = ['App']
const USER: readonly PropertyObject[] = ['User']
const TASKS: readonly PropertyObject[] = ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask']
const ADDRESSES = 'e-mail addresses'

/** In the order of their first use. A property that several settings name is one, with all their values and objects. */
export function wantedProperties(config: Config): WantedProperty[] {
  const byName = new Map<string, WantedProperty>()
  for (const { key, values = [], required = true, gate: _, ...use } of propertyUses(config)) {
    if (use.name === '') continue
    const before = byName.get(use.name)
    byName.set(use.name, {
      ...use,
      ...(before?.hint && { hint: before.hint }),
      values: union(before?.values, values),
      objects: union(before?.objects, use.objects),
      groups: [...new Set([...(before?.groups ?? []), use.objects])],
      required: required || before?.required === true,
      keys: [...(before?.keys ?? []), key],
    })
  }
  return [...byName.values()]
}

const union = <T extends string>(some: readonly T[] = [], more: readonly T[]): T[] =>
  [...new Set([...some, ...more])].sort()

/** Every setting that names a property, of features that are switched on; in the order of the configuration. */
function* propertyUses(config: Config): Generator<PropertyUse> {
  yield* mails(config)
  yield* influx(config)
  yield* newRelic(config)
  yield* licences(config)
  const { startTaskFilter, footman } = config
  if (startTaskFilter.enable) yield* selected('startTaskFilter.allowTask', startTaskFilter.allowTask.customProperty)
  yield* access(config)
  yield* destinations(config)
  yield* routes(config)
  for (const [index, { match }] of footman.taskPolicies.entries()) {
    yield* matched(`footman.taskPolicies[${index}].match`, match ?? [])
  }
  const policies = [
    ['retryPolicy', footman.retryPolicy, 'retry policies like 3x/5m'],
    ['watchdog', footman.watchdog, 'limits like late=30m; stuck=2h'],
  ] as const
  for (const [section, { enable, customPropertyName: name }, hint] of policies) {
    if (!enable) continue
    yield { key: `footman.${section}.customPropertyName`, name, objects: TASKS, required: false, hint }
  }
}

function* mails({ emailNotification }: Config): Generator<PropertyUse> {
  if (!emailNotification.enable) return
  for (const event of MAILS) {
    const { enable, alertEnableByCustomProperty: gate, alertEnabledByEmailAddress: more } = emailNotification[event]
    const key = `emailNotification.${event}`
    if (!enable) continue
    if (gate.enable) {
      const { customPropertyName: name, enabledValue } = gate
      const path = `${key}.alertEnableByCustomProperty.customPropertyName`
      yield { key: path, name, values: [enabledValue], objects: RELOAD, gate: GATES.mail }
    }
    const path = `${key}.alertEnabledByEmailAddress.customPropertyName`
    yield { key: path, name: more.customPropertyName, objects: RELOAD, required: false, hint: ADDRESSES }
  }
}

function* influx({ influxDb }: Config): Generator<PropertyUse> {
  const { enable, allReloadTasks, byCustomProperty } = influxDb.reloadTaskSuccess
  // `allReloadTasks` needs no property.
  if (!influxDb.enable || !enable || allReloadTasks.enable || !byCustomProperty.enable) return
  const { customPropertyName: name, enabledValue } = byCustomProperty
  const key = 'influxDb.reloadTaskSuccess.byCustomProperty.customPropertyName'
  yield { key, name, values: [enabledValue], objects: RELOAD, gate: GATES.influx }
}

function* newRelic({ incidentTool, thirdPartyToolsCredentials }: Config): Generator<PropertyUse> {
  if (!incidentTool.newRelic.enable) return
  const values = thirdPartyToolsCredentials.newRelic.map(({ accountName }) => accountName)
  for (const event of RELOADS) {
    const { destination } = incidentTool.newRelic[event]
    for (const kind of ['event', 'log'] as const) {
      const { enable, sendToAccount } = destination[kind]
      if (!enable || !sendToAccount.byCustomProperty.enable) continue
      const key = `incidentTool.newRelic.${event}.destination.${kind}.sendToAccount.byCustomProperty.customPropertyName`
      const name = sendToAccount.byCustomProperty.customPropertyName
      yield { key, name, values, objects: RELOAD, gate: GATES.newRelic }
    }
  }
}

function* licences({ qlikSenseLicense }: Config): Generator<PropertyUse> {
  const { enable, neverRelease } = qlikSenseLicense.licenseRelease
  if (!enable) return
  for (const [index, { name, value }] of neverRelease.customProperty.entries()) {
    const key = `qlikSenseLicense.licenseRelease.neverRelease.customProperty[${index}]`
    yield { key, name, values: [value], objects: USER }
  }
}

function* selected(
  path: string,
  pairs: readonly { readonly name: string; readonly value: string }[],
): Generator<PropertyUse> {
  for (const [index, { name, value }] of pairs.entries()) {
    yield { key: `${path}.customProperty[${index}]`, name, values: [value], objects: TASKS }
  }
}

function* access({ footman: { access } }: Config): Generator<PropertyUse> {
  if (!access.enable) return
  for (const [index, { startFilter }] of access.keys.entries()) {
    yield* selected(`footman.access.keys[${index}].startFilter`, startFilter?.customProperty ?? [])
  }
  for (const [claim, { startFilter }] of Object.entries(access.jwt?.grants ?? {})) {
    yield* selected(`footman.access.jwt.grants.${claim}.startFilter`, startFilter?.customProperty ?? [])
  }
  for (const [index, { startFilter }] of (access.clientCertificates?.grants ?? []).entries()) {
    yield* selected(`footman.access.clientCertificates.grants[${index}].startFilter`, startFilter?.customProperty ?? [])
  }
}

function* destinations({ footman }: Config): Generator<PropertyUse> {
  for (const [destination, settings] of Object.entries(footman.destinations)) {
    if (settings.type !== 'email') continue
    const key = `footman.destinations.${destination}.recipientProperty`
    yield { key, name: settings.recipientProperty, objects: TASKS, hint: ADDRESSES }
  }
}

function* routes({ footman }: Config): Generator<PropertyUse> {
  for (const [index, route] of footman.alertRoutes.entries()) {
    if (!route.enable) continue
    const parts = [
      ['match', route.match],
      ['except', route.except],
    ] as const
    for (const [part, matches] of parts) yield* matched(`footman.alertRoutes[${index}].${part}`, matches ?? [])
  }
}

type Properties = Readonly<Record<string, readonly unknown[]>> | undefined

function* matched(
  key: string,
  matches: readonly { readonly taskProperty?: Properties; readonly appProperty?: Properties }[],
): Generator<PropertyUse> {
  for (const { taskProperty = {}, appProperty = {} } of matches) {
    for (const [name, values] of Object.entries(taskProperty)) {
      yield { key: `${key}.taskProperty`, name, values: literals(values), objects: TASKS }
    }
    for (const [name, values] of Object.entries(appProperty)) {
      yield { key: `${key}.appProperty`, name, values: literals(values), objects: APP }
    }
  }
}

/** Patterns are left out: their values are unknown. */
const literals = (values: readonly unknown[]): string[] =>
  values.filter((value): value is string => typeof value === 'string' && !/[*?]/.test(value))

/** The properties and values without which an enabled feature does nothing. */
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
