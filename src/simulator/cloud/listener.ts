import { randomUUID } from 'node:crypto'
import { createHttpListener } from '../http-listener.ts'
import type { Listener, ListenerDeps, Reply, SimRequest } from '../types.ts'
import { type Envelope, reloadEvent } from './events.ts'
import { failure, route } from './routes.ts'
import type { Shape } from './shapes.ts'
import { type CloudTenant, createAcmeTenant } from './tenant.ts'

export interface CloudSettings {
  /** 0 = any free port. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** False: plain HTTP. Default true. */
  readonly tls?: boolean
  /** The bearer token that is let in; default: any that is not empty. */
  readonly token?: string
  readonly tenantId?: string
  /** As links have it; default https://acme.eu.qlikcloud.com. */
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

  /** Seconds until the next request is let in; null when this one is. */
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
