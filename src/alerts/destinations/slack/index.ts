/** Alerts in Slack. */

import type { Destination } from '../../types.ts'
import { type ChatDestinationDeps, createChatDestination } from '../chat/destination.ts'
import type { ChatConfig } from '../chat/sections.ts'
import type { HttpSender } from '../http-sender.ts'
import { isContentRefused, slackResult } from './answer.ts'
import { type SlackMessage, slackMessage } from './message.ts'

export { slackRoutes } from '../chat/routes.ts'

export function createSlackDestination(deps: ChatDestinationDeps, config: ChatConfig): Destination {
  return createChatDestination(deps, config, {
    channel: 'slack',
    async message(settings, variables) {
      const message = await slackMessage(deps, settings, variables)
      return { body: message.body, payload: message }
    },
    send: (sender, url, { deliveryId }, payload, signal) =>
      postToSlack(sender, url, payload as SlackMessage, deliveryId, signal),
  })
}

/** When Slack refuses the blocks, which only a template of the user can cause, the same is told in plain words. */
export function postToSlack(sender: HttpSender, url: string, message: SlackMessage, id: string, signal: AbortSignal) {
  return sender.post({ url, body: JSON.stringify(message.body) }, id, signal, async (response, now) => {
    const result = slackResult(response, now)
    if (!isContentRefused(response)) return result
    const plain = await sender.post({ url, body: JSON.stringify(message.plain) }, id, signal, slackResult)
    if (plain.outcome !== 'delivered') return plain
    return {
      outcome: 'delivered',
      detail: `${plain.detail}, as plain text: Slack refused the blocks (${result.detail})`,
    }
  })
}
