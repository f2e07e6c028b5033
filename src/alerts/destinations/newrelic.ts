/** New Relic: events or log entries, one delivery per account. */
import { z } from 'zod'
import { choice, list } from '../../config/fields.ts'
import type { PlannedDelivery } from '../types.ts'
import { httpDestination } from './http.ts'
import {
  ALL_ATTRIBUTES,
  newRelicEvent,
  newRelicEventUrl,
  newRelicHeaders,
  newRelicLog,
  targetOf,
} from './newrelic/payload.ts'
import type { SettingsOf } from './settings.ts'
import { type DestinationDeps, TEXT_NEEDS } from './types.ts'

const config = () => ({
  account: list('Names of New Relic accounts.', z.string(), { min: 1 }),
  as: choice('Send as event or log entry.', ['event', 'log'], 'event'),
})
type Settings = SettingsOf<typeof config>

export const newrelic = httpDestination({
  purpose: 'record',
  config,
  check: ({ account }, { config }) =>
    account
      .filter((name) => !config.thirdPartyToolsCredentials.newRelic.some(({ accountName }) => accountName === name))
      .map((name) => ['account', `"${name}" is not in Butler.thirdPartyToolsCredentials.newRelic`]),
  server: ({ as }, newRelic) => ['as', newRelic[as]],
  create: (settings, { newRelic, version }) => {
    const { as, tailScriptLogLines } = settings
    const { accounts, url } = newRelic
    return {
      needs: TEXT_NEEDS,
      target: settings.account.join(', '),
      targets: targetsOf(settings, accounts),
      secrets: accounts.map(({ insertApiKey }) => insertApiKey),
      render({ event, target }) {
        const account = accounts.find(({ accountName }) => target === targetOf(accountName, as))
        if (!account) throw new Error(`the New Relic account of ${target} is no longer in the configuration`)
        const content = { attributes: [], dynamic: ALL_ATTRIBUTES, version, tailScriptLogLines }
        const headers = newRelicHeaders([], account.insertApiKey)
        if (as === 'log') return { url: url.log, headers, body: JSON.stringify(newRelicLog(event, content)) }
        const address = newRelicEventUrl(url.event, account.accountId)
        return { url: address, headers, body: JSON.stringify(newRelicEvent(event, content)) }
      },
    }
  },
})

/** One lane per account: a key that is refused holds up nobody else. */
function targetsOf(
  { account, as }: Settings,
  accounts: DestinationDeps['newRelic']['accounts'],
): readonly PlannedDelivery[] {
  return [...new Set(account)].map((name) => {
    const planned = { target: targetOf(name, as), lane: `newrelic:${name}` }
    if (accounts.some(({ accountName, insertApiKey }) => accountName === name && insertApiKey !== '')) return planned
    const detail = `there is no New Relic account "${name}" with an insertApiKey in Butler.thirdPartyToolsCredentials`
    return { ...planned, suppress: { reason: 'RECIPIENT_INVALID', detail } }
  })
}
