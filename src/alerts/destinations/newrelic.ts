/** New Relic: events or log entries, one delivery per account. */
import { z } from 'zod'
import { choice, list } from '../../config/fields.ts'
import type { EventDetails, EventOutcome, TaskEvent } from '../../events/types.ts'
import { runOf } from '../../qlik/qrs/execution.ts'
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import type { QrsCustomProperty, QrsNamed } from '../../qlik/qrs/types.ts'
import { cutStart, utf8 } from '../message-text/cut.ts'
import { appIdOf, appNameOf, taskNameOf } from '../message-text/labels.ts'
import { isTaskType } from '../rules/subjects.ts'
import { excerpts } from '../script-log.ts'
import { formatUser } from '../template-context.ts'
import { TYPE_LABELS } from '../title.ts'
import type { PlannedDelivery } from '../types.ts'
import { httpDestination } from './http.ts'
import type { SettingsOf } from './settings.ts'
import { type DestinationDeps, TEXT_NEEDS } from './types.ts'

const RULE = '-'.repeat(31)
const NO_SCRIPT_LOG = 'Script log not available for this reload task.'
/** New Relic refuses requests above 1 MB. */
const MAX_LOG_BYTES = 800_000
/** Characters of a value. */
const MAX_VALUE = 4096
const MAX_NAME = 255
const MAX_ATTRIBUTES = 254

const config = () => ({
  account: list('Names of New Relic accounts.', z.string(), { min: 1 }).meta({
    label: 'Accounts',
    hint: 'Names of accounts in the configuration file, one a line; their keys stand there.',
    needed: true,
  }),
  as: choice('Send as event or log entry.', ['event', 'log'], 'event').meta({
    label: 'Send as',
    hint: 'Events are counted and charted; log entries hold the end of the script log.',
    texts: { event: 'events', log: 'log entries' },
  }),
})
type Settings = SettingsOf<typeof config>

export const newrelic = httpDestination({
  title: 'New Relic',
  about: 'Events or log entries, to one or several accounts.',
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

/** One lane per account: a refused key does not delay the other accounts. */
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

export interface NameValue {
  readonly name: string
  readonly value: string
}

export interface NewRelicSettings {
  /** Fixed attributes; of two with one name the later one counts. */
  readonly attributes: readonly NameValue[]
  readonly dynamic: DynamicAttributes & ServiceAttributes
  /** Version of Footman; events about services go without. */
  readonly version: string
  /** Last lines of the script log in a log entry. */
  readonly tailScriptLogLines: number
}

/** All attributes from Qlik Sense. */
export const ALL_ATTRIBUTES: DynamicAttributes & ServiceAttributes = {
  useTaskTags: true,
  useAppTags: true,
  serviceHost: true,
  serviceName: true,
  serviceDisplayName: true,
  serviceState: true,
}

/** The target in lists of deliveries: an account gets events, log entries or both. */
export function targetOf(account: string, kind: 'event' | 'log'): string {
  return `${account} (${kind})`
}

const OUTCOME_NAMES: Partial<Record<EventOutcome, string>> = { failed: 'Failed', aborted: 'Aborted' }

/** `qs_reloadTaskFailedEvent`, `qs_serviceStateLog`, ... */
function typeName({ type, outcome }: TaskEvent, what: 'Event' | 'Log'): string {
  if (type === 'service') return `qs_serviceState${what}`
  const word = OUTCOME_NAMES[outcome] ?? `${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}`
  const subject = isTaskType(type) ? `${type}Task` : type
  return `qs_${subject}${word}${what}`
}

function attributesOf(event: TaskEvent, { attributes, dynamic, version }: NewRelicSettings): Attributes {
  const fixed = Object.fromEntries(attributes.map(({ name, value }) => [name, value]))
  if (event.type === 'service') return { ...fixed, ...serviceAttributes(event, dynamic) }
  return { ...fixed, version, ...taskAttributes(event, dynamic), ...detailAttributes(event.details) }
}

/** The body for the event API: a list with one event, which has the time of what happened. */
export function newRelicEvent(event: TaskEvent, settings: NewRelicSettings): readonly Attributes[] {
  const last = { timestamp: event.receivedAt, eventType: typeName(event, 'Event') }
  return [limited(attributesOf(event, settings), last)]
}

export interface NewRelicLogs {
  readonly common: { readonly attributes: Attributes }
  readonly logs: readonly { readonly timestamp: number; readonly message: string }[]
}

/** The body for the log API: one entry with the last lines of the script log. */
export function newRelicLog(event: TaskEvent, settings: NewRelicSettings): readonly NewRelicLogs[] {
  const attributes = { ...attributesOf(event, settings), ...executionAttributes(event, settings.tailScriptLogLines) }
  const entry = { timestamp: event.receivedAt, message: logMessage(event, settings.tailScriptLogLines) }
  return [{ common: { attributes: limited(attributes, { logtype: typeName(event, 'Log') }) }, logs: [entry] }]
}

function logMessage(event: TaskEvent, tailLines: number): string {
  const { details, host, scriptLog } = event
  if (details?.kind === 'service') {
    return `Windows service "${details.displayName}" on host "${host}" is ${details.status}.`
  }
  if (scriptLog || event.type === 'reload') {
    const log = scriptLog ? cutStart(excerpts(scriptLog, 0, tailLines).tail, MAX_LOG_BYTES, utf8) : noScriptLog(event)
    const details = executionDetails(event)
    return scriptLog || details ? `${details}\r\n${RULE}\r\n\r\n${log}` : log
  }
  if (details?.kind === 'self') return details.text
  return event.logMessage || `${TYPE_LABELS[event.type]} ${event.outcome}`
}

function noScriptLog({ missingReasons }: TaskEvent): string {
  const answer = missingReasons?.scriptLog
  return answer ? `${NO_SCRIPT_LOG} Qlik Sense answered ${answer}.` : NO_SCRIPT_LOG
}

/** One line per step, oldest first: time, tab, text. */
function executionDetails({ execution }: TaskEvent): string {
  const steps = [...(execution?.details ?? [])].sort(
    (a, b) => (Date.parse(a.detailCreatedDate) || 0) - (Date.parse(b.detailCreatedDate) || 0),
  )
  return steps.map(({ detailCreatedDate, message }) => `${detailCreatedDate}\t${message}\n`).join('')
}

/** Where events of an account go: the address of the event API, with or without a slash at its end. */
export function newRelicEventUrl(url: string, accountId: string): string {
  return `${url.replace(/\/+$/, '')}/v1/accounts/${encodeURIComponent(accountId)}/events`
}

/** `extra` may replace anything but the key. */
export function newRelicHeaders(extra: readonly NameValue[], insertApiKey: string): Record<string, string> {
  return {
    'Content-Type': 'application/json; charset=utf-8',
    ...Object.fromEntries(extra.map(({ name, value }) => [name, value])),
    'Api-Key': insertApiKey,
  }
}

export type Attributes = Readonly<Record<string, string | number>>

/** Which attributes of Qlik Sense are sent. */
export interface DynamicAttributes {
  readonly useTaskTags: boolean
  readonly useAppTags: boolean
}

/** Message, custom properties and tags of a task, in the order of Butler 16. */
function taskAttributes(event: TaskEvent, dynamic: DynamicAttributes): Attributes {
  const { task, app } = event
  return {
    qs_hostName: event.host,
    qs_user: formatUser(event.user, 'slash'),
    qs_taskName: taskNameOf(event),
    qs_taskId: event.taskId,
    qs_appName: appNameOf(event),
    qs_appId: appIdOf(event),
    qs_logTimeStamp: event.logTimeStamp,
    qs_logLevel: event.logLevel,
    qs_executionId: event.executionId,
    qs_logMessage: event.logMessage,
    ...propertyAttributes('qs_appCp_', app?.customProperties),
    ...propertyAttributes('qs_taskCp_', task?.customProperties),
    ...(dynamic.useTaskTags ? tagAttributes('qs_taskTag_', task?.tags) : {}),
    ...(dynamic.useAppTags ? tagAttributes('qs_appTag_', app?.tags) : {}),
  }
}

/** New Relic keeps no lists: several values of one property are one text. */
function propertyAttributes(prefix: string, properties: readonly QrsCustomProperty[] = []): Attributes {
  const values = new Map<string, string>()
  for (const { definition, value } of properties) {
    const known = values.get(definition.name)
    values.set(definition.name, known === undefined ? value : `${known}, ${value}`)
  }
  return Object.fromEntries([...values].map(([name, value]) => [`${prefix}${name}`, value]))
}

function tagAttributes(prefix: string, tags: readonly QrsNamed[] = []): Attributes {
  return Object.fromEntries(tags.map(({ name }) => [`${prefix}${name}`, 'true']))
}

/**
 * Without a result only the node, when it is known. Butler 16 misspelt one name, which dashboards use: both spellings are
 * sent.
 */
function executionAttributes({ execution, scriptLog, node }: TaskEvent, tailLines: number): Attributes {
  if (!execution) return known({ qs_executingNodeName: node })
  const status = STATUS_TEXTS[execution.status] ?? ''
  const { startTime, stopTime, durationMs } = runOf(execution)
  return {
    qs_executingNodeName: execution.executingNodeName,
    qs_executionStartTimeUTC: startTime,
    qs_executionStopTimeUTC: stopTime,
    qs_executionDurationSeconds: Math.floor(durationMs / 1000),
    qs_executionStatusNum: execution.status,
    qs_exeuctionStatusText: status,
    qs_executionStatusText: status,
    // QRS knows the size later than it serves the log.
    qs_scriptLogSize: scriptLog ? execution.scriptLogSize || scriptLog.characters : 0,
    qs_scriptLogTailCount: tailLines,
  }
}

/** Attributes of events that are not the end of a task. */
function detailAttributes(details: EventDetails | null): Attributes {
  if (details?.kind === 'license') {
    const { expired, expiryDate, daysRemaining } = details
    return known({
      qs_licenseExpired: String(expired),
      qs_licenseExpiryDate: expiryDate?.slice(0, 10),
      qs_licenseDaysUntilExpiry: daysRemaining,
    })
  }
  if (details?.kind === 'watchdog') {
    return known({ qs_elapsedSeconds: seconds(details.elapsedMs), qs_limitSeconds: seconds(details.limitMs) })
  }
  if (details?.kind === 'self') return { butler_text: details.text }
  if (details?.kind !== 'cloudReload') return {}
  const { tenantId, reloadId, reloadTrigger, errorCode, errorMessage } = details.variables
  return known({
    qs_tenantId: tenantId,
    qs_reloadId: reloadId,
    qs_reloadTrigger: reloadTrigger,
    qs_errorCode: errorCode,
    qs_errorMessage: errorMessage,
  })
}

const seconds = (ms: number) => Math.floor(ms / 1000)

/** Which attributes of a service are sent. */
export interface ServiceAttributes {
  readonly serviceHost: boolean
  readonly serviceName: boolean
  readonly serviceDisplayName: boolean
  readonly serviceState: boolean
}

function serviceAttributes({ host, details }: TaskEvent, wanted: ServiceAttributes): Attributes {
  if (details?.kind !== 'service') return {}
  return {
    ...(wanted.serviceHost ? { butler_serviceHost: host } : {}),
    ...(wanted.serviceName ? { butler_serviceName: details.serviceName } : {}),
    ...(wanted.serviceDisplayName ? { butler_serviceDisplayName: details.displayName } : {}),
    ...(wanted.serviceState ? { butler_serviceStatus: details.status } : {}),
  }
}

function known(values: Readonly<Record<string, unknown>>): Attributes {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'number' ? value : String(value)]))
}

/** The attributes that New Relic keeps: at most 254, names of 255, values of 4,096 characters. `last` is always among them. */
export function limited(attributes: Attributes, last: Attributes): Attributes {
  const room = MAX_ATTRIBUTES - Object.keys(last).length
  const kept = Object.entries({ ...attributes, ...last }).filter(([name]) => !(name in last))
  return Object.fromEntries(
    [...kept.slice(0, room), ...Object.entries(last)].map(([name, value]) => [
      name.slice(0, MAX_NAME).toWellFormed(),
      typeof value === 'string' ? value.slice(0, MAX_VALUE).toWellFormed() : value,
    ]),
  )
}
