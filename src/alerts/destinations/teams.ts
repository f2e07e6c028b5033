/** Microsoft Teams: an Adaptive Card to the webhook of a workflow. */
import { requiredHttpUrl } from '../../config/fields.ts'
import { cleanText, escapeMarkdown } from '../templates/escape.ts'
import { chatTemplate, chatWords } from './chat/template.ts'
import { hostOf, httpDestination, secretsOfUrl } from './http.ts'
import { messageType } from './settings.ts'
import { teamsResult } from './teams/answer.ts'
import { teamsMessage } from './teams/message.ts'
import { TEXT_NEEDS } from './types.ts'

const config = () => ({
  webhookURL: requiredHttpUrl('Address to post to.'),
  messageType: messageType(),
})

export const teams = httpDestination({
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
        const card = await teamsMessage(deps, { ...chat, webhookURL: url }, chatWords(input))
        return { url, body: JSON.stringify(card) }
      },
      result: teamsResult,
    }
  },
})
