/** The variables that every template of every channel sees. */
import type { EventOutcome, EventType, TaskEvent } from '../events/types.ts'
import { correlationKey } from './message-text/labels.ts'
import { detailVariables } from './record/details.ts'
import {
  appVariables,
  executionVariables,
  type LogLines,
  ownerVariables,
  scriptLogVariables,
  taskVariables,
} from './record/qlik.ts'
import { errorLine } from './script-log.ts'
import type { TimeFormatter } from './times.ts'
import { eventHeading, eventTitle, subjectName, TYPE_LABELS } from './title.ts'
import type { RenderInput } from './types.ts'

export { appUrl } from './record/qlik.ts'

export interface GenericUrl {
  readonly id: string
  readonly linkText: string
  readonly comment: string
  readonly url: string
}

/** Addresses of Qlik Sense. */
export interface QlikUrls {
  readonly qmc?: string
  readonly hub?: string
  readonly appBaseUrl?: string
}

/** The links of a message. */
export interface RecordLinks {
  readonly qlikSenseUrls: QlikUrls
  /** Instead of these, in messages about Qlik Cloud. */
  readonly cloudUrls?: QlikUrls
  readonly genericUrls: readonly GenericUrl[]
}

/** The part of the configuration that links come from. */
export interface LinkConfig {
  readonly qlikSenseUrls: QlikUrls
  readonly genericUrls: readonly GenericUrl[]
  readonly qlikSenseCloud?: {
    readonly event: { readonly mqtt: { readonly tenant: { readonly qlikSenseUrls: QlikUrls } } }
  }
}

export function recordLinks({ qlikSenseUrls, genericUrls, qlikSenseCloud }: LinkConfig): RecordLinks {
  return { qlikSenseUrls, cloudUrls: qlikSenseCloud?.event.mqtt.tenant.qlikSenseUrls ?? {}, genericUrls }
}

/** The addresses of the Qlik Sense that the event is about. */
export function urlsFor({ type }: Pick<TaskEvent, 'type'>, { qlikSenseUrls, cloudUrls }: RecordLinks): QlikUrls {
  return type === 'cloudReload' ? (cloudUrls ?? {}) : qlikSenseUrls
}

/** What the variables need besides the event. */
export interface RecordContext extends RecordLinks {
  /** Version of Footman. */
  readonly version: string
  readonly times: TimeFormatter
  /** Milliseconds since 1970: the variable `now`. */
  readonly now: number
}

/** What a message adds to its event; left out = an ordinary alert. */
export type RecordDelivery = Partial<
  Pick<RenderInput, 'kind' | 'severity' | 'note' | 'suppressed' | 'deliveryId' | 'route'>
>

/**
 * How `user` is written: `slash` turns every backslash into a slash, `collapsed` turns a doubled backslash into one,
 * `unchanged` leaves it as the datagram had it.
 */
export type UserForm = keyof typeof USER_FORMS

const USER_FORMS = {
  slash: (user: string) => user.replaceAll('\\', '/'),
  collapsed: (user: string) => user.replaceAll('\\\\', '\\'),
  unchanged: (user: string) => user,
} as const

const EVENT_WORDS: Partial<Record<EventOutcome, string>> = { failed: 'Failure' }
/** The kinds of events that are not about a task. */
const NO_TASK: readonly EventType[] = ['cloudReload', 'service', 'license', 'self']
/** Outcomes whose text is what is wrong, best told by the script log. */
const ERROR_IN_LOG: readonly EventOutcome[] = ['failed']

/** The name of an event in configuration keys: `reloadTaskFailure`, `preloadTaskSuccess`, `serviceStopped`, ... */
export function eventName(type: EventType, outcome: EventOutcome): string {
  const word = EVENT_WORDS[outcome] ?? `${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}`
  return `${type}${NO_TASK.includes(type) ? '' : 'Task'}${word}`
}

export function formatUser(user: string, form: UserForm): string {
  return USER_FORMS[form](user)
}

/**
 * All template variables of an event. Nothing is ever missing: what is not known is an empty string, an empty list or
 * an object with empty members, so that no template expression can fail. `missingParts` says what could not be read,
 * `absentParts` what of it Qlik Sense does not have at all, `missingReasons` the answer of Qlik Sense about a part.
 */
export function templateRecord(
  event: TaskEvent,
  context: RecordContext,
  scriptLog: LogLines,
  userForm: UserForm,
  delivery: RecordDelivery = {},
): Record<string, unknown> {
  const { times } = context
  return {
    ...messageVariables(event, userForm),
    ...taskVariables(event, times),
    ...appVariables(event, urlsFor(event, context).appBaseUrl, times),
    ...ownerVariables(event),
    ...executionVariables(event, times),
    ...scriptLogVariables(event, scriptLog),
    ...linkVariables(event, context),
    ...eventVariables(event, context, delivery),
    ...historyVariables(event, times),
    ...noteVariables(delivery, times),
    ...detailVariables(event, times),
  }
}

function messageVariables(event: TaskEvent, userForm: UserForm): Record<string, unknown> {
  const { host, logTimeStamp, logLevel, logMessage, executionId } = event
  return {
    hostName: host,
    host,
    user: formatUser(event.user, userForm),
    taskName: event.taskName || event.task?.name || '',
    taskId: event.taskId,
    logTimeStamp,
    logLevel,
    logMessage,
    executionId,
    errorText: errorText(event),
  }
}

/** The last error of the script log, else what the event itself says. */
function errorText({ outcome, scriptLog, details, logMessage }: TaskEvent): string {
  const fromLog = ERROR_IN_LOG.includes(outcome) ? errorLine(scriptLog) : null
  if (fromLog) return fromLog
  if (details?.kind === 'self') return details.text
  if (details?.kind === 'cloudReload') return String(details.variables.errorMessage || logMessage)
  return logMessage
}

function eventVariables(event: TaskEvent, context: RecordContext, delivery: RecordDelivery) {
  const { kind, severity, deliveryId, route } = delivery
  const { id, type, outcome, source } = event
  const shown = kind === 'recovery' ? 'recovered' : outcome
  return {
    butlerVersion: context.version,
    id: deliveryId ?? '',
    eventId: id,
    route: route?.name ?? '',
    key: correlationKey(event),
    type,
    source,
    eventType: eventName(type, outcome),
    eventLabel: TYPE_LABELS[type],
    heading: eventHeading(type, shown),
    subjectName: subjectName(event),
    title: eventTitle(event, shown),
    taskType: type,
    outcome,
    severity: severity ?? event.severity,
    kind: kind ?? 'alert',
    timestamp: new Date(event.receivedAt).toISOString(),
    timestampLocal: context.times.sortable(event.receivedAt),
    now: new Date(context.now).toISOString(),
    missingParts: [...event.missingParts],
    absentParts: [...(event.absentParts ?? [])],
    missingReasons: { ...event.missingReasons },
    emailRecipients: { taskSpecific: [], common: [] },
    test: event.test,
  }
}

function historyVariables({ history, retry }: TaskEvent, times: TimeFormatter) {
  const local = (ms: number | null | undefined) => (ms ? times.sortable(ms) : '')
  return {
    consecutiveFailures: history?.consecutiveFailures ?? '',
    lastSuccess: history?.lastSuccessAt ? new Date(history.lastSuccessAt).toISOString() : '',
    lastSuccessLocal: local(history?.lastSuccessAt),
    retryAttempt: retry?.attempt ?? '',
    retryMax: retry?.max ?? '',
    retryNextAt: retry?.nextAt ? new Date(retry.nextAt).toISOString() : '',
    retryNextAtLocal: local(retry?.nextAt),
    retryRefused: retry?.refused ?? '',
  }
}

function noteVariables({ note, suppressed }: RecordDelivery, times: TimeFormatter) {
  const { root = { id: '', name: '' }, downstream = [] } = note?.chain ?? {}
  // To the minute: when a task usually starts is not known to the second.
  const minute = (iso: string | null) => times.variants('', iso).Local1.slice(0, 16)
  return {
    suppressedCount: suppressed ?? 0,
    chain: { root, downstream: downstream.map((task) => ({ ...task, usualStartLocal: minute(task.usualStart) })) },
    failedDestination: note?.failedDestination ?? '',
    summary: note?.summary ?? { title: '', lines: [] },
  }
}

/** `qliksSense...` is how the manuals of Butler 16 misspell the names; templates written from them must work. */
function linkVariables(event: TaskEvent, context: RecordContext): Record<string, unknown> {
  const { qmc = '', hub = '' } = urlsFor(event, context)
  const { genericUrls } = context
  return { qlikSenseQMC: qmc, qlikSenseHub: hub, qliksSenseQMC: qmc, qliksSenseHub: hub, genericUrls: [...genericUrls] }
}
