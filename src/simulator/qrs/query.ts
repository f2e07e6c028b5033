import type { SimRequest, SimulatedSite } from '../types.ts'
import { empty, Refusal, text } from './replies.ts'

/** Query parameters by lower-case name, percent-decoded once; a raw `+` stays a plus sign. */
export type Query = ReadonlyMap<string, string>

/** Throws the refusal of QRS when a parameter has no value, as after an unescaped `&` in a filter. */
export function parseQuery(raw: string): Query {
  const query = new Map<string, string>()
  if (raw === '') return query
  for (const part of raw.split('&')) {
    const equals = part.indexOf('=')
    if (equals < 1) throw new Refusal(text(400, 'Missing parameter value(s)'))
    query.set(decode(part.slice(0, equals)).toLowerCase(), decode(part.slice(equals + 1)))
  }
  return query
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** The same 16 letters and digits must stand in the parameter and in the header. */
export function checkXrfKey(request: SimRequest, query: Query) {
  const header = request.headers['x-qlik-xrfkey']
  const parameter = query.get('xrfkey')
  if (parameter === header && /^[0-9a-zA-Z]{16}$/.test(parameter ?? '')) return
  throw new Refusal(text(403, 'XSRF prevention check failed. Possible XSRF discovered.'))
}

export interface Caller {
  /** `LAB\anna`. */
  readonly name: string
  /** May write and start. */
  readonly administrator: boolean
}

const ADMINISTRATOR_ROLES = new Set(['RootAdmin', 'ContentAdmin', 'DeploymentAdmin'])
const INTERNAL_ACCOUNT = /^sa_(repository|scheduler|api|engine|proxy)$/i

/** The caller by `X-Qlik-User: UserDirectory=LAB; UserId=anna`; throws 403 when he is missing, unknown or locked out. */
export function identify(request: SimRequest, site: SimulatedSite): Caller {
  const header = decode(String(request.headers['x-qlik-user'] ?? ''))
  const match = /^\s*UserDirectory\s*=\s*([^;]+?)\s*;\s*UserId\s*=\s*(.+?)\s*$/i.exec(header)
  if (!match) throw new Refusal(empty(403))
  const [, directory = '', userId = ''] = match
  if (directory.toUpperCase() === 'INTERNAL' && INTERNAL_ACCOUNT.test(userId)) {
    return { name: `INTERNAL\\${userId.toLowerCase()}`, administrator: true }
  }
  const user = site.userByName(directory, userId)
  if (!user || user.inactive || user.blacklisted) throw new Refusal(empty(403))
  const administrator = user.roles.some((role) => ADMINISTRATOR_ROLES.has(role))
  return { name: `${user.userDirectory}\\${user.userId}`, administrator }
}
