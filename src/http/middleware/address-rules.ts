/** Whether an address may call at all. */
import type { AccessControl } from '../auth/control.ts'
import type { Middleware } from '../context.ts'
import type { TurnAway } from './audit.ts'

/** Refuses addresses outside `access.allowFrom`, whatever the endpoint. */
export function addressRules(access: AccessControl, turnAway: TurnAway): Middleware {
  return ({ env }, next) => {
    const refusal = access.addressRefusal(env.url, env)
    return refusal ? turnAway(refusal, env) : next()
  }
}
