/** Slack: a message to an incoming webhook, Block Kit with a text for notifications. */
import { requiredHttpUrl, text } from '../../config/fields.ts'
import type { HttpResponse } from '../../platform/http-client.ts'
import { SLACK_TEMPLATE } from '../templates/builtin-chat.ts'
import type { TemplateRecord } from '../templates/engine.ts'
import { cleanText, ESCAPING, escapeAngles } from '../templates/escape.ts'
import { cut } from '../texts/cut.ts'
import type { DeliveryResult } from '../types.ts'
import {
  basicLine,
  type ChatDeps,
  type ChatSettings,
  chatTemplate,
  chatVariables,
  chatWords,
  findTemplate,
  missingNotes,
  problemOf,
  renderObject,
  withinBudget,
} from './chat.ts'
import { hostOf, httpDestination, httpResult, secretsOfUrl } from './http.ts'
import type { JsonObject } from './json-text.ts'
import { messageType } from './settings.ts'
import { cutMarkup, fitSlack, isWebAddress, overflow } from './slack-limits.ts'
import { type HttpCall, TEXT_NEEDS } from './types.ts'

const config = () => ({
  webhookURL: requiredHttpUrl('Address to post to.'),
  channel: text('Channel.'),
  fromUser: text('Name of the sender.', 'Qlik Sense'),
  iconEmoji: text('Icon of the sender.', ':ghost:'),
  messageType: messageType(),
})

export const slack = httpDestination({
  purpose: 'alert',
  config,
  server: ({ webhookURL }) => ['webhookURL', webhookURL],
  create: (settings, deps, name) => {
    const { webhookURL: url, channel, fromUser, iconEmoji, messageType } = settings
    const sender = { ...(channel ? { channel } : {}), fromUser, iconEmoji }
    return {
      needs: TEXT_NEEDS,
      target: channel || hostOf(url),
      secrets: secretsOfUrl(url),
      async render(input) {
        const chat = await chatTemplate(deps.engine, input, name, messageType)
        return slackCall(deps, { ...chat, ...sender, webhookURL: url }, chatWords(input))
      },
      result: slackResult,
      second: slackSecond,
    }
  },
})

/** The request of a message, for the sections of Butler too. */
export async function slackCall(
  deps: ChatDeps,
  settings: SlackSettings & { readonly webhookURL: string },
  variables: TemplateRecord,
): Promise<HttpCall & { readonly body: string }> {
  const { body, plain } = await slackMessage(deps, settings, variables)
  return { url: settings.webhookURL, body: JSON.stringify(body), plainBody: JSON.stringify(plain) }
}

/** Blocks that Slack does not take come from a template of the user: the same in plain words. */
export function slackSecond(response: HttpResponse, call: HttpCall): HttpCall | null {
  if (!isContentRefused(response) || !call.plainBody) return null
  const note = `as plain text: Slack refused the blocks (HTTP ${response.status}: ${wordOf(response)})`
  return { ...call, body: call.plainBody, plainBody: undefined, note }
}

export interface SlackSettings extends ChatSettings {
  /** Absent = as the webhook was made; an empty text is sent as it is. */
  readonly channel?: string
  readonly fromUser?: string
  readonly iconEmoji?: string
}

export interface SlackMessage {
  readonly body: JsonObject
  /** Text only, for when Slack refuses the blocks. */
  readonly plain: JsonObject
}

/** Of head and of tail of a script log, which leaves room for the words around them in a section of 3,000. */
const LOG_SIZE = 2900
const FITTING_ROUNDS = 12
const NOTE_SIZE = 2000
/** Of the text in notifications. */
const TITLE_SIZE = 500

const markup = ESCAPING.slack
/** As Slack counts: with the entities. */
const slackSize = (text: string) => JSON.parse(`"${markup.escaped(text)}"`).length as number

/**
 * `variables` are those of `templateRecord`; `customText`, if there, stands in for facts and script log. Never rejects
 * because of a template: then the basic message goes out and says so.
 */
export async function slackMessage(
  deps: ChatDeps,
  settings: SlackSettings,
  variables: TemplateRecord,
): Promise<SlackMessage> {
  const record = chatVariables(variables)
  const sender = senderOf(settings)
  const plain = { ...sender, text: cutMarkup(plainText(record), 3000) }
  if (settings.messageType === 'basic') return { body: basic(deps, settings, record, ''), plain }
  try {
    const body = await formatted(deps, settings, record)
    return { body: { ...sender, text: escapeAngles(cut(String(record.title), TITLE_SIZE)), ...body }, plain }
  } catch (error) {
    const problem = problemOf(deps, error, 'The basic Slack message is sent instead.')
    return { body: basic(deps, settings, record, problem), plain }
  }
}

function senderOf({ fromUser, channel, iconEmoji }: SlackSettings): JsonObject {
  return {
    ...(fromUser === undefined ? {} : { username: fromUser }),
    ...(channel === undefined ? {} : { channel }),
    ...(iconEmoji === undefined ? {} : { icon_emoji: iconEmoji }),
  }
}

/** One line and buttons; what it must say beside that stands in a line of its own. */
function basic(deps: ChatDeps, settings: SlackSettings, record: TemplateRecord, problem: string): JsonObject {
  const line = basicLine(deps, settings, record)
  const notes = [missingNotes('', record), problem].filter(Boolean).map(escapeAngles).join('\n')
  const buttons = buttonsOf(record)
  return {
    ...senderOf(settings),
    text: escapeAngles(cut(line, TITLE_SIZE)),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: cut(line, 150) } },
      { type: 'divider' },
      ...(notes ? [{ type: 'context', elements: [{ type: 'mrkdwn', text: cutMarkup(notes, NOTE_SIZE) }] }] : []),
      ...(buttons.length > 0 ? [{ type: 'actions', elements: buttons }] : []),
    ],
  }
}

function buttonsOf({ qlikSenseQMC, qlikSenseHub }: TemplateRecord): JsonObject[] {
  const links = [
    ['Open QMC', String(qlikSenseQMC)],
    ['Open Hub', String(qlikSenseHub)],
  ] as const
  return links
    .filter(([, url]) => isWebAddress(url))
    .map(([text, url]) => ({
      type: 'button',
      text: { type: 'plain_text', emoji: true, text },
      style: 'primary',
      url,
    }))
}

async function formatted(deps: ChatDeps, settings: SlackSettings, record: TemplateRecord): Promise<JsonObject> {
  const template = await findTemplate(deps, settings, SLACK_TEMPLATE)
  const made = renderFitting((budget) => {
    const size = { head: budget, tail: budget, size: slackSize }
    return renderObject(deps.engine, template, withinBudget(record, size), 'slack')
  })
  return fitSlack(withNotes(made, missingNotes(template.source, record)))
}

/** Script logs are made shorter, by whole lines, until the longest text fits. */
function renderFitting(render: (budget: number) => JsonObject): JsonObject {
  let budget = LOG_SIZE
  let best = render(budget)
  for (let round = 0; round < FITTING_ROUNDS; round++) {
    const excess = overflow(best)
    if (excess === 0) return best
    budget = Math.max(0, budget - Math.ceil(excess / 2) - 1)
    const shorter = render(budget)
    // It is something else that is too long.
    if (overflow(shorter) >= excess) return best
    best = shorter
  }
  return best
}

function withNotes(message: JsonObject, notes: string): JsonObject {
  const { blocks } = message
  if (!notes) return message
  if (!Array.isArray(blocks))
    return { ...message, text: [message.text, escapeAngles(notes)].filter(Boolean).join('\n') }
  const context = { type: 'context', elements: [{ type: 'mrkdwn', text: escapeAngles(notes) }] }
  return { ...message, blocks: [...blocks.slice(0, 49), context] }
}

function plainText(record: TemplateRecord): string {
  const { title, appName, hostName, host, customText, errorText } = record
  const facts = [
    ['App', appName],
    ['Host', hostName || host],
  ].filter(([, value]) => value)
  const lines = [title, ...facts.map(([name, value]) => `${name}: ${value}`), customText || errorText]
  return escapeAngles(cleanText(lines.filter(Boolean).join('\n')))
}

/** The words of Slack are short and hold no secrets; anything else is not repeated. */
const WORD = /^[a-z][a-z0-9_]{2,60}$/
const BAD_CONTENT = /^(invalid_payload|invalid_blocks|invalid_blocks_format|invalid_attachments|msg_blocks_too_long)$/

/** Slack would refuse this message at every attempt. */
function isContentRefused(response: HttpResponse): boolean {
  return response.status === 400 && BAD_CONTENT.test(wordOf(response))
}

export function slackResult(response: HttpResponse, now: number): DeliveryResult {
  const result = httpResult(response, now)
  const word = wordOf(response)
  if (result.outcome === 'delivered') {
    return saysNo(response) ? { outcome: 'rejected', detail: `Slack answered ok: false` } : result
  }
  return word ? { ...result, detail: `${result.detail}: ${word}` } : result
}

function wordOf(response: HttpResponse): string {
  const text = response.text().trim()
  return WORD.test(text) ? text : ''
}

/** Webhooks of workflows answer in JSON. */
function saysNo(response: HttpResponse): boolean {
  return /^\{\s*"ok"\s*:\s*false\b/.test(response.text().trim())
}
