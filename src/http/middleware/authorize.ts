/** Refuses callers without valid credentials or without the scope of the endpoint. */
import type { Logger } from '../../platform/types.ts'
import type { AccessControl } from '../auth/control.ts'
import type { Middleware } from '../context.ts'
import { authFailureOf, type RequestObserver } from './observe.ts'

export function authorize(access: AccessControl, log: Logger, observer: RequestObserver): Middleware {
  return ({ env }, next) => {
    const { identity, route } = env
    if (identity.problem) log.info(`ACCESS: Credentials from ${env.client} refused: ${identity.problem}`)
    if (!route) return next()
    const isOpen = !identity.refusal && route.openTo?.(env.client)
    const refusal = identity.refusal ?? (isOpen ? null : access.refusal(route, identity.caller, env))
    if (!refusal) return next()
    observer.authFailed(authFailureOf(refusal, identity))
    throw refusal
  }
}
