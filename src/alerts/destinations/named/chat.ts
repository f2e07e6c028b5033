/** What Slack and Teams share: the words of a route in a chat message. */
import type { TemplateEngine, TemplateRecord } from '../../templates/engine.ts'
import type { ChatSettings } from '../chat/template.ts'
import type { HttpRenderInput } from './types.ts'

/** Fallbacks and templates that failed are told in the plain words of the built-in text. */
export function chatWords({ text, kind }: HttpRenderInput): TemplateRecord {
  const customText = text.custom || text.problem !== null || kind === 'fallback' ? text.text : ''
  return { ...text.variables, customText }
}

/** A route's template that spells a whole message of the channel, instead of a text. */
export async function chatTemplate(
  engine: TemplateEngine,
  { route, kind }: HttpRenderInput,
  name: string,
  messageType: ChatSettings['messageType'],
): Promise<ChatSettings> {
  const template = kind === 'fallback' || kind === 'summary' ? undefined : route.texts?.template
  const settings = { name: `Butler.footman.destinations.${name}`, basicMsgTemplate: '', messageType }
  const found = template ? await engine.findFile(template).catch(() => null) : null
  const spellsJson = found?.kind === 'found' && /^\s*\{(?!\{)/.test(withoutCode(found.source.text))
  return { ...settings, templateFile: spellsJson && template ? template : '' }
}

/** Code before the first sign of the message. */
function withoutCode(template: string): string {
  return template.replace(/^(?:\s*(?:<%[\s\S]*?%>|\{\{!--[\s\S]*?--\}\}|\{\{![\s\S]*?\}\}))+/, '')
}
