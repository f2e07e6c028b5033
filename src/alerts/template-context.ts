/** The template context: the variables that the templates of all channels see. */
import type { EventDetails, EventOutcome, EventType, TaskEvent } from '../events/types.ts'
import { attemptsOf, failureReason, runOf } from '../qlik/qrs/execution.ts'
import { STATUS_TEXTS } from '../qlik/qrs/status.ts'
import { NEVER, type QrsCustomProperty, type QrsNamed } from '../qlik/qrs/types.ts'
import type { TemplateVariables } from './history/contract.ts'
import { correlationKey } from './message-text/labels.ts'
import { excerpts, type LogLines, shownLines, sizeOfLog } from './script-log.ts'
import { durationParts, type TimeFormatter, utcParts } from './times.ts'
import { eventHeading, eventTitle, subjectName, TYPE_LABELS } from './title.ts'
import type { RenderInput } from './types.ts'

interface GenericUrl {
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
export interface ContextLinks {
  readonly qlikSenseUrls: QlikUrls
  /** Instead of these, in messages about Qlik Cloud. */
  readonly cloudUrls?: QlikUrls
  readonly genericUrls: readonly GenericUrl[]
  /** Address of Footman for browsers; absent or '' = no links to the console. */
  readonly publicUrl?: string
}

/** The part of the configuration that links come from. */
export interface LinkConfig {
  readonly qlikSenseUrls: QlikUrls
  readonly genericUrls: readonly GenericUrl[]
  readonly qlikSenseCloud?: {
    readonly event: { readonly mqtt: { readonly tenant: { readonly qlikSenseUrls: QlikUrls } } }
  }
  readonly footman?: {
    readonly console?: { readonly enable: boolean; readonly publicUrl: string }
    readonly [section: string]: unknown
  }
}

export function contextLinks({ qlikSenseUrls, genericUrls, qlikSenseCloud, footman }: LinkConfig): ContextLinks {
  const { enable = false, publicUrl = '' } = footman?.console ?? {}
  return {
    qlikSenseUrls,
    cloudUrls: qlikSenseCloud?.event.mqtt.tenant.qlikSenseUrls ?? {},
    genericUrls,
    publicUrl: enable ? publicUrl : '',
  }
}

/** Pages of the console about an event and its task; '' where the address of Footman is not configured. */
export function consoleLinks(
  { id, type, taskId }: Pick<TaskEvent, 'id' | 'type' | 'taskId'>,
  { publicUrl = '' }: Pick<ContextLinks, 'publicUrl'>,
): { readonly consoleUrl: string; readonly consoleTaskUrl: string } {
  if (publicUrl === '') return { consoleUrl: '', consoleTaskUrl: '' }
  const root = `${publicUrl.replace(/\/+$/, '')}/console`
  return {
    consoleUrl: type === 'self' ? `${root}/system` : `${root}/events/${encodeURIComponent(id)}`,
    consoleTaskUrl: taskId ? `${root}/tasks/${encodeURIComponent(taskId)}` : '',
  }
}

/** The addresses of the Qlik Sense that the event is about. */
export function urlsFor({ type }: Pick<TaskEvent, 'type'>, { qlikSenseUrls, cloudUrls }: ContextLinks): QlikUrls {
  return type === 'cloudReload' ? (cloudUrls ?? {}) : qlikSenseUrls
}

/** Everything besides the event that the variables are made from. */
export interface ContextSettings extends ContextLinks {
  /** Version of Footman. */
  readonly version: string
  readonly times: TimeFormatter
  /** Milliseconds since 1970: the variable `now`. */
  readonly now: number
}

type Variables = Record<string, unknown>

/** The additions of a message to its event; an absent member = as in an ordinary alert. */
export type ContextDelivery = Partial<
  Pick<RenderInput, 'kind' | 'severity' | 'note' | 'suppressed' | 'deliveryId' | 'rule'>
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
const NO_TASK: readonly EventType[] = ['cloudReload', 'appReload', 'service', 'license', 'self']
/** The name of an event in configuration keys: `reloadTaskFailure`, `preloadTaskSuccess`, `serviceStopped`, ... */
export function eventName(type: EventType, outcome: EventOutcome): string {
  const word = EVENT_WORDS[outcome] ?? `${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}`
  return `${type}${NO_TASK.includes(type) ? '' : 'Task'}${word}`
}

export function formatUser(user: string, form: UserForm): string {
  return USER_FORMS[form](user)
}

/**
 * All template variables of an event. No variable is ever missing: an unknown one is an empty string, an empty list or
 * an object with empty members, so that no template expression can fail. `missingParts` lists the parts that could not be read,
 * `absentParts` those of them that Qlik Sense does not have, `missingReasons` the answer of Qlik Sense about a part.
 */
export function templateContext(
  event: TaskEvent,
  context: ContextSettings,
  scriptLog: LogLines,
  userForm: UserForm,
  delivery: ContextDelivery = {},
): TemplateVariables {
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

function messageVariables(event: TaskEvent, userForm: UserForm) {
  const { host, logTimeStamp, logLevel, logMessage, executionId } = event
  return {
    hostName: host,
    host,
    user: formatUser(event.user, userForm),
    taskName: event.taskName || event.task?.name || '',
    taskId: event.taskId,
    logTimeStamp,
    logTimeZone: logTimeZone(event),
    logLevel,
    logMessage,
    executionId,
    errorText: errorText(event),
  }
}

/** `2026-01-15T06:03:11.482Z`, `20260115T060311.482+0100`. */
const NAMES_ZONE = /(?:Z|[+-]\d{2}:?\d{2})$/

/** The computer whose local time `logTimeStamp` is, as log files of Qlik Sense seldom name a zone; empty when the time names it. */
function logTimeZone({ logTimeStamp, source, host }: TaskEvent): string {
  if (logTimeStamp === '' || NAMES_ZONE.test(logTimeStamp)) return ''
  return `local time of ${source === 'udp' ? host || 'the node' : 'Footman'}`
}

/** The reason of a failure, else what the event itself says. */
function errorText({ outcome, execution, scriptLog, details, logMessage }: TaskEvent): string {
  const attempts = execution ? attemptsOf(execution) : []
  const reason = failureReason({
    outcome,
    log: scriptLog?.lines ?? [],
    details: attempts.flatMap((attempt) => attempt.details ?? []),
  })
  if (reason) return reason
  if (details?.kind === 'self') return details.text
  if (details?.kind === 'cloudReload') return String(details.variables.errorMessage || logMessage)
  return logMessage
}

function eventVariables(event: TaskEvent, context: ContextSettings, delivery: ContextDelivery) {
  const { kind, severity, deliveryId, rule } = delivery
  const { id, type, outcome, source } = event
  const shown = kind === 'recovery' ? 'recovered' : outcome
  return {
    butlerVersion: context.version,
    id: deliveryId ?? '',
    eventId: id,
    route: rule?.name ?? '',
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
    timeZone: context.times.zone,
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
    retryAttempt: retry?.attempt ?? ('' as const),
    retryMax: retry?.max ?? ('' as const),
    retryNextAt: retry?.nextAt ? new Date(retry.nextAt).toISOString() : '',
    retryNextAtLocal: local(retry?.nextAt),
    retryRefused: retry?.refused ?? '',
  }
}

function noteVariables({ note, suppressed }: ContextDelivery, times: TimeFormatter) {
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
function linkVariables(event: TaskEvent, context: ContextSettings): Variables {
  const { qmc = '', hub = '' } = urlsFor(event, context)
  const { genericUrls } = context
  return {
    qlikSenseQMC: qmc,
    qlikSenseHub: hub,
    qliksSenseQMC: qmc,
    qliksSenseHub: hub,
    ...consoleLinks(event, context),
    genericUrls: [...genericUrls],
  }
}

// Variables from Qlik Sense: task, app, owner, execution, script log.

function taskVariables({ task }: TaskEvent, times: TimeFormatter) {
  const next = nextExecution(task?.operational?.nextExecution)
  return {
    taskCustomProperties: customProperties(task?.customProperties),
    taskTags: names(task?.tags),
    taskIsManuallyTriggered: task?.isManuallyTriggered ?? '',
    taskIsPartialReload: task?.isPartialReload ?? '',
    taskMaxRetries: task?.maxRetries ?? '',
    taskModifiedByUsername: task?.modifiedByUserName ?? '',
    taskModifiedDate: task?.modifiedDate ?? '',
    taskSessionTimeout: task?.taskSessionTimeout ?? '',
    taskNextExecution: next,
    taskNextExecutionLocal: next === 'Never' ? next : local(next, times),
  }
}

/** The address of an app in the hub; empty when the base address or the id is unknown. */
export function appUrl(baseUrl: string | undefined, appId: string): string {
  if (!baseUrl || !appId) return ''
  return `${baseUrl}${baseUrl.endsWith('/') ? '' : '/'}${appId}`
}

function appVariables(event: TaskEvent, appBaseUrl: string | undefined, times: TimeFormatter) {
  const { app } = event
  const appId = event.appId || app?.id || event.task?.app?.id || ''
  return {
    appId,
    appName: event.appName || app?.name || event.task?.app?.name || '',
    appUrl: appUrl(appBaseUrl, appId),
    appDescription: app?.description ?? '',
    appFileSize: app?.fileSize ?? '',
    appLastSuccessfulReload: app?.lastReloadTime ?? '',
    appLastSuccessfulReloadLocal: local(app?.lastReloadTime, times),
    appLastModifiedDate: app?.modifiedDate ?? '',
    appLastModifiedByUserName: app?.modifiedByUserName ?? '',
    appPublishTime: app?.publishTime ?? '',
    appPublished: app?.published ?? '',
    appStreamName: app?.stream?.name ?? '',
    appStream: app?.stream ?? { id: '', name: '' },
    appCustomProperties: customProperties(app?.customProperties),
    appTags: names(app?.tags),
  }
}

/** The app itself names its owner; only the addresses need the owner's own record. */
function ownerVariables({ owner, app }: TaskEvent) {
  return {
    appOwnerName: owner?.userName ?? app?.owner?.name ?? '',
    appOwnerUserId: owner?.userId ?? app?.owner?.userId ?? '',
    appOwnerUserDirectory: owner?.directory ?? app?.owner?.userDirectory ?? '',
    appOwnerEmail: owner?.emails[0] ?? '',
  }
}

/** Times both as texts (`startTimeLocal1`) and as the UTC parts that QRS sends (`year` ... `millisecond`). */
function executionVariables({ execution, node }: TaskEvent, times: TimeFormatter) {
  const details = [...(execution?.details ?? [])].sort(
    (a, b) => instant(a.detailCreatedDate) - instant(b.detailCreatedDate),
  )
  const run = execution && runOf(execution)
  const rows = details.map((detail) => `${detail.detailCreatedDate}\t${detail.message}`)
  return {
    executingNodeName: execution?.executingNodeName ?? node ?? '',
    executionDuration: durationParts(run?.durationMs),
    executionStartTime: { ...times.variants('startTime', run?.startTime), ...utcParts(run?.startTime) },
    executionStopTime: { ...times.variants('stopTime', execution?.stopTime), ...utcParts(execution?.stopTime) },
    executionStatusNum: execution?.status ?? '',
    executionStatusText: execution ? (STATUS_TEXTS[execution.status] ?? '') : '',
    executionDetails: details.map((detail) => ({
      ...times.variants('timestamp', detail.detailCreatedDate),
      message: detail.message,
      detailsType: detail.detailsType,
      detailCreatedDate: detail.detailCreatedDate,
    })),
    executionDetailsConcatenated: rows.map((row) => `${row}\n`).join(''),
    executionDetailsText: rows.join('\n'),
  }
}

function scriptLogVariables({ scriptLog, execution }: TaskEvent, counts: LogLines): Variables {
  const { head, tail } = excerpts(scriptLog, counts.headLines, counts.tailLines)
  const shown = shownLines(scriptLog, counts)
  return {
    // QRS reports the size later than it returns the log.
    scriptLogSize: scriptLog ? execution?.scriptLogSize || scriptLog.characters : 0,
    scriptLogSizeRows: scriptLog ? sizeOfLog(scriptLog).rows : '',
    scriptLogSizeCharacters: scriptLog?.characters ?? '',
    scriptLogHead: head,
    scriptLogTail: tail,
    scriptLogHeadCount: shown.headLines,
    scriptLogTailCount: shown.tailLines,
  }
}

function names(entities: readonly QrsNamed[] | undefined): readonly string[] {
  return (entities ?? []).map((entity) => entity.name)
}

function customProperties(properties: readonly QrsCustomProperty[] | undefined) {
  return (properties ?? []).map(({ definition, value }) => ({ name: definition.name, value }))
}

function nextExecution(iso: string | undefined): string {
  return iso === NEVER ? 'Never' : (iso ?? '')
}

/** `yyyy-MM-dd HH:mm:ss`; empty when unknown, `-` for "never". */
function local(iso: string | undefined, times: TimeFormatter): string {
  return times.variants('', iso).Local1
}

/** Sorting key of an ISO time; unreadable ones keep their place at the front. */
function instant(iso: string): number {
  return Date.parse(iso) || 0
}

// Variables of events that are not the end of a task: services, licence, Qlik Cloud, watchdog, Footman itself.

type OfKind<K extends EventDetails['kind']> = Extract<EventDetails, { kind: K }>

/** Every variable that only Qlik Cloud has; empty in all other events, so that no template expression can fail. */
const CLOUD_TEXTS = [
  'tenantId',
  'tenantComment',
  'tenantUrl',
  'userId',
  'userName',
  'appThumbnail',
  'appHasSectionAccess',
  'appIsPublished',
  'reloadTrigger',
  'source',
  'eventTypeVersion',
  'endedWithMemoryConstraint',
  'isDirectQueryMode',
  'isPartialReload',
  'isSessionApp',
  'isSkipStore',
  'peakMemoryBytes',
  'rowLimit',
  'sizeMemoryBytes',
  'reloadId',
  'status',
  'statements',
  'usageDuration',
  'errorCode',
  'errorMessage',
  'appOwnerPicture',
] as const

type DetailVariables = Readonly<Variables> & Pick<TemplateVariables, 'selfText'>

const NO_DETAILS: DetailVariables = {
  ...Object.fromEntries(CLOUD_TEXTS.map((name) => [name, ''])),
  serviceStatus: '',
  servicePrevStatus: '',
  serviceName: '',
  serviceDisplayName: '',
  serviceFriendlyName: '',
  serviceStartType: '',
  serviceExePath: '',
  serviceDependencies: [],
  licenseExpired: '',
  expiryDateStr: '',
  daysUntilExpiry: '',
  watchdogElapsed: durationParts(null),
  watchdogLimit: durationParts(null),
  watchdogUsual: durationParts(null),
  watchdogDueLocal: '',
  code: '',
  selfText: '',
}

const DETAIL_VARIABLES: {
  [K in EventDetails['kind']]: (details: OfKind<K>, event: TaskEvent, times: TimeFormatter) => Variables
} = {
  service: (details) => ({
    serviceStatus: details.status,
    servicePrevStatus: details.previousStatus,
    serviceName: details.serviceName,
    serviceDisplayName: details.displayName,
    serviceFriendlyName: details.friendlyName,
    serviceStartType: details.startType,
    serviceExePath: details.exePath,
    serviceDependencies: [...details.dependencies],
  }),
  license: ({ expired, expiryDate, daysRemaining }) => ({
    licenseExpired: expired,
    expiryDateStr: expiryDate?.slice(0, 10) ?? '',
    daysUntilExpiry: daysRemaining ?? '',
  }),
  // Samples of Butler 16 use `taskName` in the subject although no reload in Qlik Cloud has a task.
  cloudReload: ({ variables }, { appName, scriptLog }, times) => ({
    taskName: variables.appName ?? appName,
    ...withoutUnknown(variables),
    ...cloudTimes(variables, times),
    ...cloudLogSize(scriptLog),
  }),
  watchdog: ({ elapsedMs, limitMs, usualMs, dueAt }, _event, times) => ({
    watchdogElapsed: durationParts(elapsedMs),
    watchdogLimit: durationParts(limitMs),
    watchdogUsual: durationParts(usualMs),
    watchdogDueLocal: dueAt === null ? '' : times.sortable(dueAt),
  }),
  self: ({ text }, { code }) => ({ code: code ?? '', selfText: text }),
}

function detailVariables(event: TaskEvent, times: TimeFormatter): DetailVariables {
  const { details } = event
  if (details === null) return NO_DETAILS
  const variables = DETAIL_VARIABLES[details.kind] as (
    details: EventDetails,
    event: TaskEvent,
    times: TimeFormatter,
  ) => Variables
  return { ...NO_DETAILS, ...variables(details, event, times) }
}

/** The event holds ISO times. */
function cloudTimes(variables: Variables, times: TimeFormatter): Variables {
  const expanded = CLOUD_TIMES.filter(([name]) => typeof variables[name] === 'string').map(([name, prefix]) => {
    const iso = variables[name] as string
    return [name, { ...times.variants(prefix, iso), ...utcParts(iso) }]
  })
  return Object.fromEntries(expanded)
}

const CLOUD_TIMES = [
  ['executionCreationTime', 'creationTime'],
  ['executionStartTime', 'startTime'],
  ['executionStopTime', 'stopTime'],
] as const

/** In Qlik Cloud the size of a script log is its number of lines, and line breaks are no characters. */
function cloudLogSize(scriptLog: TaskEvent['scriptLog']): Variables {
  if (!scriptLog) return {}
  const { rows, characters } = sizeOfLog(scriptLog)
  const shown = rows.toLocaleString()
  return { scriptLogSize: shown, scriptLogSizeRows: shown, scriptLogSizeCharacters: characters.toLocaleString() }
}

/** A value that Qlik Cloud did not send stays at the empty value of its variable. */
function withoutUnknown(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== null && value !== undefined))
}
