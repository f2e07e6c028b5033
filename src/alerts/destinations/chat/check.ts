/** What is wrong with the settings of Slack and Teams messages: found by rendering a sample, without sending it. */
import { templateRecord } from '../../record.ts'
import { sampleEvent } from '../../sample-event.ts'
import { SLACK_TEMPLATE, TEAMS_TEMPLATE } from '../../templates/builtin-chat.ts'
import type { TemplateEngine, TemplateRecord } from '../../templates/engine.ts'
import { messageOf } from '../../templates/errors.ts'
import { createTimeFormatter } from '../../times.ts'
import type { SettingProblem } from '../setting-problem.ts'
import { chatVariables } from './logs.ts'
import { type ChatChannel, type ChatConfig, type ChatSection, chatSections } from './sections.ts'
import { renderObject } from './template.ts'

const CHANNELS: readonly ChatChannel[] = ['slack', 'teams']
const BUILTIN = { slack: SLACK_TEMPLATE, teams: TEAMS_TEMPLATE } as const

/** Problems of the sections that are switched on; none of them stops an alert from being sent in plain words. */
export async function chatProblems(engine: TemplateEngine, config: ChatConfig): Promise<readonly SettingProblem[]> {
  const sections = CHANNELS.flatMap((channel) =>
    chatSections(config, channel).map((section) => problemsOf(engine, channel, section)),
  )
  return (await Promise.all(sections)).flat()
}

async function problemsOf(
  engine: TemplateEngine,
  channel: ChatChannel,
  section: ChatSection,
): Promise<SettingProblem[]> {
  const { settings, place } = section
  const record = sampleRecord(section)
  if (settings.messageType === 'basic') return basicProblems(engine, `${place}.basicMsgTemplate`, settings, record)
  if (!settings.templateFile) return []
  const path = `${place}.templateFile`
  const hint = 'the basic message is sent until this is mended'
  try {
    const ref = await engine.findFile(settings.templateFile)
    if (ref?.kind !== 'found') {
      const { templateFile } = settings
      const isTemplate = /\.(handlebars|hbs|eta)$/i.test(templateFile)
      const what = isTemplate ? `there is no template "${templateFile}"` : `"${templateFile}" is no name of a template`
      const hint = isTemplate ? 'put the file there, or correct the path' : 'it must end in .handlebars, .hbs or .eta'
      return [{ severity: 'warning', path, message: `${what}; the built-in one is used`, hint }]
    }
    renderObject(engine, { ...BUILTIN[channel], ref, file: ref.source.file }, record, channel)
    return []
  } catch (error) {
    return [{ severity: 'error', path, message: messageOf(error), hint }]
  }
}

function basicProblems(
  engine: TemplateEngine,
  path: string,
  { basicMsgTemplate: text }: ChatSection['settings'],
  record: TemplateRecord,
): SettingProblem[] {
  try {
    engine.render({ kind: 'inline', name: path, text }, record, 'line')
    return []
  } catch (error) {
    return [{ severity: 'error', path, message: messageOf(error), hint: 'the title of the event is sent instead' }]
  }
}

function sampleRecord({ when, settings, links }: ChatSection): TemplateRecord {
  const { headScriptLogLines: headLines = 0, tailScriptLogLines: tailLines = 0 } = settings
  const context = { ...links, version: '', times: createTimeFormatter(), now: 0 }
  const event = sampleEvent('sample', when.outcomes[0]!, 0, when.types[0])
  return chatVariables(templateRecord(event, context, { headLines, tailLines }, 'slash'))
}
