/** Records requests in the audit. */
import type { Audit, AuditOutcome } from '../audit/audit.ts'
import { type Middleware, withAnswer } from '../context.ts'
import type { ApiRoute } from '../endpoint/route.ts'

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
