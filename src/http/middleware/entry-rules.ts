/** Refuses requests at all endpoints, by their address and by the page that made a browser send them. */
import type { Audit } from '../audit/audit.ts'
import type { AccessControl } from '../auth/control.ts'
import type { Check } from '../context.ts'
import { authFailureOf, type RequestObserver } from './observe.ts'
import type { RateLimit } from './rate-limit.ts'

/** Audit entries are limited to the rate limit of the address, because nothing else slows such requests down. */
export function entryRules(
  access: AccessControl,
  audit: Audit,
  observer: RequestObserver,
  limit: RateLimit | null,
): Check {
  return (request) => {
    const { method, url, requestId } = request
    const refusal = access.entryRefusal(url, request)
    if (!refusal) return
    const { client } = request
    if (!limit || limit(client).allowed) {
      audit.record({
        actor: 'anonymous',
        address: client,
        action: `${method} ${url.split('?', 1)[0]!}`,
        target: [],
        status: refusal.status,
        outcome: 'denied',
        requestId,
        detail: null,
      })
    }
    observer.authFailed(authFailureOf(refusal))
    throw refusal
  }
}
