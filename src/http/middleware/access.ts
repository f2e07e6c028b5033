/** Access control around the endpoints: refuses requests at the entry, identifies the caller, checks its scopes. */
import { limitedClient } from '../../platform/addresses.ts'
import type { Logger } from '../../platform/types.ts'
import type { Audit } from '../audit.ts'
import type { AccessControl } from '../auth/control.ts'
import type { Answer, Check, Middleware } from '../context.ts'
import type { Identity } from '../endpoint/caller.ts'
import { authFailureOf, type RequestObserver } from './observe.ts'
import type { RateLimit } from './rate-limit.ts'

/**
 * Refuses requests at all endpoints, by their address and by the page that made a browser send them. Audit entries are
 * limited to the rate limit of the address, because nothing else slows such requests down.
 */
export function entryRules(
  access: AccessControl,
  audit: Audit,
  observer: RequestObserver,
  limit: RateLimit | null,
): Check {
  return (request) => {
    // The node that received the call has applied its own.
    if (request.forwarded) return
    const { method, url, requestId } = request
    const refusal = access.entryRefusal(url, request)
    if (!refusal) return
    const { client } = request
    if (!limit || limit(limitedClient(client)).allowed) {
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

/** Identifies the caller. Wrong credentials are refused by `authorize`, after they have counted for the rate limit. */
export function authenticate(access: AccessControl): Middleware {
  return (c, next) => {
    const goOn = (identity: Identity): Answer => {
      c.env.identity = identity
      return next(c)
    }
    // A call of a page has the rights of the session, that of another node those that were found there.
    if (c.env.isChecked) return next(c)
    const identity = access.identify(c.env)
    return identity instanceof Promise ? identity.then(goOn) : goOn(identity)
  }
}

/** Refuses callers without valid credentials or without the scope of the endpoint. */
export function authorize(access: AccessControl, log: Logger, observer: RequestObserver): Middleware {
  return (c, next) => {
    const { env } = c
    const { identity, route } = env
    if (identity.problem) log.info(`ACCESS: Credentials from ${env.client} refused: ${identity.problem}`)
    if (!route || env.forwarded) return next(c)
    const isOpen = !identity.refusal && route.openTo?.(env.client)
    const refusal = identity.refusal ?? (isOpen ? null : access.refusal(route, identity.caller, env))
    if (!refusal) return next(c)
    observer.authFailed(authFailureOf(refusal, identity))
    throw refusal
  }
}
