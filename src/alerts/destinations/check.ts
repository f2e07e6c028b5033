/** Finds problems in the settings of destinations by rendering a sample; sends nothing. */
import { SILENT } from '../../platform/types.ts'
import { createTextWriter } from '../message-text/writer.ts'
import { sampleEvent } from '../sample-event.ts'
import type { ContextSettings } from '../template-context.ts'
import type { TemplateEngine } from '../templates/engine.ts'
import { TRIAL_TIMES } from '../times.ts'
import type { RenderInput, Rule } from '../types.ts'
import { type DestinationConfig, destinationType } from './index.ts'
import type { SettingProblem } from './settings.ts'
import type { CheckConfig, HttpRenderInput } from './types.ts'

type Checked = CheckConfig & {
  readonly footman: { readonly destinations: Readonly<Record<string, DestinationConfig>> }
}

export async function destinationProblems(engine: TemplateEngine, config: Checked): Promise<readonly SettingProblem[]> {
  const found = await Promise.all(
    Object.entries(config.footman.destinations).map(async ([name, settings]) => {
      if (!settings.enable) return []
      const context = { name, engine, config, sample: () => sample(engine, name) }
      const problems = (await destinationType(settings.type).check?.(settings, context)) ?? []
      return problems.map(([key, message]) => ({
        severity: 'error' as const,
        path: `Butler.footman.destinations.${name}.${key}`,
        message,
        ...(key === 'body' || key === 'template' ? { hint: 'the whole event is sent until this is repaired' } : {}),
      }))
    }),
  )
  return found.flat()
}

const CONTEXT: ContextSettings = {
  qlikSenseUrls: {},
  genericUrls: [],
  version: '',
  times: TRIAL_TIMES,
  now: 0,
}
const LINES = { headScriptLogLines: 15, tailScriptLogLines: 15 }

/** A failed reload as a destination would get it. */
async function sample(engine: TemplateEngine, name: string): Promise<HttpRenderInput> {
  const event = sampleEvent('sample', 'failed', 0)
  const when = { types: [event.type], outcomes: [event.outcome] }
  const rule: Rule = { name: 'sample', destination: name, when, phase: 'enriched', needs: [], plan: () => [] }
  const fixed = { target: '', deliveryId: '', suppressed: 0, kind: 'alert', note: null } as const
  const input: RenderInput = { event, rule, severity: event.severity, ...fixed }
  const texts = createTextWriter({ engine, log: SILENT, context: () => CONTEXT })
  return { ...input, text: await texts.write(input, LINES) }
}
