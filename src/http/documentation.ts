/** `GET /documentation`: the description of the API as a page, as JSON and as YAML, without any other server. */
import { stringify } from 'yaml'
import { z } from 'zod'
import { readAsset } from '../platform/assets.ts'
import { once } from '../platform/once.ts'
import { asIs } from './endpoint/contract.ts'
import { type ApiRequest, type ApiRoute, jsonText, route } from './endpoint/route.ts'
import { noSuchRoute } from './errors.ts'
import type { OpenApiDocument } from './openapi/schema.ts'

export interface DocumentationDeps {
  readonly version: string
  /** Called when it is first asked for. */
  readonly document: () => Promise<OpenApiDocument>
}

export function documentationRoutes({ version, document }: DocumentationDeps): ApiRoute[] {
  const json = once(async () => JSON.stringify(await document()))
  const yaml = once(async () => stringify(await document(), { lineWidth: 0, aliasDuplicateObjects: false }))
  const page = (base: string) => async () => {
    const { documentationPage } = await import('./documentation-page.tsx')
    return html(documentationPage({ base, version }))
  }
  return [
    get('/documentation', 'The description of this API, as a page', page('documentation/')),
    get('/documentation/', 'The description of this API, as a page', page('')),
    get('/documentation/json', 'The description of this API, as JSON', async () => jsonText(200, await json())),
    get('/documentation/yaml', 'The description of this API, as YAML', async () =>
      answer('application/x-yaml', await yaml()),
    ),
    get('/documentation/static/{file}', 'The files of the page', staticFile),
  ]
}

const get = (path: string, summary: string, handle: ApiRoute['handle']): ApiRoute =>
  route({
    method: 'GET',
    path,
    documented: false,
    summary,
    answers: () => ({ 200: z.unknown() }),
    handle: async (request) => asIs(await handle(request)),
  })

async function staticFile({ params, method, url }: ApiRequest): Promise<Response> {
  const { file = '' } = params
  if (file === 'index.html') return new Response(null, { status: 302, headers: { location: '/documentation/' } })
  const asset = ASSETS.get(file)
  if (!asset) throw noSuchRoute(method, url)
  return answer(asset.type, await asset.load(), { 'cache-control': 'max-age=3600' })
}

const html = (text: string): Response =>
  answer('text/html; charset=utf-8', text, {
    'content-security-policy': CONTENT_POLICY,
    'cache-control': 'no-cache',
    'referrer-policy': 'no-referrer',
  })

const answer = (type: string, body: Content, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(body, { headers: { 'content-type': type, 'x-content-type-options': 'nosniff', ...headers } })

/** Nothing from other hosts; the styles are those that Swagger UI sets on its elements. */
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; object-src 'none'"

type Content = string | Uint8Array<ArrayBuffer>

interface Asset {
  readonly type: string
  readonly load: () => Promise<Content>
}

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

const textOf = async (file: Promise<{ readonly default: string }>): Promise<string> => (await file).default

/** By name below `/documentation/static/`. Each is loaded when it is first asked for: an unused page costs nothing. */
const ASSETS: ReadonlyMap<string, Asset> = new Map<string, Asset>([
  [
    'swagger-ui-bundle.js',
    {
      type: SCRIPT,
      load: () =>
        readAsset(
          () => import('swagger-ui-dist/swagger-ui-bundle.js', { with: { type: 'file' } }),
          () => import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'),
        ),
    },
  ],
  [
    'swagger-ui.css',
    {
      type: STYLE,
      load: () =>
        readAsset(
          () => import('swagger-ui-dist/swagger-ui.css', { with: { type: 'file' } }),
          () => import.meta.resolve('swagger-ui-dist/swagger-ui.css'),
        ),
    },
  ],
  [
    'swagger-ui.license.txt',
    {
      type: 'text/plain; charset=utf-8',
      load: () => textOf(import('swagger-ui-dist/LICENSE', { with: { type: 'text' } })),
    },
  ],
  [
    'swagger-initializer.js',
    { type: SCRIPT, load: () => textOf(import('./assets/swagger-initializer.js', { with: { type: 'text' } })) },
  ],
  ['index.css', { type: STYLE, load: () => textOf(import('./assets/index.css', { with: { type: 'text' } })) }],
  ['logo.svg', { type: 'image/svg+xml', load: () => textOf(import('./assets/logo.svg', { with: { type: 'text' } })) }],
])
