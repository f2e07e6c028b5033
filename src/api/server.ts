/** The REST API: opens the port of `restServerConfig` and answers what the features offer. */
import type { ApiRoute } from '../platform/http/route.ts'
import { type HttpServer, type ServeSettings, serveHttp } from '../platform/http-server.ts'
import { StartError } from '../platform/start-error.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { BODY_LIMIT } from './body.ts'
import { createClientAddress, isLocalCaller } from './client-address.ts'
import { createCors } from './cors.ts'
import { createRouter } from './router.ts'
import { type EndpointSwitches, enabledNames, isEnabled } from './switches.ts'
import { type HealthReport, systemRoutes } from './system-routes.ts'

export interface ApiDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly version: string
  /** Text of a PEM file. */
  readonly readFile: (path: string) => Promise<string>
  /** The endpoints of the features. */
  readonly routes: readonly ApiRoute[]
  readonly health: () => HealthReport
}

export interface ApiSettings {
  readonly restServerConfig: {
    readonly enable: boolean
    readonly serverHost: string
    /** 0 = any free port. */
    readonly serverPort: number
    readonly tls: { readonly enable: boolean; readonly cert: string; readonly key: string; readonly ca: string }
  }
  readonly restServerEndpointsEnable: EndpointSwitches
  /** `Butler.footman.api`. */
  readonly api: {
    readonly rateLimitPerMinute: number
    readonly trustedProxies: readonly string[]
    readonly cors?: { readonly origins: readonly string[] }
  }
  /** `Butler.footman.access`. */
  readonly access?: { readonly enable: boolean }
  /** `--api-rate-limit`, which wins; 0 = no limit. */
  readonly rateLimitOption?: number
  /** `Butler.footman.logging.accessLog`. */
  readonly accessLog: boolean
}

export interface Api extends Service {
  /** The port in use; 0 while the server is not running. */
  readonly port: number
  /** Whether the server is up; true when it is switched off. */
  readonly healthy: boolean
}

/** Bodies beyond the limit are refused by our own code with the right text; the server's limit is a backstop. */
const SERVER_BODY_LIMIT = 64 * BODY_LIMIT

const NO_ACCESS_CONTROL =
  'REST API: Butler.footman.access.enable is true, but this version has no access control yet. Set it to false and restrict the port by a firewall, or set restServerConfig.enable to false.'

type Answer = ReturnType<typeof createRouter>

function withCors(answer: Answer, origins: readonly string[]): Answer {
  const cors = createCors(origins)
  if (!cors) return answer
  return async (request, client) => cors.preflight(request) ?? cors.decorate(request, await answer(request, client))
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host)

/** `start` rejects with a `StartError` when the port is taken or a TLS file cannot be read. */
export function createApi(deps: ApiDeps, settings: ApiSettings): Api {
  const log = deps.log.child('api')
  const { restServerConfig: rest, restServerEndpointsEnable: switches } = settings
  const clientOf = createClientAddress(settings.api.trustedProxies)
  const perMinute = settings.rateLimitOption ?? settings.api.rateLimitPerMinute
  const enabledEndpoints = enabledNames(switches)
  const system = systemRoutes({
    version: deps.version,
    enabledEndpoints,
    health: deps.health,
    maySeeChecks: ({ client, headers }) => isLocalCaller(client, headers),
  })
  const routes = [...system, ...deps.routes].filter((route) => isEnabled(route, switches))
  let server: HttpServer | null = null

  async function listen(): Promise<void> {
    const tls = rest.tls.enable ? await readTls(rest.tls, deps.readFile) : undefined
    const answer = withCors(
      createRouter(
        { log, clock: deps.clock, routes },
        { rateLimitPerMinute: perMinute, accessLog: settings.accessLog },
      ),
      settings.api.cors?.origins ?? [],
    )
    server = await serveHttp({
      hostname: rest.serverHost,
      port: rest.serverPort,
      maxBodyBytes: SERVER_BODY_LIMIT,
      handler: (request, { remoteAddress }) => answer(request, clientOf(remoteAddress, request.headers)),
      onError: (error) => log.error(`API: ${error instanceof Error ? error.message : error}`),
      ...(tls && { tls }),
    })
    const scheme = tls ? 'https' : 'http'
    if (!isLoopback(rest.serverHost)) {
      const address = `${rest.serverHost}:${server.port}`
      log.warn(`ACCESS: The REST API listens on ${address} without access control. See Butler.footman.access.`)
    }
    log.info(`API rate limit    : ${perMinute === 0 ? 'none' : `${perMinute} calls per minute`}`)
    log.info(`Enabled API endpoints: ${JSON.stringify(enabledEndpoints, null, 2)}`)
    log.info(`MAIN: REST server listening on ${scheme}://${rest.serverHost}:${server.port}`)
  }

  return {
    name: 'rest api',
    get port() {
      return server?.port ?? 0
    },
    get healthy() {
      return !rest.enable || server !== null
    },
    async start() {
      if (!rest.enable) {
        log.info('MAIN: Will not set up REST server as it is disabled in the config file.')
        return
      }
      // Better no API than an open one that its admin believes to be locked.
      if (settings.access?.enable) throw new StartError(NO_ACCESS_CONTROL)
      await listen().catch((error: unknown) => {
        if (error instanceof StartError) throw error
        throw new StartError(`REST API ${error instanceof Error ? error.message : error}`, { cause: error })
      })
    },
    async stop(graceMs) {
      const running = server
      server = null
      await running?.stop(graceMs)
    },
  }
}

/** Further authorities are sent along with the certificate, so that clients can build the chain. */
async function readTls(
  tls: ApiSettings['restServerConfig']['tls'],
  readFile: (path: string) => Promise<string>,
): Promise<NonNullable<ServeSettings['tls']>> {
  const load = async (what: string, path: string): Promise<string> => {
    try {
      return await readFile(path)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new StartError(`REST API TLS ${what} file could not be loaded (${path}): ${reason}`, { cause: error })
    }
  }
  const cert = await load('cert', tls.cert)
  const key = await load('key', tls.key)
  const ca = tls.ca ? `\n${await load('CA', tls.ca)}` : ''
  return { cert: cert + ca, key }
}
