/** Older layouts of single sections, section by section; `translate.ts` has the order in which they are applied. */
import { clone, emptyMap, listOf, type MapNode, scalar, type TreeNode } from '../tree.ts'
import type { LegacyContext } from './context.ts'

// Connection to Qlik Sense

/** `headers: {X-Qlik-User: v}` became a list. */
export function headerMappings(legacy: LegacyContext): void {
  for (const section of ['configEngine', 'configQRS']) {
    const headers = legacy.get(`${section}.headers`)
    if (headers?.kind !== 'map') continue
    const old = [...headers.entries].filter(([key, { node }]) => key !== 'static' && node.kind === 'scalar')
    for (const [key, entry] of old) {
      headers.entries.delete(key)
      legacy.deprecated(`${section}.headers.${key}`, '2.0–12.4', `${section}.headers.static`, entry.at)
      appendHeader(legacy, section, key, nameValue(key, entry.node))
    }
  }
}

/** `headerKey` and `headerValue` were one header. */
export function headerPair(legacy: LegacyContext): void {
  const [key, value] = ['configQRS.headerKey', 'configQRS.headerValue'].map((path) => {
    const node = legacy.get(path)
    return node && { at: legacy.place(path), node }
  })
  if (!key && !value) return
  legacy.deprecated('configQRS.headerKey', '2.0–12.4', 'configQRS.headers.static')
  legacy.drop('configQRS.headerKey')
  legacy.drop('configQRS.headerValue')
  if (key?.node.kind !== 'scalar' || typeof key.node.value !== 'string' || !value) return
  const item = emptyMap(key.at)
  item.entries.set('name', key)
  item.entries.set('value', value)
  appendHeader(legacy, 'configQRS', key.node.value, item)
}

function appendHeader(legacy: LegacyContext, section: string, name: string, item: MapNode): void {
  const existing = legacy.get(`${section}.headers.static`)
  const items = existing?.kind === 'list' ? existing.items : []
  if (items.some((one) => isNamed(one, name))) return
  legacy.set(`${section}.headers.static`, listOf([...items, item], item.at), item.at)
}

function isNamed(item: TreeNode, name: string): boolean {
  const node = item.kind === 'map' ? item.entries.get('name')?.node : undefined
  return node?.kind === 'scalar' && String(node.value).toLowerCase() === name.toLowerCase()
}

/** One switch for both connections. */
export function rejectUnauthorized(legacy: LegacyContext): void {
  const value = legacy.value('cert.rejectUnauthorized')
  if (typeof value !== 'boolean') return
  const at = legacy.place('cert.rejectUnauthorized')
  if (!legacy.has('configEngine.rejectUnauthorized')) legacy.setValue('configEngine.rejectUnauthorized', value, at)
  legacy.move('cert.rejectUnauthorized', 'configQRS.rejectUnauthorized', '6.0–6.1')
}

/** Ports and switches in quotes. */
export function quotedValues(legacy: LegacyContext): void {
  for (const path of ['configEngine.port', 'configQRS.port']) {
    const value = legacy.value(path)
    if (typeof value !== 'string' || !/^\d+$/.test(value.trim()) || isExternal(legacy.get(path))) continue
    legacy.older(path, `CONFIG DEPRECATED: 'Butler.${path}' is the text "${value}"; it is read as a number.`)
    legacy.setValue(path, Number(value), legacy.place(path))
  }
  const ssl = legacy.value('configEngine.useSSL')
  if ((ssl !== 'true' && ssl !== 'false') || isExternal(legacy.get('configEngine.useSSL'))) return
  legacy.older(
    'configEngine.useSSL',
    `CONFIG DEPRECATED: 'Butler.configEngine.useSSL' is the text "${ssl}"; it is read as ${ssl}.`,
  )
  legacy.setValue('configEngine.useSSL', ssl === 'true', legacy.place('configEngine.useSSL'))
}

/** Values of the environment are always texts; they are converted with all others. */
const isExternal = (node: TreeNode | undefined): boolean => node?.kind === 'scalar' && node.external === true

// InfluxDB

const INFLUXDB_CONNECTION = ['hostIP', 'hostPort', 'auth', 'dbName', 'retentionPolicy']
const UPTIME_STORE = 'uptimeMonitor.storeInInfluxdb'

/** Before Butler 9 the uptime monitor held the connection. */
export function uptimeConnection(legacy: LegacyContext): void {
  const old = INFLUXDB_CONNECTION.filter((key) => legacy.has(`${UPTIME_STORE}.${key}`))
  const enable = legacy.value(`${UPTIME_STORE}.enable`)
  if (old.length > 0 && !legacy.has('influxDb') && typeof enable === 'boolean') {
    legacy.setValue('influxDb.enable', enable, legacy.place(`${UPTIME_STORE}.enable`))
  }
  for (const key of old) legacy.move(`${UPTIME_STORE}.${key}`, `influxDb.${key}`, '4.0–8.6')
  legacy.move(`${UPTIME_STORE}.instanceTag`, 'influxDb.instanceTag', '4.0–8.6')
}

/** `instanceTag: DEV` was the tag `butler_instance`. */
export function instanceTag(legacy: LegacyContext): void {
  const tag = legacy.get('influxDb.instanceTag')
  if (!tag) return
  const at = legacy.place('influxDb.instanceTag')
  legacy.deprecated('influxDb.instanceTag', '9.0–12.4', 'influxDb.tag.static')
  legacy.drop('influxDb.instanceTag')
  const value = tag.kind === 'scalar' ? tag.value : null
  if (value === null || value === '') return
  const existing = legacy.get('influxDb.tag.static')
  const items = existing?.kind === 'list' ? existing.items : []
  if (items.some((item) => nameOf(item) === 'butler_instance')) return
  const added = nameValue('butler_instance', scalar(String(value), at))
  legacy.set('influxDb.tag.static', listOf([...items, added], existing?.at ?? at), at)
}

/** The flat layout of the product documents stays valid and gets an info line only. */
export function flatSettings(legacy: LegacyContext): void {
  const flat = ['auth', 'dbName', 'retentionPolicy'].find((key) => legacy.has(`influxDb.${key}`))
  if (!flat || legacy.has('influxDb.v1Config')) return
  const version = legacy.value('influxDb.version')
  if (version === 2 || version === 3) return
  legacy.note('info', `influxDb.${flat}`, 'CONFIG: using the flat InfluxDB v1 settings')
}

/** An item `{name, value}` of a list of tags, headers or attributes. */
function nameValue(name: string, value: TreeNode): MapNode {
  const map = emptyMap(value.at)
  map.entries.set('name', { at: value.at, node: scalar(name, value.at) })
  map.entries.set('value', { at: value.at, node: value })
  return map
}

function nameOf(node: TreeNode): unknown {
  const name = node.kind === 'map' ? node.entries.get('name')?.node : undefined
  return name?.kind === 'scalar' ? name.value : undefined
}

// Slack and Teams before Butler 5

const CHAT_VERSIONS = { slack: '2.0–4.3', teams: '4.2–4.3' }

export function slackConfig(legacy: LegacyContext): void {
  if (!legacy.has('slackConfig')) return
  const at = legacy.place('slackConfig')
  // Before 3.0 the section alone switched Slack on.
  if (legacy.has('slackConfig.enable'))
    legacy.move('slackConfig.enable', 'slackNotification.enable', CHAT_VERSIONS.slack)
  else if (legacy.presenceMeansOn && !legacy.has('slackNotification.enable'))
    legacy.setValue('slackNotification.enable', true, at)
  for (const [event, channel] of [
    ['reloadTaskFailure', 'taskFailureChannel'],
    ['reloadTaskAborted', 'taskAbortedChannel'],
  ]) {
    if (!legacy.has(`slackConfig.${channel}`)) continue
    basicAlert(legacy, `slackNotification.${event}`, 'slackConfig.webhookURL')
    legacy.move(`slackConfig.${channel}`, `slackNotification.${event}.channel`, CHAT_VERSIONS.slack)
  }
  legacy.move('slackConfig.webhookURL', 'slackNotification.restMessage.webhookURL', CHAT_VERSIONS.slack)
  dropIfEmpty(legacy, 'slackConfig')
}

export function teamsConfig(legacy: LegacyContext): void {
  if (!legacy.has('teamsConfig')) return
  legacy.move('teamsConfig.enable', 'teamsNotification.enable', CHAT_VERSIONS.teams)
  if (legacy.has('teamsConfig.taskFailureWebhookURL')) {
    basicAlert(legacy, 'teamsNotification.reloadTaskFailure')
    legacy.move(
      'teamsConfig.taskFailureWebhookURL',
      'teamsNotification.reloadTaskFailure.webhookURL',
      CHAT_VERSIONS.teams,
    )
  }
  dropIfEmpty(legacy, 'teamsConfig')
}

/** The messages of that time were one line of text. */
function basicAlert(legacy: LegacyContext, section: string, urlFrom?: string): void {
  const at = legacy.place(urlFrom ?? section)
  if (!legacy.has(`${section}.enable`)) legacy.setValue(`${section}.enable`, true, at)
  if (!legacy.has(`${section}.messageType`)) legacy.setValue(`${section}.messageType`, 'basic', at)
  const url = urlFrom ? legacy.get(urlFrom) : undefined
  if (url && !legacy.has(`${section}.webhookURL`)) legacy.set(`${section}.webhookURL`, clone(url), at)
}

function dropIfEmpty(legacy: LegacyContext, section: string): void {
  const node = legacy.get(section)
  if (node?.kind === 'map' && node.entries.size > 0) return
  legacy.drop(section)
}

/** `restMessage.enable: false` kept the endpoint from posting. */
export function restMessage(legacy: LegacyContext): void {
  const path = 'slackNotification.restMessage.enable'
  const value = legacy.value(path)
  if (value === undefined) return
  const at = legacy.place(path)
  legacy.deprecated(path, '5.0–7.3', 'restServerEndpointsEnable.slackPostMessage', at)
  legacy.drop(path)
  if (value === false) legacy.setValue('restServerEndpointsEnable.slackPostMessage', false, at)
}

// New Relic

const NEW_RELIC = 'incidentTool.newRelic'
const NEW_RELIC_ACCOUNTS = 'thirdPartyToolsCredentials.newRelic'
const NEW_RELIC_EVENTS = ['reloadTaskFailure', 'reloadTaskAborted']

/** One account as a mapping, without a name. */
export function singleAccount(legacy: LegacyContext): void {
  const node = legacy.get(NEW_RELIC_ACCOUNTS)
  if (node?.kind !== 'map' || node.entries.size === 0) return
  const at = legacy.place(NEW_RELIC_ACCOUNTS)
  const account = emptyMap(node.at)
  account.entries.set('accountName', { at, node: scalar('default', at) })
  for (const [key, entry] of node.entries) account.entries.set(key, entry)
  legacy.deprecated(NEW_RELIC_ACCOUNTS, '7.3–8.3.1', `${NEW_RELIC_ACCOUNTS}[]`)
  legacy.set(NEW_RELIC_ACCOUNTS, listOf([account], node.at), at)
}

/** `url` was one text. */
export function singleUrl(legacy: LegacyContext): void {
  const node = legacy.get(`${NEW_RELIC}.url`)
  if (node?.kind !== 'scalar' || node.value === null) return
  const at = legacy.place(`${NEW_RELIC}.url`)
  legacy.deprecated(`${NEW_RELIC}.url`, '7.3–7.5', `${NEW_RELIC}.url.event`)
  const urls = emptyMap(at)
  urls.entries.set('event', { at, node })
  legacy.set(`${NEW_RELIC}.url`, urls, at)
}

/** One switch per event; everything went to all accounts. */
export function eventSwitches(legacy: LegacyContext): void {
  for (const event of NEW_RELIC_EVENTS) {
    const from = `${NEW_RELIC}.${event}.enable`
    if (!legacy.has(from)) continue
    const at = legacy.place(from)
    const always = `${NEW_RELIC}.${event}.destination.event.sendToAccount.always`
    legacy.move(from, `${NEW_RELIC}.${event}.destination.event.enable`, '7.3–7.5')
    if (legacy.has(always)) continue
    legacy.setValue(`${always}.enable`, true, at)
    legacy.set(`${always}.account`, allAccounts(legacy, at), at)
  }
}

/** Before accounts could be chosen, all of them got everything. */
export function missingAccountLists(legacy: LegacyContext): void {
  if (legacy.value(`${NEW_RELIC}.enable`) !== true || legacy.has(`${NEW_RELIC}.destinationAccount`)) return
  const finer = NEW_RELIC_EVENTS.some((event) =>
    ['event', 'log'].some((what) => legacy.has(`${NEW_RELIC}.${event}.destination.${what}.sendToAccount`)),
  )
  const used = NEW_RELIC_EVENTS.some((event) => legacy.has(`${NEW_RELIC}.${event}`))
  if (finer || !used) return
  const at = legacy.place(NEW_RELIC)
  legacy.deprecated(NEW_RELIC, 'up to 8.5.0, without account lists', `${NEW_RELIC}.destinationAccount (all accounts)`)
  for (const what of ['event', 'log'])
    legacy.set(`${NEW_RELIC}.destinationAccount.${what}`, allAccounts(legacy, at), at)
}

const ACCOUNT_LISTS = [
  'uptimeMonitor.storeNewRelic.destinationAccount',
  'restServerEndpointsConfig.newRelic.postNewRelicMetric.destinationAccount',
  'restServerEndpointsConfig.newRelic.postNewRelicEvent.destinationAccount',
]

/** With a nameless account an empty list of accounts means that account. Must run after `singleAccount`. */
export function namelessDestinations(legacy: LegacyContext): void {
  const accounts = legacy.get(NEW_RELIC_ACCOUNTS)
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

const isDefault = (account: TreeNode | undefined): boolean =>
  account !== undefined && accountName(account) === 'default'

function allAccounts(legacy: LegacyContext, at: TreeNode['at']): TreeNode {
  const accounts = legacy.get(NEW_RELIC_ACCOUNTS)
  const names = accounts?.kind === 'list' ? accounts.items.map(accountName) : []
  return listOf(
    names.filter((name): name is string => typeof name === 'string').map((name) => scalar(name, at)),
    at,
  )
}

// Licences, webhooks, Butler 2

const RELEASE = 'qlikSenseLicense.licenseRelease'

/** Versions with this list had no dry run: releases were real, and stay so. */
export function neverReleaseUsers(legacy: LegacyContext): void {
  const from = `${RELEASE}.neverReleaseUsers`
  if (!legacy.has(from)) return
  const at = legacy.place(from)
  legacy.move(from, `${RELEASE}.neverRelease.user`, '11.1–12.1')
  if (legacy.has(`${RELEASE}.dryRun`)) return
  legacy.setValue(`${RELEASE}.dryRun`, false, at)
  if (legacy.value(`${RELEASE}.enable`) === false) return
  legacy.note(
    'warning',
    from,
    `CONFIG DEPRECATED: 'Butler.${RELEASE}.dryRun' is missing and the section is of a Butler that knew no dry run: licences are really released.`,
    at,
  )
}

const WEBHOOK_BLOCKS = [
  'reloadTaskFailure',
  'reloadTaskAborted',
  'serviceMonitor',
  'qlikSenseServerLicenseMonitor',
  'qlikSenseServerLicenseExpiryAlert',
]

/** The manuals show one rate limit for all webhooks. */
export function webhookRateLimit(legacy: LegacyContext): void {
  const node = legacy.get('webhookNotification.rateLimit')
  if (!node) return
  const at = legacy.place('webhookNotification.rateLimit')
  legacy.note(
    'info',
    'webhookNotification.rateLimit',
    "CONFIG: 'Butler.webhookNotification.rateLimit' is read as the rateLimit of every block that has none",
  )
  legacy.drop('webhookNotification.rateLimit')
  for (const block of WEBHOOK_BLOCKS) {
    const path = `webhookNotification.${block}.rateLimit`
    if (!legacy.has(path)) legacy.set(path, clone(node), at)
  }
}

/** Keys that only files of Butler 2 have. */
const BUTLER_2 = [
  'configEngine.server',
  'configEngine.isSecure',
  'configEngine.cert',
  'configQRS.cert',
  'qvdPath',
  'mqttConfig.brokerIP',
  'udpServerConfig.serverIP',
]

/** Butler 2 had no switches for its endpoints. */
const BUTLER_2_ENDPOINTS = [
  'base62ToBase16',
  'base16ToBase62',
  'butlerping',
  'createDir',
  'createDirQVD',
  'mqttPublishMessage',
  'senseAppDump',
  'senseListApps',
  'senseStartTask',
  'slackPostMessage',
]

/** In Butler 2 an existing section was switched on. Must run before these keys are moved. */
export function presenceMeansOn(legacy: LegacyContext): void {
  if (!legacy.presenceMeansOn || !BUTLER_2.some((path) => legacy.has(path))) return
  for (const section of ['mqttConfig', 'udpServerConfig', 'restServerConfig']) {
    if (legacy.get(section)?.kind !== 'map' || legacy.has(`${section}.enable`) || legacy.has(`${section}.enabled`))
      continue
    const at = legacy.place(section)
    legacy.setValue(`${section}.enable`, true, at)
    legacy.older(
      section,
      `CONFIG DEPRECATED: 'Butler.${section}' (Butler 2.x) has no 'enable'; it is read as on. Please update the config file.`,
      at,
    )
  }
  if (legacy.get('restServerConfig')?.kind !== 'map') return
  const at = legacy.place('restServerConfig')
  if (!legacy.has('restServerConfig.serverHost')) legacy.setValue('restServerConfig.serverHost', '0.0.0.0', at)
  if (legacy.has('restServerEndpointsEnable')) return
  for (const endpoint of BUTLER_2_ENDPOINTS) legacy.setValue(`restServerEndpointsEnable.${endpoint}`, true, at)
}

function accountName(account: TreeNode): unknown {
  const name = account.kind === 'map' ? account.entries.get('accountName')?.node : undefined
  return name?.kind === 'scalar' ? name.value : undefined
}
