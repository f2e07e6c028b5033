/** Google Chat: an incoming webhook of a space (https://developers.google.com/workspace/chat/quickstart/webhooks). */
import { flag } from '../../config/fields.ts'
import { cut } from '../message-text/cut.ts'
import type { AlertText, Link } from '../message-text/writer.ts'
import { cleanText } from '../templates/escape.ts'
import { factLines, joined } from './chat.ts'
import { hostOf, httpDestination, secretsOfUrl } from './http.ts'
import { webhookAddress } from './settings.ts'
import { type HttpRenderInput, TEXT_NEEDS } from './types.ts'

const TITLE_LIMIT = 500
const TEXT_LIMIT = 4096
/** A space takes one message a second from all its webhooks together. */
const PER_MINUTE = 50

const config = () => ({
  webhookURL: webhookAddress('Google Chat: space > Apps & integrations > Webhooks.'),
  threads: flag('Put the messages about one task into one thread, a recovery included.', true).meta({
    label: 'A thread for each task',
    advanced: true,
  }),
})

export const googlechat = httpDestination({
  title: 'Google Chat',
  about: 'Messages to a space, over its webhook.',
  purpose: 'alert',
  config,
  server: ({ webhookURL }) => ['webhookURL', webhookURL],
  create: ({ webhookURL, threads }) => ({
    needs: TEXT_NEEDS,
    showsTextOnly: true,
    escaped,
    target: hostOf(webhookURL),
    secrets: secretsOfUrl(webhookURL),
    pace: { key: `googlechat ${new URL(webhookURL).pathname}`, perMinute: PER_MINUTE },
    render(input) {
      const text = textOf(input.text)
      if (!threads) return { url: webhookURL, body: JSON.stringify({ text }) }
      return { url: threadedUrl(webhookURL), body: JSON.stringify({ text, thread: { threadKey: threadKeyOf(input) } }) }
    },
  }),
})

/** Without this option Google Chat ignores the thread. */
function threadedUrl(webhookURL: string): string {
  const url = new URL(webhookURL)
  url.searchParams.set('messageReplyOption', 'REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD')
  return url.href
}

function threadKeyOf({ text, kind, rule }: HttpRenderInput): string {
  return kind === 'summary' ? `footman:summary:${rule.name}` : text.key
}

function textOf({ title, facts, main, problem, links }: AlertText): string {
  const head = joined([`*${cut(title, TITLE_LIMIT)}*`, factLines(facts)], '\n')
  const end = joined([problem && cut(problem, TITLE_LIMIT), links.map(linkTo).join(' | ')], '\n')
  const room = Math.max(0, TEXT_LIMIT - end.length - 2)
  return joined([cut(joined([head, main], '\n\n'), room), end], '\n\n')
}

function linkTo({ text: label, url }: Link): string {
  return `<${url.replaceAll('|', '%7C').replaceAll('>', '%3E')}|${label.replace(/[<>|]/g, ' ')}>`
}

/** Google Chat has no escape sign. A blank tears links `<address|text>` and mentions `<users/all>` apart. */
function escaped(text: string): string {
  return cleanText(text).replace(/<(?=(?:users\/|[a-z][a-z0-9+.-]*:))/gi, '< ')
}
