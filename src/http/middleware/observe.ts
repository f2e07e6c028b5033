/** Records of requests: metrics, access log, audit. */
import type { Logger } from '../../platform/types.ts'
import type { Audit, AuditOutcome } from '../audit.ts'
import { type Middleware, type RequestContext, withAnswer } from '../context.ts'
import type { Identity } from '../endpoint/caller.ts'
import type { ApiRequest, ApiRoute, AuditNote } from '../endpoint/route.ts'
import type { Refusal } from '../errors.ts'

/** Why a caller was refused. */
export const AUTH_FAILURES = ['missing', 'invalid', 'expired', 'scope', 'address', 'browser'] as const
type AuthFailure = (typeof AUTH_FAILURES)[number]

/** Called with every answer before it leaves; must be quick. */
export interface RequestObserver {
  /** `path` as the endpoint is declared (`/v4/app/{appId}/dump`); null when no endpoint was reached. */
  answered(method: string, path: string | null, status: number, milliseconds: number): void
  authFailed(reason: AuthFailure): void
}

export const SILENT_OBSERVER: RequestObserver = { answered: () => {}, authFailed: () => {} }

/** Counts and times every answer. */
export function observe(observer: RequestObserver): Middleware {
  return (c, next) =>
    withAnswer(next(c), (response) => {
      const { env } = c
      // A call of another node is counted there.
      if (env.isPreflight || env.forwarded) return response
      observer.answered(env.method, env.route?.path ?? null, response.status, performance.now() - env.startedAt)
      return response
    })
}

const REASONS: Readonly<Record<string, AuthFailure>> = {
  ADDRESS_NOT_ALLOWED: 'address',
  CROSS_SITE: 'browser',
  HOST_NOT_ALLOWED: 'browser',
}

/** The reason for the metrics; `identity` as far as it is known. */
export function authFailureOf({ status, body }: Refusal, identity?: Identity): AuthFailure {
  if (identity?.refusal) return /expired/.test(identity.problem ?? '') ? 'expired' : 'invalid'
  if (status === 401) return 'missing'
  return REASONS[String(body.code)] ?? (identity ? 'scope' : 'address')
}

const SECRET_HEADERS = /^(authorization|cookie|proxy-authorization|x-api-key|api-key)$/i

/** One line per request at info (at debug when the access log is off), and four lines with its parts at debug. */
export function createRequestLog(log: Logger, accessLog: boolean): (request: ApiRequest, seen: RequestContext) => void {
  const level = accessLog ? 'info' : 'debug'
  return (request, { shownUrl, route, requestId, correlationId }) => {
    if (!log.enabled(level)) return
    const named = correlationId === null ? '' : `, request ${requestId}, X-Request-Id ${correlationId}`
    log[level](`${shownUrl} called from ${request.client}${named}`)
    if (route?.confidential || !log.enabled('debug')) return
    const headers = Object.fromEntries(
      [...request.headers].map(([name, value]) => [name, SECRET_HEADERS.test(name) ? '**********' : value]),
    )
    const parts = { Query: request.query, Body: request.body ?? null, Params: request.params, Headers: headers }
    for (const [name, value] of Object.entries(parts)) log.debug(`${name}: ${JSON.stringify(value)}`)
  }
}

/** Records in the audit what an endpoint answered. `keyValues`: writes of single key-value pairs, too. */
export function auditRequests(audit: Audit, { keyValues }: { readonly keyValues: boolean }): Middleware {
  return (c, next) =>
    withAnswer(next(c), (response) => {
      const { env } = c
      const { route, method, note, identity, requestId } = env
      const { status } = response
      if (!route || env.shows || env.forwarded || env.repeat || !isRecorded(route, method, status, keyValues))
        return response
      audit.record({
        actor: identity.caller.actor,
        address: env.client,
        action: route.action ?? `${method} ${route.path}`,
        target: note?.target ?? (route.confidential === 'path' ? [] : Object.values(c.req.param())),
        status,
        outcome: note?.outcome ?? outcomeOf(status),
        requestId,
        detail: detailOf(note, env.correlationId),
        ...(env.via && { via: env.via }),
      })
      return response
    })
}

/** With the name that the caller gave the request, by which its own log has it. */
function detailOf(note: AuditNote | null, correlationId: string | null): string | null {
  const named = correlationId === null ? null : `X-Request-Id ${correlationId}`
  return [note?.detail, named].filter(Boolean).join(', ') || null
}

function isRecorded({ audited }: ApiRoute, method: string, status: number, keyValues: boolean): boolean {
  // Too many requests are what the limit protects from; recording each would undo it.
  if (status === 429) return false
  if (status === 401 || status === 403) return true
  const wanted = audited ?? (method === 'GET' || method === 'HEAD' ? 'refused' : 'always')
  return wanted === 'always' || (wanted === 'single' && keyValues)
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'ok'
  return status === 401 || status === 403 ? 'denied' : 'failed'
}
