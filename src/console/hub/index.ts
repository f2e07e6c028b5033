/** The pages of readers below `/hub`: the reports that were published for them, and their files. */
import { isBelow } from '../../http/client-address.ts'
import type { ApiRequest, ApiRoute } from '../../http/endpoint/route.ts'
import { noSuchRoute } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import { isViewable } from '../../reports/hub/files.ts'
import type { Reader } from '../../reports/hub/login.ts'
import type { HowRead, HubItem } from '../../reports/hub/store.ts'
import { type HubParts, hubRoot } from '../../reports/hub/types.ts'
import { assetAnswer } from '../assets.ts'
import { redirect } from '../requests.ts'
import { messagePage } from './frame.tsx'
import { itemPage, listPage, PAGE_SIZE } from './pages.tsx'
import { contextOf, pageAnswer, pageRoute, textOf } from './routes.ts'
import { signInRoutes } from './sign-in.tsx'

/** They need nothing of the console but its files, and are there also while that is switched off. */
export function hubPages(hub: HubParts): ApiRoute[] {
  const { store, files, logins, signer } = hub

  /** Answer to a request without a login. */
  function refused(request: ApiRequest): Response {
    const root = hubRoot(request)
    if (hub.auth === 'magicLink') return redirect(`${root}/login?next=${encodeURIComponent(pathOf(request, root))}`)
    const text =
      hub.auth === 'none'
        ? 'Without a login the reports are shown on the computer only on which Footman runs.'
        : 'Open the reports by the address of your portal, which signs you in.'
    return pageAnswer(messagePage(contextOf(hub, request, null), 'No access', text), 403)
  }

  const missing = (request: ApiRequest, reader: Reader | null): Response =>
    pageAnswer(
      messagePage(
        contextOf(hub, request, reader),
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
    return pageAnswer(listPage(contextOf(hub, request, reader), { view, ...found, projects }))
  }

  /** The documents that were published together, as far as the reader may see them; a signed link opens its own alone. */
  const togetherWith = (item: HubItem, reader: Reader | null, query: string): readonly HubItem[] =>
    query || !reader ? [item] : store.together(reader.address, item)

  const show = async (request: ApiRequest): Promise<Response> => {
    const found = opened(request)
    if (found instanceof Response) return found
    const { reader, item, query } = found
    const context = contextOf(hub, request, query ? null : reader)
    const versions = query || !reader ? [item] : store.versions(reader.address, item)
    await record(item, reader, 'view')
    return pageAnswer(itemPage(context, { item, versions, together: togetherWith(item, reader, query), query }))
  }

  const file = async (request: ApiRequest): Promise<Response> => {
    const found = opened(request, keyHolder(request))
    if (found instanceof Response) return found
    const { reader, item } = found
    const isShown = request.query.view === '1' && isViewable(item)
    const answer = request.params.n === '1' ? await files.file(item, isShown) : null
    if (!answer) return missing(request, reader)
    await record(item, reader, isShown ? 'view' : 'download')
    return answer
  }

  const archive = async (request: ApiRequest): Promise<Response> => {
    const found = opened(request, keyHolder(request))
    if (found instanceof Response) return found
    const { reader, item, query } = found
    const items = togetherWith(item, reader, query)
    const answer = await files.archive(item.title, items, request.signal)
    if (!answer) return missing(request, reader)
    for (const one of items) await record(one, reader, 'download')
    return answer
  }

  return [
    pageRoute({ path: '/hub', summary: 'The reports of a reader, as a page', handle: list }),
    pageRoute({
      path: '/hub/',
      summary: 'The same with a slash at the end',
      handle: (request) => redirect(hubRoot(request)),
    }),
    pageRoute({
      path: '/hub/items/{id}',
      confidential: 'query',
      summary: 'A report with its versions, as a page',
      handle: show,
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
      path: '/hub/assets/{hash}/{name}',
      limited: false,
      summary: 'The files of the pages',
      handle({ params: { hash = '', name = '' }, headers, method, url }) {
        const answer = assetAnswer(hash, name, headers.get('accept-encoding'))
        if (!answer) throw noSuchRoute(method, url)
        return answer
      },
    }),
    ...(hub.auth === 'magicLink' ? signInRoutes(hub) : []),
  ]
}

/** A caller with credentials of the API that may read reports, or one who looks at the console on this machine. */
function keyHolder(request: ApiRequest): Reader | null {
  const { caller, via } = request
  const isKnown = caller.actor !== 'anonymous' || via === 'console'
  return isKnown && request.sees('report:read') ? { address: null, name: caller.actor, session: null } : null
}

/** The page of the request for after the login, without a signature that no longer counts. */
function pathOf({ url, prefix }: ApiRequest, root: string): string {
  const path = url.split('?', 1)[0]!
  return isBelow(root, path) ? `${root}${path.slice(root.length)}` : `${prefix}${path}`
}
