/** Users of the engine and the apps that they may open. */
import type { SimApp, SimulatedSite } from '../types.ts'

/** The person behind a connection, as `X-Qlik-User: UserDirectory=LAB; UserId=anna` names him. */
export interface EngineUser {
  readonly directory: string
  readonly userId: string
  /** `LAB\anna` in the spelling of the header. */
  readonly name: string
}

/** Null when the header is missing or holds no directory and id. Values may be percent-encoded. */
export function parseQlikUser(header: string | readonly string[] | undefined): EngineUser | null {
  const text = typeof header === 'string' ? header : (header?.[0] ?? '')
  const parts = new Map(
    text.split(';').flatMap((part) => {
      const [key, value] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]
      return part.includes('=') ? [[key.trim().toLowerCase(), decodePercent(value.trim())] as const] : []
    }),
  )
  const [directory, userId] = [parts.get('userdirectory'), parts.get('userid')]
  return directory && userId ? { directory, userId, name: `${directory}\\${userId}` } : null
}

/** Compares as the site does: ignoring case. */
export const sameUser = (user: EngineUser, directory: string, userId: string) =>
  user.directory.toLowerCase() === directory.toLowerCase() && user.userId.toLowerCase() === userId.toLowerCase()

/** The site's own service accounts, such as `INTERNAL\sa_repository`; they see everything. */
export const isServiceAccount = (user: EngineUser) =>
  user.directory.toLowerCase() === 'internal' && user.userId.toLowerCase().startsWith('sa_')

/** Service accounts and content admins may open every app, owners their own, other users those in a stream. */
export function mayOpen(app: SimApp, user: EngineUser, site: SimulatedSite): boolean {
  if (isServiceAccount(user) || app.stream !== null) return true
  if (sameUser(user, app.owner.userDirectory, app.owner.userId)) return true
  const known = site.userByName(user.directory, user.userId)
  return known?.roles.some((role) => ADMIN_ROLES.has(role)) ?? false
}

const ADMIN_ROLES: ReadonlySet<string> = new Set(['RootAdmin', 'ContentAdmin'])

/** Percent-decodes; what is malformed stays as it is. */
export function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
