/** Endpoints of the hub: its reports for readers and programs, and who opened the documents of a run. */
import { type ApiRequest, type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import { RUNS } from '../runs/contract.ts'
import { HUB_ITEM, HUB_ITEMS, RUN_READS } from './contract.ts'
import type { Reader } from './login.ts'
import type { HubItem } from './store.ts'
import { type HubParts, hubRoot } from './types.ts'

/** For programs: with a session of the hub, or with a key that may read reports. */
export function hubApiRoutes(
  { store, logins }: Pick<HubParts, 'store' | 'logins'>,
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
    const files = [{ n: 1, fileName, bytes, sha256, url: `${hubRoot(request)}/items/${id}/files/1` }]
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
      examples: [{ name: 'newest', params: from(HUB_ITEMS, { id: '$response.body#/hubItems/0/id' }), status: 200 }],
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
      examples: [
        { name: 'last-success', params: from(RUNS, { runId: '$response.body#/runs/0/id' }, 'successes'), status: 200 },
      ],
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

const PRIVATE = { 'cache-control': 'private, no-store' }

const instant = (at: number): string => new Date(at).toISOString()
