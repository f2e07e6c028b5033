/** The Qlik Cloud tenant as an HTTP service. */
import { randomUUID } from 'node:crypto'
import { createHttpListener } from '../http-listener.ts'
import type { Listener, ListenerDeps, Reply, SimRequest } from '../types.ts'
import { type Envelope, reloadEvent } from './events.ts'
import { appShape, itemShape, metadataShape, reloadShape, type Shape, scriptLog, userShape } from './shapes.ts'
import { type CloudReload, type CloudTenant, createAcmeTenant } from './tenant.ts'

export interface CloudSettings {
  /** 0 = any free port. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** False: plain HTTP. Default true. */
  readonly tls?: boolean
  /** The accepted bearer token; default: any that is not empty. */
  readonly token?: string
  readonly tenantId?: string
  /** The address that links have; default https://acme.eu.qlikcloud.com. */
  readonly tenantUrl?: string
  /** Simulated milliseconds a started reload runs; default 1,500. */
  readonly reloadMs?: number
  /** More requests than this in a minute are answered with 429; default 1,000. */
  readonly requestsPerMinute?: number
}

export interface CloudListener extends Listener {
  readonly tenant: CloudTenant
  /** The webhook event about a reload. Throws when the tenant has no such reload. */
  event(reloadId: string, envelope: Envelope): Shape
  /** Back to the fresh tenant. */
  reset(): void
}

const DEFAULT_TENANT_ID = 'KyYpXz1tTenantIdxxxxxxxxxxxxxxx'
const MINUTE_MS = 60_000

/** The Qlik Cloud tenant of the simulated site: its REST API with a bearer token, and its webhook events. */
export function createCloudListener(deps: ListenerDeps, settings: CloudSettings): CloudListener {
  const { clock } = deps
  const limit = settings.requestsPerMinute ?? 1_000
  let window = { start: 0, count: 0 }
  let tenant = makeTenant()

  function makeTenant() {
    return createAcmeTenant(deps, {
      id: settings.tenantId ?? DEFAULT_TENANT_ID,
      url: settings.tenantUrl ?? 'https://acme.eu.qlikcloud.com',
      reloadMs: settings.reloadMs ?? 1_500,
    })
  }

  function isAllowed(request: SimRequest): boolean {
    const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    return token !== undefined && (settings.token === undefined || token === settings.token)
  }

  /** Seconds until the next request is accepted; null when this one is. */
  function overLimit(): number | null {
    const now = clock.now()
    if (now - window.start >= MINUTE_MS) window = { start: now, count: 0 }
    window.count += 1
    return window.count > limit ? Math.ceil((window.start + MINUTE_MS - now) / 1000) : null
  }

  function handle(request: SimRequest): Reply {
    if (!isAllowed(request)) return failure(401, 'AUTH-1', 'Unauthorized')
    const seconds = overLimit()
    if (seconds === null) return route(tenant, request)
    const refusal = failure(429, 'HTTP-429', 'Too many requests')
    return { ...refusal, headers: { ...refusal.headers, 'retry-after': String(seconds) } }
  }

  const listener = createHttpListener(deps, {
    name: 'cloud',
    port: settings.port,
    host: settings.host,
    security: settings.tls === false ? 'none' : 'server',
    handle,
  })

  return {
    name: 'cloud',
    get port() {
      return listener.port
    },
    get tenant() {
      return tenant
    },
    start: () => listener.start(),
    stop: () => listener.stop(),
    event(reloadId, envelope) {
      const reload = tenant.reloads.get(reloadId)
      const known = [...tenant.reloads.keys()].join(', ')
      if (!reload) throw new Error(`The simulated tenant has no reload ${reloadId}; known: ${known}`)
      return reloadEvent(tenant, reload, envelope, randomUUID())
    },
    reset() {
      tenant = makeTenant()
      window = { start: 0, count: 0 }
    },
  }
}

interface Match {
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

const json = (status: number, body: unknown): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** `{"errors":[{"code","title","detail"}]}`. */
const failure = (status: number, code: string, title: string, detail?: string): Reply =>
  json(status, { errors: [{ code, title, ...(detail === undefined ? {} : { detail }) }] })

/** The part of the Qlik Cloud REST API that the tenant answers. */
const ROUTES: readonly Route[] = [
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

/** Answers an authorized request. */
function route(tenant: CloudTenant, request: SimRequest): Reply {
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
