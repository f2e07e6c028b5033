/** What is wrong with the settings of named destinations: found by rendering a sample, without sending anything. */
import { SILENT } from '../../../platform/silent-log.ts'
import type { DestinationConfig } from '../../config-destinations.ts'
import type { NewRelicAccount } from '../../config-incident.ts'
import { isEmailAddress, splitAddresses } from '../../recipients.ts'
import type { RecordContext } from '../../record.ts'
import { sampleEvent } from '../../sample-event.ts'
import type { TemplateEngine } from '../../templates/engine.ts'
import { messageOf } from '../../templates/errors.ts'
import { createTextWriter } from '../../texts/writer.ts'
import { createTimeFormatter } from '../../times.ts'
import type { RenderInput, Route } from '../../types.ts'
import type { SettingProblem } from '../setting-problem.ts'
import { topicOf } from './mqtt.ts'
import type { HttpRenderInput, SettingsOf } from './types.ts'
import { templateBody } from './webhook.ts'

/** The parts of the configuration that destinations rely on. */
export interface NamedCheckConfig {
  readonly mqttConfig: { readonly enable: boolean }
  readonly emailNotification: { readonly smtp: { readonly host: string } }
  readonly thirdPartyToolsCredentials: { readonly newRelic: readonly NewRelicAccount[] }
  readonly footman: { readonly destinations: Readonly<Record<string, DestinationConfig>> }
}

type Found = readonly [key: string, message: string]
type Check<T extends DestinationConfig['type']> = (
  settings: SettingsOf<T>,
  tools: { readonly engine: TemplateEngine; readonly config: NamedCheckConfig; readonly name: string },
) => readonly Found[] | Promise<readonly Found[]>

const CHECKS: { readonly [T in DestinationConfig['type']]?: Check<T> } = {
  email: ({ recipients, from }, { config }) => [
    ...splitAddresses(recipients)
      .filter((address) => !isEmailAddress(address))
      .map((address) => ['recipients', `"${address}" is not a valid e-mail address`] as const),
    ...(from && !from.includes('@') ? ([['from', `"${from}" holds no e-mail address`]] as const) : []),
    ...(config.emailNotification.smtp.host
      ? []
      : ([['type', 'needs a mail server: set Butler.emailNotification.smtp']] as const)),
  ],
  mqtt: async ({ topic }, { engine, config, name }) => [
    ...(config.mqttConfig.enable ? [] : ([['type', 'needs a broker: Butler.mqttConfig.enable is false']] as const)),
    ...(await problemsIn('topic', async () => {
      topicOf(engine, name, topic, (await sample(engine, name)).text.variables)
    })),
  ],
  newrelic: ({ account }, { config }) =>
    account
      .filter((name) => !config.thirdPartyToolsCredentials.newRelic.some(({ accountName }) => accountName === name))
      .map((name) => ['account', `"${name}" is not in Butler.thirdPartyToolsCredentials.newRelic`] as const),
  webhook: (settings, { engine, name }) =>
    problemsIn(settings.body ? 'body' : 'template', async () => {
      await templateBody(await sample(engine, name), settings, engine, name)
    }),
}

export async function namedProblems(
  engine: TemplateEngine,
  config: NamedCheckConfig,
): Promise<readonly SettingProblem[]> {
  const found = await Promise.all(
    Object.entries(config.footman.destinations).map(async ([name, settings]) => {
      const check = CHECKS[settings.type] as Check<DestinationConfig['type']> | undefined
      const problems = settings.enable && check ? await check(settings as never, { engine, config, name }) : []
      return problems.map(([key, message]) => ({
        severity: 'error' as const,
        path: `Butler.footman.destinations.${name}.${key}`,
        message,
        ...(key === 'body' || key === 'template' ? { hint: 'the whole event is sent until this is mended' } : {}),
      }))
    }),
  )
  return found.flat()
}

async function problemsIn(key: string, render: () => Promise<void>): Promise<readonly Found[]> {
  try {
    await render()
    return []
  } catch (error) {
    return [[key, messageOf(error)]]
  }
}

const CONTEXT: RecordContext = { qlikSenseUrls: {}, genericUrls: [], version: '', times: createTimeFormatter(), now: 0 }
const LINES = { headScriptLogLines: 15, tailScriptLogLines: 15 }

/** A failed reload as a destination would get it. */
async function sample(engine: TemplateEngine, name: string): Promise<HttpRenderInput> {
  const event = sampleEvent('sample', 'failed', 0)
  const when = { types: [event.type], outcomes: [event.outcome] }
  const route: Route = { name: 'sample', destination: name, when, phase: 'enriched', needs: [], plan: () => [] }
  const fixed = { target: '', deliveryId: '', suppressed: 0, kind: 'alert', note: null } as const
  const input: RenderInput = { event, route, severity: event.severity, ...fixed }
  const texts = createTextWriter({ engine, log: SILENT, context: () => CONTEXT })
  return { ...input, text: await texts.write(input, LINES) }
}
