/** Discord: an embed posted to the webhook of a channel. */
import { z } from 'zod'
import { list, text } from '../../config/fields.ts'
import { jsonOf } from '../../platform/http-client.ts'
import { cut } from '../message-text/cut.ts'
import type { Fact } from '../message-text/writer.ts'
import { cleanText, escapeMarkdown } from '../templates/escape.ts'
import { colourOf, joined } from './chat.ts'
import { hostOf, httpDestination, resultWithPause, secretsOfUrl } from './http.ts'
import { type SettingsOf, senderName, webhookAddress } from './settings.ts'
import { type HttpRenderInput, TEXT_NEEDS } from './types.ts'

const LIMITS = { title: 256, description: 4096, name: 256, value: 1024, footer: 200, fields: 25, all: 6000 }
/** A longer value would be broken over lines in a narrow column. */
const INLINE_VALUE = 40
const PER_MINUTE = 25

const config = () => ({
  webhookURL: webhookAddress('Discord: channel settings > Integrations > Webhooks > Copy Webhook URL.'),
  username: senderName('Footman'),
  threadId: text('Thread.').meta({
    label: 'Thread',
    hint: 'Id of a thread of the channel; empty = the channel itself.',
    advanced: true,
  }),
  mentionRoles: list('Ids of roles to mention.', z.string()).meta({
    label: 'Roles to mention',
    hint: 'Ids of roles, one a line.',
    advanced: true,
  }),
})
type Settings = SettingsOf<typeof config>

export const discord = httpDestination({
  title: 'Discord',
  about: 'Messages to a channel of a server, over its webhook.',
  purpose: 'alert',
  config,
  server: ({ webhookURL }) => ['webhookURL', webhookURL],
  create: (settings) => ({
    needs: TEXT_NEEDS,
    showsTextOnly: true,
    escaped: (text) => escapeMarkdown(cleanText(text)),
    target: hostOf(settings.webhookURL),
    secrets: secretsOfUrl(settings.webhookURL),
    pace: { key: `discord ${settings.webhookURL}`, perMinute: PER_MINUTE },
    render: (input) => ({ url: addressOf(settings), body: JSON.stringify(message(input, settings)) }),
    // The pause stands in seconds in the body of a 429.
    result: (response, now) => resultWithPause(response, now, jsonOf(response).retry_after),
  }),
})

function addressOf({ webhookURL, threadId }: Settings): string {
  const url = new URL(webhookURL)
  url.searchParams.set('wait', 'true')
  if (threadId) url.searchParams.set('thread_id', threadId)
  return url.href
}

function message(input: HttpRenderInput, { username, mentionRoles }: Settings) {
  const roles = mentionRoles.length > 0 ? { roles: mentionRoles } : {}
  return {
    username,
    content: mentionRoles.map((id) => `<@&${id}>`).join(' '),
    embeds: [embed(input)],
    allowed_mentions: { parse: [], ...roles },
  }
}

function embed({ event, text, severity, kind, rule }: HttpRenderInput) {
  const title = cut(text.title, LIMITS.title)
  const footer = { text: cut(`Footman - ${rule.name}`, LIMITS.footer) }
  const fields = text.facts.slice(0, LIMITS.fields).map(field)
  const used = [title, footer.text, ...fields.flatMap(({ name, value }) => [name, value])].join('').length
  const description = joined([text.main, text.problem], '\n')
  return {
    title,
    url: text.links[0]?.url,
    description: cut(description, Math.min(LIMITS.description, LIMITS.all - used)) || undefined,
    color: Number.parseInt(colourOf({ severity, kind }).slice(1), 16),
    timestamp: new Date(event.receivedAt).toISOString(),
    fields,
    footer,
  }
}

function field({ name, value }: Fact) {
  return { name: cut(name, LIMITS.name), value: cut(value, LIMITS.value), inline: value.length <= INLINE_VALUE }
}
