/** The application of the configuration page: the configuration as a page, as JSON and as YAML. */
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { stringify } from 'yaml'
import { jsonAnswer, jsonText } from '../../http/endpoint/route.ts'
import { noSuchRoute, Refusal, refused } from '../../http/errors.ts'
import { type BrowserRules, refusalPage } from '../../http/middleware/browser-rules.ts'
import { limitedClient } from '../../platform/addresses.ts'
import type { Logger } from '../../platform/types.ts'
import { assetAnswer } from '../assets.ts'
import { configPage } from './page.tsx'

export interface RateVerdict {
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

const HEADERS = {
  'x-frame-options': 'SAMEORIGIN',
  'x-content-type-options': 'nosniff',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'none'; frame-ancestors 'self'; object-src 'none'"

type Env = { Bindings: { readonly client: string } }

export function createPageApp<V extends RateVerdict>(
  deps: ConfigViewDeps<V>,
  { obfuscate }: ConfigViewSettings,
): Hono<Env> {
  const app = new Hono<Env>({ getPath: ({ url }) => new URL(url).pathname })
  app.use(securityHeaders, limitCalls(deps), ownPagesOnly(deps.browser, obfuscate))
  app.get('/assets/:hash/:name', (c) => {
    const { hash, name } = c.req.param()
    const answer = assetAnswer(hash, name, c.req.header('accept-encoding') ?? null)
    if (!answer) throw noSuchRoute(c.req.method, pathOf(c))
    return answer
  })
  app.get('/', () => html(shown()))
  app.get('/config.json', () => jsonText(200, JSON.stringify({ Butler: shown() }, null, 2)))
  app.get('/config.yaml', () => textAnswer('application/yaml', yamlOf(shown())))
  app.notFound((c) => {
    throw noSuchRoute(c.req.method, pathOf(c))
  })
  app.onError((error, c) => {
    // The server logs it and answers 500.
    if (!(error instanceof Refusal)) throw error
    return refusalPage(error, c.req.raw.headers) ?? jsonAnswer(error.status, error.body, error.headers)
  })

  function shown(): Record<string, unknown> {
    const config = deps.config()
    return (obfuscate ? deps.mask(config) : config) as Record<string, unknown>
  }

  function html(butler: Record<string, unknown>): Response {
    const text = configPage({ butler, yaml: yamlOf(butler), masked: obfuscate, version: deps.version })
    const response = textAnswer('text/html', text)
    response.headers.set('content-security-policy', CONTENT_POLICY)
    return response
  }

  return app
}

const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value)
}

function limitCalls<V extends RateVerdict>({ limit, tooManyRequests, log }: ConfigViewDeps<V>): MiddlewareHandler<Env> {
  return async (c, next) => {
    const { client } = c.env
    const verdict = limit(limitedClient(client))
    if (!verdict.allowed) {
      const { method } = c.req
      log.warn(
        `CONFIG VIS: Rate limit exceeded for source IP address ${client}. Method=${method}, endpoint=${pathOf(c)}`,
      )
      throw tooManyRequests(verdict)
    }
    await next()
    if (c.error) return
    for (const [name, value] of Object.entries(verdict.headers)) c.res.headers.set(name, value)
  }
}

function ownPagesOnly(browser: BrowserRules, obfuscate: boolean): MiddlewareHandler<Env> {
  return async (c, next) => {
    const { method, headers } = c.req.raw
    // There is nothing for other methods.
    if (method !== 'GET' && method !== 'HEAD') return next()
    const foreign = browser.refusal(headers)
    if (foreign) throw foreign
    if (!obfuscate && !browser.knowsHost(headers.get('host'))) {
      throw refused(403, 'Host not allowed', 'While nothing is masked, open the page by localhost or an address.')
    }
    return next()
  }
}

function pathOf({ req }: Context): string {
  const { pathname, search } = new URL(req.url)
  return pathname + search
}

const yamlOf = (butler: Record<string, unknown>): string => stringify({ Butler: butler }, { lineWidth: 0 })

const textAnswer = (type: string, text: string): Response =>
  new Response(text, { headers: { 'content-type': `${type}; charset=utf-8` } })
