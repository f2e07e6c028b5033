/** The listener of `dockerHealthCheck`: reports to container engines and load balancers whether Footman is healthy. */

import { Hono } from 'hono'
import { jsonAnswer } from '../http/endpoint/route.ts'
import { noSuchRoute } from '../http/errors.ts'
import { errorText } from '../platform/errors.ts'
import { type LocalServer, serveLocal } from '../platform/local-server.ts'
import type { Logger, Service } from '../platform/types.ts'

export interface HealthListenerDeps {
  readonly log: Logger
  /** `checks` are the states of the single parts, `reasons` what is wrong with some. */
  readonly health: () => {
    readonly healthy: boolean
    readonly checks: Readonly<Record<string, string>>
    readonly reasons?: Readonly<Record<string, string>>
  }
  /** Whether the caller at this address may see the single checks. */
  readonly maySeeChecks: (address: string, headers: Headers) => boolean
}

export interface HealthListenerSettings {
  /** `footman.health.host` */
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
}

export interface HealthListener extends Service {
  /** 0 while it is not running. */
  readonly port: number
}

type Env = { Bindings: { readonly address: string } }

function createHealthApp({ health, maySeeChecks }: HealthListenerDeps): Hono<Env> {
  const app = new Hono<Env>({ getPath: ({ url }) => new URL(url).pathname })
  app.get('/health/live', () => jsonAnswer(200, { statusCode: 200, status: 'ok' }))
  app.get('/health', (c) => {
    const { healthy, checks, reasons } = health()
    const state = healthy ? { statusCode: 200, status: 'ok' } : { statusCode: 503, status: 'ko' }
    const details = maySeeChecks(c.env.address, c.req.raw.headers) && { checks, ...(reasons && { reasons }) }
    return jsonAnswer(state.statusCode, { ...state, ...details })
  })
  app.notFound((c) => {
    const { pathname, search } = new URL(c.req.url)
    const { status, body } = noSuchRoute(c.req.method, pathname + search)
    return jsonAnswer(status, body)
  })
  app.onError((error) => {
    // The server logs it and answers 500.
    throw error
  })
  return app
}

/** `start` rejects with a `ListenError` when the port is taken. */
export function createHealthListener(deps: HealthListenerDeps, settings: HealthListenerSettings): HealthListener {
  const { log } = deps
  const app = createHealthApp(deps)
  let server: LocalServer | null = null

  return {
    name: 'health listener',
    get port() {
      return server?.port ?? 0
    },
    async start() {
      server = await serveLocal({
        hostname: settings.host,
        port: settings.port,
        idleTimeout: 60,
        handler: (request, { remoteAddress }) => app.fetch(request, { address: remoteAddress }),
        onError: (error) => log.error(`HEALTH: ${errorText(error)}`),
      })
      log.info(`MAIN: Started Docker healthcheck server on port ${server.port}.`)
    },
    async stop(graceMs) {
      const running = server
      server = null
      await running?.stop(graceMs)
    },
  }
}
