/** `GET /documentation`: the description of the API as a page, as JSON and as YAML, without any other server. */
import { stringify } from 'yaml'
import { noSuchRoute } from '../endpoint/errors.ts'
import { type ApiRequest, type ApiRoute, jsonText } from '../endpoint/route.ts'
import type { OpenApiDocument } from '../openapi/types.ts'
import { ASSETS } from './assets.ts'
import { CONTENT_POLICY, documentationPage } from './page.ts'

export interface DocumentationDeps {
  readonly version: string
  /** Called when it is first asked for. */
  readonly document: () => OpenApiDocument
}

export function documentationRoutes({ version, document }: DocumentationDeps): ApiRoute[] {
  const json = once(() => JSON.stringify(document()))
  const yaml = once(() => stringify(document(), { lineWidth: 0, aliasDuplicateObjects: false }))
  const page = (base: string) => () => html(documentationPage({ base, version }))
  return [
    get('/documentation', 'The description of this API, as a page', page('documentation/')),
    get('/documentation/', 'The description of this API, as a page', page('')),
    get('/documentation/json', 'The description of this API, as JSON', () => jsonText(200, json())),
    get('/documentation/yaml', 'The description of this API, as YAML', () => answer('application/x-yaml', yaml())),
    get('/documentation/static/{file}', 'The files of the page', staticFile),
  ]
}

const get = (path: string, summary: string, handle: ApiRoute['handle']): ApiRoute => ({
  methods: ['GET'],
  path,
  endpoint: null,
  documented: false,
  summary,
  handle,
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

const answer = (type: string, text: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(text, { headers: { 'content-type': type, 'x-content-type-options': 'nosniff', ...headers } })

function once(make: () => string): () => string {
  let made: string | null = null
  return () => {
    made ??= make()
    return made
  }
}
