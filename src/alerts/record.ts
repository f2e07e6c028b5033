/** The variables that every template of every channel sees. */
import type { EventOutcome, EventType, TaskEvent } from '../events/types.ts'
import { STATUS_TEXTS } from '../qlik/qrs/status.ts'
import { NEVER, type QrsCustomProperty, type QrsNamed } from '../qlik/qrs/types.ts'
import { errorLine, excerpts } from './script-log.ts'
import { durationParts, type TimeFormatter, utcParts } from './times.ts'

export interface GenericUrl {
  readonly id: string
  readonly linkText: string
  readonly comment: string
  readonly url: string
}

/** What the variables need besides the event. */
export interface RecordContext {
  readonly qlikSenseUrls: { readonly qmc?: string; readonly hub?: string; readonly appBaseUrl?: string }
  readonly genericUrls: readonly GenericUrl[]
  /** Version of Footman. */
  readonly version: string
  readonly times: TimeFormatter
  /** Milliseconds since 1970: the variable `now`. */
  readonly now: number
}

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

const OUTCOME_WORDS: Partial<Record<EventOutcome, string>> = { failed: 'Failure' }
/** The kinds of events that are not about a task. */
const NO_TASK: readonly EventType[] = ['cloudReload', 'service', 'license', 'self']

/** The name of an event in configuration keys: `reloadTaskFailure`, `preloadTaskSuccess`, `serviceStopped`, ... */
export function eventName(type: EventType, outcome: EventOutcome): string {
  const word = OUTCOME_WORDS[outcome] ?? `${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}`
  return `${type}${NO_TASK.includes(type) ? '' : 'Task'}${word}`
}

export function formatUser(user: string, form: UserForm): string {
  return USER_FORMS[form](user)
}

/** The address of an app in the hub; empty when the base address or the id is unknown. */
export function appUrl(baseUrl: string | undefined, appId: string): string {
  if (!baseUrl || !appId) return ''
  return `${baseUrl}${baseUrl.endsWith('/') ? '' : '/'}${appId}`
}

/**
 * All template variables of a task event. Nothing is ever missing: what is not known is an empty string, an empty list
 * or an object with empty members, so that no template expression can fail. `missingParts` says what could not be read.
 */
export function templateRecord(
  event: TaskEvent,
  context: RecordContext,
  scriptLog: { readonly headLines: number; readonly tailLines: number },
  userForm: UserForm,
): Record<string, unknown> {
  return {
    ...messageVariables(event, userForm),
    ...taskVariables(event, context.times),
    ...appVariables(event, context),
    ...ownerVariables(event),
    ...executionVariables(event, context.times),
    ...scriptLogVariables(event, scriptLog),
    ...linkVariables(context),
    butlerVersion: context.version,
    eventType: eventName(event.type, event.outcome),
    taskType: event.type,
    outcome: event.outcome,
    now: new Date(context.now).toISOString(),
    missingParts: [...event.missingParts],
    emailRecipients: { taskSpecific: [], common: [] },
    suppressedCount: 0,
    test: event.test,
  }
}

function messageVariables(event: TaskEvent, userForm: UserForm): Record<string, unknown> {
  const { host, logTimeStamp, logLevel, logMessage, executionId } = event
  return {
    hostName: host,
    user: formatUser(event.user, userForm),
    taskName: event.taskName || event.task?.name || '',
    taskId: event.taskId,
    logTimeStamp,
    logLevel,
    logMessage,
    executionId,
    errorText: (event.outcome === 'failed' ? errorLine(event.scriptLog) : null) ?? logMessage,
  }
}

function taskVariables({ task }: TaskEvent, times: TimeFormatter): Record<string, unknown> {
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

function appVariables(event: TaskEvent, context: RecordContext): Record<string, unknown> {
  const { app } = event
  const appId = event.appId || app?.id || event.task?.app?.id || ''
  return {
    appId,
    appName: event.appName || app?.name || event.task?.app?.name || '',
    appUrl: appUrl(context.qlikSenseUrls.appBaseUrl, appId),
    appDescription: app?.description ?? '',
    appFileSize: app?.fileSize ?? '',
    appLastSuccessfulReload: app?.lastReloadTime ?? '',
    appLastSuccessfulReloadLocal: local(app?.lastReloadTime, context.times),
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
function ownerVariables({ owner, app }: TaskEvent): Record<string, unknown> {
  return {
    appOwnerName: owner?.userName ?? app?.owner?.name ?? '',
    appOwnerUserId: owner?.userId ?? app?.owner?.userId ?? '',
    appOwnerUserDirectory: owner?.directory ?? app?.owner?.userDirectory ?? '',
    appOwnerEmail: owner?.emails[0] ?? '',
  }
}

function executionVariables({ execution }: TaskEvent, times: TimeFormatter): Record<string, unknown> {
  const details = [...(execution?.details ?? [])].sort(
    (a, b) => instant(a.detailCreatedDate) - instant(b.detailCreatedDate),
  )
  const rows = details.map((detail) => `${detail.detailCreatedDate}\t${detail.message}`)
  return {
    executingNodeName: execution?.executingNodeName ?? '',
    executionDuration: durationParts(execution?.duration),
    executionStartTime: { ...times.variants('startTime', execution?.startTime), ...utcParts(execution?.startTime) },
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

function scriptLogVariables(
  event: TaskEvent,
  counts: { headLines: number; tailLines: number },
): Record<string, unknown> {
  const { scriptLog, execution } = event
  const { head, tail } = excerpts(scriptLog, counts.headLines, counts.tailLines)
  return {
    scriptLogSize: scriptLog ? (execution?.scriptLogSize ?? scriptLog.characters) : 0,
    scriptLogSizeRows: scriptLog?.lines.length ?? '',
    scriptLogSizeCharacters: scriptLog?.characters ?? '',
    scriptLogHead: head,
    scriptLogTail: tail,
    scriptLogHeadCount: counts.headLines,
    scriptLogTailCount: counts.tailLines,
  }
}

/** `qliksSense...` is how the manuals of Butler 16 misspell the names; templates written from them must work. */
function linkVariables({ qlikSenseUrls, genericUrls }: RecordContext): Record<string, unknown> {
  const { qmc = '', hub = '' } = qlikSenseUrls
  return { qlikSenseQMC: qmc, qlikSenseHub: hub, qliksSenseQMC: qmc, qliksSenseHub: hub, genericUrls: [...genericUrls] }
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
