/** Telegram: a message of a bot (https://core.telegram.org/bots/api#sendmessage). */

import { z } from 'zod'
import { requiredText } from '../../config/fields.ts'
import { type HttpResponse, jsonOf } from '../../platform/http-client.ts'
import { ownJson } from '../../platform/json.ts'
import { cut } from '../message-text/cut.ts'
import type { AlertText } from '../message-text/writer.ts'
import { escapeAngles } from '../templates/escape.ts'
import type { DeliveryResult } from '../types.ts'
import { factLines, joined } from './chat.ts'
import { httpDestination, resultWithPause } from './http.ts'
import type { SettingsOf } from './settings.ts'
import { type HttpCall, type HttpRenderInput, TEXT_NEEDS } from './types.ts'

const BASE = 'https://api.telegram.org'

const TEXT_LIMIT = 4096
const TITLE_LIMIT = 512
/** Characters of the facts, which leaves room for the error text. */
const FACTS_LIMIT = 1800
const PER_MINUTE = 20

const config = () => ({
  botToken: requiredText('Token of the bot.').meta({
    label: 'Token of the bot',
    hint: 'Telegram: write /newbot to @BotFather.',
    secret: true,
  }),
  chatId: z.union([z.number(), z.string().min(1)]).meta({
    description: 'Id of the chat (a number) or @channel.',
    label: 'Chat',
    hint: 'Id of the chat (a number), or @channel; add the bot to it first.',
    needed: true,
  }),
  threadId: z.int().optional().meta({
    description: 'Thread.',
    label: 'Thread',
    hint: 'Number of a topic of the group; empty = none.',
    advanced: true,
  }),
})
type Settings = SettingsOf<typeof config>

export const telegram = httpDestination({
  title: 'Telegram',
  about: 'Messages of a bot to a chat, a group or a channel.',
  purpose: 'alert',
  config,
  server: () => ['type', BASE],
  create: (settings, { log }, name) => {
    /** A group that became a supergroup has another id. */
    let chatId = settings.chatId
    return {
      needs: TEXT_NEEDS,
      showsTextOnly: true,
      target: String(settings.chatId),
      secrets: [settings.botToken],
      pace: { key: `telegram ${settings.chatId}`, perMinute: PER_MINUTE },
      render: (input) => ({
        url: `${BASE}/bot${settings.botToken}/sendMessage`,
        body: JSON.stringify({ chat_id: chatId, ...message(input, settings) }),
      }),
      result: telegramResult,
      second(response, call) {
        if (response.status !== 400) return null
        const { description, parameters } = jsonOf(response) as TelegramAnswer
        const moved = parameters?.migrate_to_chat_id
        if (moved !== undefined) {
          log.warn(
            `NOTIFY Telegram chat ${chatId} is now ${moved}: set chatId of Butler.footman.destinations.${name} to it`,
          )
          chatId = moved
          return changed(call, { chat_id: moved })
        }
        if (/entit|parse/i.test(description ?? '')) return withoutMarkup(call)
        // Buttons need addresses that Telegram takes for public ones.
        if (/button|url/i.test(description ?? '')) return changed(call, { reply_markup: undefined })
        return null
      },
    }
  },
})

interface TelegramAnswer {
  readonly ok?: boolean
  readonly description?: string
  readonly parameters?: { readonly retry_after?: number; readonly migrate_to_chat_id?: number }
}

function message({ text, severity }: HttpRenderInput, { threadId }: Settings) {
  const buttons = text.links.map(({ text: label, url }) => ({ text: label, url }))
  return {
    ...(threadId === undefined ? {} : { message_thread_id: threadId }),
    text: html(text),
    parse_mode: 'HTML',
    disable_notification: severity === 'info',
    link_preview_options: { is_disabled: true },
    ...(buttons.length > 0 ? { reply_markup: { inline_keyboard: [buttons] } } : {}),
  }
}

function html({ title, facts, main, custom, problem }: AlertText): string {
  const head = `<b>${escapeAngles(cut(title, TITLE_LIMIT, escapedLength))}</b>`
  const lines = cut(factLines(facts), FACTS_LIMIT, escapedLength)
  const start = joined([head, escapeAngles(lines)], '\n')
  const end = problem ? `\n${escapeAngles(cut(problem, TITLE_LIMIT, escapedLength))}` : ''
  const [open, close] = custom ? ['\n', ''] : [`${lines ? '\n' : ''}\n<pre>`, '</pre>']
  const room = TEXT_LIMIT - start.length - open.length - close.length - end.length
  return main ? `${start}${open}${escapeAngles(cut(main, room, escapedLength))}${close}${end}` : `${start}${end}`
}

const escapedLength = (text: string) => escapeAngles(text).length

function changed(call: HttpCall, changes: Readonly<Record<string, unknown>>): HttpCall {
  return { ...call, body: JSON.stringify({ ...ownJson<object>(call.body ?? '{}'), ...changes }) }
}

/** The same text without markup. */
function withoutMarkup(call: HttpCall): HttpCall {
  const { text } = ownJson<{ text: string }>(call.body ?? '{}')
  const plain = text
    .replace(/<\/?(?:b|pre)>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
  return changed(call, { text: plain, parse_mode: undefined })
}

/** Success is 200 with `"ok": true`, or with a body that breaks off; the pause of a 429 stands in seconds in `parameters.retry_after`. */
function telegramResult(response: HttpResponse, now: number): DeliveryResult {
  const { ok, parameters } = jsonOf(response) as TelegramAnswer
  if (response.status === 200 && ok !== true && !response.truncated)
    return { outcome: 'retry', detail: 'HTTP 200 without "ok": true' }
  return resultWithPause(response, now, parameters?.retry_after)
}
