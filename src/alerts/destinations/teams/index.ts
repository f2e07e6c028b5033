/** Alerts in Microsoft Teams. */
import type { Destination } from '../../types.ts'
import { type ChatDestinationDeps, createChatDestination } from '../chat/destination.ts'
import type { ChatConfig } from '../chat/sections.ts'
import { teamsResult } from './answer.ts'
import { teamsMessage } from './message.ts'

export { teamsRoutes } from '../chat/routes.ts'

export function createTeamsDestination(deps: ChatDestinationDeps, config: ChatConfig): Destination {
  return createChatDestination(deps, config, {
    channel: 'teams',
    async message(settings, variables) {
      const body = await teamsMessage(deps, settings, variables)
      return { body, payload: body }
    },
    send: (sender, url, { deliveryId }, payload, signal) =>
      sender.post({ url, body: JSON.stringify(payload) }, deliveryId, signal, teamsResult),
  })
}
