/** Accounts of New Relic that are named must exist. */
import type { Config } from '../../schema.ts'
import type { Check } from './check.ts'

const EVENTS = ['reloadTaskFailure', 'reloadTaskAborted'] as const
const KINDS = ['event', 'log'] as const

/** The other accounts of the list get what they should. */
export const newRelicAccounts: Check = ({ config, report }) => {
  const known = new Set(config.thirdPartyToolsCredentials.newRelic.map(({ accountName }) => accountName))
  for (const [path, names] of usedLists(config)) {
    for (const [index, name] of names.entries()) {
      if (known.has(name)) continue
      const hint = `add an account of that name to Butler.thirdPartyToolsCredentials.newRelic`
      const feature = `${path}[${index}]`
      report('error', feature, `no New Relic account is called "${name}"`, { feature, hint })
    }
    names.splice(0, names.length, ...names.filter((name) => known.has(name)))
  }
}

/** Path and account names of every list that is in use. */
function usedLists(config: Config): (readonly [path: string, names: string[]])[] {
  const lists: (readonly [string, string[]])[] = []
  const { newRelic } = config.incidentTool
  const tool = 'incidentTool.newRelic'
  if (newRelic.enable) {
    for (const kind of KINDS) {
      lists.push([`${tool}.destinationAccount.${kind}`, newRelic.destinationAccount[kind]])
      for (const event of EVENTS) {
        const { enable, sendToAccount } = newRelic[event].destination[kind]
        const path = `${tool}.${event}.destination.${kind}.sendToAccount.always.account`
        if (enable && sendToAccount.always.enable) lists.push([path, sendToAccount.always.account])
      }
    }
  }
  const { serviceMonitor, uptimeMonitor } = config
  if (serviceMonitor.enable && serviceMonitor.alertDestination.newRelic.enable) {
    for (const kind of KINDS) {
      const { enable, sendToAccount } = newRelic.serviceMonitor.destination[kind]
      const path = `${tool}.serviceMonitor.destination.${kind}.sendToAccount`
      if (enable) lists.push([path, sendToAccount])
    }
  }
  const { storeNewRelic } = uptimeMonitor
  if (uptimeMonitor.enable && storeNewRelic.enable) {
    const path = 'uptimeMonitor.storeNewRelic'
    lists.push([`${path}.destinationAccount`, storeNewRelic.destinationAccount])
  }
  return lists
}
