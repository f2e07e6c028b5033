/**
 * Slack refuses a whole message for one text that is too long or empty. This makes any message fit, whatever its
 * template. The limits are those of the Block Kit reference.
 */
import { cleanText } from '../templates/escape.ts'
import { cut } from '../texts/cut.ts'
import type { JsonObject } from './json-text.ts'

const LIMITS = { blocks: 50, header: 150, section: 3000, fields: 10, field: 2000, button: 75, url: 3000 } as const
const LIST_LIMITS = { actions: 25, context: 10 } as const
const BLOCK_ID = 255
const FENCE = '```'

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
export function overflow({ blocks }: JsonObject): number {
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

/** Ids must differ; nothing of ours refers to them. */
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

/** A button whose address no browser opens would cost the whole message. */
function fitButton(button: JsonObject): JsonObject | null {
  const { url } = button
  if (url !== undefined && !(typeof url === 'string' && url.length <= LIMITS.url && isWebAddress(url))) return null
  const text = fitText(button.text, LIMITS.button)
  return text && { ...button, text }
}

export function isWebAddress(url: string): boolean {
  return /^https?:\/\/[^/]/i.test(url) && URL.canParse(url)
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

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
