/** The REST API: opens the port of `restServerConfig` and answers what the features offer. */
import { type RequestObserver, SILENT_OBSERVER } from '../platform/http/observer.ts'
import type { ApiRoute } from '../platform/http/route.ts'
import { type HttpServer, type ServeTls, serveHttp } from '../platform/http-server.ts'
import { formatAddress } from '../platform/listen-error.ts'
import { StartError } from '../platform/start-error.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { type Access, type AccessSettings, buildAccess } from './access/build.ts'
import { createLocalCheck } from './access/local.ts'
import { createRequestAudit } from './audit/requests.ts'
import type { Audit } from './audit/types.ts'
import { BODY_LIMIT } from './body.ts'
import { createProxies } from './client-address.ts'
import { type Cors, createCors } from './cors.ts'
import { documentationRoutes } from './documentation/routes.ts'
import { type DocumentSettings, openApiDocument } from './openapi/document.ts'
import type { OpenApiDocument } from './openapi/types.ts'
import { createRouter } from './router.ts'
import { type EndpointSwitches, enabledNames, isEnabled } from './switches.ts'
import { type HealthReport, systemRoutes } from './system-routes.ts'
import { certificateEnds, createTlsWatch, readTls, type TlsWatch } from './tls.ts'

export interface ApiDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly version: string
  /** Text of a PEM file. */
  readonly readFile: (path: string) => Promise<string>
  /** The endpoints of the features. */
  readonly routes: readonly ApiRoute[]
  readonly health: () => HealthReport
  /** Absent: nothing is recorded. */
  readonly audit?: Audit
  /** Counts answers; absent: nobody does. */
  readonly observer?: RequestObserver
  /** Where the local key is published; absent: nowhere. */
  readonly dataDirectory?: string
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
  readonly access?: AccessSettings
  /** `Butler.footman.timezone`; '' = that of this computer. */
  readonly timezone?: string
  /** How often the TLS files are looked at; default a minute. */
  readonly tlsCheckMs?: number
  /** `--api-rate-limit`, which wins; 0 = no limit. */
  readonly rateLimitOption?: number
  /** `Butler.footman.logging.accessLog`. */
  readonly accessLog: boolean
}

export interface Api extends Service {
  /** Why the TLS files on disk cannot be used; null = they can, or there are none. */
  readonly tlsProblem: string | null
  /** The port in use; 0 while the server is not running. */
  readonly port: number
  /** Whether the server is up; true when it is switched off. */
  readonly healthy: boolean
  /** Ends of the certificates in use, milliseconds since 1970. */
  certificates(): readonly { readonly name: string; readonly expiresAt: number }[]
  /** What it offers. */
  describe(): OpenApiDocument
}

/** How often the TLS files are looked at. */
const TLS_CHECK_MS = 60_000

/** Bodies beyond the limit are refused by our own code with the right text; the server's limit is a backstop. */
const SERVER_BODY_LIMIT = 64 * BODY_LIMIT

type Answer = ReturnType<typeof createRouter>

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host)

/** `start` rejects with a `StartError` when the port is taken or a file of TLS or access control cannot be used. */
export function createApi(deps: ApiDeps, settings: ApiSettings): Api {
  const log = deps.log.child('api')
  const { clock, readFile } = deps
  const { restServerConfig: rest, restServerEndpointsEnable: switches } = settings
  const perMinute = settings.rateLimitOption ?? settings.api.rateLimitPerMinute
  const enabledEndpoints = enabledNames(switches)
  const system = systemRoutes({ version: deps.version, enabledEndpoints, health: deps.health })
  const offered = [...system, ...deps.routes].filter((route) => isEnabled(route, switches))
  const describe = () => openApiDocument(offered, documentSettings(deps, settings, running?.server.port))
  const routes = [...offered, ...documentationRoutes({ version: deps.version, document: describe })]
  let running: Running | null = null

  async function open(): Promise<Running> {
    const access = await buildAccess(
      {
        log,
        clock,
        readFile,
        isLocal: createLocalCheck({ serverHost: rest.serverHost }),
        dataDirectory: deps.dataDirectory ?? null,
        timezone: settings.timezone ?? '',
      },
      settings.access,
    )
    const cors = createCors(settings.api.cors?.origins ?? [])
    const answer = createRouter(
      {
        log,
        clock,
        routes,
        access: access.control,
        cors,
        proxies: createProxies(settings.api.trustedProxies),
        observer: deps.observer ?? SILENT_OBSERVER,
        audit: createRequestAudit(deps.audit ?? SILENT_AUDIT, { keyValues: settings.access?.auditKeyValues ?? false }),
      },
      { rateLimitPerMinute: perMinute, accessLog: settings.accessLog },
    )
    const tlsSettings = {
      ...rest.tls,
      clients: settings.access?.enable ? settings.access.clientCertificates : undefined,
    }
    const tls = rest.tls.enable ? await readTls(tlsSettings, readFile) : null
    const server = await serveHttp({
      hostname: rest.serverHost,
      port: rest.serverPort,
      maxBodyBytes: SERVER_BODY_LIMIT,
      handler: cors ? withCors(answer, cors) : answer,
      onError: (error) => log.error(`API: ${error instanceof Error ? error.message : error}`),
      ...(tls && { tls }),
    })
    const { setTls: use } = server
    let inUse = tls
    const change = (files: ServeTls): void => {
      use?.(files)
      inUse = files
    }
    const watch =
      tls && use
        ? createTlsWatch({ log, readFile, use: change }, tlsSettings, tls, settings.tlsCheckMs ?? TLS_CHECK_MS)
        : null
    await access.opened()
    return { server, access, watch, certificates: () => (inUse ? certificateEnds(inUse) : []) }
  }

  function tell(port: number): void {
    if (!settings.access?.enable && !isLoopback(rest.serverHost)) {
      const address = formatAddress(rest.serverHost, port)
      log.warn(`ACCESS: The REST API listens on ${address} without access control. See Butler.footman.access.`)
    }
    const scheme = rest.tls.enable ? 'https' : 'http'
    log.info(`REST API documentation available at ${scheme}://${formatAddress(rest.serverHost, port)}/documentation`)
    log.info(`API rate limit    : ${perMinute === 0 ? 'none' : `${perMinute} calls per minute`}`)
    log.info(`Enabled API endpoints: ${JSON.stringify(enabledEndpoints, null, 2)}`)
    log.info(`MAIN: REST server listening on ${scheme}://${rest.serverHost}:${port}`)
  }

  return {
    name: 'rest api',
    describe,
    certificates: () => running?.certificates() ?? [],
    get tlsProblem() {
      return running?.watch?.problem ?? null
    },
    get port() {
      return running?.server.port ?? 0
    },
    get healthy() {
      return !rest.enable || running !== null
    },
    async start() {
      if (!rest.enable) {
        log.info('MAIN: Will not set up REST server as it is disabled in the config file.')
        return
      }
      running = await open().catch((error: unknown) => {
        if (error instanceof StartError) throw error
        throw new StartError(`REST API ${error instanceof Error ? error.message : error}`, { cause: error })
      })
      tell(running.server.port)
    },
    async stop(graceMs) {
      const stopped = running
      running = null
      stopped?.watch?.stop()
      await stopped?.access.close()
      await stopped?.server.stop(graceMs)
    },
  }
}

interface Running {
  readonly server: HttpServer
  readonly access: Access
  readonly watch: TlsWatch | null
  readonly certificates: Api['certificates']
}

const SILENT_AUDIT: Audit = { record: () => {} }

function documentSettings({ version }: ApiDeps, settings: ApiSettings, port: number | undefined): DocumentSettings {
  const { tls, serverHost, serverPort } = settings.restServerConfig
  const serverUrl = `${tls.enable ? 'https' : 'http'}://${formatAddress(serverHost, port ?? serverPort)}`
  return { version, serverUrl, locked: settings.access?.enable ?? false }
}

function withCors(answer: Answer, cors: Cors): Answer {
  return async (request, info) => cors.decorate(request, await answer(request, info))
}
