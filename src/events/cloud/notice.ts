/** The webhook events of Qlik Cloud about finished reloads, in all their forms, as one record. */
import { parseOutsideJson } from '../../platform/json.ts'
import type { ReloadNotice, Tree } from '../../qlik/cloud/types.ts'

export type ParsedNotice =
  | { readonly kind: 'notice'; readonly notice: ReloadNotice }
  /** A well-formed event that is not about a reload that succeeded or failed. */
  | { readonly kind: 'other'; readonly why: string }
  | { readonly kind: 'invalid'; readonly why: string }

const APP_EVENT = 'com.qlik.v1.app.reload.finished'
const RELOAD_EVENT = 'com.qlik.v1.reload.finished'

const OUTCOMES: Readonly<Record<string, ReloadNotice['outcome']>> = {
  error: 'failed',
  FAILED: 'failed',
  EXCEEDED_LIMIT: 'failed',
  ok: 'success',
  SUCCEEDED: 'success',
}

/**
 * Reads the legacy envelope (`eventType`, `extensions`), CloudEvents 1.0 (`type`, `tenantid`), bodies that hold both,
 * and the event `com.qlik.v1.reload.finished`.
 */
export function parseNotice(payload: Uint8Array): ParsedNotice {
  const body = treeOf(payload)
  if (body === null) return { kind: 'invalid', why: 'it is no JSON object' }
  const eventType = text(body.type, body.eventType)
  if (eventType !== APP_EVENT && eventType !== RELOAD_EVENT) {
    return { kind: 'other', why: eventType === '' ? 'it names no type' : `its type is ${eventType}` }
  }
  const extensions = isTree(body.extensions) ? body.extensions : {}
  const data = isTree(body.data) ? body.data : {}
  const status = text(data.status)
  const outcome = outcomeOf(status, data.succeeded)
  if (outcome === null) return { kind: 'other', why: `the reload has the status "${status}"` }
  const appId = text(body.toplevelresourceid, extensions.topLevelResourceId, data.appId)
  const reloadId = text(data.reloadId, eventType === RELOAD_EVENT ? data.id : undefined)
  if (appId === '' && reloadId === '') return { kind: 'invalid', why: 'it names neither app nor reload' }
  const time = text(body.time, body.eventTime)
  return {
    kind: 'notice',
    notice: {
      eventType,
      status,
      outcome,
      appId,
      reloadId,
      data,
      eventTypeVersion: text(body.eventTypeVersion),
      source: text(body.source),
      time: Number.isNaN(Date.parse(time)) ? '' : time,
      tenantId: text(body.tenantid, extensions.tenantId, data.tenantId),
      userId: text(body.userid, extensions.userId, data.userId),
      ownerId: text(body.ownerid, extensions.ownerId),
      appName: text(data.name, data.appName),
    },
  }
}

/** Null while it is unknown, and for a cancelled reload. */
function outcomeOf(status: string, succeeded: unknown): ReloadNotice['outcome'] | null {
  const known = OUTCOMES[status]
  if (known) return known
  if (status === 'CANCELED' || typeof succeeded !== 'boolean') return null
  return succeeded ? 'success' : 'failed'
}

/** Two events with the same key within `ttlMs` (milliseconds) announce the same end of a reload. */
export function noticeKey(notice: ReloadNotice): { readonly key: string; readonly ttlMs: number } {
  const { tenantId, reloadId, appId, outcome } = notice
  return reloadId === ''
    ? { key: `cloud|${tenantId}|app|${appId}|${outcome}`, ttlMs: 2 * MINUTE_MS }
    : { key: `cloud|${tenantId}|${reloadId}|${outcome}`, ttlMs: 60 * MINUTE_MS }
}

const MINUTE_MS = 60_000

function treeOf(payload: Uint8Array): Tree | null {
  try {
    const value: unknown = parseOutsideJson(
      Buffer.from(payload)
        .toString('utf8')
        .replace(/^\uFEFF/, ''),
    )
    return isTree(value) ? value : null
  } catch {
    return null
  }
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

const MAX_TEXT = 1000

function text(...values: readonly unknown[]): string {
  const found = values.find((value) => typeof value === 'string' && value !== '')
  return typeof found === 'string' ? found.slice(0, MAX_TEXT) : ''
}
