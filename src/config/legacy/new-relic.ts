/** Older layouts of New Relic. */
import { emptyMap, listOf, scalar, type TreeNode } from '../tree.ts'
import type { LegacyContext } from './context.ts'

const TOOL = 'incidentTool.newRelic'
const ACCOUNTS = 'thirdPartyToolsCredentials.newRelic'
const EVENTS = ['reloadTaskFailure', 'reloadTaskAborted']

/** One account as a mapping, without a name. */
export function singleAccount(legacy: LegacyContext): void {
  const node = legacy.get(ACCOUNTS)
  if (node?.kind !== 'map' || node.entries.size === 0) return
  const at = legacy.place(ACCOUNTS)
  const account = emptyMap(node.at)
  account.entries.set('accountName', { at, node: scalar('default', at) })
  for (const [key, entry] of node.entries) account.entries.set(key, entry)
  legacy.deprecated(ACCOUNTS, '7.3–8.3.1', `${ACCOUNTS}[]`)
  legacy.set(ACCOUNTS, listOf([account], node.at), at)
}

/** `url` was one text. */
export function singleUrl(legacy: LegacyContext): void {
  const node = legacy.get(`${TOOL}.url`)
  if (node?.kind !== 'scalar' || node.value === null) return
  const at = legacy.place(`${TOOL}.url`)
  legacy.deprecated(`${TOOL}.url`, '7.3–7.5', `${TOOL}.url.event`)
  const urls = emptyMap(at)
  urls.entries.set('event', { at, node })
  legacy.set(`${TOOL}.url`, urls, at)
}

/** One switch per event; everything went to all accounts. */
export function eventSwitches(legacy: LegacyContext): void {
  for (const event of EVENTS) {
    const from = `${TOOL}.${event}.enable`
    if (!legacy.has(from)) continue
    const at = legacy.place(from)
    const always = `${TOOL}.${event}.destination.event.sendToAccount.always`
    legacy.move(from, `${TOOL}.${event}.destination.event.enable`, '7.3–7.5')
    if (legacy.has(always)) continue
    legacy.setValue(`${always}.enable`, true, at)
    legacy.set(`${always}.account`, allAccounts(legacy, at), at)
  }
}

/** Before accounts could be chosen, all of them got everything. */
export function missingAccountLists(legacy: LegacyContext): void {
  if (legacy.value(`${TOOL}.enable`) !== true || legacy.has(`${TOOL}.destinationAccount`)) return
  const finer = EVENTS.some((event) =>
    ['event', 'log'].some((what) => legacy.has(`${TOOL}.${event}.destination.${what}.sendToAccount`)),
  )
  const used = EVENTS.some((event) => legacy.has(`${TOOL}.${event}`))
  if (finer || !used) return
  const at = legacy.place(TOOL)
  legacy.deprecated(TOOL, 'up to 8.5.0, without account lists', `${TOOL}.destinationAccount (all accounts)`)
  for (const what of ['event', 'log']) legacy.set(`${TOOL}.destinationAccount.${what}`, allAccounts(legacy, at), at)
}

const ACCOUNT_LISTS = [
  'uptimeMonitor.storeNewRelic.destinationAccount',
  'restServerEndpointsConfig.newRelic.postNewRelicMetric.destinationAccount',
  'restServerEndpointsConfig.newRelic.postNewRelicEvent.destinationAccount',
]

/** With a nameless account an empty list of accounts means that account. To be called after `singleAccount`. */
export function namelessDestinations(legacy: LegacyContext): void {
  const accounts = legacy.get(ACCOUNTS)
  if (accounts?.kind !== 'list' || accounts.items.length !== 1 || !isDefault(accounts.items[0])) return
  for (const path of ACCOUNT_LISTS) {
    const section = path.slice(0, path.lastIndexOf('.'))
    const list = legacy.get(path)
    const empty =
      !list || (list.kind === 'list' && list.items.length === 0) || (list.kind === 'scalar' && list.value === null)
    if (!legacy.has(section) || !empty) continue
    const at = legacy.place(section)
    legacy.set(path, listOf([scalar('default', at)], at), at)
  }
}

function isDefault(node: TreeNode | undefined): boolean {
  const name = node?.kind === 'map' ? node.entries.get('accountName')?.node : undefined
  return name?.kind === 'scalar' && name.value === 'default'
}

function allAccounts(legacy: LegacyContext, at: TreeNode['at']): TreeNode {
  const accounts = legacy.get(ACCOUNTS)
  const names = accounts?.kind === 'list' ? accounts.items.map(nameOf) : []
  return listOf(
    names.filter((name): name is string => typeof name === 'string').map((name) => scalar(name, at)),
    at,
  )
}

function nameOf(node: TreeNode): unknown {
  const name = node.kind === 'map' ? node.entries.get('accountName')?.node : undefined
  return name?.kind === 'scalar' ? name.value : undefined
}
