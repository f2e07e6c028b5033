/** Identifies the caller. */
import type { AccessControl } from '../auth/control.ts'
import type { Answer, Middleware } from '../context.ts'
import type { Identity } from '../endpoint/caller.ts'

/** Wrong credentials are refused by `authorize`, after they have counted for the rate limit. */
export function authenticate(access: AccessControl): Middleware {
  return ({ env }, next) => {
    const goOn = (identity: Identity): Answer => {
      env.identity = identity
      return next()
    }
    const identity = access.identify(env)
    return identity instanceof Promise ? identity.then(goOn) : goOn(identity)
  }
}
