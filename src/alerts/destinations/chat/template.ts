/** From the settings of a chat message to the text or the JSON object that its template makes. */
import type { Logger } from '../../../platform/types.ts'
import type { ChatTemplate } from '../../templates/builtin-chat.ts'
import type { TemplateEngine, TemplateRecord } from '../../templates/engine.ts'
import { messageOf, TemplateError } from '../../templates/errors.ts'
import type { HttpRenderInput } from '../types.ts'
import { type JsonObject, parseObject } from './json-text.ts'

export interface ChatDeps {
  readonly engine: TemplateEngine
  readonly log: Logger
}

/** How a message is made; every chat destination has these. */
export interface ChatSettings {
  /** Configuration key or name of the destination, for errors. */
  readonly name: string
  readonly messageType: 'basic' | 'formatted'
  /** Template of the line of a basic message; empty = the title of the event. */
  readonly basicMsgTemplate: string
  /** Empty = the built-in template. */
  readonly templateFile: string
}

/** The line of a basic message; never fails because of a template. */
export function basicLine({ engine, log }: ChatDeps, settings: ChatSettings, variables: TemplateRecord): string {
  const title = String(variables.title)
  const { basicMsgTemplate: text, name } = settings
  if (!text) return title
  try {
    const line = engine.render({ kind: 'inline', name: `${name}.basicMsgTemplate`, text }, variables, 'line')
    return (variables.test === true && line ? `[TEST] ${line}` : line) || title
  } catch (error) {
    log.error(`NOTIFY ${messageOf(error)}. The title of the event is sent instead.`)
    return title
  }
}

/** The template of a formatted message: the user's file, or the built-in one when none is named or it is gone. */
export async function findTemplate(
  { engine, log }: ChatDeps,
  { templateFile, name }: ChatSettings,
  builtin: ChatTemplate,
): Promise<ChatTemplate> {
  if (!templateFile) return builtin
  const ref = await engine.findFile(templateFile)
  if (ref?.kind === 'found') return { ref, source: ref.source.text, file: ref.source.file }
  const hint = 'it must exist and end in .handlebars, .hbs or .eta'
  log.warn(`NOTIFY ${name}.templateFile: there is no template "${templateFile}" (${hint}); the built-in one is used`)
  return builtin
}

/** Throws a `TemplateError`. */
export function renderObject(
  engine: TemplateEngine,
  { ref, file }: ChatTemplate,
  variables: TemplateRecord,
  target: 'slack' | 'teams',
): JsonObject {
  return parseObject(engine.render(ref, variables, target), file)
}

/** What goes into a message whose template has failed, as its last line. */
export function problemOf({ log }: ChatDeps, error: unknown, instead: string): string {
  const problem = `Template error: ${messageOf(error)}`
  if (!(error instanceof TemplateError)) log.debug(`NOTIFY ${String(error)}`, { fault: error })
  log.error(`NOTIFY ${problem}. ${instead}`)
  return problem
}

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
