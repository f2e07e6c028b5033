/** The server of `configVisualisation`: shows the configuration that is in force, masked at every request anew. */
import { randomBytes } from 'node:crypto'
import { stringify } from 'yaml'
import { type BrowserRules, refusalPage } from '../http/middleware/browser-rules.ts'
import { noSuchRoute, Refusal, refused } from '../http/endpoint/errors.ts'
import { jsonAnswer, jsonText } from '../http/endpoint/route.ts'
import { type LocalServer, serveLocal } from '../platform/local-server.ts'
import type { Logger, Service } from '../platform/types.ts'
import icon from './assets/icon.svg' with { type: 'text' }
import styles from './assets/view.css' with { type: 'text' }
import script from './assets/view.js' with { type: 'text' }
import { configPage } from './page.ts'

interface RateVerdict {
  readonly allowed: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly resetSeconds: number
}

export interface ConfigViewDeps<V extends RateVerdict = RateVerdict> {
  readonly log: Logger
  readonly version: string
  /** The `Butler` section in force. */
  readonly config: () => object
  /** A copy of it without secrets. */
  readonly mask: (butler: object) => unknown
  /** Counts a request of a client. */
  readonly limit: (client: string) => V
  readonly tooManyRequests: (verdict: V) => Refusal
  readonly browser: BrowserRules
}

export interface ConfigViewSettings {
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** Mask secrets and addresses. */
  readonly obfuscate: boolean
}

export interface ConfigView extends Service {
  /** 0 while it is not running. */
  readonly port: number
}

const HEADERS = {
  'x-frame-options': 'SAMEORIGIN',
  'x-content-type-options': 'nosniff',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

const contentPolicy = (nonce: string): string =>
  `default-src 'none'; script-src 'self' 'nonce-${nonce}'; style-src 'self' 'nonce-${nonce}'; img-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'self'; object-src 'none'`

const ASSETS: Readonly<Record<string, readonly [type: string, text: string]>> = {
  '/view.css': ['text/css', styles],
  '/view.js': ['text/javascript', script],
  '/icon.svg': ['image/svg+xml', icon],
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host)

/**
 * `start` rejects with a `ListenError` when the port is taken. Without masking the page is for this machine only: on any
 * other address it is not started, which the log says.
 */
export function createConfigView<V extends RateVerdict>(
  deps: ConfigViewDeps<V>,
  settings: ConfigViewSettings,
): ConfigView {
  const { log } = deps
  let server: LocalServer | null = null

  function answer(request: Request, client: string): Response {
    const { pathname, search } = new URL(request.url)
    const path = pathname + search
    try {
      const verdict = deps.limit(client)
      if (!verdict.allowed) {
        const { method } = request
        log.warn(`CONFIG VIS: Rate limit exceeded for source IP address ${client}. Method=${method}, endpoint=${path}`)
        throw deps.tooManyRequests(verdict)
      }
      return withHeaders(page(request, pathname, path), verdict.headers)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const answer = refusalPage(error, request.headers) ?? jsonAnswer(error.status, error.body, error.headers)
      return withHeaders(answer)
    }
  }

  function page(request: Request, pathname: string, path: string): Response {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw noSuchRoute(request.method, path)
    const foreign = deps.browser.refusal(request.headers)
    if (foreign) throw foreign
    if (!settings.obfuscate && !deps.browser.knowsHost(request.headers.get('host'))) {
      throw refused(403, 'Host not allowed', 'While nothing is masked, open the page by localhost or an address.')
    }
    const asset = ASSETS[pathname]
    if (asset) return textAnswer(asset[0], asset[1])
    const views: Readonly<Record<string, (butler: Record<string, unknown>) => Response>> = {
      '/': html,
      '/config.json': (Butler) => jsonText(200, JSON.stringify({ Butler }, null, 2)),
      '/config.yaml': (butler) => textAnswer('application/yaml', yamlOf(butler)),
    }
    const view = Object.hasOwn(views, pathname) ? views[pathname] : undefined
    if (!view) throw noSuchRoute(request.method, path)
    return view(shown())
  }

  function shown(): Record<string, unknown> {
    const config = deps.config()
    return (settings.obfuscate ? deps.mask(config) : config) as Record<string, unknown>
  }

  function html(butler: Record<string, unknown>): Response {
    const nonce = randomBytes(16).toString('base64')
    const text = configPage({
      butler,
      yaml: yamlOf(butler),
      masked: settings.obfuscate,
      version: deps.version,
      nonce,
    })
    const response = textAnswer('text/html', text)
    response.headers.set('content-security-policy', contentPolicy(nonce))
    return response
  }

  return {
    name: 'config page',
    get port() {
      return server?.port ?? 0
    },
    async start() {
      const { host, port, obfuscate } = settings
      if (!obfuscate && !isLoopback(host)) {
        log.error(
          `CONFIG VIS: The page is not started: with configVisualisation.obfuscate false it would show every secret to whoever reaches ${host}. Set obfuscate to true, or host to localhost.`,
        )
        return
      }
      server = await serveLocal({
        hostname: host,
        port,
        idleTimeout: 60,
        handler: (request, { remoteAddress }) => answer(request, remoteAddress),
        onError: (error) => log.error(`CONFIG VIS: ${String(error)}`, { fault: error }),
      })
      log.info(`MAIN: Config visualisation server listening on http://${server.address}/`)
    },
    async stop(graceMs) {
      const running = server
      server = null
      await running?.stop(graceMs)
    },
  }
}

const yamlOf = (butler: Record<string, unknown>): string => stringify({ Butler: butler }, { lineWidth: 0 })

const textAnswer = (type: string, text: string): Response =>
  new Response(text, { headers: { 'content-type': `${type}; charset=utf-8` } })

function withHeaders(response: Response, more: Readonly<Record<string, string>> = {}): Response {
  for (const [name, value] of Object.entries({ ...HEADERS, ...more })) response.headers.set(name, value)
  return response
}
