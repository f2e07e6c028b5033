import type { Reply, SimRequest } from '../types.ts'
import { appShape, itemShape, metadataShape, reloadShape, type Shape, scriptLog, userShape } from './shapes.ts'
import type { CloudReload, CloudTenant } from './tenant.ts'

export interface Match {
  readonly tenant: CloudTenant
  readonly request: SimRequest
  /** The parts of the path that the route's pattern names. */
  readonly ids: Readonly<Record<string, string>>
  readonly query: URLSearchParams
}

interface Route {
  readonly method: 'GET' | 'POST'
  readonly pattern: RegExp
  answer(match: Match): Reply
}

export const json = (status: number, body: unknown): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** `{"errors":[{"code","title","detail"}]}`. */
export const failure = (status: number, code: string, title: string, detail?: string): Reply =>
  json(status, { errors: [{ code, title, ...(detail === undefined ? {} : { detail }) }] })

/** The part of the Qlik Cloud REST API that the tenant answers. */
export const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    pattern: /^\/api\/v1\/apps\/(?<app>[^/]+)\/reloads\/logs\/(?<reload>[^/]+)$/,
    answer({ tenant, ids }) {
      const reload = tenant.reloads.get(ids.reload ?? '')
      if (!reload || reload.app.id !== ids.app) return notFound('APPS-404', ids.reload)
      return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: scriptLog(reload) }
    },
  },
  {
    method: 'GET',
    pattern: /^\/api\/v1\/apps\/(?<app>[^/]+)\/data\/metadata$/,
    answer({ tenant, ids }) {
      const app = tenant.apps.get(ids.app ?? '')
      return app ? json(200, metadataShape(app)) : notFound('APPS-404', ids.app)
    },
  },
  {
    method: 'GET',
    pattern: /^\/api\/v1\/apps\/(?<app>[^/]+)$/,
    answer({ tenant, ids }) {
      const app = tenant.apps.get(ids.app ?? '')
      return app ? json(200, appShape(app, tenant)) : notFound('APPS-404', ids.app)
    },
  },
  { method: 'GET', pattern: /^\/api\/v1\/items$/, answer: listItems },
  {
    method: 'GET',
    pattern: /^\/api\/v1\/users\/(?<user>[^/]+)$/,
    answer({ tenant, ids }) {
      const user = tenant.users.get(ids.user ?? '')
      return user ? json(200, userShape(user, tenant)) : notFound('USERS-404', ids.user)
    },
  },
  { method: 'GET', pattern: /^\/api\/v1\/reloads$/, answer: listReloads },
  { method: 'POST', pattern: /^\/api\/v1\/reloads$/, answer: startReload },
  {
    method: 'GET',
    pattern: /^\/api\/v1\/reloads\/(?<reload>[^/]+)$/,
    answer({ tenant, ids, query }) {
      const reload = tenant.reloads.get(ids.reload ?? '')
      if (!reload) return notFound('RELOADS-007', ids.reload)
      return json(200, reloadShape(reload, tenant, query.get('log') !== 'false'))
    },
  },
  {
    method: 'POST',
    pattern: /^\/api\/v1\/reloads\/(?<reload>[^/]+)\/actions\/cancel$/,
    answer({ tenant, ids }) {
      const reload = tenant.reloads.get(ids.reload ?? '')
      if (!reload) return notFound('RELOADS-007', ids.reload)
      if (tenant.cancelReload(reload)) return { status: 202 }
      return failure(409, 'RELOADS-012', 'Conflict', `Reload ${reload.id} has ended`)
    },
  },
]

/** Answers a request that has been let in. */
export function route(tenant: CloudTenant, request: SimRequest): Reply {
  const path = request.path.replace(/\/$/, '')
  const fitting = ROUTES.filter(({ pattern }) => pattern.test(path))
  const found = fitting.find(({ method }) => method === request.method)
  if (!found) return fitting.length > 0 ? { status: 405 } : failure(404, 'HTTP-404', 'Not found')
  const ids = Object.fromEntries(
    Object.entries(found.pattern.exec(path)?.groups ?? {}).map(([name, value]) => [name, decode(value)]),
  )
  return found.answer({ tenant, request, ids, query: new URLSearchParams(request.query) })
}

const notFound = (code: string, id: string | undefined) => failure(404, code, 'Not found', `${id} was not found`)

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const page = (tenant: CloudTenant, path: string, data: readonly Shape[]) => ({
  data,
  links: { self: { href: `${tenant.url}${path}` }, next: { href: null }, prev: { href: null } },
})

const limitOf = (query: URLSearchParams, most: number) =>
  Math.min(most, Math.max(1, Math.floor(Number(query.get('limit'))) || 10))

function listItems({ tenant, query }: Match): Reply {
  const [type, id] = [query.get('resourceType'), query.get('resourceId')]
  if (id !== null && type === null) return failure(400, 'APIGW-400', 'resourceId needs a resourceType')
  const found = tenant.items.filter(({ app }) => (type === null || type === 'app') && (id === null || app.id === id))
  const shapes = found.slice(0, limitOf(query, 100)).map((item) => itemShape(item, tenant))
  return json(200, page(tenant, '/api/v1/items', shapes))
}

/** `filter=status eq "FAILED"` is the only filter that the tenant knows. */
function listReloads({ tenant, query }: Match): Reply {
  const appId = query.get('appId')
  const filter = query.get('filter')
  const status = filter === null ? null : /^status eq "?(\w+)"?$/i.exec(filter.trim())?.[1]
  if (status === undefined) return failure(400, 'RELOADS-003', 'Invalid filter', `Cannot parse ${filter}`)
  const fits = (one: CloudReload) =>
    (appId === null || one.app.id === appId) && (status === null || one.status === status.toUpperCase())
  const found = [...tenant.reloads.values()].filter(fits).sort((left, right) => right.createdAt - left.createdAt)
  const withLog = query.get('log') === 'true'
  const shapes = found.slice(0, limitOf(query, 100)).map((reload) => reloadShape(reload, tenant, withLog))
  return json(200, page(tenant, '/api/v1/reloads', shapes))
}

function startReload({ tenant, request }: Match): Reply {
  const body = parse(request.body.toString('utf8'))
  const appId = typeof body?.appId === 'string' ? body.appId : null
  if (appId === null) return failure(400, 'RELOADS-001', 'Invalid request body', 'appId is missing')
  const app = tenant.apps.get(appId)
  if (!app) return failure(403, 'RELOADS-004', 'Forbidden', `No access to app ${appId}`)
  return json(201, reloadShape(tenant.startReload(app, body?.partial === true), tenant, false))
}

function parse(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
