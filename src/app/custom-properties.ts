/** The custom properties of Qlik Sense that the settings count on. */
import type { Config } from '../config/schema.ts'
import type { CustomPropertyNeed } from '../monitors/custom-properties/needs.ts'
import { type CustomPropertyWatch, createCustomPropertyWatch } from '../monitors/custom-properties/watch.ts'
import type { Logger } from '../platform/types.ts'
import type { CustomPropertyReader } from '../qlik/qrs/types.ts'
import type { LivePart } from './reload.ts'

export interface BuiltCustomProperties {
  /** Null without Qlik Sense. */
  readonly service: CustomPropertyWatch | null
  /** For `/health`, by feature. */
  readonly checks: () => Readonly<Record<string, 'up' | 'waiting'>>
  readonly live: readonly LivePart[]
}

export function buildCustomProperties(
  deps: { readonly qrs: CustomPropertyReader; readonly log: Logger },
  config: Config,
  qrsConnection: boolean,
): BuiltCustomProperties {
  if (!qrsConnection) return { service: null, checks: () => ({}), live: [] }
  const watch = createCustomPropertyWatch(deps, customPropertyNeeds(config))
  return {
    service: watch,
    checks: watch.states,
    live: [
      {
        concerns: (path) => /^(emailNotification|incidentTool)\b/.test(path),
        prepare: async (next) => ({ use: () => watch.follow(customPropertyNeeds(next)), drop: () => {} }),
      },
    ],
  }
}

/** Those of features that are switched on. */
export function customPropertyNeeds(config: Config): CustomPropertyNeed[] {
  return [...mailNeeds(config), ...newRelicNeeds(config), ...influxNeeds(config)]
}

/** Distributions and preloads are kept as reload tasks. */
const TASK = 'ReloadTask'

interface MarkedMail {
  readonly enable: boolean
  readonly alertEnableByCustomProperty: {
    readonly enable: boolean
    readonly customPropertyName: string
    readonly enabledValue: string
  }
}

function mailNeeds({ emailNotification: mail }: Config): CustomPropertyNeed[] {
  if (!mail.enable) return []
  return Object.entries(mail).flatMap(([name, section]) => {
    if (!isMarkedMail(section) || !section.enable || !section.alertEnableByCustomProperty.enable) return []
    const { customPropertyName: property, enabledValue: value } = section.alertEnableByCustomProperty
    const key = `emailNotification.${name}.alertEnableByCustomProperty`
    return [{ feature: 'emailByCustomProperty', key, property, value, objectType: TASK }]
  })
}

function isMarkedMail(section: unknown): section is MarkedMail {
  return typeof section === 'object' && section !== null && 'alertEnableByCustomProperty' in section
}

function newRelicNeeds({ incidentTool: { newRelic }, thirdPartyToolsCredentials }: Config): CustomPropertyNeed[] {
  if (!newRelic.enable) return []
  const meaningful = thirdPartyToolsCredentials.newRelic.map(({ accountName }) => accountName)
  return (['reloadTaskFailure', 'reloadTaskAborted'] as const).flatMap((section) =>
    (['event', 'log'] as const).flatMap((kind) => {
      const { enable, sendToAccount } = newRelic[section].destination[kind]
      const { enable: isMarked, customPropertyName: property } = sendToAccount.byCustomProperty
      if (!enable || !isMarked) return []
      const key = `incidentTool.newRelic.${section}.destination.${kind}.sendToAccount.byCustomProperty`
      return [{ feature: 'newRelicByCustomProperty', key, property, value: null, objectType: null, meaningful }]
    }),
  )
}

function influxNeeds({ influxDb: { enable, reloadTaskSuccess } }: Config): CustomPropertyNeed[] {
  const { allReloadTasks, byCustomProperty } = reloadTaskSuccess
  if (!enable || !reloadTaskSuccess.enable || allReloadTasks.enable || !byCustomProperty.enable) return []
  const { customPropertyName: property, enabledValue: value } = byCustomProperty
  const key = 'influxDb.reloadTaskSuccess.byCustomProperty'
  return [{ feature: 'influxDbByCustomProperty', key, property, value, objectType: TASK }]
}
