/** Mattermost: an incoming webhook (https://developers.mattermost.com/integrate/webhooks/incoming/). */
import { text } from '../../config/fields.ts'
import { cut } from '../message-text/cut.ts'
import type { AlertText, Link } from '../message-text/writer.ts'
import { cleanText, escapeAngles } from '../templates/escape.ts'
import { colourOf, joined } from './chat.ts'
import { hostOf, httpDestination, secretsOfUrl } from './http.ts'
import { senderName, webhookAddress } from './settings.ts'
import { TEXT_NEEDS } from './types.ts'

const TITLE_LIMIT = 500
/** The server splits a longer text into several posts. */
const TEXT_LIMIT = 12_000

const config = () => ({
  webhookURL: webhookAddress('Mattermost: Integrations > Incoming Webhooks.'),
  channel: text('Channel, or @user for a direct message.', '', { defaultText: 'channel of the webhook' }).meta({
    label: 'Channel',
    hint: 'A channel, or @user for a direct message; empty = the channel of the webhook.',
  }),
  username: senderName('Footman'),
})

export const mattermost = httpDestination({
  title: 'Mattermost',
  about: 'Messages to a channel or a person, over an incoming webhook.',
  purpose: 'alert',
  config,
  server: ({ webhookURL }) => ['webhookURL', webhookURL],
  create: ({ webhookURL: url, channel, username }) => ({
    needs: TEXT_NEEDS,
    showsTextOnly: true,
    escaped,
    target: channel || hostOf(url),
    secrets: secretsOfUrl(url),
    render: ({ text, severity, kind }) => ({
      url,
      body: JSON.stringify({
        channel: channel || undefined,
        username,
        text: `**${cut(text.title, TITLE_LIMIT)}**`,
        attachments: [{ color: colourOf({ severity, kind }), text: details(text) }],
      }),
    }),
  }),
})

function details({ facts, main, problem, links }: AlertText): string {
  const lines = facts.map(({ name, value }) => `**${name}:** ${value}`).join('\n')
  const shown = cut(joined([lines, main], '\n\n'), TEXT_LIMIT)
  return joined([shown, problem, links.map(linkTo).join(' | ')], '\n\n')
}

function linkTo({ text: label, url }: Link): string {
  return `[${escaped(label)}](${url.replaceAll('(', '%28').replaceAll(')', '%29')})`
}

/**
 * Outside text is shown as it is: no formatting, no link with another address than it shows, no mention. Signs of
 * Markdown get a backslash (an underscore within a word needs none, which keeps addresses whole), angles become
 * entities (Mattermost also reads Slack's `<!channel>` and `<address|text>`), and a blank follows the @ of a mention.
 */
function escaped(text: string): string {
  const marked = cleanText(text).replace(/[\\`*~[\]|#]|(?<![a-z0-9])_|_(?![a-z0-9])/gi, '\\$&')
  return escapeAngles(marked).replace(/(?<![a-z0-9])@(?=[\p{L}\p{N}_\\])/giu, '@ ')
}
