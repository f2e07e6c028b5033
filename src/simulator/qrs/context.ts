import type { Scheduler } from '../scheduler/scheduler.ts'
import type { ScriptLogs } from '../script-logs.ts'
import type { Reply, SimRequest, SimulatedSite } from '../types.ts'
import type { Notifications } from './notifications.ts'
import type { Caller, Query } from './query.ts'
import { Refusal, text } from './replies.ts'

export interface QrsModes {
  /** Lists are cut after so many entities; 0 = never. */
  maxRecordLimit: number
}

export const DEFAULT_QRS_MODES: QrsModes = { maxRecordLimit: 0 }

/** Shared by the routes of the repository. */
export interface QrsDeps {
  readonly site: SimulatedSite
  readonly scheduler: Scheduler
  readonly scriptLogs: ScriptLogs
  readonly notifications: Notifications
  readonly modes: QrsModes
  /** Called after schema events were changed. */
  rescheduled(): void
}

export interface Call extends QrsDeps {
  readonly request: SimRequest
  readonly query: Query
  readonly caller: Caller
  /** Captured parts of the path. */
  readonly params: readonly string[]
}

export interface Route {
  readonly method: string
  /** Path after `/qrs/`; `<id>` takes a GUID, `<*>` anything within a segment. */
  readonly path: string
  /** For everybody who may read; writes need an administrator. */
  readonly everyone?: true
  handle(call: Call): Reply
}

export function bodyOf(call: Call): Readonly<Record<string, unknown>> {
  const body = parseBody(call)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Refusal(text(400, 'Invalid body'))
  return body as Readonly<Record<string, unknown>>
}

/** The JSON of the body; null when there is none. */
export function parseBody(call: Call): unknown {
  if (call.request.body.length === 0) return null
  try {
    return JSON.parse(call.request.body.toString('utf8'))
  } catch {
    throw new Refusal(text(400, 'Invalid JSON'))
  }
}
