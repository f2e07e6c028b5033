/** The rules of Slack's Block Kit reference for messages, as far as incoming webhooks can break them. */

type Json = Readonly<Record<string, unknown>>

interface Rule {
  /** Every member that the block may have. */
  readonly members: readonly string[]
  readonly check?: (block: Json, place: string) => readonly string[]
}

const MESSAGE_MEMBERS = ['username', 'channel', 'icon_emoji', 'icon_url', 'text', 'blocks', 'attachments', 'mrkdwn']
const TEXT_MEMBERS = { plain_text: ['type', 'text', 'emoji'], mrkdwn: ['type', 'text', 'verbatim'] } as const

const BLOCKS: Readonly<Record<string, Rule>> = {
  header: {
    members: ['type', 'block_id', 'text'],
    check: ({ text }, at) => textFaults(text, `${at}.text`, 150, ['plain_text']),
  },
  divider: { members: ['type', 'block_id'] },
  section: { members: ['type', 'block_id', 'text', 'fields', 'accessory', 'expand'], check: sectionFaults },
  context: {
    members: ['type', 'block_id', 'elements'],
    check: (block, at) =>
      listFaults(block.elements, `${at}.elements`, 10, (one, place) =>
        isImage(one) ? imageFaults(one, place) : textFaults(one, place, 3000),
      ),
  },
  actions: {
    members: ['type', 'block_id', 'elements'],
    check: (block, at) => listFaults(block.elements, `${at}.elements`, 25, buttonFaults),
  },
  image: { members: ['type', 'block_id', 'image_url', 'alt_text', 'title'], check: imageFaults },
}

/** The parts of a message that Slack refuses; empty when it accepts the message. */
export function slackFaults(message: unknown): readonly string[] {
  if (!isObject(message)) return ['the message is not an object']
  const { blocks, text } = message
  const ids = Array.isArray(blocks) ? blocks.map((block) => (block as Json).block_id).filter(Boolean) : []
  return [
    ...strangers(message, MESSAGE_MEMBERS, 'message'),
    ...(blocks === undefined && typeof text !== 'string' ? ['neither text nor blocks'] : []),
    ...(text === undefined ? [] : lengthFaults(text, 'text', 40_000)),
    ...(new Set(ids).size === ids.length ? [] : ['block_id: not unique']),
    ...(blocks === undefined ? [] : listFaults(blocks, 'blocks', 50, blockFaults)),
  ]
}

function blockFaults(block: unknown, place: string): readonly string[] {
  if (!isObject(block)) return [`${place}: not an object`]
  const rule = BLOCKS[String(block.type)]
  if (!rule) return [`${place}: unknown type ${block.type}`]
  const id = block.block_id === undefined ? [] : lengthFaults(block.block_id, `${place}.block_id`, 255)
  return [...strangers(block, rule.members, place), ...id, ...(rule.check?.(block, place) ?? [])]
}

function sectionFaults({ text, fields, accessory }: Json, place: string): readonly string[] {
  if (text === undefined && fields === undefined) return [`${place}: neither text nor fields`]
  return [
    ...(text === undefined ? [] : textFaults(text, `${place}.text`, 3000)),
    ...(fields === undefined
      ? []
      : listFaults(fields, `${place}.fields`, 10, (field, at) => textFaults(field, at, 2000))),
    ...(accessory === undefined
      ? []
      : isImage(accessory)
        ? imageFaults(accessory, place)
        : buttonFaults(accessory, place)),
  ]
}

function buttonFaults(button: unknown, place: string): readonly string[] {
  if (!isObject(button) || button.type !== 'button') return [`${place}: not a button`]
  const { text, url, style, value, action_id: id } = button
  return [
    ...strangers(button, ['type', 'text', 'url', 'style', 'value', 'action_id', 'accessibility_label'], place),
    ...textFaults(text, `${place}.text`, 75, ['plain_text']),
    ...(url === undefined ? [] : urlFaults(url, `${place}.url`)),
    ...(style === undefined || style === 'primary' || style === 'danger' ? [] : [`${place}.style: ${style}`]),
    ...(value === undefined ? [] : lengthFaults(value, `${place}.value`, 2000)),
    ...(id === undefined ? [] : lengthFaults(id, `${place}.action_id`, 255)),
  ]
}

function imageFaults(image: Json, place: string): readonly string[] {
  return [
    ...urlFaults(image.image_url, `${place}.image_url`),
    ...lengthFaults(image.alt_text, `${place}.alt_text`, 2000),
  ]
}

function textFaults(text: unknown, place: string, limit: number, types: readonly string[] = ['plain_text', 'mrkdwn']) {
  if (!isObject(text)) return [`${place}: not a text object`]
  const type = String(text.type)
  if (!types.includes(type)) return [`${place}: type ${type}`]
  return [
    ...strangers(text, TEXT_MEMBERS[type as keyof typeof TEXT_MEMBERS], place),
    ...lengthFaults(text.text, place, limit),
    ...(type === 'mrkdwn' ? markupFaults(String(text.text), place) : []),
  ]
}

/** The three signs of markup stand only where markup is meant, and blocks of code are closed. */
function markupFaults(text: string, place: string): readonly string[] {
  const bare = text.replace(/<(?:https?:\/\/|mailto:|@|#|!)[^<>\n]*>/g, '')
  return [
    ...(/[<>]/.test(bare) ? [`${place}: unescaped < or >`] : []),
    ...(/&(?!amp;|lt;|gt;)/.test(bare) ? [`${place}: unescaped & in ${bare.slice(0, 200)}`] : []),
    ...(text.split('```').length % 2 === 0 ? [`${place}: a block of code is not closed`] : []),
  ]
}

function urlFaults(url: unknown, place: string): readonly string[] {
  const isUrl = typeof url === 'string' && /^https?:\/\/./.test(url) && URL.canParse(url)
  return [...(isUrl ? [] : [`${place}: not an address`]), ...lengthFaults(url, place, 3000)]
}

function lengthFaults(text: unknown, place: string, limit: number): readonly string[] {
  if (typeof text !== 'string') return [`${place}: not a text`]
  if (text === '') return [`${place}: empty`]
  if (!text.isWellFormed()) return [`${place}: not well-formed`]
  return text.length > limit ? [`${place}: ${text.length} characters, ${limit} allowed`] : []
}

function listFaults(
  list: unknown,
  place: string,
  limit: number,
  check: (one: unknown, place: string) => readonly string[],
) {
  if (!Array.isArray(list) || list.length === 0) return [`${place}: empty or not a list`]
  const tooMany = list.length > limit ? [`${place}: ${list.length} entries, ${limit} allowed`] : []
  return [...tooMany, ...list.flatMap((one, i) => check(one, `${place}[${i}]`))]
}

function strangers(value: Json, members: readonly string[], place: string): readonly string[] {
  return Object.keys(value).flatMap((name) => (members.includes(name) ? [] : [`${place}: unknown member ${name}`]))
}

function isImage(value: unknown): value is Json {
  return isObject(value) && value.type === 'image'
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
