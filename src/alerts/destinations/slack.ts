/** Slack: a message to an incoming webhook. */
import { requiredHttpUrl, text } from '../../config/fields.ts'
import { chatTemplate, chatWords } from './chat/template.ts'
import { hostOf, httpDestination, secretsOfUrl } from './http.ts'
import { messageType } from './settings.ts'
import { isContentRefused, slackResult } from './slack/answer.ts'
import { slackMessage } from './slack/message.ts'
import { TEXT_NEEDS } from './types.ts'

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
        const { body, plain } = await slackMessage(deps, { ...chat, ...sender }, chatWords(input))
        return { url, body: JSON.stringify(body), plainBody: JSON.stringify(plain) }
      },
      result: slackResult,
      // Blocks that Slack does not take come from a template of the user: the same in plain words.
      second: (response, call) =>
        isContentRefused(response) && call.plainBody ? { ...call, body: call.plainBody, plainBody: undefined } : null,
    }
  },
})
