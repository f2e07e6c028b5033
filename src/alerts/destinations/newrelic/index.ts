/** Events and log entries in New Relic. */
import type { Logger } from '../../../platform/types.ts'
import type { Destination, Message, RenderInput } from '../../types.ts'
import { createHttpSender, type HttpSenderDeps, type JsonRequest } from '../http-sender.ts'
import { newRelicEvent, newRelicEventUrl, newRelicHeaders, newRelicLog, targetOf } from './payload.ts'
import { usableAccounts } from './routes.ts'
import { type NewRelicConfig, newRelicSections } from './sections.ts'

export { newRelicRoutes } from './routes.ts'

interface NewRelicPayload extends JsonRequest {
  readonly announcement: string
}

export function createNewRelicDestination(
  deps: HttpSenderDeps & { readonly log: Logger },
  config: NewRelicConfig,
): Destination {
  const { url } = config.incidentTool.newRelic
  const sections = newRelicSections(config)
  const accounts = config.thirdPartyToolsCredentials.newRelic
  const sender = createHttpSender(deps)
  reportUnknown(deps.log, config)

  async function render({ event, route, target, deliveryId }: RenderInput): Promise<Message> {
    const matching = sections.filter(
      ({ routeName, outcomes }) => routeName === route.name && outcomes.includes(event.outcome),
    )
    const section = matching.find(({ kind }) =>
      accounts.some(({ accountName }) => target === targetOf(accountName, kind)),
    )
    const account = accounts.find(({ accountName }) => section && target === targetOf(accountName, section.kind))
    if (!section || !account) throw new Error(`the New Relic account of ${target} is no longer in the configuration`)
    const { kind, settings, headers } = section
    const content = kind === 'event' ? newRelicEvent(event, settings) : newRelicLog(event, settings)
    const payload: NewRelicPayload = {
      announcement: `${section.label}: Sending ${kind} to account "${account.accountName}"`,
      url: kind === 'event' ? newRelicEventUrl(url.event, account.accountId) : url.log,
      headers: newRelicHeaders(headers, account.insertApiKey),
      body: JSON.stringify(content),
    }
    return { deliveryId, target, subject: null, body: JSON.stringify(content, null, 2), payload }
  }

  function send({ payload, deliveryId }: Message, signal: AbortSignal) {
    const { announcement, ...request } = payload as NewRelicPayload
    deps.log.info(announcement)
    return sender.post(request, deliveryId, signal)
  }

  return {
    name: 'newrelic',
    type: 'newrelic',
    render,
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    async close() {
      sender.close()
    },
  }
}

/** Accounts that the configuration names without their credentials. */
function reportUnknown(log: Logger, config: NewRelicConfig): void {
  const usable = usableAccounts(config)
  const named = newRelicSections(config).flatMap(({ accounts, kind }) =>
    accounts({ task: null })
      .filter((account) => !usable.has(account))
      .map((account) => `NEW RELIC ${kind.toUpperCase()}: New Relic account name "${account}"`),
  )
  for (const what of new Set(named)) log.error(`${what} does not exist in the Butler config file.`)
}
