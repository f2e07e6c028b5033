/** Microsoft Teams: an Adaptive Card in an envelope to the webhook of a workflow. */
import type { HttpResponse } from '../../platform/http-client.ts'
import { cut, utf8 } from '../message-text/cut.ts'
import { TEAMS_TEMPLATE } from '../templates/builtin.ts'
import type { TemplateContext } from '../templates/engine.ts'
import { cleanText, escapeMarkdown, mapTexts } from '../templates/escape.ts'
import type { DeliveryResult } from '../types.ts'
import {
  basicLine,
  type ChatDeps,
  type ChatSettings,
  chatContext,
  chatTemplate,
  chatVariables,
  findTemplate,
  isWebAddress,
  missingNotes,
  problemOf,
  renderObject,
  withinBudget,
} from './chat.ts'
import { hostOf, httpDestination, httpResult, secretsOfUrl } from './http.ts'
import type { JsonObject } from './json-text.ts'
import { messageType, webhookAddress } from './settings.ts'
import { type HttpCall, TEXT_NEEDS } from './types.ts'

/** Bytes of the whole request. 28 KB are documented, but requests of 24 KB have been seen to fail. */
export const MAX_MESSAGE = 20_000
const MAX_NOTE = 2000
const FITTING_ROUNDS = 40
/** Connectors of this host are the last that take the older format. */
const CONNECTOR_HOST = '.webhook.office.com'
const BASIC_VERSION = '1.3'

const LONG_TEXTS = ['executionDetailsConcatenated', 'executionDetailsText', 'logMessage', 'errorText', 'customText']

const CONNECTOR_ERROR = /returned HTTP error (\d{3})/i

const config = () => ({
  webhookURL: webhookAddress('Teams: channel > Workflows > "Post to a channel when a webhook request is received".'),
  messageType: messageType(),
})

export const teams = httpDestination({
  title: 'Microsoft Teams',
  about: 'Cards in a channel or chat, over a workflow.',
  purpose: 'alert',
  config,
  server: ({ webhookURL }) => ['webhookURL', webhookURL],
  create: (settings, deps, name) => {
    const { webhookURL: url, messageType } = settings
    return {
      needs: TEXT_NEEDS,
      escaped: (text) => escapeMarkdown(cleanText(text)),
      target: hostOf(url),
      secrets: secretsOfUrl(url),
      async render(input) {
        const chat = await chatTemplate(deps.engine, input, name, messageType)
        return teamsCall(deps, { ...chat, webhookURL: url }, chatContext(input))
      },
      result: teamsResult,
    }
  },
})

/** The request of a message, for the sections of Butler too. */
export async function teamsCall(
  deps: ChatDeps,
  settings: TeamsSettings,
  variables: TemplateContext,
): Promise<HttpCall & { readonly body: string }> {
  const { name, webhookURL: url } = settings
  return { url, key: `${name}.webhookURL`, body: JSON.stringify(await teamsMessage(deps, settings, variables)) }
}

/** The settings of a message. */
export interface TeamsSettings extends ChatSettings {
  readonly webhookURL: string
}

/**
 * `variables` are those of `templateContext`; `customText`, if there, stands in for facts and script log. Never rejects
 * because of a template: then the basic message goes out and says so.
 */
export async function teamsMessage(
  deps: ChatDeps,
  settings: TeamsSettings,
  variables: TemplateContext,
): Promise<JsonObject> {
  const clean = chatVariables(variables)
  // The text of a rule may hold links of its own; the values of the event in it have been escaped before.
  const context = { ...mapTexts(clean, escapeMarkdown), customText: clean.customText }
  if (settings.messageType === 'basic') return basic(deps, settings, context, '')
  try {
    return await formatted(deps, settings, context)
  } catch (error) {
    const problem = escapeMarkdown(problemOf(deps, error, 'The basic Teams message is sent instead.'))
    return basic(deps, settings, context, problem)
  }
}

async function formatted(deps: ChatDeps, settings: TeamsSettings, context: TemplateContext): Promise<JsonObject> {
  const template = await findTemplate(deps, settings, TEAMS_TEMPLATE)
  const notes = missingNotes(template.source, context)
  return renderFitting(context, (variables) => {
    const made = renderObject(deps.engine, template, variables, 'teams')
    return notes ? withNotes(made, notes) : made
  })
}

/** Shortens the head of the script log first, then its tail, by whole lines; then the other long texts. */
function renderFitting(context: TemplateContext, render: (variables: TemplateContext) => JsonObject): JsonObject {
  let head = utf8(String(context.scriptLogHead))
  let tail = utf8(String(context.scriptLogTail))
  let message = render(context)
  for (let round = 0; round < FITTING_ROUNDS; round++) {
    const excess = sizeOf(message) - MAX_MESSAGE
    if (excess <= 0) return message
    if (head === 0 && tail === 0) break
    // Escaping can double a text, so that half of the excess may be enough.
    const less = Math.ceil(excess / 2)
    if (head > 0) head = Math.max(0, head - less)
    else tail = Math.max(0, tail - less)
    message = render(shortened(context, head, tail))
  }
  if (sizeOf(message) <= MAX_MESSAGE) return message
  return render(shortened(withShortTexts(context), 0, 0))
}

function shortened(context: TemplateContext, head: number, tail: number): TemplateContext {
  return withinBudget(context, { head, tail, size: utf8 })
}

function withShortTexts(context: TemplateContext): TemplateContext {
  const texts = LONG_TEXTS.map((name) => [name, cut(String(context[name]), MAX_NOTE)] as const)
  return { ...context, ...Object.fromEntries(texts) }
}

export function sizeOf(message: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(message))
}

/** One line and buttons; notes and the problem stand in a paragraph of their own. */
function basic(deps: ChatDeps, settings: TeamsSettings, context: TemplateContext, problem: string): JsonObject {
  const line = cut(basicLine(deps, settings, context), MAX_NOTE)
  const notes = cut([missingNotes('', context), problem].filter(Boolean).join('\n\n'), MAX_NOTE)
  return takesMessageCard(settings.webhookURL) ? messageCard(line, notes, context) : card(line, notes, context)
}

function takesMessageCard(url: string): boolean {
  return URL.canParse(url) && new URL(url).hostname.toLowerCase().endsWith(CONNECTOR_HOST)
}

function card(line: string, notes: string, context: TemplateContext): JsonObject {
  const actions = buttonsOf(context).map(({ title, tooltip, url }) => ({
    type: 'Action.OpenUrl',
    title,
    tooltip,
    url,
    role: 'button',
  }))
  const body = [
    { type: 'TextBlock', size: 'large', weight: 'bolder', text: line, style: 'heading', wrap: true },
    ...(notes ? [note(notes)] : []),
    ...(actions.length > 0 ? [{ type: 'ActionSet', spacing: 'extraLarge', separator: true, actions }] : []),
  ]
  const $schema = 'http://adaptivecards.io/schemas/adaptive-card.json'
  const content = { $schema, type: 'AdaptiveCard', version: BASIC_VERSION, body }
  const contentType = 'application/vnd.microsoft.card.adaptive'
  return { type: 'message', attachments: [{ contentType, contentUrl: null, content }] }
}

function note(text: string): JsonObject {
  return { type: 'TextBlock', text, isSubtle: true, wrap: true }
}

interface Button {
  readonly title: string
  readonly tooltip: string
  readonly name: string
  readonly url: string
}

function buttonsOf(context: TemplateContext): readonly Button[] {
  const { qlikSenseQMC, qlikSenseHub, appUrl, appName, taskType, consoleUrl = '' } = context
  const site = taskType === 'cloudReload' ? 'Qlik Sense Cloud' : 'Qlik Sense'
  const all = [
    ['Open QMC', `Open management console in ${site}`, 'Qlik Sense QMC', qlikSenseQMC],
    ['Open Hub', `Open hub in ${site}`, 'Qlik Sense Hub', qlikSenseHub],
    ['Open app', `Open app in ${site}`, 'Qlik Sense app', appName ? appUrl : ''],
    ['Open in Footman', 'Open the event in Footman', 'Footman', consoleUrl],
  ] as const
  return all.flatMap(([title, tooltip, name, url]) => (isWebAddress(url) ? [{ title, tooltip, name, url }] : []))
}

/** The older format, with buttons for QMC and hub only. */
function messageCard(line: string, notes: string, context: TemplateContext): JsonObject {
  const links = buttonsOf(context).filter(({ title }) => title !== 'Open app')
  return {
    '@type': 'MessageCard',
    '@context': 'https://schema.org/extensions',
    summary: line,
    themeColor: '0078D7',
    title: line,
    ...(notes ? { text: notes } : {}),
    ...(links.length > 0 ? { potentialAction: links.map(openUri) } : {}),
  }
}

function openUri({ name, url }: Button): JsonObject {
  return { '@type': 'OpenUri', name, targets: [{ os: 'default', uri: url }] }
}

/** Into the body of the first card, or the text of a message card. */
function withNotes(message: JsonObject, notes: string): JsonObject {
  const [first, ...others] = Array.isArray(message.attachments) ? (message.attachments as JsonObject[]) : []
  const content = first?.content as JsonObject | undefined
  if (content && Array.isArray(content.body)) {
    const extended = { ...content, body: [...content.body, note(notes)] }
    return { ...message, attachments: [{ ...first, content: extended }, ...others] }
  }
  if (Array.isArray(message.body)) return { ...message, body: [...message.body, note(notes)] }
  return { ...message, text: [message.text, notes].filter(Boolean).join('\n\n') }
}

export function teamsResult(response: HttpResponse, now: number): DeliveryResult {
  const status = response.status === 200 ? CONNECTOR_ERROR.exec(response.text())?.[1] : undefined
  return httpResult(status ? { ...response, status: Number(status) } : response, now)
}
