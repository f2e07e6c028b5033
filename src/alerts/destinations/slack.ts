/** Slack: a message to an incoming webhook, Block Kit with a text for notifications (https://docs.slack.dev/reference/block-kit). */
import { text } from '../../config/fields.ts'
import type { HttpResponse } from '../../platform/http-client.ts'
import { cut } from '../message-text/cut.ts'
import { SLACK_TEMPLATE } from '../templates/builtin.ts'
import type { TemplateContext } from '../templates/engine.ts'
import { cleanText, ESCAPING, escapeAngles } from '../templates/escape.ts'
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
import { messageType, senderName, webhookAddress } from './settings.ts'
import { type HttpCall, TEXT_NEEDS } from './types.ts'

/** Characters of the head and of the tail of a script log; leaves room for their captions in a section of 3,000. */
const LOG_SIZE = 2900
const FITTING_ROUNDS = 12
const NOTE_SIZE = 2000
/** Characters of the text in notifications. */
const TITLE_SIZE = 500
/** The limits of the Block Kit reference. Slack refuses a whole message for one text that is too long or empty. */
const LIMITS = { blocks: 50, header: 150, section: 3000, fields: 10, field: 2000, button: 75, url: 3000 } as const
const LIST_LIMITS = { actions: 25, context: 10 } as const
const BLOCK_ID = 255
const FENCE = '```'
/** Error codes of Slack are short and hold no secrets; other answers are not shown. */
const ERROR_CODE = /^[a-z][a-z0-9_]{2,60}$/
const BAD_CONTENT = /^(invalid_payload|invalid_blocks|invalid_blocks_format|invalid_attachments|msg_blocks_too_long)$/

const config = () => ({
  webhookURL: webhookAddress('Slack: settings of your app > Incoming Webhooks > Webhook URL.'),
  channel: text('Channel.').meta({
    label: 'Channel',
    hint: 'Like #qlik-alerts; empty = the channel of the webhook.',
  }),
  fromUser: senderName('Qlik Sense'),
  iconEmoji: text('Icon of the sender.', ':ghost:').meta({
    label: 'Icon of the sender',
    hint: 'An emoji of Slack, like :ghost:.',
    advanced: true,
  }),
  messageType: messageType(),
})

export const slack = httpDestination({
  title: 'Slack',
  about: 'Messages to a channel, over an incoming webhook.',
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
        return slackCall(deps, { ...chat, ...sender, webhookURL: url }, chatContext(input))
      },
      result: slackResult,
      second: slackSecond,
    }
  },
})

export interface SlackSettings extends ChatSettings {
  /** Absent = as the webhook was made; an empty text is sent as it is. */
  readonly channel?: string
  readonly fromUser?: string
  readonly iconEmoji?: string
}

interface SlackMessage {
  readonly body: JsonObject
  /** Text only, for when Slack refuses the blocks. */
  readonly plain: JsonObject
}

/** The request of a message, for the sections of Butler too. */
export async function slackCall(
  deps: ChatDeps,
  settings: SlackSettings & { readonly webhookURL: string },
  variables: TemplateContext,
): Promise<HttpCall & { readonly body: string }> {
  const { body, plain } = await slackMessage(deps, settings, variables)
  const { name, webhookURL: url } = settings
  return { url, key: `${name}.webhookURL`, body: JSON.stringify(body), plainBody: JSON.stringify(plain) }
}

/** The message as plain text after Slack has refused the blocks, which then come from a template of the user. */
export function slackSecond(response: HttpResponse, call: HttpCall): HttpCall | null {
  if (!isContentRefused(response) || !call.plainBody) return null
  const note = `as plain text: Slack refused the blocks (HTTP ${response.status}: ${errorCode(response)})`
  return { ...call, body: call.plainBody, plainBody: undefined, note }
}

const markup = ESCAPING.slack
/** Slack counts the entities, too. */
const slackSize = (text: string) => JSON.parse(`"${markup.escaped(text)}"`).length as number

/**
 * `variables` are those of `templateContext`; `customText`, if there, stands in for facts and script log. Never rejects
 * because of a template: then the basic message goes out and says so.
 */
export async function slackMessage(
  deps: ChatDeps,
  settings: SlackSettings,
  variables: TemplateContext,
): Promise<SlackMessage> {
  const context = chatVariables(variables)
  const sender = senderOf(settings)
  const plain = { ...sender, text: cutMarkup(plainText(context), 3000) }
  if (settings.messageType === 'basic') return { body: basic(deps, settings, context, ''), plain }
  try {
    const body = await formatted(deps, settings, context)
    return { body: { ...sender, text: escapeAngles(cut(String(context.title), TITLE_SIZE)), ...body }, plain }
  } catch (error) {
    const problem = problemOf(deps, error, 'The basic Slack message is sent instead.')
    return { body: basic(deps, settings, context, problem), plain }
  }
}

function senderOf({ fromUser, channel, iconEmoji }: SlackSettings): JsonObject {
  return {
    ...(fromUser === undefined ? {} : { username: fromUser }),
    ...(channel === undefined ? {} : { channel }),
    ...(iconEmoji === undefined ? {} : { icon_emoji: iconEmoji }),
  }
}

/** One line and buttons; notes and the problem stand in a line of their own. */
function basic(deps: ChatDeps, settings: SlackSettings, context: TemplateContext, problem: string): JsonObject {
  const line = basicLine(deps, settings, context)
  const notes = [missingNotes('', context), problem].filter(Boolean).map(escapeAngles).join('\n')
  const buttons = buttonsOf(context)
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

function buttonsOf({ qlikSenseQMC, qlikSenseHub, consoleUrl }: TemplateContext): JsonObject[] {
  const links = [
    ['Open QMC', String(qlikSenseQMC)],
    ['Open Hub', String(qlikSenseHub)],
    ['Open in Footman', String(consoleUrl ?? '')],
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

async function formatted(deps: ChatDeps, settings: SlackSettings, context: TemplateContext): Promise<JsonObject> {
  const template = await findTemplate(deps, settings, SLACK_TEMPLATE)
  const made = renderFitting((budget) => {
    const size = { head: budget, tail: budget, size: slackSize }
    return renderObject(deps.engine, template, withinBudget(context, size), 'slack')
  })
  return fitSlack(withNotes(made, missingNotes(template.source, context)))
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
    // Another text is too long.
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

function plainText(context: TemplateContext): string {
  const { title, appName, hostName, host, customText, errorText } = context
  const facts = [
    ['App', appName],
    ['Host', hostName || host],
  ].filter(([, value]) => value)
  const lines = [title, ...facts.map(([name, value]) => `${name}: ${value}`), customText || errorText]
  return escapeAngles(cleanText(lines.filter(Boolean).join('\n')))
}

/** Slack would refuse this message at every attempt. */
function isContentRefused(response: HttpResponse): boolean {
  return response.status === 400 && BAD_CONTENT.test(errorCode(response))
}

export function slackResult(response: HttpResponse, now: number): DeliveryResult {
  const result = httpResult(response, now)
  const code = errorCode(response)
  if (result.outcome === 'delivered') {
    return saysNo(response) ? { outcome: 'rejected', detail: `Slack answered ok: false` } : result
  }
  return code ? { ...result, detail: `${result.detail}: ${code}` } : result
}

function errorCode(response: HttpResponse): string {
  const text = response.text().trim()
  return ERROR_CODE.test(text) ? text : ''
}

/** Webhooks of Slack workflows answer 200 with JSON also when they refuse. */
function saysNo(response: HttpResponse): boolean {
  return /^\{\s*"ok"\s*:\s*false\b/.test(response.text().trim())
}

/** A message with at most 50 blocks, all of which Slack accepts as far as lengths and empty texts go. */
export function fitSlack(message: JsonObject): JsonObject {
  const { text, attachments, blocks } = message
  return {
    ...message,
    ...(typeof text === 'string' ? { text: cut(cleanText(text), LIMITS.section) } : {}),
    ...(Array.isArray(blocks) ? { blocks: fitBlocks(blocks) } : {}),
    ...(Array.isArray(attachments) ? { attachments: attachments.map(fitAttachment) } : {}),
  }
}

/** By how many characters the longest text of a section is too long; 0 or less when all fit. */
function overflow({ blocks }: JsonObject): number {
  const texts = (Array.isArray(blocks) ? blocks.filter(isObject) : []).flatMap(({ type, text, fields }) => [
    type === 'section' && isObject(text) ? String(text.text).length - LIMITS.section : 0,
    ...(Array.isArray(fields)
      ? fields.map((field) => (isObject(field) ? String(field.text).length : 0) - LIMITS.field)
      : []),
  ])
  return Math.max(0, ...texts)
}

function fitAttachment(attachment: unknown): unknown {
  return isObject(attachment) && Array.isArray(attachment.blocks)
    ? { ...attachment, blocks: fitBlocks(attachment.blocks) }
    : attachment
}

function fitBlocks(blocks: readonly unknown[]): readonly JsonObject[] {
  const ids = new Set<unknown>()
  const fitting = blocks.filter(isObject).map((block) => fitBlock(withoutBadId(block, ids)))
  return fitting.filter((block) => block !== null).slice(0, LIMITS.blocks)
}

/** Ids must differ; no part of Footman refers to them. */
function withoutBadId(block: JsonObject, ids: Set<unknown>): JsonObject {
  const { block_id: id, ...rest } = block
  if (typeof id !== 'string' || id === '' || id.length > BLOCK_ID || ids.has(id)) return rest
  ids.add(id)
  return block
}

/** Null for a block without any content. */
function fitBlock(block: JsonObject): JsonObject | null {
  if (block.type === 'header') return withText(block, fitText(block.text, LIMITS.header))
  if (block.type === 'section') return fitSection(block)
  if (block.type === 'actions' || block.type === 'context') return fitElements(block, block.type)
  return block
}

function withText(block: JsonObject, text: JsonObject | null): JsonObject | null {
  return text && { ...block, text }
}

function fitSection(block: JsonObject): JsonObject | null {
  const { text: ownText, fields: ownFields, accessory: ownAccessory, ...rest } = block
  const text = fitText(ownText, LIMITS.section)
  const list = Array.isArray(ownFields) ? ownFields : []
  const fields = list.flatMap((field) => fitText(field, LIMITS.field) ?? []).slice(0, LIMITS.fields)
  const accessory = isObject(ownAccessory) ? fitElement(ownAccessory) : null
  if (!text && fields.length === 0) return null
  return { ...rest, ...(text && { text }), ...(fields.length > 0 && { fields }), ...(accessory && { accessory }) }
}

function fitElements(block: JsonObject, type: keyof typeof LIST_LIMITS): JsonObject | null {
  const own = Array.isArray(block.elements) ? block.elements.filter(isObject) : []
  const elements = own.flatMap((element) => fitElement(element) ?? []).slice(0, LIST_LIMITS[type])
  return elements.length > 0 ? { ...block, elements } : null
}

function fitElement(element: JsonObject): JsonObject | null {
  if (element.type === 'button') return fitButton(element)
  if (element.type === 'mrkdwn' || element.type === 'plain_text') return fitText(element, LIMITS.section)
  return element
}

/** Null for a button whose address no browser opens: Slack would refuse the whole message. */
function fitButton(button: JsonObject): JsonObject | null {
  const { url } = button
  if (url !== undefined && !(typeof url === 'string' && url.length <= LIMITS.url && isWebAddress(url))) return null
  const text = fitText(button.text, LIMITS.button)
  return text && { ...button, text }
}

function fitText(value: unknown, limit: number): JsonObject | null {
  if (!isObject(value) || typeof value.text !== 'string') return null
  const clean = cleanText(value.text)
  if (clean.trim() === '') return null
  return { ...value, text: value.type === 'mrkdwn' ? cutMarkup(clean, limit) : cut(clean, limit) }
}

/** Never ends inside an entity or a link, and closes a block of code. */
export function cutMarkup(text: string, limit: number): string {
  if (text.length <= limit) return text
  const kept = cut(text, limit - FENCE.length)
    .replace(/&[a-z]{0,4}…$/, '…')
    .replace(/<[^<>\n]*…$/, '…')
  return kept.split(FENCE).length % 2 === 0 ? `${kept.replace(/`{1,2}…$/, '…')}${FENCE}` : kept
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
