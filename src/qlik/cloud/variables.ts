/** The variables of templates about a reload in Qlik Cloud, from what its event and the tenant say. */
import type { CloudLook, CloudRead, ReloadNotice, TenantSettings, Tree } from './types.ts'

/** Times are ISO texts here; what shows them knows zone and language. */
export function cloudVariables(notice: ReloadNotice, look: CloudLook, tenant: TenantSettings): Record<string, unknown> {
  const { data, appId } = notice
  const [app, item] = [found(look.app), found(look.item)]
  const tenantUrl = tenant.tenantUrl.replace(/\/+$/, '')
  return {
    tenantId: notice.tenantId,
    tenantComment: tenant.comment,
    tenantUrl: tenant.tenantUrl,
    userId: notice.userId,
    appId,
    appName: notice.appName || app?.name || '',
    appUrl: tenantUrl === '' ? '' : `${tenantUrl}/sense/app/${encodeURIComponent(appId)}`,
    appDescription: app?.description ?? '',
    appThumbnail: app?.thumbnail ?? '',
    appPublishTime: app?.publishTime ?? '',
    appHasSectionAccess: app?.hasSectionAccess ?? '',
    // The member `published` means something else: distributed from a client-managed site.
    appIsPublished: app ? Boolean(app.publishTime) : '',
    appFileSize: number(item?.fileSize),
    ...(item && { appTags: item.tags }),
    source: notice.source,
    eventType: notice.eventType,
    eventTypeVersion: notice.eventTypeVersion,
    reloadId: notice.reloadId,
    status: notice.status,
    ...dataVariables(data),
    ...reloadVariables(notice, look),
    ...ownerVariables(look),
  }
}

const FLAGS = ['endedWithMemoryConstraint', 'isDirectQueryMode', 'isSessionApp', 'isSkipStore'] as const

function dataVariables(data: Tree): Record<string, unknown> {
  const size = data.size as Tree | null | undefined
  return {
    ...Object.fromEntries(FLAGS.map((name) => [name, data[name] ?? ''])),
    isPartialReload: data.isPartialReload ?? data.partial ?? '',
    peakMemoryBytes: number(data.peakMemoryBytes),
    rowLimit: number(data.rowLimit),
    sizeMemoryBytes: number(size?.memory),
    statements: data.statements ?? '',
    usageDuration: data.duration ?? data.durationSeconds ?? '',
  }
}

/** The reload service knows best; the event `com.qlik.v1.reload.finished` holds most of it too. */
function reloadVariables({ data }: ReloadNotice, look: CloudLook): Record<string, unknown> {
  const reload = found(look.reload)
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  const start = reload?.startTime ?? text(data.startTime)
  const end = reload?.endTime ?? text(data.endTime)
  return {
    reloadTrigger: reload?.type ?? text(data.type),
    errorCode: reload?.errorCode ?? text(data.errorCode),
    errorMessage: reload?.errorMessage ?? text(data.errorMessage),
    logMessage: (reload?.log ?? '').replace(/\r?\n/g, '\r\n'),
    executionStatusText: reload?.status ?? (data.reloadId === undefined ? text(data.status) : ''),
    executionCreationTime: reload?.creationTime ?? text(data.creationTime),
    executionStartTime: start,
    executionStopTime: end,
    executionDuration: durationOf(start, end),
  }
}

function ownerVariables(look: CloudLook): Record<string, unknown> {
  const owner = found(look.owner)
  return {
    userName: owner?.name ?? '',
    appOwnerName: owner?.name ?? '',
    appOwnerUserId: owner?.id ?? '',
    appOwnerEmail: owner?.email ?? '',
    appOwnerPicture: owner?.picture ?? '',
  }
}

/** With the separators of the host's locale; empty when it is not known. */
function number(value: unknown): string {
  return typeof value === 'number' && Number.isFinite(value) ? value.toLocaleString() : ''
}

function durationOf(start: string, end: string) {
  const ms = Date.parse(end) - Date.parse(start)
  if (Number.isNaN(ms)) return { hours: '', minutes: '', seconds: '' }
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return { hours: Math.floor(seconds / 3600), minutes: Math.floor(seconds / 60) % 60, seconds: seconds % 60 }
}

export function found<T>(read: CloudRead<T> | undefined): T | null {
  return read?.state === 'found' ? read.value : null
}
