/**
 * Shared by chat destinations: colours, links and lines of facts; for Slack and Teams also templates, script logs that fit,
 * and notes that every message must have.
 */

import type { Severity } from '../../events/types.ts'
import { errorText } from '../../platform/errors.ts'
import type { Logger } from '../../platform/types.ts'
import { cut, type Size } from '../message-text/cut.ts'
import type { Fact } from '../message-text/writer.ts'
import type { ChatTemplate } from '../templates/builtin.ts'
import type { TemplateContext, TemplateEngine } from '../templates/engine.ts'
import { cleanText, mapTexts } from '../templates/escape.ts'
import { TemplateError } from '../templates/source.ts'
import { type JsonObject, parseObject } from './json-text.ts'
import type { HttpRenderInput } from './types.ts'

/** Colour of a message; recoveries have `RECOVERY_COLOUR`. */
const SEVERITY_COLOURS: Readonly<Record<Severity, string>> = {
  critical: '#992d22',
  error: '#e74c3c',
  warning: '#f1c40f',
  info: '#3498db',
}
const RECOVERY_COLOUR = '#2ecc71'

/** `#e74c3c` */
export function colourOf({ severity, kind }: Pick<HttpRenderInput, 'severity' | 'kind'>): string {
  return kind === 'recovery' ? RECOVERY_COLOUR : SEVERITY_COLOURS[severity]
}

/** One line per fact: `App: Sales`. */
export function factLines(facts: readonly Fact[]): string {
  return facts.map(({ name, value }) => `${name}: ${value}`).join('\n')
}

/** The texts that are not empty, with a separator between them. */
export function joined(texts: readonly unknown[], separator: string): string {
  return texts.filter(Boolean).join(separator)
}

/** True for an address that a browser opens. */
export function isWebAddress(url: unknown): url is string {
  return typeof url === 'string' && /^https?:\/\/[^/]/i.test(url) && URL.canParse(url)
}

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
export function basicLine({ engine, log }: ChatDeps, settings: ChatSettings, variables: TemplateContext): string {
  const title = String(variables.title)
  const { basicMsgTemplate: text, name } = settings
  if (!text) return title
  try {
    const line = engine.render({ kind: 'inline', name: `${name}.basicMsgTemplate`, text }, variables, 'line')
    return (variables.test === true && line ? `[TEST] ${line}` : line) || title
  } catch (error) {
    log.error(`NOTIFY ${errorText(error)}. The title of the event is sent instead.`)
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
  variables: TemplateContext,
  target: 'slack' | 'teams',
): JsonObject {
  return parseObject(engine.render(ref, variables, target), file)
}

/** Logs that a template has failed; returns the last line of the message that is sent instead. */
export function problemOf({ log }: ChatDeps, error: unknown, instead: string): string {
  const problem = `Template error: ${errorText(error)}`
  if (!(error instanceof TemplateError)) log.debug(`NOTIFY ${String(error)}`, { fault: error })
  log.error(`NOTIFY ${problem}. ${instead}`)
  return problem
}

/** Fallbacks and messages whose template failed have the built-in text. */
export function chatContext({ text, kind }: HttpRenderInput): TemplateContext {
  const customText = text.custom || text.problem !== null || kind === 'fallback' ? text.text : ''
  return { ...text.variables, customText }
}

/** The settings of a message, with the template of its rule when that spells a whole message instead of a text. */
export async function chatTemplate(
  engine: TemplateEngine,
  { rule, kind }: HttpRenderInput,
  name: string,
  messageType: ChatSettings['messageType'],
): Promise<ChatSettings> {
  const template = kind === 'fallback' || kind === 'summary' ? undefined : rule.texts?.template
  const settings = { name: `Butler.footman.destinations.${name}`, basicMsgTemplate: '', messageType }
  const found = template ? await engine.findFile(template).catch(() => null) : null
  const spellsJson = found?.kind === 'found' && /^\s*\{(?!\{)/.test(withoutCode(found.source.text))
  return { ...settings, templateFile: spellsJson && template ? template : '' }
}

/** The template without the code before its first character of output. */
function withoutCode(template: string): string {
  return template.replace(/^(?:\s*(?:<%[\s\S]*?%>|\{\{!--[\s\S]*?--\}\}|\{\{![\s\S]*?\}\}))+/, '')
}

/** The line of Butler 16, which users search for. */
const TRUNCATED = '----Script log truncated by Butler----'

/** Sizes that head and tail may have, in the units of `size`. */
export interface LogBudget {
  readonly head: number
  readonly tail: number
  readonly size: Size
}

/** Texts of several lines, in which only line feeds and tabs are left of the control characters. */
const LONG_TEXTS = [
  'scriptLogHead',
  'scriptLogTail',
  'executionDetailsConcatenated',
  'executionDetailsText',
  'logMessage',
  'errorText',
  'selfText',
  'customText',
  'appDescription',
  'tenantComment',
  'errorMessage',
] as const

/** Every long text exists, also without a value. */
const NO_LONG_TEXTS: TemplateContext = Object.fromEntries(LONG_TEXTS.map((name) => [name, '']))

/** The variables in the form that chat templates see: no strange characters, names on one line. */
export function chatVariables(variables: TemplateContext): TemplateContext {
  const cleaned = Object.entries({ ...NO_LONG_TEXTS, ...variables }).map(([name, value]) => {
    const clean = mapTexts(value, cleanText)
    return [name, typeof clean !== 'string' || name in NO_LONG_TEXTS ? clean : clean.replaceAll('\n', ' ')] as const
  })
  return Object.fromEntries(cleaned)
}

export function withinBudget(variables: TemplateContext, { head, tail, size }: LogBudget): TemplateContext {
  const { scriptLogHead, scriptLogTail } = variables
  return {
    ...variables,
    scriptLogHead: firstLines(String(scriptLogHead), head, size),
    scriptLogTail: lastLines(String(scriptLogTail), tail, size),
  }
}

function firstLines(text: string, limit: number, size: Size): string {
  if (size(text) <= limit) return text
  const kept = fitting(text.split('\n'), limit, size)
  return kept.length > 0 ? `${kept.join('\n')}\n${TRUNCATED}` : TRUNCATED
}

function lastLines(text: string, limit: number, size: Size): string {
  if (size(text) <= limit) return text
  const kept = fitting(text.split('\n').reverse(), limit, size).reverse()
  return kept.length > 0 ? `${TRUNCATED}\n${kept.join('\n')}` : TRUNCATED
}

/** At least a part of the first line when there is room for it. */
function fitting(lines: readonly string[], limit: number, size: Size): string[] {
  let room = limit - TRUNCATED.length - 1
  const kept: string[] = []
  for (const line of lines) {
    room -= size(line) + 1
    if (room < 0) break
    kept.push(line)
  }
  if (kept.length > 0) return kept
  const part = cut(lines[0] ?? '', limit - TRUNCATED.length - 1, size)
  return part === '' ? [] : [part]
}

const PARTS: Readonly<Record<string, string>> = {
  task: 'task details',
  app: 'app details',
  owner: 'app owner',
  execution: 'result of the execution',
  scriptLog: 'script log',
}

const NOTES = [
  {
    variable: 'suppressedCount',
    text: ({ suppressedCount: count }: TemplateContext) =>
      Number(count) > 0 ? `Alerts held back since the last message: ${count}` : '',
  },
  {
    variable: 'missingParts',
    text: ({ missingParts, missingReasons }: TemplateContext) => {
      const reasons = (missingReasons ?? {}) as Readonly<Record<string, string>>
      const parts = (missingParts as readonly string[]).map((part) => {
        const name = PARTS[part] ?? part
        return reasons[part] ? `${name} (${reasons[part]})` : name
      })
      return parts.length > 0 ? `Not available when this was sent: ${parts.join(', ')}` : ''
    },
  },
] as const

/** The notes that a template with this source text leaves out, in one line; empty when there are none. */
export function missingNotes(source: string, variables: TemplateContext): string {
  const missing = NOTES.filter(({ variable }) => !source.includes(variable))
  return missing
    .map(({ text }) => text(variables))
    .filter(Boolean)
    .join(' · ')
}
