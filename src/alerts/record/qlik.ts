/** The variables that come from Qlik Sense: task, app, owner, execution, script log. */
import type { TaskEvent } from '../../events/types.ts'
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import { NEVER, type QrsCustomProperty, type QrsNamed } from '../../qlik/qrs/types.ts'
import { excerpts } from '../script-log.ts'
import { durationParts, type TimeFormatter, utcParts } from '../times.ts'

type Variables = Record<string, unknown>

export function taskVariables({ task }: TaskEvent, times: TimeFormatter): Variables {
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

export function appVariables(event: TaskEvent, appBaseUrl: string | undefined, times: TimeFormatter): Variables {
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
export function ownerVariables({ owner, app }: TaskEvent): Variables {
  return {
    appOwnerName: owner?.userName ?? app?.owner?.name ?? '',
    appOwnerUserId: owner?.userId ?? app?.owner?.userId ?? '',
    appOwnerUserDirectory: owner?.directory ?? app?.owner?.userDirectory ?? '',
    appOwnerEmail: owner?.emails[0] ?? '',
  }
}

/** Times both as texts (`startTimeLocal1`) and as the UTC parts that QRS sends (`year` ... `millisecond`). */
export function executionVariables({ execution, node }: TaskEvent, times: TimeFormatter): Variables {
  const details = [...(execution?.details ?? [])].sort(
    (a, b) => instant(a.detailCreatedDate) - instant(b.detailCreatedDate),
  )
  const rows = details.map((detail) => `${detail.detailCreatedDate}\t${detail.message}`)
  return {
    executingNodeName: execution?.executingNodeName ?? node ?? '',
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

/** Which lines of the script log a message shows. */
export interface LogLines {
  readonly headLines: number
  readonly tailLines: number
}

export function scriptLogVariables({ scriptLog, execution }: TaskEvent, counts: LogLines): Variables {
  const { head, tail } = excerpts(scriptLog, counts.headLines, counts.tailLines)
  return {
    // QRS tells the size later than it hands out the log.
    scriptLogSize: scriptLog ? execution?.scriptLogSize || scriptLog.characters : 0,
    scriptLogSizeRows: scriptLog?.lines.length ?? '',
    scriptLogSizeCharacters: scriptLog?.characters ?? '',
    scriptLogHead: head,
    scriptLogTail: tail,
    scriptLogHeadCount: counts.headLines,
    scriptLogTailCount: counts.tailLines,
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
