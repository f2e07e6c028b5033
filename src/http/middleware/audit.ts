/** Which requests the audit records. */
import type { Audit, AuditOutcome } from '../audit/audit.ts'
import { type Answer, type Middleware, type RequestContext, withAnswer } from '../context.ts'
import type { ApiRoute } from '../endpoint/route.ts'
import type { Refusal } from '../errors.ts'
import { authFailureOf, type RequestObserver } from './observe.ts'
import type { RateLimit } from './rate-limit.ts'

/** Records what an endpoint answered. `keyValues`: writes of single key-value pairs, too. */
export function auditRequests(audit: Audit, { keyValues }: { readonly keyValues: boolean }): Middleware {
  return (c, next) =>
    withAnswer(next(), (response) => {
      const { env } = c
      const { route, method, note, identity, requestId } = env
      const { status } = response
      if (!route || !isRecorded(route, method, status, keyValues)) return response
      audit.record({
        actor: identity.caller.actor,
        address: env.client,
        action: route.action ?? `${method} ${route.path}`,
        target: note?.target ?? Object.values(c.req.param()),
        status,
        outcome: note?.outcome ?? outcomeOf(status),
        requestId,
        detail: note?.detail ?? null,
      })
      return response
    })
}

/** Refuses a request before an endpoint is reached, with metrics and audit; throws. */
export type TurnAway = (refusal: Refusal, request: RequestContext) => Answer

/** Recorded only as long as the address keeps within the rate limit, as nothing else slows it down. */
export function createTurnAway(audit: Audit, observer: RequestObserver, limit: RateLimit | null): TurnAway {
  return (refusal, { method, url, client, requestId }) => {
    if (!limit || limit(client).allowed) {
      const action = `${method} ${url.split('?', 1)[0]!}`
      const unknown = { actor: 'anonymous', target: [], detail: null }
      audit.record({ ...unknown, address: client, action, status: refusal.status, outcome: 'denied', requestId })
    }
    observer.authFailed(authFailureOf(refusal))
    throw refusal
  }
}

function isRecorded({ audit }: ApiRoute, method: string, status: number, keyValues: boolean): boolean {
  // Too many requests are what the limit protects from; recording each would undo it.
  if (status === 429) return false
  if (status === 401 || status === 403) return true
  const wanted = audit ?? (method === 'GET' || method === 'HEAD' ? 'refused' : 'always')
  return wanted === 'always' || (wanted === 'single' && keyValues)
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'ok'
  return status === 401 || status === 403 ? 'denied' : 'failed'
}
