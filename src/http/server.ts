/** The REST API: opens the port of `restServerConfig` and answers what the features offer. */

import type { SharedState } from '../cluster/types.ts'
import { isLoopback } from '../platform/addresses.ts'
import { errorText, StartError } from '../platform/errors.ts'
import { type HttpServer, type ServeTls, serveHttp } from '../platform/http-server.ts'
import { formatAddress } from '../platform/listen-error.ts'
import type { Use } from '../platform/replaceable.ts'
import type { Service } from '../platform/types.ts'
import { createHttpApp, type HttpApp, type HttpAppDeps, type HttpAppSettings, perMinute } from './app.ts'
import { keyRoutes } from './auth/key-uses.ts'
import { compileKeys, type KnownKey } from './auth/keys.ts'
import { createProxies } from './client-address.ts'
import { documentationRoutes } from './documentation.ts'
import type { ApiRoute } from './endpoint/route.ts'
import type { KeptServer, RestHandover } from './handover.ts'
import { BODY_LIMIT, BODY_TIMEOUT_MS, createBodyBudget } from './middleware/body.ts'
import { createCrowdWarning } from './middleware/rate-limit.ts'
import type { DocumentSettings } from './openapi/document.ts'
import type { OpenApiDocument } from './openapi/schema.ts'
import { securityTxtRoute } from './security-txt.ts'
import { type HealthReport, systemRoutes } from './system.ts'
import { certificateEnds, createTlsWatch, readTls, type TlsWatch } from './tls.ts'

export interface ApiDeps extends HttpAppDeps {
  readonly version: string
  /** Absolute path of the configuration file; absent: there is none. */
  readonly configuration?: string | null
  /** The endpoints of the features. */
  readonly routes: readonly ApiRoute[]
  readonly health: () => HealthReport
  /** Pages for browsers that the log names at the start; absent = none. */
  readonly pages?: () => readonly BrowserPage[]
  /** Gets what carries out the calls that other nodes of a cluster have received. */
  readonly serve?: SharedState['serve']
  /** Keeps the port open while one app replaces another. */
  readonly restHandover?: RestHandover<RunningServer> | undefined
  /** Absent: a new one. */
  readonly server?: ApiServer
}

/** The server of the REST API. It is made before the API, as many of those that look at it have endpoints there. */
export interface ApiServer {
  /** Null while it is not running. */
  running: RunningServer | null
  /** Whether the server is up; true when it is switched off. */
  readonly healthy: boolean
  /** Why the TLS files on disk cannot be used; null = they can, or there are none. */
  readonly tlsProblem: string | null
  /** Ends of the certificates in use, milliseconds since 1970. */
  certificates(): readonly { readonly name: string; readonly expiresAt: number }[]
  /** Takes no connections until `resume`; requests under way go on. Does nothing where the runtime cannot do it. */
  pause(): void
  /** Rejects when the port cannot be opened again. */
  resume(): Promise<void>
}

export function createApiServer({ enable }: Pick<ApiSettings['restServerConfig'], 'enable'>): ApiServer {
  const own: ApiServer = {
    running: null,
    get healthy() {
      return !enable || own.running !== null
    },
    get tlsProblem() {
      return own.running?.watch?.problem ?? null
    },
    certificates: () => own.running?.certificates() ?? [],
    pause: () => own.running?.server.pause?.(),
    resume: async () => own.running?.server.resume?.(),
  }
  return own
}

export interface BrowserPage {
  /** Subject of the log line: `Console`. */
  readonly name: string
  /** Below the address of the REST API: `/console/`. */
  readonly path: string
  /** Address for other machines; '' = not known. */
  readonly publicUrl: string
}

/** `Butler.restServerEndpointsEnable`: which endpoints exist. */
export interface EndpointSwitches {
  readonly [name: string]: boolean | EndpointSwitches
}

export interface ApiSettings extends HttpAppSettings {
  readonly restServerConfig: {
    readonly enable: boolean
    readonly serverHost: string
    /** 0 = any free port. */
    readonly serverPort: number
    readonly tls: { readonly enable: boolean; readonly cert: string; readonly key: string; readonly ca: string }
  }
  readonly restServerEndpointsEnable: EndpointSwitches
  /** How often the TLS files are looked at; default a minute. */
  readonly tlsCheckMs?: number
}

/** Settings that can be changed while the server runs. */
export type LiveApiSettings = Pick<ApiSettings, 'api' | 'access' | 'accessLog'>

export interface Api extends Service {
  /**
   * Rejects when the settings cannot be used. Requests are answered by them when the result has been called; those under
   * way end as they began.
   */
  prepare(settings: LiveApiSettings): Promise<Use>
  /** The data directory is a new one: what local programs need is put there again. */
  republish(): Promise<void>
  readonly server: ApiServer
  /** The port in use; 0 while the server is not running. */
  readonly port: number
  /** Describes the enabled endpoints. */
  describe(): Promise<OpenApiDocument>
}

/** How often the TLS files are looked at. */
const TLS_CHECK_MS = 60_000

/** Bodies beyond the limit are refused by our own code with the right text; the server's limit is a backstop. */
const SERVER_BODY_LIMIT = 64 * BODY_LIMIT

/** `start` rejects with a `StartError` when the port is taken or a file of TLS or access control cannot be used. */
export function createApi(deps: ApiDeps, settings: ApiSettings): Api {
  const log = deps.log.child('api')
  const { readFile } = deps
  const appDeps = { ...deps, log, bodyBudget: deps.bodyBudget ?? createBodyBudget() }
  const { restServerConfig: rest, restServerEndpointsEnable: switches } = settings
  const enabledEndpoints = enabledNames(switches)
  const system = systemRoutes({
    version: deps.version,
    configuration: deps.configuration ?? null,
    enabledEndpoints,
    health: deps.health,
  })
  const securityTxt = securityTxtRoute(() => current.api.securityTxt, deps.clock)
  const keys = deps.keyUses ? keyRoutes({ keys: () => keysInForce(current), uses: deps.keyUses }) : []
  const offered = [...system, securityTxt, ...keys, ...deps.routes].filter((route) => isEnabled(route, switches))
  const describe = async () => {
    const { openApiDocument } = await import('./openapi/document.ts')
    return openApiDocument(offered, documentSettings(deps, current, own.running?.server.port))
  }
  const routes = [...offered, ...documentationRoutes({ version: deps.version, document: describe })]
  const { restHandover, server: own = createApiServer(rest) } = deps
  let current: ApiSettings = settings
  let app: HttpApp | null = null

  async function openApp(): Promise<HttpApp> {
    app = await createHttpApp(appDeps, current, { serverHost: rest.serverHost, routes })
    deps.serve?.((request) => app!.carryOut(request))
    return app
  }

  async function open(): Promise<RunningServer> {
    const opened = await openApp()
    const identity = JSON.stringify([rest, settings.api, settings.access?.clientCertificates])
    const kept = await restHandover?.take(identity)
    restHandover?.use({ answer: (request, info) => app!.answer(request, info) })
    if (kept) {
      await opened.opened()
      return kept
    }
    const tlsSettings = {
      ...rest.tls,
      clients: settings.access?.enable ? settings.access.clientCertificates : undefined,
    }
    const tls = rest.tls.enable ? await readTls(tlsSettings, readFile) : null
    const { requestTimeout = BODY_TIMEOUT_MS, connectionsPerAddress: max = 0, trustedProxies } = settings.api
    const warnOfCrowd = createCrowdWarning(log, deps.clock, max)
    const server = await serveHttp({
      hostname: rest.serverHost,
      port: rest.serverPort,
      maxBodyBytes: SERVER_BODY_LIMIT,
      idleTimeout: Math.ceil(requestTimeout / 1000),
      connections: {
        max,
        isExempt: createProxies(trustedProxies).trusts,
        onRefused: (address) => warnOfCrowd(address, 'connections'),
      },
      handler: restHandover?.answer ?? ((request, info) => app!.answer(request, info)),
      onError: (error) => log.error(`API: ${errorText(error)}`),
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
    await opened.opened()
    return {
      settings: identity,
      server,
      watch,
      certificates: () => (inUse ? certificateEnds(inUse) : []),
      async stop(graceMs) {
        watch?.stop()
        await server.stop(graceMs)
      },
    }
  }

  function logStart(port: number): void {
    if (!settings.access?.enable && !isLoopback(rest.serverHost)) {
      const address = formatAddress(rest.serverHost, port)
      log.warn(`ACCESS: The REST API listens on ${address} without access control. See Butler.footman.access.`)
    }
    const scheme = rest.tls.enable ? 'https' : 'http'
    log.info(`REST API documentation available at ${scheme}://${formatAddress(rest.serverHost, port)}/documentation`)
    log.info(`API rate limit    : ${limitText(settings)}`)
    log.info(`Enabled API endpoints: ${JSON.stringify(enabledEndpoints)}`)
    log.info(`MAIN: REST server listening on ${scheme}://${rest.serverHost}:${port}`)
    const origin = `${scheme}://${formatAddress(browserHost(rest.serverHost), port)}`
    for (const { name, path, publicUrl } of deps.pages?.() ?? []) {
      const elsewhere = publicUrl && `, for other machines ${publicUrl.replace(/\/+$/, '')}${path}`
      log.info(`MAIN: ${name} at ${origin}${path}${elsewhere}`)
    }
  }

  return {
    name: 'rest api',
    describe,
    server: own,
    republish: async () => app?.republish(),
    get port() {
      return own.running?.server.port ?? 0
    },
    async prepare(changes) {
      const next = { ...settings, ...changes }
      const prepared = own.running ? await createHttpApp(appDeps, next, { serverHost: rest.serverHost, routes }) : null
      return async () => {
        current = next
        if (!prepared || !own.running) return
        const old = app
        app = prepared
        // Both publish the local key under one name.
        await old?.close()
        await prepared.opened()
      }
    },
    async start() {
      if (!rest.enable) {
        log.info('MAIN: Will not set up REST server as it is disabled in the config file.')
        // A leader answers calls that other nodes have received.
        if (deps.shared?.status) await openApp()
        return
      }
      own.running = await open().catch((error: unknown) => {
        if (error instanceof StartError) throw error
        throw new StartError(`REST API ${errorText(error)}`, { cause: error })
      })
      logStart(own.running.server.port)
    },
    async stop(graceMs) {
      const stopped = own.running
      own.running = null
      const isKept = stopped !== null && (await restHandover?.keep(stopped, graceMs))
      await app?.close()
      if (!isKept) await stopped?.stop(graceMs)
    },
  }
}

/** A browser cannot open the address that stands for all addresses. */
const browserHost = (host: string): string => (host === '0.0.0.0' || /^\[?::\]?$/.test(host) ? 'localhost' : host)

export interface RunningServer extends KeptServer {
  readonly server: HttpServer
  readonly watch: TlsWatch | null
  readonly certificates: ApiServer['certificates']
}

function limitText(settings: ApiSettings): string {
  const limit = perMinute(settings)
  return limit === 0 ? 'none' : `${limit} calls per minute`
}

const keysInForce = ({ access, timezone = '' }: ApiSettings): readonly KnownKey[] =>
  access?.enable ? compileKeys(access.keys, timezone) : []

function documentSettings({ version }: ApiDeps, settings: ApiSettings, port: number | undefined): DocumentSettings {
  const { tls, serverHost, serverPort } = settings.restServerConfig
  const serverUrl = `${tls.enable ? 'https' : 'http'}://${formatAddress(serverHost, port ?? serverPort)}`
  return { version, serverUrl, locked: settings.access?.enable ?? false }
}

/** True when the switch of the route is on, or when it has none. */
function isEnabled(route: Pick<ApiRoute, 'switch'>, switches: EndpointSwitches): boolean {
  if (route.switch === null) return true
  let value: boolean | EndpointSwitches | undefined = switches
  for (const part of route.switch.split('.')) value = typeof value === 'object' ? value[part] : undefined
  return value === true
}

/** Names of the switches that are on, groups flattened, in order. */
function enabledNames(switches: EndpointSwitches): string[] {
  return Object.entries(switches).flatMap(([name, value]) => {
    if (typeof value === 'object' && value !== null) return enabledNames(value)
    return value === true ? [name] : []
  })
}
