/** Microsoft Teams: an Adaptive Card to the webhook of a workflow. */
import { cleanText, escapeMarkdown } from '../../templates/escape.ts'
import { teamsResult } from '../teams/answer.ts'
import { teamsMessage } from '../teams/message.ts'
import { chatTemplate, chatWords } from './chat.ts'
import { hostOf, secretsOfUrl } from './secrets.ts'
import { type HttpTypeFactory, TEXT_NEEDS } from './types.ts'

export const teams: HttpTypeFactory<'teams'> = (settings, deps, name) => {
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
}
