/** Events and log entries for New Relic. */
import type { EventOutcome, TaskEvent } from '../../../events/types.ts'
import { excerpts } from '../../script-log.ts'
import { cutStart, utf8 } from '../../texts/cut.ts'
import { TYPE_LABELS } from '../../title.ts'
import {
  type Attributes,
  type DynamicAttributes,
  detailAttributes,
  executionAttributes,
  limited,
  type ServiceAttributes,
  serviceAttributes,
  taskAttributes,
} from './attributes.ts'

export interface NameValue {
  readonly name: string
  readonly value: string
}

export interface NewRelicSettings {
  /** Fixed attributes; of two with one name the later one counts. */
  readonly attributes: readonly NameValue[]
  readonly dynamic: DynamicAttributes & ServiceAttributes
  /** Of Footman; events about services go without. */
  readonly version: string
  /** Last lines of the script log in a log entry. */
  readonly tailScriptLogLines: number
}

/** Everything that Qlik Sense tells. */
export const ALL_ATTRIBUTES: DynamicAttributes & ServiceAttributes = {
  ...{ useTaskTags: true, useAppTags: true },
  ...{ serviceHost: true, serviceName: true, serviceDisplayName: true, serviceState: true },
}

/** What stands in lists of deliveries: an account gets events, log entries or both. */
export function targetOf(account: string, kind: 'event' | 'log'): string {
  return `${account} (${kind})`
}

const RULE = '-'.repeat(31)
const NO_SCRIPT_LOG = 'Script log not available for this reload task.'
/** New Relic refuses requests above 1 MB. */
const MAX_LOG_BYTES = 800_000

const OUTCOME_NAMES: Partial<Record<EventOutcome, string>> = { failed: 'Failed', aborted: 'Aborted' }

/** `qs_reloadTaskFailedEvent`, `qs_serviceStateLog`, ... */
function typeName({ type, outcome }: TaskEvent, what: 'Event' | 'Log'): string {
  if (type === 'service') return `qs_serviceState${what}`
  const word = OUTCOME_NAMES[outcome] ?? `${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}`
  const subject = type === 'cloudReload' || type === 'license' || type === 'self' ? type : `${type}Task`
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
