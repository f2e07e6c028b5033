/** Endpoints of the hub: the pages for readers, the same as JSON, and who opened the documents of a run. */

import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { isBelow } from '../../http/client-address.ts'
import { disposition } from '../../http/endpoint/disposition.ts'
import { ALWAYS, type ApiRequest, type ApiRoute, looseRoute, route } from '../../http/endpoint/route.ts'
import { noSuchRoute, Refusal, refusal } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import { documentEntries, zipStream } from '../documents/zip.ts'
import { fileAnswer } from '../http/file.ts'
import { cleanName } from '../patterns.ts'
import { HUB_ITEM, HUB_ITEMS, RUN_READS } from './contract.ts'
import { messagePage } from './frame.tsx'
import type { Reader } from './login.ts'
import { isViewable, itemPage, listPage, PAGE_SIZE } from './pages.tsx'
import { type HubDeps, type HubParts, type HubPlace, STYLES, STYLESHEET } from './place.ts'
import type { HowRead, HubItem } from './store.ts'

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  vary: 'Cookie, Accept-Encoding',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=()',
} as const

/** Reports are shown without any right: no script, no request. Browsers refuse their PDF viewer to a sandbox. */
const VIEW_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

/** A page of the hub. */
export const pageAnswer = (html: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(html, { status, headers: { ...PAGE_HEADERS, ...headers } })

export const redirect = (location: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(null, { status: 303, headers: { location, 'cache-control': 'no-store', ...headers } })

/** An endpoint for browsers: open to callers without credentials, as the hub has its own login. */
export const pageRoute = ({
  hasForm,
  ...endpoint
}: Pick<ApiRoute, 'path' | 'summary' | 'handle'> &
  Partial<Pick<ApiRoute, 'confidential' | 'action' | 'limited'>> & {
    readonly method?: 'GET' | 'POST'
    /** Whether the body is read, of a form that is sent with the page. */
    readonly hasForm?: true
  }): ApiRoute =>
  looseRoute({
    method: 'GET',
    documented: false,
    eachTime: ALWAYS,
    answers: () => ({ 200: z.string() }),
    ...endpoint,
    handle: (request) => endpoint.handle(request as ApiRequest),
    body: hasForm ? 'bytes' : 'ignored',
    ...(hasForm && { bodyLimit: 16_384, bodyFor: () => 16_384, ownBodyErrors: true as const }),
  })

export function hubRoutes(parts: HubParts, deps: Pick<HubDeps, 'blobs'>, place: HubPlace): ApiRoute[] {
  const { store, logins, signer, now } = parts

  /** Answer to a request without a login. */
  function refused(request: ApiRequest): Response {
    const { auth, root } = place
    if (auth === 'magicLink')
      return redirect(`${root(request)}/login?next=${encodeURIComponent(pathOf(request, root(request)))}`)
    const text =
      auth === 'none'
        ? 'Without a login the reports are shown on the computer only on which Footman runs.'
        : 'Open the reports by the address of your portal, which signs you in.'
    return pageAnswer(messagePage(place.context(request, null, now()), 'No access', text), 403)
  }

  const missing = (request: ApiRequest, reader: Reader | null): Response =>
    pageAnswer(
      messagePage(
        place.context(request, reader, now()),
        'Not found',
        'There is no such report, it is no longer kept, or it was not published for you.',
      ),
      404,
    )

  /** Reader and item of a request, or the answer that refuses it. A signed link opens its item without a login. */
  function opened(
    request: ApiRequest,
    admin: Reader | null = null,
  ): Response | { reader: Reader | null; item: HubItem; query: string } {
    const { id = '' } = request.params
    const reader = logins.readerOf(request) ?? admin
    const item = reader && isGuid(id) ? store.item(reader.address, id.toLowerCase()) : null
    if (item) return { reader, item, query: '' }
    if (isGuid(id) && signer.accepts(id.toLowerCase(), request.query)) {
      const signed = store.item(null, id.toLowerCase())
      const { e, s } = request.query
      if (signed) return { reader, item: signed, query: `e=${e}&s=${s}` }
    }
    return reader ? missing(request, reader) : refused(request)
  }

  const record = (item: HubItem, reader: Reader | null, how: HowRead) =>
    store.recordAccess(item.id, reader?.name ?? 'signed link', how)

  const list = (request: ApiRequest): Response => {
    const reader = logins.readerOf(request)
    if (!reader) return refused(request)
    const { query } = request
    const view = {
      q: textOf(query.q).trim(),
      project: textOf(query.project),
      unread: query.unread === '1',
      offset: Math.min(Number(/^\d+$/.exec(textOf(query.offset))?.[0] ?? 0), 10_000_000),
    }
    const found = store.list(reader.address, { ...view, project: view.project || undefined, limit: PAGE_SIZE })
    const projects = store.projects(reader.address)
    return pageAnswer(listPage(place.context(request, reader, now()), { view, ...found, projects }))
  }

  const file = async (request: ApiRequest): Promise<Response> => {
    const found = opened(request, keyHolder(request))
    if (found instanceof Response) return found
    const { reader, item } = found
    if (request.params.n !== '1') return missing(request, reader)
    const view = request.query.view === '1' && isViewable(item)
    const answer = await fileAnswer(deps.blobs.path(item.sha256), item).catch((error: unknown) => {
      if (error instanceof Refusal) return null
      throw error
    })
    if (!answer) return missing(request, reader)
    await record(item, reader, view ? 'view' : 'download')
    answer.headers.set('referrer-policy', 'same-origin')
    answer.headers.set('cross-origin-resource-policy', 'same-origin')
    if (!view) return answer
    answer.headers.set('content-disposition', disposition('inline', item.fileName))
    answer.headers.set('content-security-policy', item.format === 'pdf' ? VIEW_POLICY : `${VIEW_POLICY}; sandbox`)
    answer.headers.set('x-frame-options', 'SAMEORIGIN')
    return answer
  }

  /** The documents that were published together, as far as the reader may see them; a signed link opens its own alone. */
  const togetherWith = (item: HubItem, reader: Reader | null, query: string): readonly HubItem[] =>
    query || !reader ? [item] : store.together(reader.address, item)

  const archive = async (request: ApiRequest): Promise<Response> => {
    const found = opened(request, keyHolder(request))
    if (found instanceof Response) return found
    const { reader, item, query } = found
    const items = togetherWith(item, reader, query)
    const paths = items.map(({ sha256 }) => deps.blobs.path(sha256))
    if (!(await Promise.all(paths.map(exists))).every(Boolean)) return missing(request, reader)
    for (const one of items) await record(one, reader, 'download')
    return new Response(zipStream(documentEntries(items, deps.blobs.path), { signal: request.signal }), {
      headers: {
        'content-type': 'application/zip',
        'content-disposition': disposition('attachment', `${cleanName(item.title)}.zip`),
        'x-content-type-options': 'nosniff',
        'cache-control': 'private, no-store',
        'referrer-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      },
    })
  }

  return [
    pageRoute({ path: '/hub', summary: 'The reports of a reader, as a page', handle: list }),
    pageRoute({
      path: '/hub/',
      summary: 'The same with a slash at the end',
      handle: (request) => redirect(place.root(request)),
    }),
    pageRoute({
      path: '/hub/items/{id}',
      confidential: 'query',
      summary: 'A report with its versions, as a page',
      async handle(request) {
        const found = opened(request)
        if (found instanceof Response) return found
        const { reader, item, query } = found
        const context = place.context(request, query ? null : reader, now())
        const versions = query || !reader ? [item] : store.versions(reader.address, item)
        await record(item, reader, 'view')
        const together = togetherWith(item, reader, query)
        return pageAnswer(itemPage(context, { item, versions, together, query }))
      },
    }),
    pageRoute({
      path: '/hub/items/{id}/files/{n}',
      confidential: 'query',
      summary: 'The file of a report',
      handle: file,
    }),
    pageRoute({
      path: '/hub/items/{id}/files.zip',
      confidential: 'query',
      summary: 'The files that were published together, as one archive',
      handle: archive,
    }),
    pageRoute({
      path: '/hub/assets/{file}',
      limited: false,
      summary: 'The files of the pages',
      handle({ params, method, url }) {
        if (params.file !== STYLESHEET) throw noSuchRoute(method, url)
        return new Response(STYLES, {
          headers: {
            'content-type': 'text/css; charset=utf-8',
            'cache-control': 'public, max-age=31536000, immutable',
            'x-content-type-options': 'nosniff',
          },
        })
      },
    }),
  ]
}

/** For programs: with a session of the hub, or with a key that may read reports. */
export function hubApiRoutes(
  { store, logins }: HubParts,
  place: HubPlace,
  hasRun: (id: string) => boolean,
): ApiRoute[] {
  function readerOf(request: ApiRequest): Reader {
    const reader = logins.readerOf(request)
    if (reader) return reader
    if (request.sees('report:read')) return { address: null, name: request.caller.actor, session: null }
    const needed = refusal('UNAUTHENTICATED', 'Send the session of the hub, or a key with the scope report:read.')
    throw request.caller.refusal('report:read') ?? needed
  }

  const shown = (request: ApiRequest, item: HubItem) => {
    const { id, title, project, taskName, publishedAt, test, version, fileName, bytes, sha256 } = item
    const files = [{ n: 1, fileName, bytes, sha256, url: `${place.root(request)}/items/${id}/files/1` }]
    return { id, title, project, taskName, publishedAt: instant(publishedAt), test, version, files }
  }

  return [
    route({
      ...HUB_ITEMS,
      summary: 'List the reports in the hub, newest first',
      description:
        'Each report once, with its newest version. A reader (cookie of the hub) gets what was published for it; a key with `report:read` gets everything.',
      examples: [{ name: 'first', query: { limit: '1' }, status: 200 }],
      handle(request, answer) {
        const { limit = 100, offset = 0, unread, q, project } = request.query
        const seen = request as unknown as ApiRequest
        const wanted = { q, project, unread: unread === '1', limit, offset }
        const { items, total } = store.list(readerOf(seen).address, wanted)
        const hubItems = items.map((item) => ({ ...shown(seen, item), versions: item.versions, unread: item.unread }))
        return answer(200, { hubItems, total }, PRIVATE)
      },
    }),
    route({
      ...HUB_ITEM,
      summary: 'Show a report in the hub with its versions',
      handle(request, answer) {
        const seen = request as unknown as ApiRequest
        const { address } = readerOf(seen)
        const { id } = request.params
        if (!isGuid(id)) throw refusal('INVALID_ID', 'Item ID must be a valid GUID')
        const item = store.item(address, id.toLowerCase())
        if (!item) throw refusal('DOCUMENT_GONE', id, { error: 'Hub item not found' })
        const versions = store.versions(address, item).map((one) => shown(seen, one))
        return answer(200, { ...shown(seen, item), versions }, PRIVATE)
      },
    }),
    route({
      ...RUN_READS,
      scope: 'report:read',
      summary: 'List who opened the documents of a run in the hub',
      handle({ params: { runId } }, answer) {
        if (!isGuid(runId))
          throw refusal('INVALID_ID', 'Run ID must be a valid GUID', { error: 'Invalid run ID format' })
        const id = runId.toLowerCase()
        if (!hasRun(id)) throw refusal('RUN_NOT_FOUND', runId)
        return answer(200, { reads: store.reads(id) }, PRIVATE)
      },
    }),
  ]
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

const PRIVATE = { 'cache-control': 'private, no-store' }

const instant = (at: number): string => new Date(at).toISOString()

/** A caller with credentials of the API that may read reports, or one who looks at the console on this machine. */
function keyHolder(request: ApiRequest): Reader | null {
  const { caller, via } = request
  const isKnown = caller.actor !== 'anonymous' || via === 'console'
  return isKnown && request.sees('report:read') ? { address: null, name: caller.actor, session: null } : null
}

export const textOf = (value: ApiRequest['query'][string] | undefined): string =>
  typeof value === 'string' ? value.slice(0, 500) : ''

/** The page of the request for after the login, without a signature that no longer counts. */
function pathOf({ url, prefix }: ApiRequest, root: string): string {
  const path = url.split('?', 1)[0]!
  return isBelow(root, path) ? `${root}${path.slice(root.length)}` : `${prefix}${path}`
}
