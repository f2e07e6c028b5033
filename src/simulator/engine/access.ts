import type { SimApp, SimulatedSite } from '../types.ts'
import { type EngineUser, isServiceAccount, sameUser } from './identity.ts'

const ADMIN_ROLES: ReadonlySet<string> = new Set(['RootAdmin', 'ContentAdmin'])

/** Service accounts and content admins see every app, owners their own, everybody else what is in a stream. */
export function mayOpen(app: SimApp, user: EngineUser, site: SimulatedSite): boolean {
  if (isServiceAccount(user) || app.stream !== null) return true
  if (sameUser(user, app.owner.userDirectory, app.owner.userId)) return true
  const known = site.userByName(user.directory, user.userId)
  return known?.roles.some((role) => ADMIN_ROLES.has(role)) ?? false
}
