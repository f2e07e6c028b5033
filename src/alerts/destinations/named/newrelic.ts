/** New Relic: events or log entries, one delivery per account. */
import type { PlannedDelivery } from '../../types.ts'
import { ALL_ATTRIBUTES, newRelicEvent, newRelicEventUrl, newRelicHeaders, newRelicLog } from '../newrelic/payload.ts'
import { targetOf } from '../newrelic/sections.ts'
import { type HttpTypeDeps, type HttpTypeFactory, type SettingsOf, TEXT_NEEDS } from './types.ts'

export const newrelic: HttpTypeFactory<'newrelic'> = (settings, { newRelic, version }) => {
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
}

/** One lane per account: a key that is refused holds up nobody else. */
function targetsOf(
  { account, as }: SettingsOf<'newrelic'>,
  accounts: HttpTypeDeps['newRelic']['accounts'],
): readonly PlannedDelivery[] {
  return [...new Set(account)].map((name) => {
    const planned = { target: targetOf(name, as), lane: `newrelic:${name}` }
    if (accounts.some(({ accountName, insertApiKey }) => accountName === name && insertApiKey !== '')) return planned
    const detail = `there is no New Relic account "${name}" with an insertApiKey in Butler.thirdPartyToolsCredentials`
    return { ...planned, suppress: { reason: 'RECIPIENT_INVALID', detail } }
  })
}
