import { iso, RELOAD_ERRORS, type Shape, shortIso } from './shapes.ts'
import type { CloudReload, CloudTenant } from './tenant.ts'

/**
 * Forms of the webhook event about a finished reload: the legacy envelope, CloudEvents 1.0, both in one body, and the
 * event `com.qlik.v1.reload.finished`, which comes once for each reload.
 */
export const ENVELOPES = ['0.1', 'hybrid', '1.0', 'reload'] as const
export type Envelope = (typeof ENVELOPES)[number]

export const isEnvelope = (text: unknown): text is Envelope => ENVELOPES.some((one) => one === text)

const APP_EVENT = 'com.qlik.v1.app.reload.finished'
const RELOAD_EVENT = 'com.qlik.v1.reload.finished'

/** Builds the event that the tenant's webhook sends when this reload has ended. `eventId` makes it unique. */
export function reloadEvent(tenant: CloudTenant, reload: CloudReload, envelope: Envelope, eventId: string): Shape {
  switch (envelope) {
    case '0.1':
      return { ...legacyAttributes(tenant, reload, eventId), data: appEventData(reload) }
    case '1.0':
      return { ...cloudEventAttributes(tenant, reload, eventId, APP_EVENT), data: withEnd(reload) }
    case 'hybrid':
      return {
        ...legacyAttributes(tenant, reload, eventId),
        ...cloudEventAttributes(tenant, reload, eventId, APP_EVENT),
        data: withEnd(reload),
      }
    case 'reload':
      return {
        ...cloudEventAttributes(tenant, reload, eventId, RELOAD_EVENT),
        data: reloadEventData(tenant, reload),
      }
  }
}

const endOf = (reload: CloudReload) => reload.endedAt ?? reload.createdAt
const durationOf = (reload: CloudReload) => endOf(reload) - (reload.startedAt ?? reload.createdAt)
const spaceOf = (tenant: CloudTenant, reload: CloudReload) =>
  tenant.items.find(({ app }) => app === reload.app)?.spaceId ?? ''

function legacyAttributes(tenant: CloudTenant, reload: CloudReload, eventId: string): Shape {
  return {
    cloudEventsVersion: '0.1',
    source: 'com.qlik/engine',
    contentType: 'application/json',
    eventId,
    eventTime: shortIso(endOf(reload)),
    eventTypeVersion: '1.0.0',
    eventType: APP_EVENT,
    extensions: {
      ownerId: reload.app.owner.id,
      tenantId: tenant.id,
      userId: reload.user.id,
      spaceId: spaceOf(tenant, reload),
      topLevelResourceId: reload.app.id,
    },
  }
}

function cloudEventAttributes(tenant: CloudTenant, reload: CloudReload, id: string, type: string): Shape {
  return {
    id,
    specversion: '1.0',
    type,
    source: type === RELOAD_EVENT ? 'com.qlik/reloads' : 'com.qlik/engine',
    time: shortIso(endOf(reload)),
    datacontenttype: 'application/json',
    tenantid: tenant.id,
    userid: reload.user.id,
    ownerid: reload.app.owner.id,
    spaceid: spaceOf(tenant, reload),
    toplevelresourceid: reload.app.id,
  }
}

const withEnd = (reload: CloudReload): Shape => ({ ...appEventData(reload), endTime: shortIso(endOf(reload)) })

/** The engine's report about one attempt. */
function appEventData(reload: CloudReload): Shape {
  const failed = reload.status !== 'SUCCEEDED'
  return {
    name: reload.app.name,
    reloadId: reload.id,
    status: failed ? 'error' : 'ok',
    duration: durationOf(reload),
    endedWithMemoryConstraint: reload.status === 'EXCEEDED_LIMIT',
    errors: reload.status === 'FAILED' ? ['Cannot open file'] : [],
    warnings: [],
    isDirectQueryMode: false,
    isPartialReload: reload.partial,
    isSessionApp: false,
    isSkipStore: false,
    peakMemoryBytes: 73_400_320,
    rowLimit: -1,
    size: { memory: reload.app.memorySize },
    statements: [],
    usage: 'ANALYTICS',
  }
}

/** The reload service's report about the whole reload; it does not know the app's name. */
function reloadEventData(tenant: CloudTenant, reload: CloudReload): Shape {
  const error = RELOAD_ERRORS[reload.status]
  return {
    id: reload.id,
    appId: reload.app.id,
    tenantId: tenant.id,
    userId: reload.user.id,
    type: reload.trigger,
    status: reload.status,
    succeeded: reload.status === 'SUCCEEDED',
    partial: reload.partial,
    errorCode: error?.[0] ?? '',
    errorMessage: error?.[1] ?? '',
    creationTime: iso(reload.createdAt),
    startTime: iso(reload.startedAt ?? reload.createdAt),
    endTime: iso(endOf(reload)),
    durationSeconds: Math.round(durationOf(reload) / 1000),
    taskId: '',
  }
}
