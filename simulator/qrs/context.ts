/** Requests to the repository service: routes, query, caller, body, replies. */
import type { Scheduler } from '../scheduler/scheduler.ts'
import type { ScriptLogs } from '../script-logs.ts'
import type { Reply, SimRequest, SimulatedSite } from '../types.ts'
import type { Notifications } from './notifications.ts'

export interface QrsModes {
  /** Lists are cut after so many entities; 0 = never. */
  maxRecordLimit: number
}

export const DEFAULT_QRS_MODES: QrsModes = { maxRecordLimit: 0 }

/** Query parameters by lower-case name, percent-decoded once; a raw `+` stays a plus sign. */
export type Query = ReadonlyMap<string, string>

interface Caller {
  /** `LAB\anna`. */
  readonly name: string
  /** May write and start. */
  readonly administrator: boolean
}

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
  /** Open to every user who may read; other routes need an administrator. */
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

/** Throws the refusal of QRS when a parameter has no value, as after an unescaped `&` in a filter. */
export function parseQuery(raw: string): Query {
  const query = new Map<string, string>()
  if (raw === '') return query
  for (const part of raw.split('&')) {
    const equals = part.indexOf('=')
    if (equals < 1) throw new Refusal(text(400, 'Missing parameter value(s)'))
    query.set(decode(part.slice(0, equals)).toLowerCase(), decode(part.slice(equals + 1)))
  }
  return query
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** The same 16 letters and digits must stand in the parameter and in the header. */
export function checkXrfKey(request: SimRequest, query: Query) {
  const header = request.headers['x-qlik-xrfkey']
  const parameter = query.get('xrfkey')
  if (parameter === header && /^[0-9a-zA-Z]{16}$/.test(parameter ?? '')) return
  throw new Refusal(text(403, 'XSRF prevention check failed. Possible XSRF discovered.'))
}

const ADMINISTRATOR_ROLES = new Set(['RootAdmin', 'ContentAdmin', 'DeploymentAdmin'])
const INTERNAL_ACCOUNT = /^sa_(repository|scheduler|api|engine|proxy)$/i

/** The caller by `X-Qlik-User: UserDirectory=LAB; UserId=anna`; throws 403 when he is missing, unknown or locked out. */
export function identify(request: SimRequest, site: SimulatedSite): Caller {
  const header = decode(String(request.headers['x-qlik-user'] ?? ''))
  const match = /^\s*UserDirectory\s*=\s*([^;]+?)\s*;\s*UserId\s*=\s*(.+?)\s*$/i.exec(header)
  if (!match) throw new Refusal(empty(403))
  const [, directory = '', userId = ''] = match
  if (directory.toUpperCase() === 'INTERNAL' && INTERNAL_ACCOUNT.test(userId)) {
    return { name: `INTERNAL\\${userId.toLowerCase()}`, administrator: true }
  }
  const user = site.userByName(directory, userId)
  if (!user || user.inactive || user.blacklisted) throw new Refusal(empty(403))
  const administrator = user.roles.some((role) => ADMINISTRATOR_ROLES.has(role))
  return { name: `${user.userDirectory}\\${user.userId}`, administrator }
}

const JSON_TYPE = { 'content-type': 'application/json;charset=utf-8' }
const TEXT_TYPE = { 'content-type': 'text/plain;charset=utf-8' }

export const json = (status: number, value: unknown): Reply => ({
  status,
  headers: JSON_TYPE,
  body: JSON.stringify(value),
})
export const text = (status: number, body: string): Reply => ({ status, headers: TEXT_TYPE, body })
export const empty = (status: number): Reply => ({ status })

/** Ends the handling of a request with an answer. */
export class Refusal extends Error {
  readonly reply: Reply
  constructor(reply: Reply) {
    super(`${reply.status}`)
    this.reply = reply
  }
}
