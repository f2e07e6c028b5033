/** New Relic as routes: one delivery per account and kind of message. */
import type { Need, TaskEvent } from '../../../events/types.ts'
import type { PlannedDelivery, Route } from '../../types.ts'
import { targetOf } from './payload.ts'
import { type NewRelicConfig, type NewRelicSection, newRelicSections } from './sections.ts'

/** Target of a row that says why no account gets anything. */
const NOBODY = '(no account)'

export function newRelicRoutes(config: NewRelicConfig): Route[] {
  const usable = usableAccounts(config)
  const byRoute = Map.groupBy(newRelicSections(config), ({ routeName }) => routeName)
  return [...byRoute].map(([name, sections]) => ({
    name,
    destination: 'newrelic',
    when: { types: [sections[0]!.type], outcomes: [...new Set(sections.flatMap(({ outcomes }) => outcomes))] },
    phase: 'enriched',
    needs: [...new Set(sections.flatMap(needsOf))],
    plan: (event) =>
      sections
        .filter(({ outcomes }) => outcomes.includes(event.outcome))
        .flatMap((section) => plan(event, section, usable)),
  }))
}

/** Names of the accounts that have a key. */
export function usableAccounts({ thirdPartyToolsCredentials }: NewRelicConfig): ReadonlySet<string> {
  const accounts = thirdPartyToolsCredentials.newRelic.filter(({ insertApiKey }) => insertApiKey !== '')
  return new Set(accounts.map(({ accountName }) => accountName))
}

function needsOf({ type, kind }: NewRelicSection): readonly Need[] {
  if (type !== 'reload') return []
  return kind === 'event' ? ['app'] : ['app', 'execution', 'scriptLog']
}

function plan(event: TaskEvent, section: NewRelicSection, usable: ReadonlySet<string>): readonly PlannedDelivery[] {
  const accounts = section.accounts(event)
  if (accounts.length === 0) {
    const detail = 'no New Relic account is configured for this event'
    return [{ target: targetOf(NOBODY, section.kind), lane: 'newrelic', suppress: { reason: 'NO_RECIPIENT', detail } }]
  }
  return accounts.map((account) => delivery(event, section, account, usable.has(account)))
}

/** One lane per account: a key that is refused holds up nobody else. */
function delivery(event: TaskEvent, section: NewRelicSection, account: string, isUsable: boolean): PlannedDelivery {
  const target = targetOf(account, section.kind)
  const lane = `newrelic:${account}`
  if (!isUsable) {
    const detail = `New Relic account name "${account}" does not exist in the Butler config file, or has no insertApiKey`
    return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail } }
  }
  const key = `${section.routeName}|${section.kind}|${section.outcomes[0]}|${section.subject(event)}`
  return { target, lane, limit: { key, windowMs: section.rateLimitMs } }
}
